"""Distributions of an exponential family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions.distribution import Distribution

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """p(x) = exp(<t(x), theta> - F(theta) + k(x)): natural parameters theta, log normalizer F.

    The entropy follows from the log normalizer and its gradient (Nielsen and Nock 2010).
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        """The mean of k(x)."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        result = -self._mean_carrier_measure
        params = [p.detach().requires_grad_() for p in self._natural_params]
        with rushlight.enable_grad():
            normalizer = self._log_normalizer(*params)
            gradients = rushlight.autograd.grad(normalizer.sum(), params, create_graph=True)
        result = result + normalizer
        for theta, slope in zip(params, gradients):
            product = theta * slope
            result = result - product.reshape((*self._batch_shape, -1)).sum(-1)
        return result
