"""torch.overrides: classes with `__torch_function__` and modes, asked before torch's functions run.

PyTorch asks in every function. Here that would cost each call of a small op a part of its time, so
nobody is asked until there is somebody to ask: a subclass of Tensor made outside rushlight, an
object with `__torch_function__` that an op was given, or a TorchFunctionMode that is entered. From
then on

* every op asks by its hook (autograd/watch.py), under whatever name it is called, and
* functions and methods that are plain Python are replaced by ones that ask: in torch,
  torch.nn.functional, torch.linalg, torch.fft, torch.special and in Tensor.

Of plain Python functions that were taken out of torch before that, by `from torch import stack`,
only the ops inside them ask.
"""

from __future__ import annotations

import functools
import threading
from types import MethodType
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core
from rushlight.autograd.op import COMPOSED
from rushlight.autograd.watch import unwatch, watch
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "BaseTorchFunctionMode",
    "TorchFunctionMode",
    "get_default_nowrap_functions",
    "get_ignored_functions",
    "get_overridable_functions",
    "handle_torch_function",
    "has_torch_function",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "resolve_name",
    "wrap_torch_function",
]


class _Local(threading.local):
    off = 0  # blocks in which no class is asked

    def __init__(self) -> None:
        self.modes: list[Any] = []  # the innermost last


_LOCAL = _Local()

# Whether instances of a type are asked.
_KINDS: dict[type, bool] = {Tensor: False}

_SPACES = ("", "nn.functional", "linalg", "fft", "special")
# What makes tensors of numbers, or is about the process: no argument is a tensor to ask. Modes are
# asked by those that are declared as ops are.
_IGNORED = (
    "arange", "as_tensor", "asarray", "autocast", "broadcast_shapes", "can_cast", "compile",
    "complex", "empty", "empty_permuted", "empty_strided", "eye", "frombuffer", "from_dlpack",
    "from_file", "from_numpy", "full", "initial_seed", "is_storage", "is_tensor", "kaiser_window",
    "linspace", "load", "logspace", "manual_seed", "ones", "polar", "promote_types", "rand",
    "randint", "randn", "randperm", "range", "save", "scalar_tensor", "seed", "sym_int", "tensor",
    "tril_indices", "triu_indices", "typename", "vmap", "zeros",
)  # fmt: skip
# Methods that are about the object itself, or that asking is made of.
_OWN_METHODS = (
    "__class__", "__class_getitem__", "__copy__", "__deepcopy__", "__del__", "__delattr__",
    "__dict__", "__dir__", "__doc__", "__format__", "__getattr__", "__getattribute__",
    "__getstate__", "__hash__", "__init__", "__init_subclass__", "__module__", "__new__",
    "__reduce__", "__reduce_ex__", "__setattr__", "__setstate__", "__sizeof__",
    "__subclasshook__", "__torch_function__", "__weakref__", "as_subclass", "data_ptr",
    "const_data_ptr", "new", "share_memory_", "storage", "untyped_storage",
)  # fmt: skip
_PROPERTIES = ("H", "T", "mH", "mT", "imag", "real", "data", "grad")


class DisableTorchFunctionSubclass:
    """A block in which no class is asked; modes are."""

    def __enter__(self) -> None:
        _LOCAL.off += 1

    def __exit__(self, *exception: Any) -> None:
        _LOCAL.off -= 1


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """A block in which nobody is asked."""

    def __enter__(self) -> None:
        super().__enter__()
        self._modes, _LOCAL.modes = _LOCAL.modes, []

    def __exit__(self, *exception: Any) -> None:
        _LOCAL.modes = self._modes
        super().__exit__()


# ---------------------------------------------------------------------------- who is asked


def _is_asked(kind: type) -> bool:
    known = _KINDS.get(kind)
    if known is None:
        found = getattr(kind, "__torch_function__", None)
        known = _KINDS[kind] = (
            found is not None
            and getattr(found, "__func__", found) is not _disabled_torch_function_impl
            and not kind.__module__.startswith("rushlight.")
        )
    return known


def _asked(values: Iterable[Any]) -> list[Any]:
    """The values to be asked, one of each type, subclasses before their bases."""
    found: list[Any] = []
    for value in values:
        kind = type(value)
        if kind is Tensor:
            continue
        if kind is list or kind is tuple:
            candidates = [inner for inner in value if _is_asked(type(inner))]
        elif _is_asked(kind):
            candidates = [value]
        else:
            continue
        for one in candidates:
            if any(type(one) is type(other) for other in found):
                continue
            place = len(found)
            for at, other in enumerate(found):
                if issubclass(type(one), type(other)):
                    place = at
                    break
            found.insert(place, one)
    return found


def _ask(function: Any, found: list[Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """The answer of the innermost mode, or else of the values that were found."""
    types = tuple(map(type, found))
    if _LOCAL.modes:
        modes = _LOCAL.modes
        mode = modes.pop()  # what it calls itself asks those around it
        try:
            result = mode.__torch_function__(function, types, args, kwargs)
        finally:
            modes.append(mode)
        if result is not NotImplemented:
            return result
    for value in found:
        result = value.__torch_function__(function, types, args, kwargs)
        if result is not NotImplemented:
            return result
    raise TypeError(
        f"no implementation found for {_path(function)!r} on types that implement "
        f"__torch_function__: {[kind.__name__ for kind in types]}"
    )


def _path(function: Any) -> str:
    return resolve_name(function) or str(getattr(function, "__name__", function))


def _call_or_ask(function: Any, call: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """`call(*args, **kwargs)`, or what somebody has to say to this call of `function`."""
    found: list[Any] = []
    if not _LOCAL.off:
        found = _asked((*args, *kwargs.values()) if kwargs else args)
    if found or _LOCAL.modes:
        return _ask(function, found, args, kwargs)
    return call(*args, **kwargs)


# ---------------------------------------------------------------------------- where it is asked


def _asking_op(op: Any, call: Any, *args: Any, **kwargs: Any) -> Any:
    """Watches all ops; the form behind an operator is known by the op that it is a form of."""
    return _call_or_ask(op if hasattr(op, "__name__") else op.form_of, call, args, kwargs)


class _Asking:
    """A function or method that asks first; equal to the one that does not."""

    def __init__(self, function: Any, name: str, only_modes: bool = False) -> None:
        self.__wrapped__ = function
        self.__name__ = self.__qualname__ = name
        self.__doc__ = getattr(function, "__doc__", None)
        self.__module__ = getattr(function, "__module__", None) or "torch"
        self._only_modes = only_modes

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._only_modes:
            return _call_or_ask(self, self.__wrapped__, args, kwargs)
        if _LOCAL.modes:
            return _ask(self, [], args, kwargs)
        return self.__wrapped__(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> str:
        return self.__name__  # copied and pickled as functions are: by name

    def __eq__(self, other: object) -> bool:
        plain = other.__wrapped__ if isinstance(other, _Asking) else other
        return plain is self.__wrapped__

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


def _asking_property(plain: Any) -> property:
    reading, writing = plain.__get__, plain.__set__

    def get(self: Any) -> Any:
        if not _LOCAL.off and _is_asked(type(self)):
            return _ask(reading, [self], (self,), {})
        return reading(self)

    def put(self: Any, value: Any) -> None:
        writing(self, value)

    return property(get, put)


_reasons = 0  # to ask: classes, which stay, and modes that are on
_replaced: list[tuple[Any, str, Any]] = []  # (where, name, what does not ask or None to delete)
_lock = threading.RLock()


def _count(step: int) -> None:
    """One more (or less) reason to ask."""
    global _reasons
    with _lock:
        before, _reasons = _reasons, _reasons + step
        if bool(before) == bool(_reasons):
            return
        if before:
            _deactivate()
            return
        watch(_asking_op)
        for where, name, function in (*_own_functions(), *_own_methods()):
            _replaced.append((where, name, vars(where).get(name)))
            setattr(where, name, function)


def _activate() -> None:
    """Has torch's functions ask from now on; a second call does nothing."""
    if not _reasons:
        _count(1)


def _deactivate() -> None:
    """Puts back what does not ask."""
    global _reasons
    if _replaced:
        unwatch(_asking_op)
    _reasons = 0
    while _replaced:
        where, name, function = _replaced.pop()
        if function is None:
            delattr(where, name)
        else:
            setattr(where, name, function)


def _space(path: str) -> Any:
    module: Any = rushlight
    for part in filter(None, path.split(".")):
        module = getattr(module, part)
    return module


def _own_functions() -> Iterator[tuple[Any, str, Any]]:
    """Plain Python functions of torch, as (module, name, the form that asks)."""
    declared = {id(function) for function in COMPOSED.values()}
    made: dict[int, Any] = {}
    for module in map(_space, _SPACES):
        for name in dir(module):
            function = getattr(module, name, None)
            if name.startswith("_") or type(function) is _core.Op or not callable(function):
                continue
            home = getattr(function, "__module__", None) or ""
            if isinstance(function, type) or not (
                id(function) in declared
                or home.startswith(("rushlight.ops", "rushlight.nn.functional"))
            ):
                continue
            if id(function) not in made:
                made[id(function)] = _Asking(function, name, only_modes=name in _IGNORED)
            yield module, name, made[id(function)]


def _own_methods() -> Iterator[tuple[Any, str, Any]]:
    """Methods of Tensor that are no ops, as (Tensor, name, the form that asks)."""
    for name in dir(Tensor):
        if name in _OWN_METHODS or (name.startswith("_") and not name.startswith("__")):
            continue
        definer = next(base for base in Tensor.__mro__ if name in vars(base))
        plain = vars(definer)[name]
        if definer is object or type(plain) is _core.OpMethod or not callable(plain):
            continue
        if not isinstance(plain, (classmethod, staticmethod, type)):
            yield Tensor, name, _Asking(plain, name)


def prepare(cls: Any) -> None:
    """Has what a new subclass of Tensor is given to ask its `__torch_function__`."""
    _activate()
    for name in _PROPERTIES:
        definer = next((base for base in cls.__mro__ if name in vars(base)), None)
        if definer is not None and issubclass(Tensor, definer):
            setattr(cls, name, _asking_property(vars(definer)[name]))


def _disabled_torch_function_impl(
    func: Any, types: Sequence[type], args: tuple = (), kwargs: dict[str, Any] | None = None
) -> Any:
    """The `__torch_function__` of a class that is not to be asked."""
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


def _converted(result: Any, cls: Any) -> Any:
    if isinstance(result, Tensor) and not isinstance(result, cls):
        return result.as_subclass(cls)
    if isinstance(result, (tuple, list)):
        values = [_converted(value, cls) for value in result]
        kind = type(result)
        if kind in (tuple, list):
            return kind(values)
        try:
            return kind(values)
        except TypeError:  # a named tuple
            return kind(*values)
    return result


def _default(
    cls: Any,
    func: Any,
    types: Sequence[type],
    args: tuple = (),
    kwargs: dict[str, Any] | None = None,
) -> Any:
    """Calls the function, and makes results of it instances of the subclass.

    Args:
        func: the function of torch, or the method of Tensor.
        types: the classes that are asked.
        args, kwargs: of the call.
    """
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    with DisableTorchFunctionSubclass():
        result = func(*args, **(kwargs or {}))
        if func in get_default_nowrap_functions():
            return result
        return _converted(result, cls)


Tensor.__torch_function__ = classmethod(_default)  # type: ignore[attr-defined]
rushlight.nn.Parameter.__torch_function__ = staticmethod(  # type: ignore[attr-defined]
    _disabled_torch_function_impl
)


# ---------------------------------------------------------------------------- modes


class TorchFunctionMode:
    """A block in which every function of torch asks `__torch_function__` of this object.

    A subclass overrides `__torch_function__(self, func, types, args=(), kwargs=None)`. In it the
    mode is off, so it may call `func(*args, **kwargs)`; modes around it are asked then.
    """

    def __init__(self) -> None:
        pass

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """The result of a call.

        Args:
            func: the function of torch, or the method of Tensor.
            types: the classes among the arguments that have `__torch_function__`.
            args, kwargs: of the call.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: a TorchFunctionMode has to define __torch_function__"
        )

    def __enter__(self) -> Any:
        _count(1)
        _LOCAL.modes.append(self)
        return self

    def __exit__(self, *exception: Any) -> None:
        _LOCAL.modes.pop()
        _count(-1)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that calls what it is asked about."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """`func(*args, **kwargs)`.

        Args:
            func: the function of torch, or the method of Tensor.
            types: not looked at.
            args, kwargs: of the call.
        """
        return func(*args, **(kwargs or {}))


def _get_current_function_mode() -> TorchFunctionMode | None:
    """The innermost mode that is on, or None."""
    return _LOCAL.modes[-1] if _LOCAL.modes else None


def _get_current_function_mode_stack() -> list[TorchFunctionMode]:
    """The modes that are on, the innermost last."""
    return list(_LOCAL.modes)


# ---------------------------------------------------------------------------- the public names


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether one of the arguments is of a class that is to be asked, or a mode is on."""
    if _LOCAL.modes:
        return True
    return not _LOCAL.off and any(_is_asked(type(value)) for value in relevant_args)


def has_torch_function_unary(value: Any) -> bool:
    """`has_torch_function` for one argument."""
    return has_torch_function((value,))


def has_torch_function_variadic(*values: Any) -> bool:
    """`has_torch_function` for arguments one by one."""
    return has_torch_function(values)


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """Asks the classes of `relevant_args` for the result of a function.

    Args:
        public_api: the function, as its callers know it.
        relevant_args: the arguments that may be of such a class.
        args, kwargs: of the call.

    Raises TypeError if all of them answer NotImplemented.
    """
    return _ask(public_api, _asked(relevant_args), args, kwargs)


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[..., Any]:
    """A decorator: the function asks the arguments that `dispatcher` picks out of a call's."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            relevant = tuple(dispatcher(*args, **kwargs))
            if has_torch_function(relevant):
                return handle_torch_function(call, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return call

    return decorate


def is_tensor_like(inp: Any) -> bool:
    """Whether it is a Tensor, or of a class with `__torch_function__`."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


@functools.lru_cache(None)
def get_default_nowrap_functions() -> set[Any]:
    """Functions whose result stays as it is for a subclass without `__torch_function__`."""
    return {vars(Tensor)[name].__get__ for name in ("grad",) if name in vars(Tensor)}


def get_ignored_functions() -> set[Any]:
    """Functions of torch that ask nobody."""
    return {getattr(rushlight, name) for name in _IGNORED if hasattr(rushlight, name)}


def get_overridable_functions() -> dict[Any, list[Any]]:
    """Modules and Tensor, each with its functions that ask."""
    _activate()
    found: dict[Any, list[Any]] = {}
    for module in map(_space, _SPACES):
        found[module] = [
            value
            for name, value in vars(module).items()
            if type(value) is _core.Op or (isinstance(value, _Asking) and name not in _IGNORED)
        ]
    found[Tensor] = [
        value
        for name, value in vars(Tensor).items()
        if name not in _OWN_METHODS and callable(value) and not isinstance(value, type)
    ]
    return found


def is_tensor_method_or_property(func: Any) -> bool:
    """Whether it is a method or property of Tensor, not a function of torch."""
    name = getattr(func, "__name__", "")
    return name == "__get__" or getattr(Tensor, name, None) == func


def resolve_name(f: Any) -> str | None:
    """The path of a function, as "torch.add", or None."""
    if isinstance(f, str):
        return f
    name = getattr(f, "__name__", None)
    if name is None:
        return None
    for space in _SPACES:
        if vars(_space(space)).get(name) is f:
            return ".".join(filter(None, ("torch", space, name)))
    return f"torch.Tensor.{name}" if getattr(Tensor, name, None) == f else None
