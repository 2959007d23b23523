"""Arithmetic and elementwise functions, each with its derivative beside it."""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.tensor import Tensor


def _c(value: Any) -> Any:
    """The conjugate where there is one: gradients of complex functions need it."""
    if isinstance(value, Tensor):
        return conj(value) if value.dtype.is_complex else value
    return value.conjugate() if isinstance(value, complex) else value


# ---- arithmetic


@op(_core.add_scaled, inplace=True, out=True)
def add(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """input + alpha * other."""


add.vjp(
    input=lambda grad: grad,
    other=lambda grad, alpha: grad if alpha == 1 else grad * _c(alpha),
)


@op(_core.sub_scaled, inplace=True, out=True)
def sub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """input - alpha * other."""


sub.vjp(
    input=lambda grad: grad,
    other=lambda grad, alpha: neg(grad) if alpha == 1 else grad * _c(-alpha),
)


@composed(method=True)
def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """other - alpha * input."""
    return sub(other, input, alpha=alpha)


@op(_core.mul, inplace=True, out=True)
def mul(input: Tensor, other: Any) -> Tensor:
    """input * other."""


mul.vjp(
    input=lambda grad, other: grad * _c(other),
    other=lambda grad, input: grad * _c(input),
)


@op(_core.div_rounded, inplace=True, out=True)
def div(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; with `rounding_mode` "floor" or "trunc" the quotient is rounded."""


div.vjp(
    input=lambda grad, other, rounding_mode: (
        grad / _c(other) if rounding_mode is None else grad * 0
    ),
    other=lambda grad, input, other, rounding_mode: (
        -grad * _c((input / other) / other) if rounding_mode is None else grad * 0
    ),
)


@op(_core.floor_divide, inplace=True, out=True)
def floor_divide(input: Tensor, other: Any) -> Tensor:
    """The quotient rounded towards negative infinity."""


@op(_core.remainder, inplace=True, out=True)
def remainder(input: Tensor, other: Any) -> Tensor:
    """What is left of a division, with the sign of the divisor, as Python's %."""


remainder.vjp(
    input=lambda grad: grad,
    other=lambda grad, input, other: -grad * floor_divide(input, other),
)


@op(_core.fmod, inplace=True, out=True)
def fmod(input: Tensor, other: Any) -> Tensor:
    """What is left of a division, with the sign of the dividend, as C's fmod."""


fmod.vjp(
    input=lambda grad: grad,
    other=lambda grad, input, other: -grad * div(input, other, rounding_mode="trunc"),
)


def _pow_gradient(grad: Tensor, input: Tensor, exponent: Any) -> Tensor:
    if not isinstance(exponent, Tensor):
        if exponent == 0:
            return grad * 0
        return grad * _c(exponent * pow(input, exponent - 1))
    return grad * where(exponent == 0, 0.0, _c(exponent * pow(input, exponent - 1)))


def _pow_exponent_gradient(grad: Tensor, input: Any, exponent: Tensor, result: Tensor) -> Tensor:
    if not isinstance(input, Tensor):
        if input == 0:
            return where(exponent >= 0, 0.0, grad * (result * -math.inf))
        base = input if isinstance(input, complex) or input > 0 else complex(input)
        import cmath

        scale = cmath.log(base)
        return grad * _c(result * (scale if isinstance(base, complex) else scale.real))
    zero = input == 0 if input.dtype.is_complex else (input == 0) & (exponent >= 0)
    return grad * where(zero, 0.0, _c(result * log(input)))


@op(_core.pow, inplace=True, out=True)
def pow(input: Any, exponent: Any) -> Tensor:
    """input to the power of `exponent`."""


pow.vjp(input=_pow_gradient, exponent=_pow_exponent_gradient)


@op(_core.neg, inplace=True, out=True)
def neg(input: Tensor) -> Tensor:
    """-input."""


neg.vjp(input=lambda grad: neg(grad))


@op(inplace=True, out=True)
def abs(input: Tensor) -> Tensor:
    """The absolute value; of complex numbers the modulus, real."""
    return _core.to_dtype(_core.abs(input), input.dtype.to_real())


abs.vjp(input=lambda grad, input: grad * sgn(input))


@op(_core.sign, inplace=True, out=True)
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1."""


sign.vjp(input=lambda grad: grad * 0)


@op(_core.sgn, inplace=True, out=True)
def sgn(input: Tensor) -> Tensor:
    """input / |input|, 0 at 0."""


def _sgn_gradient(grad: Tensor, input: Tensor) -> Tensor:
    if not input.dtype.is_complex:
        return grad * 0
    # d(z/|z|): what is orthogonal to z, over |z|
    unit = sgn(input)
    size = abs(input)
    part = (grad - real(_c(unit) * grad) * unit) / size
    return where(size == 0, 0.0, part)


sgn.vjp(input=_sgn_gradient)


@op(_core.square, inplace=True, out=True, node="PowBackward0")
def square(input: Tensor) -> Tensor:
    """input * input."""


square.vjp(input=lambda grad, input: grad * (_c(input) * 2))


@op(_core.reciprocal, inplace=True, out=True)
def reciprocal(input: Tensor) -> Tensor:
    """1 / input."""


reciprocal.vjp(input=lambda grad, result: -grad * _c(result * result))


@op(_core.conj_physical, inplace=True, out=True)
def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate."""


conj_physical.vjp(input=lambda grad: conj_physical(grad))


@composed(method=True)
def conj(input: Tensor) -> Tensor:
    """The complex conjugate; a real tensor is returned as it is."""
    return conj_physical(input) if input.dtype.is_complex else input


@op(out=True)
def angle(input: Tensor) -> Tensor:
    """The angle of a complex number in radians; pi for negative reals."""
    result = _core.angle(input)
    return _core.to_dtype(result, result.dtype.to_real())


def _angle_gradient(grad: Tensor, input: Tensor) -> Tensor:
    if not input.dtype.is_complex:
        return grad * 0
    size = square(abs(input))
    return where(size == 0, 0.0, grad * 1j * input / size)


angle.vjp(input=_angle_gradient)


@composed(method=True)
def real(input: Tensor) -> Tensor:
    """The real part (a copy for complex tensors)."""
    return _real_part(input) if input.dtype.is_complex else input


@op(method=False, public=False, node="RealBackward0")
def _real_part(input: Tensor) -> Tensor:
    return _core.to_dtype(input, input.dtype.to_real())


_real_part.vjp(input=lambda grad: grad)


@op(method=False, public=False, node="ImagBackward0")
def _imag_part(input: Tensor) -> Tensor:
    return _core.to_dtype(_core.imag_part(input), input.dtype.to_real())


_imag_part.vjp(input=lambda grad: grad * 1j)


@composed(method=True)
def imag(input: Tensor) -> Tensor:
    """The imaginary part (a copy)."""
    if not input.dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return _imag_part(input)


# ---- exponentials and logarithms


@op(_core.exp, inplace=True, out=True)
def exp(input: Tensor) -> Tensor:
    """e to the power of input."""


exp.vjp(input=lambda grad, result: grad * _c(result))


@op(_core.exp2, inplace=True, out=True)
def exp2(input: Tensor) -> Tensor:
    """2 to the power of input."""


exp2.vjp(input=lambda grad, result: grad * _c(result * math.log(2)))


@op(_core.expm1, inplace=True, out=True)
def expm1(input: Tensor) -> Tensor:
    """exp(input) - 1, accurate near 0."""


expm1.vjp(input=lambda grad, result: grad * _c(result + 1))


@op(_core.log, inplace=True, out=True)
def log(input: Tensor) -> Tensor:
    """The natural logarithm."""


log.vjp(input=lambda grad, input: grad / _c(input))


@op(_core.log2, inplace=True, out=True)
def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2."""


log2.vjp(input=lambda grad, input: grad / _c(input * math.log(2)))


@op(_core.log10, inplace=True, out=True)
def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10."""


log10.vjp(input=lambda grad, input: grad / _c(input * math.log(10)))


@op(_core.log1p, inplace=True, out=True)
def log1p(input: Tensor) -> Tensor:
    """log(1 + input), accurate near 0."""


log1p.vjp(input=lambda grad, input: grad / _c(input + 1))


@op(_core.logaddexp, out=True)
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other)), without overflow."""


logaddexp.vjp(
    input=lambda grad, other, result, input: grad * exp(input - result),
    other=lambda grad, other, result, input: grad * exp(other - result),
)


@op(_core.xlogy, inplace=True, out=True)
def xlogy(input: Any, other: Any) -> Tensor:
    """input * log(other), 0 where input is 0 (unless other is nan)."""


xlogy.vjp(
    input=lambda grad, input, other: grad * where((input == 0) & (other <= 0), 0.0, _log(other)),
    other=lambda grad, input, other: grad * input / other,
)


def _log(value: Any) -> Any:
    return log(value) if isinstance(value, Tensor) else math.log(value) if value > 0 else -math.inf


# ---- roots and trigonometry


@op(_core.sqrt, inplace=True, out=True)
def sqrt(input: Tensor) -> Tensor:
    """The square root."""


sqrt.vjp(input=lambda grad, result: grad / _c(result * 2))


@op(_core.rsqrt, inplace=True, out=True)
def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(input)."""


rsqrt.vjp(input=lambda grad, result: grad * _c(-0.5 * pow(result, 3)))


@op(_core.sin, inplace=True, out=True)
def sin(input: Tensor) -> Tensor:
    """The sine of radians."""


sin.vjp(input=lambda grad, input: grad * _c(cos(input)))


@op(_core.cos, inplace=True, out=True)
def cos(input: Tensor) -> Tensor:
    """The cosine of radians."""


cos.vjp(input=lambda grad, input: grad * _c(-sin(input)))


@op(_core.tan, inplace=True, out=True)
def tan(input: Tensor) -> Tensor:
    """The tangent of radians."""


tan.vjp(input=lambda grad, result: grad * _c(1 + square(result)))


@op(_core.asin, inplace=True, out=True)
def asin(input: Tensor) -> Tensor:
    """The inverse of the sine, in radians."""


asin.vjp(input=lambda grad, input: grad * _c(rsqrt(1 - square(input))))


@op(_core.acos, inplace=True, out=True)
def acos(input: Tensor) -> Tensor:
    """The inverse of the cosine, in radians."""


acos.vjp(input=lambda grad, input: -grad * _c(rsqrt(1 - square(input))))


@op(_core.atan, inplace=True, out=True)
def atan(input: Tensor) -> Tensor:
    """The inverse of the tangent, in radians."""


atan.vjp(input=lambda grad, input: grad / _c(square(input) + 1))


@op(_core.atan2, inplace=True, out=True)
def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle of the point (other, input), in radians from -pi to pi."""


def _atan2_scale(input: Tensor, other: Tensor) -> Tensor:
    size = square(input) + square(other)
    return where(size == 0, 0.0, 1 / size)


atan2.vjp(
    input=lambda grad, input, other: grad * (other * _atan2_scale(input, other)),
    other=lambda grad, input, other: grad * (-input * _atan2_scale(input, other)),
)


@op(_core.sinh, inplace=True, out=True)
def sinh(input: Tensor) -> Tensor:
    """The hyperbolic sine."""


sinh.vjp(input=lambda grad, input: grad * _c(cosh(input)))


@op(_core.cosh, inplace=True, out=True)
def cosh(input: Tensor) -> Tensor:
    """The hyperbolic cosine."""


cosh.vjp(input=lambda grad, input: grad * _c(sinh(input)))


@op(_core.tanh_grad, method=False, public=False)
def tanh_backward(grad_output: Tensor, output: Tensor) -> Tensor:
    """grad_output * (1 - output^2): the derivative of tanh from its result."""


tanh_backward.vjp(
    grad_output=lambda grad, output: tanh_backward(grad, output),
    output=lambda grad, grad_output, output: grad * (-2 * grad_output * output),
)


@op(_core.tanh, inplace=True, out=True)
def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""


tanh.vjp(
    input=lambda grad, result: (
        grad * _c(1 - square(result)) if result.dtype.is_complex else tanh_backward(grad, result)
    )
)


@op(_core.asinh, inplace=True, out=True)
def asinh(input: Tensor) -> Tensor:
    """The inverse of the hyperbolic sine."""


asinh.vjp(input=lambda grad, input: grad * _c(rsqrt(square(input) + 1)))


@op(_core.acosh, inplace=True, out=True)
def acosh(input: Tensor) -> Tensor:
    """The inverse of the hyperbolic cosine."""


acosh.vjp(input=lambda grad, input: grad * _c(rsqrt(input - 1) * rsqrt(input + 1)))


@op(_core.atanh, inplace=True, out=True)
def atanh(input: Tensor) -> Tensor:
    """The inverse of the hyperbolic tangent."""


atanh.vjp(input=lambda grad, input: grad / _c(1 - square(input)))


@op(_core.hypot, inplace=True, out=True)
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(input^2 + other^2), without overflow."""


hypot.vjp(
    input=lambda grad, input, result: grad * (input / result),
    other=lambda grad, other, result: grad * (other / result),
)


@op(_core.sigmoid_grad, method=False, public=False)
def sigmoid_backward(grad_output: Tensor, output: Tensor) -> Tensor:
    """grad_output * output * (1 - output): the derivative of sigmoid from its result."""


sigmoid_backward.vjp(
    grad_output=lambda grad, output: sigmoid_backward(grad, output),
    output=lambda grad, grad_output, output: grad * (grad_output * (1 - 2 * output)),
)


@op(_core.sigmoid, inplace=True, out=True)
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input))."""


sigmoid.vjp(
    input=lambda grad, result: (
        grad * _c(result * (1 - result))
        if result.dtype.is_complex
        else sigmoid_backward(grad, result)
    )
)

# ---- rounding: the derivative is 0 wherever it exists


@op(_core.floor, inplace=True, out=True)
def floor(input: Tensor) -> Tensor:
    """The largest integer not above."""


floor.vjp(input=lambda grad: grad * 0)


@op(_core.ceil, inplace=True, out=True)
def ceil(input: Tensor) -> Tensor:
    """The smallest integer not below."""


ceil.vjp(input=lambda grad: grad * 0)


@op(_core.trunc, inplace=True, out=True)
def trunc(input: Tensor) -> Tensor:
    """The integer part."""


trunc.vjp(input=lambda grad: grad * 0)


@op(inplace=True, out=True)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest integer, halves to even; or the nearest multiple of 10^-decimals."""
    if decimals == 0:
        return _core.round(input)
    if decimals > 0:
        return _core.div(_core.round(_core.mul(input, 10.0**decimals)), 10.0**decimals)
    return _core.mul(_core.round(_core.div(input, 10.0**-decimals)), 10.0**-decimals)


round.vjp(input=lambda grad: grad * 0)


@op(inplace=True, out=True)
def frac(input: Tensor) -> Tensor:
    """What is left without the integer part."""
    return _core.sub(input, _core.trunc(input))


frac.vjp(input=lambda grad: grad)

# ---- special functions

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


@op(_core.erf, inplace=True, out=True)
def erf(input: Tensor) -> Tensor:
    """The error function."""


erf.vjp(input=lambda grad, input: grad * (_TWO_OVER_SQRT_PI * exp(-square(input))))


@op(_core.erfc, inplace=True, out=True)
def erfc(input: Tensor) -> Tensor:
    """1 - erf(input), accurate where that is small."""


erfc.vjp(input=lambda grad, input: grad * (-_TWO_OVER_SQRT_PI * exp(-square(input))))


@op(_core.erfinv, inplace=True, out=True)
def erfinv(input: Tensor) -> Tensor:
    """The inverse of erf."""


erfinv.vjp(input=lambda grad, result: grad * (exp(square(result)) / _TWO_OVER_SQRT_PI))


@op(_core.lgamma, inplace=True, out=True)
def lgamma(input: Tensor) -> Tensor:
    """The logarithm of |gamma(input)|."""


lgamma.vjp(input=lambda grad, input: grad * digamma(input))


@op(_core.digamma, inplace=True, out=True)
def digamma(input: Tensor) -> Tensor:
    """The derivative of lgamma."""


# ---- choosing


@op(_core.maximum, out=True)
def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The larger of each pair; nan if one is. Equal values share the gradient."""


maximum.vjp(
    input=lambda grad, input, other: where(
        input < other, 0.0, where(input == other, grad / 2, grad)
    ),
    other=lambda grad, input, other: where(
        other < input, 0.0, where(input == other, grad / 2, grad)
    ),
)


@op(_core.minimum, out=True)
def minimum(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of each pair; nan if one is. Equal values share the gradient."""


minimum.vjp(
    input=lambda grad, input, other: where(
        input > other, 0.0, where(input == other, grad / 2, grad)
    ),
    other=lambda grad, input, other: where(
        other > input, 0.0, where(input == other, grad / 2, grad)
    ),
)


@op(_core.fmax, out=True)
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of each pair; a nan loses."""


fmax.vjp(
    input=lambda grad, input, other: where((input >= other) | isnan(other), grad, 0.0),
    other=lambda grad, input, other: where((input >= other) | isnan(other), 0.0, grad),
)


@op(_core.fmin, out=True)
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of each pair; a nan loses."""


fmin.vjp(
    input=lambda grad, input, other: where((input <= other) | isnan(other), grad, 0.0),
    other=lambda grad, input, other: where((input <= other) | isnan(other), 0.0, grad),
)


def _clamp_gradient(grad: Tensor, input: Tensor, min: Any, max: Any) -> Tensor:
    if min is not None:
        grad = where(input >= min, grad, 0.0)
    if max is not None:
        grad = where(input <= max, grad, 0.0)
    return grad


@op(inplace=True, out=True)
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """The values, moved to the nearer end where they lie outside [min, max]."""
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    result = input
    if min is not None:
        result = _core.maximum(result, min)
    return result if max is None else _core.minimum(result, max)


clamp.vjp(
    input=_clamp_gradient,
    min=lambda grad, input, min, max: where(
        (input < min) if max is None else (input < min) & (min < max), grad, 0.0
    ),
    max=lambda grad, input, min, max: where(
        (input > max) if min is None else (input > max) | (max < min), grad, 0.0
    ),
)


@composed(method=True)
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """clamp with a lower end alone."""
    return clamp(input, min)


@composed(method=True)
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """clamp with an upper end alone."""
    return clamp(input, None, max)


@op(_core.where, method=False)
def _where(condition: Tensor, input: Any, other: Any) -> Tensor:
    """input where the condition holds, else other."""


_where.vjp(
    input=lambda grad, condition: _where(condition, grad, 0),
    other=lambda grad, condition: _where(condition, 0, grad),
)


@composed()
def where(condition: Tensor, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """`input` where the condition holds, else `other`; alone, the indices where it holds."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if condition.dtype is not _core.bool:
        if condition.dtype is not _core.uint8:
            raise RuntimeError(
                f"where expected condition to be a boolean tensor, but got {condition.dtype}"
            )
        condition = condition.bool()
    result = _where(condition, input, other)
    return result if out is None else out.copy_(result)


Tensor.where = lambda self, condition, other: where(condition, self, other)


@op(_core.lerp, inplace=True, out=True)
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight * (end - input)."""


lerp.vjp(
    input=lambda grad, weight: grad * _c(1 - weight),
    end=lambda grad, weight: grad * _c(weight),
    weight=lambda grad, input, end: grad * _c(end - input),
)


@op(inplace=True, out=True)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""
    product = _core.mul(tensor1, tensor2)
    return _core.add(input, product if value == 1 else _core.mul(product, value))


addcmul.vjp(
    input=lambda grad: grad,
    tensor1=lambda grad, tensor2, value: grad * _c(tensor2 * value),
    tensor2=lambda grad, tensor1, value: grad * _c(tensor1 * value),
)


@op(inplace=True, out=True)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 / tensor2."""
    if not any(t.dtype.is_floating_point or t.dtype.is_complex for t in (tensor1, tensor2)):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported; convert with .float() first"
        )
    quotient = _core.div(tensor1, tensor2)
    return _core.add(input, quotient if value == 1 else _core.mul(quotient, value))


addcdiv.vjp(
    input=lambda grad: grad,
    tensor1=lambda grad, tensor2, value: grad * _c(value / tensor2),
    tensor2=lambda grad, tensor1, tensor2, value: -grad
    * _c(tensor1 * value / (tensor2 * tensor2)),
)


@op(_core.copysign, inplace=True, out=True)
def copysign(input: Tensor, other: Any) -> Tensor:
    """The size of input with the sign of other."""


def _copysign_gradient(grad: Tensor, input: Tensor, result: Tensor) -> Tensor:
    return grad * where(input == 0, 0.0, result / input)


copysign.vjp(input=_copysign_gradient, other=lambda grad: grad * 0)


@op(_core.heaviside, inplace=True, out=True)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below 0, 1 above, `values` at 0."""


@op(_core.nextafter, inplace=True, out=True)
def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next number from input towards other."""


# ---- comparison and logic


@op(_core.eq, inplace=True, out=True)
def eq(input: Tensor, other: Any) -> Tensor:
    """input == other, elementwise."""


@op(_core.ne, inplace=True, out=True)
def ne(input: Tensor, other: Any) -> Tensor:
    """input != other, elementwise."""


@op(_core.lt, inplace=True, out=True)
def lt(input: Tensor, other: Any) -> Tensor:
    """input < other, elementwise."""


@op(_core.le, inplace=True, out=True)
def le(input: Tensor, other: Any) -> Tensor:
    """input <= other, elementwise."""


@op(_core.gt, inplace=True, out=True)
def gt(input: Tensor, other: Any) -> Tensor:
    """input > other, elementwise."""


@op(_core.ge, inplace=True, out=True)
def ge(input: Tensor, other: Any) -> Tensor:
    """input >= other, elementwise."""


@op(_core.logical_and, inplace=True, out=True)
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Whether both are not 0."""


@op(_core.logical_or, inplace=True, out=True)
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Whether one is not 0."""


@op(_core.logical_xor, inplace=True, out=True)
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Whether exactly one is not 0."""


@op(_core.logical_not, inplace=True, out=True)
def logical_not(input: Tensor) -> Tensor:
    """Whether it is 0."""


@op(_core.bitwise_and, inplace=True, out=True)
def bitwise_and(input: Tensor, other: Any) -> Tensor:
    """The bits that both have."""


@op(_core.bitwise_or, inplace=True, out=True)
def bitwise_or(input: Tensor, other: Any) -> Tensor:
    """The bits that one has."""


@op(_core.bitwise_xor, inplace=True, out=True)
def bitwise_xor(input: Tensor, other: Any) -> Tensor:
    """The bits that exactly one has."""


@op(_core.bitwise_not, inplace=True, out=True)
def bitwise_not(input: Tensor) -> Tensor:
    """The bits that it has not."""


@op(_core.bitwise_left_shift, inplace=True, out=True)
def bitwise_left_shift(input: Tensor, other: Any) -> Tensor:
    """input * 2^other, in bits."""


@op(_core.bitwise_right_shift, inplace=True, out=True)
def bitwise_right_shift(input: Tensor, other: Any) -> Tensor:
    """input / 2^other, rounded down."""


@op(_core.isnan)
def isnan(input: Tensor) -> Tensor:
    """Whether it is not a number."""


@op(_core.isinf)
def isinf(input: Tensor) -> Tensor:
    """Whether it is infinite."""


@op(_core.isfinite)
def isfinite(input: Tensor) -> Tensor:
    """Whether it is neither infinite nor nan."""


@op(_core.signbit, out=True)
def signbit(input: Tensor) -> Tensor:
    """Whether the sign is minus, of -0.0 too."""


@op(inplace=True, public=False)
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`value` where the mask holds, else input."""
    if mask.dtype is not _core.bool:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask: {mask.dtype}")
    if isinstance(value, Tensor):
        if value.ndim > 0:
            raise RuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.ndim} dimension(s)."
            )
    elif isinstance(value, complex) and not input.dtype.is_complex:
        raise RuntimeError("value cannot be converted to type without overflow")
    if isinstance(value, Tensor):
        value = _core.to_dtype(value, input.dtype)
    return _core.to_dtype(_core.where(mask, value, input), input.dtype)


masked_fill.vjp(
    input=lambda grad, mask: _where(mask, 0, grad),
    value=lambda grad, mask: _where(mask, grad, 0).sum(),
)

# ---- Python's operators

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
    setattr(Tensor, f"__{_name}__", _op.operator_form())
    if _name not in ("eq", "ne", "lt", "le", "gt", "ge"):
        setattr(Tensor, f"__i{_name}__", _op.inplace_form().operator_form())
        setattr(
            Tensor,
            f"__r{_name}__",
            _op.operator_form()
            if _name in ("add", "mul", "and", "or", "xor")
            else (lambda op: lambda self, other: op(other, self))(_op.operator_form()),
        )
Tensor.__neg__ = neg
Tensor.__pos__ = lambda self: self
Tensor.__abs__ = abs
Tensor.__invert__ = bitwise_not
Tensor.__div__ = Tensor.__truediv__
Tensor.__rdiv__ = Tensor.__rtruediv__
Tensor.__idiv__ = Tensor.__itruediv__

# Other names of the same functions.
absolute, Tensor.absolute, Tensor.absolute_ = abs, abs, Tensor.abs_
subtract, Tensor.subtract, Tensor.subtract_ = sub, sub, Tensor.sub_
multiply, Tensor.multiply, Tensor.multiply_ = mul, mul, Tensor.mul_
divide, Tensor.divide, Tensor.divide_ = div, div, Tensor.div_
true_divide, Tensor.true_divide, Tensor.true_divide_ = div, div, Tensor.div_
negative, Tensor.negative, Tensor.negative_ = neg, neg, Tensor.neg_
positive = Tensor.positive = Tensor.__pos__
arcsin, Tensor.arcsin, Tensor.arcsin_ = asin, asin, Tensor.asin_
arccos, Tensor.arccos, Tensor.arccos_ = acos, acos, Tensor.acos_
arctan, Tensor.arctan, Tensor.arctan_ = atan, atan, Tensor.atan_
arctan2, Tensor.arctan2, Tensor.arctan2_ = atan2, atan2, Tensor.atan2_
arcsinh, Tensor.arcsinh, Tensor.arcsinh_ = asinh, asinh, Tensor.asinh_
arccosh, Tensor.arccosh, Tensor.arccosh_ = acosh, acosh, Tensor.acosh_
arctanh, Tensor.arctanh, Tensor.arctanh_ = atanh, atanh, Tensor.atanh_
clip, Tensor.clip, Tensor.clip_ = clamp, clamp, Tensor.clamp_
Tensor.clamp_min_ = lambda self, min: self.clamp_(min)
Tensor.clamp_max_ = lambda self, max: self.clamp_(None, max)
fix, Tensor.fix, Tensor.fix_ = trunc, trunc, Tensor.trunc_
greater, Tensor.greater, Tensor.greater_ = gt, gt, Tensor.gt_
greater_equal, Tensor.greater_equal, Tensor.greater_equal_ = ge, ge, Tensor.ge_
less, Tensor.less, Tensor.less_ = lt, lt, Tensor.lt_
less_equal, Tensor.less_equal, Tensor.less_equal_ = le, le, Tensor.le_
not_equal, Tensor.not_equal, Tensor.not_equal_ = ne, ne, Tensor.ne_
Tensor.real = property(real)
Tensor.imag = property(imag)
__all__ += [  # noqa: F821  filled by the declarations
    "absolute", "subtract", "multiply", "divide", "true_divide", "negative", "positive", "arcsin",
    "arccos", "arctan", "arctan2", "arcsinh", "arccosh", "arctanh", "clip", "fix", "greater",
    "greater_equal", "less", "less_equal", "not_equal",
]  # fmt: skip
