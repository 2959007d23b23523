"""What these functions ask of conditions, lengths and carried values."""

from __future__ import annotations

from typing import Any

from rushlight.tensor import Tensor
from rushlight.utils._pytree import tree_flatten

__all__ = ["check_like", "common_length", "holds"]


def holds(op: str, what: str, value: Any) -> bool:
    """The truth of a number or of a tensor of one element."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise RuntimeError(
                f"{op}: {what} must be a bool or a tensor of one element, but has shape "
                f"{tuple(value.shape)}; reduce it with .any() or .all()"
            )
        return bool(value.item())
    if isinstance(value, (bool, int, float)):
        return bool(value)
    raise RuntimeError(f"{op}: {what} must be a bool or a tensor, but is {type(value).__name__}")


def common_length(op: str, leaves: list[Any], dim: int, error: type[Exception]) -> int:
    """The one length that all leaves have along `dim`, which is not zero."""
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise error(f"{op}: xs may hold tensors only, but has a {type(leaf).__name__}")
    lengths = {leaf.size(dim) for leaf in leaves}
    if len(lengths) != 1 or 0 in lengths:
        raise error(
            f"{op}: xs must have tensors of one length, not zero, along dim {dim}, but has shapes "
            f"{[tuple(leaf.shape) for leaf in leaves]}"
        )
    return lengths.pop()


def check_like(what: str, given: Any, wanted: Any) -> None:
    """That two trees agree in structure, shapes and dtypes."""
    values, spec = tree_flatten(given)
    models, model = tree_flatten(wanted)
    if spec != model or [*_kinds(values)] != [*_kinds(models)]:
        raise RuntimeError(
            f"{what} must stay of structure, shapes and dtypes {[*_kinds(models)]}, "
            f"but is {[*_kinds(values)]}"
        )


def _kinds(leaves: list[Any]) -> list[Any]:
    return [
        (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, Tensor) else type(leaf)
        for leaf in leaves
    ]
