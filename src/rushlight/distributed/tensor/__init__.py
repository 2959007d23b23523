"""Tensors in pieces on several processes: not there. The class is, for `isinstance`."""

from __future__ import annotations

from typing import Any

__all__ = ["DTensor"]


class DTensor:
    """A tensor of several processes; no tensor is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "torch.distributed.tensor.DTensor is not in rushlight, which trains in one process"
        )
