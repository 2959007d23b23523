"""Operands as the standard's promotion has them.

PyTorch lets a 0-dim tensor give way to one that has dimensions; in the standard all arrays count
alike, and only numbers give way. Where the two differ, operands are cast before the op sees them.
"""

from __future__ import annotations

from typing import Any

import rushlight as rl
from rushlight.array_api.dtypes import ALONE, promote
from rushlight.tensor import Tensor


def promoted(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors that an op promotes to the standard's dtype; one of them may be a number."""
    if not isinstance(x2, Tensor):
        return x1, _like(x2, x1)
    if not isinstance(x1, Tensor):
        return _like(x1, x2), x2
    if x1.dtype is x2.dtype or (
        bool(x1.ndim) == bool(x2.ndim) and x1.dtype not in ALONE and x2.dtype not in ALONE
    ):
        return x1, x2
    return same_dtype(x1, x2)


def same_dtype(x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the dtype that they have together."""
    if x1.dtype is x2.dtype:
        return x1, x2
    dtype = promote(x1.dtype, x2.dtype)
    return x1.to(dtype), x2.to(dtype)


def _like(number: Any, array: Any) -> Tensor:
    if not isinstance(array, Tensor) or not isinstance(number, (int, float, complex)):
        raise TypeError(
            f"expected two arrays, or an array and a number, got {type(array).__name__} and "
            f"{type(number).__name__}"
        )
    return rl.tensor(number, dtype=rl.result_type(array, number))
