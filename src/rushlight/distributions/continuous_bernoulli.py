"""The continuous Bernoulli distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.distributions.parameters import (
    ProbsOrLogits,
    broadcast_all,
    clamp_probs,
    is_number,
    lazy_property,
    logits_to_probs,
    the_given_one,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(ProbsOrLogits, ExponentialFamily):
    """The continuous Bernoulli distribution, on [0, 1] (Loaiza-Ganem and Cunningham 2019).

    Args:
        probs: the parameter, in (0, 1).
        logits: instead, log(probs / (1 - probs)).
        lims: around 1/2, where formulas are unstable and a Taylor series is used.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        name, given = the_given_one(probs, logits)
        (parameter,) = broadcast_all(given)
        if probs is not None:
            allowed = self.arg_constraints["probs"]
            if validate_args is not None and not allowed.check(parameter).all():
                raise ValueError("The parameter probs has invalid values")
            parameter = clamp_probs(parameter)
        setattr(self, name, parameter)
        self._lims = lims
        shape = () if is_number(given) else parameter.shape
        super().__init__(shape, validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return self._expanded(
            ContinuousBernoulli, batch_shape, _instance, "probs", "logits", _lims=self._lims
        )

    def _outside(self) -> Tensor:
        """Where the formulas are stable."""
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut(self) -> Tensor:
        """The parameter, with the lower limit in its place where formulas are unstable."""
        return rushlight.where(
            self._outside(), self.probs, self._lims[0] * rushlight.ones_like(self.probs)
        )

    def _log_constant(self) -> Tensor:
        cut = self._cut()
        low = rushlight.where(cut <= 0.5, cut, rushlight.zeros_like(cut))
        high = rushlight.where(cut >= 0.5, cut, rushlight.ones_like(cut))
        exact = ((-cut).log1p() - cut.log()).abs().log() - rushlight.where(
            cut <= 0.5, (-2.0 * low).log1p(), (2.0 * high - 1.0).log()
        )
        x = (self.probs - 0.5).square()
        taylor = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x
        return rushlight.where(self._outside(), exact, taylor)

    @property
    def mean(self) -> Tensor:
        cut = self._cut()
        exact = cut / (2.0 * cut - 1.0) + 1.0 / ((-cut).log1p() - cut.log())
        x = self.probs - 0.5
        taylor = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.square()) * x
        return rushlight.where(self._outside(), exact, taylor)

    @property
    def variance(self) -> Tensor:
        cut = self._cut()
        exact = cut * (cut - 1.0) / (1.0 - 2.0 * cut).square() + 1.0 / (
            (-cut).log1p() - cut.log()
        ).square()
        x = (self.probs - 0.5).square()
        taylor = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x
        return rushlight.where(self._outside(), exact, taylor)

    @lazy_property
    def probs(self) -> Tensor:
        """The parameter."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.icdf(rushlight.rand(shape, dtype=self.probs.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        functional = rushlight.nn.functional
        cross = functional.binary_cross_entropy_with_logits(logits, value, reduction="none")
        return -cross + self._log_constant()

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        cut = self._cut()
        exact = (cut.pow(value) * (1.0 - cut).pow(1.0 - value) + cut - 1.0) / (2.0 * cut - 1.0)
        found = rushlight.where(self._outside(), exact, value)
        one, zero = rushlight.ones_like(value), rushlight.zeros_like(value)
        found = rushlight.where(value >= 1.0, one, found)
        return rushlight.where(value <= 0.0, zero, found)

    def icdf(self, value: Tensor) -> Tensor:
        cut = self._cut()
        exact = (
            (-cut + value * (2.0 * cut - 1.0)).log1p() - (-cut).log1p()
        ) / (cut.log() - (-cut).log1p())
        return rushlight.where(self._outside(), exact, value)

    def entropy(self) -> Tensor:
        log0, log1 = (-self.probs).log1p(), self.probs.log()
        return self.mean * (log0 - log1) - self._log_constant() - log0

    @property
    def _natural_params(self) -> tuple[Tensor]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        outside = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        cut = rushlight.where(outside, x, (self._lims[0] - 0.5) * rushlight.ones_like(x))
        exact = (cut.exp() - 1.0).abs().log() - cut.abs().log()
        taylor = 0.5 * x + x.square() / 24.0 - x.pow(4) / 2880.0
        return rushlight.where(outside, exact, taylor)
