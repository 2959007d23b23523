"""`torch.compile` and `torch.compiler`: there is no compiler, and nothing to wait for.

Loops are fused while they run (docs/how-it-works.md), so a compiled function is the function, and a
compiled module a module around it that calls it, for its names in checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "reset",
    "set_stance",
]


def compile(
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    name: str | None = None,
    disable: bool = False,
    recompile_limit: int | None = None,
    isolate_recompiles: bool = False,
    shapes_spec: Any = None,
) -> Any:
    """The function itself, or a module that calls the module; without one, a decorator.

    The module is `model._orig_mod` of the result, whose `state_dict` has "_orig_mod." before all
    names. All other arguments say how PyTorch compiles; `disable=True` gives back a module, too.
    """
    if mode is not None and options is not None:
        raise RuntimeError(
            "Either mode or options can be specified, but both can't be specified at the same time."
        )
    if model is None:
        return lambda function: compile(function, disable=disable)
    from rushlight.nn import Module

    if disable or not isinstance(model, Module):
        return model
    from rushlight._dynamo.eval_frame import OptimizedModule

    return OptimizedModule(model)


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself, or a decorator that gives it back."""
    return fn if fn is not None else (lambda function: function)


def allow_in_graph(fn: Any) -> Any:
    """The function itself."""
    return fn


def assume_constant_result(fn: Any) -> Any:
    """The function itself."""
    return fn


class set_stance:
    """Accepted; a decorator and a context manager."""

    def __init__(self, stance: str = "default", **options: Any) -> None:
        self.stance = stance

    def __call__(self, fn: Any) -> Any:
        return fn

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        return None


def is_compiling() -> bool:
    """False."""
    return False


def is_dynamo_compiling() -> bool:
    """False."""
    return False


def is_exporting() -> bool:
    """False."""
    return False


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """No backends."""
    return []


def reset() -> None:
    """Nothing is kept, so there is nothing to forget."""


def cudagraph_mark_step_begin() -> None:
    """Nothing to mark."""
