"""Seconds and memory of an import, each in a fresh interpreter, the peers in turn."""

from __future__ import annotations

import json
import subprocess
import tempfile
from statistics import median
from typing import Any

from benchmarks.peers import ROOT, environment

MODULES = {"rushlight": "rushlight", "torch": "torch", "jax": "jax"}

PROGRAM = """
import resource, sys, time
unit = 1 if sys.platform == "darwin" else 1024
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
bare = peak()
start = time.perf_counter()
import {module}
print('{{"seconds": %r, "bytes": %d, "bare": %d}}' % (time.perf_counter() - start, peak(), bare))
"""


def measure(pythons: dict[str, str], threads: int, rounds: int) -> dict[str, Any]:
    """Per peer: median seconds, and the resident bytes of the interpreter before and after."""
    found: dict[str, list[dict[str, float]]] = {}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        # Compiled once, as installed packages are, wherever they come from.
        env = {**environment(threads), "PYTHONPYCACHEPREFIX": folder}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(rounds + 1):  # the first one fills the caches
            for peer in (peer for peer in pythons if peer in MODULES and peer not in failures):
                done = subprocess.run(
                    [pythons[peer], "-c", PROGRAM.format(module=MODULES[peer])],
                    cwd=ROOT,
                    env=env,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    failures[peer] = done.stderr.strip().split("\n")[-1]
                elif turn:
                    found.setdefault(peer, []).append(json.loads(done.stdout))
    results: dict[str, Any] = {peer: {"error": why} for peer, why in failures.items()}
    for peer, runs in found.items():
        results[peer] = {key: median(run[key] for run in runs) for key in runs[0]}
    return results
