"""Padding of the last 1, 2 or 3 axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import functional as F
from .module import Module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """Padding in one mode. Padding is counted before and after the last axis, then the one before.
    """

    mode: str
    axes: int
    padding: tuple[int, ...]

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        sides = 2 * self.axes
        if isinstance(padding, int):
            padding = (padding,) * sides
        elif len(padding) != sides:
            raise ValueError(
                f"{type(self).__name__}: expected one size or {sides}, for both ends of "
                f"{self.axes} axes, got {len(padding)}: {tuple(padding)}"
            )
        self.padding = tuple(padding)

    def forward(self, input: Tensor) -> Tensor:
        """(*, sizes) -> (*, sizes + padding)."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"
    value: float

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self.axes + 1, self.axes + 2):
            raise ValueError(
                f"{type(self).__name__}: expected {self.axes + 1}D or {self.axes + 2}D input (got "
                f"{input.ndim}D input)"
            )
        return F.pad(input, self.padding, "circular")


class CircularPad1d(_CircularPad):
    """Pads the last axis from the other side: (N, C, L) or (C, L).

    `padding`: an int, or (left, right); at most as much as there is.
    """

    axes = 1


class CircularPad2d(_CircularPad):
    """Pads the last two axes from the other side: (N, C, H, W) or (C, H, W).

    `padding`: an int, or (left, right, top, bottom); at most as much as there is.
    """

    axes = 2


class CircularPad3d(_CircularPad):
    """Pads the last three axes from the other side: (N, C, D, H, W) or (C, D, H, W).

    `padding`: an int, or (left, right, top, bottom, front, back); at most as much as there is.
    """

    axes = 3


class ConstantPad1d(_ConstantPad):
    """Pads the last axis with one value.

    `padding`: an int, or (left, right); negative ones cut off.
    """

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Pads the last two axes with one value.

    `padding`: an int, or (left, right, top, bottom); negative ones cut off.
    """

    axes = 2


class ConstantPad3d(_ConstantPad):
    """Pads the last three axes with one value.

    `padding`: an int, or (left, right, top, bottom, front, back); negative ones cut off.
    """

    axes = 3


class ReflectionPad1d(_Pad):
    """Pads the last axis with its mirror image, without repeating the last element."""

    axes = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Pads the last two axes with its mirror image, without repeating the last element."""

    axes = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Pads the last three axes with its mirror image, without repeating the last element."""

    axes = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Pads the last axis with its outermost elements: (N, C, L) or (C, L).

    `padding`: an int, or (left, right).
    """

    axes = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Pads the last two axes with their outermost elements: (N, C, H, W) or (C, H, W).

    `padding`: an int, or (left, right, top, bottom).
    """

    axes = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Pads the last three axes with their outermost elements: (N, C, D, H, W) or (C, D, H, W).

    `padding`: an int, or (left, right, top, bottom, front, back).
    """

    axes = 3
    mode = "replicate"


class ZeroPad1d(_ZeroPad):
    """Pads the last axis with zeros. `padding`: an int, or (left, right); negative ones cut off."""

    axes = 1


class ZeroPad2d(_ZeroPad):
    """Pads the last two axes with zeros.

    `padding`: an int, or (left, right, top, bottom); negative ones cut off.
    """

    axes = 2


class ZeroPad3d(_ZeroPad):
    """Pads the last three axes with zeros.

    `padding`: an int, or (left, right, top, bottom, front, back); negative ones cut off.
    """

    axes = 3
