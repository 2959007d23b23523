"""torch._C._nn: the functions of torch.nn.functional, and how arguments of `Module.to` are read."""

from __future__ import annotations

from typing import Any

from rushlight.nn.modules.conversion import _parse_to as _parse_to


def __getattr__(name: str) -> Any:
    import rushlight.nn.functional

    return getattr(rushlight.nn.functional, name)
