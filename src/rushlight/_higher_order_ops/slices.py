"""Trees of tensors, slice by slice along one dimension."""

from __future__ import annotations

from typing import Any

from rushlight.ops.join import stack
from rushlight.tensor import Tensor
from rushlight.utils._pytree import tree_flatten, tree_map, tree_unflatten

__all__ = ["check_lengths", "slices_of", "stacked"]


def slices_of(op: str, xs: Any, dim: int) -> list[Any]:
    """The slices of all tensors in `xs` along `dim`, each in the containers of `xs`."""
    leaves, spec = tree_flatten(xs)
    check_lengths(op, leaves, dim, RuntimeError)
    parts = [leaf.unbind(dim) for leaf in leaves]
    return [tree_unflatten(row, spec) for row in zip(*parts, strict=True)]


def stacked(trees: list[Any], dim: int) -> Any:
    """One tree whose tensors are those of `trees`, stacked along `dim`."""
    return tree_map(lambda *tensors: stack(tensors, dim), *trees)


def check_lengths(op: str, leaves: list[Any], dim: int, error: type[Exception]) -> None:
    """That there are tensors only, of one length along `dim`, which is not zero."""
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise error(f"{op}: xs may hold tensors only, but has a {type(leaf).__name__}")
    lengths = {leaf.size(dim) for leaf in leaves}
    if len(lengths) != 1 or 0 in lengths:
        raise error(
            f"{op}: xs must have tensors of one length, not zero, along dim {dim}, but has shapes "
            f"{[tuple(leaf.shape) for leaf in leaves]}"
        )
