"""torch.fft: discrete Fourier transforms."""

from __future__ import annotations

from rushlight.ops import fft as _fft

_NAMES = (
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2",
    "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft",
    "rfft2", "rfftfreq", "rfftn",
)  # fmt: skip
globals().update((_name, getattr(_fft, f"fft_{_name}")) for _name in _NAMES)
__all__ = [*_NAMES]
