"""scatter and gather: batches cut up for several GPUs and put together, which are not here."""

from __future__ import annotations

from typing import Any

from .data_parallel import needs_gpus

__all__ = ["gather", "scatter", "scatter_kwargs"]


def scatter(inputs: Any, target_gpus: Any, dim: int = 0) -> Any:
    """Tensors cut along `dim`, a part for each GPU. Raises RuntimeError: there is only the CPU."""
    needs_gpus("scatter")


def scatter_kwargs(
    inputs: tuple, kwargs: dict[str, Any] | None, target_gpus: Any, dim: int = 0
) -> Any:
    """`scatter` of arguments and keyword arguments. Raises RuntimeError."""
    needs_gpus("scatter_kwargs")


def gather(outputs: Any, target_device: Any, dim: int = 0) -> Any:
    """Results of several GPUs as one tensor. Raises RuntimeError: there is only the CPU."""
    needs_gpus("gather")
