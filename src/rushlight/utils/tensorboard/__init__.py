"""Logs for TensorBoard: `SummaryWriter`, over the writer and messages of the tensorboard package.

It is an extra: `pip install rushlight[tensorboard]`.
"""

from __future__ import annotations

try:
    import tensorboard
except ImportError as error:
    raise ImportError(
        "rushlight.utils.tensorboard writes with the tensorboard package, which is not installed: "
        "pip install rushlight[tensorboard]"
    ) from error

from rushlight.utils.tensorboard.writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "SummaryWriter"]
