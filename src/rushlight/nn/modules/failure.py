"""Says in an exception which module of a model it was raised in.

Each ``Module.__call__`` that an exception passes on its way out calls ``locate``. The innermost
adds one line to the message, those further out lengthen the path in it, so that in the end it
starts at the outermost module: ``in Net.head.fc2 (Linear(in_features=5, out_features=2))``.
The exception keeps its type, its traceback and all else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from .module import Module

# Flow of control, and an error in which every further frame costs too much.
_LEFT_ALONE = (StopIteration, StopAsyncIteration, RecursionError)
_LONGEST = 160


class _Place:
    """Kept on the exception: how far out it has come, and the line that says so."""

    __slots__ = ("below", "line", "module", "top")

    def __init__(self, module: Module) -> None:
        self.top = ref(module)  # weak: a stored exception must not keep the model
        self.below = ""
        self.module = _describe(module)
        self.line = ""

    def __reduce__(self) -> tuple:
        return str, (self.line,)


def locate(module: Module, error: Exception) -> None:
    """Write into `error` that it passed `module`."""
    if isinstance(error, _LEFT_ALONE):
        return
    place = error.__dict__.get("_module_place")
    if type(place) is not _Place:
        place = error.__dict__["_module_place"] = _Place(module)
    elif place.top() is module:
        return
    else:
        place.below = _step(module, place.top()) + place.below
        place.top = ref(module)
    old, start = place.line, type(module).__name__ + place.below
    place.line = f"in {start} ({place.module})" if place.below else f"in {place.module}"
    # The message of KeyError and others is no plain text in args[0]: these get a note.
    plain = type(error).__str__ is BaseException.__str__ and len(error.args) == 1
    if plain and type(error.args[0]) is str:
        message = error.args[0].removesuffix("\n" + old) if old else error.args[0]
        error.args = (f"{message}\n{place.line}",)
    elif hasattr(error, "add_note"):
        notes = error.__dict__.setdefault("__notes__", [])
        if old in notes:
            notes[notes.index(old)] = place.line
        else:
            notes.append(place.line)


def _describe(module: Module) -> str:
    """The module in one line: its repr if that is one, else the name of its class."""
    try:
        text = repr(module)
    except Exception:
        return type(module).__name__
    return text if "\n" not in text and len(text) <= _LONGEST else type(module).__name__


def _step(outer: Module, inner: Module | None) -> str:
    """The path from `outer` to `inner`, a module that was called within its forward."""
    for name, module in outer.named_modules():
        if module is inner:
            return "." + name
    return " > " + type(inner).__name__  # not registered in it: kept in a list, or made on the fly
