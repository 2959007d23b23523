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
        sparse: the gradient of `weight` is a sparse tensor with an entry for each index.

    Raises:
        IndexError: an index is not that of a row.
    """
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: 'weight' must be 2-D, got shape {list(weight.shape)}")
    if sparse and not (weight._level or indices._level):  # inside vmap gradients are dense
        from rushlight.sparse.embedding import embedding_with_rows

        return embedding_with_rows(
            weight, indices, weight.shape[0], padding_idx, scale_grad_by_freq
        )
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
    sparse: bool = False,
) -> Tensor:
    """The sum, mean or maximum of the rows of each bag; bag b starts at indices[offsets[b]].

    Rows that are `padding_idx` (none if negative) do not count; an empty bag gives zeros.
    """
    return _embedding_bag(
        weight, indices, offsets, mode, per_sample_weights, scale_grad_by_freq, padding_idx, sparse
    )[0]


@composed()
def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The bags of rushlight.nn.functional.embedding_bag, with `mode` 0 for sum, 1 mean, 2 max.

    Args:
        weight: (rows, features).
        indices: (total,).
        offsets: where each bag starts in them.
        scale_grad_by_freq: divide the gradient of a row by how often it is named.
        mode: see above.
        sparse: the gradient of `weight` is sparse; not for maxima.
        per_sample_weights: for sums, a factor for each index.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: a row that does not count.

    Returns:
        The bags; the bag of each index; how many indices of each bag count; and for maxima the row
        that each number is from. What the mode does not need of the last three is empty or 0.
    """
    if mode not in (0, 1, 2):
        raise RuntimeError(f"embedding_bag: mode must be 0 (sum), 1 (mean) or 2 (max), got {mode}")
    if include_last_offset:
        offsets = offsets[:-1]
    row = -1 if padding_idx is None else padding_idx % weight.shape[0]
    result, chosen = _embedding_bag(
        weight, indices, offsets, ("sum", "mean", "max")[mode], per_sample_weights,
        scale_grad_by_freq, row, sparse,
    )  # fmt: skip
    zeros = _core.full(tuple(offsets.shape), 0, indices.dtype)
    if mode == 0:
        return result, _core.empty((0,), indices.dtype), zeros, zeros
    keep = None if row < 0 else _core.ne(indices, row)
    bag, counts = _bag_of_each(indices, offsets, keep)
    bag, counts = _core.to_dtype(bag, indices.dtype), _core.to_dtype(counts, indices.dtype)
    return result, bag, counts, counts if chosen is None else chosen


@op(_core.embedding_bag, method=False, public=False, node="EmbeddingBagBackward0")
def _embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    mode: str,
    per_sample_weights: Tensor | None,
    scale_grad_by_freq: bool,
    padding_idx: int,
    sparse: bool,
) -> tuple[Tensor, Tensor | None]:
    """The result; and for "max" which row each number is from, -1 where the bag is empty."""


def _embedding_bag_gradient(
    grads: tuple,
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    mode: str,
    per_sample_weights: Tensor | None,
    scale_grad_by_freq: bool,
    padding_idx: int,
    sparse: bool,
    result: tuple,
    needs: tuple,
) -> tuple:
    grad = grads[0]
    if mode == "max":
        chosen = result[1]
        table = _core.full(weight.shape, 0.0, grad.dtype)
        return table.scatter_add(0, chosen.clamp(min=0), where(chosen < 0, 0, grad)), None
    keep = None if padding_idx < 0 else _core.ne(indices, padding_idx)
    bag, counts = _bag_of_each(indices, offsets, keep)
    if mode == "mean":
        grad = grad / counts.clamp(min=1).unsqueeze(-1)
    rows = grad.index_select(0, bag)
    of_weight = of_factors = None
    if sparse:
        from rushlight.sparse.embedding import sparse_rows
    if needs[0]:
        scaled = rows if per_sample_weights is None else rows * per_sample_weights.unsqueeze(-1)
        if sparse and scale_grad_by_freq:
            raise RuntimeError(
                "embedding_backward: scale_grad_by_freq not supported with sparse gradients"
            )
        of_weight = (
            sparse_rows(scaled, indices, weight.shape[0], padding_idx)
            if sparse
            else embedding_backward(
                scaled, indices, weight.shape[0], padding_idx, scale_grad_by_freq
            )
        )
    if needs[1]:
        looked_up = _embedding(weight, indices, weight.shape[0], padding_idx, False)
        of_factors = (rows * looked_up).sum(-1)
        if keep is not None:
            of_factors = where(keep, of_factors, 0)
    return of_weight, of_factors


_embedding_bag.vjp_all(("weight", "per_sample_weights"), _embedding_bag_gradient)


def _bag_of_each(indices: Tensor, offsets: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
    """The bag that each index is in, and how many indices of each bag count."""
    starts = _core.to_dtype(offsets, _core.int64)
    end = _core.full((1,), indices.shape[0], _core.int64)
    lengths = _core.sub(_core.cat([_core.slice(starts, 0, 1, None, 1), end], 0), starts)
    bag = _core.repeat_positions(lengths)
    if keep is None:
        return bag, lengths
    counts = _core.full(starts.shape, 0, _core.int64)
    _core.index_add_(counts, 0, bag, _core.to_dtype(keep, _core.int64), 1)
    return bag, counts


@composed(public=False)
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """For each class index a vector (int64) with 1 in its place and 0 elsewhere.

    Args:
        tensor: class indices (int64), of any shape.
        num_classes: length of the vectors; one more than the largest index if negative.

    Shape: (*) -> (*, num_classes).

    Raises:
        RuntimeError: an index is negative or not below `num_classes`, or is not int64.
    """
    if tensor.dtype is not _core.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type int64, got {tensor.dtype}"
        )
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return _core.full((*tensor.shape, num_classes), 0, _core.int64, tensor)
    # An item of a batch has no numbers to look at, nor has what lies nowhere.
    if num_classes > 0 and (_core.vmap_levels() or tensor.is_meta):
        classes = _core.placed(_core.arange(0, num_classes, 1, _core.int64), tensor)
        return tensor.unsqueeze(-1).eq(classes).long()
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
