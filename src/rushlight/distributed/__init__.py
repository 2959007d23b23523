"""torch.distributed for one process: a group of one, in which collectives move nothing.

`is_available()` is False, so a script that asks goes on without a group. One that does not ask may
make a group of one process, with the functions below and `nn.parallel.DistributedDataParallel`:
its results are those of a single process. A group of several raises NotImplementedError.
"""

from __future__ import annotations

from typing import Any

from rushlight.distributed.collectives import *  # noqa: F403
from rushlight.distributed.group import *  # noqa: F403


def is_available() -> bool:
    """False: there are no groups of several processes."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether `torchrun` started this process."""
    import os

    return "TORCHELASTIC_RUN_ID" in os.environ


def __getattr__(name: str) -> Any:
    if name in ("algorithms", "fsdp", "nn", "optim", "rpc", "tensor"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    if name == "default_pg_timeout":
        from datetime import timedelta

        return timedelta(minutes=30)
    raise AttributeError(
        f"torch.distributed.{name} is not in rushlight, which trains in one process: guard it with "
        "torch.distributed.is_available(), which is False here"
    )
