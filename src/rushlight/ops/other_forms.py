"""Calls of ops with arguments that do not fit: forms from before PyTorch 1.5, and foreign classes.

The core asks here before it raises its TypeError, so that calls that fit pay nothing. And functions
whose native form in torch takes more than that of torch.nn.functional.
"""

from __future__ import annotations

import warnings
from typing import Any

from rushlight import _core
from rushlight.ops import norm
from rushlight.tensor import Tensor

__all__ = ["group_norm", "layer_norm"]

# add(2, x) for add(x, alpha=2): the ops with a factor before their operand.
_SCALED = ("add", "sub")
_WITH_VALUE = ("addcmul", "addcdiv")
# addmm(beta, alpha, a, b), as a method; as a function addmm(beta, input, alpha, a, b).
_PRODUCTS = ("addmm", "addmv", "addr", "baddbmm", "addbmm")

# Names of arguments that are native ones in PyTorch, beside those of its documentation.
_NATIVE_NAMES = {
    "cholesky_solve": {"input2": "L"},
    "ormqr": {"input2": "tau", "input3": "other"},
    "pow": {"self": "input"},
}
# Arguments that say something to tracers.
_WITHOUT_EFFECT = {"expand": "implicit"}

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


def older_form(op: Any, *arguments: Any) -> Any:
    """The result of a function of Python in an older form; TypeError where it is none."""
    result = _other_form(op, arguments, {})
    if result is NotImplemented:
        raise TypeError(
            f"{op.__name__}(): {len(arguments)} positional arguments are too many; beta and alpha "
            "are given by name"
        )
    return result


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
    if name in _WITHOUT_EFFECT and keywords.pop(_WITHOUT_EFFECT[name], None) is not None:
        return op(*arguments, **keywords)
    native = _NATIVE_NAMES.get(name, {})
    if native.keys() & keywords.keys():
        return op(*arguments, **{native.get(key, key): value for key, value in keywords.items()})
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


def layer_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5, cudnn_enable: bool = True,
) -> Tensor:  # fmt: skip
    """:func:`rushlight.nn.functional.layer_norm`; there is no cuDNN to enable."""
    return norm.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5, cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """:func:`rushlight.nn.functional.group_norm`; there is no cuDNN to enable."""
    return norm.group_norm(input, num_groups, weight, bias, eps)


_core.set_callbacks(other_form=_other_form)
