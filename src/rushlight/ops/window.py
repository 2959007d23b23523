"""Windows for spectra: weights that fall towards both ends of a piece of a signal."""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.ops.create import arange, empty, ones
from rushlight.tensor import Tensor


def _window(
    name: str, length: int, periodic: bool, weigh: Any, dtype: Any, options: dict
) -> Tensor:
    """weigh(places, length): periodic windows are symmetric ones of one element more, cut off."""
    dtype = dtype or _core.get_default_dtype()
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    if length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={length}"
        )
    if length == 0:
        return empty(0, dtype=dtype, **options)
    if length == 1:
        return ones(1, dtype=dtype, **options)
    requires_grad = options.pop("requires_grad", False)
    size = length + 1 if periodic else length
    values = weigh(arange(size, dtype=dtype, **options), size)
    if periodic:
        values = values[:length].clone()
    return values.requires_grad_() if requires_grad else values


@composed()
def bartlett_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Any
) -> Tensor:
    """A triangle: 0 at the ends, 1 in the middle.

    Args:
        window_length: the number of elements.
        periodic: one period of a periodic window (the last 0 is left out); else symmetric.
        dtype: floating point.

    Raises:
        RuntimeError: a negative length, or a dtype that is no float.
    """

    def weigh(places: Tensor, size: int) -> Tensor:
        rising = places * (2.0 / (size - 1))
        return _core.where(_core.le(places, (size - 1) // 2), rising, 2.0 - rising)

    return _window("bartlett_window", window_length, periodic, weigh, dtype, options)


@composed()
def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *,
    dtype: Any = None, **options: Any,
) -> Tensor:  # fmt: skip
    """alpha - beta * cos(2 pi i / (window_length - 1)), i = 0, 1, ...

    The other arguments as of `bartlett_window`; periodic windows divide by window_length.
    """

    def weigh(places: Tensor, size: int) -> Tensor:
        return (places * (math.pi * 2.0 / (size - 1))).cos() * -beta + alpha

    return _window("hamming_window", window_length, periodic, weigh, dtype, options)


@composed()
def hann_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Any
) -> Tensor:
    """(1 - cos(2 pi i / (window_length - 1))) / 2, i = 0, 1, ...

    The arguments as of `bartlett_window`; periodic windows divide by window_length.
    """

    def weigh(places: Tensor, size: int) -> Tensor:
        return (places * (math.pi * 2.0 / (size - 1))).cos() * -0.5 + 0.5

    return _window("hann_window", window_length, periodic, weigh, dtype, options)


@composed()
def blackman_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Any
) -> Tensor:
    """0.42 - 0.5 cos(x) + 0.08 cos(2 x) for x = 2 pi i / (window_length - 1), i = 0, 1, ...

    The arguments as of `bartlett_window`; periodic windows divide by window_length.
    """

    def weigh(places: Tensor, size: int) -> Tensor:
        angle = places * (math.pi / (size - 1))
        return (angle * 4).cos() * 0.08 - (angle * 2).cos() * 0.5 + 0.42

    return _window("blackman_window", window_length, periodic, weigh, dtype, options)


@composed()
def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None,
    **options: Any,
) -> Tensor:  # fmt: skip
    """i0(beta sqrt(1 - x^2)) / i0(beta) for x from -1 to 1 (Kaiser 1966).

    The other arguments as of `bartlett_window`.
    """

    def weigh(places: Tensor, size: int) -> Tensor:
        half = (size - 1) / 2.0
        x = (places - half) / half
        bulge = _core.maximum(_core.sub(1.0, x * x), 0.0).sqrt() * beta
        return _core.div(_core.i0(bulge), _core.i0(_core.full((), beta, places.dtype)))

    return _window("kaiser_window", window_length, periodic, weigh, dtype, options)
