"""Rows of rushlight.ops.scan: running sums and their kind, differences, integrals."""

import numpy as np

from ops.row import Row, case

ALL = {"dtypes": ("float32", "float64", "int64", "complex64", "complex128"), "grad": "fc", "tol": 5}


def along(*arguments, shape=(3, 4), **bounds):
    return lambda make: [case(make(*shape, **bounds), *args) for args in arguments]


def _scan(f):
    return lambda x, dim: f(x, axis=dim) if x.ndim else x


DIMS = along((0,), (1,), (-1,))
Row("cumsum", DIMS, _scan(np.cumsum), covers=("_sums_from_end",), out_cast=False, **ALL,
    errors=((IndexError, "range", lambda rl: rl.cumsum(rl.ones(2), 1)),))  # fmt: skip


def _with_zeros(make):
    x = make(3, 4)
    x[1, 1] = x[1, 3] = 0
    return [case(x, 0), case(x, 1), case(make(3), 0)]


Row("cumprod", _with_zeros, _scan(np.cumprod), out_cast=False, **ALL)


def _running(f):
    def ref(x, dim):
        values = f.accumulate(x, axis=dim)
        changed = np.moveaxis(np.zeros_like(values, dtype=np.int64), dim, 0)
        moved = np.moveaxis(x, dim, 0)
        best = np.moveaxis(values, dim, 0)
        for i in range(1, len(moved)):
            changed[i] = np.where(moved[i] == best[i], i, changed[i - 1])
        return values, np.moveaxis(changed, 0, dim)

    return ref


ORDERED = {"dtypes": ("float32", "float64", "int64")}
Row("cummax", lambda make: [case(make.distinct(3, 4), d) for d in (0, 1)], _running(np.maximum),
    **ORDERED)  # fmt: skip
Row("cummin", lambda make: [case(make.distinct(3, 4), d) for d in (0, 1)], _running(np.minimum),
    **ORDERED)  # fmt: skip
Row("logcumsumexp", DIMS, _scan(np.logaddexp.accumulate), tol=5)


def _diff(x, n=1, dim=-1, prepend=None, append=None):
    more = {k: v for k, v in (("prepend", prepend), ("append", append)) if v is not None}
    return np.diff(x, n, dim, **more)


Row("diff", lambda make: [case(make(3, 4), *a) for a in ((), (2,), (1, 0), (9,))]
    + [case(make(3, 4), prepend=make(3, 2), append=make(3, 1))], _diff, **ALL)  # fmt: skip


def _trapezoid(y, x=None, *, dx=None, dim=-1):
    return np.trapezoid(y, x, 1 if dx is None else dx, dim)


def _trapezia(make):
    return [case(make(3, 4)), case(make(3, 4), dim=0), case(make(3, 4), dx=0.5),
            case(make(3, 4), make(4))]  # fmt: skip


Row("trapezoid", _trapezia, _trapezoid, grad="f", method=False, tol=5)
Row("trapz", _trapezia, _trapezoid, grad="f", method=False, tol=5)


def _cumulative(y, x=None, *, dx=None, dim=-1):
    step = (1 if dx is None else dx) if x is None else np.diff(x)
    sides = np.moveaxis(y, dim, -1)
    return np.moveaxis(np.cumsum(step * (sides[..., 1:] + sides[..., :-1]) / 2, -1), -1, dim)


Row("cumulative_trapezoid", _trapezia, _cumulative, grad="f", method=False, tol=5)


def _gradients(make):
    x = make(4, 5)
    return [case(x), case(x, spacing=2.0), case(x, dim=1, edge_order=2), case(x[0]),
            case(x, spacing=[0.5, 3.0]), case(x, dim=(1, 0))]  # fmt: skip


def _gradient(x, *, spacing=1, dim=None, edge_order=1):
    steps = spacing if isinstance(spacing, list) else [spacing]
    found = np.gradient(x, *steps, axis=dim, edge_order=edge_order)
    return found if isinstance(found, (list, tuple)) else [found]


Row("gradient", _gradients, _gradient, dtypes=("float32", "float64", "complex64", "complex128"),
    grad="fc", method=False, tol=5,
    errors=((RuntimeError, "edge_order", lambda rl: rl.gradient(rl.ones(4), edge_order=3)),
            (RuntimeError, "at least edge_order", lambda rl: rl.gradient(rl.ones(1)))))  # fmt: skip
