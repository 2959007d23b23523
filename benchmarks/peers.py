"""Starting workers and talking to them."""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

TITLES = {
    "rushlight": "rushlight",
    "torch": "PyTorch eager",
    "compile": "torch.compile, model",
    "compile-all": "torch.compile, all",
    "jax": "JAX jit",
}


class PeerError(Exception):
    """A worker died, or did not answer in time."""


def environment(threads: int) -> dict[str, str]:
    """What every worker gets: the same number of threads, by every library's own variable."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RUSHLIGHT_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, count), "JAX_PLATFORMS": "cpu"}


class Worker:
    """One workload on one peer, in a process of its own."""

    def __init__(self, python: str, peer: str, workload: str, threads: int) -> None:
        self.peer = peer
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the worker
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", peer, workload, str(threads)],
            cwd=ROOT,
            env=environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._pending = b""

    def read(self, limit: float) -> dict[str, Any]:
        """The next answer; raises PeerError where there is none within `limit` seconds."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.close()
                    raise PeerError(f"no answer in {limit:.0f} s")
                received = os.read(self._process.stdout.fileno(), 65536)
                if not received:
                    raise PeerError(self._last_words())
                self._pending += received
        line, _, self._pending = self._pending.partition(b"\n")
        return json.loads(line)

    def ask(self, command: str, argument: Any = None, limit: float = 120) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([command, argument]).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise PeerError(self._last_words()) from None
        return self.read(limit)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        raised = [line for line in said if re.match(r"[\w.]+(Error|Exception|Interrupt)\b", line)]
        if raised:
            return raised[-1]
        return said[-1] if said else f"ended with exit code {self._process.returncode}"
