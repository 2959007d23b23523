"""Rows of rushlight.ops.window; NumPy has the symmetric ones."""

import numpy as np

from ops.row import Row, case


def _row(name, symmetric, *more):
    def ref(length, periodic=True, *args):
        if length < 2:
            return np.ones(length)
        return symmetric(length + 1, *args)[:-1] if periodic else symmetric(length, *args)

    cases = [case(n, p) for n in (0, 1, 2, 7, 8) for p in (True, False)]
    Row(name, lambda make: [*cases, *more], ref, dtypes=("float32",), grad="",
        errors=((RuntimeError, "non-negative", lambda rl: getattr(rl, name)(-1)),
                (RuntimeError, "floating", lambda rl: getattr(rl, name)(3, dtype=rl.int64))),
        )  # fmt: skip


def _hamming(n, alpha=0.54, beta=0.46):
    return alpha - beta * np.cos(2 * np.pi * np.arange(n) / (n - 1))


_row("bartlett_window", np.bartlett)
_row("hann_window", np.hanning)
_row("hamming_window", _hamming, case(6, True, 0.6, 0.3))
_row("blackman_window", np.blackman)
_row("kaiser_window", lambda n, beta=12.0: np.kaiser(n, beta), case(6, False, 3.0))
