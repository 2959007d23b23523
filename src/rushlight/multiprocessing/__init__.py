"""Python's `multiprocessing`, with tensors that travel in shared memory.

Everything of `multiprocessing` is here under its own name. What this module adds: tensors put into
a queue or sent through a pipe are moved to shared memory, and both processes then see the same
numbers; `spawn` starts several processes of one function and reports their errors.
"""

from __future__ import annotations

import multiprocessing as _multiprocessing
from multiprocessing import *  # noqa: F403

from rushlight.multiprocessing.sharing import register as _register
from rushlight.multiprocessing.spawn import (
    ProcessContext,
    ProcessExitedException,
    ProcessException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

__all__ = [
    *_multiprocessing.__all__,
    "ProcessContext",
    "ProcessException",
    "ProcessExitedException",
    "ProcessRaisedException",
    "SpawnContext",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
    "start_processes",
]

_register()

_STRATEGIES = {"file_descriptor", "file_system"}
_strategy = "file_descriptor"


def get_all_sharing_strategies() -> set[str]:
    """The names that `set_sharing_strategy` takes."""
    return set(_STRATEGIES)


def get_sharing_strategy() -> str:
    """The name set last; "file_descriptor" to begin with."""
    return _strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepts PyTorch's two names, without effect.

    Shared memory here has no name in a file system and goes by its descriptor, which is PyTorch's
    "file_descriptor". What people set "file_system" for, running out of descriptors in a loader, is
    rare here: a worker holds one for each batch that is under way, not for each tensor.
    """
    global _strategy
    if new_strategy not in _STRATEGIES:
        raise AssertionError(
            f"set_sharing_strategy: expected one of {sorted(_STRATEGIES)}, got {new_strategy!r}"
        )
    _strategy = new_strategy
