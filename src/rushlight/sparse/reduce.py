"""Sums and softmax of sparse tensors."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.sparse.coo import (
    Pattern,
    check_coo,
    coalesce,
    pattern_of,
    values_of,
    with_values,
)
from rushlight.sparse.declare import refuse, rule
from rushlight.tensor import Tensor


def _axes(input: Tensor, dim: Any) -> list[int]:
    dims = [dim] if isinstance(dim, int) else list(dim)
    for axis in dims:
        if not -input.ndim <= axis < input.ndim:
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[{-input.ndim}, {input.ndim - 1}], but got {axis})"
            )
    axes = sorted({axis % input.ndim for axis in dims})
    if len(axes) != len(dims):
        raise RuntimeError(f"sum: a dimension appears multiple times in {dims}")
    return axes


def sum_over(input: Tensor, axes: list[int]) -> Tensor:
    """The sum over some dimensions: dense if all sparse ones are among them, else coalesced."""
    whole = coalesce(input)
    pattern, values = pattern_of(whole), values_of(whole)
    sparse = len(pattern.sizes)
    dense = [axis - sparse + 1 for axis in axes if axis >= sparse]
    if dense:
        values = values.sum(dense)
    left = [axis for axis in range(sparse) if axis not in axes]
    if not left:
        return values.sum(0)
    shape = tuple(size for axis, size in enumerate(input.shape) if axis not in axes)
    if len(left) < sparse:
        rows = pattern.indices.index_select(0, _core.tensor_from_data(left, _core.int64))
        pattern = Pattern(rows, tuple(pattern.sizes[axis] for axis in left), False)
    return coalesce(with_values(values, pattern, shape))


def sum(input: Tensor, dim: Any = None, dtype: Any = None) -> Tensor:
    """The sum over `dim`, an int or several, or over all; the gradient has the tensor's places.

    Sparse unless all sparse dimensions are summed. Raises RuntimeError for a strided tensor.
    """
    if not input._layout:
        check_coo("sparse.sum", input)
    if dtype is not None:
        input = input.to(dtype)
    if not input.is_sparse:
        if dim is None:
            return input.values().sum()
        raise refuse("sparse.sum", (input, dim))
    if dim is None:
        return values_of(coalesce(input)).sum()
    axes = _axes(input, dim)
    return sum_over(input, axes) if axes else input


@rule("sum")
def _sum(input: Tensor, dim: Any, keepdim: bool, dtype: Any) -> Tensor:
    from rushlight.ops.reduce import sum as dense_sum

    if dim is None or (not isinstance(dim, int) and not len(dim)):
        arguments = (input, dim, keepdim, dtype)
        with_no_history = _core.set_grad_enabled(False)
        try:
            result = input._parts.values.sum(dtype=dtype)
        finally:
            _core.set_grad_enabled(with_no_history)
        return dense_sum.record(arguments, result)
    if dtype is not None:
        input = input.to(dtype)
    elif not (input.dtype.is_floating_point or input.dtype.is_complex):
        input = input.to(_core.int64)
    if not input.is_sparse:
        raise refuse("sum", (input, dim))
    axes = _axes(input, dim)
    result = sum_over(input, axes)
    if keepdim:
        for axis in axes:
            result = result.unsqueeze(axis)
    return result


def norm(input: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The p-norm of all elements.

    Raises RuntimeError where dimensions are named.
    """
    if dim is not None:
        raise RuntimeError("norm_sparse currently does not support 'dim' or 'keepdim' arguments")
    values = values_of(coalesce(input)) if input.is_sparse else input.values()
    return values.reshape(-1).norm(2 if p in (None, "fro") else p)


@rule("vector_norm")
def _vector_norm(input: Tensor, ord: Any, dim: Any, keepdim: bool) -> Tensor:
    return norm(input, ord, dim)


# ---- softmax


def _groups(pattern: Pattern, dim: int) -> tuple[Tensor, int]:
    """For each entry the number of the line along `dim` that it lies in, and how many there are."""
    left = [axis for axis in range(len(pattern.sizes)) if axis != dim]
    if not left:
        return _core.full((pattern.count,), 0, _core.int64), 1
    rows = pattern.indices.index_select(0, _core.tensor_from_data(left, _core.int64))
    places, starts = _core.sparse_order(rows, tuple(pattern.sizes[axis] for axis in left))
    numbers = _core.repeat_positions(starts[1:] - starts[:-1])
    result = _core.full((pattern.count,), 0, _core.int64)
    result.index_copy_(0, places, numbers)
    return result, starts.shape[0] - 1


def _softmax_parts(input: Tensor, dim: int, dtype: Any, log: bool) -> Tensor:
    check_coo("sparse.softmax", input)
    if dtype is not None:
        input = input.to(dtype)
    whole = coalesce(input)
    pattern, values = pattern_of(whole), values_of(whole)
    if not -input.ndim <= dim < input.ndim:
        raise IndexError(f"softmax: dimension {dim} of a tensor of {input.ndim}")
    axis = dim % input.ndim - len(pattern.sizes)
    if axis >= 0:
        result = values.log_softmax(axis + 1) if log else values.softmax(axis + 1)
        return with_values(result, pattern, tuple(input.shape))
    numbers, count = _groups(pattern, axis + len(pattern.sizes))
    shape = (count, *values.shape[1:])
    wide = numbers.view((-1,) + (1,) * (values.ndim - 1)).expand(tuple(values.shape))
    lowest = _core.full(shape, float("-inf"), values.dtype)
    largest = lowest.scatter_reduce(0, wide, values.detach(), "amax")
    shifted = values - largest.index_select(0, numbers)
    powers = shifted.exp()
    totals = _core.full(shape, 0, values.dtype).index_add(0, numbers, powers)
    if log:
        result = shifted - totals.log().index_select(0, numbers)
    else:
        result = powers / totals.index_select(0, numbers)
    return with_values(result, pattern, tuple(input.shape))


def softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """softmax along `dim` over the entries that are there; the others stay 0, and do not count."""
    return _softmax_parts(input, dim, dtype, False)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The logarithm of :func:`softmax`, at the places that are there."""
    return _softmax_parts(input, dim, dtype, True)
