"""Elements by index: take, take_along_axis, and the brackets of Array."""

from __future__ import annotations

from typing import Any

import rushlight as rl
from rushlight.array_api.arrays import as_array, gives_arrays
from rushlight.tensor import Tensor


@gives_arrays
def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The slices along an axis that a vector of indices names; negative ones count from the end."""
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: an axis is needed for shape {tuple(x.shape)}")
        axis = 0
    return x[(slice(None),) * (axis % x.ndim) + (indices,)]


@gives_arrays
def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """For each place of indices the element of x at the index there, along an axis."""
    return rl.take_along_dim(x, indices.to(rl.int64), axis)


def getitem(x: Tensor, key: Any, /) -> Tensor:
    """x[key], also with slices that run backwards."""
    if not _runs_backwards(key):
        return as_array(Tensor.__getitem__(x, _fitting(x, key)), x)
    axes, key = _forwards(x, key)
    return as_array(rl.flip(x, axes)[key])


def setitem(x: Tensor, key: Any, value: Any, /) -> None:
    """x[key] = value, also with slices that run backwards."""
    if not _runs_backwards(key):
        Tensor.__setitem__(x, key, value)
        return
    axes, key = _forwards(x, key)
    turned = rl.flip(x, axes)
    turned[key] = value
    x.copy_(rl.flip(turned, axes))


def _fitting(x: Tensor, key: Any) -> Any:
    """A mask that selects nothing, for it has no elements, may be shorter than the array."""
    if not (isinstance(key, Tensor) and key.dtype is rl.bool and key.ndim and not key.numel()):
        return key
    fits = key.ndim <= x.ndim and all(k in (0, n) for k, n in zip(key.shape, x.shape))
    return rl.nonzero(key, as_tuple=True) if fits else key


def _runs_backwards(key: Any) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return any(isinstance(p, slice) and p.step is not None and p.step < 0 for p in parts)


def _forwards(x: Tensor, key: Any) -> tuple[tuple[int, ...], tuple]:
    """The axes to turn round first, and the key that then finds the same elements in order."""
    parts = key if isinstance(key, tuple) else (key,)
    taken = sum(_axes_of(p) for p in parts)
    axes, forward, axis = [], [], 0
    for part in parts:
        if isinstance(part, slice) and part.step is not None and part.step < 0:
            size = x.shape[axis]
            places = range(size)[part]
            axes.append(axis)
            first = size - 1 - places.start if places else 0
            part = slice(first, first + -places.step * len(places), -places.step)
        forward.append(part)
        axis += x.ndim - taken if part is Ellipsis else _axes_of(part)
    return tuple(axes), tuple(forward)


def _axes_of(part: Any) -> int:
    """How many axes of the array a part of a key stands for."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, Tensor) and part.dtype is rl.bool else 1
