"""A mixture of distributions of one family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.categorical import Categorical
from rushlight.distributions.distribution import Distribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A mixture: a class is drawn first, then a value from the distribution of that class.

    Args:
        mixture_distribution: a `Categorical` of K classes.
        component_distribution: a distribution whose last batch axis has size K.
    """

    arg_constraints: dict[str, Any] = {}
    has_rsample = False

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(
                "The Mixture distribution needs to be an instance of "
                "torch.distributions.Categorical"
            )
        if not isinstance(component_distribution, Distribution):
            raise ValueError(
                "The Component distribution need to be an instance of "
                "torch.distributions.Distribution"
            )
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        mixture_batch = tuple(mixture_distribution.batch_shape)
        component_batch = tuple(component_distribution.batch_shape[:-1])
        for one, other in zip(reversed(mixture_batch), reversed(component_batch)):
            if one != 1 and other != 1 and one != other:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({mixture_batch}) is not compatible with "
                    f"`component_distribution.batch_shape`({component_batch})"
                )
        count = mixture_distribution.logits.shape[-1]
        available = component_distribution.batch_shape[-1]
        if count != available:
            raise ValueError(
                f"`mixture_distribution component` ({count}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({available})"
            )
        self._num_component = count
        event_shape = component_distribution.event_shape
        self._event_ndims = len(event_shape)
        super().__init__(component_batch, event_shape, validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        parameters = {
            "_component_distribution": self._component_distribution.expand(
                (*batch_shape, self._num_component)
            ),
            "_mixture_distribution": self._mixture_distribution.expand(batch_shape),
            "_num_component": self._num_component,
            "_event_ndims": self._event_ndims,
        }
        return self._expanded(MixtureSameFamily, batch_shape, _instance, **parameters)

    @constraints.dependent_property
    def support(self) -> Any:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Categorical:
        """The distribution of the classes."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The distributions of the values."""
        return self._component_distribution

    @property
    def mean(self) -> Tensor:
        probs = self._pad_mixture_dimensions(self.mixture_distribution.probs)
        return (probs * self.component_distribution.mean).sum(-1 - self._event_ndims)

    @property
    def variance(self) -> Tensor:
        probs = self._pad_mixture_dimensions(self.mixture_distribution.probs)
        axis = -1 - self._event_ndims
        within = (probs * self.component_distribution.variance).sum(axis)
        apart = self.component_distribution.mean - self._pad(self.mean)
        return within + (probs * apart.square()).sum(axis)

    def cdf(self, x: Tensor) -> Tensor:  # type: ignore[override]
        below = self.component_distribution.cdf(self._pad(x))
        return (below * self.mixture_distribution.probs).sum(-1)

    def log_prob(self, x: Tensor) -> Tensor:  # type: ignore[override]
        if self._validate_args:
            self._validate_sample(x)
        each = self.component_distribution.log_prob(self._pad(x))
        weights = self.mixture_distribution.logits.log_softmax(-1)
        return (each + weights).logsumexp(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with rushlight.no_grad():
            axis = len(sample_shape) + len(self.batch_shape)
            chosen = self.mixture_distribution.sample(sample_shape)
            shape = chosen.shape
            values = self.component_distribution.sample(sample_shape)
            index = chosen.reshape((*shape, *[1] * (self._event_ndims + 1)))
            index = index.repeat((*[1] * len(shape), 1, *self.event_shape))
            return values.gather(axis, index).squeeze(axis)

    def _pad(self, x: Tensor) -> Tensor:
        """With an axis for the components."""
        return x.unsqueeze(-1 - self._event_ndims)

    def _pad_mixture_dimensions(self, x: Tensor) -> Tensor:
        batch = len(self.batch_shape)
        own = len(self.mixture_distribution.batch_shape)
        missing = 0 if own == 0 else batch - own
        shape = (*x.shape[:-1], *[1] * missing, x.shape[-1], *[1] * self._event_ndims)
        return x.reshape(shape)

    def __repr__(self) -> str:
        parts = (self.mixture_distribution, self.component_distribution)
        return "MixtureSameFamily(\n  {},\n  {})".format(*parts)
