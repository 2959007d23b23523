"""Models in pieces on several processes: not there. The class is, for `isinstance`."""

from __future__ import annotations

from typing import Any

import rushlight.nn

__all__ = ["FullyShardedDataParallel"]


class FullyShardedDataParallel(rushlight.nn.Module):
    """A model of several processes; no module is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "torch.distributed.fsdp.FullyShardedDataParallel is not in rushlight, which trains in "
            "one process: use the module itself"
        )
