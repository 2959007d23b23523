"""What many elements give together: sums, means, extremes, truth; and what runs along an axis.

`axis` is one axis, a tuple of axes, or None for all. An empty tuple reduces over nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight as rl
from rushlight.array_api.arrays import gives_arrays
from rushlight.array_api.dtypes import summed
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


def _reduced(
    op: Callable[..., Tensor], x: Tensor, axis: Any, keepdims: bool, **options: Any
) -> Tensor:
    """The op over some axes; over none of them it sees a new axis of size 1, which then goes."""
    axes = tuple(range(x.ndim)) if axis is None else axis
    if axes == ():  # to PyTorch that means all
        return op(x.unsqueeze(-1), -1, keepdim=False, **options)
    return op(x, axes, keepdim=keepdims, **options)


@gives_arrays
def all(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether every element is true."""
    return _reduced(rl.all, x.to(rl.bool), axis, keepdims)


@gives_arrays
def any(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether some element is true."""
    return _reduced(rl.any, x.to(rl.bool), axis, keepdims)


@gives_arrays
def max(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest element; nan if there is one."""
    return _reduced(rl.amax, x, axis, keepdims)


@gives_arrays
def mean(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The arithmetic mean."""
    return _reduced(rl.mean, x, axis, keepdims)


@gives_arrays
def min(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element; nan if there is one."""
    return _reduced(rl.amin, x, axis, keepdims)


@gives_arrays
def prod(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product; of integers in the default integer."""
    return _reduced(rl.prod, x, axis, keepdims, dtype=dtype or summed(x.dtype))


@gives_arrays
def std(
    x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The standard deviation, its squares divided by the number of elements less the correction."""
    return _reduced(rl.std, x, axis, keepdims, correction=correction)


@gives_arrays
def sum(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum; of integers in the default integer."""
    return _reduced(rl.sum, x, axis, keepdims, dtype=dtype or summed(x.dtype))


@gives_arrays
def var(
    x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The variance: a sum of squares divided by the number of elements less the correction."""
    return _reduced(rl.var, x, axis, keepdims, correction=correction)


# ---- along an axis


def _running(op: Any, x: Tensor, axis: int | None, dtype: Any, first: int | None) -> Tensor:
    if axis is None:
        if x.ndim > 1:
            raise ValueError(f"{op.__name__}: an axis is needed for shape {tuple(x.shape)}")
        axis = 0
    result = op(x, axis, dtype=dtype or summed(x.dtype))
    if first is None:
        return result
    shape = list(result.shape)
    shape[axis] = 1
    return rl.cat([rl.full(shape, first, dtype=result.dtype), result], axis)


@gives_arrays
def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Products of the elements so far; with a 1 in front where include_initial is set."""
    return _running(rl.cumprod, x, axis, dtype, 1 if include_initial else None)


@gives_arrays
def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Sums of the elements so far; with a 0 in front where include_initial is set."""
    return _running(rl.cumsum, x, axis, dtype, 0 if include_initial else None)


@gives_arrays
def diff(
    x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None
) -> Tensor:
    """The n-th differences of neighbours, of x with what is set before and behind it."""
    return rl.diff(x, n, axis, prepend, append)
