"""Rows of rushlight.ops.matrix_functions."""

import numpy as np

from ops.factors import ALL, LOW, SHAPES, ones, regular
from ops.row import Row, case

SQUARE = (RuntimeError, "square")


def _powers(make):
    A = regular(make, 2, 3, 3) / np.asarray(3, make.numpy_dtype)
    return [case(A, n) for n in (0, 1, 2, 5, -1, -3)]


for _name in ("linalg.matrix_power", "matrix_power"):
    Row(_name, _powers, np.linalg.matrix_power, **ALL, covers=("linalg_matrix_power",),
        grad_samples=lambda make: _powers(make)[1:],
        errors=((*SQUARE, lambda rl: rl.matrix_power(ones(2, 3), 2)),
                (RuntimeError, "singular", lambda rl: rl.matrix_power(rl.zeros(2, 2), -1)),
                (*LOW, lambda rl: rl.matrix_power(ones(2), 2))))  # fmt: skip


def _exp(A):
    """Taylor's series after halving 10 times."""
    small = A / 1024
    term = total = np.broadcast_to(np.eye(A.shape[-1]), A.shape).astype(A.dtype)
    for k in range(1, 30):
        term = term @ small / k
        total = total + term
    for _ in range(10):
        total = total @ total
    return total


def _exponents(make):
    found = [case(make(*shape, low=-1, high=1)) for shape in SHAPES]
    scales = np.array([1e-3, 0.02, 0.2, 0.5, 1, 3]).reshape(-1, 1, 1)
    return [*found, case((make(6, 3, 3, low=-1, high=1) * scales).astype(make.numpy_dtype))]


for _name in ("linalg.matrix_exp", "matrix_exp"):
    Row(_name, _exponents, _exp, **ALL, covers=("linalg_matrix_exp",),
        grad_samples=lambda make: [case(make(3, 3, low=-1, high=1)), case(make(2, 2, 2)),
                                   case(make(1, 1))],
        errors=((*SQUARE, lambda rl: rl.linalg.matrix_exp(ones(2, 3))),
                (*LOW, lambda rl: rl.linalg.matrix_exp(ones(2)))))  # fmt: skip


def _chains(make):
    return [case([make(2, 5), make(5, 3)]), case([make(2, 5), make(5, 3), make(3, 4), make(4, 2)]),
            case([make(3), make(3, 4), make(4)]), case([make(3), make(3, 2)])]  # fmt: skip


Row("linalg.multi_dot", _chains, lambda xs: np.linalg.multi_dot(list(xs)), **ALL,
    covers=("linalg_multi_dot",), layouts=False,
    errors=((RuntimeError, "at least 2", lambda rl: rl.linalg.multi_dot([ones(2, 2)])),
            (RuntimeError, "multiplied", lambda rl: rl.linalg.multi_dot([ones(2, 2), ones(3, 2)])),
            ))  # fmt: skip
Row("linalg.vecdot", lambda make: [case(make(2, 3), make(2, 3)), case(make(2, 3), make(3)),
                                   case(make(3, 2), make(3, 2), dim=0)],
    lambda x, y, dim=-1: (x.conj() * y).sum(dim), **ALL, covers=("linalg_vecdot",),
    errors=((RuntimeError, "same dtype",
             lambda rl: rl.linalg.vecdot(ones(2), ones(2).double())),))  # fmt: skip
Row("linalg.cross", lambda make: [case(make(2, 3), make(2, 3)), case(make(3, 2), make(3, 2), dim=0),
                                  case(make(1, 3), make(4, 3))],
    lambda a, b, dim=-1: np.cross(a, b, axis=dim), **ALL, covers=("linalg_cross", "_cross_product"),
    errors=((RuntimeError, "length 3", lambda rl: rl.linalg.cross(ones(2), ones(2))),))  # fmt: skip
Row("linalg.diagonal", lambda make: [case(make(2, 3, 4)), case(make(2, 3, 4), offset=1, dim1=0)],
    lambda A, offset=0, dim1=-2, dim2=-1: np.diagonal(A, offset, dim1, dim2), **ALL, view=True,
    covers=("linalg_diagonal",))  # fmt: skip


def _vander(x, N=None):
    count = x.shape[-1] if N is None else N
    return x[..., None] ** np.arange(count)


Row("linalg.vander", lambda make: [case(make(4)), case(make(2, 3), N=5)], _vander,
    **{**ALL, "dtypes": (*ALL["dtypes"], "int64")}, covers=("linalg_vander",),
    errors=((RuntimeError, "greater than 1", lambda rl: rl.linalg.vander(ones(1))),))  # fmt: skip


def _tensor(make, *shape):
    size = int(np.sqrt(np.prod(shape)))
    return regular(make, size, size).reshape(shape)


Row("linalg.tensorinv", lambda make: [case(_tensor(make, 2, 3, 6)), case(_tensor(make, 4, 2, 2), 1)],
    lambda A, ind=2: np.linalg.tensorinv(A, ind), **ALL, covers=("linalg_tensorinv",),
    errors=((RuntimeError, "strictly positive", lambda rl: rl.linalg.tensorinv(ones(2, 2), 0)),
            (RuntimeError, "requirement", lambda rl: rl.linalg.tensorinv(ones(2, 3), 1))),
    )  # fmt: skip
Row("linalg.tensorsolve",
    lambda make: [case(_tensor(make, 2, 3, 6), make(2, 3)),
                  case(_tensor(make, 2, 6, 3), make(2, 3), dims=(1,))],
    lambda A, B, dims=None: np.linalg.tensorsolve(A, B, dims), **ALL,
    covers=("linalg_tensorsolve",),
    errors=((RuntimeError, "requirement", lambda rl: rl.linalg.tensorsolve(ones(2, 3), ones(2))),),
    )  # fmt: skip
