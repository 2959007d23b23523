"""Rows of rushlight.ops.decompositions. What has no unique answer is checked by what it promises."""

import numpy as np

import rushlight as rl
from ops.factors import ALL, LOW, hermitian, ones, regular
from ops.row import Row, case

DTYPES = ALL["dtypes"]
SHAPES = ((3, 3), (2, 4, 3), (2, 3), (1, 1), (0, 0), (0, 2, 2), (3, 0))


def h(x):
    return x.conj().swapaxes(-1, -2)


def close(a, b, dtype):
    tol = 3e-5 if dtype in (rl.float32, rl.complex64) else 1e-11
    np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


def orthonormal(Q, dtype):
    close(h(Q) @ Q, np.broadcast_to(np.eye(Q.shape[-1]), (*Q.shape[:-2], *Q.shape[-1:] * 2)), dtype)


# ---- QR


def _check_qr(result, A, mode="reduced"):
    if mode is False or mode is True:
        mode = "reduced" if mode else "complete"
    Q, R = (part.detach().numpy() for part in result)
    k = min(A.shape[-2:])
    close(np.tril(R, -1), np.zeros_like(R), A.dtype)
    if mode == "r":
        assert Q.size == 0
        close(h(R) @ R, h(A.numpy()) @ A.numpy(), A.dtype)
        return
    close(Q @ R, A.numpy(), A.dtype)
    orthonormal(Q, A.dtype)
    assert Q.shape[-1] == (A.shape[-2] if mode == "complete" else k)


def _rectangles(make):
    return [case(regular(make, *shape)) for shape in SHAPES]


def _full_rank(make):
    return [case(regular(make, *shape)) for shape in ((3, 3), (4, 2), (2, 3), (2, 2, 2))]


Row("linalg.qr", lambda make: [*_rectangles(make), case(make(4, 2), "complete"), case(make(2, 4), "r")],
    check=_check_qr, dtypes=DTYPES, grad="fc", covers=("linalg_qr", "_qr"), grad_samples=_full_rank,
    errors=((RuntimeError, "mode", lambda rl: rl.linalg.qr(ones(2, 2), "x")),
            (*LOW, lambda rl: rl.linalg.qr(ones(2))),
            (RuntimeError, "nrows > ncols", lambda rl: rl.linalg.qr(
                rl.rand(3, 2).requires_grad_(), "complete")[0].sum().backward()),
            (RuntimeError, "mode='r'", lambda rl: rl.linalg.qr(
                rl.rand(3, 2).requires_grad_(), "r")[1].sum().backward())))  # fmt: skip
Row("qr", lambda make: [*_rectangles(make), case(make(4, 2), False)], check=_check_qr, dtypes=DTYPES,
    grad="fc", grad_samples=_full_rank)  # fmt: skip


def _check_geqrf(result, A):
    R = np.triu(result[0].numpy()[..., : min(A.shape[-2:]), :])
    close(h(R) @ R, h(A.numpy()) @ A.numpy(), A.dtype)
    assert result.tau.shape == (*A.shape[:-2], min(A.shape[-2:]))


Row("geqrf", _rectangles, check=_check_geqrf, dtypes=DTYPES, grad="",
    errors=((*LOW, lambda rl: rl.geqrf(ones(2))),))  # fmt: skip


def _product(A, tau):
    """The reflections multiplied one by one."""
    m = A.shape[-2]
    Q = np.broadcast_to(np.eye(m), (*A.shape[:-2], m, m)).astype(A.dtype)
    for i in range(tau.shape[-1]):
        v = A[..., :, i].copy()
        v[..., :i] = 0
        v[..., i] = 1
        scaled = tau[..., i, None, None] * v[..., :, None] * v[..., None, :].conj()
        Q = Q @ (np.eye(m) - scaled)
    return Q


def _reflections(make):
    sizes = (((3, 3), (3,)), ((4, 3), (2,)), ((2, 4, 2), (2, 2)), ((3, 2), (0,)))
    return [case(make(*a, low=-1, high=1), make(*t, low=-1, high=1)) for a, t in sizes]


for _name in ("linalg.householder_product", "orgqr"):
    Row(_name, _reflections, lambda A, tau: _product(A, tau)[..., : A.shape[-1]], **ALL,
        covers=("linalg_householder_product", "_householder_product"),
        grad_samples=lambda make: _reflections(make)[:3],
        errors=((RuntimeError, "greater", lambda rl: rl.orgqr(ones(2, 3), ones(2))),
                (RuntimeError, "batch", lambda rl: rl.orgqr(ones(2, 3, 3), ones(3))),
                (RuntimeError, "dtype", lambda rl: rl.orgqr(ones(3, 3), ones(3).double()))),
        )  # fmt: skip


def _applied(make):
    a, t = make(4, 3, low=-1, high=1), make(3, low=-1, high=1)
    found = [case(a, t, make(4, 2)), case(a, t, make(4, 2), True, True),
             case(a, t, make(2, 4), False), case(a, t, make(2, 4), False, True)]
    return [*found, case(make(2, 3, 2, low=-1, high=1), make(2, 2, low=-1, high=1), make(2, 3, 3))]


def _ormqr(A, tau, other, left=True, transpose=False):
    Q = _product(A, tau)
    Q = h(Q) if transpose else Q
    return Q @ other if left else other @ Q


def _reflectors(A, tau, other, *more):
    """LAPACK's Q is unitary only for the tau that go with the vectors."""
    return rl.ormqr(A, tau, other, *more)


def _unitary(make):
    """Vectors and factors of a unitary Q: LAPACK uses that Q^H is its inverse."""
    found = []
    for c in _applied(make):
        A, tau = rl.geqrf(rl.tensor(c.args[0]))
        found.append(case(A.numpy().copy(), tau.numpy().copy(), *c.args[2:]))
    return found


Row("ormqr", _unitary, _ormqr, **ALL, grad_samples=_applied,
    errors=((RuntimeError, "equal to input.shape[-2]",
             lambda rl: rl.ormqr(ones(3, 3), ones(3), ones(2, 2))),
            (RuntimeError, "dtype",
             lambda rl: rl.ormqr(ones(3, 3), ones(3), ones(3, 2).double()))))  # fmt: skip

# ---- eigenvalues


def _hermitian_samples(make):
    found = []
    for shape in ((3, 3), (2, 4, 4), (1, 1), (0, 0), (0, 2, 2)):
        a = make(*shape)
        found.append(case((a + h(a)) / 2))
    a = make(3, 3)
    return [*found, case((a + h(a)) / 2, "U")]


def _check_eigh(result, A, UPLO="L"):
    w, V = (part.numpy() for part in result)
    close(A.numpy() @ V, V * w[..., None, :], A.dtype)
    orthonormal(V, A.dtype)
    assert w.dtype.kind == "f"
    assert (np.diff(w) >= 0).all()


def _apart(make):
    """Hermitian with eigenvalues that are far apart."""
    a = make(3, 3, low=-1, high=1)
    return [case((a + h(a)) / 2 + np.diag([0, 4, 9]).astype(a.dtype))]


Row("linalg.eigh", _hermitian_samples, check=_check_eigh, dtypes=DTYPES, grad="fc", result="real",
    covers=("linalg_eigh", "_eigh"), grad_samples=_apart,
    grad_of=lambda A: ((r := rl.linalg.eigh(hermitian(A)))[0], r[1].abs().square(),
                       r[1][:, :2] @ r[1][:, :2].mH),
    errors=((RuntimeError, "UPLO", lambda rl: rl.linalg.eigh(rl.eye(2), "X")),
            (RuntimeError, "square", lambda rl: rl.linalg.eigh(ones(2, 3))),
            (*LOW, lambda rl: rl.linalg.eigh(ones(2)))))  # fmt: skip
Row("linalg.eigvalsh", _hermitian_samples, lambda A, UPLO="L": np.linalg.eigvalsh(A), **ALL,
    covers=("linalg_eigvalsh",), result="real", grad_samples=_apart,
    grad_of=lambda A: rl.linalg.eigvalsh(hermitian(A)))  # fmt: skip


def _any_square(make):
    return [case(make(*shape)) for shape in ((3, 3), (2, 4, 4), (1, 1), (0, 0), (0, 2, 2))]


def _check_eig(result, A):
    w, V = (part.numpy() for part in result)
    assert w.dtype.kind == V.dtype.kind == "c"
    if A.numel():
        close(A.numpy() @ V, V * w[..., None, :], A.dtype)
        close((np.abs(V) ** 2).sum(-2), np.ones(w.shape), A.dtype)


def _check_eigvals(w, A):
    if A.numel():
        close(w.numpy().sum(-1), np.trace(A.numpy(), 0, -2, -1), A.dtype)
        close(w.numpy().prod(-1), np.linalg.det(A.numpy()), A.dtype)


def _distinct(make):
    a = make(3, 3, low=-1, high=1)
    return [case(a + np.diag([0, 3, 7]).astype(a.dtype)), case(_rotation(make))]


def _rotation(make):
    """A real matrix with a pair of conjugate eigenvalues."""
    a = make(2, 2, low=-0.3, high=0.3)
    return a + np.array([[1, 3], [-3, 1]]).astype(a.dtype)


NOT_FINITE = (RuntimeError, "infs or NaNs", lambda rl: rl.linalg.eig(rl.full((2, 2), float("nan"))))
Row("linalg.eig", _any_square, check=_check_eig, dtypes=DTYPES, grad="fc", result=None,
    covers=("linalg_eig", "_eig"), grad_samples=_distinct,
    grad_of=lambda A: ((r := rl.linalg.eig(A))[0], r[1].abs().square()),
    errors=(NOT_FINITE, (RuntimeError, "square", lambda rl: rl.linalg.eig(ones(2, 3))),
            (RuntimeError, "ill-defined", lambda rl: rl.linalg.eig(
                rl.tensor([[1.0, 3.0], [-3.0, 1.1]]).requires_grad_())[1].imag.sum().backward()),
            ))  # fmt: skip
Row("linalg.eigvals", _any_square, check=_check_eigvals, dtypes=DTYPES, grad="fc", result=None,
    covers=("linalg_eigvals",), grad_samples=_distinct)  # fmt: skip

# ---- singular values


def _check_svd(result, A, full_matrices=True):
    U, S, Vh = (part.numpy() for part in result)
    k = min(A.shape[-2:])
    close((U[..., :k] * S[..., None, :]) @ Vh[..., :k, :], A.numpy(), A.dtype)
    orthonormal(U, A.dtype)
    orthonormal(h(Vh), A.dtype)
    assert (np.diff(S) <= 0).all() and (S >= 0).all()
    assert U.shape[-1] == (A.shape[-2] if full_matrices else k)
    assert Vh.shape[-2] == (A.shape[-1] if full_matrices else k)


def _check_older_svd(result, A, some=True, compute_uv=True):
    U, S, V = result
    if compute_uv:
        _check_svd((U, S, V.mH), A, not some)
    else:
        assert not U.any() and not V.any()
        assert U.shape[-1] == A.shape[-2] and V.shape[-1] == A.shape[-1]


def _spread(make):
    """Singular values that are far apart."""
    found = []
    for m, n in ((3, 3), (4, 2), (2, 4)):
        a = make(m, n, low=-0.4, high=0.4)
        found.append(case(a + np.eye(m, n) * np.array([1.0, 3.0, 6.0, 10.0])[:n]))
    return [case(c.args[0].astype(make.numpy_dtype)) for c in found]


def _gauge_free(svd):
    def parts(A):
        U, S, Vh = svd(A)
        k = S.shape[-1]
        U, Vh = U[..., :k], Vh[..., :k, :]
        return S, U @ Vh, U.abs().square(), Vh.abs().square(), U[..., :1] @ Vh[..., :1, :]

    return parts


Row("linalg.svd", lambda make: [*_rectangles(make), case(make(4, 2), False), case(make(2, 3, 4), False)],
    check=_check_svd, dtypes=DTYPES, grad="fc", covers=("linalg_svd", "_svd"), grad_samples=_spread,
    grad_of=_gauge_free(lambda A: rl.linalg.svd(A)),
    errors=((RuntimeError, "non-finite", lambda rl: rl.linalg.svd(rl.full((2, 2), float("nan")))),
            (RuntimeError, "driver", lambda rl: rl.linalg.svd(rl.eye(2), driver="gesvd")),
            (*LOW, lambda rl: rl.linalg.svd(ones(2))),
            (RuntimeError, "ill-defined", lambda rl: rl.linalg.svd(
                rl.rand(3, 3, dtype=rl.complex64).requires_grad_())[0].imag.sum().backward()),
            ))  # fmt: skip
Row("svd", lambda make: [*_rectangles(make)[:3], case(make(4, 2), False), case(make(4, 2), True, False)],
    check=_check_older_svd, dtypes=DTYPES, grad="fc", grad_samples=_spread,
    grad_of=_gauge_free(lambda A: (lambda u, s, v: (u, s, v.mH))(*rl.svd(A))))  # fmt: skip
Row("linalg.svdvals", _rectangles, lambda A: np.linalg.svd(A, compute_uv=False), **ALL,
    covers=("linalg_svdvals",), result="real", grad_samples=_spread)  # fmt: skip
