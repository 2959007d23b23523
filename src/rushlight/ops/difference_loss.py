"""Losses of the difference of input and target, element by element.

The arguments are those of rushlight.nn.functional. `reduction` is "none", "mean" or "sum";
`size_average` and `reduce` are older ways to say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.loss_reduction import REDUCTIONS, reduced, reduction_of, scaled
from rushlight.warned import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight._core import Op
    from rushlight.tensor import Tensor


def _difference(
    name: str, node: str | Callable[..., str], number: int, slope: Callable[[Tensor, float], Tensor]
) -> Op:
    """Declares an op over loss `number` of csrc/kernels/element_loss_loops.h.

    `slope` is the derivative by the difference d, given d and the width of the parabola.
    """

    def declare(
        input: Tensor, target: Tensor, reduction: str, width: float = 1.0, loss: int = number
    ) -> Tensor: ...

    def gradient(
        grad: Tensor,
        input: Tensor,
        target: Tensor,
        reduction: str,
        width: float,
        loss: int,
        needs: tuple,
    ) -> tuple[Tensor | None, Tensor | None]:
        by_input = scaled(grad, slope(input - target, width), reduction)
        return by_input if needs[0] else None, -by_input if needs[1] else None

    declare.__name__ = declare.__qualname__ = name
    declared = op(_core.element_loss, method=False, public=False, node=node)(declare)
    declared.vjp_all(("input", "target"), gradient, kernel=_core.difference_loss_backward)
    return declared


def _l1_name(reduction: str) -> str:
    """The name of the last of the ops that PyTorch makes the loss of."""
    return {"mean": "MeanBackward0", "sum": "SumBackward0"}.get(reduction, "AbsBackward0")


_squared = _difference("_squared_loss", "MseLossBackward0", 0, lambda d, width: 2 * d)
_absolute = _difference("_absolute_loss", _l1_name, 1, lambda d, width: d.sgn())
_smooth_l1 = _difference(
    "_smooth_l1_loss", "SmoothL1LossBackward0", 2, lambda d, width: d.clamp(-width, width) / width
)
_huber = _difference(
    "_huber_loss", "HuberLossBackward0", 3, lambda d, width: d.clamp(-width, width)
)


def _warn_sizes(input: Tensor, target: Tensor) -> None:
    warn(
        f"Using a target size ({target.shape}) that is different to the input size "
        f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
        "Please ensure they have the same size."
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


@composed(public=False)
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

    Shape: a number, or with "none" that of the input. Other shapes are broadcast, with a warning.
    The derivative where both are equal is 0.

    Raises:
        RuntimeError: the shapes do not broadcast.
        ValueError: for another reduction.
    """
    # Every training step comes by here: the call is made only where it changes something.
    if size_average is not None or reduce is not None or reduction not in REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    if input.shape != target.shape:
        _warn_sizes(input, target)
    if weight is None:
        return _squared(input, target, reduction)
    _check_weight(input, weight)
    return _weighted_mean(_squared(input, target, "none"), weight, reduction)


@composed(public=False)
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

    Shape: a number, or with "none" that of the input. Other shapes are broadcast, with a warning.
    The derivative where both are equal is 0.

    Raises:
        RuntimeError: the shapes do not broadcast.
        ValueError: for another reduction.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if input.shape != target.shape:
        _warn_sizes(input, target)
    if weight is None:
        return _l1_loss(input, target, reduction)
    _check_weight(input, weight)
    return _weighted_mean(_l1_loss(input, target, "none"), weight, reduction)


def _l1_loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    if input.dtype.is_complex or target.dtype.is_complex:
        return reduced((input - target).abs(), reduction)
    return _absolute(input, target, reduction)


@composed(public=False)
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

    Raises:
        RuntimeError: `beta` is negative, or the shapes do not broadcast.
        ValueError: for another reduction.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if input.shape != target.shape:
        _warn_sizes(input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    if beta == 0:
        return _l1_loss(input, target, reduction)
    return _smooth_l1(input, target, reduction, beta)


@composed(public=False)
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

    Huber 1964.

    Raises:
        RuntimeError: `delta` is not positive, or the shapes do not broadcast.
        ValueError: for another reduction.
    """
    if input.shape != target.shape:
        _warn_sizes(input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    reduction = reduction_of(None, None, reduction)
    if weight is None:
        return _huber(input, target, reduction, delta)
    _check_weight(input, weight)
    return reduced(_huber(input, target, "none", delta) * weight, reduction)
