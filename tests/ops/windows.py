"""Rows of rushlight.signal.windows: from the textbook's formulas."""

import numpy as np

from ops.row import Row, case


def _turns(M, sym):
    """The angle of each point, a full turn over the window."""
    return 2 * np.pi * np.arange(M) / max(M - 1 if sym else M, 1)


def _cosines(M, weights, sym):
    angle = _turns(M, sym)
    return sum((-1) ** i * w * np.cos(i * angle) for i, w in enumerate(weights))


def _one(M, values):
    return np.ones(1) if M == 1 else np.asarray(values, float)


def _middle(M, sym):
    return np.arange(M) - (M - 1 if sym else M) / 2


WINDOWS = {
    "bartlett": lambda M, sym: 1 - abs(2 * np.arange(M) / max(M - 1 if sym else M, 1) - 1),
    "blackman": lambda M, sym: _cosines(M, [0.42, 0.5, 0.08], sym),
    "cosine": lambda M, sym: np.sin(np.pi * (np.arange(M) + 0.5) / (M if sym else M + 1)),
    "exponential": lambda M, sym, tau=1.0: np.exp(-abs(_middle(M, sym)) / tau),
    "gaussian": lambda M, sym, std=1.0: np.exp(-(_middle(M, sym) ** 2) / (2 * std**2)),
    "general_cosine": lambda M, sym, a: _cosines(M, a, sym),
    "general_hamming": lambda M, sym, alpha=0.54: _cosines(M, [alpha, 1 - alpha], sym),
    "hamming": lambda M, sym: _cosines(M, [0.54, 0.46], sym),
    "hann": lambda M, sym: _cosines(M, [0.5, 0.5], sym),
    "kaiser": lambda M, sym, beta=12.0: (
        np.i0(beta * np.sqrt(np.clip(1 - (2 * _middle(M, sym) / max(M - sym, 1)) ** 2, 0, 1)))
        / np.i0(beta)
    ),
    "nuttall": lambda M, sym: _cosines(M, [0.3635819, 0.4891775, 0.1365995, 0.0106411], sym),
}
OPTIONS = {
    "exponential": {"tau": 2.5}, "gaussian": {"std": 1.5}, "general_cosine": {"a": [0.5, 0.3, 0.2]},
    "general_hamming": {"alpha": 0.6}, "kaiser": {"beta": 4.0},
}  # fmt: skip
ERRORS = {
    "exponential": ("Tau", {"tau": 0.0}),
    "gaussian": ("Standard deviation", {"std": 0.0}),
    "general_cosine": ("empty", {"a": []}),
    "kaiser": ("non-negative", {"beta": -1.0}),
}


def _row(name, formula):
    def samples(make):
        return [
            case(M, sym=sym, **OPTIONS.get(name, {})) for M in (0, 1, 2, 7, 16) for sym in (True, False)
        ]

    def window(rl, *args, **kwargs):
        return getattr(rl.signal.windows, name)(*args, **{**OPTIONS.get(name, {}), **kwargs})

    errors = [
        (ValueError, "non-negative", lambda rl: window(rl, -1)),
        (ValueError, "float32 or float64", lambda rl: window(rl, 3, dtype=rl.int64)),
    ]
    if name in ERRORS:
        text, wrong = ERRORS[name]
        errors.append((ValueError, text, lambda rl: window(rl, 3, **wrong)))
    Row(
        f"signal.windows.{name}", samples,
        lambda M, sym, **options: _one(M, formula(M, sym, **options)),
        dtypes=("float32",), result=None, grad="", errors=tuple(errors), tol=4,
    )  # fmt: skip


for _name, _formula in WINDOWS.items():
    _row(_name, _formula)
