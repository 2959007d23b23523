"""Rows of rushlight.ops.lobpcg."""

import numpy as np

import rushlight as rl
from ops.factors import hermitian, ones, positive
from ops.row import Row, case


def _matrices(make):
    A = make(2, 20, 20)
    A = A + A.swapaxes(-1, -2)
    return [
        case(A[0], 3), case(A, 2), case(A[1], 2, largest=False), case(A[0], 2, n=4),
        case(A[0], 3, positive(make, 20, 20)), case(A[1], X=make(20, 2)),
    ]  # fmt: skip


def _check(result, A, k=None, B=None, X=None, largest=True, n=None):
    E, V = (part.numpy() for part in result)
    k = X.shape[-1] if k is None else k
    A = A.numpy().astype(float)
    M = A if B is None else np.linalg.solve(B.numpy().astype(float), A)
    wanted = np.sort(np.linalg.eigvals(M).real, -1)
    wanted = wanted[..., ::-1][..., :k] if largest else wanted[..., :k]
    np.testing.assert_allclose(E, wanted, rtol=1e-3)
    right = V if B is None else B.numpy() @ V
    np.testing.assert_allclose(A @ V, right * E[..., None, :], atol=0.02 * np.abs(A).max())


Row("lobpcg", _matrices, check=_check, dtypes=("float32", "float64"), grad="f",
    covers=("_lobpcg",), method=False,
    grad_samples=lambda make: [case(make(7, 7) + np.diag([0, 0, 0, 0, 0, 20, 40.0]), 2)],
    grad_of=lambda A, k: rl.lobpcg(hermitian(A), k, tol=1e-13)[0],
    errors=((ValueError, "3 x", lambda rl: rl.lobpcg(rl.eye(5), 2)),
            (RuntimeError, "square", lambda rl: rl.lobpcg(ones(9, 2))),
            (NotImplementedError, "tracker", lambda rl: rl.lobpcg(rl.eye(9), tracker=print)),
            (NotImplementedError, "linalg.eigh", lambda rl: rl.lobpcg(
                rl.eye(9).requires_grad_())[1].sum().backward())))  # fmt: skip
