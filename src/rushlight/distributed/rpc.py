"""torch.distributed.rpc, calls in other processes: not there."""

from __future__ import annotations

from typing import Any

__all__ = ["is_available"]


def is_available() -> bool:
    """False: there are no other processes to call."""
    return False


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"torch.distributed.rpc.{name} is not in rushlight, which trains in one process: guard it "
        "with torch.distributed.rpc.is_available(), which is False here"
    )
