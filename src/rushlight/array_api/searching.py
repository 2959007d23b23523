"""Where values are: extremes, nonzeros, places in a sorted array, choices."""

from __future__ import annotations

from typing import Any

import rushlight as rl
from rushlight.array_api.arrays import gives_arrays
from rushlight.array_api.promotion import promoted
from rushlight.array_api.statistics import sum as _sum
from rushlight.tensor import Tensor


@gives_arrays
def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The first place of the largest value, along an axis or in the flat array."""
    return rl.argmax(x, axis, keepdims)


@gives_arrays
def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The first place of the smallest value, along an axis or in the flat array."""
    return rl.argmin(x, axis, keepdims)


@gives_arrays
def count_nonzero(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """How many elements are not 0."""
    return _sum(x != 0, axis=axis, keepdims=keepdims)


@gives_arrays
def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The indices of the elements that are not 0, one array for each axis."""
    if x.ndim == 0:
        raise ValueError("nonzero: expected an array of at least 1 dimension, got 0")
    return rl.nonzero(x, as_tuple=True)


@gives_arrays
def searchsorted(
    x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None
) -> Tensor:
    """Where in the sorted vector x1 the values x2 belong: before equal ones, or behind them."""
    sorter = None if sorter is None else sorter.to(rl.int64)
    return rl.searchsorted(x1, x2, side=side, sorter=sorter)


@gives_arrays
def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """x1 where the condition holds, x2 elsewhere."""
    return rl.where(condition, *promoted(x1, x2))
