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
from rushlight.ops.undefined import undefined
from rushlight.tensor import Tensor

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
_SQRT_TWO_PI = math.sqrt(2 * math.pi)
_SQRT_HALF = math.sqrt(0.5)

# ---- error function


@op(_core.erf, inplace=True, out=True)
def erf(input: Tensor) -> Tensor:
    """The error function: 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to input (DLMF 7.2).

    Integers give the default float dtype.
    """


erf.vjp(input=lambda grad, input: grad * (_TWO_OVER_SQRT_PI * exp(-square(input))))


@op(_core.erfc, inplace=True, out=True)
def erfc(input: Tensor) -> Tensor:
    """1 - erf(input), accurate where that is small; integers give the default float dtype."""


erfc.vjp(input=lambda grad, input: grad * (-_TWO_OVER_SQRT_PI * exp(-square(input))))


@op(_core.erfinv, inplace=True, out=True)
def erfinv(input: Tensor) -> Tensor:
    """The inverse of erf: infinite at -1 and 1, nan outside.

    Integers give the default float dtype.
    """


erfinv.vjp(input=lambda grad, result: grad * (exp(square(result)) / _TWO_OVER_SQRT_PI))


@op(_core.erfcx, method=False, public=False, out=True)
def erfcx(input: Tensor) -> Tensor:
    """exp(input^2) * erfc(input), finite for large inputs (DLMF 7.2.3, with another sign).

    Integers give the default float dtype.
    """


erfcx.vjp(input=lambda grad, input, result: grad * (2 * input * result - _TWO_OVER_SQRT_PI))


@op(method=False, public=False, out=True)
def ndtr(input: Tensor) -> Tensor:
    """The probability that a standard normal number is below: (1 + erf(input / sqrt(2))) / 2."""
    return _core.mul(_core.erfc(_core.mul(input, -_SQRT_HALF)), 0.5)


ndtr.vjp(input=lambda grad, input: grad * (exp(-0.5 * square(input)) / _SQRT_TWO_PI))


@op(method=False, public=False, out=True)
def log_ndtr(input: Tensor) -> Tensor:
    """log(ndtr(input)), accurate in the lower tail, where ndtr itself underflows."""
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
    """The inverse of ndtr: the quantiles of the normal distribution.

    Infinite at 0 and 1, nan outside.
    """


ndtri.vjp(input=lambda grad, result: grad * (_SQRT_TWO_PI * exp(0.5 * square(result))))

# ---- gamma


@op(_core.lgamma, inplace=True, out=True)
def lgamma(input: Tensor) -> Tensor:
    """log |gamma(input)|: inf at 0 and the negative integers.

    Integers give the default float dtype.
    """


lgamma.vjp(input=lambda grad, input: grad * digamma(input))


@op(_core.digamma, inplace=True, out=True)
def digamma(input: Tensor) -> Tensor:
    """The derivative of lgamma (DLMF 5.2.2): -inf at 0, nan at the negative integers.

    Integers give the default float dtype.
    """


digamma.vjp(input=lambda grad, input: grad * polygamma(1, input))


@op(method=False, out=True)
def polygamma(n: int, input: Tensor) -> Tensor:
    """The derivative of digamma of order `n`: (-1)^(n+1) n! zeta(n + 1, input) (DLMF 5.15).

    Integers give the default float dtype. Raises RuntimeError for a negative `n`.
    """
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
    """log of the gamma function of `p` dimensions (DLMF 35.3.4).

    p (p - 1) / 4 log(pi) + the sum of lgamma(input - j / 2) over j = 0 ... p - 1. Integers give the
    default float dtype. Raises RuntimeError for p < 1.
    """
    if p < 1:
        raise RuntimeError(f"p has to be greater than or equal to 1, got {p}")
    if not input.dtype.is_floating_point:
        input = input.to(_core.get_default_dtype())
    # DLMF 35.3.4
    halves = _core.mul(_core.placed(_core.arange(0, p, 1, input.dtype), input), -0.5)
    constant = p * (p - 1) * 0.25 * math.log(math.pi)
    return lgamma(input.unsqueeze(-1) + halves).sum(-1) + constant


@op(_core.igamma, inplace=True, out=True)
def igamma(input: Tensor, other: Tensor) -> Tensor:
    """The regularized lower incomplete gamma function P(input, other) (DLMF 8.2.4).

    `input` is the order a, `other` where the integral of t^(a-1) exp(-t) ends; nan where one is
    negative. Shapes broadcast. Differentiable in `other`; for `input` NotImplementedError is
    raised.
    """


def _igamma_slope(grad: Tensor, input: Tensor, other: Tensor) -> Tensor:
    return grad * exp((input - 1) * log(other) - other - lgamma(input))


igamma.vjp(input=undefined("'input' of igamma", error=NotImplementedError), other=_igamma_slope)


@op(_core.igammac, inplace=True, out=True)
def igammac(input: Tensor, other: Tensor) -> Tensor:
    """1 - igamma(input, other) = Q(input, other), accurate where that is small.

    As :func:`igamma`.
    """


igammac.vjp(
    input=undefined("'input' of igammac", error=NotImplementedError),
    other=lambda grad, input, other: -_igamma_slope(grad, input, other),
)


@op(_core.zeta, method=False, public=False, out=True)
def zeta(input: Any, other: Any) -> Tensor:
    """Hurwitz' zeta function: the sum of (k + other)^-input over k = 0, 1, ... (DLMF 25.11).

    inf at input 1, nan below. Shapes broadcast. Differentiable in `other`; for `input`
    NotImplementedError is raised.
    """


zeta.vjp(
    input=undefined("'input' of zeta", error=NotImplementedError),
    other=lambda grad, input, other: grad * (-input * zeta(input + 1, other)),
)

# ---- entropy and odds


@op(_core.xlogy, inplace=True, out=True)
def xlogy(input: Any, other: Any) -> Tensor:
    """input * log(other), 0 where input is 0 (unless other is nan). Shapes broadcast.

    Either may be a number; integers give the default float dtype.
    """


def _log(value: Any) -> Any:
    return log(value) if isinstance(value, Tensor) else math.log(value) if value > 0 else -math.inf


xlogy.vjp(
    input=lambda grad, input, other: grad * where((input == 0) & (other <= 0), 0.0, _log(other)),
    other=lambda grad, input, other: grad * input / other,
)


@op(method=False, public=False, out=True)
def xlog1py(input: Any, other: Any) -> Tensor:
    """input * log1p(other), 0 where input is 0 (unless other is nan). Shapes broadcast.

    Either may be a number; integers give the default float dtype.
    """
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
    """-input * log(input), the terms of an entropy in nats; 0 at 0, -inf below."""
    inside = _core.where(_core.eq(input, 0), 0.0, _core.neg(_core.xlogy(input, input)))
    return _core.where(_core.lt(input, 0), -math.inf, inside)


entr.vjp(input=lambda grad, input: grad * (-1 - log(input)))


@op(inplace=True, out=True)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(input / (1 - input)): the inverse of sigmoid; infinite at 0 and 1, nan outside.

    With `eps`, inputs are held to [eps, 1 - eps], with derivative 0 outside. Integers give the
    default float dtype.
    """
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
    """sin(pi input) / (pi input), 1 at 0; integers give the default float dtype."""
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
    """The modified Bessel function of the first kind, order 0 (DLMF 10.25)."""


i0.vjp(input=lambda grad, input: grad * i1(input))


@op(_core.i0e, method=False, public=False, out=True)
def i0e(input: Tensor) -> Tensor:
    """exp(-|input|) * i0(input), which does not overflow."""


i0e.vjp(input=lambda grad, input, result: grad * (i1e(input) - input.sgn() * result))


@op(_core.i1, method=False, public=False, out=True)
def i1(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind, order 1 (DLMF 10.25)."""


i1.vjp(
    input=lambda grad, input, result: (
        grad * where(input == 0, 0.5, i0(input) - result / input)  # DLMF 10.29.2
    )
)


@op(_core.i1e, method=False, public=False, out=True)
def i1e(input: Tensor) -> Tensor:
    """exp(-|input|) * i1(input), which does not overflow."""


i1e.vjp(
    input=lambda grad, input, result: (
        grad * where(input == 0, 0.5, i0e(input) - result * (input.sgn() + 1 / input))
    )
)


# ---- functions without a derivative here, as in PyTorch


@op(_core.bessel_j0, method=False, public=False, out=True)
def bessel_j0(input: Tensor) -> Tensor:
    """The Bessel function J0, of the first kind and order 0.

    Solves x^2 y'' + x y' + x^2 y = 0 and is 1 at 0 (DLMF 10.2).
    """


@op(_core.bessel_j1, method=False, public=False, out=True)
def bessel_j1(input: Tensor) -> Tensor:
    """The Bessel function J1, of the first kind and order 1; J0' = -J1 (DLMF 10.2)."""


@op(_core.bessel_y0, method=False, public=False, out=True)
def bessel_y0(input: Tensor) -> Tensor:
    """The Bessel function Y0, of the second kind and order 0 (DLMF 10.2).

    -inf at 0, nan for negative inputs.
    """


@op(_core.bessel_y1, method=False, public=False, out=True)
def bessel_y1(input: Tensor) -> Tensor:
    """The Bessel function Y1, of the second kind and order 1 (DLMF 10.2).

    -inf at 0, nan for negative inputs.
    """


@op(_core.i0, method=False, public=False, out=True)
def modified_bessel_i0(input: Tensor) -> Tensor:
    """The modified Bessel function I0, of the first kind and order 0 (DLMF 10.25).

    As `torch.i0`, but without a derivative.
    """


@op(_core.i1, method=False, public=False, out=True)
def modified_bessel_i1(input: Tensor) -> Tensor:
    """The modified Bessel function I1, of the first kind and order 1 (DLMF 10.25).

    As `torch.special.i1`, but without a derivative.
    """


@op(_core.bessel_k0, method=False, public=False, out=True)
def modified_bessel_k0(input: Tensor) -> Tensor:
    """The modified Bessel function K0, of the second kind and order 0 (DLMF 10.25).

    inf at 0, nan for negative inputs.
    """


@op(_core.bessel_k1, method=False, public=False, out=True)
def modified_bessel_k1(input: Tensor) -> Tensor:
    """The modified Bessel function K1, of the second kind and order 1 (DLMF 10.25).

    inf at 0, nan for negative inputs.
    """


@op(_core.bessel_k0e, method=False, public=False, out=True)
def scaled_modified_bessel_k0(input: Tensor) -> Tensor:
    """exp(input) * modified_bessel_k0(input), which does not underflow for large inputs."""


@op(_core.bessel_k1e, method=False, public=False, out=True)
def scaled_modified_bessel_k1(input: Tensor) -> Tensor:
    """exp(input) * modified_bessel_k1(input), which does not underflow for large inputs."""


@op(_core.spherical_bessel_j0, method=False, public=False, out=True)
def spherical_bessel_j0(input: Tensor) -> Tensor:
    """The spherical Bessel function j0: sin(input) / input, 1 at 0 (DLMF 10.47)."""


@op(_core.airy_ai, method=False, public=False, out=True)
def airy_ai(input: Tensor) -> Tensor:
    """The Airy function Ai, the solution of y'' = x y that vanishes at +inf (DLMF 9.2)."""


# Polynomials of degree n at x = `input`. Both broadcast, one of them may be a number, and fractions
# of `n` are cut off.


@op(_core.chebyshev_polynomial_t, method=False, public=False, out=True)
def chebyshev_polynomial_t(input: Any, n: Any) -> Tensor:
    """Chebyshev's T_n, of the first kind: cos(n arccos x) (DLMF 18.3)."""


@op(_core.chebyshev_polynomial_u, method=False, public=False, out=True)
def chebyshev_polynomial_u(input: Any, n: Any) -> Tensor:
    """Chebyshev's U_n, of the second kind: sin((n + 1) a) / sin(a), a = arccos x."""


@op(_core.chebyshev_polynomial_v, method=False, public=False, out=True)
def chebyshev_polynomial_v(input: Any, n: Any) -> Tensor:
    """Chebyshev's V_n, of the third kind: cos((n + 1/2) a) / cos(a / 2), a = arccos x."""


@op(_core.chebyshev_polynomial_w, method=False, public=False, out=True)
def chebyshev_polynomial_w(input: Any, n: Any) -> Tensor:
    """Chebyshev's W_n, of the fourth kind: sin((n + 1/2) a) / sin(a / 2), a = arccos x."""


@op(_core.shifted_chebyshev_polynomial_t, method=False, public=False, out=True)
def shifted_chebyshev_polynomial_t(input: Any, n: Any) -> Tensor:
    """T_n(2 x - 1): Chebyshev's polynomials of the first kind on [0, 1]."""


@op(_core.shifted_chebyshev_polynomial_u, method=False, public=False, out=True)
def shifted_chebyshev_polynomial_u(input: Any, n: Any) -> Tensor:
    """U_n(2 x - 1): Chebyshev's polynomials of the second kind on [0, 1]."""


@op(_core.shifted_chebyshev_polynomial_v, method=False, public=False, out=True)
def shifted_chebyshev_polynomial_v(input: Any, n: Any) -> Tensor:
    """V_n(2 x - 1): Chebyshev's polynomials of the third kind on [0, 1]."""


@op(_core.shifted_chebyshev_polynomial_w, method=False, public=False, out=True)
def shifted_chebyshev_polynomial_w(input: Any, n: Any) -> Tensor:
    """W_n(2 x - 1): Chebyshev's polynomials of the fourth kind on [0, 1]."""


@op(_core.hermite_polynomial_h, method=False, public=False, out=True)
def hermite_polynomial_h(input: Any, n: Any) -> Tensor:
    """Hermite's H_n, the physicists', with weight exp(-x^2): H_2 = 4 x^2 - 2."""


@op(_core.hermite_polynomial_he, method=False, public=False, out=True)
def hermite_polynomial_he(input: Any, n: Any) -> Tensor:
    """Hermite's He_n, the probabilists', with weight exp(-x^2 / 2): He_2 = x^2 - 1."""


@op(_core.laguerre_polynomial_l, method=False, public=False, out=True)
def laguerre_polynomial_l(input: Any, n: Any) -> Tensor:
    """Laguerre's L_n, with weight exp(-x) on [0, inf): L_1 = 1 - x."""


@op(_core.legendre_polynomial_p, method=False, public=False, out=True)
def legendre_polynomial_p(input: Any, n: Any) -> Tensor:
    """Legendre's P_n, with weight 1 on [-1, 1]: P_2 = (3 x^2 - 1) / 2."""
