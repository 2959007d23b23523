"""What `reduction` means: the losses of elements or items as they are, their mean or their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.warned import warn

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}  # by name, and as the core's kernels number them


def reduction_of(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """`reduction`, or what the two older arguments say, with a warning, as of an older name.

    Raises ValueError for an unknown reduction.
    """
    if size_average is None and reduce is None:
        if reduction in REDUCTIONS:
            return reduction
        if reduction == "elementwise_mean":
            warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.")
            return "mean"
        raise ValueError(
            f"{reduction} is not a valid value for reduction: choose one of {list(REDUCTIONS)}"
        )
    chosen = chosen_by(size_average, reduce)
    warn(
        f"size_average and reduce args will be deprecated, please use reduction='{chosen}' instead."
    )
    return chosen


def chosen_by(size_average: bool | None, reduce: bool | None) -> str:
    """The reduction that the two older arguments mean; None stands for True."""
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of a loss per element, or the loss itself."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def reduce_plain(loss: Tensor, reduction: str) -> Tensor:
    """As `reduced`, for values without history."""
    if reduction == "mean":
        return _core.mean(loss)
    return _core.sum(loss) if reduction == "sum" else loss


def scaled(grad: Tensor, slope: Tensor, reduction: str) -> Tensor:
    """slope * grad, where grad is that of the reduced loss."""
    return slope * (grad * (1 / slope.numel()) if reduction == "mean" else grad)
