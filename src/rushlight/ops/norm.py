"""Normalization over the last axes, over groups of channels and across neighbouring channels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.padding import constant_pad_nd
from rushlight.ops.pool import avg_pool2d

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor


@composed()
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(input - mean) / sqrt(variance + eps) * weight + bias over the last axes (Ba et al. 2016).

    Args:
        input: (*, normalized_shape).
        normalized_shape: the sizes of the axes that mean and variance are taken over.
        weight: of that shape; 1 if left out.
        bias: of that shape; 0 if left out.
        eps: added to the variance.

    The variance is the biased one. Shape: that of the input.

    Raises:
        RuntimeError: the last axes of the input are not `normalized_shape`.
    """
    return _layer_norm(input, normalized_shape, weight, bias, eps)[0]


@op(_core.layer_norm, method=False, public=False, node="NativeLayerNormBackward0")
def _layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The result, and of each row the mean and 1 / sqrt(variance + eps)."""


@composed()
def native_layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """layer_norm with the mean and 1 / sqrt(variance + eps), which have no gradient."""
    result, mean, rstd = _layer_norm(input, normalized_shape, weight, bias, eps)
    return result, _statistic(mean, input, weight), _statistic(rstd, input, weight)


def _statistic(values: Tensor, input: Tensor, weight: Tensor | None) -> Tensor:
    """In the dtype of the parameters, where there are some; without history."""
    return values.detach().to(input.dtype if weight is None else weight.dtype)


def _axes(normalized_shape: Sequence[int]) -> tuple[int, ...]:
    count = 1 if isinstance(normalized_shape, int) else len(normalized_shape)
    return tuple(range(-count, 0))


def _sum_rows(values: Tensor, weight: Tensor | None) -> Tensor | None:
    """Summed over the axes that the parameter does not have."""
    return None if weight is None else values.sum_to_size(weight.shape)


def _layer_norm_gradient(
    grads: tuple,
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    result: tuple,
    needs: tuple,
) -> tuple:
    grad = grads[0]
    axes = _axes(normalized_shape)
    centered = input - input.mean(axes, keepdim=True)
    rstd = (centered.square().mean(axes, keepdim=True) + eps).rsqrt()
    scaled = centered * rstd
    inner = grad if weight is None else grad * weight
    slope = inner - inner.mean(axes, keepdim=True)
    slope = slope - scaled * (inner * scaled).mean(axes, keepdim=True)
    return slope * rstd, _sum_rows(grad * scaled, weight), _sum_rows(grad, bias)


_layer_norm.vjp_all(
    ("input", "weight", "bias"),
    _layer_norm_gradient,
    kernel=lambda grads, input, shape, weight, bias, eps, result, needs: (
        _core.layer_norm_backward(grads[0], input, shape, result[1], result[2], weight, *needs)
    ),
)


@composed()
def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """input / sqrt(mean(input^2) + eps) * weight over the last axes (Zhang and Sennrich 2019).

    Args:
        input: (*, normalized_shape).
        normalized_shape: the sizes of the axes that the mean is taken over.
        weight: of that shape; 1 if left out.
        eps: added to the mean of the squares; the machine epsilon if left out.

    Shape: that of the input.

    Raises:
        RuntimeError: the last axes of the input are not `normalized_shape`.
    """
    if input.dtype.is_complex:
        small = 2.0**-52 if input.dtype is _core.complex128 else 2.0**-23
        mean = input.square().mean(_axes(normalized_shape), keepdim=True)
        result = input * (mean + (small if eps is None else eps)).rsqrt()
        return result if weight is None else result * weight
    return _rms_norm(input, normalized_shape, weight, eps)[0]


@op(_core.rms_norm, method=False, public=False, node="MulBackward0")
def _rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, eps: float | None
) -> tuple[Tensor, Tensor]:
    """The result, and of each row 1 / sqrt(mean(input^2) + eps)."""


def _rms_norm_gradient(
    grads: tuple,
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    eps: float | None,
    result: tuple,
    needs: tuple,
) -> tuple:
    grad = grads[0]
    axes = _axes(normalized_shape)
    if eps is None:
        eps = 2.0**-52 if input.dtype is _core.float64 else 2.0**-23
    rstd = (input.square().mean(axes, keepdim=True) + eps).rsqrt()
    scaled = input * rstd
    inner = grad if weight is None else grad * weight
    slope = inner - scaled * (inner * scaled).mean(axes, keepdim=True)
    return slope * rstd, _sum_rows(grad * scaled, weight)


_rms_norm.vjp_all(
    ("input", "weight"),
    _rms_norm_gradient,
    kernel=lambda grads, input, shape, weight, eps, result, needs: (
        _core.rms_norm_backward(grads[0], input, shape, result[1], weight, *needs)
    ),
)


@composed()
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalizes each group of channels of each item by itself (Wu and He 2018).

    Args:
        input: (N, C, ...).
        num_groups: how many groups the C channels are cut into.
        weight: one factor for each channel; 1 if left out.
        bias: one summand for each channel; 0 if left out.
        eps: added to the variance.

    Shape: that of the input.

    Raises:
        RuntimeError: `num_groups` does not divide the channels.
    """
    if input.ndim < 2:
        raise RuntimeError(
            f"group_norm: Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    channels = input.shape[1]
    if num_groups <= 0 or channels % num_groups:
        raise RuntimeError(
            "group_norm: Expected number of channels in input to be divisible by num_groups, but "
            f"got input of shape {list(input.shape)} and num_groups={num_groups}"
        )
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter.shape != (channels,):
            raise RuntimeError(
                f"group_norm: Expected {name} to be a vector of size equal to the number of "
                f"channels in input, but got {name} of shape {list(parameter.shape)} and input of "
                f"shape {list(input.shape)}"
            )
    return _group_norm(input, num_groups, weight, bias, eps)[0]


@op(_core.group_norm, method=False, public=False, node="NativeGroupNormBackward0")
def _group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The result, and of each group the mean and 1 / sqrt(variance + eps)."""


def _group_norm_gradient(
    grads: tuple,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    result: tuple,
    needs: tuple,
) -> tuple:
    items, channels = input.shape[0], input.shape[1]
    shape = (items, num_groups, channels // num_groups, math.prod(input.shape[2:]))
    grad, input = grads[0].reshape(shape), input.reshape(shape)
    centered = input - input.mean((2, 3), keepdim=True)
    rstd = (centered.square().mean((2, 3), keepdim=True) + eps).rsqrt()
    scaled = centered * rstd
    inner = grad if weight is None else grad * weight.reshape((*shape[1:3], 1))
    slope = inner - inner.mean((2, 3), keepdim=True)
    slope = slope - scaled * (inner * scaled).mean((2, 3), keepdim=True)
    return (
        (slope * rstd).reshape(grads[0].shape),
        None if weight is None else (grad * scaled).sum((0, 3)).reshape(channels),
        None if bias is None else grad.sum((0, 3)).reshape(channels),
    )


_group_norm.vjp_all(
    ("input", "weight", "bias"),
    _group_norm_gradient,
    kernel=lambda grads, input, groups, weight, bias, eps, result, needs: (
        _core.group_norm_backward(
            grads[0], input, groups, result[1], result[2], weight, *needs
        )
    ),
)


@composed()
def native_group_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    N: int,
    C: int,
    HxW: int,
    group: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """group_norm with the mean and 1 / sqrt(variance + eps) of each group, (N, group)."""
    rows = input.reshape(N, group, C // group * HxW)
    mean = rows.mean(-1)
    rstd = ((rows - mean.unsqueeze(-1)).square().mean(-1) + eps).rsqrt()
    return group_norm(input, group, weight, bias, eps), mean, rstd


@composed(public=False)
def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """input / (k + alpha * mean of the squares of `size` neighbouring channels) ** beta.

    Krizhevsky et al. 2012. Channels beyond the first and the last count as 0.

    Args:
        input: (N, C, ...).
        size: how many channels take part.
        alpha: factor of the mean.
        beta: exponent.
        k: summand.

    Shape: that of the input.

    Raises:
        ValueError: the input has less than 3 axes.
    """
    if input.ndim < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)"
        )
    if input.numel() == 0:
        return input
    before = size // 2
    squares = input * input
    if not input.dtype.is_floating_point:  # the mean of integers is one
        padding = (0, 0) * (input.ndim - 2) + (before, size - 1 - before)
        total = constant_pad_nd(squares, padding, 0.0).unfold(1, size, 1).sum(-1)
        return input / (total // size * alpha + k) ** beta
    # A window that slides over the channels, which lie in the place of rows.
    rows = squares.reshape((input.shape[0], 1, input.shape[1], -1))
    if size % 2 == 0:
        rows, before = constant_pad_nd(rows, (0, 0, before, before - 1), 0.0), 0
    mean = avg_pool2d(rows, (size, 1), 1, (before, 0)).reshape(input.shape)
    return input / (mean * alpha + k) ** beta
