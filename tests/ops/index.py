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


def _parts(make):
    x = make(3, 4, 2)
    keys = [
        (1, 2), (-1, slice(None), 1), (slice(1, None), 3), (slice(None, None, 2), None, slice(2, -1)),
        (..., 0), (0, ..., None), (None, slice(5, 1), ...), (slice(None),), (2, 3, 1), (...,), (),
        slice(1, 3), slice(None, None, 5), slice(-2, 9),
    ]  # fmt: skip
    return [case(x, key) for key in keys] + [case(make(3, 0), (slice(None), None, ..., slice(0)))]


Row("Tensor.__getitem__", _parts, lambda x, key: x[key], dtypes="bific", grad="fc", view=True,
    covers=("_part", "_part_backward"), method=False, in_place=False, large=None,
    errors=(
        (IndexError, "too many indices", lambda rl: rl.ones(2, 3)[0, 0, 0]),
        (IndexError, "out of range", lambda rl: rl.ones(2, 3)[1, 3]),
        (IndexError, "out of range", lambda rl: rl.ones(2, 3)[-3, :]),
        (ValueError, "zero", lambda rl: rl.ones(2)[::0]),
        (ValueError, "greater than zero", lambda rl: rl.ones(2)[::-1]),
        (IndexError, "0-dim", lambda rl: rl.ones(())[:]),
    ))  # fmt: skip
