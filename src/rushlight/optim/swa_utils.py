"""Averages of the weights seen in training: stochastic weight averaging (SWA) and EMA.

SWA (https://arxiv.org/abs/1803.05407) takes the plain mean of the weights of several epochs, an
exponential moving average (EMA) forgets old ones. `SWALR` is the schedule that goes with SWA.
"""

from __future__ import annotations

import math
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.nn import BatchNorm1d, BatchNorm2d, BatchNorm3d, Module
from rushlight.optim.lr_scheduler.base import LRScheduler, per_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Literal

    from rushlight.optim.optimizer import Optimizer
    from rushlight.tensor import Tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """`decay * average + (1 - decay) * current`, as a function of one parameter.

    Raises ValueError for a decay outside [0, 1].
    """
    _check_decay(decay)

    def ema_update(averaged: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        with rushlight.no_grad():
            return averaged * decay + current * (1 - decay)

    return ema_update


def get_ema_multi_avg_fn(
    decay: float = 0.999,
) -> Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]:
    """:func:`get_ema_avg_fn` for lists of parameters, in place."""
    _check_decay(decay)

    def ema_update(averaged: Sequence[Tensor], current: Sequence[Tensor], _: Any) -> None:
        with rushlight.no_grad():
            for mean, value in zip(averaged, current, strict=True):
                if mean.is_floating_point() or mean.is_complex():
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(mean * decay + value * (1 - decay))

    return ema_update


def get_swa_avg_fn() -> Callable[[Tensor, Tensor, Any], Tensor]:
    """The mean of all values so far, as a function of one parameter (Izmailov et al. 2018)."""

    def swa_update(averaged: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        with rushlight.no_grad():
            return averaged + (current - averaged) / (num_averaged + 1)

    return swa_update


def get_swa_multi_avg_fn() -> Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]:
    """:func:`get_swa_avg_fn` for lists of parameters, in place."""

    def swa_update(
        averaged: Sequence[Tensor], current: Sequence[Tensor], num_averaged: Any
    ) -> None:
        with rushlight.no_grad():
            for mean, value in zip(averaged, current, strict=True):
                if mean.is_floating_point() or mean.is_complex():
                    mean.lerp_(value, 1 / (float(num_averaged) + 1))
                else:
                    mean.copy_(mean + (value - mean) / (num_averaged + 1))

    return swa_update


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's.

    Args:
        model: the model that is trained; it is copied.
        device: where to keep the copy.
        avg_fn: gives the new average of one parameter from `(average, value, number averaged)`.
        multi_avg_fn: the same for lists of parameters, in place. Without either, the mean.
        use_buffers: average the buffers too; otherwise they are copied.

    Example:
        >>> average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
        >>> for inputs, target in loader:
        ...     train_step(model, inputs, target)
        ...     average.update_parameters(model)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable[[Tensor, Tensor, Any], Tensor] | None = None,
        multi_avg_fn: Callable[[Sequence[Tensor], Sequence[Tensor], Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", rushlight.tensor(0, dtype=rushlight.int64))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The averaged model called on the arguments."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the present parameters of `model` into the average; the first time, copy them."""
        averaged: list[Tensor] = list(self.module.parameters())
        current: list[Tensor] = list(model.parameters())
        if self.use_buffers:
            averaged += self.module.buffers()
            current += model.buffers()
        averaged = [p.detach() for p in averaged]
        current = [p.detach() for p in current]
        if self.n_averaged == 0:
            for mean, value in zip(averaged, current, strict=True):
                mean.copy_(value)
        elif self.avg_fn is not None:
            for mean, value in zip(averaged, current, strict=True):
                mean.copy_(self.avg_fn(mean, value, self.n_averaged))
        else:
            self._update_by_dtype(averaged, current)
        if not self.use_buffers:
            for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
                own.detach().copy_(other.detach())
        self.n_averaged += 1

    def _update_by_dtype(self, averaged: list[Tensor], current: list[Tensor]) -> None:
        """Call the function for lists once per dtype."""
        update = self.multi_avg_fn or get_swa_multi_avg_fn()
        by_dtype: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
        for mean, value in zip(averaged, current, strict=True):
            means, values = by_dtype.setdefault(mean.dtype, ([], []))
            means.append(mean)
            values.append(value)
        for means, values in by_dtype.values():
            update(means, values, self.n_averaged)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of all batch norm layers anew, in one pass over `loader`.

    Averaged weights give other activations than those the statistics were gathered from.

    Args:
        loader: gives inputs, or tuples or lists that begin with the input.
        model: the model, an `AveragedModel` perhaps.
        device: where to move each input.
    """
    kinds = (BatchNorm1d, BatchNorm2d, BatchNorm3d)
    layers = [module for module in model.modules() if isinstance(module, kinds)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    was_training = model.training
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
    with rushlight.no_grad():
        for inputs in loader:
            if isinstance(inputs, (list, tuple)):
                inputs = inputs[0]
            if device is not None:
                inputs = inputs.to(device)
            model(inputs)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """The rate goes from where it is to `swa_lr` in `anneal_epochs` epochs, and stays there.

    Args:
        optimizer: the optimizer to be scheduled.
        swa_lr: the rate at the end, for all groups or a list with one per group.
        anneal_epochs: the length of the way.
        anneal_strategy: "cos" or "linear".
        last_epoch: -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float,
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        for value, group in zip(
            per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True
        ):
            group["swa_lr"] = value
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, part: float) -> float:
        """How far along the rate is after `part` of the time; both in [0, 1]."""
        if self._anneal_strategy == "cos":
            return (1 - math.cos(math.pi * part)) / 2
        return part

    def get_lr(self) -> list[float | Tensor]:
        """The next learning rates, one per group, on the way to `swa_lr`.

        Only `step()` calls it.
        """
        self._warn_if_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        length = max(1, self.anneal_epochs)
        before = self.anneal_func(max(0, min(1, (step - 1) / length)))
        now = self.anneal_func(max(0, min(1, step / length)))
        rates = []
        for group in self.optimizer.param_groups:
            lr, swa_lr = group["lr"], group["swa_lr"]
            # Where the way began, from the rate now and the part that lies behind.
            start = swa_lr if before == 1 else (lr - before * swa_lr) / (1 - before)
            rates.append(swa_lr * now + start * (1 - now))
        return rates
