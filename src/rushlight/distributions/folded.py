"""Half of a distribution that is symmetric about 0: of its absolute values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.transformed_distribution import TransformedDistribution

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__: list[str] = []


class Folded(TransformedDistribution):
    """What HalfNormal and HalfCauchy share. Not public: PyTorch has no such class."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    @property
    def scale(self) -> Tensor:
        """The scale of the number whose absolute value it is."""
        return self.base_dist.scale

    @property
    def mode(self) -> Tensor:
        return rushlight.zeros_like(self.scale)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        found = self.base_dist.log_prob(value) + math.log(2)
        return rushlight.where(value >= 0, found, -float("inf"))

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, prob: Tensor) -> Tensor:  # type: ignore[override]
        return self.base_dist.icdf((prob + 1) / 2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)
