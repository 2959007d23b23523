"""Watching the calls of ops: what profiles and drawn graphs are made of.

An op has room for one hook, which is called in place of it. It is shared here by two kinds:
the hook of its own that autocast gives some ops, and watchers, which see every op. An op without
either is called directly and pays nothing.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import OPS
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

_own: dict[int, Callable[..., Any]] = {}  # the hook of an op's own, by id of the op
_watchers: list[Callable[..., Any]] = []
_lock = threading.RLock()


def set_own_hook(op: Any, hook: Callable[..., Any] | None) -> None:
    """What is called in place of one op: hook(op, *args, **kwargs); None for the op itself."""
    with _lock:
        if hook is None:
            _own.pop(id(op), None)
        else:
            _own[id(op)] = hook
        op.set_hook(_watched if _watchers else hook)


def watch(watcher: Callable[..., Any]) -> None:
    """Has `watcher(op, call, *args, **kwargs)` called in place of every op, in every thread.

    It returns `call(*args, **kwargs)`. Ops that an op or a derivative calls are seen too.
    """
    with _lock:
        first = not _watchers
        _watchers.append(watcher)
        if first:
            for op in _all_ops():
                op.set_hook(_watched)


def unwatch(watcher: Callable[..., Any]) -> None:
    """Ends what `watch` began."""
    with _lock:
        _watchers.remove(watcher)
        if not _watchers:
            for op in _all_ops():
                op.set_hook(_own.get(id(op)))


def name_of(op: Any) -> str:
    """The name of an op, also of a form of it that has none of its own (behind an operator)."""
    return getattr(op, "__name__", None) or repr(op)[len("<op ") : -1]


def _watched(op: Any, *args: Any, **kwargs: Any) -> Any:
    own = _own.get(id(op))
    call = op.direct if own is None else partial(own, op)
    for watcher in tuple(_watchers):
        call = partial(watcher, op, call)
    return call(*args, **kwargs)


def _all_ops() -> list[Any]:
    """Every op, with the forms that are methods and operators of Tensor."""
    import rushlight.nn.functional  # noqa: F401  all ops are declared then

    found = {id(op): op for op in OPS.values()}
    forms = [form.__func__ for form in vars(Tensor).values() if type(form) is _core.OpMethod]
    found.update((id(op), op) for op in forms)
    return list(found.values())
