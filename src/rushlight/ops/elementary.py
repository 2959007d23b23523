"""Elementary functions: exponentials, logarithms, roots, trigonometric and hyperbolic functions."""

from __future__ import annotations

import math

from rushlight import _core
from rushlight.autograd.op import composed, op, synonyms
from rushlight.ops.complex import _c
from rushlight.tensor import Tensor

_LN2 = math.log(2)


@op(_core.exp, inplace=True, out=True)
def exp(input: Tensor) -> Tensor:
    """e^input, elementwise; integers give the default float dtype. Complex numbers too."""


exp.vjp(input=lambda grad, result: grad * _c(result))


@op(_core.exp2, inplace=True, out=True)
def exp2(input: Tensor) -> Tensor:
    """2^input, elementwise; integers give the default float dtype. Complex numbers too."""


exp2.vjp(input=lambda grad, result: grad * _c(result * _LN2))


@op(_core.expm1, inplace=True, out=True)
def expm1(input: Tensor) -> Tensor:
    """exp(input) - 1, accurate near 0; integers give the default float dtype."""


expm1.vjp(input=lambda grad, result: grad * _c(result + 1))


@op(_core.log, inplace=True, out=True)
def log(input: Tensor) -> Tensor:
    """The natural logarithm: -inf at 0, nan below; of complex numbers the principal value.

    Integers give the default float dtype.
    """


log.vjp(input=lambda grad, input: grad / _c(input))


@op(_core.log2, inplace=True, out=True)
def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2: -inf at 0, nan below; integers give the default float dtype."""


log2.vjp(input=lambda grad, input: grad / _c(input * _LN2))


@op(_core.log10, inplace=True, out=True)
def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10: -inf at 0, nan below; integers give the default float dtype."""


log10.vjp(input=lambda grad, input: grad / _c(input * math.log(10)))


@op(_core.log1p, inplace=True, out=True, node="Log1PBackward0")
def log1p(input: Tensor) -> Tensor:
    """log(1 + input), accurate near 0: -inf at -1, nan below.

    Integers give the default float dtype.
    """


log1p.vjp(input=lambda grad, input: grad / _c(input + 1))


@op(out=True)
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other)), without overflow; -inf where both are.

    Shapes broadcast, dtypes promote; integers give the default float dtype.
    """
    if not (input.dtype.is_complex or other.dtype.is_complex):
        return _core.logaddexp(input, other)
    larger = _core.ge(input.real, other.real)
    top = _core.where(larger, input, other)
    rest = _core.sub(_core.where(larger, other, input), top)
    return _core.where(_core.eq(input, other), _core.add(top, _LN2),
                       _core.add(top, _core.log1p(_core.exp(rest))))


logaddexp.vjp(
    input=lambda grad, input, other: grad * _c(sigmoid(input - other)),
    other=lambda grad, input, other: grad * _c(sigmoid(other - input)),
)


@composed(method=True, out=True)
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2^input + 2^other), without overflow; -inf where both are.

    Shapes broadcast, dtypes promote; integers give the default float dtype.
    """
    return logaddexp(input * _LN2, other * _LN2) / _LN2


# ---- roots and trigonometry


@op(_core.square, inplace=True, out=True, node="PowBackward0")
def square(input: Tensor) -> Tensor:
    """input * input, elementwise; bool gives int64."""


square.vjp(input=lambda grad, input: grad * (_c(input) * 2))


@op(_core.sqrt, inplace=True, out=True)
def sqrt(input: Tensor) -> Tensor:
    """The square root, elementwise: nan below 0; of complex numbers the principal one.

    Integers give the default float dtype. The derivative at 0 is inf.
    """


sqrt.vjp(input=lambda grad, result: grad / _c(result * 2))


@op(_core.rsqrt, inplace=True, out=True)
def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(input), elementwise: inf at 0, nan below; integers give the default float dtype."""


rsqrt.vjp(input=lambda grad, result: grad * _c(-0.5 * result * result * result))


@op(_core.sin, inplace=True, out=True)
def sin(input: Tensor) -> Tensor:
    """The sine of an angle in radians; integers give the default float dtype."""


sin.vjp(input=lambda grad, input: grad * _c(cos(input)))


@op(_core.cos, inplace=True, out=True)
def cos(input: Tensor) -> Tensor:
    """The cosine of an angle in radians; integers give the default float dtype."""


cos.vjp(input=lambda grad, input: grad * _c(-sin(input)))


@op(_core.tan, inplace=True, out=True)
def tan(input: Tensor) -> Tensor:
    """The tangent of an angle in radians; integers give the default float dtype."""


tan.vjp(input=lambda grad, result: grad * _c(1 + square(result)))


@op(_core.asin, inplace=True, out=True)
def asin(input: Tensor) -> Tensor:
    """The inverse of the sine, in radians from -pi/2 to pi/2; nan outside [-1, 1].

    Integers give the default float dtype. The derivative at -1 and 1 is inf.
    """


asin.vjp(input=lambda grad, input: grad * _c(rsqrt(1 - square(input))))


@op(_core.acos, inplace=True, out=True)
def acos(input: Tensor) -> Tensor:
    """The inverse of the cosine, in radians from 0 to pi; nan outside [-1, 1].

    Integers give the default float dtype. The derivative at -1 and 1 is -inf.
    """


acos.vjp(input=lambda grad, input: -grad * _c(rsqrt(1 - square(input))))


@op(_core.atan, inplace=True, out=True)
def atan(input: Tensor) -> Tensor:
    """The inverse of the tangent, in radians from -pi/2 to pi/2.

    Integers give the default float dtype; :func:`atan2` tells the quadrants apart.
    """


atan.vjp(input=lambda grad, input: grad / _c(square(input) + 1))


@op(_core.atan2, inplace=True, out=True)
def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle of the point (other, input), in radians from -pi to pi.

    Shapes broadcast; integers give the default float dtype. The derivative at the origin is 0.
    """


def _atan2_scale(input: Tensor, other: Tensor) -> Tensor:
    size = square(input) + square(other)
    return (1 / size).masked_fill(size == 0, 0.0)


atan2.vjp(
    input=lambda grad, input, other: grad * (other * _atan2_scale(input, other)),
    other=lambda grad, input, other: grad * (-input * _atan2_scale(input, other)),
)


@op(_core.sinh, inplace=True, out=True)
def sinh(input: Tensor) -> Tensor:
    """The hyperbolic sine, (e^x - e^-x) / 2; integers give the default float dtype."""


sinh.vjp(input=lambda grad, input: grad * _c(cosh(input)))


@op(_core.cosh, inplace=True, out=True)
def cosh(input: Tensor) -> Tensor:
    """The hyperbolic cosine, (e^x + e^-x) / 2; integers give the default float dtype."""


cosh.vjp(input=lambda grad, input: grad * _c(sinh(input)))


@op(_core.tanh_grad, method=False, public=False)
def tanh_backward(grad: Tensor, result: Tensor) -> Tensor:
    """grad * conj(1 - result^2): the gradient of tanh's input."""


tanh_backward.vjp(
    grad=lambda upstream, result: tanh_backward(upstream, _c(result)),
    result=lambda upstream, grad, result: _c(upstream) * (-2 * grad * _c(result)),
)


@op(_core.tanh, inplace=True, out=True)
def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent, sinh(x) / cosh(x), in [-1, 1].

    Integers give the default float dtype.
    """


tanh.vjp(input=tanh_backward)


@op(_core.asinh, inplace=True, out=True)
def asinh(input: Tensor) -> Tensor:
    """The inverse of the hyperbolic sine; integers give the default float dtype."""


asinh.vjp(input=lambda grad, input: grad * _c(rsqrt(square(input) + 1)))


@op(_core.acosh, inplace=True, out=True)
def acosh(input: Tensor) -> Tensor:
    """The inverse of the hyperbolic cosine: nan below 1; integers give the default float dtype."""


acosh.vjp(input=lambda grad, input: grad * _c(rsqrt(input - 1) * rsqrt(input + 1)))


@op(_core.atanh, inplace=True, out=True)
def atanh(input: Tensor) -> Tensor:
    """The inverse of the hyperbolic tangent: infinite at -1 and 1, nan outside.

    Integers give the default float dtype.
    """


atanh.vjp(input=lambda grad, input: grad / _c(1 - square(input)))


@op(_core.hypot, inplace=True, out=True)
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(input^2 + other^2), without overflow; the derivative at the origin is nan.

    Shapes broadcast; integers give the default float dtype.
    """


hypot.vjp(
    input=lambda grad, input, result: grad * (input / result),
    other=lambda grad, other, result: grad * (other / result),
)


@op(_core.sigmoid_grad, method=False, public=False)
def sigmoid_backward(grad: Tensor, result: Tensor) -> Tensor:
    """grad * conj(result * (1 - result)): the gradient of sigmoid's input."""


sigmoid_backward.vjp(
    grad=lambda upstream, result: sigmoid_backward(upstream, _c(result)),
    result=lambda upstream, grad, result: _c(upstream) * (grad * (1 - 2 * _c(result))),
)


@op(_core.sigmoid, inplace=True, out=True)
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input)), elementwise, in [0, 1]; integers give the default float dtype."""


sigmoid.vjp(input=sigmoid_backward)


synonyms(asin, "arcsin")
synonyms(acos, "arccos")
synonyms(atan, "arctan")
synonyms(atan2, "arctan2")
synonyms(asinh, "arcsinh")
synonyms(acosh, "arccosh")
synonyms(atanh, "arctanh")
