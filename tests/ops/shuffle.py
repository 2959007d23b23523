"""Rows of rushlight.ops.shuffle."""

import numpy as np

from ops.row import Row, case


def pixel_shuffle(x, r):
    *batch, c, h, w = x.shape
    found = np.empty((*batch, c // (r * r), h * r, w * r), x.dtype)
    for i in range(r):
        for j in range(r):
            found[..., i::r, j::r] = x[..., i * r + j :: r * r, :, :]
    return found


def pixel_unshuffle(x, r):
    *batch, c, h, w = x.shape
    found = np.empty((*batch, c * r * r, h // r, w // r), x.dtype)
    for i in range(r):
        for j in range(r):
            found[..., i * r + j :: r * r, :, :] = x[..., i::r, j::r]
    return found


def channel_shuffle(x, groups):
    order = np.arange(x.shape[1]).reshape(groups, -1).T.flatten()
    return x[:, order]


Row(
    "pixel_shuffle",
    lambda make: [case(make(2, 8, 3, 2), 2), case(make(9, 1, 2), 3), case(make(0, 4, 1, 1), 2)],
    pixel_shuffle, dtypes="bifc",
    errors=(
        (RuntimeError, "divisible", lambda rl: rl.pixel_shuffle(rl.ones(1, 3, 2, 2), 2)),
        (RuntimeError, "at least 3", lambda rl: rl.pixel_shuffle(rl.ones(4, 2), 2)),
        (RuntimeError, "positive", lambda rl: rl.pixel_shuffle(rl.ones(1, 3, 2, 2), 0)),
    ),
)  # fmt: skip
Row(
    "pixel_unshuffle",
    lambda make: [case(make(2, 2, 4, 6), 2), case(make(1, 3, 6), 3), case(make(0, 4, 2, 2), 2)],
    pixel_unshuffle, dtypes="bifc",
    errors=(
        (RuntimeError, "height", lambda rl: rl.pixel_unshuffle(rl.ones(1, 3, 3, 2), 2)),
        (RuntimeError, "width", lambda rl: rl.pixel_unshuffle(rl.ones(1, 3, 2, 3), 2)),
    ),
)  # fmt: skip
Row(
    "channel_shuffle",
    lambda make: [case(make(2, 6, 3), 2), case(make(1, 6, 2, 2), 3), case(make(0, 4, 1), 2)],
    channel_shuffle, dtypes="bifc", covers=("native_channel_shuffle",),
    errors=(
        (RuntimeError, "divisible", lambda rl: rl.channel_shuffle(rl.ones(1, 3, 2), 2)),
        (RuntimeError, "positive", lambda rl: rl.channel_shuffle(rl.ones(1, 3, 2), 0)),
        (RuntimeError, "> 2 dims", lambda rl: rl.channel_shuffle(rl.ones(3, 2), 1)),
    ),
)  # fmt: skip
