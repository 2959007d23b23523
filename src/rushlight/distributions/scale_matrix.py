"""A positive definite scale, given as covariance, as precision or as Cholesky factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions.parameters import lazy_property
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def the_given_matrix(
    covariance_matrix: Tensor | None, precision_matrix: Tensor | None, scale_tril: Tensor | None
) -> tuple[str, Tensor]:
    """The name and the value of the one of the three that is not None.

    Raises:
        ValueError: it is not one, or no matrix.
    """
    named = {
        "covariance_matrix": covariance_matrix,
        "scale_tril": scale_tril,
        "precision_matrix": precision_matrix,
    }
    given = [(name, matrix) for name, matrix in named.items() if matrix is not None]
    if len(given) != 1:
        raise ValueError(
            "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
        )
    name, matrix = given[0]
    if matrix.ndim < 2:
        raise ValueError(
            f"{name} must be at least two-dimensional, with optional leading batch dimensions"
        )
    return name, matrix


def factor_of(name: str, matrix: Tensor) -> Tensor:
    """The Cholesky factor of the covariance, from the matrix of that name."""
    if name == "scale_tril":
        return matrix
    if name == "covariance_matrix":
        return rushlight.linalg.cholesky(matrix)
    # Of P with rows and columns turned round, L L^T; turned back, its inverse is the factor.
    turned = rushlight.linalg.cholesky(matrix.flip((-2, -1)))
    upper = turned.flip((-2, -1)).mT
    eye = rushlight.eye(matrix.shape[-1], dtype=matrix.dtype)
    return rushlight.linalg.solve_triangular(upper, eye, upper=False)


class ScaleMatrix:
    """For a distribution that is given one of the three matrices: each, when asked for."""

    _batch_shape: Any
    _unbroadcasted_scale_tril: Tensor

    def _broadcast(self, matrix: Tensor) -> Tensor:
        return matrix.expand((*self._batch_shape, *matrix.shape[-2:]))

    def _expanded_matrices(self, batch_shape: Sequence[int]) -> dict[str, Tensor]:
        """Those that are there already, for the batch."""
        own = self.__dict__
        names = ("covariance_matrix", "scale_tril", "precision_matrix")
        return {n: own[n].expand((*batch_shape, -1, -1)) for n in names if n in own}

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._broadcast(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance; of a Wishart distribution the mean over df."""
        return self._broadcast(self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return self._broadcast(rushlight.cholesky_inverse(self._unbroadcasted_scale_tril))
