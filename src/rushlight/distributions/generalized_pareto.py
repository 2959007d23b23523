"""The generalized Pareto distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.parameters import broadcast_all, is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """The generalized Pareto distribution, of what exceeds a high threshold.

    Args:
        loc: the least value.
        scale: positive.
        concentration: the shape of the tail; 0 gives an exponential one.
    """

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True

    def __init__(
        self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        shape = () if is_number(loc, scale, concentration) else self.loc.shape
        super().__init__(shape, validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return self._expanded(
            GeneralizedPareto, batch_shape, _instance, "loc", "scale", "concentration"
        )

    def _is_exponential(self) -> Tensor:
        return self.concentration.isclose(rushlight.zeros_like(self.concentration))

    def _safe(self) -> Tensor:
        """The concentration, with 1 where it is 0."""
        return rushlight.where(self._is_exponential(), 1, self.concentration)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.icdf(rushlight.rand(shape, dtype=self.loc.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        shape = self._safe()
        tail = (1 + 1 / shape) * (shape * z).log1p()
        return -self.scale.log() - rushlight.where(self._is_exponential(), z, tail)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """log of the probability of more than `value`."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        shape = self._safe()
        return rushlight.where(self._is_exponential(), -z, -(shape * z).log1p() / shape)

    def log_cdf(self, value: Tensor) -> Tensor:
        """log of :meth:`cdf`."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        return self.log_cdf(value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        shape = self._safe()
        straight = self.loc - self.scale * (-value).log1p()
        curved = self.loc + self.scale * (-shape * (-value).log1p()).expm1() / shape
        return rushlight.where(self._is_exponential(), straight, curved)

    def _exponential_moment(self, value: Tensor, finite: Tensor) -> Tensor:
        return rushlight.where(finite, value, float("inf"))

    @property
    def mean(self) -> Tensor:
        found = self.loc + self.scale / (1 - self.concentration)
        return self._exponential_moment(found, self.concentration < 1)

    @property
    def variance(self) -> Tensor:
        shape = self.concentration
        found = self.scale.square() / ((1 - shape).square() * (1 - 2 * shape))
        return self._exponential_moment(found, shape < 0.5)

    @property
    def mode(self) -> Tensor:
        return self.loc

    def entropy(self) -> Tensor:
        return (self.scale.log() + self.concentration + 1).broadcast_to(self._batch_shape)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        upper = rushlight.where(
            self.concentration < 0, self.loc - self.scale / self._safe(), float("inf")
        )
        return constraints.interval(self.loc, upper)
