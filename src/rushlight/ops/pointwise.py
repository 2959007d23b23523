"""Arithmetic, rounding and choosing, element by element."""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op, synonyms
from rushlight.dtypes import finfo
from rushlight.ops.compare import isfinite, isnan
from rushlight.ops.complex import _c, view_as_complex, view_as_real
from rushlight.ops.elementary import log
from rushlight.ops.undefined import undefined
from rushlight.tensor import Tensor
from rushlight.warned import warn_once


def _zeros(grad: Tensor) -> Tensor:
    """The gradient of what is flat almost everywhere."""
    return _core.full(grad.shape, 0, grad.dtype)


# ---- arithmetic


@op(_core.add_scaled, inplace=True, out=True)
def add(input: Tensor | complex, other: Any, *, alpha: float = 1) -> Tensor:
    """input + alpha * other, elementwise; of bool, "or".

    Shapes broadcast, dtypes promote. Raises RuntimeError where shapes do not fit.
    """


add.vjp(
    input=lambda grad: grad,
    other=lambda grad, alpha: grad if alpha == 1 else grad * _c(alpha),
)


@op(_core.sub_scaled, inplace=True, out=True)
def sub(input: Tensor | complex, other: Any, *, alpha: float = 1) -> Tensor:
    """input - alpha * other, elementwise.

    Shapes broadcast, dtypes promote. Raises RuntimeError where shapes do not fit, and for bool: use
    ^.
    """


sub.vjp(
    input=lambda grad: grad,
    other=lambda grad, alpha: neg(grad) if alpha == 1 else grad * _c(-alpha),
)


@op(method=False, node="RsubBackward1")
def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """other - alpha * input: :func:`sub` with its operands exchanged."""
    return _core.sub_scaled(other, input, alpha)


rsub.vjp(
    input=lambda grad, alpha: neg(grad) if alpha == 1 else grad * _c(-alpha),
    other=lambda grad: grad,
)


@op(_core.mul, inplace=True, out=True)
def mul(input: Tensor | complex, other: Any) -> Tensor:
    """input * other, elementwise; of bool, "and".

    Shapes broadcast, dtypes promote. Raises RuntimeError where shapes do not fit.
    """


mul.vjp(
    input=lambda grad, other: grad * _c(other),
    other=lambda grad, input: grad * _c(input),
)


@op(
    _core.div_rounded,
    inplace=True,
    out=True,
    node=lambda rounding_mode: f"DivBackward{2 if rounding_mode else 0}",
)
def div(input: Tensor | complex, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other, elementwise; with `rounding_mode` "floor" or "trunc" the quotient is rounded.

    Shapes broadcast. Integers give the default float dtype, but stay integers when rounded, and
    then division by 0 raises RuntimeError. A rounded quotient has derivative 0.
    """


div.vjp(
    input=lambda grad, other, rounding_mode: (
        grad / _c(other) if rounding_mode is None else _zeros(grad)
    ),
    other=lambda grad, input, other, rounding_mode: (
        -grad * _c((input / other) / other) if rounding_mode is None else _zeros(grad)
    ),
)


@op(_core.floor_divide, inplace=True, out=True, node="NotImplemented")
def floor_divide(input: Tensor | complex, other: Any) -> Tensor:
    """The quotient rounded towards negative infinity, as Python's //. Without a derivative.

    Shapes broadcast, dtypes promote. Raises RuntimeError where an integer is divided by 0.
    """


floor_divide.vjp(
    input=undefined("floor_divide", "for zeros use torch.floor(input / other)"),
    other=undefined("floor_divide", "for zeros use torch.floor(input / other)"),
)


def _tensor_or_number(name: str) -> Any:
    """Names of nodes: PyTorch counts the form with two tensors as another op."""
    return lambda other_ndim: f"{name}Backward{0 if other_ndim is None else 1}"


@op(_core.remainder, inplace=True, out=True, node=_tensor_or_number("Remainder"))
def remainder(input: Any, other: Any) -> Tensor:
    """input - other * floor(input / other): with the sign of the divisor, as Python's %.

    Shapes broadcast, dtypes promote. Raises RuntimeError where an integer is divided by 0; floats
    give nan. The derivative in `input` is 1, in `other` -floor(input / other).
    """


remainder.vjp(
    input=lambda grad: grad,
    other=lambda grad, input, other: -grad * div(input, other, rounding_mode="floor"),
)


@op(_core.fmod, inplace=True, out=True, node=_tensor_or_number("Fmod"))
def fmod(input: Tensor, other: Any) -> Tensor:
    """input - other * trunc(input / other): with the sign of the dividend, as C's fmod.

    Shapes broadcast, dtypes promote. Raises RuntimeError where an integer is divided by 0; floats
    give nan. The derivative in `input` is 1, in `other` -trunc(input / other).
    """


fmod.vjp(
    input=lambda grad: grad,
    other=lambda grad, input, other: -grad * div(input, other, rounding_mode="trunc"),
)


def _pow_gradient(grad: Tensor, input: Tensor, exponent: Any) -> Tensor:
    if not isinstance(exponent, Tensor):
        if exponent == 0:
            return _zeros(grad)
        return grad * _c(exponent * pow(input, exponent - 1))
    return where(exponent == 0, 0.0, grad * _c(exponent * pow(input, exponent - 1)))


def _pow_exponent_gradient(grad: Tensor, input: Any, exponent: Tensor, result: Tensor) -> Tensor:
    if not isinstance(input, Tensor):
        if input == 0:
            return where(exponent.real >= 0, 0.0, grad * _c(result * -math.inf))
        base = input if isinstance(input, complex) or input > 0 else complex(input)
        import cmath

        scale = cmath.log(base)
        return grad * _c(result * (scale if isinstance(base, complex) else scale.real))
    zero = (input == 0) & (exponent.real >= 0)
    return grad * where(zero, 0.0, _c(result * log(input.to(result.dtype))))


@op(_core.gcd, inplace=True, out=True)
def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor of integers, not negative; gcd(0, n) = |n|.

    Shapes broadcast. Raises NotImplementedError for other dtypes. Without a derivative.
    """


@op(inplace=True, out=True)
def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple of integers, not negative; 0 if one of them is 0.

    Shapes broadcast. Raises NotImplementedError for other dtypes. Without a derivative.
    """
    divisor = _core.gcd(input, other)
    share = _core.trunc_divide(input, _core.maximum(divisor, 1))
    return _core.abs(_core.mul(share, other))


def _pow_name(input_ndim: int | None, exponent_ndim: int | None) -> str:
    return f"PowBackward{2 if input_ndim is None else 0 if exponent_ndim is None else 1}"


@op(_core.pow, inplace=True, out=True, node=_pow_name)
def pow(input: Any, exponent: Any) -> Tensor:
    """input^exponent, elementwise; one of them may be a number.

    Shapes broadcast, dtypes promote. Of integers the result is one too, and with a tensor of
    negative exponents 0 except for 1 and -1. 0^0 = 1. The derivative in `input` is 0 where the
    exponent is 0. Raises RuntimeError for integers and a negative number as exponent.
    """


pow.vjp(input=_pow_gradient, exponent=_pow_exponent_gradient)


@composed(method=True)
def positive(input: Tensor) -> Tensor:
    """The tensor itself; not for bool, as Python's + refuses what it would turn into a number.

    Raises RuntimeError for bool.
    """
    if input.dtype is _core.bool:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@op(_core.neg, inplace=True, out="exact")
def neg(input: Tensor) -> Tensor:
    """-input. Raises RuntimeError for bool: use `logical_not`."""


neg.vjp(input=lambda grad: neg(grad))


@op(inplace=True, out="exact")
def abs(input: Tensor) -> Tensor:
    """The absolute value |input|; of complex numbers the modulus, which is real.

    The derivative at 0 is 0.
    """
    return _core.to_dtype(_core.abs(input), input.dtype.to_real())


abs.vjp(input=lambda grad, input: grad * sgn(input))


def _abs_(self: Tensor) -> Tensor:
    """In-place form of :func:`abs`."""
    if self.dtype.is_complex:
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    return _abs_in_place(self)


_abs_in_place, Tensor.abs_ = Tensor.abs_, _abs_  # type: ignore[assignment]


@op(_core.sign, inplace=True, out="exact")
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1; 0 for nan. The derivative is 0.

    Raises NotImplementedError for complex numbers: :func:`sgn`.
    """


sign.vjp(input=lambda grad: _zeros(grad))


@op(_core.sgn, inplace=True, out="exact")
def sgn(input: Tensor) -> Tensor:
    """input / |input|, 0 at 0: the sign, of complex numbers the direction."""


def _sgn_gradient(grad: Tensor, input: Tensor) -> Tensor:
    if not input.dtype.is_complex:
        return _zeros(grad)
    # d(z/|z|): what is orthogonal to z, over |z|
    unit = sgn(input)
    size = abs(input)
    part = (grad - (_c(unit) * grad).real * unit) / size
    return where(size == 0, 0.0, part)


sgn.vjp(input=_sgn_gradient)


@op(_core.reciprocal, inplace=True, out=True)
def reciprocal(input: Tensor) -> Tensor:
    """1 / input; integers give the default float dtype. inf at 0."""


reciprocal.vjp(input=lambda grad, result: -grad * _c(result * result))


# ---- rounding: the derivative is 0 wherever it exists


@op(_core.floor, inplace=True, out="exact")
def floor(input: Tensor) -> Tensor:
    """The largest integer not above; integers stay as they are. The derivative is 0.

    Raises NotImplementedError for complex numbers.
    """


floor.vjp(input=lambda grad: _zeros(grad))


@op(_core.ceil, inplace=True, out="exact")
def ceil(input: Tensor) -> Tensor:
    """The smallest integer not below; integers stay as they are. The derivative is 0.

    Raises NotImplementedError for complex numbers.
    """


ceil.vjp(input=lambda grad: _zeros(grad))


@op(_core.trunc, inplace=True, out="exact")
def trunc(input: Tensor) -> Tensor:
    """The integer part: rounded towards 0. The derivative is 0.

    Raises NotImplementedError for complex numbers.
    """


trunc.vjp(input=lambda grad: _zeros(grad))


@op(inplace=True, out="exact")
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest integer, halves to even; or with `decimals` the nearest multiple of 10^-decimals.

    The derivative is 0. Raises NotImplementedError for complex numbers.
    """
    if decimals == 0:
        return _core.round(input)
    if decimals > 0:
        return _core.div(_core.round(_core.mul(input, 10.0**decimals)), 10.0**decimals)
    return _core.mul(_core.round(_core.div(input, 10.0**-decimals)), 10.0**-decimals)


round.vjp(input=lambda grad: _zeros(grad))


@op(inplace=True, out="exact")
def frac(input: Tensor) -> Tensor:
    """input - trunc(input): the fraction, with the sign of the input. The derivative is 1."""
    return _core.sub(input, _core.trunc(input))


frac.vjp(input=lambda grad: grad)


@op(inplace=True, out=True, node="Deg2RadBackward0")
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians: input * pi / 180; integers give the default float dtype."""
    return _core.mul(input, math.pi / 180)


deg2rad.vjp(input=lambda grad: grad * (math.pi / 180))


@op(inplace=True, out=True, node="Rad2DegBackward0")
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees: input * 180 / pi; integers give the default float dtype."""
    return _core.mul(input, 180 / math.pi)


rad2deg.vjp(input=lambda grad: grad * (180 / math.pi))


@composed(method=True, out=True)
def float_power(input: Any, exponent: Any) -> Tensor:
    """input^exponent in float64, or complex128 where one of them is complex. Shapes broadcast."""
    both = [v.dtype.is_complex if isinstance(v, Tensor) else isinstance(v, complex)
            for v in (input, exponent)]  # fmt: skip
    wide = _core.complex128 if True in both else _core.float64
    return pow(*(v.to(wide) if isinstance(v, Tensor) else v for v in (input, exponent)))


def _float_power_(self: Tensor, exponent: Any) -> Tensor:
    """In-place form of :func:`float_power`."""
    result = float_power(self.clone(), exponent)
    if result.dtype is not self.dtype:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {self.dtype} but the operation's result "
            f"requires dtype {result.dtype}"
        )
    return self.copy_(result)


Tensor.float_power_ = _float_power_


@composed(method=True, inplace=True, out=True)
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2^other; integers give the default float dtype. Shapes broadcast."""
    if not isinstance(input, Tensor):
        raise TypeError(f"ldexp(): argument 'input' must be Tensor, not {type(input).__name__}")
    return input * pow(2.0, other)


@op()
def frexp(input: Tensor) -> Any:
    """(mantissa, exponent) with input = mantissa * 2^exponent; the mantissa in [0.5, 1), 0 for 0.

    The exponent is int32. Raises RuntimeError for what is not a real float.
    """
    from rushlight.return_types import frexp

    return frexp(_core.frexp(input))


frexp.vjp(input=lambda grad, result: grad[0] / pow(2.0, result[1]))

# ---- choosing


@op(_core.maximum, out=True)
def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The larger of each pair; nan if one is. Equal values share the gradient.

    Shapes broadcast, dtypes promote. Raises NotImplementedError for complex numbers.
    """


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
    """The smaller of each pair; nan if one is. Equal values share the gradient.

    Shapes broadcast, dtypes promote. Raises NotImplementedError for complex numbers.
    """


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
    """The larger of each pair; the other one where one is nan.

    Of equal values `input` has the gradient. Shapes broadcast, dtypes promote. Raises
    NotImplementedError for complex numbers.
    """


fmax.vjp(
    input=lambda grad, input, other: where((input >= other) | isnan(other), grad, 0.0),
    other=lambda grad, input, other: where((input >= other) | isnan(other), 0.0, grad),
)


@op(_core.fmin, out=True)
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of each pair; the other one where one is nan.

    Of equal values `input` has the gradient. Shapes broadcast, dtypes promote. Raises
    NotImplementedError for complex numbers.
    """


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


def _clamp_name(min_ndim: int | None, max_ndim: int | None) -> str:
    return f"ClampBackward{1 if min_ndim is None and max_ndim is None else 0}"


@op(inplace=True, out="exact", node=_clamp_name)
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """min(max(input, min), max): the values, moved to the nearer end where they lie outside.

    Ends are numbers or tensors that broadcast; `max` where min > max; nan stays nan. The derivative
    is 1 inside and at the ends, 0 outside. Raises RuntimeError if both ends are None.
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if min is None:
        return _core.minimum(input, max)
    return _core.maximum(input, min) if max is None else _core.clamp(input, min, max)


clamp.vjp(
    input=_clamp_gradient,
    min=lambda grad, input, min, max: where(
        (input < min) if max is None else (input < min) & (min < max), grad, 0.0
    ),
    max=lambda grad, input, min, max: where(
        (input > max) if min is None else (input > max) | (max < min), grad, 0.0
    ),
)


@composed(method=True, inplace=True, out=True)
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """:func:`clamp` with a lower end alone: max(input, min)."""
    return clamp(input, min)


@composed(method=True, inplace=True, out=True)
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """:func:`clamp` with an upper end alone: min(input, max)."""
    return clamp(input, None, max)


@op(_core.where, method=False)
def _where(condition: Tensor, input: Any, other: Any) -> Tensor:
    """input where the condition holds, else other."""


_where.vjp(
    input=lambda grad, condition: _where(condition, grad, 0),
    other=lambda grad, condition: _where(condition, 0, grad),
)


@composed(out="exact")
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, else `other`; alone, the indices where it holds.

    All three broadcast, the dtypes of the last two promote, and either may be a number. The
    gradient goes to what was chosen, also where the other is nan. Raises RuntimeError unless the
    condition is bool (or uint8).
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if condition.dtype is not _core.bool:
        if condition.dtype is not _core.uint8:
            raise RuntimeError(
                f"where expected condition to be a boolean tensor, but got {condition.dtype}"
            )
        warn_once(
            "where received a uint8 condition tensor. This behavior is deprecated and will be "
            "removed in a future version of PyTorch. Use a boolean condition instead."
        )
        condition = condition.bool()
    return _where(condition, input, other)


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """The elements of this tensor where the condition holds, those of `other` elsewhere."""
    return where(condition, self, other)


Tensor.where = _where_method


@op(inplace=True, out="exact")
def nan_to_num(
    input: Tensor, nan: float | None = None, posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:  # fmt: skip
    """nan as 0, infinities as the largest and smallest numbers of the dtype, or as given.

    The derivative is 1, and 0 where something was replaced.
    """
    if not input.dtype.is_floating_point:
        if input.dtype.is_complex:
            return _nan_to_num_complex(input, nan, posinf, neginf)
        return _core.clone(input)
    limits = finfo(input.dtype)
    return _core.replace_nonfinite(
        input,
        0.0 if nan is None else nan,
        limits.max if posinf is None else posinf,
        -limits.max if neginf is None else neginf,
    )


def _nan_to_num_complex(input: Tensor, *replacements: float | None) -> Tensor:
    parts = nan_to_num(view_as_real(input), *replacements)
    return view_as_complex(parts)


nan_to_num.vjp(input=lambda grad, input: grad * isfinite(input))


@op(
    _core.lerp,
    inplace=True,
    out=True,
    node=lambda weight_ndim: f"LerpBackward{0 if weight_ndim is None else 1}",
)
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight * (end - input): from `input` at weight 0 to `end` at 1, and beyond.

    `weight` is a number or a tensor; all broadcast. Exact at both ends.
    """


lerp.vjp(
    input=lambda grad, weight: grad * _c(1 - weight),
    end=lambda grad, weight: grad * _c(weight),
    weight=lambda grad, input, end: grad * _c(end - input),
)


def _with_term(
    input: Tensor, tensor1: Tensor, tensor2: Tensor, value: Any, row: Any, term: Any
) -> Tensor:
    """input + value * term(tensor1, tensor2) by the row of it, rounded once."""
    dtype = input.dtype
    if not dtype is tensor1.dtype is tensor2.dtype:
        dtype = _core.result_type([input, tensor1, tensor2])
    if dtype.is_complex or isinstance(value, complex):
        return _core.add(input, _core.mul(term(tensor1, tensor2), value))
    return row(input, tensor1, tensor2, value if dtype.is_floating_point else int(value))


@op(inplace=True, out=True)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 * tensor2; shapes broadcast, dtypes promote.

    Of a `value` for integers only the integer part counts.
    """
    return _with_term(input, tensor1, tensor2, value, _core.addcmul, _core.mul)


addcmul.vjp(
    input=lambda grad: grad,
    tensor1=lambda grad, tensor2, value: grad * _c(tensor2 * value),
    tensor2=lambda grad, tensor1, value: grad * _c(tensor1 * value),
)


@op(inplace=True, out=True)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 / tensor2; shapes broadcast, dtypes promote.

    Raises RuntimeError where both tensor1 and tensor2 are integers.
    """
    if not any(t.dtype.is_floating_point or t.dtype.is_complex for t in (tensor1, tensor2)):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported; convert with .float() first"
        )
    return _with_term(input, tensor1, tensor2, value, _core.addcdiv, _core.div)


addcdiv.vjp(
    input=lambda grad: grad,
    tensor1=lambda grad, tensor2, value: grad * _c(value / tensor2),
    tensor2=lambda grad, tensor1, tensor2, value: -grad
    * _c(tensor1 * value / (tensor2 * tensor2)),
)


@op(_core.copysign, inplace=True, out=True)
def copysign(input: Tensor, other: Any) -> Tensor:
    """|input| with the sign of `other`, that of -0.0 too; integers give the default float dtype.

    Shapes broadcast. The derivative at input 0 is 0.
    """


def _copysign_gradient(grad: Tensor, input: Tensor, result: Tensor) -> Tensor:
    return grad * where(input == 0, 0.0, result / input)


copysign.vjp(input=_copysign_gradient, other=lambda grad: _zeros(grad))


@op(_core.heaviside, inplace=True, out="exact", node="NotImplemented")
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below 0, 1 above, `values` at 0. Shapes broadcast; without a derivative."""


heaviside.vjp(input=undefined("heaviside"), values=undefined("heaviside"))


@op(_core.nextafter, inplace=True, out=True)
def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next number that the dtype has from input towards `other`. Shapes broadcast.

    Raises NotImplementedError for integers. Without a derivative.
    """


nextafter.vjp(
    input=lambda grad, input, other: where(input == other, 0.0, grad),
    other=lambda grad: _zeros(grad),
)


def _is_integer(dtype: Any) -> bool:
    return not (dtype.is_floating_point or dtype.is_complex or dtype is _core.bool)


def _check_is_real(value: Any) -> None:
    if value.imag != 0:
        raise RuntimeError(
            f"masked_fill: the value {value} cannot be converted to a real type without overflow; "
            "take its .real"
        )


@op(inplace=True)
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`value`, a number or 0-dim tensor, where the boolean mask holds, else input.

    `input` and `mask` broadcast; the dtype is the input's. Raises RuntimeError for a mask that is
    not bool, and for a value with dimensions or one that the dtype cannot hold (complex in real).
    """
    if mask.dtype is not _core.bool:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask: {mask.dtype}")
    if isinstance(value, Tensor):
        if value.ndim > 0:
            raise RuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.ndim} dimension(s)."
            )
        if value.dtype.is_complex and not input.dtype.is_complex:
            _check_is_real(value.item())
    elif isinstance(value, complex) and not input.dtype.is_complex:
        _check_is_real(value)
    elif isinstance(value, float) and not math.isfinite(value) and _is_integer(input.dtype):
        raise RuntimeError(
            f"masked_fill: the value {value} cannot be converted to {input.dtype} without overflow"
        )
    if isinstance(value, Tensor):
        value = _core.to_dtype(value, input.dtype)
    result = _core.to_dtype(_core.where(mask, value, input), input.dtype)
    # Whatever the layout of the input: programs call view() on the result.
    return result if result._is_contiguous() else _core.contiguous_clone(result)


masked_fill.vjp(
    input=lambda grad, mask: _where(mask, 0, grad),
    value=lambda grad, mask: _where(mask, grad, 0).sum(),
)

# ---- other names

synonyms(abs, "absolute")
synonyms(sub, "subtract")
synonyms(mul, "multiply")
synonyms(div, "divide", "true_divide")
synonyms(neg, "negative")
synonyms(clamp, "clip")
synonyms(trunc, "fix")

_core.set_callbacks(add=add)  # how the engine adds gradients that are part of a graph
