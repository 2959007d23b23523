"""Names around torch.jit that libraries decorate their functions with; nothing is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar
from typing import Final as Final

from rushlight.jit import (
    _overload as _overload,
)
from rushlight.jit import (
    _overload_method as _overload_method,
)
from rushlight.jit import (
    export as export,
)
from rushlight.jit import (
    ignore as ignore,
)
from rushlight.jit import (
    is_scripting as is_scripting,
)
from rushlight.jit import (
    unused as unused,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _BroadcastingList(Generic[T]):
    """An annotation for one number or a list of numbers."""


BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = _BroadcastingList
BroadcastingList4 = BroadcastingList5 = BroadcastingList6 = _BroadcastingList


def boolean_dispatch(
    arg_name: str,
    arg_index: int,
    default: bool,
    if_true: Callable[..., Any],
    if_false: Callable[..., Any],
    module_name: str,
    func_name: str,
) -> Callable[..., Any]:
    """A function that calls one of two, by one of its arguments.

    Args:
        arg_name: the argument's name.
        arg_index: its position.
        default: its default.
        if_true: what is called where it is true.
        if_false: what is called where it is not.
        module_name, func_name: of the function.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        flag = kwargs.get(arg_name, args[arg_index] if arg_index < len(args) else default)
        return (if_true if flag else if_false)(*args, **kwargs)

    call.__name__ = func_name
    call.__module__ = module_name
    call.__doc__ = if_true.__doc__ or if_false.__doc__
    return call


def is_tracing() -> bool:
    """False: nothing is traced."""
    return False


def _copy_to_script_wrapper(fn: T) -> T:
    """The function itself."""
    return fn


def __getattr__(name: str) -> Any:
    import typing

    if name in typing.__all__:  # as torch.jit.annotations
        return getattr(typing, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
