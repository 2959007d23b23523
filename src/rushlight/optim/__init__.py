"""Optimizers and learning rate schedules."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rushlight.optim.adam import Adam
from rushlight.optim.adamw import AdamW
from rushlight.optim.optimizer import Optimizer
from rushlight.optim.sgd import SGD

if TYPE_CHECKING:
    from rushlight.optim import lr_scheduler, swa_utils
    from rushlight.optim.adadelta import Adadelta
    from rushlight.optim.adafactor import Adafactor
    from rushlight.optim.adagrad import Adagrad
    from rushlight.optim.adamax import Adamax
    from rushlight.optim.asgd import ASGD
    from rushlight.optim.lbfgs import LBFGS
    from rushlight.optim.muon import Muon
    from rushlight.optim.nadam import NAdam
    from rushlight.optim.radam import RAdam
    from rushlight.optim.rmsprop import RMSprop
    from rushlight.optim.rprop import Rprop
    from rushlight.optim.sparse_adam import SparseAdam
    from rushlight.optim.swapping import swap_in_optimizer_params_and_state

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
    "swap_in_optimizer_params_and_state",
]

# Loaded when first used, for fewer files at import: name, and the module that it is or lives in.
_LATER = {
    "ASGD": "asgd",
    "LBFGS": "lbfgs",
    "Adadelta": "adadelta",
    "Adafactor": "adafactor",
    "Adagrad": "adagrad",
    "Adamax": "adamax",
    "Muon": "muon",
    "NAdam": "nadam",
    "RAdam": "radam",
    "RMSprop": "rmsprop",
    "Rprop": "rprop",
    "SparseAdam": "sparse_adam",
    "lr_scheduler": "",
    "swa_utils": "",
    "swap_in_optimizer_params_and_state": "swapping",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'rushlight.optim' has no attribute {name!r}")
    from importlib import import_module

    home = _LATER[name]
    module = import_module(f"rushlight.optim.{home or name}")
    value = getattr(module, name) if home else module
    globals()[name] = value
    return value


class _WithAll(ModuleType):
    """This module: who looks at all that is in it, by vars() or dir(), finds what comes later."""

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        for name in _LATER.keys() - globals().keys():
            __getattr__(name)
        return globals()


sys.modules[__name__].__class__ = _WithAll
