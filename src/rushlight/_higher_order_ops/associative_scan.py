"""Prefix sums with any associative operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight._higher_order_ops.slices import check_lengths
from rushlight.func import vmap
from rushlight.ops.join import cat, stack
from rushlight.utils._pytree import tree_flatten, tree_unflatten

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.tensor import Tensor

__all__ = ["associative_scan"]


def associative_scan(
    combine_fn: Callable[[Any, Any], Any],
    xs: Any,
    dim: int,
    reverse: bool = False,
    combine_mode: str = "pointwise",
) -> Any:
    """All prefixes of `xs` along `dim`, combined: x0, x0 * x1, x0 * x1 * x2, ...

    Calls of `combine_fn` take many pairs at once, 2 log2(length) calls in all (Blelloch, "Prefix
    sums and their applications", 1990), so it must be associative, without side effects.

    Args:
        combine_fn: of two trees like a slice of `xs`, gives a third. A linear recurrence
            h = a h + b is the scan of (a, b) with `lambda l, r: (l[0] * r[0], l[1] * r[0] + r[1])`.
        xs: a tensor or a tree of tensors, of the same length along `dim`.
        reverse: from the last slice to the first; the result is in the order of `xs`.
        combine_mode: "pointwise" or "generic", which may be any function of slices (it is vmapped).

    Raises:
        ValueError: for a function that cannot be called, another mode, no tensors, lengths that are
            zero or differ, or a result unlike its arguments.

    Example:
        >>> import rushlight as torch
        >>> from rushlight._higher_order_ops import associative_scan
        >>> associative_scan(torch.add, torch.arange(5), 0)
        tensor([ 0,  1,  3,  6, 10])
    """
    if not callable(combine_fn):
        raise ValueError(f"associative_scan: combine_fn must be callable, but got {combine_fn}")
    if combine_mode not in ("pointwise", "generic"):
        raise ValueError(
            f"associative_scan: combine_mode must be 'pointwise' or 'generic', not {combine_mode!r}"
        )
    leaves, spec = tree_flatten(xs)
    check_lengths("associative_scan", leaves, dim, ValueError)
    call = vmap(combine_fn) if combine_mode == "generic" else combine_fn

    def combine(left: list[Tensor], right: list[Tensor]) -> list[Tensor]:
        result = call(tree_unflatten(left, spec), tree_unflatten(right, spec))
        given, given_spec = tree_flatten(result)
        if given_spec != spec or [y.shape for y in given] != [x.shape for x in left]:
            raise ValueError(
                "associative_scan: combine_fn must return what it gets, of shapes "
                f"{[tuple(x.shape[1:]) for x in left]}, but gave "
                f"{[tuple(y.shape[1:]) for y in given]}"
            )
        return given

    rows = [leaf.movedim(dim, 0) for leaf in leaves]
    if reverse:
        rows = [row.flip(0) for row in rows]
    rows = _prefixes(combine, rows)
    if reverse:
        rows = [row.flip(0) for row in rows]
    return tree_unflatten([row.movedim(0, dim) for row in rows], spec)


def _prefixes(
    combine: Callable[[list[Tensor], list[Tensor]], list[Tensor]], rows: list[Tensor]
) -> list[Tensor]:
    """The prefixes of `rows`: the odd ones are those of the pairs of neighbours, by recursion.

    An even one is the odd one before it, combined with its own row.
    """
    length = len(rows[0])
    if length < 2:
        return rows
    pairs = combine([row[: length - 1 : 2] for row in rows], [row[1::2] for row in rows])
    odd = _prefixes(combine, pairs)
    first = [row[:1] for row in rows]
    if length == 2:
        return [cat((a, b)) for a, b in zip(first, odd, strict=True)]
    even = combine([row[: (length - 1) // 2] for row in odd], [row[2::2] for row in rows])
    return [_interleaved(cat((a, b)), c) for a, b, c in zip(first, even, odd, strict=True)]


def _interleaved(even: Tensor, odd: Tensor) -> Tensor:
    """Rows 0, 2, 4... and rows 1, 3, 5... of a tensor, as that tensor."""
    count = len(odd)
    both = stack((even[:count], odd), 1).flatten(0, 1)
    return both if len(even) == count else cat((both, even[count:]))
