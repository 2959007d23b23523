"""A function of each slice of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight._higher_order_ops.slices import slices_of, stacked

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["map"]


def map(f: Callable[..., Any], xs: Any, *args: Any) -> Any:
    """`f(x, *args)` for each slice `x` of `xs` along dim 0, the results stacked along dim 0.

    Args:
        f: of a slice and of `args`, gives a tensor or a tree of tensors.
        xs: a tensor or a tree of tensors, of the same length along dim 0.

    Raises:
        RuntimeError: if `xs` has something else in it, or lengths that are zero or differ.

    Example:
        >>> import rushlight as torch
        >>> from rushlight import _higher_order_ops as control_flow
        >>> control_flow.map(lambda x, w: x @ w, torch.eye(2), torch.tensor([3., 4.]))
        tensor([3., 4.])
    """
    return stacked([f(x, *args) for x in slices_of("map", xs, 0)], 0)
