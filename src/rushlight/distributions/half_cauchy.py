"""The half-Cauchy distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions.cauchy import Cauchy
from rushlight.distributions.folded import Folded
from rushlight.distributions.transforms import AbsTransform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["HalfCauchy"]


class HalfCauchy(Folded):
    """The distribution of the absolute value of a Cauchy number with median 0.

    Args:
        scale: of the Cauchy number, positive.
    """

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        base = Cauchy(0, scale, validate_args=False)
        super().__init__(base, AbsTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return super().expand(batch_shape, self._get_checked_instance(HalfCauchy, _instance))

    @property
    def mean(self) -> Tensor:
        return rushlight.full_like(self.scale, float("inf"))

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        value = rushlight.as_tensor(value, dtype=self.scale.dtype)
        found = self.base_dist.log_prob(value) + math.log(2)
        return rushlight.where(value >= 0, found, -float("inf"))
