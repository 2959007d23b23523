"""One workload on all peers: values compared first, then timed in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.peers import PeerError, Worker
from benchmarks.sweeps import find, points

CHECKED_STEPS = 5
ABSOLUTE_TOLERANCE = 1e-6
SWEEP_ROUNDS, SWEEP_SECONDS = 5, 0.1  # a sweep has up to 20 points


def _differs(
    values: Sequence[Sequence[float]], expected: Sequence[Sequence[float]], tolerance: float
) -> str:
    """Where two records of steps differ, or an empty text."""
    for step, (row, expected_row) in enumerate(zip(values, expected, strict=True)):
        for at, (value, right) in enumerate(zip(row, expected_row, strict=True)):
            # Written so that NaN differs.
            if not abs(value - right) <= ABSOLUTE_TOLERANCE + tolerance * abs(right):
                return f"result {at} of step {step + 2} is {value:.8g}, expected {right:.8g}"
    return ""


def measure(
    workload: str,
    pythons: dict[str, str],
    *,
    threads: int,
    rounds: int,
    round_seconds: float,
    first_step_limit: float,
    clock: str = "wall",
) -> dict[str, Any]:
    """Per peer: seconds of the first step and of a step (median and extremes), peak bytes.

    A peer that fails, or whose values differ, has only `error`. The clock "cpu" is the time that
    the processors spent, of all threads: for one thread on a machine that is not calm.
    """
    own = find(workload)
    pythons = {peer: path for peer, path in pythons.items() if peer not in own.absent}
    results: dict[str, Any] = {}
    workers: dict[str, Worker] = {}

    def failed(peer: str, reason: str) -> None:
        results[peer] = {"error": reason}
        if peer in workers:
            workers.pop(peer).close()

    try:
        for peer, python in pythons.items():  # one after the other: the first step is timed
            try:
                workers[peer] = Worker(python, peer, workload, threads)
                results[peer] = workers[peer].read(first_step_limit)
                results[peer]["values"] = workers[peer].ask("values", CHECKED_STEPS)["values"]
            except PeerError as error:
                failed(peer, str(error))
        if not workers:
            return results
        reference = "torch" if "torch" in workers else next(iter(workers))
        expected = results[reference]["values"]
        for peer in list(workers):
            if difference := _differs(results[peer]["values"], expected, own.tolerance):
                failed(peer, f"values differ from those of {reference}: {difference}")
        times: dict[str, list[float]] = {peer: [] for peer in workers}
        for turn in range(-1, rounds):
            order = list(workers)
            for peer in order[turn % len(order) :] + order[: turn % len(order)] if order else ():
                try:
                    if turn < 0:
                        results[peer].update(workers[peer].ask("prepare", round_seconds))
                    else:
                        times[peer].append(workers[peer].ask("time", clock)["seconds"])
                except PeerError as error:
                    failed(peer, str(error))
        for peer, worker in workers.items():
            results[peer]["step"] = median(times[peer])
            results[peer]["rounds"] = times[peer]
            results[peer]["peak"] = worker.ask("memory")["bytes"]
    finally:
        for worker in workers.values():
            worker.close()
    return results


def sweep(
    axis: str,
    pythons: dict[str, str],
    *,
    threads: int,
    clock: str,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """The points of a sweep: `series`, `label`, `threads`, `work` and what `measure` found."""
    measured = []
    for point in points(axis, threads, machine.cores()):
        label = f"{point.series}, {point.threads} threads" if point.series else point.name
        say(label)
        found = measure(
            point.name,
            pythons,
            threads=point.threads,
            rounds=SWEEP_ROUNDS,
            round_seconds=SWEEP_SECONDS,
            first_step_limit=120,
            clock=clock,
        )
        measured.append(
            {
                "series": point.series,
                "label": label,
                "threads": point.threads,
                "work": point.work,
                "peers": found,
            }
        )
    return measured
