"""Rows of rushlight.ops.least_squares."""

import numpy as np

import rushlight as rl
from ops.decompositions import close, h, orthonormal
from ops.factors import ALL, LOW, ones, positive, regular
from ops.row import Row, case


def _rectangles(make):
    shapes = (3, 3), (2, 4, 3), (2, 4), (0, 2, 2), (0, 3)
    return [case(regular(make, *shape)) for shape in shapes]


def _few(make):
    return [case(regular(make, *shape)) for shape in ((3, 3), (4, 2), (2, 3))]


def _deficient(make):
    """Of rank 2, with one singular value far below the others."""
    a, b = regular(make, 4, 2), regular(make, 2, 3)
    return (a @ b).astype(a.dtype)


def _pinv(A, hermitian=False, atol=None, rtol=None):
    if A.size == 0:
        return np.zeros((*A.shape[:-2], A.shape[-1], A.shape[-2]))
    U, S, Vh = np.linalg.svd(A, full_matrices=False)
    limit = 1e-5 * S[..., :1] if rtol is None else rtol * S[..., :1]
    limit = limit if atol is None else np.maximum(np.asarray(atol)[..., None], 0)
    inverse = np.where(limit < S, 1 / np.where(S == 0, 1, S), 0)
    return h(Vh) @ (inverse[..., None] * h(U))


Row("linalg.pinv",
    lambda make: [*_rectangles(make), case(_deficient(make)), case(positive(make, 3, 3), hermitian=True),
                  case(regular(make, 3, 3), rtol=0.5), case(regular(make, 3, 3), atol=2.0)],
    _pinv, **ALL, covers=("linalg_pinv", "_pinv"), grad_samples=_few,
    errors=((*LOW, lambda rl: rl.linalg.pinv(ones(2))),
            (RuntimeError, "square", lambda rl: rl.linalg.pinv(ones(2, 3), hermitian=True))),
    )  # fmt: skip
Row("pinverse", _rectangles, _pinv, **ALL, grad_samples=_few)


def _rank(A, hermitian=False, atol=None, rtol=None):
    if A.size == 0:
        return np.zeros(A.shape[:-2], np.int64)
    S = np.linalg.svd(A, compute_uv=False)
    limit = np.maximum(atol or 0, (1e-5 if rtol is None else rtol) * S[..., 0])
    return (limit[..., None] < S).sum(-1)


Row("linalg.matrix_rank",
    lambda make: [*_rectangles(make), case(_deficient(make)), case(positive(make, 3, 3), hermitian=True),
                  case(regular(make, 3, 3), atol=2.5, rtol=0.0)],
    _rank, dtypes=ALL["dtypes"], grad="", result="int64", covers=("linalg_matrix_rank",),
    errors=((*LOW, lambda rl: rl.linalg.matrix_rank(ones(2))),))  # fmt: skip


def _lstsq(A, B, rcond=None, driver="gelsy"):
    vector = B.shape == A.shape[:-1]
    right = B[..., None] if vector else B
    X = np.linalg.pinv(A) @ right
    m, n = A.shape[-2:]
    rest = (np.abs(A @ X - right) ** 2).sum(-2)
    S = np.linalg.svd(A, compute_uv=False)
    batch = np.broadcast_shapes(A.shape[:-2], right.shape[:-2])
    return (
        X[..., 0] if vector else X,
        rest if m > n and driver != "gelsy" else np.zeros(0),
        np.zeros(0, np.int64) if driver == "gels" else np.full(batch, min(m, n)),
        S if driver in ("gelsd", "gelss") else np.zeros(0),
    )


def _systems(make):
    found = []
    for driver in ("gelsy", "gels", "gelsd", "gelss"):
        found += [
            case(regular(make, 4, 2), make(4, 3), driver=driver),
            case(regular(make, 2, 2, 3), make(2, 2, 1), driver=driver),
        ]
    return [*found, case(regular(make, 2, 3, 3), make(2, 3)), case(regular(make, 3, 2), make(2, 3, 1))]


Row("linalg.lstsq", _systems, _lstsq, **ALL, covers=("linalg_lstsq", "_lstsq"),
    grad_samples=lambda make: [case(regular(make, 4, 2), make(4, 1), driver="gels"),
                               case(regular(make, 2, 3), make(2, 2)),
                               case(regular(make, 2, 3, 3), make(2, 3))],
    errors=((RuntimeError, "driver", lambda rl: rl.linalg.lstsq(rl.eye(2), rl.eye(2), driver="x")),
            (RuntimeError, "full rank",
             lambda rl: rl.linalg.lstsq(rl.eye(3, 2) * rl.tensor([1.0, 0]), ones(3, 1), driver="gels")),
            (RuntimeError, "should match", lambda rl: rl.linalg.lstsq(rl.eye(2), ones(3, 1)))),
    )  # fmt: skip


def _check_low(result, A, q=6, niter=2, M=None, center=False):
    U, S, V = (part.detach().numpy() for part in result)
    A = A.numpy()
    A = A - A.mean(-2, keepdims=True) if center else A
    orthonormal(U, result[0].dtype)
    orthonormal(V, result[0].dtype)
    close((U * S[..., None, :]) @ h(V), A, result[0].dtype)


def _low(make):
    a = make(2, 6, 2, low=-1, high=1) @ make(2, 2, 5, low=-1, high=1)
    return [case(a, 3), case(a.swapaxes(-1, -2).copy(), 3)]


for _name in ("svd_lowrank", "pca_lowrank"):
    Row(_name, _low, dtypes=("float32", "float64"), grad="f", method=False,
        grad_samples=lambda make: [case(_low(make)[0].args[0][0], 2)],
        grad_of=lambda A, q, f=_name: ((r := getattr(rl, f)(A, q))[1], r[0] @ r[2].mT),
        check=lambda *a, f=_name, **k: _check_low(*a, **k, center=f == "pca_lowrank"))  # fmt: skip
