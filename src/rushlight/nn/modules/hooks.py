"""The hooks that users hang on modules: their tables and how they are registered.

What a call does with them is in hooked_call.py. A module has no table until somebody asks for one,
so that a call without hooks has a single flag to test (``Module._hooked``); a table that is
written to, by ``register_*`` or directly, raises that flag.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from weakref import ref

from rushlight.autograd.graph import RemovableHandle

if TYPE_CHECKING:
    from collections.abc import Callable

    from .module import Module

__all__ = [
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

MIXED = (
    "Cannot use both regular backward hooks and full backward hooks {where}. "
    "Please use only one of them."
)


# ------------------------------------------------------------------ hooks of one module


class HookTable(OrderedDict):
    """Hooks by handle id; raises the flag of its module when one is added."""

    def __init__(self, module: Module, flag: str) -> None:
        super().__init__()
        self.module, self.flag = ref(module), flag

    def __setitem__(self, key: int, hook: Any) -> None:
        super().__setitem__(key, hook)
        module = self.module()
        if module is not None:
            object.__setattr__(module, self.flag, True)

    def __repr__(self) -> str:
        return repr(OrderedDict(self))

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return OrderedDict, (), None, None, iter(self.items())  # Module.__setstate__ undoes it


class Table:
    """Class attribute that makes the HookTable of an instance when it is first asked for."""

    def __init__(self, flag: str) -> None:
        self.flag = flag

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: Any, owner: type | None = None) -> Any:
        if module is None:
            return self
        table = HookTable(module, self.flag)
        object.__setattr__(module, self.name, table)
        return table


class Hooks:
    """The part of Module that registers hooks."""

    _hooked: bool = False
    _state_hooked: bool = False
    _is_full_backward_hook: bool | None = None

    _forward_pre_hooks = Table("_hooked")
    _forward_pre_hooks_with_kwargs = Table("_hooked")
    _forward_hooks = Table("_hooked")
    _forward_hooks_with_kwargs = Table("_hooked")
    _forward_hooks_always_called = Table("_hooked")
    _backward_pre_hooks = Table("_hooked")
    _backward_hooks = Table("_hooked")
    _state_dict_pre_hooks = Table("_state_hooked")
    _state_dict_hooks = Table("_state_hooked")
    _load_state_dict_pre_hooks = Table("_state_hooked")
    _load_state_dict_post_hooks = Table("_state_hooked")

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Run ``hook(module, args)`` before each ``forward``.

        Args:
            hook: may return new arguments, a tuple or one value; None leaves them as they are.
            prepend: run it before the hooks that are there already.
            with_kwargs: call ``hook(module, args, kwargs)``, which may return ``(args, kwargs)``.

        Returns a handle; ``handle.remove()`` takes the hook off. So do all methods of this kind.
        """
        marks = {"_forward_pre_hooks_with_kwargs": with_kwargs}
        return _hang(self, "_forward_pre_hooks", hook, prepend, marks)

    def register_forward_hook(
        self,
        hook: Callable,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Run ``hook(module, args, output)`` after each ``forward``.

        Args:
            hook: may return what the call gives in place of ``output``; None leaves it.
            prepend: run it before the hooks that are there already.
            with_kwargs: call ``hook(module, args, kwargs, output)``.
            always_call: run it also if ``forward`` raised (``output`` is then None).
        """
        marks = {
            "_forward_hooks_with_kwargs": with_kwargs,
            "_forward_hooks_always_called": always_call,
        }
        return _hang(self, "_forward_hooks", hook, prepend, marks)

    def register_full_backward_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Run ``hook(module, grad_output)`` when the gradient of the output is known.

        The hook may return another ``grad_output``, a tuple of the same length.
        """
        return _hang(self, "_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Run ``hook(module, grad_input, grad_output)`` when the input gradients are known.

        The hook may return another ``grad_input``, a tuple of the same length.
        """
        if self._is_full_backward_hook is False:
            raise RuntimeError(MIXED.format(where="on a single Module"))
        self._is_full_backward_hook = True
        return _hang(self, "_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """PyTorch's older kind: a hook on the last autograd node of ``forward`` only.

        Deprecated there; use :meth:`register_full_backward_hook`.
        """
        if self._is_full_backward_hook is True:
            raise RuntimeError(MIXED.format(where="on a single Module"))
        self._is_full_backward_hook = False
        return _hang(self, "_backward_hooks", hook)

    def register_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Run ``hook(module, prefix, keep_vars)`` before ``state_dict()`` collects."""
        return _hang(self, "_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Run ``hook(module, state_dict, prefix, local_metadata)`` after ``state_dict()``.

        It changes ``state_dict`` in place and returns None.
        """
        hook._from_public_api = True  # type: ignore[attr-defined]
        return _hang(self, "_state_dict_hooks", hook)

    def _register_state_dict_hook(self, hook: Callable) -> RemovableHandle:
        """As the public one, but what the hook returns, if not None, is the new state dict."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously "
                "registered via register_state_dict_post_hook"
            )
        return _hang(self, "_state_dict_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Run a hook before this module loads its part of a state_dict.

        It is called as ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)``.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable, with_module: bool = False
    ) -> RemovableHandle:
        """As the public one; without `with_module` the hook does not get the module."""
        bound = BoundHook(hook, self if with_module else None)
        return _hang(self, "_load_state_dict_pre_hooks", bound)

    def register_load_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Run ``hook(module, incompatible_keys)`` after this module and its children loaded.

        ``incompatible_keys`` has the lists ``missing_keys`` and ``unexpected_keys``; the hook may
        change them in place, and must return None.
        """
        return _hang(self, "_load_state_dict_post_hooks", hook)


# Table name -> the flag of the module that says to look into it.
FLAGS = {name: table.flag for name, table in vars(Hooks).items() if isinstance(table, Table)}


def _hang(
    module: Hooks,
    name: str,
    hook: Callable,
    prepend: bool = False,
    marks: dict[str, bool] | None = None,
) -> RemovableHandle:
    """Add `hook` to one table of `module`, and its handle to the tables marked true."""
    table = getattr(module, name)
    marks = marks or {}
    marked = {mark: getattr(module, mark) for mark in marks}
    handle = RemovableHandle(table, extra_dict=list(marked.values()))
    for mark, others in marked.items():
        if marks[mark]:
            others[handle.id] = True
    # The table raises the flag itself unless it was set from outside: then it does not know how.
    object.__setattr__(module, FLAGS[name], True)
    return _add(table, handle, hook, prepend)


def _add(
    table: OrderedDict, handle: RemovableHandle, hook: Callable, prepend: bool = False
) -> RemovableHandle:
    table[handle.id] = hook
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def lower_flag(module: Module) -> None:
    """After a call found no hooks: let the next calls skip the search.

    A table that was set from outside, or is shared with another module, could get a hook without
    raising the flag again; then it stays up.
    """
    for name, flag in FLAGS.items():
        if flag == "_hooked":
            table = getattr(module, name)
            if type(table) is not HookTable or table.module() is not module:
                return
    object.__setattr__(module, "_hooked", False)


def restore_tables(module: Module, state: dict) -> None:
    """After unpickling or copying: make the plain dicts in `state` tables of `module` again."""
    for name in FLAGS.keys() & state.keys():
        table = state[name]
        if type(table) is HookTable:  # a shallow copy shares it with the original
            object.__setattr__(module, FLAGS[name], True)
            continue
        own = HookTable(module, FLAGS[name])
        own.update(table)
        object.__setattr__(module, name, own)


class BoundHook:
    """A hook with the module that it gets first, held weakly: a hook must not keep it alive."""

    def __init__(self, hook: Callable, module: Any = None) -> None:
        self.hook = hook
        self.module: Any = None if module is None else ref(module)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.module is None:
            return self.hook(*args, **kwargs)
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args, **kwargs)

    def __getstate__(self) -> dict:
        bound = self.module is not None
        return {"hook": self.hook, "bound": bound, "module": self.module() if bound else None}

    def __setstate__(self, state: dict) -> None:
        self.hook, self.module = state["hook"], None
        if state["bound"]:
            if state["module"] is None:
                raise RuntimeError("You are trying to revive the hook of a dead Module!")
            self.module = ref(state["module"])


# ------------------------------------------------------------------ hooks of every module


class GlobalTable(OrderedDict):
    """Hooks that every module call runs."""

    def __setitem__(self, key: int, hook: Any) -> None:
        super().__setitem__(key, hook)
        ACTIVE_GLOBALS.append(self)


# Not empty while a global hook may exist: what each module call tests.
ACTIVE_GLOBALS: list[GlobalTable] = []

_global_forward_pre_hooks = GlobalTable()
_global_forward_hooks = GlobalTable()
_global_forward_hooks_always_called: OrderedDict = OrderedDict()
_global_forward_hooks_with_kwargs: OrderedDict = OrderedDict()
_global_backward_pre_hooks = GlobalTable()
_global_backward_hooks = GlobalTable()
_global_is_full_backward_hook: bool | None = None

_global_buffer_registration_hooks: OrderedDict = OrderedDict()
_global_module_registration_hooks: OrderedDict = OrderedDict()
_global_parameter_registration_hooks: OrderedDict = OrderedDict()


def any_global_hook() -> bool:
    """Whether a call has global hooks to run."""
    for table in ACTIVE_GLOBALS:
        if table:
            return True
    ACTIVE_GLOBALS.clear()
    return False


def register_module_buffer_registration_hook(hook: Callable) -> RemovableHandle:
    """Run ``hook(module, name, buffer)`` when any module gets a buffer.

    The hook may return another buffer. It holds for every module of the process.
    """
    table = _global_buffer_registration_hooks
    return _add(table, RemovableHandle(table), hook)


def register_module_module_registration_hook(hook: Callable) -> RemovableHandle:
    """Run ``hook(module, name, submodule)`` when any module gets a child; it may return another."""
    table = _global_module_registration_hooks
    return _add(table, RemovableHandle(table), hook)


def register_module_parameter_registration_hook(hook: Callable) -> RemovableHandle:
    """Run ``hook(module, name, param)`` when any module gets a parameter; it may return another."""
    table = _global_parameter_registration_hooks
    return _add(table, RemovableHandle(table), hook)


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Run ``hook(module, args)`` before ``forward`` of every module, before the module's own."""
    table = _global_forward_pre_hooks
    return _add(table, RemovableHandle(table), hook)


def register_module_forward_hook(
    hook: Callable, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Run ``hook(module, args, output)`` after ``forward`` of every module, before its own.

    For the arguments see :meth:`Module.register_forward_hook`.
    """
    marks = [_global_forward_hooks_with_kwargs, _global_forward_hooks_always_called]
    handle = RemovableHandle(_global_forward_hooks, extra_dict=marks)
    if with_kwargs:
        _global_forward_hooks_with_kwargs[handle.id] = True
    if always_call:
        _global_forward_hooks_always_called[handle.id] = True
    return _add(_global_forward_hooks, handle, hook)


def register_module_backward_hook(hook: Callable) -> RemovableHandle:
    """The global form of :meth:`Module.register_backward_hook`, deprecated as well."""
    return _add_global_backward(hook, full=False)


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """Run ``hook(module, grad_input, grad_output)`` in the backward pass of every module."""
    return _add_global_backward(hook, full=True)


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """Run ``hook(module, grad_output)`` in the backward pass of every module."""
    table = _global_backward_pre_hooks
    return _add(table, RemovableHandle(table), hook)


def _add_global_backward(hook: Callable, full: bool) -> RemovableHandle:
    global _global_is_full_backward_hook
    if _global_is_full_backward_hook is (not full):
        raise RuntimeError(MIXED.format(where="as a global Module hook"))
    _global_is_full_backward_hook = full
    table = _global_backward_hooks
    return _add(table, RemovableHandle(table), hook)
