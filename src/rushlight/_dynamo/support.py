"""What libraries ask of the compiler: whether there is one."""

from __future__ import annotations

from typing import Any

__all__ = ["is_compile_supported"]


def is_compile_supported(device_type: Any) -> bool:
    """False: nothing is compiled."""
    return False
