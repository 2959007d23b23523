"""LRScheduler: the frame of all schedules.

A schedule computes each learning rate from the one before ("chainable form"), so several may act
on one optimizer, and a change made by hand stays in effect. Some also know a closed form, used
when `step` is given an epoch. `step()` is called once at construction, for epoch 0.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING
from weakref import ref

from rushlight.optim.optimizer import Optimizer, _to_scalar
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from typing import Any

__all__ = ["LRScheduler"]

_EPOCH_DEPRECATED = (
    "scheduler.step(epoch) is deprecated: call scheduler.step() without arguments. With an epoch, "
    "the closed form of the schedule is used where there is one."
)


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """An option of a schedule as a list with one value per parameter group."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(values)} values, param_groups has {groups}."
        )
    return [copy_of(v) for v in values]


def copy_of(value: float | Tensor) -> float | Tensor:
    """The value, as a tensor of its own if it is one."""
    return value.clone() if isinstance(value, Tensor) else value


def group_values(optimizer: Optimizer, key: str) -> list[Any]:
    """`group[key]` of all groups, tensors copied."""
    return [copy_of(group[key]) for group in optimizer.param_groups]


def set_group_value(group: dict[str, Any], key: str, value: float | Tensor) -> None:
    """`group[key] = value`; a tensor that stands there is kept and filled."""
    if isinstance(group[key], Tensor):
        group[key].fill_(_to_scalar(value))
    else:
        group[key] = value


def check_optimizer(optimizer: Any) -> None:
    """Raises TypeError for what is no Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def _note_steps(optimizer: Optimizer) -> None:
    """Have `optimizer.step` leave a mark, by which `LRScheduler.step` sees that it has run."""
    method = optimizer.step
    if hasattr(method, "_wrapped_by_lr_sched"):
        return
    # Held weakly: as an attribute of the optimizer, the wrapper would close a cycle with it.
    weak_optimizer = ref(optimizer)
    step = getattr(method, "__func__", None)

    @functools.wraps(method)
    def wrapper(*args, **kwargs):
        optimizer = weak_optimizer()
        optimizer._opt_called = True
        if step is None:  # not a method: something a user put there
            return method(*args, **kwargs)
        return step(optimizer, *args, **kwargs)

    wrapper._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = wrapper


class LRScheduler:
    """Base class of the schedules.

    A subclass implements `get_lr()`, which gives the new learning rates, one per group.

    Args:
        optimizer: the optimizer whose `param_groups` are to be changed.
        last_epoch: -1 to begin: the present rates become "initial_lr" of their groups. Any other
            number continues there, and the groups must have "initial_lr".

    Note:
        Construction sets learning rates: do it before `optimizer.load_state_dict()`.
    """

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False

    optimizer: Optimizer
    base_lrs: list[float | Tensor]
    last_epoch: int

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copy_of(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming "
                    "scheduler with last_epoch >= 0: load the optimizer's state first, or leave "
                    "last_epoch=-1 for a new run"
                )
        self.base_lrs = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _note_steps(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        """The step for epoch 0 (or for the epoch that is resumed)."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_last_lr(self) -> list[float | Tensor]:
        """The learning rates that the last step set, one per group; tensors are copies."""
        return self._last_lr

    def get_lr(self) -> list[float | Tensor]:
        """Computes the next learning rates, one per group. Only `step()` calls it.

        To be written by the subclass: raises NotImplementedError here.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement get_lr()")

    def step(self, epoch: int | None = None) -> None:
        """Set the learning rates of the next epoch. Comes after `optimizer.step()`.

        Args:
            epoch: deprecated; jump to this epoch.
        """
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(_EPOCH_DEPRECATED, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _check_order(self) -> None:
        """Warn at the first step of the user if the optimizer has made none."""
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                "initialization, so it cannot be seen whether it runs before "
                "`lr_scheduler.step()`, as it should.",
                UserWarning,
                stacklevel=3,
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call "
                "`optimizer.step()` first: otherwise the first value of the learning rate "
                "schedule is skipped.",
                UserWarning,
                stacklevel=3,
            )

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if epoch is not None and hasattr(self, "_get_closed_form_lr"):
            self._set_lr(self._get_closed_form_lr())
        else:
            self._set_lr(self._next_lr())

    def _next_lr(self) -> list[float | Tensor]:
        """`get_lr()`, which warns when anybody else calls it."""
        self._get_lr_called_within_step = True
        try:
            return self.get_lr()
        finally:
            self._get_lr_called_within_step = False

    def _set_lr(self, values: list[float | Tensor]) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            set_group_value(group, "lr", value)
        self._last_lr = group_values(self.optimizer, "lr")

    def _warn_if_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use "
                "`get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer, for saving."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the attributes of a `state_dict()`.

        Load the optimizer's too: it has the rates.
        """
        self.__dict__.update(state_dict)


class _LRScheduler(LRScheduler):
    """The former name of the base class, for code that derives from it."""
