"""Fold and Unfold: sliding windows as columns, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import functional as F
from .module import Module

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = ["Fold", "Unfold"]


class Fold(Module):
    """Adds columns up to images, each where its window lies.

    Args:
        output_size: height and width of the images.
        kernel_size: of the windows, a number or two; so the others.
        dilation: distance of a window's elements.
        padding: zeros on both sides of each axis that the windows see.
        stride: from one window to the next.

    Shape: (N, C * window size, windows) to (N, C, *output_size); N may be left out.
    """

    def __init__(
        self,
        output_size: int | tuple[int, ...],
        kernel_size: int | tuple[int, ...],
        dilation: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        stride: int | tuple[int, ...] = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


class Unfold(Module):
    """The sliding windows of images as columns.

    Args:
        kernel_size: of the windows, a number or two; so the others.
        dilation: distance of a window's elements.
        padding: zeros on both sides of each axis.
        stride: from one window to the next.

    Shape: (N, C, H, W) to (N, C * window size, windows); N may be left out.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        dilation: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        stride: int | tuple[int, ...] = 1,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )
