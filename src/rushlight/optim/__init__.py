"""Optimizers and learning rate schedules."""

from __future__ import annotations

from rushlight.optim.adam import Adam
from rushlight.optim.adamw import AdamW
from rushlight.optim.optimizer import Optimizer
from rushlight.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler", "swa_utils"]


def __getattr__(name: str):
    """Load `lr_scheduler` and `swa_utils` when they are first used: fewer files at import."""
    if name in ("lr_scheduler", "swa_utils"):
        import importlib

        return importlib.import_module(f"rushlight.optim.{name}")
    raise AttributeError(f"module 'rushlight.optim' has no attribute {name!r}")
