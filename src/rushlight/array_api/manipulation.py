"""The same elements in another shape, order or number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight as rl
from rushlight.array_api.arrays import gives_arrays
from rushlight.array_api.dtypes import result_type
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


@gives_arrays
def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """Views of all, of the shape that they have together."""
    return list(rl.broadcast_tensors(*arrays)) if arrays else []


@gives_arrays
def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """A view of x, of a shape that it broadcasts to."""
    return rl.broadcast_to(x, shape)


@gives_arrays
def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """Arrays one after the other along an axis; flattened first for None."""
    dtype = result_type(*arrays)
    parts = [x.to(dtype) for x in arrays]
    return rl.cat([x.flatten() for x in parts] if axis is None else parts, axis or 0)


@gives_arrays
def expand_dims(x: Tensor, /, *, axis: int = 0) -> Tensor:
    """A view with a new axis of size 1."""
    return rl.unsqueeze(x, axis)


@gives_arrays
def flip(x: Tensor, /, *, axis: Any = None) -> Tensor:
    """The elements in reverse along some axes, or all."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return rl.flip(x, tuple(axes))


@gives_arrays
def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """A view with some axes elsewhere and the others in their order."""
    return rl.moveaxis(x, source, destination)


@gives_arrays
def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """A view with the axes in another order."""
    return rl.permute(x, axes)


@gives_arrays
def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Each element, or each slice along an axis, several times in a row."""
    if isinstance(repeats, Tensor):
        repeats = repeats.to(rl.int64)
    return rl.repeat_interleave(x, repeats, dim=axis)


@gives_arrays
def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """The elements in another shape; one size may be -1. Shares memory where it can and may."""
    if copy:
        return x.clone().reshape(shape)
    if copy is None:
        return x.reshape(shape)
    try:
        return x.view(shape)
    except RuntimeError as error:
        raise ValueError(f"reshape: not possible without a copy: {error}") from None


@gives_arrays
def roll(x: Tensor, /, shift: Any, *, axis: Any = None) -> Tensor:
    """The elements moved along some axes, from the end to the start; without axis as if flat."""
    if isinstance(axis, tuple) and isinstance(shift, int):
        shift = (shift,) * len(axis)
    return rl.roll(x, shift, axis)


@gives_arrays
def squeeze(x: Tensor, /, axis: Any) -> Tensor:
    """A view without some axes of size 1."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for one in axes:
        if x.shape[one] != 1:
            raise ValueError(f"squeeze: axis {one} of shape {tuple(x.shape)} is not of size 1")
    return rl.squeeze(x, axes)


@gives_arrays
def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Arrays of one shape along a new axis."""
    dtype = result_type(*arrays)
    return rl.stack([x.to(dtype) for x in arrays], axis)


@gives_arrays
def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """The whole array several times along each axis."""
    return rl.tile(x, repetitions)


@gives_arrays
def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Views of the slices along an axis."""
    return rl.unbind(x, axis)
