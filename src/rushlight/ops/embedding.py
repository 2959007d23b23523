"""Looking up rows by number: embeddings, bags of them, and one-hot vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.pointwise import _where as where

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


@composed()
def embedding(
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` that `indices` (int64 or int32, any shape) name.

    Args:
        weight: (rows, features).
        indices: of any shape; the result has an axis of features after it.
        padding_idx: a row that receives no gradient; none if negative.
        scale_grad_by_freq: divide the gradient of a row by how often it is named.
        sparse: has to be False, gradients are dense.
    """
    if sparse:
        raise NotImplementedError("embedding: sparse gradients are not there; pass sparse=False")
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: 'weight' must be 2-D, got shape {list(weight.shape)}")
    return _embedding(weight, indices, weight.shape[0], padding_idx, scale_grad_by_freq)


@op(method=False, public=False, node="EmbeddingBackward0")
def _embedding(
    weight: Tensor, indices: Tensor, rows: int, padding_idx: int, scale_grad_by_freq: bool
) -> Tensor:
    return _core.embedding(weight, indices)


_embedding.vjp(
    weight=lambda grad, indices, rows, padding_idx, scale_grad_by_freq: embedding_backward(
        grad, indices, rows, padding_idx, scale_grad_by_freq
    )
)


@op(_core.embedding_backward, method=False, public=False)
def embedding_backward(
    grad_output: Tensor, indices: Tensor, rows: int, padding_idx: int, scale_grad_by_freq: bool
) -> Tensor:
    """For each row of the weight the sum of the gradients of the places that name it."""


def _embedding_backward_gradient(
    grad: Tensor, indices: Tensor, padding_idx: int, scale_grad_by_freq: bool
) -> Tensor:
    if scale_grad_by_freq:
        raise NotImplementedError(
            "embedding: no second derivative with scale_grad_by_freq=True"
        )
    result = _embedding(grad, indices, grad.shape[0], padding_idx, False)
    if padding_idx < 0:
        return result
    return where((indices != padding_idx).unsqueeze(-1), result, 0)


embedding_backward.vjp(grad_output=_embedding_backward_gradient)


@composed()
def embedding_renorm_(
    weight: Tensor, indices: Tensor, max_norm: float, norm_type: float
) -> Tensor:
    """Scales the named rows of `weight` in place to a norm of at most `max_norm`."""
    _core.embedding_renorm_(weight, indices, max_norm, norm_type)
    return weight


def bags(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    mode: str,
    per_sample_weights: Tensor | None,
    scale_grad_by_freq: bool,
    padding_idx: int,
) -> Tensor:
    """The sum, mean or maximum of the rows of each bag; bag b starts at indices[offsets[b]].

    Rows that are `padding_idx` (none if negative) do not count; an empty bag gives zeros.
    """
    total, count = indices.shape[0], offsets.shape[0]
    stops = _core.cat([_core.slice(offsets, 0, 1, None, 1), _full_index(offsets, total)], 0)
    lengths = _core.sub(stops, offsets) if count else offsets
    bag = _core.repeat_positions(_core.to_dtype(lengths, _core.int64))
    rows = _embedding(weight, indices, weight.shape[0], padding_idx, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    counts = _core.to_dtype(lengths, _core.int64)
    keep = None
    if padding_idx >= 0:
        keep = _core.ne(indices, padding_idx)
        counts = _core.full((count,), 0, _core.int64)
        _core.index_add_(counts, 0, bag, _core.to_dtype(keep, _core.int64), 1)
    if mode == "max":
        return _largest(rows, bag, offsets, counts, keep)
    if keep is not None:
        rows = where(keep.unsqueeze(-1), rows, 0)
    result = _core.full((count, weight.shape[1]), 0.0, rows.dtype).index_add(0, bag, rows)
    return result / counts.clamp(min=1).unsqueeze(-1) if mode == "mean" else result


def _full_index(offsets: Tensor, value: int) -> Tensor:
    return _core.full((1,), value, offsets.dtype)


def _largest(
    rows: Tensor, bag: Tensor, offsets: Tensor, counts: Tensor, keep: Tensor | None
) -> Tensor:
    """The largest of each bag, by way of a table with one line for each bag."""
    total, features = rows.shape
    if total == 0:
        return _core.full((counts.shape[0], features), 0.0, rows.dtype)
    place = _core.sub(_core.arange(0, total, 1, _core.int64), _core.index_select(offsets, 0, bag))
    width = int(_core.amax(place, None, False).item()) + 1
    if keep is not None:
        rows = where(keep.unsqueeze(-1), rows, float("-inf"))
    table = _core.full((counts.shape[0] * width, features), float("-inf"), rows.dtype)
    table = table.index_copy(0, _core.add(_core.mul(bag, width), place), rows)
    largest = table.reshape(counts.shape[0], width, features).max(1).values
    return where((counts > 0).unsqueeze(-1), largest, 0)


@composed(public=False)
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """For each class index a vector (int64) with 1 in its place and 0 elsewhere.

    Args:
        tensor: class indices (int64), of any shape.
        num_classes: length of the vectors; one more than the largest index if negative.
    """
    if tensor.dtype is not _core.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type int64, got {tensor.dtype}"
        )
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return _core.full((*tensor.shape, num_classes), 0, _core.int64)
    if _core.amin(tensor).item() < 0:
        raise RuntimeError("Class values must be non-negative.")
    largest = int(_core.amax(tensor).item())
    if num_classes < 0:
        num_classes = largest + 1
    elif num_classes <= largest:
        raise RuntimeError(
            f"Class values must be smaller than num_classes, got {largest} with "
            f"num_classes={num_classes}."
        )
    result = _core.full((*tensor.shape, num_classes), 0, _core.int64)
    _core.scatter_value_(result, -1, _core.unsqueeze(tensor, -1), 1)
    return result
