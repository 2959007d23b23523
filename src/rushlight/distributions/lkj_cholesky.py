"""Cholesky factors of random correlation matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.beta import Beta
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.parameters import broadcast_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Cholesky factors of correlation matrices M with density proportional to det(M)^(eta - 1).

    Drawn row by row, by the onion method (Lewandowski, Kurowicka and Joe 2009).

    Args:
        dim: the size of the matrices, at least 2.
        concentration: eta, positive; 1 is uniform over correlation matrices.
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(
        self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None
    ) -> None:
        if dim < 2:
            raise ValueError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}."
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        batch = self.concentration.shape
        # Row i of the factor: the squared length of its part left of the diagonal.
        marginal = self.concentration + 0.5 * (dim - 2)
        offset = rushlight.arange(dim - 1, dtype=self.concentration.dtype)
        offset = rushlight.cat([offset.new_zeros((1,)), offset])
        self._beta = Beta(offset + 0.5, marginal.unsqueeze(-1) - 0.5 * offset)
        super().__init__(batch, (dim, dim), validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        beta = self._beta.expand((*batch_shape, self.dim))
        return self._expanded(
            LKJCholesky, batch_shape, _instance, "concentration", dim=self.dim, _beta=beta
        )

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with rushlight.no_grad():
            y = self._beta.sample(sample_shape).unsqueeze(-1)
            shape = self._extended_shape(sample_shape)
            normal = rushlight.randn(shape, dtype=y.dtype).tril(-1)
            sphere = normal / normal.norm(dim=-1, keepdim=True)
            sphere[..., 0, :] = 0.0  # the first row has nothing left of the diagonal
            w = y.sqrt() * sphere
            tiny = rushlight.finfo(w.dtype).tiny
            diagonal = (1 - w.square().sum(-1)).clamp(min=tiny).sqrt()
            return w + diagonal.diag_embed()

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = rushlight.arange(2, self.dim + 1, dtype=self.concentration.dtype)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        unnormalized = (order * diagonal.log()).sum(-1)
        # Lewandowski et al. 2009, page 1999.
        below = self.dim - 1
        alpha = self.concentration + 0.5 * below
        denominator = alpha.lgamma() * below
        numerator = rushlight.mvlgamma(alpha - 0.5, below)
        constant = 0.5 * below * math.log(math.pi)
        return unnormalized - (constant + numerator - denominator)
