"""Modules without initial values."""

from __future__ import annotations

from typing import Any

import rushlight

__all__ = ["skip_init"]


def skip_init(module_cls: type, *args: Any, **kwargs: Any) -> Any:
    """A module whose parameters and buffers have no particular values.

    The random generator is left as it was, as where nothing is initialized: what is drawn later
    does not depend on the modules that were made this way.

    Args:
        module_cls: a Module class whose constructor takes `device`.
        args, kwargs: for the constructor.

    Raises:
        RuntimeError: if it is not such a class.
    """
    import inspect

    from rushlight.nn.modules.module import Module

    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    state = rushlight.get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        rushlight.set_rng_state(state)
