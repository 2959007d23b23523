"""Inputs and weights that are equal to the bit in every library."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

PRIME = 65521


def integers(arange: Callable[[int], Any], shape: tuple[int, ...], seed: int) -> Any:
    """Whole numbers from 0 to 65520 without visible order.

    `arange` is NumPy's or PyTorch's; the arithmetic is exact in both.
    """
    i = arange(prod(shape))
    return ((i * i * 7 + i * 7919 + seed * 104729) % PRIME).reshape(shape)


def uniform(arange: Callable[[int], Any], shape: tuple[int, ...], seed: int) -> Any:
    """Numbers in [-0.5, 0.5), multiples of 2**-16: float32 holds them exactly."""
    return integers(arange, shape, seed) / 65536 - 0.5
