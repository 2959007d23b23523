"""The CPU as a device among others: PyTorch's `torch.cpu`."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.dtypes import CPU

__all__ = [
    "current_device",
    "device_count",
    "is_available",
    "is_initialized",
    "set_device",
    "synchronize",
]


def __getattr__(name: str) -> Any:
    if name == "amp":
        from importlib import import_module

        return import_module("rushlight.cpu.amp")
    raise AttributeError(f"module 'rushlight.cpu' has no attribute {name!r}")


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """True."""
    return True


def device_count() -> int:
    """1."""
    return 1


def current_device() -> str:
    """The string "cpu"."""
    return CPU.type


def set_device(device: Any) -> None:
    """Nothing to choose; accepted."""


def synchronize(device: Any = None) -> None:
    """Waits for the kernels that run behind Python.

    Only a clock needs it: whoever reads a value waits for it anyway. What is deferred stays so
    until somebody asks for it.
    """
    _core.synchronize()
