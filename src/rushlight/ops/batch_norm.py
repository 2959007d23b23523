"""Batch normalization: every channel is normalized over all items and positions of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.dtypes import HALVES

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


@composed()
def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Tensor:
    """(input - mean) / sqrt(variance + eps) * weight + bias (Ioffe and Szegedy 2015).

    Args:
        input: (N, C) or (N, C, ...); N and the axes after C are normalized over.
        weight: (C,); 1 if None.
        bias: (C,); 0 if None.
        running_mean: (C,); moved towards the mean of the batch while training, and used in its
            place otherwise.
        running_var: (C,); the same of the variance (the unbiased one of the batch).
        training: use mean and variance of the batch.
        momentum: the share of the batch in the new running values.
        eps: added to the variance.
        cudnn_enabled: without effect here.
    """
    _check(input, weight, bias, running_mean, running_var, training)
    if input.numel() == 0:  # nothing to normalize, but the graph is that of any other batch
        shape = _per_channel(input.ndim)
        result = input.clone() if weight is None else input * weight.reshape(shape)
        return result if bias is None else result + bias.reshape(shape)
    return _batch_norm(
        input, weight, bias, running_mean, running_var, bool(training), momentum, eps,
        _statistics(input),
    )  # fmt: skip


@composed()
def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """batch_norm with the mean and 1 / sqrt(variance + eps) of the batch, which have no gradient.

    In evaluation the two are empty.
    """
    _check(input, weight, bias, running_mean, running_var, training)
    kept = _statistics(input)
    if input._level:
        raise RuntimeError(
            "native_batch_norm: its statistics cannot be had inside vmap; call batch_norm"
        )
    if input.numel() == 0:
        result = batch_norm(
            input, weight, bias, running_mean, running_var, training, momentum, eps
        )
        return result, kept[0].fill_(0), kept[1].fill_(0)
    result = _batch_norm(
        input, weight, bias, running_mean, running_var, bool(training), momentum, eps, kept
    )
    mean, rstd = (kept[0], kept[1]) if training else (kept[0, :0], kept[1, :0])
    return result, mean.clone(), rstd.clone()


def _statistics(input: Tensor) -> Tensor:
    """Room for what the kernel finds on its way: of each channel mean and 1 / sqrt(var + eps)."""
    dtype = _core.float32 if input.dtype in HALVES else input.dtype
    return _core.empty((2, input.shape[1] if input.ndim > 1 else 0), dtype, input)


def _check(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
) -> None:
    if not input.is_floating_point():
        raise NotImplementedError(
            f'"batch_norm" not implemented for {input.dtype}: convert with .float() first'
        )
    if input.ndim < 2 and input.numel():
        raise RuntimeError(
            "batch_norm: expected an input (N, C) or (N, C, ...), got one of shape "
            f"{list(input.shape)}"
        )
    if not training:
        for name, values in (("running_mean", running_mean), ("running_var", running_var)):
            if values is None:
                raise RuntimeError(f"batch_norm: {name} must be defined in evaluation mode")
    elif (running_mean is None) != (running_var is None):
        raise ValueError(
            "batch_norm: running_mean and running_var must either both be None or neither be None"
        )
    channels = input.shape[1] if input.ndim > 1 else 0
    for name, values in (
        ("running_mean", running_mean),
        ("running_var", running_var),
        ("weight", weight),
        ("bias", bias),
    ):
        if values is None:
            continue
        if tuple(values.shape) != (channels,):
            raise RuntimeError(
                f"batch_norm: {name} should contain {channels} elements, one per channel of the "
                f"input of shape {list(input.shape)}, not {values.numel()}"
            )
        # Half inputs may come with statistics and parameters in float32.
        if values.dtype is not input.dtype and not (
            input.dtype in HALVES and values.dtype is _core.float32
        ):
            raise RuntimeError(
                "batch_norm: mixed dtype (CPU): all inputs must share same datatype, got input of "
                f"{input.dtype} and {name} of {values.dtype}"
            )


def _per_channel(ndim: int) -> tuple[int, ...]:
    """The shape that lets a vector of channels broadcast against the input."""
    return (1, -1) + (1,) * (ndim - 2) if ndim > 1 else (-1,)


def _axes(ndim: int) -> tuple[int, ...]:
    """All axes but that of the channels."""
    return (0, *range(2, ndim))


@op(_core.batch_norm, method=False, public=False, node="NativeBatchNormBackward0")
def _batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    statistics: Tensor,
) -> Tensor:
    """The result; fills `statistics`, and while training moves the running values.

    `statistics` is an argument and no result because nodes keep either none of their results or
    all of them, and this one has no use for the largest.
    """


def _batch_norm_gradient(
    grad: Tensor,
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    eps: float,
    statistics: Tensor,
    needs: tuple,
) -> tuple[Any, ...]:
    dtype = grad.dtype
    halves = dtype in HALVES
    if halves:
        grad, input = grad.float(), input.float()
    axes, shape = _axes(input.ndim), _per_channel(input.ndim)
    if training:  # they depend on the input, once more
        mean = input.mean(axes, keepdim=True)
        rstd = ((input - mean).square().mean(axes, keepdim=True) + eps).rsqrt()
    else:
        mean, rstd = statistics[0].reshape(shape), statistics[1].reshape(shape)
    scaled = (input - mean) * rstd
    slope = None
    if needs[0]:
        slope = grad if weight is None else grad * weight.reshape(shape)
        if training:
            slope = slope - slope.mean(axes, keepdim=True) - scaled * (slope * scaled).mean(
                axes, keepdim=True
            )
        slope = slope * rstd
        if halves:
            slope = slope.to(dtype)
    return (
        slope,
        (grad * scaled).sum(axes).to(weight.dtype) if weight is not None and needs[1] else None,
        grad.sum(axes).to(bias.dtype) if bias is not None and needs[2] else None,
    )


_batch_norm.vjp_all(
    ("input", "weight", "bias"),
    _batch_norm_gradient,
    kernel=lambda grad, input, weight, bias, training, eps, statistics, needs: (
        _core.batch_norm_backward(grad, input, weight, bias, statistics, training, *needs)
    ),
)
