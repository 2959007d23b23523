"""Losses that are minus a log-likelihood, element by element.

The arguments are those of rushlight.nn.functional. `reduction` is "none", "mean" or "sum";
`size_average` and `reduce` are older ways to say the same.
"""

from __future__ import annotations

import math

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.dtypes import HALVES
from rushlight.ops.known import known
from rushlight.ops.loss_reduction import (
    reduce_plain,
    reduced,
    reduction_of,
    scaled,
)
from rushlight.ops.pointwise import _where as where
from rushlight.tensor import Tensor
from rushlight.warned import warn


@composed(public=False)
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(target * log(input) + (1 - target) * log(1 - input)), each logarithm at least -100.

    Args:
        input: probabilities, of any shape.
        target: probabilities, of the same shape.
        weight: a factor for each element, broadcast to that shape.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: an input lies outside [0, 1].
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(
            f"binary_cross_entropy: the target has size {list(target.shape)}, the input "
            f"{list(input.shape)}. Please ensure they have the same size."
        )
    return _binary_cross_entropy(input, target, weight, reduction)


@op(method=False, public=False, node="BinaryCrossEntropyBackward0")
def _binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str
) -> Tensor:
    inside = _core.all(_core.logical_and(_core.ge(input, 0), _core.le(input, 1)))
    if not known(inside, True):
        raise RuntimeError("all elements of input should be between 0 and 1")
    row = _bce_in_steps if input.dtype in HALVES else _core.binary_cross_entropy
    loss = row(input, target)
    return reduce_plain(loss if weight is None else _core.mul(loss, weight), reduction)


def _bce_in_steps(input: Tensor, target: Tensor) -> Tensor:
    """As the row of this name, for half types: each step is rounded, as in PyTorch."""
    hit = _core.maximum(_core.log(input), -100)
    miss = _core.maximum(_core.log1p(_core.neg(input)), -100)
    return _core.sub(_core.mul(_core.sub(target, 1), miss), _core.mul(target, hit))


def _bce_slope(input: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    slope = (input - target) / ((1 - input) * input).clamp(min=1e-12)
    return slope if weight is None else slope * weight


def _bce_target_slope(input: Tensor, weight: Tensor | None) -> Tensor:
    slope = (-input).log1p() - input.log()
    return slope if weight is None else slope * weight


_binary_cross_entropy.vjp(
    input=lambda grad, input, target, weight, reduction: scaled(
        grad, _bce_slope(input, target, weight), reduction
    ),
    target=lambda grad, input, weight, reduction: scaled(
        grad, _bce_target_slope(input, weight), reduction
    ),
)


@composed(public=False)
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy(sigmoid(input), target), without underflow.

    Args:
        input: logits, of any shape.
        target: probabilities, of the same shape.
        weight: a factor for each element, broadcast to that shape.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".
        pos_weight: a factor for the part of `target` in the loss, broadcast to that shape.

    Raises:
        ValueError: the shapes differ, or for another reduction.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    if weight is None and pos_weight is None:
        return _logits_loss(input, target, reduction)
    return _weighted_logits_loss(input, target, weight, pos_weight, reduction)


_LOGITS_CROSS = 4  # the number of the loss in csrc/kernels/element_loss_loops.h


@op(method=False, public=False, node="BinaryCrossEntropyWithLogitsBackward0")
def _logits_loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    return _core.element_loss(input, target, reduction, 0.0, _LOGITS_CROSS)


_logits_loss.vjp(
    input=lambda grad, input, target, reduction: scaled(grad, input.sigmoid() - target, reduction),
    target=lambda grad, input, reduction: scaled(grad, -input, reduction),
    kernels={
        "input": lambda grad, input, target, reduction: _core.element_loss_backward(
            grad, input, target, reduction, 0.0, _LOGITS_CROSS
        )
    },
)


@op(method=False, public=False, node="BinaryCrossEntropyWithLogitsBackward0")
def _weighted_logits_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    pos_weight: Tensor | None,
    reduction: str,
) -> Tensor:
    # softplus(-x) = max(-x, 0) + log(1 + exp(-|x|))
    miss = _core.add(
        _core.maximum(_core.neg(input), 0), _core.log1p(_core.exp(_core.neg(_core.abs(input))))
    )
    if pos_weight is not None:
        miss = _core.mul(miss, _core.add(_core.mul(_core.sub(pos_weight, 1), target), 1))
    loss = _core.add(_core.mul(_core.sub(1, target), input), miss)
    return reduce_plain(loss if weight is None else _core.mul(loss, weight), reduction)


def _logits_slope(
    input: Tensor, target: Tensor, weight: Tensor | None, pos_weight: Tensor | None
) -> Tensor:
    if pos_weight is None:
        slope = input.sigmoid() - target
    else:
        positive = pos_weight * target
        slope = (positive + 1 - target) * input.sigmoid() - positive
    return slope if weight is None else slope * weight


def _logits_target_slope(
    input: Tensor, weight: Tensor | None, pos_weight: Tensor | None
) -> Tensor:
    slope = -input
    if pos_weight is not None:
        slope = slope + (pos_weight - 1) * _softplus(-input)
    return slope if weight is None else slope * weight


def _softplus(input: Tensor) -> Tensor:
    return input.clamp(min=0) + (-input.abs()).exp().log1p()


def _weight_slope(input: Tensor, target: Tensor, pos_weight: Tensor | None) -> Tensor:
    part = 1 if pos_weight is None else (pos_weight - 1) * target + 1
    return (1 - target) * input + part * _softplus(-input)


def _pos_weight_slope(input: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    slope = target * _softplus(-input)
    return slope if weight is None else slope * weight


_weighted_logits_loss.vjp(
    input=lambda grad, input, target, weight, pos_weight, reduction: scaled(
        grad, _logits_slope(input, target, weight, pos_weight), reduction
    ),
    target=lambda grad, input, weight, pos_weight, reduction: scaled(
        grad, _logits_target_slope(input, weight, pos_weight), reduction
    ),
    weight=lambda grad, input, target, pos_weight, reduction: scaled(
        grad, _weight_slope(input, target, pos_weight), reduction
    ),
    pos_weight=lambda grad, input, target, weight, reduction: scaled(
        grad, _pos_weight_slope(input, target, weight), reduction
    ),
)


@composed(public=False, float32=True)
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """target * (log(target) - input): the Kullback-Leibler divergence, element by element.

    Args:
        input: log-probabilities, of any shape.
        target: probabilities, of the same shape.
        size_average: see `reduction`.
        reduce: see `reduction`.
        reduction: "none", "mean" over all elements, "sum", or "batchmean": the sum divided by the
            size of axis 0, which is the divergence of the distributions.
        log_target: `target` holds log-probabilities too.

    Raises:
        ValueError: for another reduction.
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    elif reduction == "mean":
        warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next major "
            "release."
        )
    elif reduction != "batchmean":
        reduction = reduction_of(None, None, reduction)
    if reduction == "batchmean":
        total = _kl_div(input, target, "sum", log_target)
        return total / input.shape[0] if input.ndim else total
    return _kl_div(input, target, reduction, log_target)


def _kl_div_name(reduction: str, log_target: bool) -> str:
    """The name of the last of the ops that PyTorch makes the loss of."""
    name = {"mean": "Mean", "sum": "Sum"}.get(reduction, "Mul" if log_target else "Sub")
    return f"{name}Backward0"


@op(method=False, public=False, node=_kl_div_name)
def _kl_div(input: Tensor, target: Tensor, reduction: str, log_target: bool) -> Tensor:
    if log_target:
        loss = _core.mul(_core.exp(target), _core.sub(target, input))
    else:
        loss = _core.sub(_core.xlogy(target, target), _core.mul(target, input))
    return reduce_plain(loss, reduction)


_kl_div.vjp(
    input=lambda grad, input, target, reduction, log_target: scaled(
        grad, (-(target.exp() if log_target else target)).expand_as(target - input), reduction
    ),
    target=lambda grad, input, target, reduction, log_target: scaled(
        grad,
        target.exp() * (target - input + 1) if log_target else target.log() + 1 - input,
        reduction,
    ),
)


@composed(public=False, float32=True)
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of counts under a Poisson distribution.

    Args:
        input: the logarithm of the rate, of any shape; the rate itself unless `log_input`.
        target: the counts.
        log_input: see `input`.
        full: add Stirling's approximation of log(target!) for targets above 1.
        size_average: see `reduction`.
        eps: added to the rate before its logarithm is taken.
        reduce: see `reduction`.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: for another reduction.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + where(target <= 1, 0, stirling)
    return reduced(loss, reduction)


@composed(public=False)
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of values under a normal distribution (Nix and Weigend 1994).

    Args:
        input: the expectation, (N, ...).
        target: the values, of the same shape.
        var: the variance: of the input's shape, without its last axis, or with an axis of 1.
        full: add the constant log(2 pi) / 2.
        eps: what the variance is at least; its gradient is as if it were not held to that.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: `var` has another shape or is negative, or for another reduction.
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = _core.full(input.shape, var, input.dtype, input)
    elif known((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or [
            own for own, size in zip(var.shape, input.shape, strict=True) if own != size
        ] != [1]:  # fmt: skip
            raise ValueError(
                f"var is of incorrect size: {list(var.shape)} for an input of size "
                f"{list(input.shape)}"
            )
    reduction = reduction_of(None, None, reduction)
    assert isinstance(var, Tensor)
    held = var + (var.detach().clamp(min=eps) - var.detach())
    loss = 0.5 * (held.log() + (input - target).square() / held)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction)
