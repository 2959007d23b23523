"""The current accelerator: there is none."""

from __future__ import annotations

from typing import Any, NoReturn


def is_available() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """None."""
    return None


def _none() -> NoReturn:
    raise RuntimeError(
        "there is no accelerator: rushlight runs on the CPU alone. Guard with "
        "torch.accelerator.is_available(), which is False here"
    )


def current_device_index() -> int:
    """Raises RuntimeError."""
    _none()


def set_device_index(device: Any) -> None:
    """Raises RuntimeError."""
    _none()


def synchronize(device: Any = None) -> None:
    """Raises RuntimeError."""
    _none()
