"""Schedules given by a function of the epoch: LambdaLR, MultiplicativeLR."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rushlight.optim.lr_scheduler.base import LRScheduler, group_values

if TYPE_CHECKING:
    from rushlight.optim.optimizer import Optimizer
    from rushlight.tensor import Tensor

__all__ = ["LambdaLR", "MultiplicativeLR"]


class _FunctionLR(LRScheduler):
    """What both have in common: one function per group, saved only if it is an object."""

    lr_lambdas: list[Callable[[int], float]]

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = optimizer
        groups = len(optimizer.param_groups)
        if not isinstance(lr_lambda, (list, tuple)):
            self.lr_lambdas = [lr_lambda] * groups
        elif len(lr_lambda) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(lr_lambda)}")
        else:
            self.lr_lambdas = list(lr_lambda)
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer, for saving.

        Functions cannot be saved: "lr_lambdas" has None for them, and the attributes of callable
        objects.
        """
        state = super().state_dict()
        state["lr_lambdas"] = [
            None if isinstance(function, types.FunctionType) else function.__dict__.copy()
            for function in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the attributes of a `state_dict()`; functions stay those given here."""
        others = {key: value for key, value in state_dict.items() if key != "lr_lambdas"}
        super().load_state_dict(others)
        for function, saved in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=False):
            if saved is not None:
                function.__dict__.update(saved)


class LambdaLR(_FunctionLR):
    """The initial rate times a function of the epoch: `lr = initial_lr * lr_lambda(epoch)`.

    Args:
        optimizer: the optimizer to be scheduled.
        lr_lambda: a function from epoch to factor, or a list with one per group.
        last_epoch: -1 to begin.

    Example:
        >>> optimizer = rushlight.optim.SGD([rushlight.zeros(1)], lr=0.5)
        >>> scheduler = LambdaLR(optimizer, lambda epoch: 0.5**epoch)
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def get_lr(self) -> list[float | Tensor]:
        self._warn_if_outside_step()
        return [
            base * function(self.last_epoch)
            for function, base in zip(self.lr_lambdas, self.base_lrs, strict=True)
        ]


class MultiplicativeLR(_FunctionLR):
    """Each rate is the one before times a function of the epoch.

    Args:
        optimizer: the optimizer to be scheduled.
        lr_lambda: a function from epoch to factor, or a list with one per group.
        last_epoch: -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        functions = lr_lambda if isinstance(lr_lambda, (list, tuple)) else [lr_lambda]
        for function in functions:
            if not callable(function):
                raise TypeError(
                    f"lr_lambda should be a function, but got {type(function).__name__}"
                )
        super().__init__(optimizer, lr_lambda, last_epoch)

    def get_lr(self) -> list[float | Tensor]:
        self._warn_if_outside_step()
        if self._is_initial:
            return group_values(self.optimizer, "lr")
        return [
            group["lr"] * function(self.last_epoch)
            for function, group in zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)
        ]
