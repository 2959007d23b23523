"""Making sparse tensors of their parts, and checking these."""

from __future__ import annotations

from math import prod
from typing import Any

from rushlight import _core
from rushlight.dtypes import (
    check_device,
    sparse_bsc,
    sparse_bsr,
    sparse_coo,
    sparse_csc,
    sparse_csr,
    strided,
)
from rushlight.ops.create import tensor
from rushlight.sparse.coo import Pattern, with_values
from rushlight.sparse.invariants import check_sparse_tensor_invariants
from rushlight.sparse.pointwise import empty_pattern
from rushlight.tensor import Tensor


def _as_tensor(data: Any, dtype: Any = None) -> Tensor:
    if isinstance(data, Tensor):
        return data if dtype is None or data.dtype is dtype else data.to(dtype)
    return tensor(data, dtype=dtype)


def empty(shape: tuple, dtype: Any, layout: Any, requires_grad: bool = False) -> Tensor:
    """A tensor without entries in one of the sparse layouts."""
    shape = tuple(shape)
    if any(size < 0 for size in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension: {list(shape)}")
    if layout is sparse_coo:
        values = _core.full((0,), 0, dtype)
        result = with_values(values, empty_pattern(shape), shape)
    else:
        from rushlight.sparse.compressed import empty_compressed

        result = empty_compressed(shape, dtype, layout)
    return result.requires_grad_() if requires_grad else result


def _check_coo(indices: Tensor, values: Tensor, size: tuple | None, check: bool) -> tuple:
    """The size; RuntimeError for parts that do not fit it."""
    sparse, dense = indices.shape[0], values.ndim - 1
    if indices.shape[1] != values.shape[0]:
        raise RuntimeError(
            "indices and values must have same nnz, but got nnz from indices: "
            f"{indices.shape[1]}, nnz from values: {values.shape[0]}"
        )
    lowest = highest = None
    if indices.numel() and (size is None or check):
        lowest, highest = indices.amin(1).tolist(), indices.amax(1).tolist()
        for dim, least in enumerate(lowest):
            if least < 0:
                raise RuntimeError(f"found negative index {least} for dim {dim}")
    if size is None:
        inferred = [most + 1 for most in highest] if highest else [0] * sparse
        return (*inferred, *values.shape[1:])
    if len(size) != sparse + dense:
        raise RuntimeError(
            "'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = "
            f"{len(size)}, sparse_dim = {sparse}, dense_dim = {dense}"
        )
    if any(n < 0 for n in size):
        raise RuntimeError(f"sparse_coo_tensor: sizes cannot be negative, got {list(size)}")
    if check and highest:
        for dim, most in enumerate(highest):
            if most >= size[dim]:
                raise RuntimeError(
                    f"size is inconsistent with indices: for dim {dim}, size is {size[dim]} but "
                    f"found index {most}"
                )
    if tuple(values.shape[1:]) != tuple(size[sparse:]):
        raise RuntimeError(
            f"values has incorrect size, expected {[indices.shape[1], *size[sparse:]]}, got "
            f"{list(values.shape)}"
        )
    return tuple(size)


def sparse_coo_tensor(
    indices: Any = None,
    values: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> Tensor:
    """A tensor in coordinate format; entries of one place add up.

    Gradients pass to `values`.

    Args:
        indices: (sparse dimensions, entries), integers.
        values: (entries, *dense dimensions).
        size: the shape; without it the smallest that holds the entries. Alone: no entries.
        dtype: of the values.
        device: the CPU.
        requires_grad: the tensor is a leaf that wants a gradient.
        check_invariants: look for indices outside; by default as `check_sparse_tensor_invariants`
            says.
        is_coalesced: the indices are known to be in order and without duplicates.

    Raises:
        RuntimeError: the parts do not fit each other or the size.
    """
    check_device(device)
    if values is None:
        shape = size if indices is None else indices
        return empty(tuple(shape), dtype or _core.get_default_dtype(), sparse_coo, requires_grad)
    at = _as_tensor(indices).detach()
    data = _as_tensor(values)
    if data.ndim == 0:
        data = data.reshape(1)
    if at.ndim == 1 and at.numel() == 0 and not isinstance(indices, Tensor):
        at = at.reshape(0, data.shape[0])
    if at.ndim != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(at.shape)}")
    if at._layout or data._layout:
        raise RuntimeError("sparse_coo_tensor: expected indices and values that are strided")
    if at.dtype is not _core.int64:
        at = at.to(_core.int64)
    if dtype is not None and data.dtype is not dtype:
        data = data.to(dtype)
    check = check_sparse_tensor_invariants.is_enabled() if check_invariants is None else (
        check_invariants
    )
    shape = _check_coo(at, data, None if size is None else tuple(size), check)
    coalesced = bool(is_coalesced) or at.shape[1] < 2
    if is_coalesced and check:
        places, starts = _core.sparse_order(at, shape[: at.shape[0]])
        in_order = bool((places == _core.arange(0, at.shape[1], 1, _core.int64)).all().item())
        if not in_order or starts.shape[0] - 1 != at.shape[1]:
            raise RuntimeError(
                "cannot set is_coalesced to true if indices correspond to uncoalesced COO tensor"
            )
    pattern = Pattern(at, shape[: at.shape[0]], coalesced)
    if requires_grad:
        return with_values(data.detach(), pattern, shape).requires_grad_()
    return with_values(data, pattern, shape)


def _sparse_coo_tensor_unsafe(
    indices: Any,
    values: Any,
    size: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    is_coalesced: bool | None = None,
    check_invariants: bool | None = None,
) -> Tensor:
    """:func:`sparse_coo_tensor` without a look at the indices."""
    return sparse_coo_tensor(
        indices, values, size, dtype=dtype, device=device, requires_grad=requires_grad,
        check_invariants=False, is_coalesced=is_coalesced,
    )  # fmt: skip


def _check_compressed(
    name: str, starts: Tensor, others: Tensor, values: Tensor, size: tuple, axis: int
) -> None:
    count = size[axis]
    if starts.ndim != 1 or others.ndim != 1 or values.ndim != 1:
        raise NotImplementedError(
            f"{name}: only matrices are there, without batch or dense dimensions; got indices "
            f"{list(starts.shape)}, {list(others.shape)} and values {list(values.shape)}"
        )
    if others.dtype is not starts.dtype or starts.dtype not in (_core.int64, _core.int32):
        raise RuntimeError(
            f"{name}: indices must be of one dtype, int64 or int32, got {starts.dtype} and "
            f"{others.dtype}"
        )
    if starts.shape[0] != count + 1 or others.shape[0] != values.shape[0]:
        raise RuntimeError(
            f"{name}: size {list(size)} needs {count + 1} compressed indices, and one plain index "
            f"for each value; got {starts.shape[0]}, {others.shape[0]} and {values.shape[0]} values"
        )
    numbers = starts.to(_core.int64)
    steps = numbers[1:] - numbers[:-1]
    if numbers[0].item() != 0 or numbers[-1].item() != others.shape[0] or (
        bool((steps < 0).any().item())
    ):
        raise RuntimeError(
            f"{name}: compressed indices must rise from 0 to the {others.shape[0]} values"
        )
    if others.numel() and (others.min().item() < 0 or others.max().item() >= size[1 - axis]):
        raise RuntimeError(f"{name}: an index is outside of size {list(size)}")


def _compressed(
    layout: Any, starts: Any, others: Any, values: Any, size: Any, dtype: Any, device: Any,
    requires_grad: bool,
) -> Tensor:  # fmt: skip
    from rushlight.sparse.compressed import Compressed, with_compressed_values

    check_device(device)
    name = f"{layout}_tensor".removeprefix("torch.")
    first, second = _as_tensor(starts).detach(), _as_tensor(others).detach()
    data = _as_tensor(values, dtype)
    if first.dtype not in (_core.int64, _core.int32) and not isinstance(starts, Tensor):
        first = first.to(_core.int64)
    if second.dtype not in (_core.int64, _core.int32) and not isinstance(others, Tensor):
        second = second.to(_core.int64)
    axis = 0 if layout is sparse_csr else 1
    if size is None:
        other = int(second.max().item()) + 1 if second.numel() else 0
        size = (first.shape[-1] - 1, other)[:: 1 if axis == 0 else -1]
    size = tuple(size)
    if len(size) != 2:
        raise NotImplementedError(f"{name}: only matrices are there, got size {list(size)}")
    _check_compressed(name, first, second, data, size, axis)
    number = 2 if layout is sparse_csr else 3
    parts = Compressed(first, second, data.detach())
    if requires_grad:
        return with_compressed_values(data.detach(), parts, size, number).requires_grad_()
    return with_compressed_values(data, parts, size, number)


def sparse_csr_tensor(
    crow_indices: Any,
    col_indices: Any,
    values: Any,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> Tensor:
    """A matrix by compressed rows: row r has the entries crow_indices[r] to crow_indices[r + 1].

    Gradients pass to `values`.

    Args:
        crow_indices: (rows + 1,), int64 or int32.
        col_indices: (entries,), the column of each entry, rising within a row.
        values: (entries,).
        size: (rows, columns); without it the smallest that holds the entries.
        dtype: of the values.
        device: the CPU.
        requires_grad: the tensor is a leaf that wants a gradient.
        check_invariants: without effect, the parts are always checked.

    Raises:
        RuntimeError: the parts do not fit each other or the size.
        NotImplementedError: batches, dense dimensions.
    """
    return _compressed(
        sparse_csr, crow_indices, col_indices, values, size, dtype, device, requires_grad
    )


def sparse_csc_tensor(
    ccol_indices: Any,
    row_indices: Any,
    values: Any,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> Tensor:
    """A matrix by compressed columns; as :func:`sparse_csr_tensor` with the axes exchanged."""
    return _compressed(
        sparse_csc, ccol_indices, row_indices, values, size, dtype, device, requires_grad
    )


def _refuse_blocks(layout: Any) -> NotImplementedError:
    return NotImplementedError(
        f"rushlight has no tensors of layout {layout}: use torch.sparse_csr or torch.sparse_coo"
    )


def sparse_bsr_tensor(*args: Any, **kwargs: Any) -> Tensor:
    """Raises NotImplementedError: there are no blocks."""
    raise _refuse_blocks(sparse_bsr)


def sparse_bsc_tensor(*args: Any, **kwargs: Any) -> Tensor:
    """Raises NotImplementedError: there are no blocks."""
    raise _refuse_blocks(sparse_bsc)


def sparse_compressed_tensor(
    compressed_indices: Any,
    plain_indices: Any,
    values: Any,
    size: Any = None,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> Tensor:
    """A CSR or CSC matrix, as `layout` says.

    Raises NotImplementedError for a block layout, RuntimeError for another.
    """
    if layout in (sparse_bsr, sparse_bsc):
        raise _refuse_blocks(layout)
    if layout not in (sparse_csr, sparse_csc):
        raise RuntimeError(
            f"sparse_compressed_tensor: expected a compressed sparse layout, got {layout}"
        )
    return _compressed(
        layout, compressed_indices, plain_indices, values, size, dtype, device, requires_grad
    )


def made_like(input: Tensor | None, shape: tuple, dtype: Any, layout: Any, requires_grad: bool
              ) -> Tensor:  # fmt: skip
    """zeros, empty, zeros_like and empty_like where a layout is sparse."""
    layout = layout if layout is not None else input.layout if input is not None else strided
    if layout is strided:
        return _core.full(tuple(shape), 0, dtype).requires_grad_(requires_grad)
    if input is not None and layout is sparse_coo and input.is_sparse:
        sizes = input._parts.pattern.sizes
        values = _core.full((0, *shape[len(sizes) :]), 0, dtype)
        result = with_values(values, empty_pattern(sizes), tuple(shape))
        return result.requires_grad_() if requires_grad else result
    return empty(tuple(shape), dtype, layout, requires_grad)


def spdiags(
    diagonals: Tensor, offsets: Tensor, shape: tuple[int, int], layout: Any = None
) -> Tensor:
    """A sparse matrix of the rows of `diagonals` along its diagonals.

    Element j of a row goes to column j.

    Args:
        diagonals: (count, length), or one row.
        offsets: (count,), of int64: above the main diagonal if positive.
        shape: of the matrix.
        layout: `sparse_coo` (None), `sparse_csr` or `sparse_csc`.

    Raises:
        RuntimeError: numbers of diagonals and offsets differ, or offsets are repeated.
    """
    if diagonals.ndim == 1:
        diagonals = diagonals.unsqueeze(0)
    offsets = offsets.reshape(-1)
    if diagonals.ndim != 2:
        raise RuntimeError("spdiags(): Diagonals must be vector or matrix")
    if len(shape) != 2:
        raise RuntimeError("spdiags(): Output shape must be 2d")
    if layout not in (None, sparse_coo, sparse_csr, sparse_csc):
        raise RuntimeError(
            "spdiags(): Only output layouts (Sparse, SparseCsc, SparseCsr) are supported, got "
            f"{layout}"
        )
    if offsets.dtype is not _core.int64:
        raise RuntimeError(f"spdiags(): Offset Tensor must have dtype Long but got {offsets.dtype}")
    if offsets.shape[0] != diagonals.shape[0]:
        raise RuntimeError(
            f"spdiags(): Number of diagonals ({diagonals.shape[0]}) does not match the number of "
            f"offsets ({offsets.shape[0]})"
        )
    numbers = offsets.tolist()
    if len(set(numbers)) != len(numbers):
        raise RuntimeError("spdiags(): Offset tensor contains duplicate values")
    rows, columns = shape
    indices, places = [], []
    for at, offset in enumerate(numbers):
        begin, end = max(offset, 0), min(columns, rows + offset, diagonals.shape[1])
        column = _core.arange(begin, max(begin, end), 1, _core.int64)
        indices.append(_core.stack([column - offset, column], 0))
        places.append(column + at * diagonals.shape[1])
    joined = _core.cat(indices, 1) if indices else _core.full((2, 0), 0, _core.int64)
    picked = _core.cat(places, 0) if places else _core.full((0,), 0, _core.int64)
    values = diagonals.reshape(prod(diagonals.shape)).index_select(0, picked)
    result = sparse_coo_tensor(joined, values, (rows, columns))
    if layout in (None, sparse_coo):
        return result
    return result.to_sparse(layout=layout)
