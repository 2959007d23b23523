"""QR, eigenvalues and singular values.

LAPACK computes the values (csrc/kernels/decompositions.cpp). Derivatives: for QR Walter and
Lehmann (2012) and Roberts and Roberts (2020), for eigenvectors Giles (2008) and Boeddeker et al.
(2017), for singular vectors Townsend (2016) and Wan and Zhang (2019). Eigenvectors and singular
vectors are unique only up to a sign or phase: a loss that depends on it has no derivative, and
equal eigenvalues or singular values make that of their vectors infinite.
"""

from __future__ import annotations

from typing import Any

from rushlight import _core, return_types
from rushlight.autograd.op import composed, op
from rushlight.ops.complex import _c
from rushlight.ops.factors import linalg_solve_triangular
from rushlight.ops.join import cat
from rushlight.ops.known import known
from rushlight.ops.linalg import _t, matmul
from rushlight.ops.matrix import (
    check_converged,
    check_dtype,
    check_matrices,
    check_square,
    computed_again,
    off_diagonal,
)
from rushlight.ops.pointwise import where
from rushlight.ops.solve import linalg_solve
from rushlight.ops.triangle import diag_embed, tril, triu
from rushlight.ops.undefined import undefined
from rushlight.tensor import Tensor
from rushlight.warned import deprecated

_INNER: dict[str, Any] = {"public": False, "method": False}


def _diagonal(value: Tensor) -> Tensor:
    return value.diagonal(0, -2, -1)


def _over_gaps(value: Tensor, gaps: Tensor) -> Tensor:
    """value / gaps beside the diagonal, 0 on it."""
    beside = off_diagonal(gaps.shape[-1])
    return where(beside, value / where(beside, gaps, 1.0), 0.0)


# ---- Householder's reflections and QR


@op(method=True, out=True)
def geqrf(input: Tensor) -> return_types.geqrf:
    """(a, tau): a QR decomposition as LAPACK's geqrf has it, for `householder_product` and `ormqr`.

    R in the upper triangle of a, and below it the vectors that Q is made of. Shapes: (*, m, n) ->
    (*, m, n), (*, min(m, n)).
    """
    check_matrices("geqrf", input)
    return return_types.geqrf(_core.geqrf(input))


geqrf.vjp_all(("input",), undefined("geqrf", error=NotImplementedError))


def _check_reflections(name: str, A: Tensor, tau: Tensor) -> None:
    check_matrices(name, A, "input")
    if A.shape[-2] < A.shape[-1]:
        raise RuntimeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1], got "
            f"{list(A.shape)}"
        )
    if A.shape[-1] < tau.shape[-1]:
        raise RuntimeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1], got "
            f"{list(A.shape)} and {list(tau.shape)}"
        )
    if A.ndim - tau.ndim != 1 or A.shape[:-2] != tau.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got "
            f"{list(tau.shape)} for an input of shape {list(A.shape)}"
        )
    if A.dtype is not tau.dtype:
        raise RuntimeError(
            f"{name}: tau dtype {tau.dtype} does not match input dtype {A.dtype}"
        )


def _reflections(A: Tensor, tau: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(V, T, S, M) with Q = I - V T V^H (Schreiber and Van Loan 1989): T = diag(tau) M with
    M = (I + S diag(tau))^-1, and S the part of V^H V above the diagonal."""
    k = tau.shape[-1]
    V = tril(A[..., :k], -1) + _core.eye(A.shape[-2], k, A.dtype)
    S = triu(matmul(_t(V), V), 1)
    eye = _core.eye(k, k, A.dtype).expand_as(S)
    M = linalg_solve_triangular(
        S * tau.unsqueeze(-2), eye, upper=True, unitriangular=True
    )
    return V, tau.unsqueeze(-1) * M, S, M


def _reflections_gradient(
    A: Tensor, tau: Tensor, transpose: bool, one: Any, two: Any
) -> tuple[Tensor, Tensor]:
    """The gradients of A and tau, where that of Q is -X: from one(V) = X V, two(V) = X^H V."""
    V, T, S, M = _reflections(A, tau)
    F = _t(T) if transpose else T
    XV, XHV = one(V), two(V)
    grad_f = -matmul(_t(V), XV)
    grad_v = -(matmul(XV, _t(F)) + matmul(XHV, F))
    grad_t = _t(grad_f) if transpose else grad_f
    grad_m = _c(tau).unsqueeze(-1) * grad_t
    inner = -matmul(_t(M), matmul(grad_m, _t(M)))
    grad_s = triu(inner * _c(tau).unsqueeze(-2), 1)
    grad_tau = (grad_t * _c(M)).sum(-1) + (_c(S) * inner).sum(-2)
    grad_v = grad_v + matmul(V, grad_s + _t(grad_s))
    grad_a = tril(grad_v, -1)
    beyond = A.shape[-1] - tau.shape[-1]
    if beyond:
        grad_a = cat((grad_a, _core.full((*A.shape[:-1], beyond), 0, A.dtype)), -1)
    return grad_a, grad_tau


@op(node="LinalgHouseholderProductBackward0", **_INNER)
def _householder_product(input: Tensor, tau: Tensor, name: str) -> Tensor:
    _check_reflections(name, input, tau)
    return _core.orgqr(input, tau, input.shape[-1])


def _householder_gradient(grad: Tensor, input: Tensor, tau: Tensor) -> tuple:
    if tau.numel() == 0 or input.numel() == 0:
        return None, None
    m, n = input.shape[-2:]

    def turned(V: Tensor) -> Tensor:
        below = _core.full((*V.shape[:-2], m - n, V.shape[-1]), 0, V.dtype)
        return cat((matmul(_t(grad), V), below), -2)

    return _reflections_gradient(
        input, tau, False, lambda V: matmul(grad, V[..., :n, :]), turned
    )


_householder_product.vjp_all(("input", "tau"), _householder_gradient)


@composed(out=True, public=False)
def linalg_householder_product(input: Tensor, tau: Tensor) -> Tensor:
    """The first n columns of the product of k reflections I - tau_i v_i v_i^H.

    Args:
        input: (*, m, n) with m >= n; v_i is column i below the diagonal, with 1 on it.
        tau: (*, k) with k <= n.

    Raises:
        RuntimeError: m < n or n < k.
    """
    return _householder_product(input, tau, "torch.linalg.householder_product")


@composed(method=True, out=True)
def orgqr(input: Tensor, input2: Tensor) -> Tensor:
    """The older name of torch.linalg.householder_product."""
    return linalg_householder_product(input, input2)


@op(out="exact")
def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False
) -> Tensor:
    """Q @ other (other @ Q where not `left`), for the Q of `geqrf`, without making Q.

    Args:
        input, tau: (*, m, k) and (*, k), from `geqrf`.
        other: (*, m, n), or (*, n, m) where not `left`.
        transpose: take Q^H in place of Q.
    """
    for symbol, matrix in (("input", input), ("other", other)):
        if matrix.ndim < 2:
            raise RuntimeError(
                f"torch.ormqr: {symbol} must have at least 2 dimensions, got {list(matrix.shape)}"
            )
    check_dtype("torch.ormqr", input)
    rows = other.shape[-2 if left else -1]
    if rows < tau.shape[-1] or rows != input.shape[-2]:
        raise RuntimeError(
            f"torch.ormqr: other.shape[{-2 if left else -1}] must be equal to input.shape[-2] and "
            f"not less than tau.shape[-1], got {list(other.shape)}, {list(input.shape)} and "
            f"{list(tau.shape)}"
        )
    if tau.shape[-1] > input.shape[-1]:
        raise RuntimeError(
            "torch.ormqr: tau.shape[-1] must be less than or equal to input.shape[-1], got "
            f"{list(tau.shape)} and {list(input.shape)}"
        )
    if input.ndim - tau.ndim != 1 or input.ndim != other.ndim:
        raise RuntimeError(
            "torch.ormqr: Expected tau to have one dimension less than input, and other as many, "
            f"but got {list(tau.shape)}, {list(input.shape)} and {list(other.shape)}"
        )
    if tau.shape[:-1] != input.shape[:-2] or other.shape[:-2] != input.shape[:-2]:
        raise RuntimeError(
            "torch.ormqr: Expected batch dimensions of tau and other to be equal to "
            f"input.shape[:-2], but got {list(tau.shape)}, {list(other.shape)} and "
            f"{list(input.shape)}"
        )
    for symbol, given in (("tau", tau), ("other", other)):
        if given.dtype is not input.dtype:
            raise RuntimeError(
                f"torch.ormqr: Expected input and {symbol} to have the same dtype, but input has "
                f"dtype {input.dtype} and {symbol} has dtype {given.dtype}"
            )
    return _core.ormqr(input, tau, other, left, transpose)


def _ormqr_gradient(
    grad: Tensor, input: Tensor, tau: Tensor, other: Tensor, left: bool, transpose: bool,
    needs: tuple,
) -> tuple:  # fmt: skip
    grad_other = ormqr(input, tau, grad, left, not transpose) if needs[2] else None
    if not (needs[0] or needs[1]) or tau.numel() == 0 or input.numel() == 0:
        return None, None, grad_other
    G, C = (grad, other) if left else (_t(other), _t(grad))

    def one(V: Tensor) -> Tensor:  # G C^H V
        return matmul(G, matmul(_t(C), V))

    def two(V: Tensor) -> Tensor:
        return matmul(C, matmul(_t(G), V))

    return (*_reflections_gradient(input, tau, transpose, one, two), grad_other)


ormqr.vjp_all(("input", "tau", "other"), _ormqr_gradient)


@op(node="LinalgQrBackward0", **_INNER)
def _qr(A: Tensor, mode: str, name: str) -> tuple[Tensor, Tensor]:
    check_matrices(name, A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    m, n = A.shape[-2:]
    k = m if m < n else n
    if mode == "r":
        return _core.empty((0,), A.dtype), triu(_core.geqrf(A)[0][..., :k, :])
    return _core.qr(A, m if mode == "complete" else k)


def _upper_to_hermitian(value: Tensor) -> Tensor:
    """The upper triangle mirrored; the diagonal without its imaginary part."""
    both = value + _t(value)
    return both - diag_embed(_diagonal(both)) * 0.5


def _qr_gradient(grads: tuple, A: Tensor, mode: str, result: tuple) -> Tensor | None:
    m, n = A.shape[-2:]
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r': use "
            "linalg.qr(A, mode='reduced') if you are going to require gradients"
        )
    if mode == "complete" and m > n:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols, "
            f"got {m} rows and {n} columns: use mode='reduced'"
        )
    Q, R = computed_again(_qr, result, A, mode, "linalg.qr")
    grad_q, grad_r = grads
    if m >= n:
        return _tall_qr_gradient(grad_q, grad_r, Q, R)
    # A = [X | Y] = Q [U | V]: Y = Q V, X = Q U.
    beside = None
    if grad_r is not None:
        part = grad_r[..., m:]
        beside = matmul(Q, part)
        moved = matmul(A[..., m:], _t(part))
        grad_q = moved if grad_q is None else grad_q + moved
        grad_r = grad_r[..., :m]
    square = _tall_qr_gradient(grad_q, grad_r, Q, R[..., :m])
    if beside is None:
        return cat((square, _core.full((*A.shape[:-1], n - m), 0, A.dtype)), -1)
    return cat((square, beside), -1)


def _tall_qr_gradient(
    grad_q: Tensor | None, grad_r: Tensor | None, Q: Tensor, R: Tensor
) -> Tensor:
    inner = None if grad_r is None else matmul(grad_r, _t(R))
    if grad_q is not None:
        turn = matmul(_t(Q), grad_q)
        inner = -turn if inner is None else inner - turn
    found = matmul(Q, _upper_to_hermitian(triu(inner)))
    if grad_q is not None:
        found = found + grad_q
    return linalg_solve_triangular(_t(R), found, upper=False, left=False)


_qr.vjp(A=_qr_gradient)


@composed(out="exact", public=False)
def linalg_qr(A: Tensor, mode: str = "reduced") -> return_types.linalg_qr:
    """(Q, R): A = Q R with orthonormal columns in Q and an upper triangular R.

    Args:
        A: (*, m, n); k = min(m, n).
        mode: "reduced" (Q (*, m, k), R (*, k, n)), "complete" (Q (*, m, m), R (*, m, n)) or "r"
            (Q empty, R (*, k, n)).

    The derivative exists where the first k columns of A are independent, not for "r", and for
    "complete" only if m <= n.

    Raises:
        RuntimeError: for another mode, or integers.
    """
    return return_types.linalg_qr(_qr(A, mode, "linalg.qr"))


@composed(method=True, out="exact")
def qr(input: Tensor, some: bool = True) -> return_types.qr:
    """(Q, R): the older form of torch.linalg.qr; without `some`, Q is square."""
    deprecated("qr", "qr", "Q, R = torch.linalg.qr(A, 'reduced' if some else 'complete')")
    return return_types.qr(_qr(input, "reduced" if some else "complete", "linalg.qr"))


# ---- eigenvalues of Hermitian matrices


def _check_triangle(UPLO: str) -> bool:
    letter = UPLO.upper()
    if letter not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return letter == "U"


@op(node="LinalgEighBackward0", **_INNER)
def _eigh(
    A: Tensor, upper: bool, vectors: bool, checked: list
) -> tuple[Tensor, Tensor]:
    check_square("linalg.eigh", A)
    values, found, info = _core.eigh(A, upper, vectors)
    check_converged("linalg.eigh", info, A)
    return values, found


_PHASE = (
    "{}: the vectors of complex matrices are specified up to multiplication by e^(i phi), and the "
    "loss depends on this quantity, so its gradient is ill-defined"
)


def _check_phase(name: str, imaginary: Tensor, checked: list) -> None:
    # A second derivative reaches the vectors on two ways, as results and as parts of a formula.
    # Only the sum is free of the phase, so what was recorded is not checked again.
    if checked:
        return
    if known((imaginary.detach().abs() > 1e-2).any()):
        raise RuntimeError(_PHASE.format(name))
    if _core.is_grad_enabled():
        checked.append(True)


def _eigh_gradient(
    grads: tuple, A: Tensor, upper: bool, checked: list, result: tuple
) -> Tensor | None:
    L, V = computed_again(_eigh, result, A, upper, True, [True])
    grad_l, grad_v = grads
    if grad_v is None:
        if grad_l is None:
            return None
        return matmul(V * grad_l.unsqueeze(-2), _t(V))
    turn = matmul(_t(V), grad_v)
    if A.dtype.is_complex:
        _check_phase("linalg_eigh_backward", _diagonal(turn).imag, checked)
    inner = _over_gaps(turn, L.unsqueeze(-2) - L.unsqueeze(-1))
    if grad_l is not None:
        inner = inner + diag_embed(grad_l)
    found = matmul(V, matmul(inner, _t(V)))
    return (found + _t(found)) * 0.5  # either triangle may be the one that was read


_eigh.vjp(A=_eigh_gradient)


@composed(out="exact", public=False)
def linalg_eigh(input: Tensor, UPLO: str = "L") -> return_types.linalg_eigh:
    """(eigenvalues, eigenvectors) of symmetric or Hermitian matrices.

    Args:
        input: (*, n, n).
        UPLO: the triangle that is read, "L" or "U".

    Returns:
        (*, n), real and rising, and (*, n, n) with the vectors as columns.

    The derivative of the vectors is finite only where the eigenvalues differ.

    Raises:
        LinAlgError: for infinite values or nan.
        RuntimeError: for what is not square, integers, or another `UPLO`.
    """
    return return_types.linalg_eigh(_eigh(input, _check_triangle(UPLO), True, []))


@composed(out="exact", public=False)
def linalg_eigvalsh(input: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric or Hermitian matrices, real, rising.

    Shapes: (*, n, n) -> (*, n). `UPLO`: the triangle that is read, "L" or "U".
    """
    recorded = input.requires_grad and _core.is_grad_enabled()
    return _eigh(input, _check_triangle(UPLO), recorded, [])[0]


# ---- eigenvalues of any square matrices


@op(node="LinalgEigBackward0", **_INNER)
def _eig(
    A: Tensor, vectors: bool, name: str, checked: list
) -> tuple[Tensor, Tensor]:
    check_square(name, A)
    if not known(_core.all(_core.isfinite(A)), True):
        raise RuntimeError(f"torch.{name}: input tensor should not contain infs or NaNs.")
    values, found, info = _core.eig(A, vectors)
    check_converged(name, info, A)
    return values, found


def _eig_gradient(
    grads: tuple, A: Tensor, checked: list, result: tuple
) -> Tensor | None:
    L, V = computed_again(_eig, result, A, True, "linalg.eig", [True])
    grad_l, grad_v = grads
    adjoint = _t(V)
    if grad_v is None:
        if grad_l is None:
            return None
        found = linalg_solve(adjoint, grad_l.unsqueeze(-1) * adjoint)
    else:
        turn = matmul(adjoint, grad_v)
        own = _diagonal(turn)
        _check_phase("linalg_eig_backward", own.imag, checked)
        # LAPACK scales each vector to length 1: what changes its length is taken away.
        turn = turn - matmul(adjoint, V * own.real.unsqueeze(-2))
        inner = _over_gaps(turn, _c(L.unsqueeze(-2) - L.unsqueeze(-1)))
        if grad_l is not None:
            inner = inner + diag_embed(grad_l)
        found = linalg_solve(adjoint, matmul(inner, adjoint))
    return found if A.dtype.is_complex else found.real


_eig.vjp(A=_eig_gradient)


@composed(out=True, public=False)
def linalg_eig(input: Tensor) -> return_types.linalg_eig:
    """(eigenvalues, eigenvectors) of square matrices, complex also where input is real.

    Args:
        input: (*, n, n), finite.

    Returns:
        (*, n) in no particular order, and (*, n, n) with the vectors, of length 1, as columns.

    The derivative of the vectors is finite only where the eigenvalues differ.

    Raises:
        RuntimeError: for infinite values or nan, what is not square, or integers.
    """
    return return_types.linalg_eig(_eig(input, True, "linalg.eig", []))


@composed(out=True, public=False)
def linalg_eigvals(input: Tensor) -> Tensor:
    """The eigenvalues of square matrices, complex, in no order. Shapes: (*, n, n) -> (*, n).

    Raises RuntimeError for infinite values or nan.
    """
    recorded = input.requires_grad and _core.is_grad_enabled()
    return _eig(input, recorded, "linalg.eigvals", [])[0]


# ---- singular values


@op(node="LinalgSvdBackward0", **_INNER)
def _svd(
    A: Tensor, full: bool, vectors: bool, name: str, checked: list
) -> tuple[Tensor, Tensor, Tensor]:
    check_matrices(name, A)
    U, S, Vh, info = _core.svd(A, full, vectors)
    check_converged("linalg.svd", info, A)
    return U, S, Vh


def _skew(value: Tensor) -> Tensor:
    return value - _t(value)


def _svd_gradient(
    grads: tuple, A: Tensor, checked: list, result: tuple
) -> Tensor | None:
    # Vectors beyond the first k are any basis of what remains: they have no derivative.
    U, S, Vh = computed_again(_svd, result, A, False, True, "linalg.svd", [True])
    m, n = A.shape[-2:]
    k = m if m < n else n
    U, Vh = U[..., :k], Vh[..., :k, :]
    grad_u, grad_s, grad_vh = grads
    if grad_u is None and grad_vh is None:
        if grad_s is None:
            return None
        return matmul(U * grad_s.unsqueeze(-2), Vh)
    grad_u = None if grad_u is None else grad_u[..., :k]
    grad_v = None if grad_vh is None else _t(grad_vh[..., :k, :])
    turn_u = None if grad_u is None else _skew(matmul(_t(U), grad_u))
    turn_v = None if grad_v is None else _skew(matmul(Vh, grad_v))
    if A.dtype.is_complex:
        own = [_diagonal(turn) for turn in (turn_u, turn_v) if turn is not None]
        phase = (own[0] if len(own) == 1 else own[0] + own[1]).imag
        _check_phase("svd_backward", phase, checked)
    # S_j^2 - S_i^2 without the squares' rounding
    gaps = (S.unsqueeze(-2) - S.unsqueeze(-1)) * (S.unsqueeze(-2) + S.unsqueeze(-1))
    inner = None
    if turn_u is not None:
        inner = _over_gaps(turn_u, gaps) * S.unsqueeze(-2)
        if A.dtype.is_complex:
            inner = inner + diag_embed(_diagonal(turn_u) / (2 * S))
    if turn_v is not None:
        part = S.unsqueeze(-1) * _over_gaps(turn_v, gaps)
        inner = part if inner is None else inner + part
    if grad_s is not None:
        inner = inner + diag_embed(grad_s)
    if m > k and grad_u is not None:
        scaled = grad_u / S.unsqueeze(-2)
        left = matmul(U, inner) + scaled - matmul(U, matmul(_t(U), scaled))
        found = matmul(left, Vh)
    else:
        found = matmul(U, matmul(inner, Vh))
    if n > k and grad_v is not None:
        scaled = _t(grad_v) / S.unsqueeze(-1)
        found = found + matmul(U, scaled - matmul(matmul(scaled, _t(Vh)), Vh))
    return found


_svd.vjp(A=_svd_gradient)


def _check_driver(driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with "
            f"cuSOLVER backend, got '{driver}'"
        )


@composed(out="exact", public=False)
def linalg_svd(
    A: Tensor, full_matrices: bool = True, *, driver: str | None = None
) -> return_types.linalg_svd:
    """(U, S, Vh): A = U diag(S) Vh with orthonormal columns in U and rows in Vh, and S falling.

    Args:
        A: (*, m, n); k = min(m, n).
        full_matrices: U (*, m, m) and Vh (*, n, n); else (*, m, k) and (*, k, n).
        driver: None; the others are those of CUDA.

    The derivative of the vectors is finite only where the singular values differ, and are not 0 if
    A is not square.

    Raises:
        LinAlgError: for infinite values or nan.
        RuntimeError: for integers, or a `driver`.
    """
    _check_driver(driver)
    return return_types.linalg_svd(_svd(A, full_matrices, True, "linalg.svd", []))


@composed(out="exact", public=False)
def linalg_svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, real, falling. Shapes: (*, m, n) -> (*, min(m, n))."""
    _check_driver(driver)
    recorded = A.requires_grad and _core.is_grad_enabled()
    return _svd(A, False, recorded, "linalg.svdvals", [])[1]


@composed(method=True, out="exact", float32=True)
def svd(
    input: Tensor, some: bool = True, compute_uv: bool = True
) -> return_types.svd:
    """(U, S, V), V and not its conjugate transpose: the older form of torch.linalg.svd.

    Args:
        input: (*, m, n).
        some: U and V with min(m, n) columns; else square.
        compute_uv: without, U and V are square and 0.
    """
    check_matrices("linalg.svd", input)
    if not compute_uv:
        m, n = input.shape[-2:]
        U = _core.full((*input.shape[:-2], m, m), 0, input.dtype, input)
        V = _core.full((*input.shape[:-2], n, n), 0, input.dtype, input)
        return return_types.svd((U, linalg_svdvals(input), V))
    U, S, Vh = _svd(input, not some, True, "linalg.svd", [])
    return return_types.svd((U, S, _t(Vh)))
