"""What PyTorch's `torch.cuda` answers on a machine without CUDA devices, for scripts that ask."""

from __future__ import annotations

from typing import Any

from rushlight.dtypes import check_device


def is_available() -> bool:
    """False: there is no CUDA device."""
    return False


def device_count() -> int:
    """0."""
    return 0


def is_initialized() -> bool:
    """False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False."""
    return False


def manual_seed(seed: int) -> None:
    """Nothing to seed; accepted, as by PyTorch."""


def manual_seed_all(seed: int) -> None:
    """Nothing to seed; accepted, as by PyTorch."""


def empty_cache() -> None:
    """Nothing to free."""


def current_device() -> Any:
    """Raises RuntimeError: there is no CUDA device."""
    return check_device("cuda")


def synchronize(device: Any = None) -> None:
    """Raises RuntimeError: there is no CUDA device."""
    check_device("cuda")
