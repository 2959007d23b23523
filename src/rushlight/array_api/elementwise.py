"""Functions of one element, or of two at the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight as rl
from rushlight.array_api.arrays import as_array, gives_arrays
from rushlight.array_api.promotion import promoted
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


def _unary(name: str, op: Callable[..., Tensor] | None = None) -> Callable[..., Any]:
    run = op or getattr(rl, name)

    def call(x: Tensor, /) -> Tensor:
        return as_array(run(x), x)

    return _named(call, name, run)


def _binary(name: str, op: Callable[..., Tensor] | None = None) -> Callable[..., Any]:
    run = op or getattr(rl, name)

    def call(x1: Any, x2: Any, /) -> Tensor:
        return as_array(run(*promoted(x1, x2)))

    return _named(call, name, run)


def _named(call: Any, name: str, op: Any) -> Callable[..., Any]:
    call.__name__ = call.__qualname__ = name
    call.__doc__ = op.__doc__
    return call


# ---- of one array


def _expm1(x: Tensor) -> Tensor:
    """exp(x) - 1 without cancellation; of complex infinities what C's exp gives."""
    if not x.dtype.is_complex:
        return rl.expm1(x)
    return rl.where(rl.isfinite(x), rl.expm1(x), rl.exp(x) - 1)


def _round(x: Tensor) -> Tensor:
    """The nearest whole number, the even one of two; of complex numbers part by part."""
    return rl.complex(rl.round(x.real), rl.round(x.imag)) if x.dtype.is_complex else rl.round(x)


def _sign(x: Tensor) -> Tensor:
    """-1, 0 or 1; x / abs(x) of complex numbers; nan of nan."""
    if x.dtype.is_complex:
        return rl.sgn(x)
    return rl.where(rl.isnan(x), x, rl.sign(x)) if x.dtype.is_floating_point else rl.sign(x)


abs = _unary("abs")
acos = _unary("acos")
acosh = _unary("acosh")
asin = _unary("asin")
asinh = _unary("asinh")
atan = _unary("atan")
atanh = _unary("atanh")
bitwise_invert = _unary("bitwise_invert", rl.bitwise_not)
ceil = _unary("ceil")
conj = _unary("conj")
cos = _unary("cos")
cosh = _unary("cosh")
exp = _unary("exp")
expm1 = _unary("expm1", _expm1)
floor = _unary("floor")
imag = _unary("imag")
isfinite = _unary("isfinite")
isinf = _unary("isinf")
isnan = _unary("isnan")
log = _unary("log")
log10 = _unary("log10")
log1p = _unary("log1p")
log2 = _unary("log2")
logical_not = _unary("logical_not")
negative = _unary("negative")
positive = _unary("positive")
real = _unary("real")
reciprocal = _unary("reciprocal")
round = _unary("round", _round)
sign = _unary("sign", _sign)
signbit = _unary("signbit")
sin = _unary("sin")
sinh = _unary("sinh")
sqrt = _unary("sqrt")
square = _unary("square")
tan = _unary("tan")
tanh = _unary("tanh")
trunc = _unary("trunc")


# ---- of two arrays, or an array and a number


def _floor_divide(x1: Tensor, x2: Tensor) -> Tensor:
    """x1 / x2, rounded down; with infinities what rounding the quotient gives."""
    rounded = rl.floor_divide(x1.detach(), x2.detach())  # flat, and floor() below says so
    if not rounded.dtype.is_floating_point:
        return rounded
    return rl.where(rl.isfinite(x1) & rl.isfinite(x2), rounded, rl.floor(x1 / x2))


def _remainder(x1: Tensor, x2: Tensor) -> Tensor:
    """What is left of x1 after division by x2, with the sign of x2, also where it is 0."""
    left = rl.remainder(x1, x2)
    if not left.dtype.is_floating_point:
        return left
    # The bracket is 0 in value: it brings the gradient, and leaves the sign of the zero.
    zero = rl.copysign(rl.zeros_like(left), x2.detach()) - (left.detach() - left)
    return rl.where(left == 0, zero, left)


add = _binary("add")
atan2 = _binary("atan2")
bitwise_and = _binary("bitwise_and")
bitwise_left_shift = _binary("bitwise_left_shift")
bitwise_or = _binary("bitwise_or")
bitwise_right_shift = _binary("bitwise_right_shift")
bitwise_xor = _binary("bitwise_xor")
copysign = _binary("copysign")
divide = _binary("divide")
equal = _binary("equal", rl.eq)
floor_divide = _binary("floor_divide", _floor_divide)
greater = _binary("greater", rl.gt)
greater_equal = _binary("greater_equal", rl.ge)
hypot = _binary("hypot")
less = _binary("less", rl.lt)
less_equal = _binary("less_equal", rl.le)
logaddexp = _binary("logaddexp")
logical_and = _binary("logical_and")
logical_or = _binary("logical_or")
logical_xor = _binary("logical_xor")
maximum = _binary("maximum")
minimum = _binary("minimum")
multiply = _binary("multiply")
nextafter = _binary("nextafter")
not_equal = _binary("not_equal", rl.ne)
pow = _binary("pow")
remainder = _binary("remainder", _remainder)
subtract = _binary("subtract")


@gives_arrays
def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """x, but at least min and at most max: numbers or arrays."""
    if min is None and max is None:
        return x.clone()
    if min is not None:
        x = rl.maximum(*promoted(x, min))
    return x if max is None else rl.minimum(*promoted(x, max))
