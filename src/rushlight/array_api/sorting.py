"""Elements in order."""

from __future__ import annotations

import rushlight as rl
from rushlight.array_api.arrays import gives_arrays
from rushlight.tensor import Tensor


@gives_arrays
def argsort(
    x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Tensor:
    """The indices that put x in order along an axis."""
    return rl.sort(x, dim=axis, descending=descending, stable=stable)[1]


@gives_arrays
def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """x in order along an axis; nan counts as the largest."""
    return rl.sort(x, dim=axis, descending=descending, stable=stable)[0]
