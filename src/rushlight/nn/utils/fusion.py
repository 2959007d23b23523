"""Batch norm folded into the layer before it, for inference."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar

import rushlight
from rushlight.nn.parameter import Parameter

if TYPE_CHECKING:
    from rushlight import nn
    from rushlight.nn.modules.batchnorm import _BatchNorm
    from rushlight.tensor import Tensor

    Conv = TypeVar("Conv", bound=nn.Module)
    Linear = TypeVar("Linear", bound=nn.Linear)

__all__ = [
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
]


def fuse_conv_bn_eval(conv: Conv, bn: _BatchNorm, transpose: bool = False) -> Conv:
    """A copy of a convolution that also does what the batch norm after it does.

    Args:
        conv: the convolution, in eval mode.
        bn: the batch norm, in eval mode and with running statistics.
        transpose: whether `conv` is a transposed convolution, whose output channels are the second
            dimension of its weight.

    Raises:
        AssertionError: if one of them is in training mode or the statistics are missing.
    """
    mean, var = _statistics(conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, mean, var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a convolution followed by a batch norm; see `fuse_conv_bn_eval`.

    Args:
        conv_w: weight, (out, in, ...), or (in, out, ...) with `transpose`.
        conv_b, bn_w, bn_b: (out,), or None for zeros, ones and zeros.
        bn_rm, bn_rv: running mean and variance, (out,).
        bn_eps: added to the variance.
    """
    wants_grad = conv_b is not None and conv_b.requires_grad
    bias_dtype = conv_w.dtype if conv_b is None else conv_b.dtype
    scale = rushlight.rsqrt(bn_rv + bn_eps)
    if bn_w is not None:
        scale = scale * bn_w
    bias = (-bn_rm if conv_b is None else conv_b - bn_rm) * scale
    if bn_b is not None:
        bias = bias + bn_b
    shape = [1] * conv_w.dim()
    shape[1 if transpose else 0] = -1
    weight = (conv_w * scale.reshape(shape)).to(conv_w.dtype)
    return Parameter(weight, conv_w.requires_grad), Parameter(bias.to(bias_dtype), wants_grad)


def fuse_linear_bn_eval(linear: Linear, bn: _BatchNorm) -> Linear:
    """A copy of a linear layer that also does what the batch norm after it does.

    Args:
        linear: the layer, in eval mode.
        bn: the batch norm, in eval mode and with running statistics, over as many features as the
            layer has outputs, or one.

    Raises:
        AssertionError: if one of them is in training mode, the statistics are missing or the
            numbers of features do not fit.
    """
    mean, var = _statistics(linear, bn)
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, mean, var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a linear layer followed by a batch norm; see `fuse_linear_bn_eval`.

    Shapes: (out, in), (out), and (out) for all of the batch norm's.
    """
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _statistics(layer: nn.Module, bn: _BatchNorm) -> tuple[Tensor, Tensor]:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    return bn.running_mean, bn.running_var
