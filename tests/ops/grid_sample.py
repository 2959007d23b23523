"""Rows of rushlight.ops.grid_sample: one place after the other, in NumPy."""

import itertools

import numpy as np

from ops.resize import _cubic
from ops.row import Row, case


def _reflect(x, size, corners):
    low, span = (0, size - 1) if corners else (-0.5, size)
    if span == 0:
        return 0.0
    away = abs(x - low) % (2 * span)
    return low + min(away, 2 * span - away)


def _inside(x, size, padding, corners):
    if padding == "reflection":
        x = _reflect(x, size, corners)
    return x if padding == "zeros" else min(max(x, 0), size - 1)


def grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False):
    sizes = x.shape[2:]
    found = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
    for place in np.ndindex(*grid.shape[:-1]):
        parts = []
        for axis, size in enumerate(sizes):
            g = grid[place][len(sizes) - 1 - axis]
            at = (g + 1) * (size - 1) / 2 if align_corners else ((g + 1) * size - 1) / 2
            if mode != "bicubic":
                at = _inside(at, size, padding_mode, align_corners)
            left = int(np.floor(at))
            if mode == "nearest":
                parts.append([(np.round(at), 1.0)])
            elif mode == "bilinear":
                parts.append([(i, 1 - abs(at - i)) for i in (left, left + 1)])
            else:
                parts.append([
                    (_inside(i, size, padding_mode, align_corners), _cubic(at - i))
                    for i in range(left - 1, left + 3)
                ])  # fmt: skip
        for corner in itertools.product(*parts):
            index = [int(i) for i, _ in corner]
            if all(0 <= i < size for i, size in zip(index, sizes)):
                weight = np.prod([w for _, w in corner])
                found[(place[0], slice(None), *place[1:])] += (
                    weight * x[(place[0], slice(None), *index)]
                )
    return found


def _samples(make):
    def grid(*shape):
        return make(*shape, low=-1.4, high=1.4)

    cases = []
    for padding in ("zeros", "border", "reflection"):
        for corners in (False, True):
            for mode in ("bilinear", "nearest", "bicubic"):
                cases.append(case(make(2, 2, 3, 4), grid(2, 3, 2, 2), mode, padding, corners))
            cases.append(case(make(1, 2, 2, 3, 4), grid(1, 2, 3, 1, 3), "bilinear", padding, corners))
    return cases


def _all_samples(make):
    """Also more places than a block, axes of one element, and nothing."""
    def grid(*shape):
        return make(*shape, low=-1.4, high=1.4)

    found = _samples(make)
    for mode in ("bilinear", "nearest", "bicubic"):
        found += [
            case(make(2, 3, 5, 9), grid(2, 9, 11, 2), mode),
            case(make(1, 2, 1, 4), grid(1, 2, 3, 2), mode, "reflection", True),
            case(make(1, 2, 1, 4), grid(1, 2, 3, 2), mode, "border"),
            case(make(2, 0, 2, 2), grid(2, 3, 3, 2), mode),
            case(make(0, 2, 2, 2), grid(0, 3, 3, 2), mode),
            case(make(2, 2, 2, 2), grid(2, 0, 3, 2), mode),
        ]
    return [*found, case(make(2, 2, 3, 3, 3), grid(2, 5, 6, 7, 3), "nearest", "border")]


def _sample(rl, *args, **kwargs):
    return rl.nn.functional.grid_sample(*args, align_corners=False, **kwargs)


Row(
    "nn.functional.grid_sample", _all_samples, grid_sample, tol=100, dtypes=("float32", "float64"),
    covers=("grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "_grid_sample",
            "_grid_sample_backward"), grad_samples=lambda make: [
        item for item in _samples(make) if item.args[2] != "nearest"
    ],
    errors=(
        (RuntimeError, "last dimension", lambda rl: _sample(
            rl, rl.ones(1, 1, 2, 2), rl.ones(1, 2, 2, 3))),
        (RuntimeError, "batch size", lambda rl: _sample(
            rl, rl.ones(1, 1, 2, 2), rl.ones(2, 2, 2, 2))),
        (RuntimeError, "same dtype", lambda rl: _sample(
            rl, rl.ones(1, 1, 2, 2), rl.ones(1, 2, 2, 2).double())),
        (RuntimeError, "4D or 5D", lambda rl: _sample(rl, rl.ones(1, 2, 2), rl.ones(1, 2, 2))),
        (RuntimeError, "only supports 4D", lambda rl: _sample(
            rl, rl.ones(1, 1, 2, 2, 2), rl.ones(1, 2, 2, 2, 3), "bicubic")),
        (ValueError, "expected mode", lambda rl: _sample(
            rl, rl.ones(1, 1, 2, 2), rl.ones(1, 2, 2, 2), "cubic")),
        (ValueError, "padding_mode", lambda rl: _sample(
            rl, rl.ones(1, 1, 2, 2), rl.ones(1, 2, 2, 2), padding_mode="wrap")),
    ),
)  # fmt: skip


def affine_grid(theta, size, align_corners=False):
    rank = len(size) - 2
    found = np.empty((size[0], *size[2:], rank))
    for place in np.ndindex(*size[2:]):
        point = []
        for i, n in zip(reversed(place), reversed(size[2:])):
            if align_corners:
                point.append(2 * i / (n - 1) - 1 if n > 1 else 0)
            else:
                point.append((2 * i + 1) / n - 1)
        found[(slice(None), *place)] = theta @ np.array([*point, 1.0])
    return found


Row(
    "nn.functional.affine_grid",
    lambda make: [
        case(make(2, 2, 3), (2, 1, 3, 4), False),
        case(make(2, 2, 3), (2, 1, 1, 4), True),
        case(make(1, 3, 4), (1, 2, 2, 3, 4), True),
        case(make(1, 3, 4), (1, 2, 2, 3, 4), False),
    ],
    affine_grid, tol=10, covers=("affine_grid_generator",), dtypes=("float32", "float64"),
    errors=(
        (ValueError, "floating point", lambda rl: rl.nn.functional.affine_grid(
            rl.ones(1, 2, 3).long(), (1, 1, 2, 2))),
        (ValueError, "Nx2x3", lambda rl: rl.nn.functional.affine_grid(
            rl.ones(1, 3, 3), (1, 1, 2, 2))),
        (NotImplementedError, "4D and 5D", lambda rl: rl.nn.functional.affine_grid(
            rl.ones(1, 2, 3), (1, 1, 2))),
        (ValueError, "non-zero", lambda rl: rl.nn.functional.affine_grid(
            rl.ones(1, 2, 3), (1, 1, 0, 2))),
    ),
)  # fmt: skip
