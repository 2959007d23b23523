"""Calls of ops with arguments that do not fit: forms from before PyTorch 1.5, and foreign classes.

The core asks here before it raises its TypeError, so that calls that fit pay nothing.
"""

from __future__ import annotations

import warnings
from typing import Any

from rushlight import _core
from rushlight.tensor import Tensor

__all__: list[str] = []

# add(2, x) for add(x, alpha=2): the ops with a factor before their operand.
_SCALED = ("add", "sub")
_WITH_VALUE = ("addcmul", "addcdiv")
# addmm(beta, alpha, a, b), as a method; as a function addmm(beta, input, alpha, a, b).
_PRODUCTS = ("addmm", "addmv", "addr", "baddbmm", "addbmm")

_warned = False


def _number(value: Any) -> Any:
    """The number that an argument is, or None."""
    if isinstance(value, (int, float, complex)):
        return value
    if isinstance(value, Tensor) and value.ndim == 0 and not value.requires_grad:
        return value.item()
    if not isinstance(value, Tensor) and getattr(value, "ndim", None) == 0:  # of NumPy
        return value.item()
    return None


def _older(name: str, arguments: tuple) -> tuple[tuple, dict[str, Any]] | None:
    """The arguments of today's form for those of an older one, or None."""
    count = len(arguments)
    if name in _SCALED and count == 3:
        factor = _number(arguments[1])
        if factor is not None and isinstance(arguments[2], Tensor):
            return (arguments[0], arguments[2]), {"alpha": factor}
    if name in _WITH_VALUE and count == 4:
        factor = _number(arguments[1])
        if factor is not None:
            return (arguments[0], *arguments[2:]), {"value": factor}
    if name in _PRODUCTS and count in (4, 5):
        values = list(arguments[:-2])
        at = 0 if isinstance(values[0], Tensor) and values[0].ndim > 0 else 1
        if at >= len(values):
            return None
        input = values.pop(at)
        factors = [_number(value) for value in values]
        if isinstance(input, Tensor) and None not in factors:
            return (input, *arguments[-2:]), dict(zip(("beta", "alpha"), factors))
    return None


def _other_form(op: Any, arguments: tuple, keywords: dict[str, Any]) -> Any:
    """The result of a call that does not fit, or NotImplemented.

    Args:
        op: what was called.
        arguments, keywords: of the call.
    """
    global _warned
    foreign = [
        value
        for value in (*arguments, *keywords.values())
        if hasattr(type(value), "__torch_function__") and not isinstance(value, Tensor)
    ]
    if foreign:
        from rushlight.overrides import _activate, handle_torch_function

        _activate()
        return handle_torch_function(op, (*arguments, *keywords.values()), *arguments, **keywords)
    name = getattr(op, "__name__", "").removesuffix("_")  # the form behind an operator has none
    found = _older(name, arguments)
    if found is None or found[1].keys() & keywords.keys():
        return NotImplemented
    if not _warned:
        _warned = True
        factors = ", ".join(f"{factor}=..." for factor in found[1])
        warnings.warn(
            f"This form of {op.__name__}, with its numbers first, is deprecated: give them by "
            f"name, as {op.__name__}(..., {factors})",
            stacklevel=2,
        )
    return op(*found[0], **found[1], **keywords)


_core.set_callbacks(other_form=_other_form)
