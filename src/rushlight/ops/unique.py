"""Distinct values: unique and unique_consecutive."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.tensor import Tensor


def _chosen(parts: tuple, return_inverse: bool, return_counts: bool) -> Any:
    values, inverse, counts = parts
    if return_inverse:
        return (values, inverse, counts) if return_counts else (values, inverse)
    return (values, counts) if return_counts else values


@composed(method=True)
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """The distinct elements, or slices along `dim`, in rising order (also without `sorted`).

    return_inverse: also which of them each element of input is. return_counts: also how often each
    occurs. Every nan is distinct.

    The indices and counts are int64. Raises IndexError for a `dim` that is not there. Without a
    derivative.
    """
    parts = _core.unique(input) if dim is None else _core.unique_dim(input, dim)
    return _chosen(parts, return_inverse, return_counts)


@composed(method=True)
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements, or slices along `dim`, without those that equal the one before.

    With `return_inverse` also where each went, with `return_counts` how many there were of each
    (int64).
    """
    if dim is None:
        parts = _core.unique_consecutive(input)
    else:
        parts = _core.unique_consecutive_dim(input, dim)
    return _chosen(parts, return_inverse, return_counts)
