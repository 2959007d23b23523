"""The von Mises distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.parameters import broadcast_all, lazy_property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["VonMises"]


# Polynomials for the logarithms of the modified Bessel functions of order 0 and 1 (Abramowitz and
# Stegun 1964, 9.8.1 to 9.8.4): for small arguments in (x / 3.75)^2, for large ones in 3.75 / x.
_SMALL = (
    (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.360768e-1, 0.45813e-2),
    (0.5, 0.87890594, 0.51498869, 0.15084934, 0.2658733e-1, 0.301532e-2, 0.32411e-3),
)
_LARGE = (
    (0.39894228, 0.1328592e-1, 0.225319e-2, -0.157565e-2, 0.916281e-2, -0.2057706e-1,
     0.2635537e-1, -0.1647633e-1, 0.392377e-2),
    (0.39894228, -0.3988024e-1, -0.362018e-2, 0.163801e-2, -0.1031555e-1, 0.2282967e-1,
     -0.2895312e-1, 0.1787654e-1, -0.420059e-2),
)  # fmt: skip


def _polynomial(y: Tensor, coefficients: Sequence[float]) -> Tensor:
    result = coefficients[-1] + y * 0
    for coefficient in reversed(coefficients[:-1]):
        result = coefficient + y * result
    return result


def _log_modified_bessel(x: Tensor, order: int = 0) -> Tensor:
    """log I_order(x) for x > 0."""
    small = _polynomial((x / 3.75).square(), _SMALL[order])
    if order == 1:
        small = x.abs() * small
    large = x - 0.5 * x.log() + _polynomial(3.75 / x, _LARGE[order]).log()
    return rushlight.where(x < 3.75, small.log(), large)


class VonMises(Distribution):
    """The von Mises distribution, over angles from -pi to pi.

    Args:
        loc: the mean angle, in radians.
        concentration: positive; 0 would be uniform.
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        found = self.concentration * (value - self.loc).cos()
        return found - math.log(2 * math.pi) - _log_modified_bessel(self.concentration)

    @lazy_property
    def _proposal_r(self) -> Tensor:
        kappa = self.concentration.double()
        tau = 1 + (1 + 4 * kappa.square()).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        exact = (1 + rho.square()) / (2 * rho)
        taylor = 1 / kappa + kappa  # second order, for tiny concentrations
        return rushlight.where(kappa < 1e-5, taylor, exact)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """By rejection from a wrapped Cauchy distribution (Best and Fisher 1979)."""
        with rushlight.no_grad():
            shape = self._extended_shape(sample_shape)
            loc, kappa = self.loc.double(), self.concentration.double()
            angle = rushlight.empty(shape, dtype=rushlight.float64)
            done = rushlight.zeros(shape, dtype=rushlight.bool)
            while not done.all():
                u1, u2, u3 = rushlight.rand((3, *shape), dtype=rushlight.float64).unbind()
                z = (math.pi * u1).cos()
                f = (1 + self._proposal_r * z) / (self._proposal_r + z)
                c = kappa * (self._proposal_r - f)
                accepted = ((c * (2 - c) - u2) > 0) | ((c / u2).log() + 1 - c >= 0)
                if accepted.any():
                    angle = rushlight.where(accepted, (u3 - 0.5).sign() * f.acos(), angle)
                    done = done | accepted
            return ((angle + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return self._expanded(VonMises, batch_shape, _instance, "loc", "concentration")

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:  # type: ignore[override]
        """The circular variance."""
        ratio = _log_modified_bessel(self.concentration, 1) - _log_modified_bessel(
            self.concentration
        )
        return 1 - ratio.exp()
