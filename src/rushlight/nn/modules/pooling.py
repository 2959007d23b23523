"""Pooling: maxima, averages and power averages of windows, and max unpooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import functional as F
from .module import Module
from .sizes import for_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

Sizes = int | tuple[int, ...]

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]


# ---- maxima


class _MaxPoolNd(Module):
    """Arguments of max pooling: see MaxPool1d."""

    __constants__ = (
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "return_indices",
        "ceil_mode",
    )
    return_indices: bool
    ceil_mode: bool

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """The largest element of each window of a signal; nan is larger than all.

    Args:
        kernel_size: the places of a window; one number, or one for each axis.
        stride: the step from window to window; the kernel's size if left out.
        padding: places of -inf on both sides, at most half a window.
        dilation: the step from place to place in a window.
        return_indices: also return where each maximum was, for :class:`MaxUnpool1d`.
        ceil_mode: keep a last window that is not full.

    Shape: (N, C, L) or (C, L); the output has
    floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1 places.
    """

    kernel_size: int
    stride: int
    padding: int
    dilation: int

    def forward(self, input: Tensor) -> Any:
        return F.max_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool2d(_MaxPoolNd):
    """:class:`MaxPool1d` for images.

    Shape: (N, C, H, W) or (C, H, W).
    """

    kernel_size: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes

    def forward(self, input: Tensor) -> Any:
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool3d(_MaxPoolNd):
    """:class:`MaxPool1d` for volumes.

    Shape: (N, C, D, H, W) or (C, D, H, W).
    """

    kernel_size: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes

    def forward(self, input: Tensor) -> Any:
        return F.max_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


# ---- back


class _MaxUnpoolNd(Module):
    """Arguments of unpooling, those of the pooling that it undoes."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    _rank: int

    def __init__(
        self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0
    ) -> None:
        super().__init__()
        self.kernel_size = for_axes(kernel_size, self._rank)
        self.stride = self.kernel_size if stride is None else for_axes(stride, self._rank)
        self.padding = for_axes(padding, self._rank)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Puts maxima back to where :class:`MaxPool1d` found them, among zeros.

    Args:
        kernel_size: as of the pooling.
        stride: as of the pooling.
        padding: as of the pooling.

    Shape: (N, C, L) or (C, L), and indices of the same; several lengths may have been pooled to L,
    `output_size` says which.
    """

    _rank = 1

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        return F.max_unpool1d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool2d(_MaxUnpoolNd):
    """:class:`MaxUnpool1d` for images.

    Shape: (N, C, H, W) or (C, H, W).
    """

    _rank = 2

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        return F.max_unpool2d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool3d(_MaxUnpoolNd):
    """:class:`MaxUnpool1d` for volumes.

    Shape: (N, C, D, H, W) or (C, D, H, W).
    """

    _rank = 3

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        return F.max_unpool3d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


# ---- averages


class _AvgPoolNd(Module):
    """The text of average pooling."""

    __constants__: tuple[str, ...] = (
        "kernel_size",
        "stride",
        "padding",
        "ceil_mode",
        "count_include_pad",
    )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """The average of each window of a signal.

    Args:
        kernel_size: the places of a window.
        stride: the step from window to window; the kernel's size if left out.
        padding: zeros on both sides, at most half a window.
        ceil_mode: keep a last window that is not full.
        count_include_pad: whether the zeros of the padding count.

    Shape: (N, C, L) or (C, L); the output has
    floor((L + 2 padding - kernel_size) / stride) + 1 places.
    """

    kernel_size: Sizes
    stride: Sizes
    padding: Sizes
    ceil_mode: bool
    count_include_pad: bool

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = for_axes(kernel_size, 1)
        self.stride = self.kernel_size if stride is None else for_axes(stride, 1)
        self.padding = for_axes(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )


class _DividedAvgPoolNd(_AvgPoolNd):
    """Arguments of average pooling over two and three axes."""

    __constants__ = (*_AvgPoolNd.__constants__, "divisor_override")
    kernel_size: Sizes
    stride: Sizes
    padding: Sizes
    ceil_mode: bool
    count_include_pad: bool

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override


class AvgPool2d(_DividedAvgPoolNd):
    """:class:`AvgPool1d` for images.

    Args:
        divisor_override: divides the sums in place of the number of elements.

    Shape: (N, C, H, W) or (C, H, W).
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool3d(_DividedAvgPoolNd):
    """:class:`AvgPool2d` for volumes.

    Shape: (N, C, D, H, W) or (C, D, H, W).
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


# ---- windows in random places


class _FractionalMaxPoolNd(Module):
    """Arguments of fractional max pooling."""

    __constants__ = ("kernel_size", "return_indices", "output_size", "output_ratio")
    _rank: int

    def __init__(
        self,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if output_size is None and output_ratio is None:
            raise ValueError(
                f"{name} requires specifying either an output_size or an output_ratio"
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError(f"{name}: only one of output_size and output_ratio may be specified")
        self.kernel_size = for_axes(kernel_size, self._rank)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else for_axes(output_size, self._rank)
        self.output_ratio = None if output_ratio is None else for_axes(output_ratio, self._rank)
        if self.output_ratio is not None and not all(0 < part < 1 for part in self.output_ratio):
            raise ValueError(f"{name}: output_ratio must be between 0 and 1 (got {output_ratio})")


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Maxima of windows whose distances are random, one of two neighbouring numbers (Graham 2014).

    Args:
        kernel_size: the size of a window.
        output_size: the size of the result.
        output_ratio: instead of it, the parts of the input's size, each in (0, 1).
        return_indices: also return where each maximum was, for :class:`MaxUnpool2d`.

    Shape: (N, C, H, W) or (C, H, W).
    """

    _rank = 2

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool2d(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """:class:`FractionalMaxPool2d` for volumes.

    Shape: (N, C, D, H, W) or (C, D, H, W).
    """

    _rank = 3

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool3d(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


# ---- power averages


class _LPPoolNd(Module):
    """Arguments of power averages: see LPPool1d."""

    __constants__ = ("norm_type", "kernel_size", "stride", "ceil_mode")
    norm_type: float
    ceil_mode: bool

    def __init__(
        self,
        norm_type: float,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """(sum of x^p over each window)^(1/p) of a signal.

    Args:
        norm_type: p; inf for the largest magnitude, 1 for the sum.
        kernel_size: the places of a window.
        stride: the step from window to window; the kernel's size if left out.
        ceil_mode: keep a last window that is not full; it is scaled up to a full one.

    Shape: (N, C, L) or (C, L).
    """

    kernel_size: int
    stride: int | None

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool1d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool2d(_LPPoolNd):
    """:class:`LPPool1d` for images.

    Shape: (N, C, H, W) or (C, H, W).
    """

    kernel_size: Sizes
    stride: Sizes | None

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool2d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool3d(_LPPoolNd):
    """:class:`LPPool1d` for volumes.

    Shape: (N, C, D, H, W) or (C, D, H, W).
    """

    kernel_size: Sizes
    stride: Sizes | None

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool3d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


# ---- to a given size


class _AdaptiveMaxPoolNd(Module):
    """Arguments of adaptive max pooling: see AdaptiveMaxPool1d."""

    __constants__ = ("output_size", "return_indices")
    return_indices: bool

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The maxima of as many parts of a signal as are asked for.

    Args:
        output_size: the length of the result.
        return_indices: also return where each maximum was.

    Shape: (N, C, L) or (C, L).
    """

    output_size: Sizes

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """:class:`AdaptiveMaxPool1d` for images; None in `output_size` keeps the size of the axis.

    Shape: (N, C, H, W) or (C, H, W).
    """

    output_size: Any

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """:class:`AdaptiveMaxPool2d` for volumes.

    Shape: (N, C, D, H, W) or (C, D, H, W).
    """

    output_size: Any

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)


class _AdaptiveAvgPoolNd(Module):
    """Arguments of adaptive average pooling: see AdaptiveAvgPool1d."""

    __constants__ = ("output_size",)

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The averages of as many parts of a signal as are asked for.

    Args:
        output_size: the length of the result.

    Shape: (N, C, L) or (C, L).
    """

    output_size: Sizes

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """:class:`AdaptiveAvgPool1d` for images; None in `output_size` keeps the size of the axis.

    Shape: (N, C, H, W) or (C, H, W).
    """

    output_size: Any

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """:class:`AdaptiveAvgPool2d` for volumes.

    Shape: (N, C, D, H, W) or (C, D, H, W).
    """

    output_size: Any

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(input, self.output_size)
