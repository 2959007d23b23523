"""Special functions: the error function, gamma, Bessel, entropy terms and their relatives.

Formulas follow the NIST Digital Library of Mathematical Functions (https://dlmf.nist.gov).
"""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.complex import _c
from rushlight.ops.elementary import exp, log, log1p, square
from rushlight.ops.pointwise import where
from rushlight.tensor import Tensor

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
_SQRT_TWO_PI = math.sqrt(2 * math.pi)
_SQRT_HALF = math.sqrt(0.5)

# ---- error function


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


@op(_core.erfcx, method=False, public=False, out=True)
def erfcx(input: Tensor) -> Tensor:
    """exp(input^2) * erfc(input), finite for large inputs."""


erfcx.vjp(input=lambda grad, input, result: grad * (2 * input * result - _TWO_OVER_SQRT_PI))


@op(method=False, public=False, out=True)
def ndtr(input: Tensor) -> Tensor:
    """The probability that a standard normal number is below: (1 + erf(input / sqrt(2))) / 2."""
    return _core.mul(_core.erfc(_core.mul(input, -_SQRT_HALF)), 0.5)


ndtr.vjp(input=lambda grad, input: grad * (exp(-0.5 * square(input)) / _SQRT_TWO_PI))


@op(method=False, public=False, out=True)
def log_ndtr(input: Tensor) -> Tensor:
    """log(ndtr(input)), accurate in the lower tail."""
    scaled = _core.mul(input, _SQRT_HALF)
    halved = _core.mul(_core.erfcx(_core.neg(scaled)), 0.5)
    tail = _core.sub(_core.log(halved), _core.square(scaled))
    centre = _core.log1p(_core.mul(_core.erfc(scaled), -0.5))
    return _core.where(_core.lt(scaled, -_SQRT_HALF), tail, centre)


log_ndtr.vjp(
    input=lambda grad, input: grad * (math.sqrt(2 / math.pi) / erfcx(input * -_SQRT_HALF))
)


@op(_core.ndtri, method=False, public=False, out=True)
def ndtri(input: Tensor) -> Tensor:
    """The inverse of ndtr."""


ndtri.vjp(input=lambda grad, result: grad * (_SQRT_TWO_PI * exp(0.5 * square(result))))

# ---- gamma


@op(_core.lgamma, inplace=True, out=True)
def lgamma(input: Tensor) -> Tensor:
    """The logarithm of |gamma(input)|."""


lgamma.vjp(input=lambda grad, input: grad * digamma(input))


@op(_core.digamma, inplace=True, out=True)
def digamma(input: Tensor) -> Tensor:
    """The derivative of lgamma."""


digamma.vjp(input=lambda grad, input: grad * polygamma(1, input))


@op(method=False, out=True)
def polygamma(n: int, input: Tensor) -> Tensor:
    """The derivative of digamma of order n."""
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, got {n}")
    if n == 0:
        return _core.digamma(input)
    # DLMF 5.15.1: a sum of inverse powers, which is Hurwitz' zeta
    scale = math.factorial(n) * (1.0 if n % 2 else -1.0) if n < 171 else math.inf
    return _core.mul(_core.zeta(float(n + 1), input), scale)


polygamma.vjp(input=lambda grad, n, input: grad * polygamma(n + 1, input))


@composed(method="polygamma", inplace=True, public=False)
def _polygamma_method(input: Tensor, n: int) -> Tensor:
    """The derivative of digamma of order n."""
    return polygamma(n, input)


@composed(method=True, inplace=True, out=True)
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the gamma function of p dimensions: a sum of p values of lgamma."""
    if p < 1:
        raise RuntimeError(f"p has to be greater than or equal to 1, got {p}")
    if not input.dtype.is_floating_point:
        input = input.to(_core.get_default_dtype())
    # DLMF 35.3.4
    halves = _core.mul(_core.arange(0, p, 1, input.dtype), -0.5)
    constant = p * (p - 1) * 0.25 * math.log(math.pi)
    return lgamma(input.unsqueeze(-1) + halves).sum(-1) + constant


@op(_core.igamma, inplace=True, out=True)
def igamma(input: Tensor, other: Tensor) -> Tensor:
    """The lower incomplete gamma function of order `input` at `other`, over gamma(input)."""


def _igamma_slope(grad: Tensor, input: Tensor, other: Tensor) -> Tensor:
    return grad * exp((input - 1) * log(other) - other - lgamma(input))


igamma.vjp(input=lambda grad: _no_order("igamma"), other=_igamma_slope)


@op(_core.igammac, inplace=True, out=True)
def igammac(input: Tensor, other: Tensor) -> Tensor:
    """1 - igamma(input, other), accurate where that is small."""


igammac.vjp(
    input=lambda grad: _no_order("igammac"),
    other=lambda grad, input, other: -_igamma_slope(grad, input, other),
)


def _no_order(name: str) -> Tensor:
    raise NotImplementedError(
        f"the derivative for 'input' of {name} is not implemented, as in PyTorch: detach it"
    )


@op(_core.zeta, method=False, public=False, out=True)
def zeta(input: Any, other: Any) -> Tensor:
    """Hurwitz' zeta: the sum of (k + other)^-input over k = 0, 1, ..."""


zeta.vjp(
    input=lambda grad: _no_order("zeta"),
    other=lambda grad, input, other: grad * (-input * zeta(input + 1, other)),
)

# ---- entropy and odds


@op(_core.xlogy, inplace=True, out=True)
def xlogy(input: Any, other: Any) -> Tensor:
    """input * log(other), 0 where input is 0 (unless other is nan)."""


def _log(value: Any) -> Any:
    return log(value) if isinstance(value, Tensor) else math.log(value) if value > 0 else -math.inf


xlogy.vjp(
    input=lambda grad, input, other: grad * where((input == 0) & (other <= 0), 0.0, _log(other)),
    other=lambda grad, input, other: grad * input / other,
)


@op(method=False, public=False, out=True)
def xlog1py(input: Any, other: Any) -> Tensor:
    """input * log1p(other), 0 where input is 0 (unless other is nan)."""
    logs = _core.log1p(other) if isinstance(other, Tensor) else math.log1p(other)
    product = _core.mul(input, logs)
    zero = _core.full((), 0, product.dtype)
    keep = _core.logical_or(_core.ne(input, 0), _core.ne(other, other)) if isinstance(
        other, Tensor
    ) else _core.ne(input, 0)
    return _core.where(keep, product, zero)


xlog1py.vjp(
    input=lambda grad, input, other: (
        grad * where((input == 0) & (other <= -1), 0.0, log1p(other))
        if isinstance(other, Tensor)
        else grad * (math.log1p(other) if other > -1 else where(input == 0, 0.0, -math.inf))
    ),
    other=lambda grad, input, other: grad * input / (other + 1),
)


@op(method=False, public=False, out=True)
def entr(input: Tensor) -> Tensor:
    """-input * log(input); 0 at 0, -inf below."""
    inside = _core.where(_core.eq(input, 0), 0.0, _core.neg(_core.xlogy(input, input)))
    return _core.where(_core.lt(input, 0), -math.inf, inside)


entr.vjp(input=lambda grad, input: grad * (-1 - log(input)))


@op(inplace=True, out=True)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(input / (1 - input)): the inverse of sigmoid; with `eps`, inputs are held off 0 and 1."""
    if not input.dtype.is_floating_point:
        input = _core.to_dtype(input, _core.get_default_dtype())
    if eps is not None:
        input = _core.minimum(_core.maximum(input, eps), 1 - eps)
    return _core.log(_core.div(input, _core.sub(1, input)))


def _logit_gradient(grad: Tensor, input: Tensor, eps: float | None) -> Tensor:
    slope = grad / (input * (1 - input))
    if eps is None:
        return where((input < 0) | (input > 1), math.nan, slope)
    return where((input < eps) | (input > 1 - eps), 0.0, slope)


logit.vjp(input=_logit_gradient)

# ---- Bessel functions and sinc


@op(inplace=True, out=True)
def sinc(input: Tensor) -> Tensor:
    """sin(pi input) / (pi input), 1 at 0."""
    if not input.dtype.is_complex:
        return _core.sinc(input)
    angle = _core.mul(input, math.pi)
    return _core.where(_core.eq(input, 0), 1.0, _core.div(_core.sin(angle), angle))


def _sinc_gradient(grad: Tensor, input: Tensor) -> Tensor:
    angle = input * math.pi
    slope = (angle * angle.cos() - angle.sin()) / (angle * input)
    return grad * _c(where(input == 0, 0.0, slope))


sinc.vjp(input=_sinc_gradient)


@op(_core.i0, inplace=True, out=True)
def i0(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind, order 0."""


i0.vjp(input=lambda grad, input: grad * i1(input))


@op(_core.i0e, method=False, public=False, out=True)
def i0e(input: Tensor) -> Tensor:
    """exp(-|input|) * i0(input)."""


i0e.vjp(input=lambda grad, input, result: grad * (i1e(input) - input.sgn() * result))


@op(_core.i1, method=False, public=False, out=True)
def i1(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind, order 1."""


i1.vjp(
    input=lambda grad, input, result: (
        grad * where(input == 0, 0.5, i0(input) - result / input)  # DLMF 10.29.2
    )
)


@op(_core.i1e, method=False, public=False, out=True)
def i1e(input: Tensor) -> Tensor:
    """exp(-|input|) * i1(input)."""


i1e.vjp(
    input=lambda grad, input, result: (
        grad * where(input == 0, 0.5, i0e(input) - result * (input.sgn() + 1 / input))
    )
)


# ---- functions without a derivative here, as in PyTorch


def _plain(kernel: Any, name: str, text: str, *arguments: str) -> None:
    """Declares an op of torch.special that has no derivative."""

    def one(input: Tensor) -> Tensor: ...

    def two(input: Any, n: Any) -> Tensor: ...

    function = two if arguments else one
    function.__name__ = name
    function.__doc__ = text
    globals()[name] = op(kernel, method=False, public=False, out=True)(function)


for _kernel, _name, _text in (
    (_core.bessel_j0, "bessel_j0", "The Bessel function of the first kind, order 0."),
    (_core.bessel_j1, "bessel_j1", "The Bessel function of the first kind, order 1."),
    (_core.bessel_y0, "bessel_y0", "The Bessel function of the second kind, order 0."),
    (_core.bessel_y1, "bessel_y1", "The Bessel function of the second kind, order 1."),
    (_core.i0, "modified_bessel_i0", "The modified Bessel function of the first kind, order 0."),
    (_core.i1, "modified_bessel_i1", "The modified Bessel function of the first kind, order 1."),
    (_core.bessel_k0, "modified_bessel_k0", "The modified one of the second kind, order 0."),
    (_core.bessel_k1, "modified_bessel_k1", "The modified one of the second kind, order 1."),
    (_core.bessel_k0e, "scaled_modified_bessel_k0", "exp(input) * modified_bessel_k0(input)."),
    (_core.bessel_k1e, "scaled_modified_bessel_k1", "exp(input) * modified_bessel_k1(input)."),
    (_core.spherical_bessel_j0, "spherical_bessel_j0", "sin(input) / input, 1 at 0."),
    (_core.airy_ai, "airy_ai", "The Airy function Ai."),
):
    _plain(_kernel, _name, _text)

for _name in (
    "chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v",
    "chebyshev_polynomial_w", "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v", "shifted_chebyshev_polynomial_w", "hermite_polynomial_h",
    "hermite_polynomial_he", "laguerre_polynomial_l", "legendre_polynomial_p",
):  # fmt: skip
    _plain(getattr(_core, _name), _name, "The polynomial of degree n at input.", "n")
