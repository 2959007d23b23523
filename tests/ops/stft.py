"""Rows of rushlight.ops.stft."""

import numpy as np

import rushlight as rl
from ops.row import Row, case

DTYPES = ("float32", "float64", "complex64", "complex128")


def _stft(
    x, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect",
    normalized=False, onesided=None, return_complex=None,
):  # fmt: skip
    """Window by window."""
    hop, size = hop_length or n_fft // 4, win_length or n_fft
    weights = np.zeros(n_fft, np.result_type(x.dtype if window is None else window.dtype))
    left = (n_fft - size) // 2
    weights[left : left + size] = 1 if window is None else window
    signal = np.atleast_2d(x)
    if center:
        half = n_fft // 2
        signal = np.pad(signal, ((0, 0), (half, half)), pad_mode)
    starts = range(0, signal.shape[-1] - n_fft + 1, hop)
    frames = np.stack([signal[:, s : s + n_fft] * weights for s in starts], 1)
    if onesided is None:
        onesided = frames.dtype.kind != "c"
    f = np.fft.rfft if onesided else np.fft.fft
    result = f(frames, axis=-1, norm="ortho" if normalized else None).swapaxes(-1, -2)
    result = result[0] if x.ndim == 1 else result
    return result if return_complex else np.stack((result.real, result.imag), -1)


def _real_window(make, n):
    return make(n, low=0.5, high=1).real.copy()


def _signals(make):
    x = make(2, 20)
    return [
        case(x, 8, return_complex=True), case(x[0], 8, 3, return_complex=True),
        case(x, 8, window=_real_window(make, 8), return_complex=True),
        case(x, 8, 2, 6, _real_window(make, 6), normalized=True, return_complex=True),
        case(x, 7, center=False, onesided=False, return_complex=True),
        case(x, 8, return_complex=False),
    ]  # fmt: skip


Row("stft", _signals, _stft, dtypes=DTYPES, grad="fc", result=None, tol=10, exact=False,
    grad_samples=lambda make: [case(make(10), 4, return_complex=True),
                               case(make(10), 4, 2, 3, make(3), True, "reflect", True, False, True)],
    errors=((RuntimeError, "return_complex", lambda rl: rl.stft(rl.ones(9), 4)),
            (RuntimeError, "1D or 2D", lambda rl: rl.stft(rl.ones(1, 1, 9), 4, center=False,
                                                          return_complex=True)),
            (RuntimeError, "n_fft", lambda rl: rl.stft(rl.ones(3), 9, center=False,
                                                       return_complex=True)),
            (RuntimeError, "hop_length", lambda rl: rl.stft(rl.ones(9), 4, 0, return_complex=True)),
            (RuntimeError, "onesided", lambda rl: rl.stft(
                rl.ones(9) * 1j, 4, onesided=True, return_complex=True)),
            (RuntimeError, "window", lambda rl: rl.stft(
                rl.ones(9), 4, window=rl.ones(3), return_complex=True))))  # fmt: skip


def _check(result, X, n_fft, *more, **options):
    """Of a spectrum that is one of a signal, istft gives that signal."""
    known = {k: v for k, v in options.items() if k not in ("length", "return_complex")}
    again = rl.stft(result, n_fft, *more, **known, return_complex=True)
    tol = 1e-4 if X.dtype is rl.complex64 else 1e-9
    np.testing.assert_allclose(again.numpy(), X.numpy(), rtol=tol, atol=tol)


def _spectra(make):
    found = []
    for shape, n, more in (
        ((2, 32), 8, {}), ((32,), 8, {"hop_length": 4}), ((2, 32), 8, {"normalized": True}),
        ((2, 32), 8, {"window": make(8, low=0.5, high=1).real.copy(), "length": 32}),
        ((2, 32), 8, {"onesided": False, "return_complex": True}),
    ):  # fmt: skip
        real = not more.get("return_complex")
        x = make(*shape)
        x = x.real if real else x
        given = {k: v for k, v in more.items() if k not in ("length", "return_complex")}
        X = _stft(x, n, return_complex=True, **given)
        found.append(case(X.astype(make.numpy_dtype), n, **more))
    return found


Row("istft", _spectra, check=_check, dtypes=("complex64", "complex128"), grad="c", result=None,
    grad_samples=lambda make: [case(make(3, 4), 4), case(make(3, 4), 4, window=np.hanning(6)[1:5],
                                                         length=10),
                               case(make(4, 4), 4, onesided=False, return_complex=True)],
    errors=((RuntimeError, "complex", lambda rl: rl.istft(rl.ones(3, 4), 4)),
            (RuntimeError, "frequency", lambda rl: rl.istft(rl.ones(9, 4) * 1j, 4)),
            (RuntimeError, "empty", lambda rl: rl.istft(rl.ones(0, 4) * 1j, 4)),
            (RuntimeError, "overlap", lambda rl: rl.istft(
                rl.ones(3, 4) * 1j, 4, window=rl.zeros(4)))))  # fmt: skip
