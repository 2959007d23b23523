"""Modules in pieces on several processes: the names of distributed.fsdp once more."""

from __future__ import annotations

from rushlight.distributed.fsdp import FSDPModule as FSDPModule
from rushlight.distributed.fsdp import fully_shard as fully_shard
