"""One workload on one library, in a process of its own, driven by lines of JSON on stdin.

Started as `python -m benchmarks.worker PEER WORKLOAD THREADS`. It answers on what was its standard
output; whatever a library prints goes to standard error.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

Step = Callable[[], tuple[Any, ...]]


def keep_to_cores(threads: int) -> None:
    """Every library sizes its pool by the cores that it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


class TorchLike:
    """rushlight or PyTorch. A pending value counts as computed only once it is asked for."""

    def __init__(self, peer: str, workload: str, threads: int) -> None:
        from benchmarks.definition import Compiler
        from benchmarks.sweeps import find

        if peer == "rushlight":
            import rushlight as torch
        else:
            import torch
        torch.set_num_threads(threads)
        self.version = torch.__version__
        compiled = Compiler()
        if peer == "compile":
            compiled = Compiler(torch.compile)
        elif peer == "compile-all":
            compiled = Compiler(torch.compile, torch.compile)
        self.step: Step = find(workload).build(torch, compiled)
        self.finish = torch.cpu.synchronize

    def run(self, steps: int) -> None:
        step = self.step
        for _ in range(steps):
            for result in step():
                result.data_ptr()
        self.finish()

    def values(self) -> list[float]:
        return [result.detach().abs().sum().item() for result in self.step()]


class Jax:
    """XLA computes all outputs of a step; the last one's arrival ends a run."""

    def __init__(self, peer: str, workload: str, threads: int) -> None:
        import jax

        from benchmarks.jax_workloads import BUILDERS

        self.jax = jax
        self.version = jax.__version__
        self.step: Step = BUILDERS[workload]()

    def run(self, steps: int) -> None:
        step = self.step
        results: tuple[Any, ...] = ()
        for _ in range(steps):
            results = step()
        self.jax.block_until_ready(results)

    def values(self) -> list[float]:
        return [float(abs(result).sum()) for result in self.step()]


def seconds_of(
    library: TorchLike | Jax, steps: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    start = clock()
    library.run(steps)
    return clock() - start


def steps_that_take(library: TorchLike | Jax, seconds: float) -> int:
    """How many steps fill about `seconds`; trying warms the library up as well."""
    steps = 1
    while True:
        taken = seconds_of(library, steps)
        if taken > seconds / 2:
            return max(1, round(steps * seconds / taken))
        steps = max(steps + 1, min(8 * steps, round(1.2 * steps * seconds / max(taken, 1e-9))))


def main() -> None:
    peer, workload, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    keep_to_cores(threads)

    def answer(**fields: Any) -> None:
        answers.write(json.dumps(fields) + "\n")

    library = (Jax if peer == "jax" else TorchLike)(peer, workload, threads)
    first = seconds_of(library, 1)
    answer(version=library.version, first=first)
    steps = 1
    for line in sys.stdin:
        command, argument = json.loads(line)
        if command == "values":
            answer(values=[library.values() for _ in range(argument)])
        elif command == "prepare":
            steps = steps_that_take(library, argument)
            answer(steps=steps)
        elif command == "time":
            gc.collect()
            clock = time.process_time if argument == "cpu" else time.perf_counter
            answer(seconds=seconds_of(library, steps, clock) / steps)
        elif command == "memory":
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            answer(bytes=peak * (1 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    main()
