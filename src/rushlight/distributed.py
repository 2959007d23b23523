"""torch.distributed: not available, and it says so when asked."""

from __future__ import annotations

from typing import Any

__all__ = ["is_available", "is_initialized", "is_torchelastic_launched"]


def is_available() -> bool:
    """False: there is one process."""
    return False


def is_initialized() -> bool:
    """False."""
    return False


def is_torchelastic_launched() -> bool:
    """False."""
    return False


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"torch.distributed.{name} is not in rushlight, which trains in one process: guard it with "
        "torch.distributed.is_available(), which is False here"
    )
