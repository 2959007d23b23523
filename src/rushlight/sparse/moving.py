"""Sparse tensors laid out anew: transposed, cut, joined."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.sparse.coo import Pattern, make, pattern_of, values_of, with_values
from rushlight.sparse.declare import forward, refuse, result_dtype, rule
from rushlight.tensor import Tensor


def _axis(name: str, dim: int, ndim: int) -> int:
    if not -ndim <= dim < ndim:
        raise IndexError(
            f"{name}: Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], "
            f"but got {dim})"
        )
    return dim % ndim


def _check_layout(name: str, input: Tensor) -> None:
    if not input.is_sparse:
        raise refuse(name, (input,))


# ---- dimensions


@forward("transpose", "_t")
def _transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    first, second = (_axis("transpose", dim, input.ndim) for dim in (dim0, dim1))
    if not input.is_sparse:
        from rushlight.sparse.compressed import transpose_compressed

        return transpose_compressed(input, first, second)
    pattern = pattern_of(input)
    sparse = len(pattern.sizes)
    if first == second:
        return make(pattern, input._parts.values, input.shape)
    if (first < sparse) != (second < sparse):
        raise RuntimeError(
            "sparse transpose: transposed dimensions must be sparse Got sparse_dim: "
            f"{sparse}, d0: {first}, d1: {second}"
        )
    order = list(range(input.ndim))
    order[first], order[second] = second, first
    return _permuted(input, order)


def _permuted(input: Tensor, order: list[int]) -> Tensor:
    pattern, values = pattern_of(input), input._parts.values
    sparse = len(pattern.sizes)
    if any((axis < sparse) != (at < sparse) for at, axis in enumerate(order)):
        raise RuntimeError(
            f"permute(sparse_coo): sparse and dense dimensions cannot change places, got {order} "
            f"for {sparse} sparse dimensions"
        )
    shape = tuple(input.shape[axis] for axis in order)
    front, rest = order[:sparse], [axis - sparse + 1 for axis in order[sparse:]]
    if rest and rest != sorted(rest):
        values = values.permute((0, *rest))
    if front == sorted(front):
        return make(pattern, values, shape)
    if front == [1, 0]:
        return make(pattern.transposed(), values, shape)
    rows = _core.tensor_from_data(front, _core.int64)
    sizes = tuple(pattern.sizes[axis] for axis in front)
    return make(Pattern(pattern.indices.index_select(0, rows), sizes, False), values, shape)


@forward("permute")
def _permute(input: Tensor, dims: Any) -> Tensor:
    _check_layout("permute", input)
    order = [_axis("permute", dim, input.ndim) for dim in dims]
    if len(order) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {input.ndim} is not "
            f"equal to len(dims) = {len(order)}"
        )
    if len(set(order)) != len(order):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return _permuted(input, order)


@forward("unsqueeze")
def _unsqueeze(input: Tensor, dim: int) -> Tensor:
    _check_layout("unsqueeze", input)
    axis = _axis("unsqueeze", dim, input.ndim + 1)
    pattern, values = pattern_of(input), input._parts.values
    sparse = len(pattern.sizes)
    shape = (*input.shape[:axis], 1, *input.shape[axis:])
    if axis > sparse:
        return make(pattern, values.unsqueeze(axis - sparse + 1), shape)
    zeros = _core.full((1, pattern.count), 0, _core.int64)
    indices = _core.cat([pattern.indices[:axis], zeros, pattern.indices[axis:]], 0)
    return make(Pattern(indices, shape[: sparse + 1], False), values, shape)


@rule("expand")
def _expand(input: Tensor, size: Any) -> Tensor:
    if tuple(size) == tuple(input.shape):
        return input
    raise RuntimeError("expand is unsupported for Sparse tensors")


@rule("_view", "_unsafe_view")
def _reshape(input: Tensor, size: Any) -> Tensor:
    """Only what undoes `unsqueeze`: a dimension of size 1 goes."""
    shape, wanted = tuple(input.shape), tuple(size)
    for axis in range(len(shape) if input.is_sparse else 0):
        if shape[axis] == 1 and shape[:axis] + shape[axis + 1 :] == wanted and len(shape) > 1:
            return input.select(axis, 0)
    raise RuntimeError("reshape is not implemented for sparse tensors")


# ---- gradients that are sparse themselves


@rule("select_backward")
def _select_backward(grad: Tensor, size: Any, dim: int, index: int) -> Tensor:
    _check_layout("select_backward", grad)
    axis, shape = dim % len(size), tuple(size)
    pattern, sparse = pattern_of(grad), len(pattern_of(grad).sizes)
    if axis > sparse:
        raise refuse("select_backward", (grad, size, dim, index))
    row = _core.full((1, pattern.count), index % shape[axis], _core.int64)
    indices = _core.cat([pattern.indices[:axis], row, pattern.indices[axis:]], 0)
    return with_values(values_of(grad), Pattern(indices, shape[: sparse + 1], False), shape)


@rule("slice_backward")
def _slice_backward(
    grad: Tensor, size: Any, dim: int, start: Any, end: Any, step: int
) -> Tensor:
    _check_layout("slice_backward", grad)
    axis, shape = dim % len(size), tuple(size)
    pattern, sparse = pattern_of(grad), len(pattern_of(grad).sizes)
    begin = slice(start, end, 1).indices(shape[axis])[0]
    if axis >= sparse or step != 1:
        raise refuse("slice_backward", (grad, size, dim, start, end, step))
    indices = pattern.indices.clone()
    indices[axis] = indices[axis] + begin
    return with_values(
        values_of(grad), Pattern(indices, shape[:sparse], pattern.coalesced), shape
    )


@rule("_index_add")
def _index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, alpha: Any) -> Tensor:
    if input._layout or not source._layout:
        raise refuse("index_add", (input, dim, index, source))
    return input.index_add(dim, index, source.to_dense(), alpha=alpha)


# ---- parts


@forward("index_select")
def _index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    _check_layout("index_select", input)
    axis = _axis("index_select", dim, input.ndim)
    if index.ndim > 1 or index._layout or index.dtype not in (_core.int64, _core.int32):
        raise IndexError(
            "index_select: expected a vector of integers as index, got "
            f"{index.dtype} {list(index.shape)}"
        )
    index = index.reshape(-1).to(_core.int64)
    size = input.shape[axis]
    if index.numel() and (index.min().item() < -size or index.max().item() >= size):
        raise IndexError(f"index_select: index out of range for a dimension of size {size}")
    index = _core.where(index < 0, index + size, index)
    pattern, values = pattern_of(input), input._parts.values
    sparse = len(pattern.sizes)
    shape = (*input.shape[:axis], index.shape[0], *input.shape[axis + 1 :])
    if axis >= sparse:
        return make(pattern, values.index_select(axis - sparse + 1, index), shape)
    # For each asked index the entries that have it, in their order.
    places, starts = _core.sparse_order(pattern.row(axis).unsqueeze(0), (size,))
    heads = pattern.row(axis).index_select(0, places.index_select(0, starts[:-1]))
    first = _core.full((size,), 0, _core.int64).index_copy_(0, heads, starts[:-1])
    counts = _core.full((size,), 0, _core.int64).index_copy_(0, heads, starts[1:] - starts[:-1])
    each = counts.index_select(0, index)
    total = each.cumsum(0)
    count = int(total[-1].item()) if index.numel() else 0
    target = _core.repeat_positions(each, count)
    offset = _core.arange(0, count, 1, _core.int64) - (total - each).index_select(0, target)
    picked = places.index_select(0, first.index_select(0, index).index_select(0, target) + offset)
    indices = pattern.indices.index_select(1, picked)
    indices[axis] = target
    return make(Pattern(indices, shape[:sparse], False), values.index_select(0, picked), shape)


@forward("select")
def _select(input: Tensor, dim: int, index: int) -> Tensor:
    if not input._layout or not isinstance(index, int):
        raise TypeError(f"select(): expected an index that is an int, got {type(index).__name__}")
    if not input.is_sparse:
        from rushlight.sparse.compressed import select_compressed

        return select_compressed(input, dim, index)
    axis = _axis("select", dim, input.ndim)
    size = input.shape[axis]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {axis}"
        )
    pattern, values = pattern_of(input), input._parts.values
    sparse = len(pattern.sizes)
    shape = (*input.shape[:axis], *input.shape[axis + 1 :])
    if axis >= sparse:
        return make(pattern, values.select(axis - sparse + 1, index), shape)
    kept = (pattern.row(axis) == index % size).nonzero().view(-1)
    values = values.index_select(0, kept)
    if sparse == 1:
        return values.sum(0, dtype=values.dtype)
    left = [i for i in range(sparse) if i != axis]
    rows = _core.tensor_from_data(left, _core.int64)
    indices = pattern.indices.index_select(0, rows).index_select(1, kept)
    return make(Pattern(indices, shape[: sparse - 1], False), values, shape)


@rule("_part")
def _part(input: Tensor, key: Any, first: int) -> Tensor:
    """Integers, slices, None and Ellipsis between brackets, one after the other."""
    keys = list(key) if isinstance(key, tuple) else [key]
    taken = sum(item is not None and item is not Ellipsis for item in keys)
    axis = first
    for item in keys:
        if item is None:
            input = input.unsqueeze(axis)
            axis += 1
        elif item is Ellipsis:
            axis += input.ndim - axis - (taken - (axis - first))
            taken = 0
        elif isinstance(item, slice):
            if item != slice(None):
                input = _sliced(input, axis, item)
            axis += 1
        else:
            input = input.select(axis, int(item))
    return input


def _sliced(input: Tensor, axis: int, key: Any) -> Tensor:
    from rushlight.ops.shape import slice as slice_along

    return slice_along(input, axis, key.start, key.stop, key.step or 1)


@forward("slice")
def _slice(input: Tensor, dim: int, start: int | None, end: int | None, step: int) -> Tensor:
    _check_layout("slice", input)
    axis = _axis("slice", dim, input.ndim)
    begin, stop, _ = slice(start, end, 1).indices(input.shape[axis])
    if step != 1:
        raise refuse("slice", (input, dim, start, end, step))
    return narrowed(input, axis, begin, max(stop - begin, 0))


def narrowed(input: Tensor, axis: int, start: int, length: int) -> Tensor:
    """The part of a COO tensor from `start` on, a copy."""
    pattern, values = pattern_of(input), input._parts.values
    sparse = len(pattern.sizes)
    shape = (*input.shape[:axis], length, *input.shape[axis + 1 :])
    if axis >= sparse:
        return make(pattern, values.narrow(axis - sparse + 1, start, length), shape)
    row = pattern.row(axis)
    kept = ((row >= start) & (row < start + length)).nonzero().view(-1)
    indices = pattern.indices.index_select(1, kept)
    indices[axis] = indices[axis] - start
    return make(
        Pattern(indices, shape[:sparse], pattern.coalesced), values.index_select(0, kept), shape
    )


@rule("unbind")
def _unbind(input: Tensor, dim: int = 0) -> tuple:
    axis = _axis("unbind", dim, input.ndim)
    return tuple(input.select(axis, i) for i in range(input.shape[axis]))


# ---- several as one


def _alike(name: str, tensors: Any) -> int:
    first = tensors[0]
    for tensor in tensors:
        if not tensor.is_sparse or len(pattern_of(tensor).sizes) != len(pattern_of(first).sizes):
            raise RuntimeError(
                f"{name}: expected sparse COO tensors with the same number of sparse dimensions, "
                f"got {tensor.layout} beside {first.layout}"
            )
    return len(pattern_of(first).sizes)


@forward("_cat")
def _cat(tensors: tuple, dim: int, shapes: Any) -> Tensor:
    sparse = _alike("cat", tensors)
    first = tensors[0]
    axis = _axis("cat", dim, first.ndim)
    for tensor in tensors:
        sizes = list(tensor.shape)
        if len(sizes) != first.ndim or any(
            i != axis and sizes[i] != first.shape[i] for i in range(first.ndim)
        ):
            raise RuntimeError(
                "cat: all tensors must have the same sizes except in the concatenating dimension, "
                f"got {list(first.shape)} and {sizes}"
            )
    dtype = result_dtype(*tensors)
    total = 0
    for tensor in tensors:
        total += tensor.shape[axis]
    shape = (*first.shape[:axis], total, *first.shape[axis + 1 :])
    indices, values, start = [], [], 0
    for tensor in tensors:
        own, part = pattern_of(tensor).indices, tensor._parts.values.to(dtype)
        size = tensor.shape[axis]
        if axis < sparse:
            own = own.clone()
            own[axis] = own[axis] + start
        else:
            at = axis - sparse + 1
            whole = _core.full((part.shape[0], *shape[sparse:]), 0, dtype)
            whole.narrow(at, start, size).copy_(part)
            part = whole
        start += size
        indices.append(own)
        values.append(part)
    pattern = Pattern(_core.cat(indices, 1), shape[:sparse], False)
    return make(pattern, _core.cat(values, 0), shape)


@forward("stack")
def _stack(tensors: Any, dim: int) -> Tensor:
    tensors = tuple(tensors)
    sparse = _alike("stack", tensors)
    axis = _axis("stack", dim, tensors[0].ndim + 1)
    if axis > sparse:
        raise refuse("stack", (*tensors, dim))
    return _cat(tuple(_unsqueeze(tensor, axis) for tensor in tensors), axis, ())
