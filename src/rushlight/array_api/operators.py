"""Python's operators on Array: the functions of the namespace, so promotion is the standard's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight as rl
from rushlight.array_api import elementwise, indexing, linalg
from rushlight.array_api.arrays import Array, as_array
from rushlight.array_api.promotion import same_dtype
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

_UNARY = {
    "abs": elementwise.abs,
    "invert": elementwise.bitwise_invert,
    "neg": elementwise.negative,
    "pos": elementwise.positive,
}
_COMPARISONS = {
    "eq": elementwise.equal,
    "ge": elementwise.greater_equal,
    "gt": elementwise.greater,
    "le": elementwise.less_equal,
    "lt": elementwise.less,
    "ne": elementwise.not_equal,
}
_ARITHMETIC = {
    "add": elementwise.add,
    "and": elementwise.bitwise_and,
    "floordiv": elementwise.floor_divide,
    "lshift": elementwise.bitwise_left_shift,
    "matmul": linalg.matmul,
    "mod": elementwise.remainder,
    "mul": elementwise.multiply,
    "or": elementwise.bitwise_or,
    "pow": elementwise.pow,
    "rshift": elementwise.bitwise_right_shift,
    "sub": elementwise.subtract,
    "truediv": elementwise.divide,
    "xor": elementwise.bitwise_xor,
}

# Their values are not those of Tensor's operators, whatever the operand.
_OWN_VALUES = (elementwise.floor_divide, elementwise.remainder)


def _attach(name: str, function: Callable[..., Any]) -> None:
    function.__name__, function.__qualname__ = name, f"Array.{name}"
    function.__doc__ = getattr(Tensor, name, function).__doc__
    setattr(Array, name, function)


def _operator(name: str, function: Callable[..., Any], turned: bool = False) -> None:
    inherited = getattr(Tensor, name, None)
    operands = (Tensor, int, float, complex) if function in _OWN_VALUES else (Tensor,)

    def call(self: Any, other: Any, /) -> Any:
        if isinstance(other, operands):
            return function(other, self) if turned else function(self, other)
        # Numbers give way in PyTorch too. With arrays of other libraries Tensor knows what to do.
        return NotImplemented if inherited is None else as_array(inherited(self, other), self)

    _attach(name, call)


def _in_place(name: str, function: Callable[..., Any]) -> None:
    """The result written to the left operand, whose dtype and shape stay."""
    inherited = None if function in _OWN_VALUES else getattr(Tensor, name, None)

    def call(self: Any, other: Any, /) -> Any:
        if inherited is not None:
            if isinstance(other, Tensor):
                _, other = same_dtype(self, other)
            return inherited(self, other)
        result = function(self.clone() if self.requires_grad else self, other)
        if result.shape != self.shape or not rl.can_cast(result.dtype, self.dtype):
            raise RuntimeError(
                f"{name}: the result, {result.dtype} of shape {tuple(result.shape)}, cannot be "
                f"written to an array, {self.dtype} of shape {tuple(self.shape)}"
            )
        return self.copy_(result)

    _attach(name, call)


def _unary(name: str, function: Callable[..., Any]) -> None:
    def call(self: Any, /) -> Any:
        return function(self)

    _attach(name, call)


for _name, _function in _UNARY.items():
    _unary(f"__{_name}__", _function)
for _name, _function in _COMPARISONS.items():
    _operator(f"__{_name}__", _function)
for _name, _function in _ARITHMETIC.items():
    _operator(f"__{_name}__", _function)
    _operator(f"__r{_name}__", _function, turned=True)
    _in_place(f"__i{_name}__", _function)
Array.__getitem__ = indexing.getitem
Array.__setitem__ = indexing.setitem
