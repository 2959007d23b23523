"""Rearranging channels: pixel shuffle and its inverse, channel shuffle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


@op(_core.pixel_shuffle, method=False)
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r^2, H, W) -> (*, C, H r, W r): channels become pixels (Shi et al. 2016).

    Raises RuntimeError where r^2 does not divide the channels, or for fewer than 3 dimensions.
    """


@op(_core.pixel_unshuffle, method=False)
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) -> (*, C r^2, H, W): the inverse of :func:`pixel_shuffle`.

    Raises RuntimeError where r does not divide height and width.
    """


pixel_shuffle.vjp(input=lambda grad, upscale_factor: pixel_unshuffle(grad, upscale_factor))
pixel_unshuffle.vjp(input=lambda grad, downscale_factor: pixel_shuffle(grad, downscale_factor))


@op(_core.channel_shuffle, method=False)
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(N, C, *): the channels of `groups` groups take turns (Zhang et al. 2018).

    Raises RuntimeError where `groups` does not divide the channels.
    """


channel_shuffle.vjp(
    input=lambda grad, groups: channel_shuffle(grad, grad.shape[1] // groups)
)


@composed()
def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Another name of :func:`channel_shuffle`."""
    return channel_shuffle(input, groups)
