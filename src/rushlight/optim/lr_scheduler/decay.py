"""Schedules with a plain formula: steps, a constant, a line, an exponential, a polynomial."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING

from rushlight.optim.lr_scheduler.base import LRScheduler, group_values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rushlight.optim.optimizer import Optimizer
    from rushlight.tensor import Tensor

__all__ = ["ConstantLR", "ExponentialLR", "LinearLR", "MultiStepLR", "PolynomialLR", "StepLR"]


class _FactorLR(LRScheduler):
    """A schedule whose new rates are the present ones times one factor, the same for all groups."""

    def _factor(self) -> float | None:
        """The factor for `last_epoch`; None leaves the rates alone."""
        raise NotImplementedError

    def _closed_form_factor(self) -> float:
        """The product of all factors up to `last_epoch`."""
        raise NotImplementedError

    def get_lr(self) -> list[float | Tensor]:
        self._warn_if_outside_step()
        factor = self._factor()
        if factor is None:
            return group_values(self.optimizer, "lr")
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[float | Tensor]:
        factor = self._closed_form_factor()
        return [base * factor for base in self.base_lrs]


class StepLR(_FactorLR):
    """Multiply the rate by `gamma` every `step_size` epochs.

    Args:
        optimizer: the optimizer to be scheduled.
        step_size: epochs between two changes.
        gamma: the factor.
        last_epoch: -1 to begin.

    Example:
        >>> optimizer = rushlight.optim.SGD([rushlight.zeros(1)], lr=0.5)
        >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
        >>> for epoch in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.125]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float | None:
        at_step = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return self.gamma if at_step else None

    def _closed_form_factor(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(_FactorLR):
    """Multiply the rate by `gamma` at given epochs.

    Args:
        optimizer: the optimizer to be scheduled.
        milestones: the epochs; one that is listed n times counts n times.
        gamma: the factor.
        last_epoch: -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float | None:
        times = self.milestones.get(self.last_epoch, 0)
        return self.gamma**times if times else None

    def _closed_form_factor(self) -> float:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return self.gamma**passed


class ConstantLR(_FactorLR):
    """The rate times `factor` until epoch `total_iters`, then the rate itself.

    Args:
        optimizer: the optimizer to be scheduled.
        factor: between 0 and 1.
        total_iters: the number of epochs with the factor.
        last_epoch: -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if factor > 1.0 or factor < 0:
            raise ValueError(
                f"Constant multiplicative factor expected to be between 0 and 1, got {factor}"
            )
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float | None:
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else None

    def _closed_form_factor(self) -> float:
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)


class LinearLR(_FactorLR):
    """The rate times a factor that goes from `start_factor` to `end_factor` along a line.

    Args:
        optimizer: the optimizer to be scheduled.
        start_factor: at epoch 0; above 0, at most 1.
        end_factor: from epoch `total_iters` on; between 0 and 1.
        total_iters: the length of the line in epochs.
        last_epoch: -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if start_factor > 1.0 or start_factor <= 0:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal "
                f"to 1, got {start_factor}"
            )
        if end_factor > 1.0 or end_factor < 0:
            raise ValueError(
                f"Ending multiplicative factor expected to be between 0 and 1, got {end_factor}"
            )
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float | None:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return None
        rise = self.end_factor - self.start_factor  # the quotient of two points of the line
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return 1.0 + rise / before

    def _closed_form_factor(self) -> float:
        rise = self.end_factor - self.start_factor
        return self.start_factor + rise * min(self.total_iters, self.last_epoch) / self.total_iters


class ExponentialLR(_FactorLR):
    """Multiply the rate by `gamma` every epoch.

    Args:
        optimizer: the optimizer to be scheduled.
        gamma: the factor.
        last_epoch: -1 to begin.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float | None:
        return None if self._is_initial else self.gamma

    def _closed_form_factor(self) -> float:
        return self.gamma**self.last_epoch


class PolynomialLR(_FactorLR):
    """The rate falls to 0 as `(1 - epoch / total_iters) ** power`.

    Args:
        optimizer: the optimizer to be scheduled.
        total_iters: when 0 is reached.
        power: 1 is a line.
        last_epoch: -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float | None:
        if self._is_initial or self.last_epoch > self.total_iters:
            return None
        now = 1.0 - self.last_epoch / self.total_iters
        before = 1.0 - (self.last_epoch - 1) / self.total_iters
        return (now / before) ** self.power

    def _closed_form_factor(self) -> float:
        return (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power
