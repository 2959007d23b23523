"""Modules without initial values."""

from __future__ import annotations

from typing import Any

__all__ = ["skip_init"]


def skip_init(module_cls: type, *args: Any, **kwargs: Any) -> Any:
    """A module whose parameters and buffers are memory without values.

    It is made on the meta device, where to initialize costs nothing and draws no random numbers.

    Args:
        module_cls: a Module class whose constructor takes `device`.
        args, kwargs: for the constructor; `device` says where the module ends up.

    Raises:
        RuntimeError: if it is not such a class.
    """
    import inspect

    from rushlight.nn.modules.module import Module

    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.pop("device", "cpu")
    return module_cls(*args, device="meta", **kwargs).to_empty(device=device)
