"""What the machine can do at best: products of float32 matrices, and copies of memory.

Run as `python -m benchmarks.peaks LIBRARY THREADS`: a process of its own for each library, so that
no thread of one waits on the cores of the other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.numbers import uniform
from benchmarks.peers import ROOT, environment
from benchmarks.worker import keep_to_cores

LIBRARIES = ("rushlight", "numpy")
SIZES = (256, 512, 1024, 2048)
COPIED = 1 << 26  # float32 numbers, 256 MiB: far more than a cache holds
SECONDS = 0.4  # of runs per size


def best_seconds(call: Callable[[], Any], seconds: float = SECONDS) -> float:
    """The shortest of the runs that fit into `seconds`, after one that warms up; at least 3."""
    call()
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < seconds:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def of_library(library: str, threads: int) -> dict[str, Any]:
    """`gemm`: FLOP/s by size; `copy`: bytes/s, those read and those written."""
    if library == "rushlight":
        import rushlight as torch

        torch.set_num_threads(threads)

        def square(size: int) -> Callable[[], Any]:
            a = uniform(torch.arange, (size, size), 0).to(torch.float32)
            return lambda: torch.mm(a, a).data_ptr()

        source, target = torch.ones(COPIED), torch.ones(COPIED)

        def copy() -> Any:
            return target.copy_(source).data_ptr()
    else:
        import numpy as np

        def square(size: int) -> Callable[[], Any]:
            a = uniform(np.arange, (size, size), 0).astype(np.float32)
            result = np.empty_like(a)
            return lambda: np.matmul(a, a, out=result)

        from_, to = np.ones(COPIED, np.float32), np.ones(COPIED, np.float32)

        def copy() -> Any:
            np.copyto(to, from_)

    gemm = {str(size): 2.0 * size**3 / best_seconds(square(size)) for size in SIZES}
    return {"gemm": gemm, "copy": 2 * 4.0 * COPIED / best_seconds(copy)}


def measure(pythons: dict[str, str], threads: int) -> dict[str, Any]:
    """`gemm` and `copy` are the best of all; `by_library` holds where they come from.

    A library that cannot be run is left out; without any, there are no peaks.
    """
    found: dict[str, Any] = {}
    for library, python in pythons.items():
        done = subprocess.run(
            [python, "-m", "benchmarks.peaks", library, str(threads)],
            cwd=ROOT,
            env=environment(threads),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            found[library] = json.loads(done.stdout)
    if not found:
        return {}
    return {
        "gemm": max(rate for one in found.values() for rate in one["gemm"].values()),
        "copy": max(one["copy"] for one in found.values()),
        "by_library": found,
    }


def main() -> None:
    library, threads = sys.argv[1], int(sys.argv[2])
    keep_to_cores(threads)
    print(json.dumps(of_library(library, threads)))


if __name__ == "__main__":
    main()
