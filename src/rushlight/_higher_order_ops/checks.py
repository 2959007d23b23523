"""What these functions ask of conditions, operands and carried values."""

from __future__ import annotations

from typing import Any

from rushlight.tensor import Tensor
from rushlight.utils._pytree import TreeSpec, tree_flatten

__all__ = ["check_form", "check_several", "form_of", "holds"]


def holds(op: str, what: str, value: Any) -> bool:
    """The truth of a number or of a tensor of one element."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise RuntimeError(
                f"{op}: {what} must be a bool or a tensor of one element, but has shape "
                f"{tuple(value.shape)}; reduce it with .any() or .all()"
            )
        return bool(value)
    if isinstance(value, (bool, int, float)):
        return bool(value)
    raise RuntimeError(f"{op}: {what} must be a bool or a tensor, but is {type(value).__name__}")


def check_several(op: str, what: str, values: Any) -> None:
    """That values to call a function with are a tuple or list."""
    if not isinstance(values, (tuple, list)):
        raise TypeError(
            f"{op}: {what} must be a tuple or list, but got {type(values).__name__}; "
            "write (x,) for a single one"
        )


def form_of(tree: Any) -> tuple[TreeSpec, list[Any]]:
    """What must not change from one turn of a loop to the next: structure, shapes and dtypes."""
    leaves, spec = tree_flatten(tree)
    return spec, [
        (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, Tensor) else type(leaf)
        for leaf in leaves
    ]


def check_form(what: str, given: Any, wanted: tuple[TreeSpec, list[Any]]) -> None:
    """That a tree is of the form `wanted`, a result of `form_of`."""
    form = form_of(given)
    if form != wanted:
        raise RuntimeError(
            f"{what} must stay of structure, shapes and dtypes {wanted[1]}, but is {form[1]}"
        )
