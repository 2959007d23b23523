"""Schedules that go up and down within a run: CyclicLR, OneCycleLR."""

from __future__ import annotations

import math
import types
from functools import partial
from typing import TYPE_CHECKING, Any

from rushlight.optim.lr_scheduler.base import (
    LRScheduler,
    check_optimizer,
    per_group,
    set_group_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from rushlight.optim.optimizer import Optimizer
    from rushlight.tensor import Tensor

__all__ = ["CyclicLR", "OneCycleLR"]


class _MomentumCycle(LRScheduler):
    """A schedule that moves the momentum (SGD) or the first beta (Adam) against the rate."""

    cycle_momentum: bool
    use_beta1: bool

    def _start_momentum(
        self, base: float | list[float], maximum: float | list[float], last_epoch: int
    ) -> tuple[list[float], list[float]]:
        """Check the options and set the momentum of all groups to its maximum."""
        defaults = self.optimizer.defaults
        if "momentum" not in defaults and "betas" not in defaults:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled; "
                f"{type(self.optimizer).__name__} has neither"
            )
        self.use_beta1 = "betas" in defaults
        maximums = per_group("max_momentum", self.optimizer, maximum)
        bases = per_group("base_momentum", self.optimizer, base)
        if last_epoch == -1:
            for high, low, group in zip(maximums, bases, self.optimizer.param_groups, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"] = high
                group["base_momentum"] = low
        return bases, maximums

    def _set_momentum(self, group: dict[str, Any], value: float) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


class CyclicLR(_MomentumCycle):
    """The rate goes up and down between two bounds (https://arxiv.org/abs/1506.01186).

    Meant to be stepped after each batch.

    Args:
        optimizer: the optimizer to be scheduled.
        base_lr: lower bound of the rate, for all groups or a list with one per group.
        max_lr: upper bound; with a `scale_fn`, it may not be reached.
        step_size_up: batches from the lower bound to the upper.
        step_size_down: batches back; None means as many.
        mode: "triangular", every cycle the same; "triangular2", the height is halved after each
            cycle; "exp_range", the height falls as `gamma**batch`.
        gamma: for "exp_range".
        scale_fn: a factor for the height, in place of `mode`.
        scale_mode: what `scale_fn` is a function of: "cycle", counted from 1, or "iterations".
        cycle_momentum: move the momentum between `max_momentum` and `base_momentum`, down when
            the rate goes up.
        base_momentum, max_momentum: its bounds.
        last_epoch: -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups, strict=True):
                set_group_value(group, "lr", lr)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)

        up = float(step_size_up)
        down = float(step_size_down) if step_size_down is not None else up
        self.total_size = up + down
        self.step_ratio = up / self.total_size

        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(
                "mode is invalid and scale_fn is None; mode must be 'triangular', 'triangular2' "
                f"or 'exp_range', got {mode!r}"
            )
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        self._init_scale_fn()

        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._start_momentum(
                base_momentum, max_momentum, last_epoch
            )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _init_scale_fn(self) -> None:
        if self._scale_fn_custom is not None:
            return
        self.scale_mode = "iterations" if self.mode == "exp_range" else "cycle"
        shapes: dict[str, Callable[[float], float]] = {
            "triangular": _same_height,
            "triangular2": _half_height,
            "exp_range": partial(pow, self.gamma),
        }
        self._scale_fn_ref = shapes[self.mode]

    def scale_fn(self, x: float) -> float:
        """The factor for the height of the cycle at `x`, a cycle or a batch."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return self._scale_fn_ref(x)

    def get_lr(self) -> list[float | Tensor]:
        """The next learning rates. Sets the momentum too."""
        self._warn_if_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        rising = x <= self.step_ratio
        height = x / self.step_ratio if rising else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)

        if self.cycle_momentum:
            for low, high, group in zip(
                self.base_momentums,
                self.max_momentums,
                self.optimizer.param_groups,
                strict=True,
            ):
                self._set_momentum(group, high - (high - low) * height * scale)
        return [
            low + (high - low) * height * scale
            for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer, for saving.

        A `scale_fn` cannot be saved: "_scale_fn_custom" is None for a function, and the attributes
        of a callable object.
        """
        state = super().state_dict()
        state.pop("_scale_fn_ref", None)
        custom = state.pop("_scale_fn_custom")
        is_object = custom is not None and not isinstance(custom, types.FunctionType)
        state["_scale_fn_custom"] = custom.__dict__.copy() if is_object else None
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the attributes of a `state_dict()`; a `scale_fn` stays the one given here."""
        state = dict(state_dict)
        custom = state.pop("_scale_fn_custom")
        super().load_state_dict(state)
        if custom is not None:
            self._scale_fn_custom.__dict__.update(custom)
        self._init_scale_fn()


def _same_height(cycle: float) -> float:
    return 1.0


def _half_height(cycle: float) -> float:
    return 1 / (2.0 ** (cycle - 1))


class OneCycleLR(_MomentumCycle):
    """The rate goes up to `max_lr` once and then far down (https://arxiv.org/abs/1708.07120).

    Meant to be stepped after each batch. The length of the run is `total_steps`, or else
    `epochs * steps_per_epoch`.

    Args:
        optimizer: the optimizer to be scheduled.
        max_lr: the peak, for all groups or a list with one per group.
        total_steps: batches in the whole run.
        epochs, steps_per_epoch: the same, as a product.
        pct_start: the part of the run in which the rate rises, between 0 and 1.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: move the momentum between `max_momentum` and `base_momentum`, down when
            the rate goes up.
        base_momentum, max_momentum: its bounds.
        div_factor: the rate begins at `max_lr / div_factor`.
        final_div_factor: the rate ends at its beginning divided by this.
        three_phase: come down in two phases, first to the beginning, as the paper has it.
        last_epoch: -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        if total_steps is not None:
            self.total_steps = _positive("total_steps", total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            epochs = _positive("epochs", epochs)
            self.total_steps = epochs * _positive("steps_per_epoch", steps_per_epoch)
        else:
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._schedule_phases = self._phases(pct_start, three_phase)
        self._anneal_func_type = anneal_strategy

        peaks = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for peak, group in zip(peaks, optimizer.param_groups, strict=True):
                group["initial_lr"] = peak / div_factor
                group["max_lr"] = peak
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _phases(self, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
        """When each phase ends, and the keys of the group that it goes between."""
        rise = float(pct_start * self.total_steps)
        end = self.total_steps - 1
        if three_phase:
            rows = [
                (rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
                (2 * rise - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (end, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            rows = [
                (rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
                (end, "max_lr", "min_lr", "base_momentum", "max_momentum"),
            ]
        keys = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
        return [dict(zip(keys, row, strict=True)) for row in rows]

    def _anneal(self, start: float, end: float, part: float) -> float:
        """From `start` to `end` as `part` goes from 0 to 1."""
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)
        return (end - start) * part + start

    def get_lr(self) -> list[float | Tensor]:
        """The next learning rates. Sets the momentum too."""
        self._warn_if_outside_step()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if step <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        part = (step - start) / (phase["end_step"] - start)

        rates: list[float | Tensor] = []
        for group in self.optimizer.param_groups:
            rates.append(self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], part))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, self._anneal(*ends, part))
        return rates


def _positive(name: str, value: int) -> int:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"Expected positive integer {name}, but got {value}")
    return value
