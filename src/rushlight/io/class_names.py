"""Modules and optimizers in files: PyTorch's names of their classes, and its layout of a module.

So a whole module that is saved here can be read by PyTorch, and the reverse; a class of one's own
has to exist on both sides. State dicts need none of this.
"""

from __future__ import annotations

import importlib
from collections import OrderedDict
from typing import Any

import rushlight
from rushlight.nn.modules.registry import KINDS

__all__ = ["find", "module_state", "name_in_torch"]

# Classes that are in another file here than there.
_FILES = {
    "MultiheadAttention": "torch.nn.modules.activation",
    "ChannelShuffle": "torch.nn.modules.channelshuffle",
    "PixelShuffle": "torch.nn.modules.pixelshuffle",
    "PixelUnshuffle": "torch.nn.modules.pixelshuffle",
    "Adafactor": "torch.optim",
    "Muon": "torch.optim",
}
# A module without a shape holds handles of its hooks, which PyTorch writes in another way.
_OURS = ("rushlight.nn.modules.lazy", "rushlight.optim.lr_scheduler")

# Where functions are that PyTorch has in its compiled core.
_COMPILED = {"torch._C._nn": "torch.nn.functional"}

_HOOK_TABLES = (
    "_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)  # fmt: skip
_FLAGS = ("_hooked", "_state_hooked")


def name_in_torch(obj: Any, name: str | None = None) -> tuple[str, str] | None:
    """The module and the name of a class or function in PyTorch; None if it is written as it is.

    Args:
        obj: the class or function.
        name: what pickle calls it, if that is known.
    """
    home = getattr(obj, "__module__", None)
    if not isinstance(home, str) or not home.startswith("rushlight."):
        return None
    if not name:
        name = str(getattr(obj, "__qualname__", "") or getattr(obj, "__name__", ""))
    if isinstance(obj, type):
        if home.startswith(_OURS) or not home.startswith(("rushlight.nn.", "rushlight.optim.")):
            return None
        return _FILES.get(name) or "torch" + home.removeprefix("rushlight"), name
    for module in ("nn.functional", ""):
        where = rushlight.nn.functional if module else rushlight
        if getattr(where, name, None) == obj:  # `is`, but for functions that ask (overrides.py)
            return f"torch.{module}".rstrip("."), name
    return None


def find(module: str, name: str) -> Any:
    """The counterpart of a name in PyTorch: in the file of the same name, or where it is here.

    Raises AttributeError or ImportError if there is none.
    """
    if f"{module}.{name}" == "torch._C._VariableFunctionsClass":  # of getattr(..., "tanh")
        return rushlight
    module = _COMPILED.get(module, module)
    parts = ["rushlight", *module.split(".")[1:]]
    while True:
        try:
            found: Any = importlib.import_module(".".join(parts))
            for part in name.split("."):
                found = getattr(found, part)
            return found
        except (ImportError, AttributeError):
            # Packages have the names of their files: nn.modules.pixelshuffle.PixelShuffle is
            # nn.modules.PixelShuffle too.
            if len(parts) <= 2:
                raise
            parts.pop()


def module_state(module: Any, state: dict[str, Any]) -> dict[str, Any]:
    """The state of a module as PyTorch's `Module.__setstate__` wants it.

    Parameters, buffers and children are in their tables alone, and there is every table of hooks.

    Args:
        module: the module.
        state: what its `__getstate__` returned.
    """
    shown = {name: value for kind in KINDS for name, value in state.get(kind, {}).items()}
    kept = {
        name: value
        for name, value in state.items()
        if name not in _FLAGS and not (name in shown and shown[name] is value)
    }
    for table in _HOOK_TABLES:
        kept.setdefault(table, OrderedDict())
    kept.setdefault("_is_full_backward_hook", None)
    if isinstance(module, rushlight.nn.RNNBase):
        kept["_flat_weights_names"] = list(module._flat_weights_names)
        kept["_flat_weights"] = list(module._flat_weights)
    return kept
