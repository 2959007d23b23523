"""torch.fx, programs as graphs: not there. The names are, for `isinstance` and annotations."""

from __future__ import annotations

from typing import Any, NoReturn

import rushlight.nn

__all__ = [
    "Graph",
    "GraphModule",
    "Interpreter",
    "Node",
    "Proxy",
    "Tracer",
    "Transformer",
    "has_side_effect",
    "replace_pattern",
    "symbolic_trace",
    "wrap",
]


def _refuse(name: str) -> NoReturn:
    raise NotImplementedError(
        f"torch.fx.{name} is not in rushlight, which makes no graphs of programs: call the module "
        "itself"
    )


class _Absent:
    """Raises NotImplementedError when it is made: nothing is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse(type(self).__name__)


class Graph(_Absent):
    """A program; there is none."""


class Node(_Absent):
    """A step of a program; there is none."""


class Proxy(_Absent):
    """What stands for a value while a program is recorded; nothing is one."""


class Tracer(_Absent):
    """What records a program; raises NotImplementedError when it is made."""


class Interpreter(_Absent):
    """What runs a program; raises NotImplementedError when it is made."""


class Transformer(Interpreter):
    """What rewrites a program; raises NotImplementedError when it is made."""


class GraphModule(rushlight.nn.Module):
    """A module made of a program; no module is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse("GraphModule")


def symbolic_trace(root: Any, concrete_args: Any = None) -> Any:
    """Raises NotImplementedError."""
    _refuse("symbolic_trace")


def replace_pattern(gm: Any, pattern: Any, replacement: Any) -> Any:
    """Raises NotImplementedError."""
    _refuse("replace_pattern")


def wrap(fn_or_name: Any) -> Any:
    """The function, or name, itself: a mark for what is recorded as one step."""
    return fn_or_name


def has_side_effect(fn: Any) -> Any:
    """The function itself: a mark for what is not left out of a program."""
    return fn


def __getattr__(name: str) -> Any:
    if name == "experimental":
        from importlib import import_module

        return import_module(f"{__name__}.experimental")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
