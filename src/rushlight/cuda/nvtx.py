"""Marks for NVIDIA's profiler: without CUDA each raises when it is set, as PyTorch's do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["mark", "range", "range_end", "range_pop", "range_push", "range_start"]


def _no_nvtx() -> NoReturn:
    raise RuntimeError(
        "NVTX functions not installed: rushlight runs on the CPU alone. Guard them with "
        "torch.cuda.is_available(), or mark with torch.profiler.record_function"
    )


def range_push(msg: str) -> Any:
    """Raises RuntimeError."""
    _no_nvtx()


def range_pop() -> Any:
    """Raises RuntimeError."""
    _no_nvtx()


def range_start(msg: str) -> Any:
    """Raises RuntimeError."""
    _no_nvtx()


def range_end(range_id: int) -> None:
    """Raises RuntimeError."""
    _no_nvtx()


def mark(msg: str) -> Any:
    """Raises RuntimeError."""
    _no_nvtx()


@contextmanager
def range(msg: str, *args: Any, **kwargs: Any) -> Iterator[None]:
    """Raises RuntimeError when it is entered."""
    _no_nvtx()
    yield
