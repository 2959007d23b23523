"""A carry that goes through the slices of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight._higher_order_ops.checks import check_like, common_length
from rushlight.ops.join import stack
from rushlight.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

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
    leaves, spec = tree_flatten(xs)
    if not leaves:
        return init, []
    length = common_length("scan", leaves, dim, RuntimeError)
    parts = [leaf.unbind(dim) for leaf in leaves]
    carry, outputs = init, []
    for i in reversed(range(length)) if reverse else range(length):
        result = combine_fn(carry, tree_unflatten([part[i] for part in parts], spec))
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise RuntimeError(
                f"scan: combine_fn must return a pair (carry, y), but got {type(result).__name__}"
                + (f" of {len(result)}" if isinstance(result, (tuple, list)) else "")
            )
        check_like("scan: combine_fn's carry", result[0], init)
        carry, y = result
        outputs.append(y)
    if reverse:
        outputs.reverse()
    return carry, tree_map(lambda *ys: stack(ys, dim), *outputs)
