"""replicate: copies of a module on several GPUs, which are not here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .data_parallel import needs_gpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..modules.module import Module

__all__ = ["replicate"]


def replicate(network: Module, devices: Sequence[Any], detach: bool = False) -> list[Any]:
    """A copy of `network` for each device. Raises RuntimeError: there is only the CPU."""
    needs_gpus("replicate")
