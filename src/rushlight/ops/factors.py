"""Triangular systems, and the factors that make others triangular: Cholesky, LU and LDL.

LAPACK computes the values (csrc/kernels/lapack.cpp). Derivatives follow Giles, "Collected matrix
derivative results for forward and reverse mode algorithmic differentiation" (2008), and for
Cholesky's factor Murray, "Differentiation of the Cholesky decomposition" (2016).
"""

from __future__ import annotations

from typing import Any

from rushlight import _core, return_types
from rushlight.autograd.op import composed, op
from rushlight.ops.gather import scatter
from rushlight.ops.join import cat
from rushlight.ops.linalg import _t, matmul
from rushlight.ops.matrix import (
    LinAlgError,
    broadcast_batches,
    check_dtype,
    check_invertible,
    check_matrices,
    check_same_dtype,
    check_square,
    check_system,
    computed_again,
    failure,
    identity,
)
from rushlight.ops.triangle import tril, triu
from rushlight.ops.undefined import undefined
from rushlight.tensor import Tensor
from rushlight.warned import deprecated

_INNER: dict[str, Any] = {"public": False, "method": False}


# ---- triangular systems


@op(node="LinalgSolveTriangularBackward0", **_INNER)
def _triangular(A: Tensor, B: Tensor, upper: bool, left: bool, unit: bool) -> Tensor:
    """The values of `solve_triangular`."""
    name = "linalg.solve_triangular"
    check_square(name, A)
    check_same_dtype(name, A, B)
    check_system(name, A, B, left)
    A, B = broadcast_batches(A, B)
    return _core.solve_triangular(A, B, upper, left, unit)


def _triangular_gradient(
    grad: Tensor, A: Tensor, upper: bool, left: bool, unit: bool, result: Tensor, needs: tuple
) -> tuple:
    right = _triangular(_t(A), grad, not upper, left, unit)
    if not needs[0]:
        return None, right
    full = -(matmul(right, _t(result)) if left else matmul(_t(result), right))
    edge = int(unit)
    return triu(full, edge) if upper else tril(full, -edge), right


_triangular.vjp_all(("A", "B"), _triangular_gradient)


@composed(out="exact", public=False)
def linalg_solve_triangular(
    input: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """X with input @ X = B, or X @ input = B where not `left`, for triangular input.

    Args:
        input: (*, n, n); the other triangle is not read.
        B: (*, n, k), or (*, k, n) where not `left`.
        upper: which triangle the input has.
        unitriangular: take the diagonal for ones without reading it.

    Raises:
        RuntimeError: shapes or dtypes do not fit. A singular input is not noticed: inf or nan.
    """
    return _triangular(input, B, upper, left, unitriangular)


@composed(method=True, out="exact", float32=True)
def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> return_types.triangular_solve:
    """(solution, a copy of A): the older form of torch.linalg.solve_triangular.

    X with A X = b for A (*, n, n) and b (*, n, k).
    """
    deprecated("triangular_solve", "solve_triangular", "X = torch.linalg.solve_triangular(A, B)")
    for symbol, matrix in (("b", b), ("A", A)):
        if matrix.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {symbol} to have at least 2 dimensions, but it "
                f"has {matrix.ndim} dimensions instead"
            )
    check_square("triangular_solve", A)
    factor, right = broadcast_batches(A, b)
    matrix = factor.mT if transpose else factor
    solution = linalg_solve_triangular(
        matrix, right, upper=upper != transpose, unitriangular=unitriangular
    )
    return return_types.triangular_solve((solution, factor.clone()))


# ---- Cholesky


def _check_positive(name: str, info: Tensor) -> None:
    found = failure(info)
    if found:
        code, place = found
        raise LinAlgError(
            f"{name}: {place}The factorization could not be completed because the input is not "
            f"positive-definite (the leading minor of order {code} is not positive-definite)."
        )


@op(out="exact", **_INNER)
def linalg_cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """L with A = L L^H, lower triangular with a positive diagonal; or its conjugate transpose.

    Args:
        A: (*, n, n), Hermitian and positive definite; only one triangle is read.
        upper: return L^H, and read the upper triangle.

    Raises:
        LinAlgError: where a matrix is not positive definite.
    """
    check_square("linalg.cholesky", A)
    result, info = _core.cholesky(A, upper)
    _check_positive("linalg.cholesky", info)
    return result


def _cholesky_gradient(grad: Tensor, result: Tensor, upper: bool) -> Tensor:
    if upper:
        grad, result = _t(grad), _t(result)
    lower = tril(matmul(_t(result), grad))
    half = linalg_solve_triangular(_t(result), lower + _t(tril(lower, -1)), upper=True)
    return linalg_solve_triangular(result, half, upper=False, left=False) * 0.5


linalg_cholesky.vjp(A=_cholesky_gradient)


@op(out="exact", **_INNER)
def linalg_cholesky_ex(
    A: Tensor, *, upper: bool = False, check_errors: bool = False
) -> return_types.linalg_cholesky_ex:
    """(L, info) as of `cholesky`; info (int32) is the order of the first minor that failed, or 0.

    Does not raise for what is not positive definite, unless `check_errors`.
    """
    check_square("linalg.cholesky_ex", A)
    result, info = _core.cholesky(A, upper)
    if check_errors:
        _check_positive("linalg.cholesky_ex", info)
    return return_types.linalg_cholesky_ex((result, info))


linalg_cholesky_ex.vjp(
    A=lambda grads, A, upper, result: _cholesky_gradient(
        grads[0], linalg_cholesky(A, upper=upper) if _core.is_grad_enabled() else result[0], upper
    )
)


@op(out=True, node="CholeskyBackward0")
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The older name of torch.linalg.cholesky."""
    deprecated("cholesky", "cholesky", "L = torch.linalg.cholesky(A)")
    check_square("cholesky", input)
    result, info = _core.cholesky(input, upper)
    _check_positive("cholesky", info)
    return result


cholesky.vjp(input=_cholesky_gradient)


@op(out=True)
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X with A X = input, from Cholesky's factor of A.

    Args:
        input: (*, n, k).
        L: (*, n, n), lower triangular with A = L L^H; with `upper`, A = L^H L.

    Raises:
        RuntimeError: shapes or dtypes do not fit.
    """
    for symbol, matrix in (("B", input), ("A", L)):
        if matrix.ndim < 2:
            raise RuntimeError(
                f"cholesky_solve: {symbol} should have at least 2 dimensions, but has "
                f"{matrix.ndim} dimensions instead"
            )
    check_square("cholesky_solve", L)
    check_same_dtype("cholesky_solve", input, L, "BA")
    if input.shape[-2] != L.shape[-1]:
        raise RuntimeError(
            "cholesky_solve: Incompatible matrix sizes: each A matrix is "
            f"{L.shape[-1]} by {L.shape[-1]} but each B matrix is {input.shape[-2]} by "
            f"{input.shape[-1]}"
        )
    factor, right = broadcast_batches(L, input)
    return _core.cholesky_solve(right, factor, upper)


def _cholesky_solve_gradient(
    grad: Tensor, L: Tensor, upper: bool, result: Tensor, needs: tuple
) -> tuple:
    first = cholesky_solve(grad, L, upper)
    if not needs[1]:
        return first, None
    both = matmul(first, _t(result))
    both = both + _t(both)
    return first, -(matmul(L, both) if upper else matmul(both, L))


cholesky_solve.vjp_all(("input", "L"), _cholesky_solve_gradient)


@op(out=True)
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A from Cholesky's factor of it: A = L L^H, or L^H L with `upper`.

    Shapes: (*, n, n) -> (*, n, n).
    """
    check_square("cholesky_inverse", L)
    eye = _core.expand(identity(L), L.shape)
    return _core.cholesky_solve(eye, L, upper)


def _cholesky_inverse_gradient(grad: Tensor, L: Tensor, upper: bool, result: Tensor) -> Tensor:
    both = matmul(result, matmul(grad + _t(grad), result))
    return -(matmul(L, both) if upper else matmul(both, L))


cholesky_inverse.vjp(L=_cholesky_inverse_gradient)

# ---- LU


def _check_pivot(name: str, pivot: bool) -> None:
    if not pivot:
        raise RuntimeError(f"{name}: LU without pivoting is not implemented on the CPU")


@op(out="exact", **_INNER)
def linalg_lu_factor_ex(
    A: Tensor, *, pivot: bool = True, check_errors: bool = False
) -> return_types.linalg_lu_factor_ex:
    """(LU, pivots, info): L without its diagonal of ones and U in one matrix.

    Row i was exchanged with row pivots[i] - 1; info is the first i for which U[i - 1, i - 1] is 0,
    or 0. Shapes: (*, m, n) -> (*, m, n), (*, min(m, n)), (*).
    """
    check_matrices("torch.linalg.lu_factor_ex", A)
    _check_pivot("linalg.lu_factor", pivot)
    factors, pivots, info = _core.lu_factor(A)
    if check_errors:
        check_invertible("torch.linalg.lu_factor_ex", info)
    return return_types.linalg_lu_factor_ex((factors, pivots, info))


def _lu_gradient(grad_l: Tensor, grad_u: Tensor, LU: Tensor, pivots: Tensor) -> Tensor:
    """The gradient of A = P L U from those of the two triangles (each 0 outside of its own)."""
    m, n = LU.shape[-2:]
    k = m if m < n else n
    P, L, U = lu_unpack(LU, pivots)
    left, right = L[..., :k, :], U[..., :, :k]
    lower, upper = matmul(_t(L), grad_l), matmul(grad_u, _t(U))
    if m > n:  # rows below the square part: L2 = A2 U^-1
        below = grad_l[..., k:, :]
        upper = upper - matmul(_t(L[..., k:, :]), below)
        lower = matmul(_t(left), grad_l[..., :k, :])
    elif m < n:  # columns beside it: U2 = L^-1 A2
        beside = grad_u[..., :, k:]
        lower = lower - matmul(beside, _t(U[..., :, k:]))
        upper = matmul(grad_u[..., :, :k], _t(right))
    inner = tril(lower, -1) + triu(upper)
    adjoint_l, adjoint_u = _t(left), _t(right)
    square = linalg_solve_triangular(adjoint_l, inner, upper=True, unitriangular=True)
    square = linalg_solve_triangular(adjoint_u, square, upper=False, left=False)
    if m > n:
        rest = linalg_solve_triangular(adjoint_u, below, upper=False, left=False)
        square = cat((square, rest), -2)
    elif m < n:
        rest = linalg_solve_triangular(adjoint_l, beside, upper=True, unitriangular=True)
        square = cat((square, rest), -1)
    return matmul(P, square)


def _lu_factor_gradient(grads: tuple, A: Tensor, result: tuple) -> Tensor:
    LU, pivots, _ = computed_again(linalg_lu_factor_ex, result, A)
    k = min(LU.shape[-2:])
    grad = grads[0]
    return _lu_gradient(tril(grad[..., :k], -1), triu(grad[..., :k, :]), LU, pivots)


linalg_lu_factor_ex.vjp(A=_lu_factor_gradient)


@composed(out="exact", public=False)
def linalg_lu_factor(A: Tensor, *, pivot: bool = True) -> return_types.linalg_lu_factor:
    """(LU, pivots) for `lu_solve`: L without its diagonal of ones and U in one matrix.

    pivots (int32) says with which row (from 1) each row was exchanged. Shapes: (*, m, n) -> (*, m,
    n), (*, min(m, n)).

    Raises:
        RuntimeError: where a diagonal element of U is 0.
    """
    check_matrices("torch.linalg.lu_factor", A)
    LU, pivots, info = linalg_lu_factor_ex(A, pivot=pivot)
    found = failure(info)
    if found:
        code, place = found
        raise RuntimeError(
            f"torch.linalg.lu_factor: {place}U[{code},{code}] is zero and using it on lu_solve "
            "would result in a division by zero. linalg.lu and linalg.lu_factor_ex factor it "
            "all the same"
        )
    return return_types.linalg_lu_factor((LU, pivots))


@composed(out=True)
def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> return_types.lu_unpack:
    """(P, L, U) with A = P L U, from what `lu_factor` returned; what is not unpacked is empty.

    Shapes for A (*, m, n), k = min(m, n): (*, m, m), (*, m, k), (*, k, n). Raises RuntimeError for
    pivots that are not int32.
    """
    if LU_pivots.dtype is not _core.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
            f"dtype, got {LU_pivots.dtype}. Note: this function is intended to be used with the "
            "output produced by torch.linalg.lu_factor"
        )
    m, n = LU_data.shape[-2:]
    k = m if m < n else n
    nothing = _core.empty((0,), LU_data.dtype, LU_data)
    P = L = U = nothing
    if unpack_data:
        L = tril(LU_data[..., :k], -1) + _core.eye(m, k, LU_data.dtype, LU_data)
        U = triu(LU_data[..., :k, :])
    if unpack_pivots:
        order = _core.pivots_to_rows(LU_pivots, m)
        zeros = _core.full((*order.shape, m), 0, LU_data.dtype, LU_data)
        P = scatter(zeros, -2, order.unsqueeze(-2), 1.0) if m else zeros
    return return_types.lu_unpack((P, L, U))


@op(out="exact", **_INNER)
def linalg_lu(A: Tensor, *, pivot: bool = True) -> return_types.linalg_lu:
    """(P, L, U): A = P L U with a permutation P, L lower and U upper triangular.

    Shapes for A (*, m, n), k = min(m, n): (*, m, m), (*, m, k), (*, k, n). L has ones on its
    diagonal. Without `pivot` P is empty.
    """
    check_matrices("linalg.lu", A)
    _check_pivot("linalg.lu", pivot)
    LU, pivots, _ = _core.lu_factor(A)
    return return_types.linalg_lu(tuple(lu_unpack(LU, pivots)))


def _lu_parts_gradient(grads: tuple, A: Tensor) -> Tensor:
    LU, pivots, _ = linalg_lu_factor_ex(A)
    m, n = LU.shape[-2:]
    k = m if m < n else n
    _, grad_l, grad_u = grads
    zero = _core.full((), 0, A.dtype)
    lower = zero.expand(*A.shape[:-1], k) if grad_l is None else tril(grad_l, -1)
    upper = zero.expand(*A.shape[:-2], k, n) if grad_u is None else triu(grad_u)
    return _lu_gradient(lower, upper, LU, pivots)


linalg_lu.vjp(A=_lu_parts_gradient)


@composed(method=True, float32=True)
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> tuple:
    """(LU, pivots), and info with `get_infos`: the older form of torch.linalg.lu_factor."""
    deprecated("lu", "lu_factor", "LU, pivots = torch.linalg.lu_factor(A, pivot)")
    if get_infos:
        result = return_types._lu_with_info(linalg_lu_factor_ex(A, pivot=pivot))
    else:
        result = tuple(linalg_lu_factor(A, pivot=pivot))
    return result if out is None else _core.write_out("lu", result, out)


@op(node="LinalgLuSolveBackward0", **_INNER)
def _lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, adjoint: bool) -> Tensor:
    """X with A X = B, or with the conjugate transpose of A, for one batch of matrices."""
    return _core.lu_solve(LU, pivots, B, "C" if adjoint else "N")


def _lu_solve_gradient(
    grad: Tensor, LU: Tensor, pivots: Tensor, adjoint: bool, result: Tensor, needs: tuple
) -> tuple:
    right = _lu_solve(LU, pivots, grad, not adjoint)
    if not needs[0]:
        return None, right
    P, L, U = lu_unpack(LU, pivots)
    # A = P L U has the gradient -right X^H, or, where A^H X = B, -X right^H.
    one, two = (result, right) if adjoint else (right, result)
    moved = matmul(_t(P), one)
    lower = -matmul(moved, _t(matmul(U, two)))
    upper = -matmul(_t(L), matmul(moved, _t(two)))
    return tril(lower, -1) + triu(upper), right


_lu_solve.vjp_all(("LU", "B"), _lu_solve_gradient)


@composed(out="exact", public=False)
def linalg_lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False
) -> Tensor:
    """X with A X = B, from what `lu_factor` returned for A.

    Args:
        LU, pivots: (*, n, n) and (*, n).
        B: (*, n, k), or (*, k, n) where not `left`.
        left: False for X A = B.
        adjoint: take A^H in place of A.

    Raises:
        RuntimeError: shapes or dtypes do not fit.
    """
    name = "linalg.lu_solve"
    check_dtype(name, LU)
    if pivots.dtype is not _core.int32:
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    check_square(name, LU, "LU")
    check_same_dtype(name, LU, B, "AB")
    check_system(name, LU, B, left)
    if pivots.shape != LU.shape[:-1]:
        raise RuntimeError(
            f"{name}: Number of pivots per batch should be same as the dimension of the matrix, "
            f"got {list(pivots.shape)} for LU of shape {list(LU.shape)}"
        )
    factors, right = broadcast_batches(LU, B)
    places = pivots.expand(factors.shape[:-1])
    if left:
        return _lu_solve(factors, places, right, adjoint)
    return _t(_lu_solve(factors, places, _t(right), not adjoint))  # X A = B is A^H X^H = B^H


@composed(method=True, out="exact", float32=True)
def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """The older form of torch.linalg.lu_solve, with the right hand sides first."""
    deprecated("lu_solve", "lu_solve", "X = torch.linalg.lu_solve(LU, pivots, B)")
    return linalg_lu_solve(LU_data, LU_pivots, b)

# ---- LDL


@op(out="exact", node="NotImplemented", **_INNER)
def linalg_ldl_factor_ex(
    A: Tensor, *, hermitian: bool = False, check_errors: bool = False
) -> return_types.linalg_ldl_factor_ex:
    """(LD, pivots, info) of a symmetric (or Hermitian) matrix, for `ldl_solve`.

    The unit lower triangular L, and D with blocks of 1 and 2, in one matrix, as LAPACK's sytrf has
    them. Shapes: (*, n, n) -> (*, n, n), (*, n), (*).
    """
    check_square("torch.linalg.ldl_factor_ex", A)
    LD, pivots, info = _core.ldl_factor(A, hermitian)
    if check_errors and (found := failure(info)):
        raise LinAlgError(
            f"torch.linalg.ldl_factor_ex: {found[1]}D[{found[0]},{found[0]}] is zero: using it on "
            "ldl_solve would result in a division by zero"
        )
    return return_types.linalg_ldl_factor_ex((LD, pivots, info))


linalg_ldl_factor_ex.vjp_all(("A",), undefined("linalg_ldl_factor_ex"))


@composed(out="exact", public=False)
def linalg_ldl_factor(input: Tensor, *, hermitian: bool = False) -> return_types.linalg_ldl_factor:
    """(LD, pivots) of symmetric (with `hermitian` Hermitian) input (*, n, n): L D L^T, compact.

    Bunch and Kaufman's pivoting (1977). Raises LinAlgError where D is singular. Without a
    derivative.
    """
    LD, pivots, _ = linalg_ldl_factor_ex(input, hermitian=hermitian, check_errors=True)
    return return_types.linalg_ldl_factor((LD, pivots))


@op(out="exact", node="NotImplemented", **_INNER)
def linalg_ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """X with A X = B, from what `ldl_factor` returned for A.

    Shapes: (*, n, n), (*, n), (*, n, k) -> (*, n, k). Raises RuntimeError where shapes or dtypes do
    not fit. Without a derivative.
    """
    name = "torch.linalg.ldl_solve"
    check_square(name, LD, "LD")
    if pivots.dtype not in (_core.int32, _core.int64):
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {pivots.dtype}")
    if B.ndim < 2:
        raise RuntimeError(
            f"{name}: Expected B to have at least 2 dimensions, but it has {B.ndim} dimensions "
            "instead"
        )
    check_same_dtype(name, LD, B)
    if pivots.shape != LD.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with "
            f"shape {list(pivots.shape)} instead"
        )
    check_system(name, LD, B, True)
    factors, right = broadcast_batches(LD, B)
    places = _core.expand(pivots, factors.shape[:-1])
    return _core.ldl_solve(factors, places, right, hermitian)


linalg_ldl_solve.vjp_all(("LD", "B"), undefined("linalg_ldl_solve"))
