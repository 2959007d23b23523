"""Rows of rushlight.ops.factors: triangular systems, Cholesky, LU and LDL."""

import numpy as np

import rushlight as rl
from ops.row import Row, case

ALL = {"dtypes": ("float32", "float64", "complex64", "complex128"), "grad": "fc", "tol": 50,
       "exact": False}  # fmt: skip
SHAPES = ((3, 3), (2, 4, 4), (1, 1), (0, 0), (0, 2, 2))
LOW = (RuntimeError, "2 dimensions")
ones = rl.ones


def h(x):
    return x.conj().swapaxes(-1, -2)


def positive(make, *shape):
    """Hermitian and positive definite, well conditioned."""
    a = make(*shape, low=-1, high=1)
    return (a @ h(a) + np.eye(shape[-1])).astype(a.dtype)


def regular(make, *shape):
    a = make(*shape, low=-1, high=1)
    return (a + 3 * np.eye(*shape[-2:])).astype(a.dtype)


def hermitian(A):
    return (A + A.mH) * 0.5


def cholesky(A, *, upper=False):
    L = np.linalg.cholesky(A)
    return h(L) if upper else L


def _matrices(make):
    return [case(positive(make, *shape)) for shape in SHAPES]


def _both_triangles(make):
    return [*_matrices(make), case(positive(make, 3, 3), upper=True)]


def _few(make):
    return [case(positive(make, 3, 3)), case(positive(make, 2, 2, 2), upper=True)]


NOT_POSITIVE = ((RuntimeError, "leading minor of order 1", lambda rl: rl.linalg.cholesky(-rl.eye(3))),
                (RuntimeError, "Batch element 1",
                 lambda rl: rl.linalg.cholesky(rl.stack((rl.eye(3), -rl.eye(3))))),
                (RuntimeError, "square", lambda rl: rl.linalg.cholesky(ones(2, 3))),
                (*LOW, lambda rl: rl.linalg.cholesky(ones(2))),
                (RuntimeError, "Low precision", lambda rl: rl.linalg.cholesky(ones(2, 2).half())),
                (RuntimeError, "floating point", lambda rl: rl.linalg.cholesky(ones(2, 2).int())),
                )  # fmt: skip
Row("linalg.cholesky", _both_triangles, cholesky, **ALL, covers=("linalg_cholesky",),
    grad_samples=_few, errors=NOT_POSITIVE,
    grad_of=lambda A, **k: rl.linalg.cholesky(hermitian(A), **k))  # fmt: skip
Row("linalg.cholesky_ex", _both_triangles,
    lambda A, **k: (cholesky(A, **k), np.zeros(A.shape[:-2], np.int32)), **ALL,
    covers=("linalg_cholesky_ex",), grad_samples=_few,
    grad_of=lambda A, **k: rl.linalg.cholesky_ex(hermitian(A), **k)[0],
    errors=((RuntimeError, "minor",
             lambda rl: rl.linalg.cholesky_ex(-rl.eye(3), check_errors=True)),))  # fmt: skip
Row("cholesky", lambda make: [*_matrices(make), case(positive(make, 3, 3), True)],
    lambda A, upper=False: cholesky(A, upper=upper), **ALL,
    grad_samples=lambda make: [case(positive(make, 3, 3), True)],
    grad_of=lambda A, *k: rl.cholesky(hermitian(A), *k))  # fmt: skip


def _factor(make, *shape, upper=False):
    L = np.linalg.cholesky(positive(make, *shape).astype(complex)).astype(make.numpy_dtype)
    return h(L) if upper else L


def _whole(L, upper):
    return h(L) @ L if upper else L @ h(L)


def _triangle(L, upper):
    return L.triu() if upper else L.tril()


Row("cholesky_solve",
    lambda make: [case(make(3, 2), _factor(make, 3, 3)), case(make(2, 3), _factor(make, 2, 2, upper=True), True),
                  case(make(2, 3, 1), _factor(make, 3, 3)), case(make(0, 2), make(0, 0))],
    lambda B, L, upper=False: np.linalg.solve(_whole(L, upper), B), **ALL,
    grad_of=lambda B, L, upper=False: rl.cholesky_solve(B, _triangle(L, upper), upper),
    errors=((RuntimeError, "Incompatible", lambda rl: rl.cholesky_solve(ones(2, 2), rl.eye(3))),
            (*LOW, lambda rl: rl.cholesky_solve(ones(2), rl.eye(2)))))  # fmt: skip
Row("cholesky_inverse",
    lambda make: [case(_factor(make, 3, 3)), case(_factor(make, 2, 2, 2, upper=True), True), case(make(0, 0))],
    lambda L, upper=False: np.linalg.inv(_whole(L, upper)), **ALL,
    grad_of=lambda L, upper=False: rl.cholesky_inverse(_triangle(L, upper), upper),
    errors=((RuntimeError, "square", lambda rl: rl.cholesky_inverse(ones(2, 3))),))  # fmt: skip

# ---- LU

RECTANGLES = ((3, 3), (2, 4, 3), (2, 4), (0, 0), (0, 2, 2), (3, 0))


def _rectangles(make):
    return [case(regular(make, *shape)) for shape in RECTANGLES]


def _unpack(LU, pivots):
    """P, L and U by exchanging rows one by one."""
    m, n = LU.shape[-2:]
    k = min(m, n)
    L = np.tril(LU[..., :k], -1) + np.eye(m, k)
    U = np.triu(LU[..., :k, :])
    P = np.zeros((*LU.shape[:-2], m, m), LU.dtype)
    for at in np.ndindex(LU.shape[:-2]):
        order = list(range(m))
        for row, other in enumerate(pivots[at]):
            order[row], order[other - 1] = order[other - 1], order[row]
        P[at][order, np.arange(m)] = 1
    return P, L, U


def _same(a, b, tol=1e-4):
    np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


def _check_lu(result, A):
    P, L, U = _unpack(result[0].detach().numpy(), result[1].numpy())
    _same(P @ L @ U, A.numpy())
    if A.numel():
        assert np.abs(L).max() <= 1 + 1e-6


def _check_parts(result, A):
    P, L, U = (part.numpy() for part in result)
    _same(P @ L @ U, A.numpy())
    _same(P.sum(-1), np.ones(P.shape[:-1]))


def _apart(make):
    """Matrices whose pivots small changes do not move."""
    made = []
    for shape in ((3, 3), (4, 2), (2, 3), (2, 2, 2)):
        made.append(case(regular(make, *shape)[..., ::-1, :].copy()))
    return made


NO_REF = {k: v for k, v in ALL.items() if k != "exact"}
Row("linalg.lu_factor", _rectangles, check=_check_lu, **NO_REF, covers=("linalg_lu_factor",),
    grad_samples=_apart,
    errors=((RuntimeError, "U[1,1] is zero", lambda rl: rl.linalg.lu_factor(rl.zeros(2, 2))),
            (RuntimeError, "pivoting", lambda rl: rl.linalg.lu_factor(rl.eye(2), pivot=False)),
            (*LOW, lambda rl: rl.linalg.lu_factor(ones(2)))))  # fmt: skip
Row("linalg.lu_factor_ex", _rectangles, check=_check_lu, **NO_REF, covers=("linalg_lu_factor_ex",),
    grad_samples=_apart)  # fmt: skip
Row("linalg.lu", _rectangles, check=_check_parts, **NO_REF, covers=("linalg_lu",),
    grad_samples=_apart)  # fmt: skip
Row("lu", _rectangles, check=_check_lu, **NO_REF, grad_samples=_apart)


def _factored(make, *shape):
    A = regular(make, *shape)
    LU, pivots = rl.linalg.lu_factor(rl.tensor(A))
    return LU.numpy().copy(), pivots.numpy().copy()


Row("lu_unpack",
    lambda make: [case(*_factored(make, *shape)) for shape in ((3, 3), (2, 4, 3), (2, 4), (0, 2, 2))],
    _unpack, **ALL, method=False,
    errors=((RuntimeError, "int32", lambda rl: rl.lu_unpack(ones(2, 2), ones(2).long())),
            (RuntimeError, "between 1 and", lambda rl: rl.lu_unpack(ones(2, 2), rl.zeros(2).int())),
            ))  # fmt: skip


def _systems(make):
    return [
        case(*_factored(make, 3, 3), make(3, 2)), case(*_factored(make, 2, 3, 3), make(2, 3, 1)),
        case(*_factored(make, 3, 3), make(2, 3), left=False),
        case(*_factored(make, 3, 3), make(3, 2), adjoint=True),
        case(*_factored(make, 3, 3), make(2, 3, 2)),
        case(*_factored(make, 2, 2), make(1, 2), left=False, adjoint=True),
        case(*_factored(make, 0, 0), make(0, 2)),
    ]  # fmt: skip


def _lu_solve(LU, pivots, B, left=True, adjoint=False):
    P, L, U = _unpack(LU, pivots)
    A = P @ L @ U
    A = h(A) if adjoint else A
    return np.linalg.solve(A, B) if left else h(np.linalg.solve(h(A), h(B)))


Row("linalg.lu_solve", _systems, _lu_solve, **ALL, covers=("linalg_lu_solve", "_lu_solve"),
    errors=((RuntimeError, "Incompatible",
             lambda rl: rl.linalg.lu_solve(*rl.linalg.lu_factor(rl.eye(3)), ones(2, 2))),
            (RuntimeError, "int32",
             lambda rl: rl.linalg.lu_solve(rl.eye(2), ones(2), ones(2, 2)))))  # fmt: skip


def _older(make):
    return [case(c.args[2], *c.args[:2]) for c in _systems(make) if not c.kwargs]


Row("lu_solve", _older, lambda B, LU, pivots: _lu_solve(LU, pivots, B), **ALL)

# ---- LDL


def _symmetric(make):
    return [case(positive(make, 3, 3), hermitian=True), case(positive(make, 2, 2, 2), hermitian=True),
            case(_plain(make, 4)), case(make(0, 0))]  # fmt: skip


def _plain(make, n):
    a = make(n, n)
    return a + a.swapaxes(-1, -2)


def _check_ldl(result, A, hermitian=False):
    n = A.shape[-1]
    eye = rl.eye(n, dtype=A.dtype)
    inverse = rl.linalg.ldl_solve(result[0], result[1], eye.expand_as(A), hermitian=hermitian)
    _same((A @ inverse).numpy(), np.broadcast_to(np.eye(n), A.shape), 1e-3)


FLAT = {"dtypes": ALL["dtypes"], "grad": ""}
Row("linalg.ldl_factor", _symmetric, check=_check_ldl, **FLAT, covers=("linalg_ldl_factor",),
    errors=((RuntimeError, "D[1,1] is zero", lambda rl: rl.linalg.ldl_factor(rl.zeros(2, 2))),
            (RuntimeError, "square", lambda rl: rl.linalg.ldl_factor(ones(2, 3)))))  # fmt: skip
Row("linalg.ldl_factor_ex", _symmetric, check=_check_ldl, **FLAT, covers=("linalg_ldl_factor_ex",))


def _ldl_systems(make):
    found = []
    for c in _symmetric(make)[:3]:
        A = c.args[0]
        LD, pivots = rl.linalg.ldl_factor(rl.tensor(A), **c.kwargs)
        found.append(case(LD.numpy().copy(), pivots.numpy().copy(), make(*A.shape[:-1], 2), **c.kwargs))
    return found


def _check_ldl_solve(result, LD, pivots, B, hermitian=False):
    """Against the matrix that the factors were made of: L D L^H or L D L^T with 1 x 1 and 2 x 2."""
    again = rl.linalg.ldl_solve(LD, pivots, B * 2, hermitian=hermitian)
    _same(again.numpy(), 2 * result.numpy(), 1e-3)


Row("linalg.ldl_solve", _ldl_systems, check=_check_ldl_solve, **FLAT, covers=("linalg_ldl_solve",),
    errors=((RuntimeError, "LD.shape",
             lambda rl: rl.linalg.ldl_solve(rl.eye(2), ones(3).int(), ones(2, 1))),))  # fmt: skip

# ---- triangular


def _triangular(make):
    lower, upper = np.tril(regular(make, 3, 3)), np.triu(regular(make, 2, 3, 3))
    return [
        case(lower, make(3, 2), upper=False), case(upper, make(2, 3, 2), upper=True),
        case(upper, make(3, 1), upper=True), case(lower, make(2, 3), upper=False, left=False),
        case(lower, make(3, 2), upper=False, unitriangular=True),
        case(make(0, 0), make(0, 3), upper=True),
    ]  # fmt: skip


def _one_triangle(A, upper, unitriangular=False):
    kept = np.triu(A, 1) if upper else np.tril(A, -1)
    diagonal = np.ones(A.shape[:-1]) if unitriangular else np.diagonal(A, 0, -2, -1)
    return kept + diagonal[..., None] * np.eye(A.shape[-1])


def _solve_triangular(A, B, upper, left=True, unitriangular=False):
    A = _one_triangle(A, upper, unitriangular)
    if left:
        return np.linalg.solve(A, B)
    return np.linalg.solve(A.swapaxes(-1, -2), B.swapaxes(-1, -2)).swapaxes(-1, -2)


Row("linalg.solve_triangular", _triangular, _solve_triangular, **ALL,
    covers=("linalg_solve_triangular", "_triangular"),
    errors=((RuntimeError, "Incompatible",
             lambda rl: rl.linalg.solve_triangular(rl.eye(3), ones(2, 2), upper=True)),
            (RuntimeError, "same dtype", lambda rl: rl.linalg.solve_triangular(
                rl.eye(2), ones(2, 2).double(), upper=True))))  # fmt: skip


def _older_triangular(b, A, upper=True, transpose=False, unitriangular=False):
    M = _one_triangle(A, upper, unitriangular)
    return np.linalg.solve(M.swapaxes(-1, -2) if transpose else M, b), A


Row("triangular_solve",
    lambda make: [case(make(3, 2), regular(make, 3, 3)), case(make(2, 1), regular(make, 2, 2), False),
                  case(make(2, 1), regular(make, 2, 2), True, True, True)],
    _older_triangular, **ALL,
    errors=((*LOW, lambda rl: rl.triangular_solve(ones(2), rl.eye(2))),))  # fmt: skip
