"""Rows of rushlight.ops.index. Tensor.__getitem__ in all its forms is in tests/test_index.py."""

import numpy as np

from ops.row import Row, case


def _put(x, indices, values, accumulate=False):
    made = x.copy()
    if accumulate:
        np.add.at(made, tuple(indices), values)
    else:
        made[tuple(indices)] = values
    return made


def _places(make):
    rows, columns = np.array([0, 2, 1]), np.array([1, 1, 0])
    return [
        case(make(3, 2), (rows, columns), make(3)), case(make(3, 2), (rows,), make(3, 2)),
        case(make(3, 2), (np.array([0, 0, 1]),), make(3, 2), True),
        case(make(3, 2), (np.array([True, False, True]),), make(2, 2)),
    ]  # fmt: skip


Row("index_put", _places, _put, dtypes="fic", grad="fc",
    covers=("_index", "_index_backward", "_index_put", "index_put_", "alias"), in_place=False,
    errors=((IndexError, "", lambda rl: rl.ones(2).index_put((rl.tensor([2]),), rl.ones(1))),),
    )  # fmt: skip
