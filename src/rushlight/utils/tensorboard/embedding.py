"""The files of TensorBoard's projector: vectors, their labels and pictures, and what lists them."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import EmbeddingInfo

from rushlight.utils.tensorboard.summary import as_array, grid

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["folder_of", "write_config", "write_embedding"]


def folder_of(tag: str, global_step: int) -> str:
    """Where the files of an embedding are, below the folder of the run."""
    for letter in "%/\\":  # the percent sign first
        tag = tag.replace(letter, f"%{ord(letter):02x}")
    return f"{global_step:05d}/{tag}"


def write_embedding(
    log_dir: str,
    mat: Any,
    metadata: Sequence[Any] | None,
    label_img: Any,
    global_step: int,
    tag: str,
    metadata_header: Sequence[str] | None,
) -> Any:
    """Writes the files of one embedding, and returns its entry of the configuration."""
    vectors = as_array(mat)
    if vectors.ndim != 2:
        raise AssertionError(
            f"add_embedding: mat should be of shape (items, features), got {list(vectors.shape)}"
        )
    pictures = None if label_img is None else as_array(label_img)
    for name, given in (("metadata", metadata), ("label_img", pictures)):
        if given is not None and len(given) != len(vectors):
            raise AssertionError(
                f"add_embedding: {name} has {len(given)} entries for {len(vectors)} rows of mat; "
                "each row needs one"
            )
    below = folder_of(tag, global_step)
    folder = os.path.join(log_dir, below)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(f"add_embedding: {folder!r} exists, but is a file")
    if os.path.isdir(folder):
        print(
            f"add_embedding: {folder!r} exists and is written again; a global_step of its own "
            "keeps both"
        )
    os.makedirs(folder, exist_ok=True)

    info = EmbeddingInfo(
        tensor_name=f"{tag}:{global_step:05d}", tensor_path=f"{below}/tensors.tsv"
    )  # fmt: skip
    if metadata is not None:
        _write(folder, "metadata.tsv", _table(metadata, metadata_header))
        info.metadata_path = f"{below}/metadata.tsv"
    if pictures is not None:
        _write(folder, "sprite.png", _sprite(pictures))
        info.sprite.image_path = f"{below}/sprite.png"
        info.sprite.single_image_dim.extend([pictures.shape[3], pictures.shape[2]])
    lines = ["\t".join(map(str, row)) + "\n" for row in vectors.tolist()]
    _write(folder, "tensors.tsv", "".join(lines).encode())
    return info


def write_config(log_dir: str, config: Any) -> None:
    """Writes which embeddings there are."""
    _write(log_dir, "projector_config.pbtxt", text_format.MessageToString(config).encode())


def _write(folder: str, name: str, content: bytes) -> None:
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def _table(metadata: Sequence[Any], header: Sequence[str] | None) -> bytes:
    """Labels, one per line; with a header, rows of as many columns."""
    if not header:
        lines = [str(label) for label in metadata]
    else:
        if len(header) != len(metadata[0]):
            raise AssertionError(
                f"add_embedding: metadata_header names {len(header)} columns, the first row of "
                f"metadata has {len(metadata[0])}"
            )
        lines = ["\t".join(map(str, row)) for row in (header, *metadata)]
    return ("\n".join(lines) + "\n").encode()


def _sprite(pictures: Any) -> bytes:
    """Pictures (N, C, H, W) from 0 to 1 as one square PNG, row by row."""
    import io

    from PIL import Image

    arranged = grid(pictures.transpose(0, 2, 3, 1), math.ceil(math.sqrt(len(pictures))))
    height, width, _ = arranged.shape
    square = np.zeros((width, width, 3))
    square[:height] = arranged
    file = io.BytesIO()
    Image.fromarray((square * 255).clip(0, 255).astype(np.uint8)).save(file, format="PNG")
    return file.getvalue()
