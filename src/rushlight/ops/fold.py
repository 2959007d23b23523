"""Sliding windows of images as columns (im2col), and the sum of such columns (col2im)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed, op

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor


@op(_core.im2col, method=False, public=False, node="Im2ColBackward0")
def im2col(
    input: Tensor,
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Tensor:
    """The windows of (N, C, H, W) as the columns of (N, C * window size, number of windows)."""


@op(_core.col2im, method=False, public=False, node="Col2ImBackward0")
def col2im(
    input: Tensor,
    output_size: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Tensor:
    """Columns added up where their windows lie: (N, C * window size, windows) to (N, C, H, W)."""


im2col.vjp(
    input=lambda grad, input_shape, kernel_size, dilation, padding, stride: col2im(
        grad, input_shape[2:], kernel_size, dilation, padding, stride
    )
)
col2im.vjp(
    input=lambda grad, kernel_size, dilation, padding, stride: im2col(
        grad, kernel_size, dilation, padding, stride
    )
)


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else value


@composed(public=False)
def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The sliding windows of images as columns.

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size: of the windows, a number or two; so the others.
        dilation: distance of a window's elements.
        padding: zeros on both sides of each axis.
        stride: from one window to the next.

    Shape: (N, C * window size, number of windows), row-major both.

    Raises:
        RuntimeError: no window fits.
    """
    if input.ndim not in (3, 4):
        raise RuntimeError(
            "unfold: Expected 3D or 4D (batch mode) tensor, but got an input of shape "
            f"{list(input.shape)}"
        )
    options = (_pair(kernel_size), _pair(dilation), _pair(padding), _pair(stride))
    if input.ndim == 3:
        return im2col(input.unsqueeze(0), *options).squeeze(0)
    return im2col(input, *options)


@composed(public=False)
def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Windows, as :func:`unfold` makes them, added up to images of the given size.

    Args:
        input: (N, C * window size, number of windows), or without N.
        output_size: height and width of the result, (N, C, H, W).
        kernel_size: as of :func:`unfold`; so the others.

    Raises:
        RuntimeError: there are not as many windows as `output_size` has.
    """
    if input.ndim not in (2, 3):
        raise RuntimeError(
            "fold: Expected 2D or 3D (batch mode) tensor for input, but got an input of shape "
            f"{list(input.shape)}"
        )
    options = (_pair(kernel_size), _pair(dilation), _pair(padding), _pair(stride))
    if input.ndim == 2:
        return col2im(input.unsqueeze(0), _pair(output_size), *options).squeeze(0)
    return col2im(input, _pair(output_size), *options)
