"""Intel's GPUs as devices: there are none."""

from __future__ import annotations

from typing import Any

from rushlight.dtypes import check_device


def is_available() -> bool:
    """False."""
    return False


def is_initialized() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing to seed; accepted, as by PyTorch."""


def manual_seed_all(seed: int) -> None:
    """Nothing to seed; accepted, as by PyTorch."""


def empty_cache() -> None:
    """Nothing to free."""


def synchronize(device: Any = None) -> Any:
    """Raises RuntimeError: there is no such device."""
    check_device("xpu")
