"""Rows of rushlight.ops.reorder: a tensor repeated, turned round and rolled."""

import numpy as np

from ops.join import ALL, cases
from ops.row import Row, case

Row("repeat", cases((2, 3), (2, 1), (3, 2, 2), ((1, 2),), (0, 1)),
    lambda x, *n: np.tile(x, n[0] if isinstance(n[0], tuple) else n), path="Tensor.repeat", **ALL,
    errors=((RuntimeError, "repeat", lambda rl: rl.ones(2, 3).repeat(2)),
            (RuntimeError, "allocate", lambda rl: rl.ones(3).repeat(2**46)),
            (RuntimeError, "overflow", lambda rl: rl.ones(4).repeat(2**62))))  # fmt: skip
Row("tile", cases((2, 3), ((2,),), ((2, 1, 2),)), np.tile, **ALL)
Row(
    "repeat_interleave",
    lambda make: [case(make(2, 3), 2), case(make(2, 3), 3, 1),
                  case(make(2, 3), np.array([1, 0, 2]), 1)],
    lambda x, n, dim=None: np.repeat(x, n, dim), **ALL,
)  # fmt: skip
Row("flip", cases((2, 3, 2), ((0,),), ((1, 2),), ((-1,),)), np.flip, **ALL,
    errors=((RuntimeError, "", lambda rl: rl.flip(rl.ones(2), (0, 0))),
            (IndexError, "range", lambda rl: rl.flip(rl.ones(2), (1,))),
            (RuntimeError, "allocate", lambda rl: rl.flip(rl.ones(1).expand(2**46), (0,)))))  # fmt: skip
Row("fliplr", cases((2, 3), ()), np.fliplr, **ALL)
Row("flipud", cases((2, 3), ()), np.flipud, **ALL)
Row("roll", cases((2, 3), (1,), (-1, 0), (2, 1), ((1, 2), (0, 1)), (7, 1)),
    lambda x, shifts, dims=None: np.roll(x, shifts, dims), **ALL)  # fmt: skip
Row("rot90", cases((2, 3), (), (2,), (-1,), (1, (1, 0))),
    lambda x, k=1, dims=(0, 1): np.rot90(x, k, dims), **ALL)  # fmt: skip
