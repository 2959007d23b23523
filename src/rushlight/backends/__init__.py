"""What other libraries PyTorch computes with: here, none of them.

Each answers `is_available()` with False. Switches that choose between ways to the same result can
be set, and change nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]

_SUBMODULES = ("cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum")


@contextmanager
def __allow_nonbracketed_mutation() -> Iterator[None]:
    """A block in which switches may be set: they always may."""
    yield


def flags_frozen() -> bool:
    """False: switches may be set."""
    return False


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        from importlib import import_module

        return import_module(f"rushlight.backends.{name}")
    raise AttributeError(f"module 'rushlight.backends' has no attribute {name!r}")
