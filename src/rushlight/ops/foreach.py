"""`torch._foreach_*`: one op over each tensor of a list, as optimizers and averages call it.

The names are those of PyTorch's own optimizers, private and used by many others. The ops are the
ordinary ones, in a loop; a call of an op costs little beside what it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["function_of"]

_UNARY = (
    "abs", "acos", "asin", "atan", "ceil", "clone", "cos", "cosh", "erf", "erfc", "exp", "expm1",
    "floor", "frac", "lgamma", "log", "log10", "log1p", "log2", "neg", "reciprocal", "round",
    "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "max",
)  # fmt: skip
# Names of the op where it is not the one after `_foreach_`.
_BINARY = {
    "add": "add", "sub": "sub", "mul": "mul", "div": "div", "pow": "pow", "lerp": "lerp",
    "maximum": "clamp_min", "clamp_min": "clamp_min", "minimum": "clamp_max",
    "clamp_max": "clamp_max", "copy": "copy", "mm": "mm",
}  # fmt: skip


def function_of(name: str) -> Callable[..., Any] | None:
    """The function `torch._foreach_<name>`, or None if there is none."""
    inplace = name.endswith("_")
    base = name.removesuffix("_")
    if base in _UNARY and not (inplace and base in ("clone", "max")):
        function = _unary(base, inplace)
    elif base in _BINARY and (inplace or base != "copy") and not (inplace and base == "mm"):
        function = _binary(base, inplace)
    elif base in ("addcmul", "addcdiv"):
        function = _ternary(base, inplace)
    elif name == "norm":
        function = _norm
    elif name == "zero_":
        function = _zero_
    else:
        return None
    function.__name__ = function.__qualname__ = f"_foreach_{name}"
    return function


def _checked(function: str, tensors: Any, *others: Any) -> None:
    if not tensors:
        raise RuntimeError(f"_foreach_{function}: Tensor list must have at least one tensor.")
    for other in others:
        if len(other) != len(tensors):
            raise RuntimeError(
                f"_foreach_{function}: Tensor lists must have the same number of tensors, got "
                f"{len(tensors)} and {len(other)}"
            )


def _results(tensors: list[Any], inplace: bool) -> Any:
    return tensors if inplace else tuple(tensors)


def _unary(base: str, inplace: bool) -> Callable[..., Any]:
    method = getattr(Tensor, base + "_" * inplace)

    def function(self: Any) -> Any:
        _checked(base, self)
        return _results([method(tensor) for tensor in self], inplace)

    function.__doc__ = f"`{base}` of each tensor{', in place' * inplace}."
    return function


def _binary(base: str, inplace: bool) -> Callable[..., Any]:
    method = getattr(Tensor, _BINARY[base] + "_" * inplace)

    def function(self: Any, other: Any, **options: Any) -> Any:
        if isinstance(self, (int, float, complex)):  # pow(scalar, tensors)
            return tuple(rushlight.pow(self, exponent) for exponent in other)
        several = isinstance(other, (list, tuple))
        if base == "copy" and not several:
            raise TypeError(f"_foreach_copy_: takes a list of tensors, got {type(other).__name__}")
        _checked(base, self, *([other] if several else []))
        others = other if several else [other] * len(self)
        if base == "lerp" and "weight" in options:
            weights = options.pop("weight")
            if not isinstance(weights, (list, tuple)):
                weights = [weights] * len(self)
            _checked(base, self, weights)
            made = [method(x, y, w) for x, y, w in zip(self, others, weights)]
        else:
            made = [method(x, y, **options) for x, y in zip(self, others)]
        return _results(made, inplace)

    if base == "lerp":

        def lerp(self: Any, tensors1: Any, weight: Any) -> Any:
            return function(self, tensors1, weight=weight)

        lerp.__doc__ = f"`lerp` of each tensor{', in place' * inplace}."
        return lerp
    function.__doc__ = f"`{base}` of each tensor and its other value{', in place' * inplace}."
    return function


def _ternary(base: str, inplace: bool) -> Callable[..., Any]:
    method = getattr(Tensor, base + "_" * inplace)

    def function(
        self: Any, tensor1: Any, tensor2: Any, scalars: Any = None, *, value: Any = 1
    ) -> Any:
        _checked(base, self, tensor1, tensor2)
        if scalars is None:
            scalars = value
        if isinstance(scalars, Tensor) and scalars.ndim == 1:
            scalars = scalars.tolist()
        if not isinstance(scalars, (list, tuple)):
            scalars = [scalars] * len(self)
        _checked(base, self, scalars)
        made = [
            method(x, a, b, value=scale) for x, a, b, scale in zip(self, tensor1, tensor2, scalars)
        ]
        return _results(made, inplace)

    function.__doc__ = f"`{base}` of each three tensors{', in place' * inplace}."
    return function


def _norm(self: Any, ord: float = 2, dtype: Any = None) -> tuple[Tensor, ...]:
    """The norm of each tensor."""
    _checked("norm", self)
    return tuple(rushlight.linalg.vector_norm(tensor, ord, dtype=dtype) for tensor in self)


def _zero_(self: Any) -> Any:
    """Each tensor filled with 0."""
    _checked("zero_", self)
    return [tensor.zero_() for tensor in self]
