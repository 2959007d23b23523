"""The dicts in which a module keeps its parameters, buffers and children.

``module._parameters``, ``_buffers`` and ``_modules`` are dicts that users and tools change
directly. They are the truth; yet ``module.weight`` must not search them, because a lookup that
first has to fail costs far more than the lookup itself. Measured with CPython 3.11 on one machine:

    ``__getattr__`` that looks into the dict, as PyTorch does     520 ns a fetch
    the entry also kept in the instance, no ``__getattr__``        12 ns
    the same with a ``__getattr__`` on the class                   29 ns (it bars the fast path)

So a Registry shows each entry in its module as a plain instance attribute and keeps that in step
whoever changes the dict, and Module has no ``__getattr__`` until a subclass brings one of its own
(see ``Module.__init_subclass__``). Such a class is asked for every entry, as PyTorch asks it: in
its modules none is shown.
"""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from .module import Module

KINDS = ("_parameters", "_buffers", "_modules")

_read = object.__getattribute__


class Registry(dict):
    """A dict by name whose entries are also attributes of the module that owns it.

    ``copy.copy(module)`` shares the dicts of the original, hence there may be several owners.
    Copied or merged it gives a plain dict, pickled an OrderedDict; ``registry_of`` makes those a
    Registry again.
    """

    __slots__ = ("_owners",)

    def __init__(self, owner: Module, entries: Any = ()) -> None:
        dict.__init__(self, entries)
        self._owners: tuple[ref, ...] = ()
        self.adopt(owner)

    def adopt(self, owner: Module) -> None:
        """Show the entries in one more module."""
        if not any(seen() is owner for seen in self._owners):
            self._owners += (ref(owner),)
            for name, value in self.items():
                _show(owner, name, value)

    def leave(self, owner: Module) -> None:
        """Stop showing the entries in that module."""
        self._owners = tuple(seen for seen in self._owners if seen() is not owner)
        for name in self:
            _hide(owner, name)

    def __setitem__(self, name: str, value: Any) -> None:
        dict.__setitem__(self, name, value)
        for owner in self._owners:
            module = owner()
            if module is not None:
                _show(module, name, value)

    def __delitem__(self, name: str) -> None:
        dict.__delitem__(self, name)
        for owner in self._owners:
            module = owner()
            if module is not None:
                _hide(module, name)

    def pop(self, name: str, *default: Any) -> Any:
        if default and name not in self:
            return default[0]
        value = self[name]
        del self[name]
        return value

    def popitem(self) -> tuple[str, Any]:
        if not self:
            raise KeyError("popitem(): dictionary is empty")
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self) -> None:
        for name in list(self):
            del self[name]

    def update(self, *args: Any, **kwargs: Any) -> None:
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, other: Any) -> Registry:  # type: ignore[misc]
        self.update(other)
        return self

    def __reduce_ex__(self, protocol: Any) -> tuple:
        # An OrderedDict, since `load` makes one without being asked; by `dict` it calls nothing.
        return OrderedDict, (), None, None, iter(self.items())

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        made = memo[id(self)] = {}
        for name, value in self.items():
            made[name] = deepcopy(value, memo)
        return made


def registry_of(module: Module, kind: str) -> Any:
    """The registry of this kind in charge of `module`; None before ``Module.__init__()``.

    A plain dict (unpickled, or written into ``__dict__``) is made a Registry; one that belongs to
    another module (a shallow copy's) gets this module as one more owner.
    """
    try:
        found = _read(module, kind)
    except AttributeError:
        return None
    if type(found) is not Registry:
        found = Registry(module, found)
        object.__setattr__(module, kind, found)
    elif not found._owners or found._owners[0]() is not module:
        found.adopt(module)
    return found


def replace_registry(module: Module, kind: str, entries: dict) -> None:
    """What ``module._modules = {...}`` does."""
    try:
        old = _read(module, kind)
    except AttributeError:
        pass
    else:
        if type(old) is Registry:
            old.leave(module)
    if type(entries) is Registry:
        entries.adopt(module)
    else:
        entries = Registry(module, entries)
    object.__setattr__(module, kind, entries)


def missing_attribute(module: Module, name: str) -> Any:
    """``Module.__getattr__``: reached only if `name` is not an attribute of the usual kind."""
    for kind in KINDS:
        try:
            found = _read(module, kind)
        except AttributeError:
            continue
        if name in found:
            return found[name]
    message = f"'{type(module).__name__}' object has no attribute '{name}'"
    raise AttributeError(message, name=name, obj=module)


_ABSENT = object()


def _class_attribute(module: Module, name: str) -> Any:
    """What the class of `module` has under this name (not what its metaclass has), or _ABSENT."""
    for cls in type(module).__mro__:
        if name in cls.__dict__:
            return cls.__dict__[name]
    return _ABSENT


def show_again(module: Module) -> None:
    """After another class was given to a module: what that class has decides."""
    for kind in KINDS:
        for name, value in (registry_of(module, kind) or {}).items():
            _show(module, name, value)


def _show(module: Module, name: str, value: Any) -> None:
    if getattr(type(module), "__getattr__", missing_attribute) is not missing_attribute:
        module.__dict__.pop(name, None)
        return
    if not hasattr(type(module), name):
        object.__setattr__(module, name, value)
        return
    found = _class_attribute(module, name)
    # A plain class attribute hides an entry of that name, as in PyTorch. A property does so by
    # itself, and the entry waits below it in case the property goes (parametrizations do).
    if found is _ABSENT or hasattr(type(found), "__set__"):
        module.__dict__[name] = value
    else:
        module.__dict__.pop(name, None)


def _hide(module: Module, name: str) -> None:
    if hasattr(type(module), name):
        module.__dict__.pop(name, None)
        return
    if name in module.__dict__:
        object.__delattr__(module, name)
