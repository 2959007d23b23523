"""torch._inductor, PyTorch's compiler: not there. Its switches can be set and change nothing."""

from __future__ import annotations

from typing import Any

from rushlight._inductor import config as config

__all__ = ["list_mode_options", "list_options"]


def list_mode_options(mode: str | None = None, dynamic: Any = None) -> dict[str, Any]:
    """No options."""
    return {}


def list_options() -> list[str]:
    """No options."""
    return []
