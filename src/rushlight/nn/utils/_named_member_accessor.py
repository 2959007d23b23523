"""Exchanging a parameter, buffer or attribute of a module for another tensor."""

from __future__ import annotations

from typing import Any

from rushlight.nn.modules.module import Module
from rushlight.tensor import Tensor

__all__ = ["swap_tensor"]


def swap_tensor(module: Module, name: str, tensor: Any, allow_missing: bool = False) -> Any:
    """Puts a tensor, or None, in the place of a module's own; returns what was there.

    Args:
        module: the module itself, not one in it.
        name: of a parameter, buffer or attribute, without ".".
        tensor: what to put there.
        allow_missing: there may be nothing of this name yet.

    Raises KeyError for a path, AttributeError for a name that is not there, TypeError for what is
    no tensor.
    """
    if not isinstance(module, Module):
        raise TypeError(f"{module} is not an instance of torch.nn.Module")
    if tensor is not None and not isinstance(tensor, Tensor):
        raise TypeError(f"{tensor} is not an instance of torch.Tensor")
    if not name or "." in name:
        raise KeyError(f"swap_tensor: {name!r} is not the name of one tensor of the module itself")
    places: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
    for place in places:
        if name in place:
            found = place[name]
            place[name] = tensor
            return found
    if not hasattr(module, name) and not allow_missing:
        raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
    found = getattr(module, name, None)
    if found is not None and not isinstance(found, Tensor):
        raise TypeError(f"attribute `{name}`: {found} is not an instance of torch.Tensor")
    setattr(module, name, tensor)
    return found
