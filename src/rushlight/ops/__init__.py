"""The ops, by family: forward, derivative and documentation of each in one place.

As `torch.ops` it also has a namespace per name: `torch.ops.mylib.op` for what was registered with
torch.library, `torch.ops.aten.mm` for the functions here (rushlight/_ops.py).
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from importlib import import_module
    from importlib.util import find_spec

    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec(f"{__name__}.{name}") is not None:
        return import_module(f"{__name__}.{name}")
    from rushlight._ops import namespace_or_function

    return namespace_or_function(name)
