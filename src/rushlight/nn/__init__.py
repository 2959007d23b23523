"""Layers, losses and the Module they are made of; PyTorch's ``torch.nn``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import functional as functional
from . import init as init
from . import modules as modules
from . import parameter as parameter
from .modules import *  # noqa: F403
from .parameter import Buffer as Buffer
from .parameter import Parameter as Parameter
from .parameter import UninitializedBuffer as UninitializedBuffer
from .parameter import UninitializedParameter as UninitializedParameter

if TYPE_CHECKING:
    from . import attention as attention
    from . import utils as utils  # type: ignore[no-redef]

# Imported when they are first asked for.
_LATER = ("_reduction", "attention", "common_types", "grad", "parallel", "utils")


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from importlib import import_module
        from importlib.util import find_spec

        if find_spec(f"{__name__}.{name}") is not None:
            return import_module(f"{__name__}.{name}")
    if name in ("DataParallel", "DistributedDataParallel"):
        from . import parallel

        return getattr(parallel, name)
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}. If PyTorch has torch.nn.{name}, it is not "
        "in rushlight yet: see docs/differences.md"
    )


def factory_kwargs(kwargs: dict | None) -> dict:
    """The arguments `device`, `dtype` and `memory_format` out of `kwargs`, for a factory function.

    They may also stand in a dict ``kwargs["factory_kwargs"]``. Raises TypeError for any other
    name, and for one that is given twice.
    """
    if kwargs is None:
        return {}
    simple = {"device", "dtype", "memory_format"}
    unexpected = kwargs.keys() - simple - {"factory_kwargs"}
    if unexpected:
        raise TypeError(f"unexpected kwargs {unexpected}")
    found = dict(kwargs.get("factory_kwargs", {}))
    for name in simple & kwargs.keys():
        if name in found:
            raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
        found[name] = kwargs[name]
    return found
