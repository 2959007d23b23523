"""A carry that goes through the slices of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight._higher_order_ops.checks import check_form, form_of
from rushlight._higher_order_ops.slices import slices_of, stacked
from rushlight.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["scan"]


def scan(
    combine_fn: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any,
    *,
    dim: int = 0,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """`carry, y = combine_fn(carry, x)` for each slice `x` of `xs` along `dim`, from `init` on.

    Args:
        combine_fn: gives the next carry, like `init` in structure, shapes and dtypes, and a `y`.
        init: a tensor or a tree of tensors.
        xs: a tensor or a tree of tensors, of the same length along `dim`.
        reverse: goes from the last slice to the first.

    Returns:
        The last carry, and the `y` of all slices, stacked along `dim` in the order of `xs`.

    Raises:
        RuntimeError: for a function that cannot be called, nothing to begin with, lengths that are
            zero or differ, or a carry unlike `init`.

    Example:
        >>> import rushlight as torch
        >>> from rushlight._higher_order_ops import scan
        >>> scan(lambda c, x: (c + x, c * x), torch.tensor(0), torch.arange(4))
        (tensor(6), tensor([0, 0, 2, 9]))
    """
    if not callable(combine_fn):
        raise RuntimeError(f"scan: combine_fn must be callable, but got {combine_fn}")
    if not tree_leaves(init):
        raise RuntimeError("scan: init has no tensors")
    if not tree_leaves(xs):
        return init, []
    slices = slices_of("scan", xs, dim)
    form = form_of(init)
    carry, outputs = init, []
    for x in reversed(slices) if reverse else slices:
        result = combine_fn(carry, x)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise RuntimeError(_no_pair(result))
        carry, y = result
        check_form("scan: combine_fn's carry", carry, form)
        outputs.append(y)
    if reverse:
        outputs.reverse()
    return carry, stacked(outputs, dim)


def _no_pair(result: Any) -> str:
    count = f" of {len(result)}" if isinstance(result, (tuple, list)) else ""
    return f"scan: combine_fn must return a pair (carry, y), but got {type(result).__name__}{count}"
