"""Multivariate normal distributions whose covariance has low rank but for its diagonal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.multivariate_normal import product_with_vectors, squared_mahalanobis
from rushlight.distributions.parameters import lazy_property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["LowRankMultivariateNormal"]


def capacitance_factor(W: Tensor, D: Tensor) -> Tensor:
    """The Cholesky factor of I + W^T D^-1 W, (*, m, m)."""
    scaled = W.mT / D.unsqueeze(-2)
    K = scaled @ W
    return rushlight.linalg.cholesky(K + rushlight.eye(W.shape[-1], dtype=W.dtype))


def log_determinant(W: Tensor, D: Tensor, capacitance_tril: Tensor) -> Tensor:
    """log det (W W^T + diag D), by the matrix determinant lemma."""
    inner = capacitance_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return 2 * inner + D.log().sum(-1)


def mahalanobis(W: Tensor, D: Tensor, apart: Tensor, capacitance_tril: Tensor) -> Tensor:
    """d^T (W W^T + diag D)^-1 d, by Woodbury's identity."""
    scaled = product_with_vectors(W.mT / D.unsqueeze(-2), apart)
    direct = (apart.square() / D).sum(-1)
    return direct - squared_mahalanobis(capacitance_tril, scaled)


class LowRankMultivariateNormal(Distribution):
    """The normal distribution of vectors with covariance W W^T + diag(D).

    Args:
        loc: (*, n), the mean.
        cov_factor: W, (*, n, m) with m less than n.
        cov_diag: D, (*, n), positive.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        cov_factor: Tensor,
        cov_diag: Tensor,
        validate_args: bool | None = None,
    ) -> None:
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event_shape = loc.shape[-1:]
        if cov_factor.ndim < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        if cov_factor.shape[-2:-1] != event_shape:
            raise ValueError(
                f"cov_factor must be a batch of matrices with shape {event_shape[0]} x m"
            )
        if cov_diag.shape[-1:] != event_shape:
            raise ValueError(
                f"cov_diag must be a batch of vectors with shape {event_shape}"
            )
        batch = rushlight.broadcast_shapes(
            loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]
        )
        self.loc = loc.expand((*batch, -1))
        self.cov_diag = cov_diag.expand((*batch, -1))
        self.cov_factor = cov_factor.expand((*batch, -1, -1))
        self._unbroadcasted_cov_factor = cov_factor
        self._unbroadcasted_cov_diag = cov_diag
        self._capacitance_tril = capacitance_factor(cov_factor, cov_diag)
        super().__init__(batch, event_shape, validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        whole = (*batch_shape, *self.event_shape)
        parameters = {
            "loc": self.loc.expand(whole),
            "cov_diag": self.cov_diag.expand(whole),
            "cov_factor": self.cov_factor.expand((*whole, self.cov_factor.shape[-1])),
            "_unbroadcasted_cov_factor": self._unbroadcasted_cov_factor,
            "_unbroadcasted_cov_diag": self._unbroadcasted_cov_diag,
            "_capacitance_tril": self._capacitance_tril,
        }
        return self._expanded(LowRankMultivariateNormal, batch_shape, _instance, **parameters)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:  # type: ignore[override]
        """The diagonal of the covariance."""
        own = self._unbroadcasted_cov_factor.square().sum(-1) + self._unbroadcasted_cov_diag
        return own.expand((*self._batch_shape, *self._event_shape))

    def _broadcast(self, matrix: Tensor) -> Tensor:
        return matrix.expand((*self._batch_shape, *self._event_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        scaled = self._unbroadcasted_cov_factor / root
        inner = scaled @ scaled.mT + rushlight.eye(self._event_shape[0], dtype=root.dtype)
        return self._broadcast(root * rushlight.linalg.cholesky(inner))

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        W = self._unbroadcasted_cov_factor
        return self._broadcast(W @ W.mT + self._unbroadcasted_cov_diag.diag_embed())

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance, by Woodbury's identity."""
        scaled = self._unbroadcasted_cov_factor.mT / self._unbroadcasted_cov_diag.unsqueeze(-2)
        A = rushlight.linalg.solve_triangular(self._capacitance_tril, scaled, upper=False)
        return self._broadcast(
            self._unbroadcasted_cov_diag.reciprocal().diag_embed() - A.mT @ A
        )

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        narrow = (*shape[:-1], self.cov_factor.shape[-1])
        eps_W = rushlight.randn(narrow, dtype=self.loc.dtype)
        eps_D = rushlight.randn(shape, dtype=self.loc.dtype)
        return (
            self.loc
            + product_with_vectors(self._unbroadcasted_cov_factor, eps_W)
            + self._unbroadcasted_cov_diag.sqrt() * eps_D
        )

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        W, D = self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag
        distance = mahalanobis(W, D, value - self.loc, self._capacitance_tril)
        log_det = log_determinant(W, D, self._capacitance_tril)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + log_det + distance)

    def entropy(self) -> Tensor:
        log_det = log_determinant(
            self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag, self._capacitance_tril
        )
        found = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + log_det)
        return found.expand(self._batch_shape) if self._batch_shape else found
