"""Models in pieces on several processes: not there. The class is, for `isinstance`."""

from __future__ import annotations

from typing import Any, NoReturn

import rushlight.nn

__all__ = ["FSDPModule", "FullyShardedDataParallel", "fully_shard"]


class FullyShardedDataParallel(rushlight.nn.Module):
    """A model of several processes; no module is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "torch.distributed.fsdp.FullyShardedDataParallel is not in rushlight, which trains in "
            "one process: use the module itself"
        )


class FSDPModule:
    """A module in pieces; no module is one."""


def fully_shard(module: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """Raises NotImplementedError: a module is on one process."""
    raise NotImplementedError(
        "fully_shard is not in rushlight, which trains in one process: use the module itself"
    )
