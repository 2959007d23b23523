"""The multivariate normal distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.scale_matrix import ScaleMatrix, factor_of, the_given_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["MultivariateNormal"]


def product_with_vectors(matrix: Tensor, vector: Tensor) -> Tensor:
    """(*, n, m) times (*, m), with batches that broadcast."""
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def squared_mahalanobis(factor: Tensor, apart: Tensor) -> Tensor:
    """|L^-1 d|^2 for Cholesky factors (*, n, n) and differences (*, n)."""
    solved = rushlight.linalg.solve_triangular(factor, apart.unsqueeze(-1), upper=False)
    return solved.squeeze(-1).square().sum(-1)


def factor_of_precision(P: Tensor) -> Tensor:
    """The Cholesky factor of the inverse of a positive definite P (*, n, n)."""
    return factor_of("precision_matrix", P)


# By PyTorch's names of them, libraries make other distributions.
_batch_mv, _batch_mahalanobis = product_with_vectors, squared_mahalanobis
_precision_to_scale_tril = factor_of_precision


class MultivariateNormal(ScaleMatrix, Distribution):
    """The normal distribution of vectors.

    Args:
        loc: (*, n), the mean.
        covariance_matrix: (*, n, n), positive definite; or
        precision_matrix: its inverse; or
        scale_tril: its Cholesky factor, lower triangular. Exactly one of the three.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        name, matrix = the_given_matrix(covariance_matrix, precision_matrix, scale_tril)
        batch = rushlight.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand((*batch, -1, -1)))
        self.loc = loc.expand((*batch, -1))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = factor_of(name, matrix)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return self._expanded(
            MultivariateNormal,
            batch_shape,
            _instance,
            loc=self.loc.expand((*batch_shape, *self.event_shape)),
            _unbroadcasted_scale_tril=self._unbroadcasted_scale_tril,
            **self._expanded_matrices(batch_shape),
        )

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        own = self._unbroadcasted_scale_tril.square().sum(-1)
        return own.expand((*self._batch_shape, *self._event_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        eps = rushlight.randn(shape, dtype=self.loc.dtype)
        return self.loc + product_with_vectors(self._unbroadcasted_scale_tril, eps)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        distance = squared_mahalanobis(self._unbroadcasted_scale_tril, value - self.loc)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + distance) - self._half_log_det()

    def _half_log_det(self) -> Tensor:
        return self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def entropy(self) -> Tensor:
        constant = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi))
        found = constant + self._half_log_det()
        return found.expand(self._batch_shape) if self._batch_shape else found
