"""The elements of one tensor repeated, or in another order: repeat, tile, flip, roll, rot90."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.dtypes import contiguous_format
from rushlight.ops.shape import axis_of, expand, reshape, transpose, unsqueeze
from rushlight.tensor import Tensor


def _repeat_gradient(grad: Tensor, input_shape: Any, repeats: Any) -> Tensor:
    repeats = (repeats,) if isinstance(repeats, int) else tuple(repeats)
    if 0 in repeats:
        return _core.full(tuple(input_shape), 0, grad.dtype)
    extra = len(repeats) - len(input_shape)
    shape: list[int] = []
    summed = []
    for d, count in enumerate(repeats):
        summed.append(len(shape))
        shape.append(count)
        shape.append(input_shape[d - extra] if d >= extra else 1)
    if not shape:
        return grad
    total = reshape(grad, tuple(shape)).sum(tuple(summed))
    return reshape(total, input_shape)


@op(_core.repeat, public=False, variadic="repeats")
def repeat(input: Tensor, repeats: Any) -> Tensor:
    """A copy with each dimension (new ones in front) repeated as a whole as often as given.

    The gradient is the sum over the repetitions. Raises RuntimeError for fewer numbers than
    dimensions.
    """


repeat.vjp(input=_repeat_gradient)


@composed(method=True)
def tile(input: Tensor, dims: Any, *rest: int) -> Tensor:
    """:func:`repeat`, with leading dimensions that `dims` leaves out repeated once."""
    counts = (dims, *rest) if isinstance(dims, int) else tuple(dims)
    return repeat(input, (1,) * (input.ndim - len(counts)) + counts)


@composed(method=True, numpy_names=True)
def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element, or slice of `dim`, repeated in its place.

    repeats: a number, or int64 counts, one for each. With one argument that is these counts, and
    the result has position i as often as count i says.

    Raises RuntimeError for negative counts, or as many as there are no elements.
    """
    if repeats is None:
        return _core.repeat_positions(input, output_size)
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    axis = axis_of(dim, input.ndim)
    if input.ndim == 0:
        input = reshape(input, (1,))
    length = input.shape[axis]
    if isinstance(repeats, Tensor) and repeats.numel() == 1:
        repeats = int(repeats.item())
    if isinstance(repeats, (list, tuple)):
        repeats = _core.tensor_from_data(list(repeats), _core.int64)
    if not isinstance(repeats, Tensor):
        if repeats < 0:
            raise RuntimeError(f"Repeats must be non-negative, got {repeats}")
        if output_size is not None and output_size != length * repeats:
            raise RuntimeError(
                "repeat_interleave: Invalid output_size, expected "
                f"{length * repeats} but got {output_size}"
            )
        wide = list(input.shape)
        wide.insert(axis + 1, repeats)
        result = list(input.shape)
        result[axis] = length * repeats
        copied = expand(unsqueeze(input, axis + 1), wide).clone(memory_format=contiguous_format)
        return copied.reshape(result)
    if repeats.ndim != 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if repeats.shape[0] != length:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{repeats.shape[0]} and input.size({axis}) = {length}"
        )
    return input.index_select(axis, _core.repeat_positions(repeats, output_size))


@op(_core.flip, variadic="dims")
def flip(input: Tensor, dims: Any) -> Tensor:
    """A copy with the order of the given dimensions reversed.

    Raises RuntimeError for one named twice, IndexError for one that is not there.
    """


flip.vjp(input=lambda grad, dims: flip(grad, dims))


@composed(method=True)
def fliplr(input: Tensor) -> Tensor:
    """A copy with the second dimension reversed.

    Raises RuntimeError for fewer than 2 dimensions.
    """
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, (1,))


@composed(method=True)
def flipud(input: Tensor) -> Tensor:
    """A copy with the first dimension reversed. Raises RuntimeError for a 0-dim tensor."""
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, (0,))


def _whole(value: Any) -> tuple:
    return () if value is None else (value,) if isinstance(value, int) else tuple(value)


@op()
def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """A copy with elements moved along `dims` by `shifts`, those that leave coming in again.

    Without `dims` the flattened tensor is rolled.

    Raises RuntimeError where there are not as many shifts as dimensions.
    """
    return _core.roll(input, _whole(shifts), _whole(dims))


roll.vjp(
    input=lambda grad, shifts, dims: roll(grad, tuple(-shift for shift in _whole(shifts)), dims)
)


@composed(method=True)
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """A copy turned by `k` quarters in the plane of two dimensions, from the first to the second.

    Raises RuntimeError unless `dims` are two different ones.
    """
    dims = tuple(dims)
    if len(dims) != 2:
        raise RuntimeError(
            f"expected total rotation dims == 2, but got dims = {len(dims)}"
        )
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    first, second = (axis_of(dim, input.ndim) for dim in dims)
    if first == second:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    k %= 4
    if k == 1:
        return transpose(flip(input, (second,)), first, second)
    if k == 2:
        return flip(input, (first, second))
    if k == 3:
        return transpose(flip(input, (first,)), first, second)
    return input.clone(memory_format=contiguous_format)
