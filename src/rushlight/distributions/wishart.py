"""The Wishart distribution."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.chi2 import Chi2
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.distributions.parameters import is_number
from rushlight.distributions.scale_matrix import ScaleMatrix, factor_of, the_given_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["Wishart"]


class Wishart(ScaleMatrix, ExponentialFamily):
    """The Wishart distribution, of the scatter matrices of `df` normal vectors.

    Args:
        df: degrees of freedom, more than the size of the matrices less 1.
        covariance_matrix: (*, n, n), positive definite; or
        precision_matrix: its inverse; or
        scale_tril: its Cholesky factor. Exactly one of the three.
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    @property
    def arg_constraints(self) -> dict[str, Any]:
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def __init__(
        self,
        df: Any,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, matrix = the_given_matrix(covariance_matrix, precision_matrix, scale_tril)
        batch, event = matrix.shape[:-2], matrix.shape[-2:]
        if is_number(df):
            self.df = rushlight.full(batch, float(df), dtype=matrix.dtype)
        else:
            batch = rushlight.broadcast_shapes(batch, df.shape)
            self.df = df.expand(batch)
        if self.df.le(event[-1] - 1).any():
            raise ValueError(
                f"Value of df={self.df} expected to be greater than ndim - 1 = {event[-1] - 1}."
            )
        setattr(self, name, matrix.expand((*batch, -1, -1)))
        super().__init__(batch, event, validate_args=validate_args)
        if self.df.lt(event[-1]).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for ndim - 1 "
                "< df < ndim.",
                stacklevel=2,
            )
        self._unbroadcasted_scale_tril = factor_of(name, matrix)
        # Squared diagonal of Bartlett's factor.
        degrees = self.df.unsqueeze(-1) - rushlight.arange(event[-1], dtype=self.df.dtype)
        self._dist_chi2 = Chi2(df=degrees.expand((*batch, event[-1])))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        whole = (*batch_shape, *self.event_shape)
        return self._expanded(
            Wishart,
            batch_shape,
            _instance,
            "df",
            _unbroadcasted_scale_tril=self._unbroadcasted_scale_tril.expand(whole),
            _dist_chi2=self._dist_chi2.expand(whole[:-1]),
            **self._expanded_matrices(batch_shape),
        )

    def _each(self, values: Tensor) -> Tensor:
        return values.view((*self._batch_shape, 1, 1))

    @property
    def mean(self) -> Tensor:
        return self._each(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        factor = factor.masked_fill(factor <= 0, float("nan"))
        return self._each(factor) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        V = self.covariance_matrix
        diagonal = V.diagonal(dim1=-2, dim2=-1)
        outer = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._each(self.df) * (V.square() + outer)

    def _draw(self, sample_shape: Sequence[int]) -> Tensor:
        """By Bartlett's decomposition (1933)."""
        p = self._event_shape[-1]
        tiny = rushlight.finfo(self.df.dtype).tiny
        noise = self._dist_chi2.rsample(sample_shape).sqrt().clamp(min=tiny).diag_embed()
        i, j = rushlight.tril_indices(p, p, offset=-1)
        shape = (*sample_shape, *self._batch_shape, p * (p - 1) // 2)
        noise[..., i, j] = rushlight.randn(shape, dtype=noise.dtype)
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.mT

    def rsample(
        self, sample_shape: Sequence[int] = (), max_try_correction: int | None = None
    ) -> Tensor:
        """Draws; singular ones are drawn again, `max_try_correction` times at most."""
        if max_try_correction is None:
            max_try_correction = 3
        sample_shape = rushlight.Size(sample_shape)
        # PyTorch throws its first draw away; so does this, for the same numbers from a seed.
        self._draw(sample_shape)
        sample = self._draw(sample_shape)
        singular = self.support.check(sample.detach()).logical_not()
        for _ in range(max_try_correction - 1):
            if not singular.any():
                break
            warnings.warn("Singular sample detected.", stacklevel=2)
            again = self._draw(sample_shape)
            sample = rushlight.where(singular[..., None, None], again, sample)
            singular = singular & self.support.check(again.detach()).logical_not()
        return sample

    def _half_log_det(self) -> Tensor:
        return self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        nu, p = self.df, self._event_shape[-1]
        solved = rushlight.cholesky_solve(value, self._unbroadcasted_scale_tril)
        return (
            -nu * (p * math.log(2) / 2 + self._half_log_det())
            - rushlight.mvlgamma(nu / 2, p)
            + (nu - p - 1) / 2 * rushlight.linalg.slogdet(value).logabsdet
            - solved.diagonal(dim1=-2, dim2=-1).sum(-1) / 2
        )

    def entropy(self) -> Tensor:
        nu, p = self.df, self._event_shape[-1]
        digammas = (
            nu.unsqueeze(-1) / 2 - rushlight.arange(p, dtype=nu.dtype) / 2
        ).digamma().sum(-1)
        return (
            (p + 1) * (p * math.log(2) / 2 + self._half_log_det())
            + rushlight.mvlgamma(nu / 2, p)
            - (nu - p - 1) / 2 * digammas
            + nu * p / 2
        )

    @property
    def _natural_params(self) -> tuple[Tensor, Tensor]:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        p = self._event_shape[-1]
        log_det = rushlight.linalg.slogdet(-2 * x).logabsdet
        return (y + (p + 1) / 2) * (-log_det + math.log(2) * p) + rushlight.mvlgamma(
            y + (p + 1) / 2, p
        )
