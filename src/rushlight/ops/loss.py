"""Losses over classes (cross-entropy, negative log-likelihood) and losses per element.

The arguments are those of rushlight.nn.functional. `reduction` is "none", "mean" or "sum";
`size_average` and `reduce` are older ways to say the same. Losses that compare pairs or triples,
or rank by a margin, are in margin_loss.py.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.pointwise import _where as where
from rushlight.ops.softmax import log_softmax

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def reduction_of(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """`reduction`, or what the two older arguments say."""
    if size_average is None and reduce is None:
        if reduction in _REDUCTIONS:
            return reduction
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if reduce is False:
        chosen = "none"
    else:
        chosen = "sum" if size_average is False else "mean"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{chosen}' "
        "instead.",
        stacklevel=3,
    )
    return chosen


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of a loss per element, or the loss itself."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    """As `reduced`, inside kernels."""
    if reduction == "mean":
        return _core.mean(loss)
    return _core.sum(loss) if reduction == "sum" else loss


def _scaled(grad: Tensor, slope: Tensor, reduction: str, factor: float = 1.0) -> Tensor:
    """factor * slope * grad, where grad is that of the reduced loss."""
    if reduction == "mean":
        return slope * (grad * (factor / slope.numel()))
    return slope * (grad if factor == 1.0 else grad * factor)


# ---- classes


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Minus the log-probability that the logits give to the target class.

    Args:
        input: logits of shape (C,), (N, C) or (N, C, d1, ...).
        target: class indices (int64) of the input's shape without C, or probabilities of the
            input's shape.
        weight: a factor for each of the C classes.
        size_average: see `reduction`.
        ignore_index: a class index whose items count nothing.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum". The mean over class indices is divided by the sum of
            the weights of the targets.
        label_smoothing: the share of the target, from 0 to 1, that is spread evenly over all
            classes (Szegedy et al. 2016).

    Raises:
        IndexError: a class index is not below C.
        ValueError: input and target have different batch sizes.
    """
    if size_average is not None or reduce is not None or reduction not in _REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    dtype = target.dtype
    if dtype.is_floating_point:
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        if dtype is not input.dtype or (weight is not None and weight.dtype is not dtype):
            dtype = _core.result_type([input, target] if weight is None else [input, target, weight])
            input, target = input.to(dtype), target.to(dtype)
            weight = None if weight is None else weight.to(dtype)
    return _cross_entropy(
        input, target, weight, _REDUCTIONS[reduction], ignore_index, label_smoothing
    )[0]


@op(_core.cross_entropy, method=False, public=False, node="CrossEntropyBackward0")
def _cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: int,
    ignore_index: int,
    label_smoothing: float,
) -> tuple[Tensor, Tensor]:
    """The loss, and what its backward kernel needs."""


_cross_entropy.vjp(
    input=lambda grads, input, target, weight, result, reduction, ignore_index, label_smoothing: (
        _cross_entropy_backward(
            grads[0], input, target, weight, result[1], reduction, ignore_index, label_smoothing
        )
    ),
    target=lambda grads, input, target, weight, reduction, label_smoothing: (
        _item_grad(grads[0], target, None, reduction)
        * _weigh(log_softmax(input, _class_axis(input)) * (label_smoothing - 1), weight)
    ),
)


@op(_core.cross_entropy_backward, method=False, public=False)
def _cross_entropy_backward(
    grad_output: Tensor,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    saved: Tensor,
    reduction: int,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    """The gradient of the logits: softmax(input) less the target, scaled."""


def _class_axis(input: Tensor) -> int:
    return 0 if input.ndim == 1 else 1


def _weigh(values: Tensor, weight: Tensor | None) -> Tensor:
    """`values` times the weight of its class."""
    if weight is None:
        return values
    return values * weight.reshape((-1,) + (1,) * (values.ndim - _class_axis(values) - 1))


def _item_grad(grad: Tensor, input: Tensor, saved: Tensor | None, reduction: int) -> Tensor:
    """The gradient of the loss of each item, with an axis for the classes."""
    if reduction == 0:
        return grad.unsqueeze(_class_axis(input))
    if reduction == 2:
        return grad
    if saved is None:
        return grad * (input.shape[_class_axis(input)] / input.numel())
    return grad / saved[-1]


def _shares(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, smoothing: float
) -> Tensor:
    """What each log-probability counts in the loss of its item: a tensor like the input."""
    axis = _class_axis(input)
    counts = None
    if not target.dtype.is_floating_point:
        index = target.long().reshape(input.shape[:axis] + input.shape[axis + 1 :]).unsqueeze(axis)
        counts = index != ignore_index
        hot = _core.full(input.shape, 0.0, input.dtype)
        target = hot.scatter_(axis, where(counts, index, 0), 1.0)
    if smoothing > 0:
        target = target * (1 - smoothing) + smoothing / input.shape[axis]
    target = _weigh(target, weight)
    return target if counts is None else where(counts, target, 0)


def _cross_entropy_backward_vjp_input(
    grad: Tensor,
    grad_output: Tensor,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    saved: Tensor,
    reduction: int,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    axis = _class_axis(input)
    mass = _shares(input, target, weight, ignore_index, label_smoothing).sum(axis, True)
    p = log_softmax(input, axis).exp()
    scale = _item_grad(grad_output, input, saved, reduction) * mass
    return scale * p * (grad - (grad * p).sum(axis, True))


def _cross_entropy_backward_vjp_grad(
    grad: Tensor,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    saved: Tensor,
    reduction: int,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    axis = _class_axis(input)
    shares = _shares(input, target, weight, ignore_index, label_smoothing)
    slope = log_softmax(input, axis).exp() * shares.sum(axis, True) - shares
    each = (grad * slope).sum(axis)
    if reduction == 0:
        return each
    return each.sum() if reduction == 2 else each.sum() / saved[-1]


_cross_entropy_backward.vjp(
    grad_output=_cross_entropy_backward_vjp_grad, input=_cross_entropy_backward_vjp_input
)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability of the target class.

    Args:
        input: log-probabilities of shape (C,), (N, C) or (N, C, d1, ...), as from log_softmax.
        target: class indices (int64) of the input's shape without C.
        weight: a factor for each of the C classes.
        size_average: see `reduction`.
        ignore_index: a class index whose items count nothing.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum"; the mean is divided by the sum of the weights of the
            targets.

    Raises:
        IndexError: a class index is not below C.
        ValueError: input and target have different batch sizes.
    """
    if size_average is not None or reduce is not None or reduction not in _REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    return _nll_loss(input, target, weight, _REDUCTIONS[reduction], ignore_index)[0]


@op(_core.nll_loss, method=False, public=False, node="NllLossBackward0")
def _nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: int, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """The loss, and the sum of the weights of the targets."""


_nll_loss.vjp(
    input=lambda grads, input, target, weight, result, reduction, ignore_index: _nll_loss_backward(
        grads[0], input, target, weight, result[1], reduction, ignore_index
    )
)


@op(_core.nll_loss_backward, method=False, public=False)
def _nll_loss_backward(
    grad_output: Tensor,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    total_weight: Tensor,
    reduction: int,
    ignore_index: int,
) -> Tensor:
    """The gradient of the log-probabilities."""


_nll_loss_backward.vjp(  # it is linear, and the loss is its adjoint
    grad_output=lambda grad, target, weight, reduction, ignore_index: _nll_loss(
        grad, target, weight, reduction, ignore_index
    )[0]
)

# ---- differences


def _warn_sizes(input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def _check_weight(input: Tensor, weight: Tensor) -> None:
    if weight.shape != input.shape:
        raise ValueError(
            f"Weights and input must have the same size, got {list(weight.shape)} and "
            f"{list(input.shape)}."
        )


def _weighted_mean(loss: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """A loss per element, weighted; the mean is divided by the sum of the weights."""
    loss = loss * weight
    if reduction == "mean":
        return loss.sum() / weight.sum()
    return loss.sum() if reduction == "sum" else loss


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The squared difference of input and target.

    Args:
        input: of any shape.
        target: of the same shape.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".
        weight: a factor for each element; the mean is divided by their sum.
    """
    if size_average is not None or reduce is not None or reduction not in _REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    _warn_sizes(input, target)
    if weight is None:
        return _mse_loss(input, target, reduction)
    _check_weight(input, weight)
    return _weighted_mean(_mse_loss(input, target, "none"), weight, reduction)


@op(method=False, public=False, node="MseLossBackward0")
def _mse_loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    """(input - target)^2, reduced."""
    return _reduce(_core.square(_core.sub(input, target)), reduction)


_mse_loss.vjp(
    input=lambda grad, input, target, reduction: _scaled(grad, input - target, reduction, 2.0),
    target=lambda grad, input, target, reduction: _scaled(grad, target - input, reduction, 2.0),
)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The absolute difference of input and target.

    Args:
        input: of any shape.
        target: of the same shape.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".
        weight: a factor for each element; the mean is divided by their sum.
    """
    if size_average is not None or reduce is not None or reduction not in _REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    _warn_sizes(input, target)
    loss = (input - target).abs()
    if weight is None:
        return reduced(loss, reduction)
    _check_weight(input, weight)
    return _weighted_mean(loss, weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d^2 / (2 beta) where d = |input - target| is below `beta`, else d - beta / 2 (Girshick 2015).

    Args:
        input: of any shape.
        target: of the same shape.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".
        beta: where the parabola ends, not negative; 0 gives the absolute difference.
    """
    if size_average is not None or reduce is not None or reduction not in _REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    _warn_sizes(input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}")
    if beta == 0:
        return reduced((input - target).abs(), reduction)
    return _smooth_l1_loss(input, target, reduction, beta)


@op(method=False, public=False, node="SmoothL1LossBackward0")
def _smooth_l1_loss(input: Tensor, target: Tensor, reduction: str, beta: float) -> Tensor:
    """The huber loss of width `beta`, divided by it."""
    size = _core.abs(_core.sub(input, target))
    parabola = _core.mul(_core.square(size), 0.5 / beta)
    line = _core.sub(size, 0.5 * beta)
    return _reduce(_core.where(_core.lt(size, beta), parabola, line), reduction)


_smooth_l1_loss.vjp(
    input=lambda grad, input, target, reduction, beta: _scaled(
        grad, ((input - target) / beta).clamp(-1, 1), reduction
    ),
    target=lambda grad, input, target, reduction, beta: _scaled(
        grad, ((target - input) / beta).clamp(-1, 1), reduction
    ),
)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d^2 / 2 where d = |input - target| is at most `delta`, else delta * (d - delta / 2).

    Args:
        input: of any shape.
        target: of the same shape.
        reduction: "none", "mean" or "sum".
        delta: where the parabola ends, positive.
        weight: a factor for each element.
    """
    _warn_sizes(input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, got {delta}")
    if reduction not in _REDUCTIONS:
        reduction = reduction_of(None, None, reduction)
    if weight is None:
        return _huber_loss(input, target, reduction, delta)
    _check_weight(input, weight)
    return reduced(_huber_loss(input, target, "none", delta) * weight, reduction)


@op(method=False, public=False, node="HuberLossBackward0")
def _huber_loss(input: Tensor, target: Tensor, reduction: str, delta: float) -> Tensor:
    """A parabola that goes on as its tangents."""
    size = _core.abs(_core.sub(input, target))
    parabola = _core.mul(_core.square(size), 0.5)
    line = _core.mul(_core.sub(size, 0.5 * delta), delta)
    return _reduce(_core.where(_core.le(size, delta), parabola, line), reduction)


_huber_loss.vjp(
    input=lambda grad, input, target, reduction, delta: _scaled(
        grad, (input - target).clamp(-delta, delta), reduction
    ),
    target=lambda grad, input, target, reduction, delta: _scaled(
        grad, (target - input).clamp(-delta, delta), reduction
    ),
)
