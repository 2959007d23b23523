"""Convolutions over one to three axes, and their transposes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import rushlight

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module
from .sizes import for_axes

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
_PADDING_NAMES = ("valid", "same")


class _ConvNd(Module):
    """What all convolutions have: sizes, parameters and their first values."""

    _axes = 0  # of the kernel; 0 in the base classes
    _function: Callable[..., Any]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: str | tuple[int, ...],
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError(f"groups must be a positive integer, got {groups}")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups != 0:
                raise ValueError(f"{name} ({channels}) must be divisible by groups ({groups})")
        if isinstance(padding, str):
            if padding not in _PADDING_NAMES:
                raise ValueError(
                    f"Invalid padding string {padding!r}, should be one of {_PADDING_NAMES}"
                )
            if padding == "same" and any(step != 1 for step in stride):
                raise ValueError(
                    f"padding='same' is not supported for strided convolutions, got stride={stride}"
                )
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {_PADDING_MODES}, but got {padding_mode!r}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        # What F.pad takes: before and after the last axis first.
        self._reversed_padding_repeated_twice = self._sides()
        inner = (in_channels, out_channels // groups)
        outer = (out_channels, in_channels // groups)
        shape = (*(inner if transposed else outer), *kernel_size)
        self.weight = Parameter(rushlight.empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(rushlight.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _sides(self) -> list[int]:
        sides = []
        for axis in reversed(range(len(self.kernel_size))):
            if self.padding == "valid":
                before = after = 0
            elif self.padding == "same":
                total = self.dilation[axis] * (self.kernel_size[axis] - 1)
                before, after = total // 2, total - total // 2
            else:
                before = after = self.padding[axis]  # type: ignore[assignment]
            sides += [before, after]
        return sides

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform in +-1/sqrt(fan in), He's initialization of slope 5."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0,) * len(self.kernel_size)
        return type(self)._function(
            input, weight, bias, self.stride, padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_channels}",
            f"{self.out_channels}",
            f"kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        none = (0,) * len(self.kernel_size)
        if self.padding != none:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * len(self.kernel_size):
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != none:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_ConvNd):
    """The constructor and the forward of Conv1d, Conv2d and Conv3d."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: str | int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        axes = self._axes
        super().__init__(
            in_channels,
            out_channels,
            for_axes(kernel_size, axes),
            for_axes(stride, axes),
            padding if isinstance(padding, str) else for_axes(padding, axes),
            for_axes(dilation, axes),
            False,
            (0,) * axes,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """Cross-correlation along one axis, (N, C, L). Arguments as of :class:`Conv2d`."""

    _axes = 1
    _function = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Cross-correlation of images with learned kernels.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result, one kernel for each.
        kernel_size: height and width of the kernels, a number for both; so the others.
        stride: from one position of a kernel to the next.
        padding: on both sides of each axis; "valid" for none, "same" for a result of the input's
            size (with stride 1).
        dilation: distance of a kernel's elements.
        groups: into how many groups the channels are cut, which do not see each other.
        bias: whether to add a number for each channel.
        padding_mode: "zeros", "reflect" (mirrored at the last element), "replicate" (the last
            element) or "circular" (from the other side).

    Shape: (N, in_channels, H, W) to (N, out_channels, H', W'), or both without N, where
    H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, and so W'.

    Attributes:
        weight: (out_channels, in_channels / groups, *kernel_size), at first uniform in
            +-1/sqrt(in_channels / groups * kernel size).
        bias: (out_channels,) or None, from the same distribution.
    """

    _axes = 2
    _function = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Cross-correlation over three axes, (N, C, D, H, W). Arguments as of :class:`Conv2d`."""

    _axes = 3
    _function = staticmethod(F.conv3d)


class _ConvTransposeNd(_ConvNd):
    """What the transposed convolutions have: the size of their result may be asked for."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}, got '
                f"{padding_mode!r}"
            )
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            transposed,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _output_padding(
        self,
        input: Tensor,
        output_size: Sequence[int] | None,
        stride: Sequence[int],
        padding: Sequence[int],
        kernel_size: Sequence[int],
        num_spatial_dims: int,
        dilation: Sequence[int] | None = None,
    ) -> Sequence[int]:
        """The elements that a result of the given size has more than the smallest one."""
        if output_size is None:
            return for_axes(self.output_padding, num_spatial_dims)
        axes = num_spatial_dims
        others = input.ndim - axes
        if len(output_size) == others + axes:
            output_size = output_size[others:]
        if len(output_size) != axes:
            raise ValueError(
                f"ConvTranspose{axes}d: for {input.ndim}D input, output_size must have {axes} or "
                f"{others + axes} elements (got {len(output_size)})"
            )
        least = [
            (input.shape[others + d] - 1) * stride[d]
            - 2 * padding[d]
            + (dilation[d] if dilation is not None else 1) * (kernel_size[d] - 1)
            + 1
            for d in range(axes)
        ]
        most = [size + stride[d] - 1 for d, size in enumerate(least)]
        if any(not low <= size <= high for low, size, high in zip(least, output_size, most)):
            raise ValueError(
                f"requested an output size of {tuple(output_size)}, but valid sizes range from "
                f"{least} to {most} (for an input of {tuple(input.shape[others:])})"
            )
        return [size - low for size, low in zip(output_size, least)]


class _ConvTranspose(_ConvTransposeNd):
    """The constructor and the forward of the transposed convolutions."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, ...] = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        axes = self._axes
        super().__init__(
            in_channels,
            out_channels,
            for_axes(kernel_size, axes),
            for_axes(stride, axes),
            for_axes(padding, axes),
            for_axes(dilation, axes),
            True,
            for_axes(output_padding, axes),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """`output_size`: of the result, with or without its first two sizes."""
        assert isinstance(self.padding, tuple)
        output_padding = self._output_padding(
            input, output_size, self.stride, self.padding, self.kernel_size, self._axes,
            self.dilation,
        )  # fmt: skip
        return type(self)._function(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups,
            self.dilation,
        )  # fmt: skip


class ConvTranspose1d(_ConvTranspose):
    """The transpose of Conv1d, (N, C, L). Arguments as of :class:`ConvTranspose2d`."""

    _axes = 1
    _function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """The linear map of a Conv2d with these numbers, transposed; plus a bias.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result.
        kernel_size: height and width of the kernels, a number for both; so the others.
        stride: distance in the result of what neighbours of the input are spread over.
        padding: how much is cut off both sides of the result.
        output_padding: elements more at the end of each axis; smaller than stride or dilation.
        groups: into how many groups the channels are cut, which do not see each other.
        bias: whether to add a number for each channel.
        dilation: distance of a kernel's elements.
        padding_mode: only "zeros".

    Shape: (N, in_channels, H, W) to (N, out_channels, H', W'), or both without N, where
    H' = (H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1, and so W'.

    Attributes:
        weight: (in_channels, out_channels / groups, *kernel_size), at first uniform in
            +-1/sqrt(out_channels / groups * kernel size).
        bias: (out_channels,) or None, from the same distribution.
    """

    _axes = 2
    _function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """The transpose of Conv3d, (N, C, D, H, W). Arguments as of :class:`ConvTranspose2d`."""

    _axes = 3
    _function = staticmethod(F.conv_transpose3d)
