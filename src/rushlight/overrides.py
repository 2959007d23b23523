"""torch.overrides: classes with `__torch_function__`, which are asked before torch's functions run.

PyTorch asks in every function. Here that would cost each call of a small op a part of its time, so
it is switched on by the first class that needs it: a subclass of Tensor made outside rushlight, or
an object with `__torch_function__` that an op was given. From then on the functions of torch,
torch.nn.functional, torch.linalg, torch.fft and torch.special look at their arguments first;
methods and operators of such a subclass always do. Functions that a script took out of torch before
that, by `from torch import add`, and methods of a plain Tensor that is given an argument of such a
class, do not ask.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.autograd.op import COMPOSED, OPS
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = [
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
    off = 0  # blocks in which nobody is asked


_LOCAL = _Local()

# Whether instances of a type are asked.
_KINDS: dict[type, bool] = {Tensor: False}

_SPACES = ("", "nn.functional", "linalg", "fft", "special")
# What makes tensors of numbers, or is about the process: no argument is a tensor to ask.
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
# The methods that operators stand for; a reflected one with a tensor before it is the plain one.
_OPERATORS = {
    "__abs__": "abs", "__add__": "add", "__ge__": "ge", "__gt__": "gt", "__iadd__": "add_",
    "__imul__": "mul_", "__isub__": "sub_", "__itruediv__": "div_", "__le__": "le",
    "__lt__": "lt", "__matmul__": "matmul", "__mod__": "remainder", "__mul__": "mul",
    "__ne__": "ne", "__neg__": "neg", "__pow__": "pow", "__radd__": "add", "__rmul__": "mul",
    "__sub__": "sub", "__truediv__": "div",
}  # fmt: skip
_REFLECTED = {"__rsub__": "sub", "__rtruediv__": "div", "__rpow__": "pow", "__rmatmul__": "matmul"}
_PROPERTIES = ("H", "T", "mH", "mT", "imag", "real", "data", "grad")


class DisableTorchFunctionSubclass:
    """A block in which no class is asked."""

    def __enter__(self) -> None:
        _LOCAL.off += 1

    def __exit__(self, *exception: Any) -> None:
        _LOCAL.off -= 1


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
        else:
            candidates = [value] if _is_asked(kind) else []
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
    types = tuple(map(type, found))
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


class _Asking:
    """A function that asks its arguments first; equal to the function that does not."""

    def __init__(self, function: Any, name: str) -> None:
        self.__wrapped__ = function
        self.__name__ = self.__qualname__ = name
        self.__doc__ = getattr(function, "__doc__", None)
        self.__module__ = getattr(function, "__module__", None) or "torch"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not _LOCAL.off:
            found = _asked((*args, *kwargs.values()) if kwargs else args)
            if found:
                return _ask(self, found, args, kwargs)
        return self.__wrapped__(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self.__wrapped__

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


def _asking_method(function: Any, name: str) -> Any:
    """The method of a subclass that asks first; the function that is asked about is Tensor's."""

    asked_about = function
    if name in _OPERATORS:
        asked_about = getattr(Tensor, _OPERATORS[name])
    elif getattr(function, "__name__", "") != name:

        def asked_about(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        asked_about.__name__ = name
    plain = getattr(Tensor, _REFLECTED[name]) if name in _REFLECTED else None

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not _LOCAL.off:
            found = _asked((self, *args, *kwargs.values()) if kwargs else (self, *args))
            if found:
                if plain is not None and isinstance(args[0], Tensor):
                    return _ask(plain, found, (args[0], self), kwargs)
                return _ask(asked_about, found, (self, *args), kwargs)
        return function(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = getattr(function, "__doc__", None)
    return method


def _asking_property(plain: Any) -> property:
    reading, writing = plain.__get__, plain.__set__

    def get(self: Any) -> Any:
        if not _LOCAL.off and _is_asked(type(self)):
            return _ask(reading, [self], (self,), {})
        return reading(self)

    def put(self: Any, value: Any) -> None:
        writing(self, value)

    return property(get, put)


# ---------------------------------------------------------------------------- what is put in place

_replaced: list[tuple[Any, str, Any]] = []  # (module, name, the function that does not ask)


def _activate() -> None:
    """Has the functions of torch ask; once."""
    if _replaced:
        return
    declared = {id(op) for op in (*OPS.values(), *COMPOSED.values())}
    made: dict[int, Any] = {}
    for space in _SPACES:
        module: Any = rushlight
        for part in filter(None, space.split(".")):
            module = getattr(module, part)
        for name in dir(module):
            if name.startswith("_") or name in _IGNORED:
                continue
            function = getattr(module, name, None)
            home = getattr(function, "__module__", None) or ""
            own = id(function) in declared or (
                home.startswith(("rushlight.ops", "rushlight.nn.functional"))
                and callable(function)
                and not isinstance(function, type)
            )
            if own:
                if id(function) not in made:
                    made[id(function)] = _Asking(function, name)
                _replaced.append((module, name, function))
                setattr(module, name, made[id(function)])


def _deactivate() -> None:
    """Puts back the functions that do not ask."""
    while _replaced:
        setattr(*_replaced.pop())


def prepare(cls: Any) -> None:
    """Has the methods and operators of a new subclass of Tensor ask its `__torch_function__`."""
    _activate()
    for name in dir(cls):
        if name in _OWN_METHODS or (name.startswith("_") and not name.startswith("__")):
            continue
        definer = next((base for base in cls.__mro__ if name in vars(base)), None)
        if definer is None or (definer is not Tensor and not issubclass(Tensor, definer)):
            continue
        if definer is object:
            continue
        plain = vars(definer)[name]
        if name in _PROPERTIES:
            setattr(cls, name, _asking_property(plain))
        elif callable(plain) and not isinstance(plain, (classmethod, staticmethod, type)):
            setattr(cls, name, _asking_method(plain, name))


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


# ---------------------------------------------------------------------------- the public names


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether one of the arguments is of a class that is to be asked."""
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
    for space in _SPACES:
        module: Any = rushlight
        for part in filter(None, space.split(".")):
            module = getattr(module, part)
        found[module] = [
            value
            for name, value in vars(module).items()
            if isinstance(value, _Asking)
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
    return name == "__get__" or getattr(Tensor, name, None) is func


def resolve_name(f: Any) -> str | None:
    """The path of a function, as "torch.add", or None."""
    if isinstance(f, str):
        return f
    name = getattr(f, "__name__", None)
    if name is None:
        return None
    for space in _SPACES:
        module: Any = rushlight
        for part in filter(None, space.split(".")):
            module = getattr(module, part)
        if vars(module).get(name) is f:
            return ".".join(filter(None, ("torch", space, name)))
    return f"torch.Tensor.{name}" if getattr(Tensor, name, None) is f else None
