"""torch._dynamo, which records programs for a compiler: there is none, so nothing is recorded.

Libraries and scripts set its switches (``torch._dynamo.config``) and mark functions and tensors;
none of it changes a result.
"""

from __future__ import annotations

from typing import Any

from rushlight._dynamo import config as config
from rushlight._dynamo import eval_frame as eval_frame
from rushlight._dynamo.eval_frame import OptimizedModule
from rushlight.compiler import (
    allow_in_graph,
    assume_constant_result,
    disable,
    is_compiling,
    list_backends,
    reset,
)
from rushlight.compiler import compile as _compile

__all__ = [
    "OptimizedModule",
    "allow_in_graph",
    "assume_constant_result",
    "disable",
    "disallow_in_graph",
    "forbid_in_graph",
    "graph_break",
    "is_compiling",
    "is_dynamo_supported",
    "list_backends",
    "mark_dynamic",
    "mark_static",
    "mark_static_address",
    "maybe_mark_dynamic",
    "optimize",
    "reset",
    "run",
]


def optimize(backend: Any = "inductor", **options: Any) -> Any:
    """A decorator like `torch.compile`'s."""
    return _compile(backend=backend)


def run(fn: Any = None) -> Any:
    """The function itself, or a decorator that gives it back."""
    return disable(fn)


def disallow_in_graph(fn: Any) -> Any:
    """The function itself."""
    return fn


def forbid_in_graph(fn: Any) -> Any:
    """The function itself."""
    return fn


def graph_break(msg: str = "") -> None:
    """Nothing to break."""


def mark_dynamic(t: Any, index: Any, **limits: Any) -> None:
    """Nothing depends on which sizes change."""


def maybe_mark_dynamic(t: Any, index: Any) -> None:
    """Nothing depends on which sizes change."""


def mark_static(t: Any, index: Any = None) -> None:
    """Nothing depends on which sizes change."""


def mark_static_address(t: Any, guard: bool = True) -> None:
    """Nothing depends on where tensors lie."""


def is_dynamo_supported() -> bool:
    """Whether `torch.compile` may be called: yes."""
    return True
