"""Optimizer state in pieces on several processes: not there. The class is, for `isinstance`."""

from __future__ import annotations

from typing import Any

from rushlight.optim.optimizer import Optimizer

__all__ = ["ZeroRedundancyOptimizer"]


class ZeroRedundancyOptimizer(Optimizer):
    """An optimizer of several processes; no optimizer is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "torch.distributed.optim.ZeroRedundancyOptimizer is not in rushlight, which trains in "
            "one process: use the optimizer that it would wrap"
        )
