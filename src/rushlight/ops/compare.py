"""Comparisons, logic on truth values and on bits, and tests for special values."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op, synonyms
from rushlight.tensor import Tensor

_INF = float("inf")


@op(_core.eq, inplace=True, out=True)
def eq(input: Tensor, other: Any) -> Tensor:
    """input == other, elementwise, as bool; nan equals nothing.

    Shapes broadcast, dtypes promote.
    """


@op(_core.ne, inplace=True, out=True)
def ne(input: Tensor, other: Any) -> Tensor:
    """input != other, elementwise, as bool; nan differs from all.

    Shapes broadcast, dtypes promote.
    """


@op(_core.lt, inplace=True, out=True)
def lt(input: Tensor, other: Any) -> Tensor:
    """input < other, elementwise, as bool. Shapes broadcast, dtypes promote.

    False where one is nan. Raises NotImplementedError for complex numbers.
    """


@op(_core.le, inplace=True, out=True)
def le(input: Tensor, other: Any) -> Tensor:
    """input <= other, elementwise, as bool. Shapes broadcast, dtypes promote.

    False where one is nan. Raises NotImplementedError for complex numbers.
    """


@op(_core.gt, inplace=True, out=True)
def gt(input: Tensor, other: Any) -> Tensor:
    """input > other, elementwise, as bool. Shapes broadcast, dtypes promote.

    False where one is nan. Raises NotImplementedError for complex numbers.
    """


@op(_core.ge, inplace=True, out=True)
def ge(input: Tensor, other: Any) -> Tensor:
    """input >= other, elementwise, as bool. Shapes broadcast, dtypes promote.

    False where one is nan. Raises NotImplementedError for complex numbers.
    """


@op(_core.logical_and, inplace=True, out=True)
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Whether both are not 0, as bool, for any dtypes; nan is not 0. Shapes broadcast."""


@op(_core.logical_or, inplace=True, out=True)
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Whether one is not 0, as bool, for any dtypes; nan is not 0. Shapes broadcast."""


@op(_core.logical_xor, inplace=True, out=True)
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Whether exactly one is not 0, as bool, for any dtypes; nan is not 0. Shapes broadcast."""


@op(_core.logical_not, inplace=True, out=True)
def logical_not(input: Tensor) -> Tensor:
    """Whether it is 0, as bool, for any dtype; nan is not 0."""


@op(_core.bitwise_and, inplace=True, out=True)
def bitwise_and(input: Any, other: Any) -> Tensor:
    """The bits that both have; of bool, "and". Shapes broadcast, dtypes promote.

    Raises NotImplementedError for what is neither integer nor bool.
    """


@op(_core.bitwise_or, inplace=True, out=True)
def bitwise_or(input: Any, other: Any) -> Tensor:
    """The bits that one has; of bool, "or". Shapes broadcast, dtypes promote.

    Raises NotImplementedError for what is neither integer nor bool.
    """


@op(_core.bitwise_xor, inplace=True, out=True)
def bitwise_xor(input: Any, other: Any) -> Tensor:
    """The bits that exactly one has; of bool, "exclusive or". Shapes broadcast, dtypes promote.

    Raises NotImplementedError for what is neither integer nor bool.
    """


@op(_core.bitwise_not, inplace=True, out="exact")
def bitwise_not(input: Tensor) -> Tensor:
    """The bits that it has not: -input - 1; of bool, "not".

    Raises NotImplementedError for what is neither integer nor bool.
    """


@op(_core.bitwise_left_shift, inplace=True, out=True)
def bitwise_left_shift(input: Any, other: Any) -> Tensor:
    """input * 2^other, by shifting bits; 0 where `other` is negative or too large.

    Shapes broadcast, dtypes promote. Raises NotImplementedError for what is no integer.
    """


@op(_core.bitwise_right_shift, inplace=True, out=True)
def bitwise_right_shift(input: Any, other: Any) -> Tensor:
    """input / 2^other, rounded down: the sign is kept. Shapes broadcast, dtypes promote.

    Raises NotImplementedError for what is no integer.
    """


@op(_core.isnan)
def isnan(input: Tensor) -> Tensor:
    """Whether it is not a number, as bool.

    Of complex numbers, whether one of their parts is not.
    """


@op(_core.isinf)
def isinf(input: Tensor) -> Tensor:
    """Whether it is infinite, as bool; of complex numbers, whether one of their parts is."""


@op(_core.isfinite)
def isfinite(input: Tensor) -> Tensor:
    """Whether it is neither infinite nor nan, as bool; True for all integers."""


@op(_core.signbit, out="exact")
def signbit(input: Tensor) -> Tensor:
    """Whether the sign is minus, of -0.0 too, as bool.

    Raises NotImplementedError for complex numbers.
    """


@op(out="exact")
def isposinf(input: Tensor) -> Tensor:
    """Whether it is infinite and positive, as bool. Raises RuntimeError for complex numbers."""
    _refuse_complex("isposinf", input)
    return _core.eq(input, _INF) if input.dtype.is_floating_point else _all_false(input)


@op(out="exact")
def isneginf(input: Tensor) -> Tensor:
    """Whether it is infinite and negative, as bool. Raises RuntimeError for complex numbers."""
    _refuse_complex("isneginf", input)
    return _core.eq(input, -_INF) if input.dtype.is_floating_point else _all_false(input)


def _refuse_complex(name: str, input: Tensor) -> None:
    if input.dtype.is_complex:
        raise RuntimeError(f"{name} does not support complex inputs, but got {input.dtype}")


def _all_false(input: Tensor) -> Tensor:
    return _core.full(input.shape, False, _core.bool, input)


@composed(method=True)
def isreal(input: Tensor) -> Tensor:
    """Whether the imaginary part is 0, as bool: everywhere, for real dtypes."""
    if input.dtype.is_complex:
        return eq(input.detach().imag, 0)
    return _core.full(input.shape, True, _core.bool, input)


# ---- whole tensors


@op()
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Whether |input - other| <= atol + rtol * |other|, elementwise; infinities only to themselves.

    nan is close to nan only with `equal_nan`. Shapes broadcast. Raises RuntimeError where the
    dtypes differ or a tolerance is negative.
    """
    if input.dtype is not other.dtype:
        raise RuntimeError(f"isclose: {input.dtype} did not match {other.dtype}")
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol and atol must be at least 0, but got {rtol} and {atol}")
    inexact = input.dtype.is_floating_point or input.dtype.is_complex
    close = _core.eq(input, other)
    if equal_nan and inexact:
        both = _core.logical_and(_core.isnan(input), _core.isnan(other))
        close = _core.logical_or(close, both)
    if rtol == 0 and atol == 0:
        return close
    if not inexact:
        other = _core.to_dtype(other, _core.get_default_dtype())
    distance = _core.abs(_core.sub(input, other))
    allowed = _core.add(_core.abs(_core.mul(other, rtol)), atol)
    if input.dtype.is_complex:
        distance, allowed = (_core.to_dtype(x, input.dtype.to_real()) for x in (distance, allowed))
    near = _core.logical_and(_core.isfinite(distance), _core.le(distance, allowed))
    return _core.logical_or(close, near)


@composed(method=True)
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, as :func:`isclose` has it: a bool of Python."""
    return isclose(input, other, rtol, atol, equal_nan).all().item()


@op(_core.equal)
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and values are the same: a bool of Python. nan is not the same as nan.

    The dtypes may differ.
    """


@composed(method=True)
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether the shapes are the same: a bool of Python."""
    return input.shape == other.shape


synonyms(gt, "greater")
synonyms(ge, "greater_equal")
synonyms(lt, "less")
synonyms(le, "less_equal")
synonyms(ne, "not_equal")
