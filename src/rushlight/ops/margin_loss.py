"""Losses that rank by a margin, compare pairs or triples, or align sequences.

The arguments are those of rushlight.nn.functional. `reduction` is "none", "mean" or "sum";
`size_average` and `reduce` are older ways to say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.activation import logsigmoid
from rushlight.ops.distance import pairwise_distance
from rushlight.ops.known import known
from rushlight.ops.loss_reduction import reduce_plain, reduced, reduction_of, scaled
from rushlight.ops.pointwise import _where as where
from rushlight.ops.pointwise import minimum

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.tensor import Tensor


@composed(public=False)
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target * input)).

    Args:
        input: scores, of any shape.
        target: 1 or -1, of the same shape.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: the shapes do not broadcast.
        ValueError: for another reduction.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    return _soft_margin_loss(input, target, reduction)


@op(method=False, public=False, node="SoftMarginLossBackward0")
def _soft_margin_loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    margin = _core.neg(_core.mul(target, input))
    tail = _core.log1p(_core.exp(_core.neg(_core.abs(margin))))
    return reduce_plain(_core.add(_core.maximum(margin, 0), tail), reduction)


_soft_margin_loss.vjp(
    input=lambda grad, input, target, reduction: scaled(
        grad, -target * (-target * input).sigmoid(), reduction
    ),
    target=lambda grad, input, target, reduction: scaled(
        grad, -input * (-target * input).sigmoid(), reduction
    ),
)


@composed(public=False, float32=True)
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`input` where the target is 1, max(0, margin - input) where it is -1.

    Args:
        input: distances, of any shape.
        target: 1 for similar, -1 for dissimilar, of the same shape.
        margin: what the distance of dissimilar pairs should reach.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: the shapes do not broadcast.
        ValueError: for another reduction.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    apart = where(target != 1, (margin - input).clamp(min=0), 0)
    return reduced(apart + where(target != -1, input, 0), reduction)


@composed(public=False, float32=True)
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - target * (input1 - input2)).

    Args:
        input1: scores, of any shape.
        input2: scores.
        target: 1 if `input1` should be the higher one, -1 if `input2`.
        margin: by how much.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: the tensors differ in their number of dimensions.
        ValueError: for another reduction.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return reduced((-target * (input1 - input2) + margin).clamp(min=0), reduction)


@composed(public=False, float32=True)
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(input1, input2) where the target is 1, max(0, cos - margin) where it is -1.

    Args:
        input1: (N, D) or (D,).
        input2: the same.
        target: (N,) or (): 1 for similar, -1 for dissimilar.
        margin: what the cosine of dissimilar pairs may reach.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if target.ndim not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target.ndim == 1 and (input1.ndim != 2 or input2.ndim != 2):
        raise RuntimeError(
            "1D target tensor expects 2D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    if target.ndim == 0 and (input1.ndim != 1 or input2.ndim != 1):
        raise RuntimeError(
            "0D target tensor expects 1D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    axis = target.ndim
    eps = 1e-12
    square1 = input1.square().sum(axis) + eps
    square2 = input2.square().sum(axis) + eps
    cosine = (input1 * input2).sum(axis) / (square1 * square2).sqrt()
    similar = where(target == 1, 1 - cosine, 0)
    return reduced(similar + where(target == -1, (cosine - margin).clamp(min=0), 0), reduction)


def _classes(name: str, input: Tensor) -> None:
    if input.ndim > 2 or (input.numel() == 0 and (input.ndim == 0 or input.shape[-1] == 0)):
        raise RuntimeError(
            f"{name}: Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )


@composed(public=False, float32=True)
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Mean over the classes of max(0, margin - input[target] + input)^p, without the target's.

    Args:
        input: scores, (N, C) or (C,).
        target: class indices (int64), (N,) or ().
        p: 1 or 2.
        margin: by how much the target's score should be the highest.
        weight: a factor for each of the C classes, by the target.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: a target lies outside [0, C).
        ValueError: `p` is neither 1 nor 2.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    _classes("multi_margin_loss", input)
    items = input.shape[0] if input.ndim == 2 else 1
    if target.ndim > 1 or target.numel() != items:
        raise RuntimeError(
            f"inconsistent target size, expected {[items]} but got {list(target.shape)}"
        )
    rows = input.reshape(items, -1)
    classes = rows.shape[1]
    if weight is not None and weight.numel() != classes:
        raise RuntimeError(
            f"multi_margin_loss: inconsistent weight size, expected {[classes]} but got "
            f"{list(weight.shape)}"
        )
    if target.numel() and known(((target < 0) | (target >= classes)).any()):
        raise RuntimeError("target out of range")
    index = target.reshape(items, 1)
    violation = (margin - rows.gather(1, index) + rows).clamp(min=0)
    if p == 2:
        violation = violation.square()
    if weight is not None:
        violation = violation * weight.index_select(0, index.reshape(-1)).unsqueeze(1)
    others = _core.full(rows.shape, 1.0, rows.dtype, rows).scatter_(1, index, 0.0)
    loss = (violation * others).sum(1) / classes
    return reduced(loss.reshape(target.shape) if reduction == "none" else loss, reduction)


@composed(public=False, float32=True)
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Sum of max(0, 1 - input[target class] + input[other class]) over all such pairs, over C.

    Args:
        input: scores, (N, C) or (C,).
        target: of the same shape (int64): the target classes first, ended by -1.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: a target lies outside [-1, C).
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _classes("multilabel_margin_loss", input)
    if target.shape != input.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    classes = input.shape[-1] if input.ndim else 1
    rows, lists = input.reshape(-1, classes), target.reshape(-1, classes)
    if lists.numel() and known(((lists < -1) | (lists >= classes)).any()):
        raise RuntimeError("multilabel_margin_loss: target is out of range [-1, C)")
    listed = (lists < 0).cumsum(1) == 0
    index = where(listed, lists, 0)
    is_target = _core.full(rows.shape, 0.0, rows.dtype, rows)
    is_target.scatter_add_(1, index, listed.to(rows.dtype)).clamp_(max=1)
    pairs = 1 - rows.gather(1, index).unsqueeze(2) + rows.unsqueeze(1)  # (N, target, other)
    counts = listed.unsqueeze(2) & (is_target == 0).unsqueeze(1)
    loss = where(counts, pairs.clamp(min=0), 0).sum((1, 2)) / classes
    return reduced(loss.reshape(input.shape[:-1]) if reduction == "none" else loss, reduction)


@composed(public=False)
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Mean over the classes of the binary cross-entropy of sigmoid(input).

    Args:
        input: logits, (..., C).
        target: 0 or 1, of the same shape.
        weight: a factor for each of the C classes.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".
    """
    reduction = reduction_of(size_average, reduce, reduction)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return reduced(loss.sum(-1) / input.shape[-1], reduction)


def _check_margin(margin: float) -> None:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")


@composed(public=False, float32=True)
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin + |anchor - positive| - |anchor - negative|) (Balntas et al. 2016).

    Args:
        anchor: (N, D) or (D,).
        positive: what should be near to the anchor, of the same shape.
        negative: what should be far, of the same shape.
        margin: by how much farther.
        p: of the norm.
        eps: added to each difference.
        swap: take |positive - negative| where it is smaller than |anchor - negative|.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: `margin` is not positive.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check_margin(margin)
    return _triplet(
        anchor, positive, negative, lambda x, y: pairwise_distance(x, y, p, eps), margin, swap,
        reduction,
    )  # fmt: skip


@composed(public=False)
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin + distance(anchor, positive) - distance(anchor, negative)).

    Args:
        anchor: (N, ...).
        positive: what should be near to the anchor, of the same shape.
        negative: what should be far, of the same shape.
        distance_function: the distances of two such tensors; `pairwise_distance` if left out.
        margin: by how much farther.
        swap: take the distance of `positive` and `negative` where it is the smaller one.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: `margin` is not positive.
    """
    reduction = reduction_of(None, None, reduction)
    _check_margin(margin)
    distance = pairwise_distance if distance_function is None else distance_function
    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def _triplet(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative "
            f"{negative.ndim}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp(min=0), reduction)
