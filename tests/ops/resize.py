"""Rows of rushlight.ops.resize: by the matrices of the linear maps, in NumPy."""

import numpy as np

from ops.row import Row, case

ERRORS = (
    (ValueError, "either size", lambda rl: interpolate(rl, rl.ones(1, 1, 4))),
    (ValueError, "only one", lambda rl: interpolate(rl, rl.ones(1, 1, 4), 2, 2.0)),
    (ValueError, "spatial dimensions", lambda rl: interpolate(rl, rl.ones(1, 1, 4), (2, 2))),
    (ValueError, "align_corners", lambda rl: interpolate(rl, rl.ones(1, 1, 4), 2, None, "nearest", True)),
    (ValueError, "explicit size", lambda rl: interpolate(
        rl, rl.ones(1, 1, 4), 2, recompute_scale_factor=True)),
    (ValueError, "Anti-alias", lambda rl: interpolate(rl, rl.ones(1, 1, 4), 2, antialias=True)),
    (NotImplementedError, "needs 3D", lambda rl: interpolate(rl, rl.ones(1, 1, 4, 4), 2, mode="linear")),
    (NotImplementedError, "3D, 4D and 5D", lambda rl: interpolate(rl, rl.ones(4, 4), ())),
    (RuntimeError, "greater than 0", lambda rl: interpolate(rl, rl.ones(1, 1, 4), 0)),
)  # fmt: skip


def interpolate(rl, *args, **kwargs):
    return rl.nn.functional.interpolate(*args, **kwargs)


def _cubic(x, a=-0.75):
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def _matrix(mode, n, out, factor, corners, antialias):
    """(out, n)."""
    step = ((n - 1) / (out - 1) if out > 1 else 0) if corners else 1 / factor if factor else n / out
    found = np.zeros((out, n))
    for o in range(out):
        if antialias:
            radius, shape = (1, lambda x: max(1 - abs(x), 0)) if mode == "linear" else (
                2, lambda x: _cubic(x, -0.5))
            wide = max(step, 1)
            center = step * (o + 0.5)
            first = max(int(center - radius * wide + 0.5), 0)
            last = min(int(center + radius * wide + 0.5), n)
            row = np.array([shape((i - center + 0.5) / wide) for i in range(first, last)])
            found[o, first:last] = row / row.sum()
        elif mode.startswith("nearest"):
            at = (o + 0.5) * step if mode == "nearest-exact" else o * step
            found[o, min(int(np.floor(at)), n - 1)] = 1
        else:
            at = o * step if corners else (o + 0.5) * step - 0.5
            if mode == "linear":
                at = max(at, 0)
                for i in (int(at), int(at) + 1):
                    found[o, min(i, n - 1)] += 1 - abs(at - i)
            else:
                left = int(np.floor(at))
                for i in range(left - 1, left + 3):
                    found[o, min(max(i, 0), n - 1)] += _cubic(at - i)
    return found


KINDS = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}


def reference(x, size=None, scale_factor=None, mode="nearest", align_corners=None,
              recompute_scale_factor=None, antialias=False):  # fmt: skip
    spatial = x.ndim - 2
    if size is not None:
        sizes = [size] * spatial if isinstance(size, int) else list(size)
        factors = [0] * spatial
    else:
        factors = [scale_factor] * spatial if isinstance(scale_factor, float) else scale_factor
        sizes = [int(np.floor(n * f)) for n, f in zip(x.shape[2:], factors)]
        factors = [0] * spatial if recompute_scale_factor else factors
    for i in range(spatial):
        matrix = _matrix(KINDS.get(mode, mode), x.shape[i + 2], sizes[i], factors[i],
                         align_corners, antialias)  # fmt: skip
        x = np.moveaxis(np.tensordot(matrix, x, (1, i + 2)), 0, i + 2)
    return x


def _samples(make):
    return [
        case(make(2, 3, 5), 8),
        case(make(2, 3, 5), None, 0.6),
        case(make(1, 2, 4, 3), (7, 2), None, "nearest-exact"),
        case(make(2, 1, 5), 9, None, "linear", True),
        case(make(2, 1, 5), None, 1.7, "linear"),
        case(make(2, 1, 5), None, 1.7, "linear", recompute_scale_factor=True),
        case(make(1, 2, 4, 5), (6, 3), None, "bilinear"),
        case(make(1, 2, 4, 5), (6, 1), None, "bilinear", True),
        case(make(1, 2, 7, 9), (3, 5), None, "bilinear", antialias=True),
        case(make(1, 2, 4, 5), (6, 3), None, "bicubic"),
        case(make(1, 2, 4, 5), None, (2.0, 1.5), "bicubic", True),
        case(make(1, 2, 9, 5), (4, 7), None, "bicubic", antialias=True),
        case(make(1, 2, 3, 4, 2), (2, 5, 4), None, "trilinear"),
        case(make(0, 2, 3), 4),
    ]


def _all_samples(make):
    """Also what fills vectors and leaves some over, of few slices and of many."""
    found = _samples(make)
    for size in ((37, 21), (20, 9), (33, 64)):
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic"):
            found.append(case(make(1, 2, 19, 35), size, None, mode))
            found.append(case(make(9, 2, 19, 35), size, None, mode))
    found += [
        case(make(5, 7, 50), 77, None, "linear"),
        case(make(40, 1, 6, 7), (6, 9), None, "bilinear", True),
        case(make(40, 1, 6, 7), (3, 7), None, "bilinear", True),
        case(make(3, 1, 40, 50), (17, 90), None, "bicubic", antialias=True),
        case(make(20, 1, 40, 50), (40, 50), None, "bilinear", antialias=True),
        case(make(4, 5, 5, 6, 7), (10, 3, 14), None, "trilinear"),
    ]
    return found


Row(
    "nn.functional.interpolate", _all_samples, reference, grad_samples=_samples, tol=20, errors=ERRORS,
    dtypes=("float32", "float64"), covers=("_resample", "_resample_adjoint"),
    large=lambda make: [case(make(2, 3, 40, 50), (80, 90), None, "bilinear")],
)  # fmt: skip
Row(
    "nn.functional.upsample", lambda make: [case(make(1, 2, 3, 4), 5, None, "bilinear")], reference,
    tol=20, dtypes=("float32", "float64"),
)  # fmt: skip
Row(
    "nn.functional.upsample_nearest",
    lambda make: [case(make(1, 2, 3, 4), 5), case(make(1, 2, 3, 4), None, 2.0)], reference,
    dtypes=("float32", "float64"),
)  # fmt: skip
Row(
    "nn.functional.upsample_bilinear", lambda make: [case(make(1, 2, 3, 4), (5, 3))],
    lambda x, size: reference(x, size, None, "bilinear", True), tol=20,
    dtypes=("float32", "float64"),
)  # fmt: skip
