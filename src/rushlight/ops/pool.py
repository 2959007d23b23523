"""Pooling over regular windows: maxima, averages and power averages.

The functions are those of `rushlight.nn.functional`; a few are functions of the package too. One
op serves one, two and three axes. A window over the border of the input counts what lies inside;
with `ceil_mode` the last window may hang over the far border.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.activation import relu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

    Sizes = int | Sequence[int]

# ---- maxima


def _max_pool_name(rank: int) -> str:
    return "SqueezeBackward1" if rank == 1 else f"MaxPool{rank}DWithIndicesBackward0"


@op(_core.max_pool, method=False, public=False, node=_max_pool_name)
def _max_pool(
    input: Tensor,
    rank: int,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> tuple[Tensor, Tensor]:
    """The maxima of the windows over the last `rank` axes, and of each its place in the window."""


@op(_core.max_pool_backward, method=False, public=False)
def _max_pool_backward(
    grad: Tensor,
    taps: Tensor,
    size: Sequence[int],
    rank: int,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> Tensor:
    """The gradient of an input of shape `size`: `grad` where the maxima were."""


@op(_core.max_pool_select, method=False, public=False)
def _max_pool_select(
    input: Tensor,
    taps: Tensor,
    rank: int,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> Tensor:
    """The element of each window at its tap."""


_max_pool.vjp(
    input=lambda grads, result, input_shape, rank, kernel_size, stride, padding, dilation,
    ceil_mode: _max_pool_backward(
        grads[0], result[1], input_shape, rank, kernel_size, stride, padding, dilation, ceil_mode
    )
)  # fmt: skip
_max_pool_backward.vjp(
    grad=lambda grad, taps, rank, kernel_size, stride, padding, dilation, ceil_mode:
        _max_pool_select(grad, taps, rank, kernel_size, stride, padding, dilation, ceil_mode)
)  # fmt: skip
_max_pool_select.vjp(
    input=lambda grad, taps, input_shape, rank, kernel_size, stride, padding, dilation,
    ceil_mode: _max_pool_backward(
        grad, taps, input_shape, rank, kernel_size, stride, padding, dilation, ceil_mode
    )
)  # fmt: skip


def _pooled(input: Tensor, *windows: Any) -> Tensor:
    """The maxima; their places are found only where a gradient may be asked for."""
    if input._level or (input.requires_grad and _core.is_grad_enabled()):
        return _max_pool(input, *windows)[0]
    return _core.max_pool_values(input, *windows)


def _pooled_with_indices(input: Tensor, *windows: Any) -> tuple[Tensor, Tensor]:
    result, taps = _max_pool(input, *windows)
    if taps._level:  # inside vmap
        from rushlight.func.calls import call_each

        return result, call_each(_core.max_pool_indices, (taps, tuple(input.shape), *windows))
    return result, _core.max_pool_indices(taps, input.shape, *windows)


@composed()
def max_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of a signal; nan is larger than all.

    Args:
        input: (batch, channels, length), or without the batch.
        kernel_size: the places of a window.
        stride: the step from window to window; the kernel's size if left out.
        padding: places of -inf before and after, at most half a window.
        dilation: the step from place to place in a window.
        ceil_mode: keep a last window that is not full.
        return_indices: also return where in its plane (row by row) each maximum is, int64.

    The gradient goes to the first of equal maxima.

    Shape: (batch, channels, (length + 2 padding - dilation (kernel - 1) - 1) // stride + 1).

    Raises:
        RuntimeError: the input has another number of axes or is too small, or too much padding.
    """
    pool = _pooled_with_indices if return_indices else _pooled
    return pool(input, 1, kernel_size, stride, padding, dilation, bool(ceil_mode))


@composed()
def max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """:func:`max_pool1d` over the last two axes of (N, C, H, W) or (C, H, W)."""
    pool = _pooled_with_indices if return_indices else _pooled
    return pool(input, 2, kernel_size, stride, padding, dilation, bool(ceil_mode))


@composed(float32=True)
def max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """:func:`max_pool1d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    pool = _pooled_with_indices if return_indices else _pooled
    return pool(input, 3, kernel_size, stride, padding, dilation, bool(ceil_mode))


@composed()
def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """:func:`max_pool1d` with the indices, whatever `return_indices` says."""
    return max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


@composed(public=False)
def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """:func:`max_pool2d` with the indices, whatever `return_indices` says."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


@composed(public=False)
def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """:func:`max_pool3d` with the indices, whatever `return_indices` says."""
    return max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


# ---- averages


def _avg_pool_name(rank: int) -> str:
    return "SqueezeBackward1" if rank == 1 else f"AvgPool{rank}DBackward0"


@op(_core.avg_pool, method=False, public=False, node=_avg_pool_name)
def _avg_pool(
    input: Tensor,
    rank: int,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """The averages of the windows over the last `rank` axes."""


@op(_core.avg_pool_backward, method=False, public=False)
def _avg_pool_backward(
    grad: Tensor,
    size: Sequence[int],
    rank: int,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """The gradient of an input of shape `size`: each element's shares of the averages."""


_avg_pool.vjp(
    input=lambda grad, input_shape, rank, kernel_size, stride, padding, ceil_mode,
    count_include_pad, divisor_override: _avg_pool_backward(
        grad, input_shape, rank, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )
)  # fmt: skip
_avg_pool_backward.vjp(
    grad=lambda grad, rank, kernel_size, stride, padding, ceil_mode, count_include_pad,
    divisor_override: _avg_pool(
        grad, rank, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
)  # fmt: skip


@composed()
def avg_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The average of each window of a signal.

    Args:
        input: (batch, channels, length), or without the batch.
        kernel_size: the places of a window.
        stride: the step from window to window; the kernel's size if left out.
        padding: zeros before and after, at most half a window.
        ceil_mode: keep a last window that is not full.
        count_include_pad: whether the zeros of the padding count.

    Shape: (batch, channels, (length + 2 padding - kernel) // stride + 1).

    Raises:
        RuntimeError: the input has another number of axes or is too small, or too much padding.
    """
    return _avg_pool(
        input, 1, kernel_size, stride, padding, bool(ceil_mode), bool(count_include_pad), None
    )


@composed(public=False)
def avg_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """:func:`avg_pool1d` over the last two axes of (batch, channels, height, width).

    `divisor_override` divides the sums in place of the number of elements.
    """
    return _avg_pool(
        input, 2, kernel_size, stride, padding, bool(ceil_mode), bool(count_include_pad),
        divisor_override,
    )  # fmt: skip


@composed(public=False, float32=True)
def avg_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """:func:`avg_pool2d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    return _avg_pool(
        input, 3, kernel_size, stride, padding, bool(ceil_mode), bool(count_include_pad),
        divisor_override,
    )  # fmt: skip


# ---- power averages


def _lp_pool(
    input: Tensor,
    rank: int,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None,
    ceil_mode: bool,
) -> Tensor:
    if norm_type == float("inf"):
        return _pooled(input.abs(), rank, kernel_size, stride, 0, 1, bool(ceil_mode))
    if norm_type == float("-inf"):
        return -_pooled(-input.abs(), rank, kernel_size, stride, 0, 1, bool(ceil_mode))
    places = 1
    for size in (kernel_size,) * rank if isinstance(kernel_size, int) else kernel_size:
        places *= size
    powers = input.pow(norm_type)
    mean = _avg_pool(powers, rank, kernel_size, stride, 0, bool(ceil_mode), True, None)
    # Without a slope where the sum is 0, as the root has none there.
    return (mean.sign() * relu(mean.abs())).mul(places).pow(1.0 / norm_type)


@composed(public=False)
def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: int,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(sum of x^p over each window)^(1/p), with p = `norm_type`.

    Args:
        input: (batch, channels, length), or without the batch.
        norm_type: p; inf for the largest magnitude, 1 for the sum.
        kernel_size: the places of a window.
        stride: the step from window to window; the kernel's size if left out.
        ceil_mode: keep a last window that is not full; it is scaled up to a full one.
    """
    return _lp_pool(input, 1, norm_type, kernel_size, stride, ceil_mode)


@composed(public=False)
def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """:func:`lp_pool1d` over the last two axes of (batch, channels, height, width)."""
    return _lp_pool(input, 2, norm_type, kernel_size, stride, ceil_mode)


@composed(public=False)
def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """:func:`lp_pool1d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    return _lp_pool(input, 3, norm_type, kernel_size, stride, ceil_mode)
