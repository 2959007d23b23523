"""Start and stop of NVIDIA's profiler: without CUDA both raise, as PyTorch's do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rushlight.dtypes import check_device

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["profile", "start", "stop"]


def start() -> None:
    """Raises RuntimeError: there is no CUDA device."""
    check_device("cuda")


def stop() -> None:
    """Raises RuntimeError: there is no CUDA device."""
    check_device("cuda")


@contextmanager
def profile() -> Iterator[None]:
    """Raises RuntimeError when it is entered: there is no CUDA device."""
    start()
    yield
