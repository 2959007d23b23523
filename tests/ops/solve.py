"""Rows of rushlight.ops.solve: systems, inverses, determinants."""

import numpy as np

from ops.factors import ALL, LOW, SHAPES, ones, regular
from ops.row import Row, case

SQUARE = (RuntimeError, "square")
SINGULAR = (RuntimeError, "singular")


def _systems(make):
    return [
        case(regular(make, 3, 3), make(3, 2)), case(regular(make, 3, 3), make(3)),
        case(regular(make, 2, 3, 3), make(2, 3)), case(regular(make, 2, 3, 3), make(3, 2)),
        case(regular(make, 3, 3), make(2, 3), left=False),
        case(regular(make, 2, 2), make(3, 2, 1)), case(make(0, 0), make(0, 2)),
    ]  # fmt: skip


def _solve(A, B, left=True):
    if not left:
        return _solve(A.swapaxes(-1, -2), B.swapaxes(-1, -2)).swapaxes(-1, -2)
    if B.ndim == 1 or B.shape == A.shape[:-1]:
        return np.linalg.solve(A, B[..., None])[..., 0]
    return np.linalg.solve(A, B)


Row("linalg.solve", _systems, _solve, **ALL, covers=("linalg_solve", "_solve"),
    errors=((*SINGULAR, lambda rl: rl.linalg.solve(rl.zeros(2, 2), ones(2))),
            (RuntimeError, "Incompatible", lambda rl: rl.linalg.solve(rl.eye(2), ones(3, 2))),
            (RuntimeError, "left=False", lambda rl: rl.linalg.solve(rl.eye(2), ones(2), left=False)),
            (*SQUARE, lambda rl: rl.linalg.solve(ones(2, 3), ones(2))),
            (RuntimeError, "same dtype",
             lambda rl: rl.linalg.solve(rl.eye(2), ones(2).double()))))  # fmt: skip


def _with_info(f):
    def ref(A, *args, **kwargs):
        return f(A, *args, **kwargs), np.zeros(A.shape[:-2], np.int32)

    return ref


Row("linalg.solve_ex", lambda make: _systems(make)[:2], _with_info(_solve), **ALL,
    covers=("linalg_solve_ex",),
    errors=((*SINGULAR, lambda rl: rl.linalg.solve_ex(rl.zeros(2, 2), ones(2), check_errors=True)),
            ))  # fmt: skip


def _matrices(make):
    return [case(regular(make, *shape)) for shape in SHAPES]


def _few(make):
    return [case(regular(make, 3, 3)), case(regular(make, 2, 2, 2))]


for _name in ("linalg.inv", "inverse"):
    Row(_name, _matrices, np.linalg.inv, **ALL, covers=("linalg_inv", "_inv"), grad_samples=_few,
        errors=((*SINGULAR, lambda rl: rl.linalg.inv(rl.zeros(2, 2))),
                (RuntimeError, "Batch element 1",
                 lambda rl: rl.linalg.inv(rl.stack((rl.eye(2), rl.zeros(2, 2))))),
                (*SQUARE, lambda rl: rl.linalg.inv(ones(2, 3))),
                (*LOW, lambda rl: rl.linalg.inv(ones(2)))))  # fmt: skip
Row("linalg.inv_ex", _matrices, _with_info(np.linalg.inv), **ALL, covers=("linalg_inv_ex",),
    grad_samples=_few,
    errors=((*SINGULAR, lambda rl: rl.linalg.inv_ex(rl.zeros(2, 2), check_errors=True)),),
    )  # fmt: skip


def _singular(make):
    """Of rank n - 1: the determinant still has a derivative."""
    a = make(3, 3)
    a[:, 2] = a[:, 0] + a[:, 1]
    return a


for _name in ("linalg.det", "det"):
    Row(_name, lambda make: [*_matrices(make), case(make(4, 4))], np.linalg.det, **ALL,
        covers=("linalg_det", "_det"), grad_samples=_few,
        errors=((*SQUARE, lambda rl: rl.linalg.det(ones(2, 3))),
                (*LOW, lambda rl: rl.linalg.det(ones(2)))))  # fmt: skip
for _name in ("linalg.slogdet", "slogdet"):
    Row(_name, lambda make: [*_matrices(make), case(make(4, 4))], np.linalg.slogdet,
        covers=("linalg_slogdet", "_slogdet"), grad_samples=_few, **ALL,
        errors=((*SQUARE, lambda rl: rl.linalg.slogdet(ones(2, 3))),))  # fmt: skip


def _odd(make):
    """A determinant below 0; for complex dtypes i, whose logarithm is on no cut."""
    last = 1j if make.numpy_dtype.kind == "c" else -1
    return np.diag([1, 2, last]).astype(make.numpy_dtype)


def _logdet(A):
    sign, size = np.linalg.slogdet(A)
    return np.log(sign) + size if A.dtype.kind == "c" else np.where(sign < 0, np.nan, size)


Row("logdet", lambda make: [*_matrices(make), case(_odd(make))], _logdet,
    grad_samples=_few, **ALL,
    errors=((*SQUARE, lambda rl: rl.logdet(ones(2, 3))),))  # fmt: skip
