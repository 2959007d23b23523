"""Instance normalization: every channel of every item is normalized by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.dtypes import HALVES
from rushlight.ops.batch_norm import batch_norm

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


@composed()
def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Tensor:
    """(input - mean) / sqrt(variance + eps) * weight + bias (Ulyanov, Vedaldi, Lempitsky 2016).

    It is the batch norm of a batch of one item that has the channels of all items.

    Args:
        input: (N, C, ...); the axes after C are normalized over.
        weight: (C,); 1 if None.
        bias: (C,); 0 if None.
        running_mean: (C,); moved towards the mean over the items of their means with
            `use_input_stats`, and used in its place without.
        running_var: (C,); the same of the unbiased variances.
        use_input_stats: use mean and variance of the input.
        momentum: the share of the input in the new running values.
        eps: added to the variance.
        cudnn_enabled: without effect here.
    """
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError(
            "instance_norm: Expected running_mean and running_var to be defined when "
            "use_input_stats is false"
        )
    if input.ndim < 2:
        raise RuntimeError(
            f"instance_norm: expected an input (N, C, ...), got one of shape {list(input.shape)}"
        )
    items, channels = input.shape[0], input.shape[1]

    def of_each_item(values: Tensor | None) -> Tensor | None:
        return None if values is None else values.repeat(items)

    def running_of_each_item(values: Tensor | None) -> Tensor | None:
        if values is None:
            return None
        halves = input.dtype in HALVES and values.dtype is _core.float32
        return values.detach().to(values.dtype if halves else input.dtype).repeat(items)

    mean, variance = running_of_each_item(running_mean), running_of_each_item(running_var)
    result = batch_norm(
        input.reshape(1, items * channels, *input.shape[2:]),
        of_each_item(weight),
        of_each_item(bias),
        mean,
        variance,
        use_input_stats,
        momentum,
        eps,
    )
    if use_input_stats and items:
        for running, moved in ((running_mean, mean), (running_var, variance)):
            if running is not None and moved is not None:
                running.detach().copy_(moved.reshape(items, channels).mean(0))
    return result.reshape(input.shape)
