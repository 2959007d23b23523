"""One size of a training step varied, all else held: the cost has to grow as the work does.

A point is a workload of its own, named AXIS=VALUE, and measured like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from benchmarks.definition import Compiler, Step, Workload, fill, tensor, training_step
from benchmarks.workloads import WORKLOADS

FACTOR = 1.5  # cost that grows this many times as much as the work is a cliff


def mlp(torch: Any, compiled: Compiler, *, batch: int, width: int, depth: int) -> Step:
    """`depth` square layers with ReLU, mean squared error, SGD with momentum."""
    nn = torch.nn
    layers = [layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.ReLU())]
    model = nn.Sequential(*layers[:-1])
    fill(torch, model)
    data = tensor(torch, (batch, width), 100), tensor(torch, (batch, width), 101)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    return training_step(torch, model, nn.MSELoss(), optimizer, data, compiled)


def chain(torch: Any, compiled: Compiler, *, length: int) -> Step:
    """`length` links of a product, a sum and a tanh on 512 x 512 numbers, and the gradient."""
    x = tensor(torch, (512, 512), 0).requires_grad_()

    def run(x: Any) -> Any:
        h = x
        for _ in range(length):
            h = torch.tanh(h * 1.5 + x)
        return h.mean()

    loss_of = compiled.model(run)

    def step() -> tuple[Any, ...]:
        x.grad = None
        loss = loss_of(x)
        loss.backward()
        return loss, x.grad

    return step


@dataclass(frozen=True)
class Sweep:
    """`build(value)` is a point's workload without the library; `work(value)` what it does."""

    title: str
    unit: str
    values: tuple[int, ...]
    build: Callable[[int], Callable[[Any, Compiler], Step]]
    work: Callable[[int], float]
    factor: float = FACTOR


def _doubling(first: int, last: int, between: bool = False) -> tuple[int, ...]:
    """first, 2 first, 4 first, ... last; with those half-way between."""
    values = []
    while first <= last:
        values.append(first)
        if between and first < last:
            values.append(first * 3 // 2)
        first *= 2
    return tuple(values)


SWEEPS = {
    "batch": Sweep(
        "two layers of 256, batch 1 to 4096",
        "sample",
        _doubling(1, 4096),
        lambda value: partial(mlp, batch=value, width=256, depth=2),
        lambda value: value,
    ),
    "width": Sweep(
        "two layers, width 16 to 4096, batch 64",
        "weight",
        _doubling(16, 4096, between=True),
        lambda value: partial(mlp, batch=64, width=value, depth=2),
        lambda value: 2.0 * value * value,
    ),
    "depth": Sweep(
        "layers of 64, 1 to 256 of them, batch 32",
        "layer",
        _doubling(1, 256),
        lambda value: partial(mlp, batch=32, width=64, depth=value),
        lambda value: value,
    ),
    "chain": Sweep(
        "pointwise chains of 1 to 64 links on 512x512, with backward",
        "link",
        (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64),
        lambda value: partial(chain, length=value),
        lambda value: value,
    ),
    # The work does not grow: a second thread must not make a step slower.
    "threads": Sweep(
        "two layers of 64, 256 and 1024, batch 64, on 1 to 2 threads",
        "step",
        (1, 2),
        lambda value: partial(mlp, batch=64, width=value, depth=2),
        lambda value: 1.0,
        factor=1.1,
    ),
}
THREAD_WIDTHS = (64, 256, 1024)


@dataclass(frozen=True)
class Point:
    """`name` is the workload's; neighbours are compared within a series."""

    series: str
    name: str
    threads: int
    work: float


def points(axis: str, threads: int, cores: int) -> list[Point]:
    sweep = SWEEPS[axis]
    if axis == "threads":
        return [
            Point(f"width {width}", f"threads={width}", count, 1.0)
            for width in THREAD_WIDTHS
            for count in sweep.values
            if count <= cores
        ]
    return [Point("", f"{axis}={value}", threads, sweep.work(value)) for value in sweep.values]


def find(name: str) -> Workload:
    """A workload of the table, or a point of a sweep."""
    if name in WORKLOADS:
        return WORKLOADS[name]
    axis, _, value = name.partition("=")
    if axis not in SWEEPS or not value.isdigit():
        raise KeyError(f"no workload {name!r}: {', '.join(WORKLOADS)}, or AXIS=VALUE of a sweep")
    # Deep and wide nets add rounding errors up; what is compared is whether it is the same step.
    return Workload(
        SWEEPS[axis].build(int(value)), name, absent=("compile-all", "jax"), tolerance=1e-3
    )


def cliffs(costs: Sequence[float], work: Sequence[float], factor: float = FACTOR) -> list[float]:
    """By how much the cost outgrows the work at each point, 0 where it does by less than `factor`.

    A growth of the cost by 3 where the work doubles is 1.5. The first point has no neighbour.
    """
    found = [0.0]
    for (cost, next_cost), (done, next_done) in zip(pairwise(costs), pairwise(work)):
        growth = next_cost / cost / (next_done / done)
        found.append(growth if growth > factor else 0.0)
    return found
