"""Module: the base class of layers and models.

This file has what a module is: its attributes, its call, its modes, its text. The tree it forms,
hooks, conversion and state_dict are parts in files of their own; registry.py says how parameters,
buffers and children are stored.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core
from rushlight.tensor import Tensor

from ..parameter import Buffer, Parameter
from . import hooks as _tables
from .conversion import Conversion
from .failure import locate
from .hooked_call import call_with_hooks
from .hooks import (  # noqa: F401  libraries look into the tables
    ACTIVE_GLOBALS,
    FLAGS,
    _global_buffer_registration_hooks,
    _global_module_registration_hooks,
    _global_parameter_registration_hooks,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
    restore_tables,
)
from .registry import (
    KINDS,
    Registry,
    missing_attribute,
    registry_of,
    replace_registry,
    show_again,
)
from .state_dict import EXTRA_STATE as _EXTRA_STATE_KEY_SUFFIX  # noqa: F401  libraries ask for it
from .state_dict import StateDict
from .state_dict import _IncompatibleKeys as _IncompatibleKeys

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

# Module's call is in C (csrc/tape/module_call.cpp), and comes back for what is rare.
_core.set_callbacks(
    module_hooks=ACTIVE_GLOBALS, module_with_hooks=call_with_hooks, module_failed=locate
)
_SPECIAL = frozenset(KINDS) | FLAGS.keys() | {"__class__"}
_set = object.__setattr__
_get = object.__getattribute__


class _CallSignature:
    """What `inspect.signature` finds of a module, whose call is in C; of a class, nothing."""

    def __get__(self, module: Module | None, owner: type) -> Any:
        if module is None:
            raise AttributeError("__signature__")
        from inspect import signature

        return signature(lambda *args, **kwargs: None)


class Module(Conversion, StateDict, _core.ModuleCall):
    """Base class of layers, losses and models.

    A subclass calls ``super().__init__()``, assigns Parameters, Buffers and other Modules as
    attributes, which registers them, and computes in ``forward``; one calls the module, not
    ``forward``. An exception on the way out gets one line that says in which module it was raised.

    Attributes:
        training: True after ``train()`` and at first, False after ``eval()``; for modules such as
            Dropout that behave differently in the two.
        call_super_init: set to True in a class with other bases after Module: ``__init__`` then
            passes its arguments on to them.
    """

    dump_patches: bool = False
    _compiled_call_impl: Any = None  # a compiled call, which there is none of
    call_super_init: bool = False

    training: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            name = f"{type(self).__name__}.__init__()"
            if kwargs:
                raise TypeError(f"{name} got an unexpected keyword argument '{next(iter(kwargs))}'")
            raise TypeError(f"{name} takes 1 positional argument but {len(args) + 1} were given")
        _set(self, "training", True)
        _set(self, "_hooked", False)
        _set(self, "_parameters", Registry(self))
        _set(self, "_buffers", Registry(self))
        _set(self, "_modules", Registry(self))
        _set(self, "_non_persistent_buffers_set", set())
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # CPython reads attributes of a class with __getattr__ more slowly, so Module has none
        # until a subclass brings one, which will want to call this one by super(). One that sets
        # attributes its own way may put plain dicts in the place of registries.
        super().__init_subclass__(**kwargs)
        own = hasattr(cls, "__getattr__") or "__setattr__" in cls.__dict__
        if own and not hasattr(Module, "__getattr__"):
            Module.__getattr__ = missing_attribute

    if TYPE_CHECKING:  # parameters, buffers and children, for type checkers

        def __getattr__(self, name: str) -> Any: ...

    # ---------------------------------------------------------------- calling

    def forward(self, *input: Any) -> Any:
        """What the module computes; each subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    _call_impl = _wrapped_call_impl = _core.ModuleCall.__call__
    __signature__ = _CallSignature()

    def compile(self, *args: Any, **kwargs: Any) -> Self:
        """There is nothing to compile: returns the module as it is."""
        return self

    # ---------------------------------------------------------------- registration

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or the name of one that is absent (None)."""
        params = registry_of(self, "_parameters")
        _check_name(self, "parameter", params, name)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{rushlight.typename(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must "
                    f"be created explicitly. To express '{name}' as a function of another Tensor, "
                    "compute the value in the forward() method."
                )
            param = _seen_by(_tables._global_parameter_registration_hooks, self, name, param)
        params[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not learned, such as a running mean.

        Args:
            name: the attribute under which it can be read.
            tensor: None for one that is absent.
            persistent: whether ``state_dict`` holds it.
        """
        buffers = registry_of(self, "_buffers")
        _check_name(self, "buffer", buffers, name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{rushlight.typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        buffers[name] = _seen_by(_tables._global_buffer_registration_hooks, self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child; the same as assigning it, for names that are not known when writing."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{rushlight.typename(module)} is not a Module subclass")
        modules = registry_of(self, "_modules")
        _check_name(self, "module", modules, name)
        modules[name] = _seen_by(_tables._global_module_registration_hooks, self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as :meth:`add_module`."""
        self.add_module(name, module)

    # ---------------------------------------------------------------- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Tensor, Module)) or name in _SPECIAL or _is_registered(self, name):
            self._register_value(name, value)
        else:
            super().__setattr__(name, value)

    def _register_value(self, name: str, value: Any) -> None:
        """Assign what may have to go into, or out of, one of the registries."""
        params = registry_of(self, "_parameters")
        if isinstance(value, Parameter):
            if params is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            if name not in params:
                self._make_room(name)
            self.register_parameter(name, value)
        elif params is not None and name in params:
            if value is not None:
                raise _cannot_assign(value, f"parameter '{name}' (torch.nn.Parameter or None")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            modules = registry_of(self, "_modules")
            if modules is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            if name not in modules:
                self._make_room(name)
            modules[name] = _seen_by(_tables._global_module_registration_hooks, self, name, value)
        else:
            self._replace_entry(name, value)

    def _replace_entry(self, name: str, value: Any) -> None:
        """The same where `value` is neither a Parameter nor a Module."""
        modules = registry_of(self, "_modules")
        buffers = registry_of(self, "_buffers")
        if modules is not None and name in modules:
            if value is not None:
                raise _cannot_assign(value, f"child module '{name}' (torch.nn.Module or None")
            modules[name] = _seen_by(_tables._global_module_registration_hooks, self, name, value)
        elif isinstance(value, Buffer) or (buffers is not None and name in buffers):
            if value is not None and not isinstance(value, Tensor):
                wanted = f"buffer '{name}' (torch.nn.Buffer, torch.Tensor or None"
                raise _cannot_assign(value, wanted)
            if isinstance(value, Buffer):
                persistent = value.persistent
            else:
                persistent = name not in self._non_persistent_buffers_set
            if persistent:  # a subclass's register_buffer may not know the argument
                self.register_buffer(name, value)
            else:
                self.register_buffer(name, value, persistent=False)
        elif name in KINDS:
            replace_registry(self, name, value)
        else:
            if name in FLAGS:
                _set(self, FLAGS[name], True)
            super().__setattr__(name, value)
            if name == "__class__":
                show_again(self)

    def _make_room(self, name: str) -> None:
        """Before `name` becomes a new parameter or child: remove what has that name."""
        for other in KINDS:
            registry = registry_of(self, other)
            if name in registry:
                del registry[name]
        self._non_persistent_buffers_set.discard(name)
        try:
            _get(self, name)
        except AttributeError:
            return
        self.__dict__.pop(name, None)

    def __delattr__(self, name: str) -> None:
        for kind in KINDS:
            registry = registry_of(self, kind)
            if name in registry:
                del registry[name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__}
        names.update(self._parameters, self._modules, self._buffers)
        return sorted(name for name in names if not name[:1].isdigit())

    def __getstate__(self) -> dict:
        return self.__dict__.copy()

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        for kind in KINDS:
            registry_of(self, kind)
        restore_tables(self, state)

    # ---------------------------------------------------------------- reaching by dotted name

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as ``"encoder.layers.0"``; self for ``""``.

        Raises AttributeError if there is none, or something else.
        """
        module = self
        for name in target.split(".") if target else ():
            module = _attribute(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at a path; with `strict` only in place of one that is there."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if (strict or hasattr(parent, name)) and not isinstance(_attribute(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as ``"encoder.layers.0.weight"``."""
        path, _, name = target.rpartition(".")
        param = _attribute(self.get_submodule(path), name)
        if not isinstance(param, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return param

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as ``"norm.running_mean"``."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        buffer = _attribute(module, name)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return buffer

    # ---------------------------------------------------------------- modes

    def train(self, mode: bool = True) -> Self:
        """Set ``training`` here and in all modules below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """The same as ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of every parameter; False freezes the module."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or with ``set_to_none=False`` fill them with 0."""
        if getattr(self, "_is_replica", False):
            warnings.warn("zero_grad() has no effect on a replica of a module", stacklevel=2)
        for param in self.parameters():
            grad = param.grad
            if grad is None:
                continue
            if set_to_none:
                param.grad = None
                continue
            if grad.grad_fn is not None:
                grad.detach_()
            else:
                grad.requires_grad_(False)
            grad.zero_()

    def _replicate_for_data_parallel(self) -> Module:
        replica = type(self).__new__(type(self))
        replica.__dict__.update(self.__dict__)
        replica._parameters = {}
        replica._buffers = dict(self._buffers)
        replica._modules = dict(self._modules)
        replica._is_replica = True
        return replica

    # ---------------------------------------------------------------- text

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands in the parentheses of the repr; for subclasses."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        if len(lines) == 1 and not self._modules:
            return f"{self._get_name()}({extra})"
        lines += [f"({name}): {indented(repr(child))}" for name, child in self._modules.items()]
        if not lines:
            return f"{self._get_name()}()"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


def _addindent(s_: str, numSpaces: int) -> str:
    """Lines after the first moved right; for the `__repr__` of libraries."""
    first, *others = s_.split("\n")
    return "\n".join([first] + [" " * numSpaces + line for line in others])


def indented(text: str) -> str:
    """`text` with its lines after the first moved right by two; blank lines become empty."""
    first, *others = text.split("\n")
    return "\n".join([first] + ["  " + line if line.strip() else "" for line in others])


def _is_registered(module: Module, name: str) -> bool:
    """Whether `name` is a parameter, buffer or child; False before Module.__init__()."""
    try:
        return (
            name in _get(module, "_parameters")
            or name in _get(module, "_modules")
            or name in _get(module, "_buffers")
        )
    except AttributeError:
        return False


def _cannot_assign(value: Any, wanted: str) -> TypeError:
    got = rushlight.typename(value)
    return TypeError(f"cannot assign '{got}' as {wanted} expected)")


def _check_name(module: Module, kind: str, registry: Registry | None, name: str) -> None:
    """Raise unless `name` can become an entry of `registry`."""
    if registry is None:
        raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
    if not isinstance(name, str):
        raise TypeError(f"{kind} name should be a string. Got {rushlight.typename(name)}")
    if "." in name:
        got = f", got: {name}" if kind == "module" else ""
        raise KeyError(f'{kind} name can\'t contain "."{got}')
    if name == "":
        raise KeyError(f'{kind} name can\'t be empty string ""')
    if name not in registry and hasattr(module, name):
        raise KeyError(f"attribute '{name}' already exists")


def _seen_by(hooks: dict, module: Module, name: str, value: Any) -> Any:
    """`value`, or what the global registration hooks put in its place."""
    for hook in hooks.values():
        changed = hook(module, name, value)
        if changed is not None:
            value = changed
    return value


def _attribute(module: Module, name: str) -> Any:
    if not hasattr(module, name):
        raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
    return getattr(module, name)
