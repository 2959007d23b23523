"""torch._functorch, the folder of PyTorch that torch.func comes from: its names are func's."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from rushlight import func

    if hasattr(func, name):
        return getattr(func, name)
    raise AttributeError(f"torch._functorch.{name} is not in rushlight: use torch.func")
