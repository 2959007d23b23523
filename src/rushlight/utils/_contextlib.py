"""Blocks that are also decorators: what no_grad and its like are made of."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from rushlight.autograd.mode import _decorated

if TYPE_CHECKING:
    from collections.abc import Callable

__all__: list[str] = []


def context_decorator(ctx: Any, func: Any) -> Any:
    """A function that runs in a context.

    Args:
        ctx: the context, or a function that makes one for each call.
        func: the function.
    """
    if callable(ctx) and hasattr(ctx, "__enter__"):
        raise AssertionError(
            f"Passed in {ctx} is both callable and also a valid context manager (has __enter__), "
            "making it ambiguous which interface to use."
        )
    make: Callable[[], Any] = ctx if callable(ctx) else lambda: ctx

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        with make():
            return func(*args, **kwargs)

    return call


class _DecoratorContextManager:
    """A context that decorates functions, with `clone` of itself for each call."""

    def __call__(self, orig_func: Any) -> Any:
        return _decorated(self, orig_func)  # type: ignore[arg-type]

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        raise NotImplementedError

    def clone(self) -> Any:
        """Another one like it."""
        return type(self)()


class _NoParamDecoratorContextManager(_DecoratorContextManager):
    """One that also decorates without parentheses."""

    def __new__(cls, orig_func: Any = None) -> Any:
        made = super().__new__(cls)
        return made if orig_func is None else made(orig_func)
