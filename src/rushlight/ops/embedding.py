"""Rows of a table: embedding, embedding_bag and one_hot, as ``torch.nn.functional`` has them."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import op
from rushlight.ops.pointwise import where
from rushlight.tensor import Tensor


def _lookup(weight: Tensor, indices: Tensor, *_: Any) -> Tensor:
    return _core.embedding(weight, indices)


@op(_lookup, method=False, public=False, node="EmbeddingBackward0")
def _embedding(
    weight: Tensor, indices: Tensor, rows: int, padding_idx: int, scale_grad_by_freq: bool
) -> Tensor:
    """The rows of weight (V, D) at indices of shape S: S + (D)."""


_embedding.vjp(
    weight=lambda grad, indices, rows, padding_idx, scale_grad_by_freq: embedding_backward(
        grad, indices, rows, padding_idx, scale_grad_by_freq
    )
)


@op(_core.embedding_backward, method=False, public=False)
def embedding_backward(
    grad_output: Tensor, indices: Tensor, rows: int, padding_idx: int, scale_grad_by_freq: bool
) -> Tensor:
    """The sum of the rows of grad_output that belong to each index: (rows, D).

    Those at padding_idx count nothing; with scale_grad_by_freq a sum becomes a mean.
    """


def _embedding_backward_gradient(
    grad: Tensor, indices: Tensor, rows: int, padding_idx: int, scale_grad_by_freq: bool
) -> Tensor:
    result = _embedding(grad, indices, rows, padding_idx, False)
    if padding_idx >= 0:
        result = where((indices == padding_idx).unsqueeze(-1), 0.0, result)
    if scale_grad_by_freq:
        counts = _core.bincount(_core.reshape(indices, (-1,)), None, rows)
        result = result / _core.take(counts, _core.to_dtype(indices, _core.int64)).unsqueeze(-1)
    return result


embedding_backward.vjp(grad_output=_embedding_backward_gradient)


def _padding(padding_idx: int | None, rows: int) -> int:
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise AssertionError(
            f"Padding_idx must be within num_embeddings: got {padding_idx}, there are {rows} rows"
        )
    return padding_idx % rows if rows else padding_idx


def _limit_norms(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Scales the rows that are looked up down to `max_norm`, in place and unseen by autograd."""
    _core.embedding_renorm_(weight.detach(), input, float(max_norm), float(norm_type))


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` (V, D) at `input` (int64 or int32, any shape S): S + (D).

    Args:
        padding_idx: a row that gets no gradient.
        max_norm: rows that are looked up are first scaled down, in place, to this norm.
        norm_type: the p of that norm.
        scale_grad_by_freq: the gradient of a row is divided by how often it was looked up.
        sparse: not supported; raises NotImplementedError.
    """
    if sparse:
        raise NotImplementedError("embedding: sparse gradients are not supported; use sparse=False")
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: 'weight' must be 2-D, got shape {list(weight.shape)}")
    rows = weight.shape[0]
    padding = _padding(padding_idx, rows)
    if max_norm is not None:
        _limit_norms(weight, input, max_norm, norm_type)
    return _embedding(weight, input, rows, padding, scale_grad_by_freq)


def _bags(input: Tensor, offsets: Tensor | None, include_last: bool) -> tuple[Tensor, Tensor, int]:
    """The flat indices, the bag that each belongs to, and the number of bags."""
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        count, length = input.shape
        bag = _core.arange(0, count, 1, _core.int64)
        bag = _core.expand(_core.unsqueeze(bag, 1), (count, length))
        return input.reshape(-1), bag.reshape(-1), count
    if input.ndim != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    if offsets.dtype is not input.dtype:
        raise RuntimeError(
            f"embedding_bag: input and offsets must have one dtype, got {input.dtype} and "
            f"{offsets.dtype}"
        )
    starts = offsets.tolist()
    total = input.shape[0]
    if starts and starts[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {starts[0]}"
        )
    if starts and starts[-1] > total:
        raise RuntimeError(
            "offsets[-1] can not be greater than input's length, but got offsets[-1] of "
            f"{starts[-1]}, and input's length of {total}"
        )
    count = len(starts) - 1 if include_last else len(starts)
    ends = starts[1:] if include_last else [*starts[1:], total]
    sizes = [end - start for start, end in zip(starts, ends)]
    bag = _core.repeat_positions(_core.tensor_from_data(sizes, _core.int64), None)
    return _core.slice(input, 0, 0, bag.shape[0], 1), bag, count


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of `weight` at each bag of indices: (B, D).

    Args:
        input: (B, N), bags of one size; or (N,), cut into bags at `offsets`.
        per_sample_weights: factors of the rows, in the shape of input; only with mode "sum".
        include_last_offset: the last offset is the end of the last bag, not a start.
        padding_idx: an index that counts nothing.

    The others are those of :func:`embedding`. An empty bag gives zeros.
    """
    if sparse:
        raise NotImplementedError(
            "embedding_bag: sparse gradients are not supported; use sparse=False"
        )
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None:
        if mode != "sum":
            raise NotImplementedError(
                "embedding_bag: per_sample_weights was not None. per_sample_weights is only "
                f"supported for mode='sum' (got mode='{mode}')"
            )
        if per_sample_weights.shape != input.shape:
            raise ValueError(
                f"embedding_bag: If per_sample_weights ({list(per_sample_weights.shape)}) is not "
                f"None, then it must have the same shape as the input ({list(input.shape)})"
            )
    indices, bag, count = _bags(input, offsets, include_last_offset)
    factors = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    if factors is not None and factors.shape[0] != indices.shape[0]:
        factors = factors.narrow(0, 0, indices.shape[0])
    if padding_idx is not None:
        padding = _padding(padding_idx, weight.shape[0])
        present = _core.ne(indices, padding)
        indices, bag = _core.masked_select(indices, present), _core.masked_select(bag, present)
        factors = None if factors is None else factors.masked_select(present)
    taken = embedding(indices, weight, None, max_norm, norm_type, scale_grad_by_freq)
    if factors is not None:
        taken = taken * factors.unsqueeze(1)
    result = weight.new_zeros((count, weight.shape[1]))
    if mode == "max":
        places = _core.expand(_core.unsqueeze(bag, 1), tuple(taken.shape))
        return result.scatter_reduce(0, places, taken, "amax", include_self=False)
    result = result.index_add(0, bag, taken)
    if mode == "mean":
        sizes = _core.bincount(bag, None, count).clamp(min=1)
        result = result / _core.to_dtype(sizes, weight.dtype).unsqueeze(1)
    return result


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class indices (int64, any shape S) as rows with a single 1: S + (num_classes), int64.

    Without `num_classes` there are as many as the largest index needs.
    """
    if tensor.dtype is not _core.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype}"
        )
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return _core.full((*tensor.shape, num_classes), 0, _core.int64)
    if _core.amin(tensor, None, False).item() < 0:
        raise RuntimeError("Class values must be non-negative.")
    largest = _core.amax(tensor, None, False).item()
    if num_classes == -1:
        num_classes = largest + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif largest >= num_classes:
        raise RuntimeError(
            f"Class values must be smaller than num_classes: got {largest}, num_classes is "
            f"{num_classes}"
        )
    result = _core.full((*tensor.shape, num_classes), 0, _core.int64)
    return _core.scatter_value_(result, -1, _core.unsqueeze(tensor, -1), 1, "none")
