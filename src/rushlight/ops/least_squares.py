"""Least squares, pseudo-inverses, ranks, and decompositions of low rank from random projections."""

from __future__ import annotations

from typing import Any

from rushlight import _core, return_types
from rushlight.autograd.op import composed, op
from rushlight.dtypes import finfo
from rushlight.ops.decompositions import linalg_eigh, linalg_qr, linalg_svd
from rushlight.ops.known import known
from rushlight.ops.linalg import _t, matmul
from rushlight.ops.matrix import (
    LinAlgError,
    broadcast_batches,
    check_matrices,
    check_same_dtype,
    check_square,
    failure,
)
from rushlight.ops.pointwise import maximum, where
from rushlight.tensor import Tensor

_INNER: dict[str, Any] = {"public": False, "method": False}

# ---- pseudo-inverse and rank


def _tolerances(name: str, A: Tensor, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """(atol, rtol): by default rtol is max(m, n) times the epsilon of the dtype, or 0 if atol is
    positive."""
    for symbol, value in (("atol", atol), ("rtol", rtol)):
        if isinstance(value, Tensor) and value.dtype.is_complex:
            raise RuntimeError(f"{name}: {symbol} tensor of complex type is not supported.")
    real = A.dtype.to_real() if A.dtype.is_complex else A.dtype
    if rtol is None:
        usual = finfo(real).eps * max(A.shape[-2:])
        if isinstance(atol, Tensor):
            rtol = where(atol > 0, 0.0, usual)
        else:
            rtol = 0.0 if atol is not None and atol > 0 else usual
    return 0.0 if atol is None else atol, rtol


def _limit(largest: Tensor, atol: Any, rtol: Any) -> Tensor:
    """max(atol, rtol * largest), one number per matrix."""
    scaled = largest * rtol
    if isinstance(atol, Tensor):
        return maximum(atol.to(scaled.dtype), scaled)
    return scaled.clamp(min=atol)


def _pseudo_inverse(A: Tensor, atol: Any, rtol: Any, hermitian: bool) -> Tensor:
    if A.numel() == 0:
        return _core.full((*A.shape[:-2], A.shape[-1], A.shape[-2]), 0, A.dtype, A)
    if hermitian:
        S, U = linalg_eigh(A)
        Vh, size = _t(U), S.abs()
        largest = size.amax(-1, keepdim=True)
    else:
        U, S, Vh = linalg_svd(A, full_matrices=False)
        size, largest = S, S[..., :1]
    atol, rtol = (v.unsqueeze(-1) if isinstance(v, Tensor) else v for v in (atol, rtol))
    limit = _limit(largest, atol, rtol)
    inverted = where(size > limit, 1 / S, 0.0)
    return matmul(_t(Vh) * inverted.unsqueeze(-2), _t(U))


@op(node="LinalgPinvBackward0", **_INNER)
def _pinv(A: Tensor, atol: Any, rtol: Any, hermitian: bool) -> Tensor:
    return _pseudo_inverse(A, atol, rtol, hermitian)


def _pinv_gradient(grad: Tensor, A: Tensor, result: Tensor) -> Tensor:
    """Golub and Pereyra (1973), for a constant rank."""
    P, G = result, _t(grad)
    adjoint = _t(P)
    found = -matmul(adjoint, matmul(grad, adjoint))
    left = matmul(G, matmul(P, adjoint))  # (I - A P) G P P^H
    right = matmul(matmul(adjoint, P), G)  # P^H P G (I - P A)
    found = found + left - matmul(A, matmul(P, left))
    return found + right - matmul(matmul(right, P), A)


_pinv.vjp(A=_pinv_gradient)


@composed(public=False, float32=True)
def linalg_pinv(
    input: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None,
    rtol: Any = None, out: Any = None,
) -> Tensor:  # fmt: skip
    """The pseudo-inverse of Moore and Penrose.

    Args:
        input: (*, m, n).
        rcond: the older name of rtol.
        hermitian: the input is Hermitian, and is decomposed as such.
        atol, rtol: singular values up to max(atol, rtol * the largest) count as 0; numbers or
            tensors (*). By default rtol is max(m, n) times the epsilon of the dtype.

    Returns:
        (*, n, m)

    The derivative exists where the rank does not change.

    Raises:
        RuntimeError: for integers.
    """
    (check_square if hermitian else check_matrices)("linalg.pinv", input)
    if rtol is None:
        rtol = rcond
    atol, rtol = _tolerances("linalg.pinv", input, atol, rtol)
    result = _pinv(input, atol, rtol, hermitian)
    return result if out is None else _core.write_out("linalg_pinv", result, out)


@composed(method=True, float32=True)
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse (Moore 1920, Penrose 1955): torch.linalg.pinv with rtol = rcond."""
    return linalg_pinv(input, rtol=rcond)


@composed(public=False, float32=True)
def linalg_matrix_rank(
    input: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None,
    out: Any = None,
) -> Tensor:  # fmt: skip
    """How many singular values are above max(atol, rtol * the largest).

    Args:
        input: (*, m, n).
        tol: the older name of atol (with rtol = 0).
        hermitian: the input is Hermitian: its eigenvalues are taken.
        atol, rtol: as of `pinv`.

    Returns:
        (*), int64
    """
    from rushlight.ops.decompositions import linalg_eigvalsh, linalg_svdvals

    (check_square if hermitian else check_matrices)("linalg.matrix_rank", input)
    if tol is not None and atol is None:
        atol, rtol = tol, 0.0
    atol, rtol = _tolerances("linalg.matrix_rank", input, atol, rtol)
    input = input.detach()
    if input.numel() == 0:
        result = _core.full(tuple(input.shape[:-2]), 0, _core.int64, input)
    else:
        S = linalg_eigvalsh(input).abs() if hermitian else linalg_svdvals(input)
        limit = _limit(S.amax(-1), atol, rtol)
        result = (limit.unsqueeze(-1) < S).sum(-1)
    return result if out is None else _core.write_out("linalg_matrix_rank", result, out)


# ---- least squares


_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@op(node="LinalgLstsqBackward0", **_INNER)
def _lstsq(
    A: Tensor, B: Tensor, rcond: float, driver: str
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(solution, what is left over, rank, singular values) of one batch of matrices."""
    m, n = A.shape[-2:]
    room = B
    if m < n:
        room = _core.full((*B.shape[:-2], n, B.shape[-1]), 0, B.dtype)
        _core.copy_(_core.slice(room, -2, 0, m, 1), B)
    found, rank, singular, info = _core.lstsq(A, room, rcond, driver)
    failed = failure(info)
    if failed:
        raise LinAlgError(
            f"torch.linalg.lstsq: {failed[1]}The least squares solution could not be computed "
            f"because the input matrix does not have full rank (error code: {failed[0]})."
        )
    nothing = _core.empty((0,), singular.dtype)
    rest = nothing
    full = driver == "gels" or not rank.numel() or known((rank == n).all(), True)
    if m > n and driver != "gelsy" and full:
        beyond = found[..., n:, :].abs()
        rest = (beyond * beyond).sum(-2)
    return (
        found[..., :n, :],
        rest,
        _core.empty((0,), _core.int64) if driver == "gels" else rank,
        singular if driver in ("gelsd", "gelss") else nothing,
    )


def _lstsq_gradient(grads: tuple, A: Tensor, B: Tensor, needs: tuple) -> tuple:
    """That of pinv(A) B, and of the squares of what is left over, A X - B."""
    grad_x, grad_rest = grads[0], grads[1]
    P = linalg_pinv(A)
    to_a = to_b = None
    if grad_x is not None:
        to_b = matmul(_t(P), grad_x) if needs[1] else None
        to_a = _pinv_gradient(matmul(grad_x, _t(B)), A, P) if needs[0] else None
    if grad_rest is not None and grad_rest.numel():
        X = matmul(P, B)
        rest = (matmul(A, X) - B) * (2 * grad_rest.unsqueeze(-2))
        if needs[1]:
            to_b = -rest if to_b is None else to_b - rest
        if needs[0]:
            more = matmul(rest, _t(X))
            to_a = more if to_a is None else to_a + more
    return to_a, to_b


_lstsq.vjp_all(("A", "B"), _lstsq_gradient)


@composed(out=True, public=False, float32=True)
def linalg_lstsq(
    input: Tensor, b: Tensor, rcond: float | None = None, *, driver: str | None = None
) -> return_types.linalg_lstsq:
    """(solution, residuals, rank, singular_values): X with the least ||input X - b||.

    Args:
        input: (*, m, n).
        b: (*, m, k), or one right hand side per matrix, (*, m).
        rcond: singular values up to rcond times the largest count as 0; by default max(m, n) times
            the epsilon of the dtype.
        driver: LAPACK's "gelsy" (pivoted QR, the default), "gels" (QR, for full rank), "gelsd" or
            "gelss" (singular values).

    Returns:
        solution (*, n, k); residuals (*, k), the squares of what is left over, if m > n, all ranks
        are n and the driver is not "gelsy", else empty; rank (*), empty for "gels"; singular_values
        (*, min(m, n)) for "gelsd" and "gelss", else empty.

    Raises:
        RuntimeError: shapes or dtypes do not fit, or for another `driver`.
    """
    name = "torch.linalg.lstsq"
    check_matrices("linalg.lstsq", input)
    if b.ndim < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    check_same_dtype(name, input, b)
    vector = input.ndim - 1 == b.ndim and b.shape == input.shape[:-1]
    if driver is not None and driver not in _DRIVERS:
        raise RuntimeError(
            f"{name}: parameter `driver` should be one of ({', '.join(_DRIVERS)}), got '{driver}'"
        )
    right = b.unsqueeze(-1) if vector else b
    if right.ndim < 2 or input.shape[-2] != right.shape[-2]:
        raise RuntimeError(
            f"{name}: input.size(-2) should match other.size(-{1 if vector else 2}), got shapes "
            f"{list(input.shape)} and {list(b.shape)}"
        )
    if rcond is None:
        real = input.dtype.to_real() if input.dtype.is_complex else input.dtype
        rcond = finfo(real).eps * max(input.shape[-2:])
    left, right = broadcast_batches(input, right)
    X, rest, rank, singular = _lstsq(left, right, float(rcond), driver or "gelsy")
    X = X.squeeze(-1) if vector else X
    return return_types.linalg_lstsq((X, rest, rank, singular))


# ---- low rank


def _approximate_basis(A: Tensor, q: int, niter: int, M: Tensor | None) -> Tensor:
    """Q with orthonormal columns that span most of A (Halko et al. 2009, algorithm 4.4)."""
    from rushlight.ops.random import randn

    moved = A if M is None else A - M
    found = matmul(moved, randn(A.shape[-1], q, dtype=A.dtype))
    Q = linalg_qr(found)[0]
    for _ in range(niter):
        Q = linalg_qr(matmul(_t(moved), Q))[0]
        Q = linalg_qr(matmul(moved, Q))[0]
    return Q


@composed()
def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(U, S, V): about the q largest singular values of A - M, by random projections.

    Args:
        A: (*, m, n).
        q: how many; a little more than are wanted.
        niter: iterations, which make it more exact.
        M: what is subtracted, of the shape of A.

    Halko, Martinsson and Tropp 2011. Shapes: (*, m, q), (*, q), (*, n, q).
    """
    q = 6 if q is None else q
    niter = 2 if niter is None else niter
    m, n = A.shape[-2:]
    if M is not None:
        M = M.expand(A.shape)
    if m < n:
        A = _t(A)
        M = None if M is None else _t(M)
    Q = _approximate_basis(A, q, niter, M)
    U, S, Vh = linalg_svd(matmul(_t(Q), A if M is None else A - M), full_matrices=False)
    U, V = matmul(Q, U), _t(Vh)
    return (V, S, U) if m < n else (U, S, V)


@composed()
def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """(U, S, V) of `svd_lowrank` for A, whose columns are first centred.

    The columns of V are the principal components of its rows.

    Args:
        A: (*, m, n).
        q: how many; min(6, m, n) by default.
        center: subtract the mean of each column.
        niter: iterations.

    Raises:
        ValueError: `q` is not in [0, min(m, n)].
    """
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if center:
        A = A - A.mean(-2, keepdim=True)
    return svd_lowrank(A, q, niter=niter, M=None)
