"""Batching rules of views, of joins, and of ops that take the shape of an item."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from rushlight.autograd.op import OPS
from rushlight.func.batched import is_batched, item_of, lifted, lower, wrapped
from rushlight.func.calls import WRITING_RULES
from rushlight.func.rules import axes, axis, rule, unsqueeze

if TYPE_CHECKING:
    from rushlight.func.batched import Frame
    from rushlight.tensor import Tensor


def _front(inner: Tensor, missing: int) -> Tensor:
    for _ in range(missing):
        inner = unsqueeze(inner, 1)
    return inner


def _complete(size: Any, numel: int) -> tuple[int, ...]:
    """The sizes with what -1 stands for."""
    size = (size,) if isinstance(size, int) else tuple(size)
    if -1 not in size:
        return size
    known = prod(s for s in size if s != -1)
    if known == 0 or numel % known or size.count(-1) > 1:
        raise RuntimeError(f"shape '{list(size)}' is invalid for input of size {numel}")
    return tuple(numel // known if s == -1 else s for s in size)


@rule("_view", "_unsafe_view")
def _view(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, size = arguments
    size = _complete(size, input.numel())
    if prod(size) != input.numel():
        raise RuntimeError(f"shape '{list(size)}' is invalid for input of size {input.numel()}")
    return item_of(op(lifted(input, frame), (frame.size, *size)), frame.level)


@rule("as_strided")
def _as_strided(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, size, stride, offset = arguments
    inner = lifted(input, frame)
    if frame.size > 1 and inner.stride(0) == 0:
        inner = inner.contiguous()
    whole = inner.storage_offset() if offset is None else offset
    return item_of(
        op(inner, (frame.size, *size), (inner.stride(0), *stride), whole), frame.level
    )


@rule("permute")
def _permute(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, dims = arguments
    if len(dims) != input.ndim:
        raise RuntimeError(
            f"permute: {input.ndim} dimensions are needed for a tensor of shape "
            f"{list(input.shape)}, got {list(dims)}"
        )
    order = (0, *axes(dims, input.ndim)) if input.ndim else (0,)
    return item_of(op(lifted(input, frame), order), frame.level)


@rule("expand")
def _expand(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, size = arguments
    size = (size,) if isinstance(size, int) else tuple(size)
    missing = len(size) - input.ndim
    if missing < 0:
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(size)}) must be greater or equal to the "
            f"number of dimensions in the tensor ({input.ndim})"
        )
    return item_of(op(_front(lifted(input, frame), missing), (frame.size, *size)), frame.level)


@rule("sum_to_size")
def _sum_to_size(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, size = arguments
    size = (size,) if isinstance(size, int) else tuple(size)
    inner = lifted(input, frame)
    extra = input.ndim - len(size)
    if extra > 0:
        inner = inner.sum(tuple(range(1, extra + 1)))
    return item_of(op(inner, (frame.size, *size)), frame.level)


@rule("slice", "select")
def _part(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, dim, *rest = arguments
    if not input.ndim:
        raise IndexError(f"{op.__name__}() cannot be applied to a 0-dim tensor.")
    return item_of(op(lifted(input, frame), axis(dim, input.ndim), *rest), frame.level)


@rule("slice_backward", "select_backward")
def _part_backward(op: Any, arguments: tuple, frame: Frame) -> Any:
    grad, size, dim, *rest = arguments
    whole = (frame.size, *size)
    return item_of(op(lifted(grad, frame), whole, axis(dim, len(size)), *rest), frame.level)


@rule("_part")
def _basic_part(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, key, first = arguments
    return item_of(op(lifted(input, frame), key, first + 1), frame.level)


@rule("_part_backward")
def _basic_part_backward(op: Any, arguments: tuple, frame: Frame) -> Any:
    grad, size, key, first = arguments
    return item_of(op(lifted(grad, frame), (frame.size, *size), key, first + 1), frame.level)


@rule("select_scatter", "slice_scatter")
def _part_scatter(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, src, dim, *rest = arguments
    return item_of(
        op(lifted(input, frame), lifted(src, frame), axis(dim, input.ndim), *rest), frame.level
    )


@rule("unsqueeze")
def _unsqueeze(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, dim = arguments
    return item_of(op(lifted(input, frame), axis(dim, input.ndim + 1)), frame.level)


@rule("squeeze")
def _squeeze(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, dim = arguments
    inner = lifted(input, frame)
    if not input.ndim:
        return item_of(OPS["alias"](inner), frame.level)
    if dim is None:
        dims = tuple(d + 1 for d, size in enumerate(input.shape) if size == 1)
    else:
        dims = axes(dim, input.ndim) if not isinstance(dim, int) else (axis(dim, input.ndim),)
    return item_of(op(inner, dims), frame.level)


@rule("_split")
def _split(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, sizes, dim = arguments
    return wrapped(op(lifted(input, frame), sizes, axis(dim, input.ndim)), frame)


@rule("unbind")
def _unbind(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, dim = arguments
    return wrapped(op(lifted(input, frame), axis(dim, input.ndim)), frame)


@rule("view_as_real", "view_as_complex", "tril", "triu", "pixel_shuffle", "pixel_unshuffle")
def _last_dims(op: Any, arguments: tuple, frame: Frame) -> Any:
    return item_of(op(lifted(arguments[0], frame), *arguments[1:]), frame.level)


@rule("channel_shuffle")
def _channel_shuffle(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, groups = arguments
    inner = lifted(input, frame)
    shuffled = op(inner.flatten(0, 1), groups)
    return item_of(shuffled.reshape(inner.shape), frame.level)


@rule("constant_pad_nd")
def _pad(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, pad, value = arguments
    if is_batched(value, frame):
        raise RuntimeError("vmap: the value that pads must be the same for all items")
    return item_of(op(lifted(input, frame), pad, lower(value, frame)), frame.level)


@rule("diag_embed")
def _diag_embed(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, offset, dim1, dim2 = arguments
    rank = input.ndim + 1
    return item_of(
        op(lifted(input, frame), offset, axis(dim1, rank), axis(dim2, rank)), frame.level
    )


@rule("roll")
def _roll(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, shifts, dims = arguments
    inner = lifted(input, frame)
    whole = (dims,) if isinstance(dims, int) else tuple(dims)
    if not whole:
        flat = op(inner.reshape(frame.size, -1), shifts, (1,))
        return item_of(flat.reshape(inner.shape), frame.level)
    return item_of(op(inner, shifts, axes(whole, input.ndim)), frame.level)


@rule("repeat")
def _repeat(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, repeats = arguments
    counts = (repeats,) if isinstance(repeats, int) else tuple(repeats)
    missing = len(counts) - input.ndim
    if missing < 0:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    return item_of(op(_front(lifted(input, frame), missing), (1, *counts)), frame.level)


# ---- several tensors


def _all_lifted(tensors: Any, frame: Frame) -> list[Tensor]:
    return [lifted(tensor, frame) for tensor in tensors]


@rule("stack")
def _stack(op: Any, arguments: tuple, frame: Frame) -> Any:
    tensors, dim = arguments
    return item_of(op(_all_lifted(tensors, frame), axis(dim, tensors[0].ndim + 1)), frame.level)


@rule("_cat")
def _cat(op: Any, arguments: tuple, frame: Frame) -> Any:
    tensors, dim, shapes = arguments
    rank = max(tensor.ndim for tensor in tensors)
    # PyTorch lets empty vectors join tensors of any rank.
    kept = [t for t in tensors if not (t.ndim == 1 and t.shape[0] == 0 and rank > 1)]
    inner = _all_lifted(kept, frame)
    if len(kept) != len(tensors):
        return item_of(_joined(inner, axis(dim, rank)), frame.level)
    whole = tuple((frame.size, *shape) for shape in shapes)
    return item_of(op(tuple(inner), axis(dim, rank), whole), frame.level)


def _joined(tensors: list[Tensor], dim: int) -> Tensor:
    from rushlight.ops.join import cat

    return cat(tensors, dim)


# ---- copies and constants


@rule("copy")
def _copy(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, src, *_ = arguments
    if src.ndim > input.ndim:
        raise RuntimeError(
            f"copy_: shape {list(src.shape)} does not broadcast to {list(input.shape)}"
        )
    inner = lower(src, frame)
    if is_batched(src, frame):
        inner = _front(inner, input.ndim - src.ndim)
        inner = inner.expand((frame.size, *input.shape))
    else:
        inner = inner.expand(input.shape)
    dtype = input.dtype
    inner = inner if inner.dtype is dtype else OPS["to_dtype"](inner, dtype)
    return item_of(inner, frame.level, is_batched(src, frame))


@rule("fill")
def _fill(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, value = arguments
    if is_batched(value, frame):
        return _copy(op, (input, value), frame)
    return item_of(op(lifted(input, frame), lower(value, frame)), frame.level)


def _zero(op: Any, arguments: tuple, frame: Frame) -> None:
    arguments[0]._inner.zero_()


WRITING_RULES["zero"] = _zero


@rule("equal")
def _equal(op: Any, arguments: tuple, frame: Frame) -> Any:
    raise RuntimeError(
        "vmap: equal() answers with one bool of Python, which cannot differ between items: use "
        "(a == b).all()"
    )


@rule("_nonzero", "masked_select")
def _sizes_differ(op: Any, arguments: tuple, frame: Frame) -> Any:
    name = op.__name__.lstrip("_")
    raise RuntimeError(
        f"vmap: It looks like you attempted to call {name} or to index with a mask inside of a "
        "function under vmap: the number of elements found may differ between items, so the result "
        "has no shape. Use torch.where to keep the shape, or a mask that is the same for all items."
    )
