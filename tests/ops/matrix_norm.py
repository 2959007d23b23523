"""Rows of rushlight.ops.matrix_norm."""

import numpy as np

from ops.factors import ALL, LOW, ones, regular
from ops.row import Row, case

inf = float("inf")
REAL = {**ALL, "result": "real"}


def _vector(x, ord=2, dim=None, keepdim=False):
    dims = tuple(range(x.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    size = np.abs(x)
    if ord == inf:
        return size.max(axis=dims, keepdims=keepdim)
    if ord == -inf:
        return size.min(axis=dims, keepdims=keepdim)
    if ord == 0:
        return (size != 0).sum(axis=dims, keepdims=keepdim).astype(float)
    return (size**ord).sum(axis=dims, keepdims=keepdim) ** (1 / ord)


def _vectors(make):
    x = make(3, 4)
    found = [case(x, ord) for ord in (2, 1, 0, 3, 0.5, -1, inf, -inf)]
    return [*found, case(x, 3, 0), case(x, 2, (0, 1), True), case(make(2, 3, 4), 2, -1), case(make(0))]


Row("linalg.vector_norm", _vectors, _vector, **REAL, covers=("linalg_vector_norm",),
    grad_samples=lambda make: [case(make(3, 2), ord) for ord in (2, 1, 3, -1, inf)],
    errors=((RuntimeError, "floating point", lambda rl: rl.linalg.vector_norm(ones(2).int())),
            (RuntimeError, "identity", lambda rl: rl.linalg.vector_norm(ones(0), inf)),
            (RuntimeError, "narrowing", lambda rl: rl.linalg.vector_norm(
                ones(2).double(), dtype=rl.float32)),
            (IndexError, "range", lambda rl: rl.linalg.vector_norm(ones(2), 2, 3))))  # fmt: skip
ORDERS = ("fro", "nuc", 2, -2, 1, -1, inf, -inf)


def _matrix(A, ord="fro", dim=(-2, -1), keepdim=False):
    moved = np.moveaxis(A, dim, (-2, -1))
    result = np.linalg.norm(moved, ord, axis=(-2, -1))
    if keepdim:
        for d in sorted(d % A.ndim for d in dim):
            result = np.expand_dims(result, d)
    return result


def _matrices(make):
    A = regular(make, 2, 3, 4)
    found = [case(A, ord) for ord in ORDERS]
    return [*found, case(A, "nuc", (0, 2)), case(A, 1, (0, 1), True), case(A, 2, (2, 0), True)]


Row("linalg.matrix_norm", _matrices, _matrix, **REAL, covers=("linalg_matrix_norm",),
    grad_samples=lambda make: [case(regular(make, 3, 2), ord) for ord in ORDERS],
    errors=((RuntimeError, "not supported", lambda rl: rl.linalg.matrix_norm(rl.eye(2), 3)),
            (RuntimeError, "2-tuple", lambda rl: rl.linalg.matrix_norm(rl.eye(2), 2, (0,))),
            (RuntimeError, "different", lambda rl: rl.linalg.matrix_norm(rl.eye(2), 2, (0, 0))),
            (*LOW, lambda rl: rl.linalg.matrix_norm(ones(2)))))  # fmt: skip


def _norm(A, ord=None, dim=None, keepdim=False):
    if ord is None or (A.ndim == 1 if dim is None else isinstance(dim, int)):
        return _vector(A, 2 if ord is None else ord, dim, keepdim)
    return _matrix(A, ord, (0, 1) if dim is None else dim, keepdim)


Row("linalg.norm",
    lambda make: [case(make(3, 4)), case(make(5), 3), case(make(3, 4), "nuc"), case(make(3, 4), 1, 0),
                  case(make(2, 3, 4), 2, (0, 1)), case(make(2, 3), None, None, True)],
    _norm, **REAL, covers=("linalg_norm",),
    errors=((RuntimeError, "1D or 2D", lambda rl: rl.linalg.norm(ones(2, 2, 2), 2)),
            (RuntimeError, "length 1 or 2", lambda rl: rl.linalg.norm(ones(2, 2, 2), 2, (0, 1, 2))),
            ))  # fmt: skip


def _cond(A, p=None):
    if A.shape[-1] == 0:
        return np.zeros(A.shape[:-2])
    return np.linalg.cond(A, p)


Row("linalg.cond",
    lambda make: [case(regular(make, 2, 3, 3)), case(regular(make, 4, 2)), case(make(2, 0, 0), 1),
                  *(case(regular(make, 3, 3), p) for p in ("fro", "nuc", 2, -2, 1, -1, inf, -inf)),
                  case(np.ones((2, 2), make.numpy_dtype), 1)],
    _cond, **REAL, covers=("linalg_cond",),
    grad_samples=lambda make: [case(regular(make, 3, 3), p) for p in (None, "fro", 1, -2)],
    errors=((RuntimeError, "square", lambda rl: rl.linalg.cond(ones(2, 3), 1)),
            (*LOW, lambda rl: rl.linalg.cond(ones(2)))))  # fmt: skip
Row("nuclear_norm", lambda make: [case(regular(make, 3, 4)), case(make(2, 3, 2), (0, 1), True)],
    lambda A, dim=(-2, -1), keepdim=False: _matrix(A, "nuc", dim, keepdim), **REAL, method=False)
Row("frobenius_norm", lambda make: [case(make(3, 4), (0, 1)), case(make(2, 3, 2), -1, True)],
    lambda A, dim, keepdim=False: _vector(A, 2, dim, keepdim), **REAL, method=False,
    errors=((RuntimeError, "2 dimensions", lambda rl: rl.frobenius_norm(ones(1, 1, 1), (0, 1, 2))),
            ))  # fmt: skip


def _except(v, pow=2, dim=0):
    if dim == -1:
        return np.asarray(np.sum(np.abs(v) ** pow) ** (1 / pow))
    axes = tuple(a for a in range(v.ndim) if a != dim)
    return np.sum(np.abs(v) ** pow, axes, keepdims=True) ** (1 / pow) if axes else np.abs(v)


Row("norm_except_dim",
    lambda make: [case(make(3, 4)), case(make(2, 3, 4), 1, 2), case(make(2, 3), 2, -1),
                  case(make(4))],
    _except, **REAL, method=False)  # fmt: skip
