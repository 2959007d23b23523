"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rushlight.optim.lr_scheduler.base import LRScheduler, group_values, set_group_value
from rushlight.optim.lr_scheduler.plateau import ReduceLROnPlateau

if TYPE_CHECKING:
    from rushlight.optim.optimizer import Optimizer
    from rushlight.tensor import Tensor

__all__ = ["ChainedScheduler", "SequentialLR"]


class _CombinedScheduler(LRScheduler):
    """A schedule that leaves the learning rates to others, and saves their state with its own."""

    _schedulers: Sequence[LRScheduler]

    def _check_schedulers(self, optimizer: Optimizer) -> None:
        own = type(self).__name__
        for i, scheduler in enumerate(self._schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(f"{own} at index {i} should have `optimizer` as its attribute.")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{own} does not support `ReduceLROnPlateau` scheduler as its `step` requires "
                    f"a metric, but got one at index {i} in the given schedulers sequence."
                )
            if optimizer is not scheduler.optimizer:
                raise ValueError(
                    f"{own} expects all schedulers to belong to the same optimizer, but scheduler "
                    f"{type(scheduler).__name__} at index {i} belongs to another "
                    f"{type(scheduler.optimizer).__name__}."
                )

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer; "_schedulers" has the state of each schedule."""
        state = super().state_dict()
        del state["_schedulers"]
        state["_schedulers"] = [scheduler.state_dict() for scheduler in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a `state_dict()`, that of each schedule included."""
        others = {key: value for key, value in state_dict.items() if key != "_schedulers"}
        super().load_state_dict(others)
        for own, saved in zip(self._schedulers, state_dict["_schedulers"], strict=False):
            own.load_state_dict(saved)


class SequentialLR(_CombinedScheduler):
    """One schedule after the other; each begins at its epoch 0.

    Args:
        optimizer: the optimizer to be scheduled.
        schedulers: the schedules, in order, all of this optimizer.
        milestones: the epochs at which the next one takes over, one fewer than schedules.
        last_epoch: -1 to begin.

    Example:
        >>> optimizer = rushlight.optim.SGD([rushlight.zeros(1)], lr=1.0)
        >>> warmup = ConstantLR(optimizer, factor=0.5, total_iters=10)
        >>> decay = ExponentialLR(optimizer, gamma=0.9)
        >>> scheduler = SequentialLR(optimizer, [warmup, decay], milestones=[2])
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        own = type(self).__name__
        if len(schedulers) < 1:
            raise ValueError(f"{own} expects at least one scheduler, but got no scheduler.")
        self._schedulers = schedulers
        self._check_schedulers(optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"{own} expects one milestone fewer than schedulers, but got {len(schedulers)} "
                f"schedulers and {len(milestones)} milestones"
            )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer

        # Take back the first steps that all schedules made when they were constructed, then let
        # the one make it whose turn it is.
        for group in optimizer.param_groups:
            set_group_value(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: LRScheduler | None = None) -> None:
        """Set back the epoch of `sched`, or of the schedules it is made of, by one."""
        scheduler = self if sched is None else sched
        if hasattr(scheduler, "_schedulers"):
            for inner in scheduler._schedulers:
                self.recursive_undo(inner)
        elif hasattr(scheduler, "last_epoch"):
            scheduler.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Sets the learning rates of the next epoch."""
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[turn]
        if turn > 0 and self._milestones[turn - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_CombinedScheduler):
    """Several schedules that all act in every step, in order.

    Args:
        schedulers: the schedules, all of one optimizer.
        optimizer: that optimizer; by default the one of the first schedule.
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if len(schedulers) < 1:
            raise ValueError(
                f"{type(self).__name__} expects at least one scheduler to be chained, but got no "
                "scheduler."
            )
        self._schedulers = schedulers
        self.optimizer = optimizer or schedulers[0].optimizer
        self._check_schedulers(self.optimizer)
        self._last_lr: list[float | Tensor] = group_values(self.optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]
        """Lets each schedule make its step, in the order given."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = group_values(self.optimizer, "lr")
