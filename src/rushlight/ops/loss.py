"""Losses over classes: cross-entropy and negative log-likelihood.

Losses per element are in difference_loss.py and likelihood_loss.py, those that rank by a margin in
margin_loss.py. In all of them `reduction` is that of loss_reduction.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.linalg import linear
from rushlight.ops.loss_reduction import REDUCTIONS, reduction_of
from rushlight.ops.pointwise import _where as where
from rushlight.ops.softmax import log_softmax

if TYPE_CHECKING:
    from typing import Any

    from rushlight.tensor import Tensor


@composed(public=False)
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
    # Every training step comes by here: the call is made only where it changes something.
    if size_average is not None or reduce is not None or reduction not in REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    dtype = target.dtype
    if dtype.is_floating_point:
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        if dtype is not input.dtype or (weight is not None and weight.dtype is not dtype):
            given = [input, target] if weight is None else [input, target, weight]
            dtype = _core.result_type(given)
            input, target = input.to(dtype), target.to(dtype)
            weight = None if weight is None else weight.to(dtype)
    return _cross_entropy(
        input, target, weight, REDUCTIONS[reduction], ignore_index, label_smoothing
    )[0]


def _nll_name(input_ndim: int, reduction: int) -> str:
    if input_ndim == 3 and reduction == 0:
        return "ViewBackward0"
    return "NllLossBackward0" if input_ndim < 3 else "NllLoss2DBackward0"


def _cross_entropy_name(
    input_ndim: int, target_dtype: Any, reduction: int, label_smoothing: float
) -> str:
    """The name of the last of the ops that PyTorch makes the loss of."""
    if target_dtype.is_floating_point:
        return "DivBackward1" if reduction == 1 else "NegBackward0"
    return "AddBackward0" if label_smoothing > 0 else _nll_name(input_ndim, reduction)


@op(_core.cross_entropy, method=False, public=False, node=_cross_entropy_name)
def _cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: int,
    ignore_index: int,
    label_smoothing: float,
) -> tuple[Tensor, Tensor]:
    """The loss, and what its backward kernel needs."""


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
        hot = _core.full(input.shape, 0.0, input.dtype, input)
        target = hot.scatter_(axis, where(counts, index, 0), 1.0)
    if smoothing > 0:
        target = target * (1 - smoothing) + smoothing / input.shape[axis]
    target = _weigh(target, weight)
    return target if counts is None else where(counts, target, 0)


def _cross_entropy_gradient(
    grads: tuple,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    result: tuple,
    reduction: int,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    """softmax(input) times the weight of the item, less what each class counts; scaled."""
    axis = _class_axis(input)
    shares = _shares(input, target, weight, ignore_index, label_smoothing)
    slope = log_softmax(input, axis).exp() * shares.sum(axis, True) - shares
    return slope * _item_grad(grads[0], input, result[1], reduction)


def _cross_entropy_target_gradient(
    grads: tuple,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: int,
    label_smoothing: float,
) -> Tensor:
    logs = log_softmax(input, _class_axis(input)) * (label_smoothing - 1)
    return _weigh(logs, weight) * _item_grad(grads[0], target, None, reduction)


_cross_entropy.vjp(
    input=_cross_entropy_gradient,
    target=_cross_entropy_target_gradient,
    kernels={"input": _core.cross_entropy_backward},
)


@composed(public=False)
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """cross_entropy(linear(input, linear_weight, linear_bias), target).

    Args:
        input: (N, in) or (in,).
        linear_weight: (C, in), or (C, d1, ..., in) for losses over several outputs.
        target: class indices of shape (N, d1, ...), or probabilities of shape (N, C, d1, ...).
        linear_bias: of the shape of `linear_weight` without its last axis.
        weight: see `cross_entropy`.
        reduction: see `cross_entropy`.
        ignore_index: see `cross_entropy`; not with probabilities.
        label_smoothing: see `cross_entropy`.
        options: how to trade memory for time; the result does not depend on it, and the logits
            exist as a whole.

    Raises:
        RuntimeError: the last axes of `input` and `linear_weight` differ.
    """
    if input.ndim not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.ndim}")
    if linear_weight.ndim < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {linear_weight.ndim}"
        )
    batch, features = tuple(input.shape[:-1]), input.shape[-1]
    outputs = tuple(linear_weight.shape[:-1])
    if features != linear_weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{features} and {linear_weight.shape[-1]}, respectively"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != outputs:
        raise RuntimeError(
            f"expected linear_bias shape {outputs}, got {tuple(linear_bias.shape)}"
        )
    if len(outputs) > 1 and not batch:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            f"requires batched input, (N, {features}), got unbatched input with shape "
            f"{tuple(input.shape)}"
        )
    if ignore_index is not None and tuple(target.shape) == batch + outputs:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    if len(outputs) > 1:
        linear_weight = linear_weight.reshape(-1, features)
        linear_bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = linear(input, linear_weight, linear_bias).reshape(batch + outputs)
    return cross_entropy(
        logits,
        target,
        weight=weight,
        reduction=reduction,
        ignore_index=-100 if ignore_index is None else ignore_index,
        label_smoothing=label_smoothing,
    )


@composed(public=False)
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
    reduction = reduction_of(size_average, reduce, reduction)
    return _nll_loss(input, target, weight, REDUCTIONS[reduction], ignore_index)[0]


@op(_core.nll_loss, method=False, public=False, node=_nll_name)
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
