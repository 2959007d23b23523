"""parallel_apply: several modules, each on its own input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..modules.module import Module

__all__ = ["parallel_apply"]


def parallel_apply(
    modules: Sequence[Module],
    inputs: Sequence[Any],
    kwargs_tup: Sequence[dict[str, Any]] | None = None,
    devices: Sequence[Any] | None = None,
) -> list[Any]:
    """The results of `modules`, each for its own input, one after the other.

    Args:
        modules: what is called.
        inputs: for each module a tuple of arguments, or its only argument.
        kwargs_tup: for each module its keyword arguments.
        devices: one per module; all are the CPU.
    """
    keywords = [{}] * len(modules) if kwargs_tup is None else kwargs_tup
    if not len(modules) == len(inputs) == len(keywords):
        raise AssertionError(
            f"parallel_apply: {len(modules)} modules, {len(inputs)} inputs and {len(keywords)} "
            "keyword arguments; the numbers must be equal"
        )
    return [
        module(*(given if isinstance(given, (list, tuple)) else (given,)), **options)
        for module, given, options in zip(modules, inputs, keywords)
    ]
