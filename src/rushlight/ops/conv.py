"""Convolutions over one to three axes, and transposed convolutions.

All of them are the op `convolution`. Its gradients are convolutions again: that of the input is the
transposed one with the same weight, that of the weight an op of its own, whose gradients are
convolutions with the cotangent in the weight's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.complex import _c
from rushlight.ops.padding import constant_pad_nd
from rushlight.warned import warn_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor


@op(_core.convolution, method=False)
def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """Sums of what a kernel sees at each of its positions (cross-correlation), or the way back.

    Args:
        input: (N, C, ...) with one to three further axes.
        weight: (out channels, C / groups, kernel ...); transposed (C, out channels / groups, ...).
        bias: (out channels,), or None.
        stride: from one position of the kernel to the next, for each axis.
        padding: zeros around the input; transposed: so much is cut off the result.
        dilation: from one element of the kernel to the next.
        transposed: the linear map of the convolution with these numbers, transposed.
        output_padding: elements that a transposed result has more at the end of each axis.
        groups: channels are cut into so many groups, which do not see each other.
    """


def _input_gradient(
    grad: Tensor,
    weight: Tensor,
    shape: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    groups: int,
) -> Tensor:
    """The gradient of an input of that shape: the other way through the same weight."""
    axes = len(shape) - 2
    none = [0] * axes
    if transposed:
        result = convolution(grad, weight, None, stride, padding, dilation, False, none, groups)
        for axis in range(2, len(shape)):  # output_padding may make room for further positions
            if result.shape[axis] != shape[axis]:
                result = result.narrow(axis, 0, shape[axis])
        return result
    wide = [list(v) * axes if len(v) == 1 else v for v in (stride, padding, dilation)]
    missing = [
        shape[i] - ((grad.shape[i] - 1) * by - 2 * pad + step * (weight.shape[i] - 1) + 1)
        for i, by, pad, step in zip(range(2, len(shape)), *wide)
    ]
    return convolution(grad, weight, None, stride, padding, dilation, True, missing, groups)


def _convolution_gradient(
    grad: Tensor,
    input: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    groups: int,
    needs: tuple,
) -> tuple[Any, ...]:
    options = (stride, padding, dilation, transposed, groups)
    of_input = of_weight = of_bias = None
    if needs[0]:
        of_input = _input_gradient(grad, _c(weight), input.shape, *options)
    if needs[1]:
        if needs[2] and not transposed and not _core.is_grad_enabled():
            of_weight, of_bias = _core.convolution_weight(
                grad, _c(input), weight.shape, *options, True
            )
        else:
            of_weight = _convolution_weight(grad, _c(input), weight.shape, *options)
    if needs[2] and of_bias is None:
        of_bias = grad.sum((0, *range(2, grad.ndim)))
    return of_input, of_weight, of_bias


convolution.vjp_all(
    ("input", "weight", "bias"),
    _convolution_gradient,
    uses={"input": "weight", "weight": "input", "bias": ""},
)


def _weight_kernel(*args: Any) -> Tensor:
    return _core.convolution_weight(*args, False)[0]  # type: ignore[call-arg]


@op(_weight_kernel, method=False, public=False, node="ConvolutionBackwardBackward0")
def _convolution_weight(
    upstream: Tensor,
    input: Tensor,
    weight_shape: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    groups: int,
) -> Tensor:
    """The gradient of a convolution's weight, for the gradient of its result."""


def _weight_gradient(
    grad: Tensor,
    upstream: Tensor,
    input: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    groups: int,
    needs: tuple,
) -> tuple[Any, ...]:
    options = (stride, padding, dilation)
    of_upstream = of_input = None
    if needs[0] and transposed:
        of_upstream = _input_gradient(_c(input), grad, upstream.shape, *options, False, groups)
    elif needs[0]:
        none = [0] * (input.ndim - 2)
        of_upstream = convolution(_c(input), grad, None, *options, False, none, groups)
    if needs[1]:
        of_input = _input_gradient(_c(upstream), grad, input.shape, *options, transposed, groups)
    return of_upstream, of_input


_convolution_weight.vjp_all(
    ("upstream", "input"), _weight_gradient, uses={"upstream": "input", "input": "upstream"}
)


# ---- by the number of axes


def _for_axes(value: Any, axes: int) -> Any:
    return (value,) * axes if isinstance(value, int) else value


def _convolve(
    name: str,
    axes: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    output_padding: Any = None,
) -> Tensor:
    """The op for an input with or without a batch; `output_padding` for a transposed one."""
    if input.ndim not in (axes + 1, axes + 2):
        raise RuntimeError(
            f"Expected {axes + 1}D (unbatched) or {axes + 2}D (batched) input to {name}, but got "
            f"input of size: {list(input.shape)}"
        )
    batched = input.ndim == axes + 2
    if not batched:
        input = input.unsqueeze(0)
    stride, dilation = _for_axes(stride, axes), _for_axes(dilation, axes)
    if isinstance(padding, str):
        input, padding = _named_padding(name, padding, input, weight, stride, dilation)
    result = convolution(
        input,
        weight,
        bias,
        stride,
        _for_axes(padding, axes),
        dilation,
        output_padding is not None,
        (0,) * axes if output_padding is None else _for_axes(output_padding, axes),
        groups,
    )
    return result if batched else result.squeeze(0)


def _named_padding(
    name: str, padding: str, input: Tensor, weight: Tensor, stride: Any, dilation: Any
) -> tuple[Tensor, tuple[int, ...]]:
    """The numbers of padding "same" or "valid"; what the sides differ by is padded here."""
    axes = input.ndim - 2
    if padding == "valid":
        return input, (0,) * axes
    if padding != "same":
        raise RuntimeError(
            f"{name}: Invalid padding string: '{padding}'; expected 'same', 'valid' or numbers"
        )
    if any(step != 1 for step in stride):
        raise RuntimeError(
            f"{name}: padding='same' is not supported for strided convolutions, got stride="
            f"{tuple(stride)}"
        )
    if weight.ndim != input.ndim:
        raise RuntimeError(
            f"{name}: expected a {axes + 2}-dimensional weight, got one of size "
            f"{list(weight.shape)}"
        )
    steps = tuple(dilation) * axes if len(dilation) == 1 else dilation
    totals = [step * (size - 1) for step, size in zip(steps, weight.shape[2:])]
    if any(total % 2 for total in totals):
        warn_once(
            "Using padding='same' with even kernel lengths and odd dilation may require a "
            "zero-padded copy of the input be created"
        )
        more = [side for total in reversed(totals) for side in (0, total % 2)]
        input = constant_pad_nd(input, more)
    return input, tuple(total // 2 for total in totals)


@composed()
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation along one axis: (N, C, L) with weight (O, C / groups, K) -> (N, O, L').

    Arguments, shapes and errors as of :func:`conv2d`, with one spatial axis.
    """
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@composed()
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of images with kernels.

    Args:
        input: (N, C, H, W) or (C, H, W).
        weight: (out channels, C / groups, kernel height, kernel width).
        bias: (out channels,); 0 if left out.
        stride: how far the kernel moves, a number or one for each axis.
        padding: zeros on both sides of each axis; "valid" for none, "same" for a result of the
            input's size (with stride 1).
        dilation: distance of the kernel's elements.
        groups: into how many groups the channels are cut.

    Shape: (N, out channels, H', W') with H' = (H + 2 padding - dilation (kernel - 1) - 1) // stride
    + 1. LeCun et al. 1989.

    Raises:
        RuntimeError: the channels do not fit the weight and `groups`, the dtypes differ, the kernel
            is larger than the padded input, or a number is out of range.
    """
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@composed()
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation over three axes: (N, C, D, H, W) with (O, C / groups, KD, KH, KW).

    Arguments, shapes and errors as of :func:`conv2d`, with three spatial axes.
    """
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@composed()
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of conv1d: (N, C, L) with weight (C, O / groups, K) -> (N, O, L').

    Arguments, shapes and errors as of :func:`conv_transpose2d`, with one spatial axis.
    """
    return _convolve(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, dilation, groups,
        output_padding,
    )  # fmt: skip


@composed()
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The linear map of conv2d with these numbers, transposed; plus a bias.

    Args:
        input: (N, C, H, W) or (C, H, W).
        weight: (C, out channels / groups, kernel height, kernel width).
        bias: (out channels,); 0 if left out.
        stride: distance in the result of what neighbours of the input are spread over.
        padding: how much is cut off both sides of the result.
        output_padding: elements more at the end of each axis; smaller than stride or dilation.
        groups: into how many groups the channels are cut.
        dilation: distance of the kernel's elements.

    Shape: the result is (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1
    along each axis.

    Raises:
        RuntimeError: the channels do not fit the weight, or the dtypes differ.
    """
    return _convolve(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, dilation, groups,
        output_padding,
    )  # fmt: skip


@composed()
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of conv3d: (N, C, D, H, W) with (C, O / groups, KD, KH, KW).

    Arguments, shapes and errors as of :func:`conv_transpose2d`, with three spatial axes.
    """
    return _convolve(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, dilation, groups,
        output_padding,
    )  # fmt: skip


@composed()
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """conv1d with the channels last.

    Args:
        input: (time, N, C).
        weight: (kernel, C, out channels).
        bias: (out channels,).
        pad: zeros on both sides of the time.
    """
    if input.ndim != 3 or weight.ndim != 3 or bias.ndim != 1:
        raise RuntimeError(
            "conv_tbc: expected input (time, N, C), weight (kernel, C, out) and bias (out,), got "
            f"shapes {list(input.shape)}, {list(weight.shape)} and {list(bias.shape)}"
        )
    result = convolution(
        input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, (1,), (pad,), (1,), False, (0,), 1
    )
    return result.permute(2, 0, 1)
