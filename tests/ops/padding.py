"""Rows of rushlight.ops.padding."""

import numpy as np

from ops.row import LARGE, Row, case

MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(x, pad, mode="constant", value=None):
    sides = [(0, 0)] * (x.ndim - len(pad) // 2)
    sides += [(pad[2 * i], pad[2 * i + 1]) for i in reversed(range(len(pad) // 2))]
    x = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(sides, x.shape))]
    grown = [(max(a, 0), max(b, 0)) for a, b in sides]
    if mode == "constant":
        return np.pad(x, grown, constant_values=0 if value is None else value)
    return np.pad(x, grown, MODES[mode])


CONSTANT = ((3,), (1, 2)), ((2, 3), (0, 1, 2, 0)), ((2, 3, 4), (1, -2)), ((4, 5), (-1, -1, 2, -3))


def _constant(make):
    found = [case(make(*shape), sides) for shape, sides in CONSTANT]
    return [*found, case(make(2, 2), (1, 1), 1), case(make(0, 2), (1, 0, 1, 1)), case(make(2), ())]


def _grow(rl, sides):
    return rl.ops.padding.constant_pad_nd(rl.ones(2), sides)


Row(
    "constant_pad_nd", _constant, lambda x, sides, value=0: pad(x, sides, value=value),
    dtypes="bific", grad="fc", path="ops.padding.constant_pad_nd",
    grad_samples=lambda make: [case(make(2, 3), (1, 2)), case(make(2, 3), (-1, 1, 1, 0))],
    errors=(
        (RuntimeError, "divisible", lambda rl: _grow(rl, (1,))),
        (RuntimeError, "two times", lambda rl: _grow(rl, (1, 1, 1, 1))),
        (RuntimeError, "negative", lambda rl: _grow(rl, (-2, -1))),
    ),
)  # fmt: skip
CASES = ((2, 3, 4), (1, 2)), ((2, 3, 4, 5), (1, 2, 2, 0)), ((2, 4, 3, 4, 3), (1, 0, 2, 1, 1, 1))


def _samples(make):
    found = [case(make(3, 2), (1, 1), "constant", 2.0)]
    for mode in MODES:
        found += [case(make(*shape), sides, mode) for shape, sides in CASES]
        found += [case(make(2, 3, 4, 5), (-1, 2, 1, -2), mode), case(make(0, 3, 4), (1, 1), mode)]
        found += [case(make(2, 5, 33), (3, 4), mode), case(make(2, 2, 3), (0, 0), mode)]
    return [*found, case(make(3, 4), (1, 1), "circular"), case(make(2, 3, 5), (-1, 2), "circular")]


def _pad(rl, *args):
    return rl.nn.functional.pad(rl.ones(1, 2), *args)


Row(
    "nn.functional.pad", _samples, pad, covers=("_edge_pad", "_edge_pad_adjoint"),
    dtypes=("float32", "float64", "float16", "int64", "complex64", "complex128"), grad="fc",
    large=lambda make: [case(make(*LARGE), (3, 2), "reflect")],
    grad_samples=lambda make: [
        found
        for mode in MODES
        for found in (
            case(make(1, 2, 3), (2, 1), mode),
            case(make(1, 2, 3, 4), (-1, 2, 2, 0), mode),
            case(make(1, 2, 2, 3, 4), (3, 1, 1, -1, 1, 1), mode),
        )
    ],
    errors=(
        (NotImplementedError, "mode", lambda rl: _pad(rl, (1, 1), "mirror")),
        (RuntimeError, "less than", lambda rl: _pad(rl, (2, 0), "reflect")),
        (RuntimeError, "negative number", lambda rl: _pad(rl, (-2, -1), "replicate")),
        (RuntimeError, "leaves nothing", lambda rl: _pad(rl, (-2, -1), "circular")),
        (NotImplementedError, "Only 2D", lambda rl: rl.nn.functional.pad(
            rl.ones(()), (1, 1), "reflect")),
        (RuntimeError, "wrapping", lambda rl: _pad(rl, (3, 0), "circular")),
        (ValueError, "value", lambda rl: _pad(rl, (1, 0), "reflect", 1.0)),
    ),
)  # fmt: skip
