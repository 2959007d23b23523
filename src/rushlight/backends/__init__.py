"""What other libraries PyTorch computes with: here, none of them.

Each answers `is_available()` with False. Switches that choose between ways to the same result can
be set, and change nothing.
"""

from __future__ import annotations

from typing import Any

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]

_SUBMODULES = ("cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum")


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        from importlib import import_module

        return import_module(f"rushlight.backends.{name}")
    raise AttributeError(f"module 'rushlight.backends' has no attribute {name!r}")
