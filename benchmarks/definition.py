"""What a workload is, and what all of them are built with. The library comes in as `torch`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.numbers import integers, uniform

Step = Callable[[], tuple[Any, ...]]


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


@dataclass(frozen=True)
class Compiler:
    """What is done to the model with its loss, and to the optimizer's step."""

    model: Callable[[Callable[..., Any]], Callable[..., Any]] = as_it_is
    update: Callable[[Callable[..., Any]], Callable[..., Any]] = as_it_is


@dataclass(frozen=True)
class Workload:
    """One row of the table, with the least ratio to each peer that the project aims at."""

    build: Callable[[Any, Compiler], Step]
    title: str
    goals: dict[str, float] = field(default_factory=dict)
    absent: tuple[str, ...] = ()  # peers for which there is nothing to run
    flops: float = 0  # of the matrix products and convolutions of a step
    bytes: float = 0  # that a step has to read and write at least
    bound: str = ""  # "gemm" or "copy": the peak that the step should come close to
    tolerance: float = 2e-4  # relative, between libraries; larger where random numbers are drawn


def tensor(torch: Any, shape: tuple[int, ...], seed: int) -> Any:
    """Numbers in [-0.5, 0.5), in float32."""
    return uniform(torch.arange, shape, seed).to(torch.float32)


def classes(torch: Any, shape: tuple[int, ...], seed: int, count: int) -> Any:
    """Labels from 0 to `count` - 1."""
    return integers(torch.arange, shape, seed) % count


def fill(torch: Any, model: Any) -> None:
    """Numbers that are the same in every library, of PyTorch's default width.

    Matrices and kernels are uniform in +-1 / sqrt(inputs), as are biases; the factors of a
    normalization stay 1.
    """
    with torch.no_grad():
        for seed, (name, parameter) in enumerate(model.named_parameters()):
            shape = tuple(parameter.shape)
            if parameter.ndim > 1:
                inputs = parameter.numel() // shape[0]
                parameter.copy_(tensor(torch, shape, seed) * (2 / inputs**0.5))
            elif "bias" in name:
                parameter.copy_(tensor(torch, shape, seed) * 0.1)


def training_step(
    torch: Any,
    model: Any,
    criterion: Any,
    optimizer: Any,
    batch: tuple[Any, Any],
    compiled: Compiler,
    before_update: Callable[[], Any] | None = None,
) -> Step:
    """zero_grad, forward, backward, step; `before_update` stands between the last two."""
    inputs, target = batch
    loss_of = compiled.model(lambda inputs, target: criterion(model(inputs), target))
    update = compiled.update(optimizer.step)

    def step() -> tuple[Any, ...]:
        optimizer.zero_grad()
        loss = loss_of(inputs, target)
        loss.backward()
        if before_update:
            before_update()
        update()
        return (loss,)

    return step
