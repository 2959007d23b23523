"""Activations: the pointwise functions between layers, and their derivatives.

rushlight.nn.functional wraps them where PyTorch has an `inplace` argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.dtypes import HALVES
from rushlight.ops.join import cat
from rushlight.ops.pointwise import _where as where

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight._core import Generator
    from rushlight.tensor import Tensor


def _in_place(declared: Any) -> Callable[..., Tensor]:
    """The form that writes to its input, for ops that have none as a Tensor method."""
    form = declared.inplace_form()
    form.__name__ = form.__qualname__ = declared.__name__ + "_"
    form.__doc__ = f"In-place form of :func:`{declared.__name__}`."
    form.__wrapped__ = declared.__wrapped__
    return form


def _bounds(input: Tensor, *bounds: float) -> tuple[float, ...]:
    """The bounds; as integers for an integer input, which they must not promote."""
    return bounds if input.dtype.is_floating_point else tuple(int(b) for b in bounds)


# ---- rectifiers


@op(_core.relu, inplace=True)
def relu(input: Tensor) -> Tensor:
    """max(input, 0), elementwise; nan stays. The derivative at 0 is 0 (Nair and Hinton 2010)."""


@op(_core.relu_grad, method=False, public=False, node="ThresholdBackwardBackward0")
def relu_backward(grad: Tensor, result: Tensor) -> Tensor:
    """`grad` where `result` is above 0, else 0."""


relu_backward.vjp(grad=relu_backward)
relu.vjp(input=relu_backward)


@op(method=False, public=False)
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`input` held to [min_val, max_val]; the derivative at both ends is 0."""
    low, high = _bounds(input, min_val, max_val)
    return _core.clamp(input, low, high)


hardtanh.vjp(
    input=lambda grad, input, min_val, max_val: where(
        (input <= min_val) | (input >= max_val), 0, grad
    ),
    kernels={"input": _core.hardtanh_grad},
)
hardtanh_ = _in_place(hardtanh)


@op(method=False)
def threshold(input: Tensor, threshold: float, value: float) -> Tensor:
    """`value` where `input` is at or below `threshold`, else `input`."""
    level, replacement = _bounds(input, threshold, value)
    return _core.threshold(input, level, replacement)


threshold.vjp(input=lambda grad, input, threshold: where(input <= threshold, 0, grad))
threshold_ = _in_place(threshold)


@op(_core.leaky_relu, method=False, public=False)
def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`input`, times `negative_slope` at and below 0 (Maas et al. 2013)."""


leaky_relu.vjp(
    input=lambda grad, input, negative_slope: where(input > 0, grad, grad * negative_slope),
    kernels={"input": _core.leaky_relu_grad},
)
leaky_relu_ = _in_place(leaky_relu)


@composed(method=True)
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Leaky ReLU with learnt slopes (He et al. 2015).

    Args:
        input: (N, C, ...), or any shape with a single slope.
        weight: one slope, or C of them for axis 1 of the input.

    Raises:
        RuntimeError: the number of slopes is neither 1 nor that of the channels.
    """
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}"
        )
    if weight.numel() == 1:
        return _prelu_kernel(input, weight.reshape(()))
    if input.ndim == 0:
        raise RuntimeError("prelu: a 0-dim input takes a single slope, got weight of shape "
                           f"{list(weight.shape)}")  # fmt: skip
    channels = input.shape[1] if input.ndim > 1 else 1
    if channels != weight.numel():
        raise RuntimeError(
            "prelu: Mismatch of parameter numbers and input channel size. Found parameter numbers "
            f"= {weight.numel()} and channel size = {channels}."
        )
    return _prelu_kernel(input, weight.reshape((1, -1) + (1,) * (input.ndim - 2)))


@op(_core.leaky_relu, method=False, public=False, node="PreluKernelBackward0")
def _prelu_kernel(input: Tensor, weight: Tensor) -> Tensor:
    """`input`, times the broadcast `weight` where it is not positive."""


_prelu_kernel.vjp(
    input=lambda grad, input, weight: where(input > 0, grad, weight * grad),
    weight=lambda grad, input: where(input > 0, 0, input * grad),
)


@composed()
def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Leaky ReLU whose slopes are drawn from [lower, upper) in training (Xu et al. 2015).

    Each element below 0 has its own slope; in evaluation it is the middle of the interval.
    """
    slopes = _rrelu_slopes(input, lower, upper, training, generator)
    return leaky_relu(input, slopes) if isinstance(slopes, float) else input * slopes


@composed()
def rrelu_(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """In-place form of :func:`rrelu`."""
    slopes = _rrelu_slopes(input, lower, upper, training, generator)
    return leaky_relu_(input, slopes) if isinstance(slopes, float) else input.mul_(slopes)


def _rrelu_slopes(
    input: Tensor, lower: float, upper: float, training: bool, generator: Generator | None
) -> Tensor | float:
    """One slope for all, or a tensor with 1 where the input is positive."""
    if not lower <= upper:
        raise RuntimeError(
            f"rrelu: Lower bound should be less than or equal to the upper bound, got {lower} "
            f"and {upper}"
        )
    if not training:
        return (lower + upper) / 2
    if input.is_meta:
        return _core.empty_like(input, input.dtype)
    return _core.rrelu_noise(input, lower, upper, generator)


# ---- half types: computed in float32 and rounded once, as PyTorch's kernels do


def _wide(input: Tensor) -> Tensor:
    """For the body of an op: `input` in float32, if it is of a half type."""
    return _core.to_dtype(input, _core.float32) if input.dtype in HALVES else input


def _as(input: Tensor, result: Tensor) -> Tensor:
    """For the body of an op: the result in the dtype of `input`."""
    return result if result.dtype is input.dtype else _core.to_dtype(result, input.dtype)


def _recorded_wide(input: Tensor) -> Tensor:
    """For a formula: `input` in float32, if it is of a half type. The engine rounds the result."""
    return input.float() if input.dtype in HALVES else input


# ---- with an exponential below 0


def _elu_vjp(
    grad: Tensor, input: Tensor, alpha: float, scale: float = 1.0, input_scale: float = 1.0
) -> Tensor:
    input = _recorded_wide(input)
    # Held to 0: an overflow in the branch not taken would make second derivatives NaN.
    slope = (input.clamp(max=0) * input_scale).exp() * (input_scale * alpha * scale)
    return grad * where(input <= 0, slope, scale)


@op(method=False, public=False)
def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`input` above 0, else alpha * (exp(input) - 1) (Clevert et al. 2016)."""
    return _core.elu(input, 1.0, alpha, 1.0)


elu.vjp(input=lambda grad, input, alpha: _elu_vjp(grad, input, alpha))
elu_ = _in_place(elu)

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@op(method=False, node="EluBackward0")
def selu(input: Tensor) -> Tensor:
    """ELU with the constants that keep mean 0 and variance 1 (Klambauer et al. 2017).

    1.0507 * (input above 0, else 1.6733 * (exp(input) - 1)).
    """
    return _core.elu(input, _SELU_SCALE, _SELU_ALPHA * _SELU_SCALE, 1.0)


selu.vjp(input=lambda grad, input: _elu_vjp(grad, input, _SELU_ALPHA, _SELU_SCALE))
selu_ = _in_place(selu)


@op(method=False)
def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """ELU with alpha * (exp(input / alpha) - 1) below 0, smooth for every alpha (Barron 2017).

    Raises RuntimeError for alpha = 0.
    """
    if alpha == 0:
        raise RuntimeError("celu: alpha cannot be 0, the input is divided by it")
    return _core.elu(input, 1.0, alpha, 1.0 / alpha)


celu.vjp(input=lambda grad, input, alpha: _elu_vjp(grad, input, alpha, 1.0, 1.0 / alpha))
celu_ = _in_place(celu)


@op(_core.softplus, method=False, public=False)
def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """log(1 + exp(beta * input)) / beta, and `input` where beta * input is above `threshold`."""


def _softplus_vjp(grad: Tensor, input: Tensor, beta: float, threshold: float) -> Tensor:
    input = _recorded_wide(input)
    scaled = input if beta == 1 else input * beta
    return where(scaled > threshold, grad, grad * scaled.sigmoid())


softplus.vjp(input=_softplus_vjp)


@op(method=False, public=False, node="LogSigmoidBackward0")
def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(input)) = -softplus(-input), without underflow."""
    wide = _wide(input)
    tail = _core.log1p(_core.exp(_core.neg(_core.abs(wide))))
    return _as(input, _core.sub(_core.minimum(wide, 0), tail))


logsigmoid.vjp(input=lambda grad, input: grad * (-_recorded_wide(input)).sigmoid())

# ---- gated by a function of the input itself


@op(_core.silu, method=False, public=False)
def silu(input: Tensor) -> Tensor:
    """input * sigmoid(input), also called swish (Elfwing et al. 2017)."""


silu_ = _in_place(silu)


@op(_core.silu_grad, method=False, public=False)
def silu_backward(grad: Tensor, input: Tensor) -> Tensor:
    """The gradient of silu's input."""


silu.vjp(input=silu_backward)


def _silu_curvature(input: Tensor) -> Tensor:
    gate = input.sigmoid()
    return gate * (1 - gate) * (2 + input * (1 - 2 * gate))


silu_backward.vjp(
    grad=silu_backward,
    input=lambda upstream, grad, input: upstream * grad * _silu_curvature(input),
)


@op(method=False, public=False)
def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """`input` times the normal distribution's P(X <= input) (Hendrycks and Gimpel 2016).

    Args:
        input: of any shape.
        approximate: "none", or "tanh" for the authors' formula with a hyperbolic tangent.

    Raises:
        RuntimeError: for another `approximate`.
    """
    return _gelu_row(approximate, _core.gelu, _core.gelu_tanh)(input)


def _gelu_row(
    approximate: str, exact: Callable[..., Tensor], tanh: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    if approximate == "none":
        return exact
    if approximate == "tanh":
        return tanh
    raise RuntimeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")


@op(method=False, public=False)
def gelu_backward(grad: Tensor, input: Tensor, approximate: str = "none") -> Tensor:
    """The gradient of gelu's input."""
    return _gelu_row(approximate, _core.gelu_grad, _core.gelu_tanh_grad)(grad, input)


gelu.vjp(input=gelu_backward)

_SQRT_2_OVER_PI = 0.79788456080286535588
_CUBIC = 0.044715


def _gelu_curvature(input: Tensor, approximate: str) -> Tensor:
    squared = input.square()
    if approximate == "none":
        return (-0.5 * squared).exp() * (2 - squared) * (0.5 * _SQRT_2_OVER_PI)
    # 0.5 x (1 + tanh(u)), u = sqrt(2 / pi) (x + 0.044715 x^3)
    bend = (_SQRT_2_OVER_PI * (input + _CUBIC * squared * input)).tanh()
    slope = _SQRT_2_OVER_PI * (1 + 3 * _CUBIC * squared)
    curve = 6 * _SQRT_2_OVER_PI * _CUBIC * input
    return (1 - bend.square()) * (slope + 0.5 * input * (curve - 2 * bend * slope.square()))


gelu_backward.vjp(
    grad=gelu_backward,
    input=lambda upstream, grad, input, approximate: (
        upstream * grad * _gelu_curvature(input, approximate)
    ),
)


@op(method=False, public=False)
def mish(input: Tensor) -> Tensor:
    """input * tanh(softplus(input)) (Misra 2019)."""
    wide = _wide(input)
    return _as(input, _core.mul(wide, _core.tanh(_core.log1p(_core.exp(wide)))))


def _mish_vjp(grad: Tensor, input: Tensor) -> Tensor:
    input = _recorded_wide(input)
    gate = softplus(input).tanh()
    return grad * (gate + input * input.sigmoid() * (1 - gate.square()))


mish.vjp(input=_mish_vjp)
mish_ = _in_place(mish)


@op(_core.hardsigmoid, method=False, public=False)
def hardsigmoid(input: Tensor) -> Tensor:
    """(input + 3) / 6 held to [0, 1]; the derivative at both ends is 0."""


hardsigmoid.vjp(
    input=lambda grad, input: where((input > -3) & (input < 3), grad / 6, 0),
    kernels={"input": _core.hardsigmoid_grad},
)
hardsigmoid_ = _in_place(hardsigmoid)


@op(_core.hardswish, method=False, public=False)
def hardswish(input: Tensor) -> Tensor:
    """input * hardsigmoid(input) (Howard et al. 2019)."""


def _hardswish_vjp(grad: Tensor, input: Tensor) -> Tensor:
    input = _recorded_wide(input)
    return where(input <= -3, 0, where(input < 3, grad * (input / 3 + 0.5), grad))


hardswish.vjp(input=_hardswish_vjp, kernels={"input": _core.hardswish_grad})
hardswish_ = _in_place(hardswish)


@op(method=False, public=False)
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """One half of `input` along `dim` times the sigmoid of the other (Dauphin et al. 2017).

    `dim` becomes half as long. Raises RuntimeError where its size is odd, or for a 0-dim tensor.
    """
    if input.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    size = input.shape[dim]
    if size % 2:
        raise RuntimeError(
            f"glu: Halving dimension must be even, but dimension {dim} is size {size}"
        )
    half = size // 2
    return _core.glu(_core.slice(input, dim, 0, half, 1), _core.slice(input, dim, half, size, 1))


def _glu_vjp(grad: Tensor, input: Tensor, dim: int) -> Tensor:
    wide = _recorded_wide(input)
    half = input.shape[dim] // 2
    value, gate = wide.narrow(dim, 0, half), wide.narrow(dim, half, half).sigmoid()
    first = grad * gate
    return cat((first, first * value * (1 - gate)), dim)


glu.vjp(input=_glu_vjp)


# ---- towards 0


def _shrink_vjp(grad: Tensor, input: Tensor, lambd: float) -> Tensor:
    return where((input >= -lambd) & (input <= lambd), 0, grad)


@op(_core.hardshrink)
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """0 where |input| is at most `lambd`, else `input`."""


hardshrink.vjp(input=_shrink_vjp, kernels={"input": _core.shrink_grad})


@op(method=False, public=False)
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """`input` moved by `lambd` towards 0, and 0 where |input| is at most that.

    Raises RuntimeError for a negative `lambd`.
    """
    if not lambd >= 0:
        raise RuntimeError(
            f"softshrink: lambda must be greater or equal to 0, but found to be {lambd}."
        )
    return _core.softshrink(input, lambd)


softshrink.vjp(input=_shrink_vjp, kernels={"input": _core.shrink_grad})


@composed(public=False)
def softsign(input: Tensor) -> Tensor:
    """input / (1 + |input|), in (-1, 1)."""
    return input / (input.abs() + 1)


@composed(public=False)
def tanhshrink(input: Tensor) -> Tensor:
    """input - tanh(input)."""
    return input - input.tanh()

__all__ += ["celu_", "selu_", "threshold_"]  # type: ignore[name-defined]  # noqa: F821
