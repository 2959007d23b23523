"""The short-time Fourier transform and its inverse: transforms of overlapping windows."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.ops.complex import view_as_real
from rushlight.ops.known import known
from rushlight.ops.padding import constant_pad_nd, pad
from rushlight.ops.shape import _overlap_add, unfold
from rushlight.tensor import Tensor
from rushlight.warned import warn, warn_once


def _complain(name: str, input: Tensor, what: str) -> None:
    raise RuntimeError(f"{name}(input of shape {list(input.shape)}): {what}")


def _in_window(name: str, input: Tensor, n_fft: int, length: int, window: Tensor | None) -> Any:
    """The window filled up to n_fft with zeros on both sides; None for one of ones."""
    if window is not None and (window.ndim != 1 or window.shape[0] != length):
        _complain(
            name, input,
            f"expected a 1D window tensor of size equal to win_length={length}, but got window "
            f"with size {list(window.shape)}",
        )  # fmt: skip
    if window is None:
        warn_once(
            "A window was not provided. A rectangular window will be applied, which leaks into "
            "other frequencies (and to be undone needs the same one): pass torch.hann_window, or "
            "torch.ones(n_fft) for a rectangular one without this warning."
        )
    if length == n_fft:
        return window
    if window is None:
        real = input.dtype.to_real() if input.dtype.is_complex else input.dtype
        window = _core.full((length,), 1, real)
    left = (n_fft - length) // 2
    return constant_pad_nd(window, (left, n_fft - length - left))


@composed(method=True, float32=True)
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """Fourier transforms of overlapping windows of a signal.

    Args:
        input: (samples,) or (batch, samples), real or complex.
        n_fft: the size of the transforms.
        hop_length: samples from one window to the next; n_fft // 4 by default.
        win_length: the size of the window, n_fft by default; a smaller one is centred.
        window: (win_length,), what the samples are multiplied with; ones by default.
        center: pad the signal, so that window t has sample t * hop_length in its middle.
        pad_mode: what with, as of nn.functional.pad.
        normalized: divide by sqrt(n_fft).
        onesided: only the first n_fft // 2 + 1 frequencies; by default for real signals.
        return_complex: complex results; else their parts along a last dimension of size 2.
        align_to_window: without `center`, cut the windows as for n_fft = win_length.

    Returns:
        (batch, frequencies, windows), without the batch if the input has none.

    Raises:
        RuntimeError: `return_complex` is left out for a real signal, or the sizes do not fit.
    """
    from rushlight.ops.fft import _c2c, _r2c

    name = "stft"
    if center and align_to_window is not None:
        raise RuntimeError(
            "stft: align_to_window should only be set when center=False"
        )
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    if return_complex is None:
        if not (input.dtype.is_complex or (window is not None and window.dtype.is_complex)):
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs: "
                "return_complex=True gives complex numbers, False their parts"
            )
        return_complex = True
    elif not return_complex:
        warn_once(
            "stft with return_complex=False is deprecated: in a future release it will raise. "
            "torch.view_as_real gives the parts of the complex result."
        )
    if not (input.dtype.is_floating_point or input.dtype.is_complex):
        _complain(name, input, f"expected floating point or complex values, got {input.dtype}")
    if input.ndim not in (1, 2):
        _complain(name, input, f"expected a 1D or 2D tensor, got {input.ndim}D")
    signal = input.unsqueeze(0) if input.ndim == 1 else input
    if center:
        half = n_fft // 2
        signal = pad(signal.unsqueeze(1), (half, half), pad_mode).squeeze(1)
    samples = signal.shape[-1]
    if n_fft <= 0 or n_fft > samples:
        _complain(name, input, f"expected 0 < n_fft <= {samples}, but got n_fft={n_fft}")
    if hop <= 0:
        _complain(name, input, f"expected hop_length > 0, but got hop_length={hop}")
    if not 0 < length <= n_fft:
        _complain(name, input, f"expected 0 < win_length <= n_fft={n_fft}, got win_length={length}")
    weights = _in_window(name, input, n_fft, length, window)
    if align_to_window and not center and length < n_fft:
        left = (n_fft - length) // 2
        signal = constant_pad_nd(signal, (left, n_fft - length - left))
    frames = unfold(signal, -1, n_fft, hop)
    if weights is not None:
        frames = frames * weights
    if onesided is None:
        onesided = not frames.dtype.is_complex
    if onesided and frames.dtype.is_complex:
        _complain(name, input, "Cannot have onesided output if window or input is complex")
    norm, axis = "ortho" if normalized else "backward", (frames.ndim - 1,)
    spectrum = _r2c(frames, axis, norm) if onesided else _c2c(frames, axis, norm, True)
    spectrum = spectrum.mT
    if input.ndim == 1:
        spectrum = spectrum.squeeze(0)
    return spectrum if return_complex else view_as_real(spectrum)


@composed(method=True, float32=True)
def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal of which `stft`, with the same arguments, gave `input`.

    Overlapping windows are added up and divided by the sum of their squared weights (Griffin and
    Lim 1984).

    Args:
        input: complex, (batch, frequencies, windows) or (frequencies, windows).
        length: of the result; what the windows cover by default.
        return_complex: a complex signal, from all frequencies.

    Raises:
        RuntimeError: the input is real or has another number of frequencies, or the windows leave a
            place without weight.
    """
    from rushlight.ops.fft import _c2c, _c2r, _resized

    name = "istft"
    hop = n_fft // 4 if hop_length is None else hop_length
    win = n_fft if win_length is None else win_length
    _check_spectrum(input)
    frequencies, count = input.shape[-2:]
    if onesided is None:
        onesided = frequencies != n_fft
    _check_inverse(input, n_fft, hop, win, window, onesided, return_complex)
    weights = _in_window(name, input, n_fft, win, window)
    if weights is None:
        weights = _core.full((n_fft,), 1, input.dtype.to_real(), input)
    spectrum = (input.unsqueeze(0) if input.ndim == 2 else input).mT
    norm, axis = "ortho" if normalized else "backward", (2,)
    if return_complex:
        frames = _c2c(spectrum, axis, norm, False)
    else:
        if not onesided:
            spectrum = spectrum[..., : n_fft // 2 + 1]
        frames = _c2r(spectrum, axis, norm, n_fft)
    signal = _overlapped(frames * weights, hop)
    envelope = _overlapped((weights * weights).expand(1, count, n_fft), hop)
    covered = n_fft + hop * (count - 1)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else covered - (n_fft // 2 if center else 0)
    signal, envelope = signal[:, start:end], envelope[:, start:end]
    if known((envelope.detach().abs() <= 1e-11).any()):
        _complain(
            name, input,
            "window overlap add is 0 at some samples: they lie in no window, or where it is 0",
        )  # fmt: skip
    signal = signal / envelope
    missing = end - covered
    if missing > 0:
        warn(
            "The length of signal is shorter than the length parameter. Result is being padded "
            "with zeros in the tail."
        )
        signal = _resized(signal, (1,), (length,))
    return signal.squeeze(0) if input.ndim == 2 else signal


def _check_spectrum(input: Tensor) -> None:
    if not input.dtype.is_complex:
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            f"return_complex=True, got {input.dtype}"
        )
    if input.numel() == 0:
        _complain("istft", input, "input tensor cannot be empty.")
    if input.ndim not in (2, 3):
        _complain("istft", input, f"expected a tensor with 2 or 3 dimensions, got {input.ndim}")


def _check_inverse(
    input: Tensor,
    n_fft: int,
    hop: int,
    win: int,
    window: Tensor | None,
    onesided: bool,
    return_complex: bool,
) -> None:
    """The sizes, and what real and complex signals can have."""
    name, frequencies = "istft", input.shape[-2]
    wanted = n_fft // 2 + 1 if onesided else n_fft
    if frequencies != wanted:
        _complain(
            name, input,
            f"expected the frequency dimension (3rd to the last) of the input tensor to match "
            f"{wanted} for n_fft={n_fft} and onesided={onesided}, but got {frequencies}",
        )  # fmt: skip
    if not 0 < hop <= win:
        _complain(name, input, f"expected 0 < hop_length <= win_length={win}, got {hop}")
    if not 0 < win <= n_fft:
        _complain(name, input, f"expected 0 < win_length <= n_fft={n_fft}, got {win}")
    if return_complex and onesided:
        _complain(
            name, input,
            "cannot have onesided=True if return_complex=True: it needs all frequencies",
        )  # fmt: skip
    if not return_complex and window is not None and window.dtype.is_complex:
        _complain(name, input, "complex windows are incompatible with return_complex=False")


def _overlapped(frames: Tensor, hop: int) -> Tensor:
    """(batch, windows, size) -> (batch, samples): added up, `hop` apart."""
    return _overlap_add(frames, hop, frames.shape[2] + hop * (frames.shape[1] - 1))
