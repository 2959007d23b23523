"""The standard's extension `fft`: rushlight.fft with the standard's argument names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import fft as _fft
from rushlight.array_api.arrays import as_array, gives_arrays
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfftn", "rfft", "rfftfreq", "rfftn",
]  # fmt: skip


def _along_one(op: Callable[..., Tensor]) -> Callable[..., Any]:
    def call(x: Tensor, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
        return as_array(op(x, n, axis, norm))

    call.__name__ = call.__qualname__ = op.__name__.removeprefix("fft_")
    call.__doc__ = op.__doc__
    return call


def _along_many(op: Callable[..., Tensor]) -> Callable[..., Any]:
    def call(
        x: Tensor, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
        norm: str = "backward",
    ) -> Any:  # fmt: skip
        return as_array(op(x, s, axes, norm))

    call.__name__ = call.__qualname__ = op.__name__.removeprefix("fft_")
    call.__doc__ = op.__doc__
    return call


fft = _along_one(_fft.fft)
ifft = _along_one(_fft.ifft)
rfft = _along_one(_fft.rfft)
irfft = _along_one(_fft.irfft)
hfft = _along_one(_fft.hfft)
ihfft = _along_one(_fft.ihfft)
fftn = _along_many(_fft.fftn)
ifftn = _along_many(_fft.ifftn)
rfftn = _along_many(_fft.rfftn)
irfftn = _along_many(_fft.irfftn)


@gives_arrays
def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of fft over n samples at distance d."""
    return _fft.fftfreq(n, d, dtype=dtype, device=device)


@gives_arrays
def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of rfft over n samples at distance d."""
    return _fft.rfftfreq(n, d, dtype=dtype, device=device)


@gives_arrays
def fftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """Frequencies with 0 in the middle."""
    return _fft.fftshift(x, axes)


@gives_arrays
def ifftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """Undoes fftshift."""
    return _fft.ifftshift(x, axes)
