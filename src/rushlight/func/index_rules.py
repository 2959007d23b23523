"""Batching rules of indexing and of what moves elements to places that tensors name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import OPS
from rushlight.func.batched import is_batched, item_of, lifted, lower
from rushlight.func.rules import axis, rule, unsqueeze
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.func.batched import Frame


def _numbers(frame: Frame, rank: int) -> Tensor:
    """0, 1, ... for the items of the batch, to broadcast against indices of that rank."""
    return _core.arange(0, frame.size, 1, _core.int64).view((frame.size,) + (1,) * rank)


def _front(inner: Tensor, missing: int) -> Tensor:
    for _ in range(missing):
        inner = unsqueeze(inner, 1)
    return inner


class _Key:
    """The indices of an item as indices of the inner tensor, which start with the batch.

    Picking with `inner` gives (B, indices together, dimensions taken whole); `order` brings that
    to the layout of an item, with B in front.
    """

    def __init__(self, indices: Sequence[Any], rank: int, frame: Frame) -> None:
        indices = _without_masks(indices, frame)
        picked = [i for i, index in enumerate(indices) if index is not None]
        self.picked = max(indices[i].ndim for i in picked)
        self.inner: list[Any] = [_numbers(frame, self.picked)]
        for index in indices:
            if index is None:
                self.inner.append(None)
            elif is_batched(index, frame):
                value = lower(index, frame)
                self.inner.append(_front(value, self.picked - index.ndim))
            else:
                value = lower(index, frame)
                self.inner.append(value.reshape((1,) * (self.picked + 1 - value.ndim)
                                                + tuple(value.shape)))  # fmt: skip
        neighbours = picked[-1] - picked[0] + 1 == len(picked)
        before = picked[0] if neighbours else 0
        rest = rank - len(picked)
        # Positions in (B, picked, rest) of what an item has: before, picked, the rest.
        whole = range(1 + self.picked, 1 + self.picked + rest)
        self.order = (0, *whole[:before], *range(1, 1 + self.picked), *whole[before:])

    def arrange(self, result: Tensor) -> Tensor:
        if self.order == tuple(range(len(self.order))):
            return result
        return result.permute(self.order)

    def undo(self, values: Tensor) -> Tensor:
        """Values in an item's layout, batch first, for the layout that picking has."""
        values = _front(values, len(self.order) - values.ndim)
        if self.order == tuple(range(len(self.order))):
            return values
        back = [0] * len(self.order)
        for place, source in enumerate(self.order):
            back[source] = place
        return values.permute(tuple(back))


def _without_masks(indices: Sequence[Any], frame: Frame) -> list[Any]:
    """Masks as index tensors."""
    found: list[Any] = []
    for index in indices:
        if isinstance(index, Tensor) and index.dtype in (_core.bool, _core.uint8):
            if is_batched(index, frame):
                raise RuntimeError(
                    "vmap: It looks like you're indexing with a mask that differs between items, "
                    "inside of a function under vmap: the number of elements found may differ, so "
                    "the result has no shape. Use torch.where to keep the shape."
                )
            found += list(lower(index, frame).nonzero().unbind(1))
        else:
            found.append(index)
    return found


@rule("_index")
def _index(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, indices = arguments
    key = _Key(indices, input.ndim, frame)
    return item_of(key.arrange(op(lifted(input, frame), key.inner)), frame.level)


@rule("_index_put")
def _index_put(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, indices, values, accumulate = arguments
    key = _Key(indices, input.ndim, frame)
    inner = key.undo(lifted(values, frame))
    return item_of(op(lifted(input, frame), key.inner, inner, accumulate), frame.level)


@rule("_index_backward")
def _index_backward(op: Any, arguments: tuple, frame: Frame) -> Any:
    grad, size, indices = arguments
    key = _Key(indices, len(size), frame)
    inner = key.undo(lifted(grad, frame))
    return item_of(op(inner, (frame.size, *size), key.inner), frame.level)


@rule("index_select")
def _index_select(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, dim, index = arguments
    if not is_batched(index, frame) and input.ndim:
        picks = lower(index, frame)
        return item_of(op(lifted(input, frame), axis(dim, input.ndim), picks), frame.level)
    vector = input if input.ndim else input.unsqueeze(0)
    picked = index if index.ndim else index.unsqueeze(0)
    place = axis(dim, vector.ndim) - 1
    result = OPS["_index"](vector, [None] * place + [picked])
    return result if input.ndim else result.reshape(())


@rule("_index_add", "_index_copy")
def _index_add(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, dim, index, source, *rest = arguments
    place = axis(dim, input.ndim)
    if not is_batched(index, frame) and input.ndim:
        return item_of(
            op(lifted(input, frame), place, lower(index, frame), lifted(source, frame), *rest),
            frame.level,
        )
    vector = input if input.ndim else input.unsqueeze(0)
    picked = index if index.ndim else index.unsqueeze(0)
    if rest and rest[0] != 1:
        source = source * rest[0]
    if not input.ndim or source.ndim < vector.ndim:
        source = source.reshape(picked.shape if vector.ndim == 1 else source.shape)
    adding = op.__name__ == "_index_add"
    result = OPS["_index_put"](vector, [None] * (place - 1) + [picked], source, adding)
    return result if input.ndim else result.reshape(())


@rule("_index_fill")
def _index_fill(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, dim, index, value = arguments
    place = axis(dim, input.ndim)
    if not is_batched(index, frame) and not is_batched(value, frame) and input.ndim:
        return item_of(
            op(lifted(input, frame), place, lower(index, frame), lower(value, frame)), frame.level
        )
    if not isinstance(value, Tensor):
        value = _core.full((), value, input.dtype)
    vector = input if input.ndim else input.unsqueeze(0)
    picked = index if index.ndim else index.unsqueeze(0)
    result = OPS["_index_put"](vector, [None] * (place - 1) + [picked], value, False)
    return result if input.ndim else result.reshape(())


@rule("take")
def _take(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, index = arguments
    return OPS["_index"](input.reshape(-1), [index])


@rule("_put")
def _put(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, index, source, accumulate = arguments
    flat = input.reshape(-1)
    values = source.reshape(index.shape)
    return OPS["_index_put"](flat, [index], values, accumulate).reshape(input.shape)


@rule("_embedding")
def _embedding(op: Any, arguments: tuple, frame: Frame) -> Any:
    weight, indices, rows, padding_idx, by_freq = arguments
    inner = lower(indices, frame)
    if not is_batched(weight, frame):
        return item_of(op(lower(weight, frame), inner, rows, padding_idx, by_freq), frame.level)
    # One table of all items; each item's indices start at its own rows.
    table = lower(weight, frame)
    flat = table.reshape(-1, *table.shape[2:])
    moved = lifted(indices, frame) + _numbers(frame, indices.ndim) * weight.shape[0]
    return item_of(flat.index_select(0, moved.reshape(-1)).reshape(*moved.shape,
                                                                   *table.shape[2:]),
                   frame.level)  # fmt: skip


@rule("embedding_backward")
def _embedding_backward(op: Any, arguments: tuple, frame: Frame) -> Any:
    grad, indices, rows, padding_idx, by_freq = arguments
    if by_freq or padding_idx >= 0:
        keep = (indices != padding_idx).unsqueeze(-1)
        grad = OPS["_where"](keep, grad, 0)
    moved = lifted(indices, frame) + _numbers(frame, indices.ndim) * rows
    whole = op(lifted(grad, frame), moved, rows * frame.size, -1, by_freq)
    return item_of(whole.reshape(frame.size, rows, *whole.shape[1:]), frame.level)
