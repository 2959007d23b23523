"""The distribution of a function of a random value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.independent import Independent
from rushlight.distributions.parameters import sum_rightmost
from rushlight.distributions.transforms import ComposeTransform, Transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """The distribution of y = f(x), x from a base distribution and f invertible.

    log p(y) = log p_base(x) - log |dy/dx|.

    Args:
        base_distribution: of x.
        transforms: f, or a list of functions that are applied one after the other.
    """

    arg_constraints: dict[str, Any] = {}
    base_dist: Any

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        if isinstance(transforms, Transform):
            self.transforms: list[Transform] = [transforms]
        elif isinstance(transforms, list):
            if not all(isinstance(t, Transform) for t in transforms):
                raise ValueError(
                    "transforms must be a Transform or a list of Transforms"
                )
            self.transforms = transforms
        else:
            raise ValueError(
                f"transforms must be a Transform or list, but was {transforms}"
            )
        base_shape = (*base_distribution.batch_shape, *base_distribution.event_shape)
        base_event = len(base_distribution.event_shape)
        composed = ComposeTransform(self.transforms)
        if len(base_shape) < composed.domain.event_dim:
            raise ValueError(
                f"base_distribution needs to have shape with size at least "
                f"{composed.domain.event_dim}, but got {list(base_shape)}."
            )
        forward_shape = tuple(composed.forward_shape(base_shape))
        expanded_base = tuple(composed.inverse_shape(forward_shape))
        if base_shape != expanded_base:
            batch = expanded_base[: len(expanded_base) - base_event]
            base_distribution = base_distribution.expand(batch)
        moved = composed.domain.event_dim - base_event
        if moved > 0:
            base_distribution = Independent(base_distribution, moved)
        self.base_dist = base_distribution
        # The event has at least the axes that the last transform takes together.
        change = composed.codomain.event_dim - composed.domain.event_dim
        event_dim = max(composed.codomain.event_dim, base_event + change)
        if len(forward_shape) < event_dim:
            raise AssertionError("the transformed value has too few dimensions")
        cut = len(forward_shape) - event_dim
        super().__init__(forward_shape[:cut], forward_shape[cut:], validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        shape = (*batch_shape, *self.event_shape)
        for transform in reversed(self.transforms):
            shape = tuple(transform.inverse_shape(shape))
        base_batch = shape[: len(shape) - len(self.base_dist.event_shape)]
        return self._expanded(
            TransformedDistribution,
            batch_shape,
            _instance,
            base_dist=self.base_dist.expand(base_batch),
            transforms=self.transforms,
        )

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        found = self.transforms[-1].codomain
        extra = len(self.event_shape) - found.event_dim
        return constraints.independent(found, extra) if extra > 0 else found

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with rushlight.no_grad():
            x = self.base_dist.sample(sample_shape)
            for transform in self.transforms:
                x = transform(x)
            return x

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        x = self.base_dist.rsample(sample_shape)
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        event_dim = len(self.event_shape)
        found: Any = 0.0
        y = value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            event_dim += transform.domain.event_dim - transform.codomain.event_dim
            slope = transform.log_abs_det_jacobian(x, y)
            found = found - sum_rightmost(slope, event_dim - transform.domain.event_dim)
            y = x
        own = sum_rightmost(
            self.base_dist.log_prob(y), event_dim - len(self.base_dist.event_shape)
        )
        return found + own

    def _sign(self) -> Any:
        """1 where the whole map is increasing, -1 where it is decreasing."""
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return sign

    def _turned(self, value: Tensor) -> Tensor:
        """A probability of the one end as that of the other, for decreasing maps."""
        sign = self._sign()
        if isinstance(sign, int) and sign == 1:
            return value
        return sign * (value - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        if self._validate_args:
            self.base_dist._validate_sample(value)
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        value = self.base_dist.icdf(self._turned(value))
        for transform in self.transforms:
            value = transform(value)
        return value
