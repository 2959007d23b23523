"""Videos as animated GIFs, encoded by the moviepy package."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

from rushlight.utils.tensorboard.summary import as_array, value_of

__all__ = ["video"]


def video(tag: str, value: Any, fps: float = 4) -> Any:
    """Videos (N, T, C, H, W) side by side: uint8, or anything else from 0 to 1.

    Raises:
        ImportError: moviepy is not installed.
    """
    frames = _frames(as_array(value))
    _, height, width, channels = frames.shape
    message = Summary.Image(
        height=height, width=width, colorspace=channels, encoded_image_string=_gif(frames, fps)
    )
    return value_of(tag, image=message)


def _frames(videos: Any) -> Any:
    """(T, rows * H, columns * W, C) as uint8: a grid whose number of places is a power of 2."""
    if videos.ndim != 5:
        raise ValueError(
            "add_video: expected videos of shape (N, T, C, H, W), got "
            f"{list(videos.shape)}; one video is unsqueeze(0)"
        )
    count, time, channels, height, width = videos.shape
    places = 1 << max(count - 1, 0).bit_length()
    rows = 1 << (count.bit_length() - 1) // 2
    if videos.dtype == np.uint8:
        videos = videos.astype(np.float32) / 255
    missing = np.zeros((places - count, *videos.shape[1:]), videos.dtype)
    grid = np.concatenate([videos, missing]).reshape(
        rows, places // rows, time, channels, height, width
    )
    grid = grid.transpose(2, 0, 4, 1, 5, 3)
    grid = grid.reshape(time, rows * height, places // rows * width, channels)
    return (grid.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)


def _gif(frames: Any, fps: float) -> bytes:
    try:
        try:
            from moviepy import ImageSequenceClip  # version 2
        except ImportError:
            from moviepy.editor import ImageSequenceClip
    except ImportError as error:
        raise ImportError(
            "SummaryWriter.add_video encodes with the moviepy package, which is not installed: "
            "pip install moviepy; add_images shows frames without it"
        ) from error

    clip = ImageSequenceClip(list(frames), fps=fps)
    handle, path = tempfile.mkstemp(suffix=".gif")
    try:
        os.close(handle)
        clip.write_gif(path, logger=None)
        with open(path, "rb") as file:
            return file.read()
    finally:
        os.remove(path)
