"""The memory format of convolution weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rushlight import nn
    from rushlight.dtypes import memory_format as MemoryFormat

    M = TypeVar("M", bound=nn.Module)

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def convert_conv2d_weight_memory_format(module: M, memory_format: MemoryFormat) -> M:
    """Store the weights of all 2-dimensional convolutions in a module in a memory format.

    Accepted for programs that were tuned elsewhere: the values stay, and the kernels here read a
    weight in any layout.
    """
    from rushlight import nn

    return _convert(module, (nn.Conv2d, nn.ConvTranspose2d), memory_format)


def convert_conv3d_weight_memory_format(module: M, memory_format: MemoryFormat) -> M:
    """:func:`convert_conv2d_weight_memory_format` for 3-dimensional convolutions."""
    from rushlight import nn

    return _convert(module, (nn.Conv3d, nn.ConvTranspose3d), memory_format)


def _convert(module: M, kinds: tuple[type, ...], memory_format: MemoryFormat) -> M:
    for part in module.modules():
        if isinstance(part, kinds):
            conv: Any = part
            conv.weight.data = conv.weight.detach().clone(memory_format=memory_format)
    return module
