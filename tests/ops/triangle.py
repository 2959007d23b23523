"""Rows of rushlight.ops.triangle: triangles and diagonals of matrices."""

import numpy as np

from ops.join import ALL, cases
from ops.row import Row, case

ONCE = {"dtypes": ("float32",), "result": None, "grad": "", "method": False}
TRIANGLE = (), (1,), (-1,), (5,)
Row("tril", cases((3, 4), *TRIANGLE), np.tril, **ALL,
    errors=((RuntimeError, "2 dimensions", lambda rl: rl.tril(rl.ones(3))),))  # fmt: skip
Row("triu", cases((2, 3, 4), *TRIANGLE), np.triu, **ALL)


def _indices(f):
    return lambda rows, columns, offset=0: np.stack(f(rows, offset, columns))


for _name, _f in (("tril_indices", np.tril_indices), ("triu_indices", np.triu_indices)):
    Row(_name, lambda make: [case(3, 3), case(2, 4, 1), case(3, 2, -1)], _indices(_f), **ONCE)


def _diag_embed(x, offset=0, dim1=-2, dim2=-1):
    n = x.shape[-1] + abs(offset)
    made = np.zeros((*x.shape[:-1], n, n), x.dtype)
    i = np.arange(x.shape[-1])
    made[..., i + max(-offset, 0), i + max(offset, 0)] = x
    return np.moveaxis(made, (-2, -1), (dim1, dim2))


Row("diag_embed", cases((2, 3), (), (1,), (-2,), (0, 0, 1)), _diag_embed, **ALL)
Row("diag", lambda make: [case(make(3)), case(make(3), 1), case(make(3, 4)), case(make(3, 4), -1)],
    np.diag, **ALL, errors=((RuntimeError, "", lambda rl: rl.diag(rl.ones(2, 2, 2))),))  # fmt: skip
Row("diagflat", cases((2, 2), (), (1,)), np.diagflat, **ALL)
Row("trace", lambda make: [case(make(3, 3)), case(make(2, 4))], np.trace,
    dtypes=("float32", "float64", "int64", "complex64"), grad="fc", tol=3)  # fmt: skip
Row("vander", cases((3,), (), (4,), (2, True)), np.vander, grad="f", tol=3, method=False)
