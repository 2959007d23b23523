"""Python's operators on tensors are ops: `x + y`, `2 ** x`, `x -= y`, `~x` and their kin."""

from __future__ import annotations

from typing import Any

from rushlight.ops.compare import (
    bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, eq,
    ge, gt, le, lt, ne,
)  # fmt: skip
from rushlight.ops.pointwise import (
    abs, add, div, floor_divide, mul, neg, positive, pow, reciprocal, remainder, rsub, sub,
)  # fmt: skip
from rushlight.tensor import Tensor

__all__: list[str] = []

_op: Any
for _name, _op in {
    "add": add,
    "sub": sub,
    "mul": mul,
    "truediv": div,
    "floordiv": floor_divide,
    "mod": remainder,
    "pow": pow,
    "and": bitwise_and,
    "or": bitwise_or,
    "xor": bitwise_xor,
    "lshift": bitwise_left_shift,
    "rshift": bitwise_right_shift,
    "eq": eq,
    "ne": ne,
    "lt": lt,
    "le": le,
    "gt": gt,
    "ge": ge,
}.items():
    setattr(Tensor, f"__{_name}__", _op.operator_form().method())
    if _name not in ("eq", "ne", "lt", "le", "gt", "ge"):
        setattr(Tensor, f"__i{_name}__", _op.inplace_form().operator_form().method())
        setattr(
            Tensor,
            f"__r{_name}__",
            _op.operator_form().method()
            if _name in ("add", "mul", "and", "or", "xor")
            else (lambda op: lambda self, other: op(other, self))(_op.operator_form()),
        )


def _equals_array(self: Tensor, other: Any) -> Any:
    """`tensor == array`, which PyTorch compares element by element, unlike other comparisons."""
    if not hasattr(other, "__array_interface__"):
        return NotImplemented
    from rushlight.ops.create import as_tensor

    return eq(self, as_tensor(other))


Tensor.__eq__.foreign = _equals_array  # type: ignore[attr-defined]
Tensor.__rsub__ = rsub.operator_form().method()
Tensor.__rtruediv__ = lambda self, other: reciprocal(self) * other
Tensor.__neg__ = neg.method()
Tensor.__pos__ = positive
Tensor.__abs__ = abs.method()
Tensor.__invert__ = bitwise_not.method()
Tensor.__div__ = Tensor.__truediv__
Tensor.__rdiv__ = Tensor.__rtruediv__
Tensor.__idiv__ = Tensor.__itruediv__
