"""Triangles and diagonals of matrices, and matrices made of a vector: tril, diag, trace, vander."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.create import _made
from rushlight.ops.join import stack
from rushlight.ops.shape import diagonal as diagonal_of
from rushlight.ops.shape import reshape
from rushlight.tensor import Tensor


@op(_core.tril, inplace=True, out="exact")
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangles of matrices (*, m, n): 0 above the given diagonal, of the same shape.

    `diagonal`: how far above the main one, below if negative. Raises RuntimeError for a vector.
    """


tril.vjp(input=lambda grad, diagonal: tril(grad, diagonal))


@op(_core.triu, inplace=True, out="exact")
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
    return _made(_triangle_indices(row, col, offset, dtype, True), device, False)


@composed()
def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None,
    layout: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Rows and columns of the upper triangle of a (row, col) matrix, row by row: (2, places).

    int64 by default. `offset`: the first diagonal that belongs to it, as of :func:`triu`.
    """
    return _made(_triangle_indices(row, col, offset, dtype, False), device, False)


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
    return result if out is None else _core.write_out("diag", result, out, exact=True)


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
    column = _core.full((x.shape[0],), 1, x.dtype, x)
    columns = []
    for _ in range(count):
        columns.append(column)
        column = column * x
    if not columns:
        return _core.empty((x.shape[0], 0), x.dtype, x)
    return stack(columns if increasing else columns[::-1], 1)
