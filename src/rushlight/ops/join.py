"""Putting tensors together, and laying one out anew: cat, stack, repeat, flip, roll, tril, diag."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.shape import (
    _axis,
    expand,
    reshape,
    tensor_split,
    transpose,
    unsqueeze,
)
from rushlight.ops.shape import diagonal as diagonal_of
from rushlight.ops.shape import slice as slice_along
from rushlight.tensor import Tensor

# ---- several tensors as one


def _cat_gradient(grad: Tensor, dim: int, shapes: tuple) -> list:
    """The parts of grad; tensors of shape (0,) were left out, and get nothing."""
    parts, start = [], 0
    for shape in shapes:
        if shape == (0,):
            parts.append(_core.full((0,), 0, grad.dtype))
            continue
        parts.append(slice_along(grad, dim, start, start + shape[dim]))
        start += shape[dim]
    return parts


def _joined(tensors: tuple, dim: int, _: Any) -> Tensor:
    return _core.cat(tensors, dim)


@op(_joined, method=False, public=False, node="CatBackward0")
def _cat(tensors: tuple, dim: int, shapes: tuple) -> Tensor:
    """The tensors, with these shapes, one after the other."""


_cat.vjp(tensors=_cat_gradient)


def _sequence(name: str, tensors: Any) -> tuple:
    if isinstance(tensors, Tensor):
        raise TypeError(f"{name}(): argument 'tensors' must be tuple of Tensors, not Tensor")
    tensors = tuple(tensors)
    for at, item in enumerate(tensors):
        if not isinstance(item, Tensor):
            raise TypeError(
                f"{name}(): expected Tensor as element {at} in argument 0, but got "
                f"{type(item).__name__}"
            )
    return tensors


@composed()
def cat(
    tensors: Any, dim: int = 0, *, axis: int | None = None, out: Tensor | None = None
) -> Tensor:
    """The tensors one after the other along `dim`; their other sizes are equal.

    The dtype is the one that all of them promote to. Tensors of shape (0,) are left out.

    Raises RuntimeError where the other sizes differ, ValueError where there is no tensor.
    """
    tensors = _sequence("cat", tensors)
    shapes = tuple([tensor.shape for tensor in tensors]) if _core.is_grad_enabled() else ()
    result = _cat(tensors, dim if axis is None else axis, shapes)
    return result if out is None else _core.write_out("cat", result, out)


@composed(numpy_names=True)
def concat(tensors: Any, dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Another name of :func:`cat`."""
    return cat(tensors, dim, out=out)


@composed(numpy_names=True)
def concatenate(tensors: Any, dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Another name of :func:`cat`, NumPy's."""
    return cat(tensors, dim, out=out)


@op(_core.stack, method=False, out=True)
def stack(tensors: Any, dim: int = 0) -> Tensor:
    """The tensors, all of one shape, side by side along a new dimension `dim`; dtypes promote.

    n tensors (*) give (*, n, *). Raises RuntimeError where shapes differ or there is no tensor.
    """


stack.vjp(tensors=lambda grad, dim: list(grad.unbind(dim)))


def _listed(tensors: tuple) -> tuple:
    """Tensors given one by one or as one sequence."""
    if len(tensors) == 1 and not isinstance(tensors[0], Tensor):
        return tuple(tensors[0])
    return tensors


def _each(function: Any, tensors: tuple) -> Any:
    """The function on one tensor, or a tuple of its results on several."""
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return function(tensors[0])
    return tuple(function(tensor) for tensor in _listed(tensors))


def _to_1d(input: Tensor) -> Tensor:
    return reshape(input, (1,)) if input.ndim == 0 else input


def _to_2d(input: Tensor) -> Tensor:
    if input.ndim == 0:
        return reshape(input, (1, 1))
    return unsqueeze(input, 0) if input.ndim == 1 else input


def _to_3d(input: Tensor) -> Tensor:
    input = _to_2d(input) if input.ndim < 2 else input
    return unsqueeze(input, -1) if input.ndim == 2 else input


@composed()
def atleast_1d(*tensors: Any) -> Any:
    """Views with at least one dimension; a tuple for several tensors."""
    return _each(_to_1d, tensors)


@composed()
def atleast_2d(*tensors: Any) -> Any:
    """Views with at least two dimensions, new ones in front; a tuple for several tensors."""
    return _each(_to_2d, tensors)


@composed()
def atleast_3d(*tensors: Any) -> Any:
    """Views with at least three dimensions: (n,) becomes (1, n, 1), (m, n) becomes (m, n, 1).

    A tuple for several tensors.
    """
    return _each(_to_3d, tensors)


def _some(name: str, tensors: Any) -> Any:
    if len(tensors) == 0:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tensors


@composed()
def hstack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """The tensors joined along the second dimension; vectors along their only one.

    As :func:`cat`.
    """
    parts = [_to_1d(tensor) for tensor in _some("hstack", tensors)]
    return cat(parts, 0 if parts[0].ndim == 1 else 1, out=out)


@composed()
def vstack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """The tensors below each other: vectors count as rows.

    As :func:`cat` along the first dimension.
    """
    return cat([_to_2d(tensor) for tensor in _some("vstack", tensors)], 0, out=out)


@composed()
def row_stack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """Another name of :func:`vstack`."""
    return vstack(tensors, out=out)


@composed()
def dstack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """The tensors joined along the third dimension, after `atleast_3d`. As :func:`cat`."""
    return cat([_to_3d(tensor) for tensor in _some("dstack", tensors)], 2, out=out)


@composed()
def column_stack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """The tensors side by side: vectors count as columns.

    As :func:`cat` along the second dimension.
    """
    tensors = _some("column_stack", tensors)
    parts = [reshape(t, (t.numel(), 1)) if t.ndim <= 1 else t for t in tensors]
    return cat(parts, 1, out=out)


def _split_along(name: str, input: Tensor, sections: Any, dim: int, least: int) -> tuple:
    if input.ndim < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension"
            f"{'s' if least > 1 else ''}, but got a tensor with {input.ndim} dimensions!"
        )
    if isinstance(sections, int) and (sections <= 0 or input.shape[dim] % sections):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension "
            f"{input.shape[dim]} is not divisible by the split_size {sections}!"
        )
    return tensor_split(input, sections, dim)


@composed(method=True)
def hsplit(input: Tensor, indices_or_sections: Any) -> tuple:
    """Views of parts along the second dimension, of a vector along its only one.

    An int is the number of equal parts, a sequence the indices between them. Raises RuntimeError
    where the parts do not come out even, or for a 0-dim tensor.
    """
    dim = 0 if input.ndim == 1 else 1
    return _split_along("hsplit", input, indices_or_sections, dim, 1)


@composed(method=True)
def vsplit(input: Tensor, indices_or_sections: Any) -> tuple:
    """Views of parts along the first dimension of at least two; otherwise as :func:`hsplit`."""
    return _split_along("vsplit", input, indices_or_sections, 0, 2)


@composed(method=True)
def dsplit(input: Tensor, indices_or_sections: Any) -> tuple:
    """Views of parts along the third dimension; otherwise as :func:`hsplit`."""
    return _split_along("dsplit", input, indices_or_sections, 2, 3)


@composed(method=True)
def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple:
    """Another name of :func:`split`."""
    return input.split(split_size, dim)


@composed(method=True)
def unsafe_split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple:
    """Another name of :func:`split_with_sizes`."""
    return input.split_with_sizes(split_sizes, dim)


@composed(method=True)
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple:
    """Another name of :func:`chunk`."""
    return input.chunk(chunks, dim)


@composed()
def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given ones along its diagonal, 0 elsewhere; dtypes promote.

    Vectors count as rows, numbers as 1 x 1. Raises RuntimeError for more than 2 dimensions.
    """
    blocks = [_to_2d(tensor) for tensor in _listed(tensors)]
    for i, block in enumerate(blocks):
        if block.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{i} has {block.ndim} dimensions"
            )
    if not blocks:
        return _core.empty((1, 0), _core.get_default_dtype())
    width = sum(block.shape[1] for block in blocks)
    dtype = _core.result_type([_core.empty((1,), block.dtype) for block in blocks])
    rows, left = [], 0
    for block in blocks:
        height, own = block.shape
        before = _core.full((height, left), 0, dtype)
        after = _core.full((height, width - left - own), 0, dtype)
        rows.append(cat([before, block, after], 1))
        left += own
    return cat(rows, 0)


@composed()
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple:
    """Views of vectors spread over the grid that they span: one dimension for each vector.

    indexing: "ij" (matrix order) or "xy", which exchanges the first two dimensions.

    Raises RuntimeError for what has more than 1 dimension, or another `indexing`.
    """
    vectors = _listed(tensors)
    if not vectors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing is None:
        import warnings

        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing "
            "argument.",
            stacklevel=2,
        )
    elif indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    for vector in vectors:
        if vector.ndim > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: "
                f"{tuple(vector.shape)}"
            )
        if vector.dtype is not vectors[0].dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    swap = indexing == "xy" and len(vectors) > 1
    if swap:
        vectors = (vectors[1], vectors[0], *vectors[2:])
    sizes = tuple(vector.numel() for vector in vectors)
    grids = [
        expand(reshape(vector, (1,) * i + (-1,) + (1,) * (len(vectors) - 1 - i)), sizes)
        for i, vector in enumerate(vectors)
    ]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


@composed()
def cartesian_prod(*tensors: Any) -> Tensor:
    """All ways to take one element of each vector: (product of the lengths, vectors).

    The last vector varies fastest; one vector alone is returned as it is. Raises RuntimeError for
    what is no vector.
    """
    vectors = _listed(tensors)
    for vector in vectors:
        if vector.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(vector.shape)}")
    if len(vectors) == 1:
        return vectors[0]
    grids = meshgrid(*vectors, indexing="ij")
    return stack([reshape(grid, (-1,)) for grid in grids], 1)


@composed()
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to take `r` elements of a vector in their order: (number of ways, r).

    As itertools.combinations (_with_replacement). Raises RuntimeError for what is no vector or r <
    0.
    """
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return _core.empty((0,), input.dtype)
    return input[_core.combination_positions(input.shape[0], r, with_replacement)]


# ---- one tensor in another layout


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
    axis = _axis(input, dim)
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
        return expand(unsqueeze(input, axis + 1), wide).clone().reshape(result)
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
    first, second = (_axis(input, dim) for dim in dims)
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
    return input.clone()


# ---- triangles and diagonals


@op(_core.tril, inplace=True, out=True)
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangles of matrices (*, m, n): 0 above the given diagonal, of the same shape.

    `diagonal`: how far above the main one, below if negative. Raises RuntimeError for a vector.
    """


tril.vjp(input=lambda grad, diagonal: tril(grad, diagonal))


@op(_core.triu, inplace=True, out=True)
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangles of matrices (*, m, n): 0 below the given diagonal, of the same shape.

    `diagonal`: how far above the main one, below if negative. Raises RuntimeError for a vector.
    """


triu.vjp(input=lambda grad, diagonal: triu(grad, diagonal))


def _triangle_indices(row: int, col: int, offset: int, dtype: Any, lower: bool) -> Tensor:
    if row < 0 or col < 0:
        raise RuntimeError(f"row and col must be non-negative, got {row} and {col}")
    ones = _core.full((row, col), True, _core.bool)
    places = _core.nonzero((_core.tril if lower else _core.triu)(ones, offset))
    return _core.contiguous(
        _core.to_dtype(_core.transpose(places, 0, 1), _core.int64 if dtype is None else dtype)
    )


@composed()
def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None,
    layout: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Rows and columns of the lower triangle of a (row, col) matrix, row by row: (2, places).

    int64 by default. `offset`: the last diagonal that belongs to it, as of :func:`tril`.
    """
    return _triangle_indices(row, col, offset, dtype, True)


@composed()
def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None,
    layout: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Rows and columns of the upper triangle of a (row, col) matrix, row by row: (2, places).

    int64 by default. `offset`: the first diagonal that belongs to it, as of :func:`triu`.
    """
    return _triangle_indices(row, col, offset, dtype, False)


@op(_core.diag_embed)
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last dimension of input as a diagonal, 0 elsewhere: (*, n) -> (*, m, m).

    m is n + |offset|; `dim1` and `dim2` say where the two new dimensions come.
    """


diag_embed.vjp(
    input=lambda grad, offset, dim1, dim2: diagonal_of(grad, offset, dim1, dim2)
)


@composed(method=True)
def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The matrix with a vector as its diagonal, or (a copy of) the diagonal of a matrix.

    `diagonal`: how far above the main one, below if negative. Raises RuntimeError for other inputs.
    """
    if input.ndim == 1:
        result = diag_embed(input, diagonal)
    elif input.ndim == 2:
        result = diagonal_of(input, diagonal).clone()
    else:
        raise RuntimeError(
            f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D: use diagonal() or diag_embed()"
        )
    return result if out is None else _core.write_out("diag", result, out)


@composed(method=True)
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with the flattened input as its diagonal; `offset` as of :func:`diag`."""
    return diag_embed(reshape(input, (-1,)), offset)


@composed(method=True, float32=True)
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix, 0-dim; of integers as int64.

    Raises RuntimeError for what is no matrix.
    """
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    return diagonal_of(input).sum()


def _fill_diagonal(self: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Writes one number to the diagonal, all indices equal, in place.

    With `wrap` the diagonal of a tall matrix starts again below its end.
    """
    if self.ndim < 2:
        raise RuntimeError("fill_diagonal_: dimensions must larger than 1")
    sizes = tuple(self.shape)
    if self.ndim > 2 and any(size != sizes[0] for size in sizes):
        raise RuntimeError("fill_diagonal_: all dimensions of input must be of equal length")
    step = sum(self.stride())
    offset = self.storage_offset()
    length = min(sizes)
    self.as_strided((length,), (step,), offset).fill_(fill_value)
    rows, columns = sizes[0], sizes[1]
    if wrap and self.ndim == 2 and rows > columns + 1:
        start = offset + self.stride(0) * (columns + 1)
        while start < offset + self.stride(0) * rows:
            left = (offset + self.stride(0) * rows - start + self.stride(0) - 1) // self.stride(0)
            self.as_strided((min(columns, left),), (step,), start).fill_(fill_value)
            start += self.stride(0) * (columns + 1)
    return self


Tensor.fill_diagonal_ = _fill_diagonal


@composed()
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of a vector's elements as columns, the highest first unless `increasing`: (n, N).

    `N` is n by default. Raises RuntimeError for what is no vector or a negative `N`.
    """
    if x.ndim != 1:
        raise RuntimeError(f"vander: expected a 1-D tensor, got shape {list(x.shape)}")
    count = x.shape[0] if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    if x.dtype is _core.bool or not (x.dtype.is_floating_point or x.dtype.is_complex):
        x = x.to(_core.int64)
    column = _core.full((x.shape[0],), 1, x.dtype)
    columns = []
    for _ in range(count):
        columns.append(column)
        column = column * x
    if not columns:
        return _core.empty((x.shape[0], 0), x.dtype)
    return stack(columns if increasing else columns[::-1], 1)


