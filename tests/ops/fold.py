"""Rows of rushlight.ops.fold."""

import numpy as np

from ops.row import Row, case


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def windows(size, kernel, dilation, padding, stride):
    """For each window and element its pixel in the padded image, along both axes."""
    found = []
    for n, k, d, p, s in zip(size, kernel, dilation, padding, stride):
        count = (n + 2 * p - d * (k - 1) - 1) // s + 1
        found.append(np.arange(count)[None] * s + np.arange(k)[:, None] * d)
    return found


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    kernel, dilation, padding, stride = map(_pair, (kernel_size, dilation, padding, stride))
    lead, size = x.shape[:-2], x.shape[-2:]
    y, z = windows(size, kernel, dilation, padding, stride)
    sides = [(0, 0)] * len(lead) + [(p, p) for p in padding]
    seen = np.pad(x, sides)[..., y[:, None, :, None], z[None, :, None, :]]
    return seen.reshape(*lead[:-1], lead[-1] * kernel[0] * kernel[1], y.shape[1] * z.shape[1])


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    size, kernel, dilation, padding, stride = map(
        _pair, (output_size, kernel_size, dilation, padding, stride)
    )
    y, z = windows(size, kernel, dilation, padding, stride)
    lead = (*x.shape[:-2], x.shape[-2] // (kernel[0] * kernel[1]))
    image = np.zeros((*lead, size[0] + 2 * padding[0], size[1] + 2 * padding[1]), x.dtype)
    columns = x.reshape(*lead, *kernel, y.shape[1], z.shape[1])
    np.add.at(image, (..., y[:, None, :, None], z[None, :, None, :]), columns)
    return image[..., padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]


def F(rl):
    return rl.nn.functional


Row(
    "nn.functional.unfold",
    lambda make: [
        case(make(2, 3, 5, 6), 2),
        case(make(2, 3, 5, 6), (3, 2), (1, 2), (2, 1), (2, 3)),
        case(make(3, 4, 4), 3, padding=1),
        case(make(1, 1, 3, 3), 2, 1, 3, 4),
        case(make(0, 2, 3, 3), 2),
    ],
    unfold, dtypes="fcb", grad="fc", covers=("im2col",),
    grad_samples=lambda make: [case(make(1, 2, 3, 3), 2, 1, 1, 2)],
    errors=(
        (RuntimeError, "3D or 4D", lambda rl: F(rl).unfold(rl.ones(3, 3), 2)),
        (RuntimeError, "no window", lambda rl: F(rl).unfold(rl.ones(1, 3, 3), 4)),
        (RuntimeError, "kernel size", lambda rl: F(rl).unfold(rl.ones(1, 3, 3), 0)),
        (RuntimeError, "stride", lambda rl: F(rl).unfold(rl.ones(1, 3, 3), 2, stride=0)),
        (RuntimeError, "dilation", lambda rl: F(rl).unfold(rl.ones(1, 3, 3), 2, dilation=0)),
        (RuntimeError, "padding", lambda rl: F(rl).unfold(rl.ones(1, 3, 3), 2, padding=-1)),
        (RuntimeError, "at most", lambda rl: F(rl).unfold(rl.ones(1, 3, 3), 2, stride=2**40)),
        (RuntimeError, "overflow", lambda rl: F(rl).unfold(rl.ones(1, 3, 3), 2**30, 1, 2**30)),
    ),
)  # fmt: skip
Row(
    "nn.functional.fold",
    lambda make: [
        case(make(2, 12, 20), (5, 6), 2),
        case(make(1, 6, 6), (4, 7), (3, 2), (1, 2), (1, 0), (2, 2)),
        case(make(18, 16), 4, 3, padding=1),
        case(make(0, 4, 4), 3, 2),
    ],
    fold, dtypes="fc", grad="fc", covers=("col2im",), tol=3,
    grad_samples=lambda make: [case(make(1, 8, 4), 3, 2, 1, 0, 1)],
    errors=(
        (RuntimeError, "2D or 3D", lambda rl: F(rl).fold(rl.ones(4), 3, 2)),
        (RuntimeError, "divisible", lambda rl: F(rl).fold(rl.ones(1, 5, 4), 3, 2)),
        (RuntimeError, "windows", lambda rl: F(rl).fold(rl.ones(1, 4, 5), 3, 2)),
        (RuntimeError, "output_size", lambda rl: F(rl).fold(rl.ones(1, 4, 5), 0, 2)),
        (RuntimeError, "at most", lambda rl: F(rl).fold(rl.ones(1, 4, 4), 3, 2**32)),
    ),
)  # fmt: skip
