"""Which modules are being called: `ModuleTracker`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rushlight.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)

if TYPE_CHECKING:
    from rushlight.nn import Module

__all__ = ["ModuleTracker"]


class ModuleTracker:
    """A block in which `parents` holds the names of the modules whose forward is running.

    A module is named by its class, modules in it by their path from there: "Net", "Net.layer.0".

    Attributes:
        parents: the names, with "Global" for the program itself.

    Example:
        >>> from rushlight import nn
        >>> with ModuleTracker() as tracker:
        ...     layer = nn.Linear(1, 1)
        ...     _ = layer.register_forward_hook(lambda *_: print(sorted(tracker.parents)))
        ...     _ = layer(rushlight.ones(1))
        ['Global', 'Linear']
    """

    def __init__(self) -> None:
        self.parents: set[str] = {"Global"}
        self._names: WeakKeyDictionary[Module, str] = WeakKeyDictionary()
        self._hooks: tuple = ()

    @property
    def is_bw(self) -> bool:
        """False: backward runs no modules here."""
        return False

    def _name(self, module: Module) -> str:
        if module not in self._names:
            self._give_name(module, type(module).__name__)
        return self._names[module]

    def _give_name(self, module: Module, name: str) -> None:
        self._names.setdefault(module, name)
        for child, inner in module.named_children():
            self._give_name(inner, f"{name}.{child}")

    def _begin(self, module: Module, input: Any) -> None:
        self.parents.add(self._name(module))

    def _end(self, module: Module, input: Any, output: Any) -> None:
        self.parents.discard(self._name(module))

    def __enter__(self) -> ModuleTracker:
        self._hooks = (
            register_module_forward_pre_hook(self._begin),
            register_module_forward_hook(self._end, always_call=True),
        )
        return self

    def __exit__(self, *exception: Any) -> None:
        for hook in self._hooks:
            hook.remove()
