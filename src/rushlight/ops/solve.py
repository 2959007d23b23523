"""Solutions of linear systems, inverses and determinants.

LAPACK computes the values (csrc/kernels/lapack.cpp). Derivatives follow Giles, "Collected matrix
derivative results for forward and reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

from typing import Any

from rushlight import _core, return_types
from rushlight.autograd.op import composed, op
from rushlight.dtypes import finfo
from rushlight.ops.complex import _c, complex
from rushlight.ops.known import known
from rushlight.ops.linalg import _t, matmul
from rushlight.ops.matrix import (
    LinAlgError,
    broadcast_batches,
    check_invertible,
    check_same_dtype,
    check_square,
    check_system,
    computed_again,
    failure,
    identity,
)
from rushlight.ops.pointwise import where
from rushlight.tensor import Tensor

_INNER: dict[str, Any] = {"public": False, "method": False}


# ---- systems


def _is_vector(A: Tensor, B: Tensor) -> bool:
    """Whether B holds one right hand side per matrix, without a dimension for several."""
    return B.ndim == 1 or (A.ndim - 1 == B.ndim and B.shape == A.shape[:-1])


@op(node="LinalgSolveExBackward0", **_INNER)
def _solve(A: Tensor, B: Tensor, left: bool, name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(X, LU, pivots, info) of A X = B, or X A = B."""
    check_square(name, A)
    check_same_dtype(name, A, B)
    vector = _is_vector(A, B)
    if vector:
        if not left:
            raise RuntimeError(
                f"{name}: Vector broadcasting of the left hand side is not supported for "
                "left=False. It would be B / A.squeeze(-1)"
            )
        B = B.unsqueeze(-1)
    check_system(name, A, B, left)
    A, B = broadcast_batches(A, B)
    if left:
        X, LU, pivots, info = _core.lu_factor_solve(A, B)
        return X.squeeze(-1) if vector else X, LU, pivots, info
    # X A = B is A^T X^T = B^T
    X, LU, pivots, info = _core.lu_factor_solve(A.mT, B.mT)
    return X.mT, LU, pivots, info


def _solve_gradient(
    grads: tuple, A: Tensor, B: Tensor, left: bool, result: tuple, needs: tuple
) -> tuple:
    grad = grads[0]
    vector = _is_vector(A, B)
    if _core.is_grad_enabled():
        X = linalg_solve(A, B, left=left)
        right = linalg_solve(_t(A), grad, left=left)
    else:
        X, LU, pivots, _ = result
        right = grad.unsqueeze(-1) if vector else grad
        if left:
            right = _core.lu_solve(LU, pivots, right, "C")
            right = right.squeeze(-1) if vector else right
        else:  # A^T = P L U
            right = _solve_right(grad, LU, pivots)
    if not needs[0]:
        return None, right
    if vector:
        return -(right.unsqueeze(-1) * _c(X).unsqueeze(-2)), right
    return -(matmul(right, _t(X)) if left else matmul(_t(X), right)), right


def _solve_right(grad: Tensor, LU: Tensor, pivots: Tensor) -> Tensor:
    """G A^-H, from the factors of A^T: its transpose is conj(A)^-1 G^T."""
    return _c(_core.lu_solve(LU, pivots, _c(grad).mT, "T")).mT


_solve.vjp_all(("A", "B"), _solve_gradient)


def _check_solved(name: str, info: Tensor) -> None:
    found = failure(info)
    if found:
        raise LinAlgError(
            f"{name}: {found[1]}The solver failed because the input matrix is singular."
        )


@composed(out="exact", public=False)
def linalg_solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A X = B, or X A = B where not `left`.

    Args:
        A: (*, n, n).
        B: (*, n, k), (*, k, n) where not `left`, or one right hand side per matrix, (*, n).

    Raises:
        LinAlgError: where a matrix is singular.
    """
    X, _, _, info = _solve(A, B, left, "linalg.solve")
    _check_solved("torch.linalg.solve", info)
    return X


@composed(out="exact", public=False)
def linalg_solve_ex(
    A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False
) -> return_types.linalg_solve_ex:
    """(result, info) of `solve`; info (int32) is the first diagonal element of U that is 0, or 0.

    Does not raise for singular matrices, unless `check_errors`.
    """
    X, _, _, info = _solve(A, B, left, "linalg.solve")
    if check_errors:
        _check_solved("torch.linalg.solve_ex", info)
    return return_types.linalg_solve_ex((X, info))


@op(node="LinalgInvExBackward0", **_INNER)
def _inv(A: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """The inverse, and what failed."""
    check_square(name, A)
    result, _, _, info = _core.lu_factor_solve(A, None)
    return result, info


def _inverse_gradient(grads: tuple, A: Tensor, result: tuple) -> Tensor:
    adjoint = _t(computed_again(_inv, result, A, "linalg.inv")[0])
    return -matmul(adjoint, matmul(grads[0], adjoint))


_inv.vjp(A=_inverse_gradient)


@composed(out="exact", public=False)
def linalg_inv(A: Tensor) -> Tensor:
    """The inverse of square matrices: (*, n, n) -> (*, n, n).

    `solve(A, B)` is faster and more exact than inv(A) @ B. Raises LinAlgError where a matrix is
    singular, RuntimeError for integers or what is not square.
    """
    result, info = _inv(A, "linalg.inv")
    check_invertible("linalg.inv", info)
    return result


@composed(out="exact", public=False)
def linalg_inv_ex(A: Tensor, *, check_errors: bool = False) -> return_types.linalg_inv_ex:
    """(inverse, info); info (int32) is the first diagonal element of U that is 0, or 0.

    Does not raise for singular matrices, unless `check_errors`.
    """
    result, info = _inv(A, "linalg.inv")
    if check_errors:
        check_invertible("linalg.inv_ex", info)
    return return_types.linalg_inv_ex((result, info))


@composed(method=True, out="exact")
def inverse(input: Tensor) -> Tensor:
    """Another name of torch.linalg.inv."""
    return linalg_inv(input)

# ---- determinants


@op(node="LinalgDetBackward0", **_INNER)
def _det(A: Tensor, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """(determinant, LU, pivots)"""
    check_square(name, A)
    LU, pivots, _ = _core.lu_factor(A)
    return _core.lu_determinant(LU, pivots), LU, pivots


def _det_gradient(grads: tuple, A: Tensor, result: tuple) -> Tensor:
    det, LU, pivots = result
    grad = grads[0]
    # Next to a singular matrix the inverse says nothing, but there is a derivative all the same.
    sizes = LU.diagonal(0, -2, -1).abs()
    tiny = finfo(sizes.dtype).eps * sizes.shape[-1]
    if sizes.numel() and known((sizes.amin(-1) <= sizes.amax(-1) * tiny).any()):
        return _cofactors(grad, A)
    if _core.is_grad_enabled():
        scale = grad * _c(linalg_det(A))
        return scale[..., None, None] * _t(linalg_inv(A))
    scale = (grad * _c(det))[..., None, None] * identity(A)
    return _core.lu_solve(LU, pivots, scale, "C")


def _cofactors(grad: Tensor, A: Tensor) -> Tensor:
    """The gradient of the determinant of any matrix, by its singular values (Higham 2008)."""
    from rushlight.ops.decompositions import linalg_svd

    U, S, Vh = linalg_svd(A, full_matrices=False)
    n = S.shape[-1]
    others = S.unsqueeze(-2).expand(*S.shape[:-1], n, n)
    products = where(_core.eye(n, n, _core.bool), 1.0, others).prod(-1)
    phase = linalg_det(U) * linalg_det(Vh)
    scale = (grad * _c(phase)).unsqueeze(-1) * products
    return matmul(U * scale.unsqueeze(-2), Vh)


_det.vjp(A=_det_gradient)


@composed(out="exact", public=False)
def linalg_det(A: Tensor) -> Tensor:
    """The determinant, by an LU decomposition. Shapes: (*, n, n) -> (*).

    The derivative exists for singular matrices too. Raises RuntimeError for integers or what is not
    square.
    """
    return _det(A, "linalg.det")[0]


@composed(method=True)
def det(input: Tensor) -> Tensor:
    """Another name of torch.linalg.det."""
    return _det(input, "linalg.det")[0]


@op(node="LinalgSlogdetBackward0", **_INNER)
def _slogdet(A: Tensor, name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(sign, logarithm of the absolute value, LU, pivots)"""
    check_square(name, A)
    LU, pivots, _ = _core.lu_factor(A)
    sign, size = _core.lu_log_determinant(LU, pivots)
    return sign, size, LU, pivots


def _slogdet_gradient(grads: tuple, A: Tensor, result: tuple) -> Tensor | None:
    grad_sign, grad_log = grads[0], grads[1]
    scale = grad_log
    if A.dtype.is_complex:
        sign = computed_again(_slogdet, result, A, "linalg.slogdet")[0]
        scale = None if scale is None else complex(scale, scale * 0)
        if grad_sign is not None:
            turn = (_c(grad_sign) * sign).imag * -1j
            scale = turn if scale is None else scale + turn
    if scale is None:
        return None  # the sign of a real determinant is flat
    if _core.is_grad_enabled():
        return scale[..., None, None] * _t(linalg_inv(A))
    _, _, LU, pivots = result
    return _core.lu_solve(LU, pivots, scale[..., None, None] * identity(A), "C")


_slogdet.vjp(A=_slogdet_gradient)


@composed(out="exact", public=False)
def linalg_slogdet(A: Tensor) -> return_types.linalg_slogdet:
    """(sign, logabsdet): the determinant is sign * exp(logabsdet). Shapes: (*, n, n) -> (*).

    The logarithm is real, -inf where the determinant is 0. Raises as `det`.
    """
    sign, size, _, _ = _slogdet(A, "linalg.slogdet")
    return return_types.linalg_slogdet((sign, size))


@composed(method=True, out="exact")
def slogdet(input: Tensor) -> return_types.slogdet:
    """Another name of torch.linalg.slogdet."""
    sign, size, _, _ = _slogdet(input, "linalg.slogdet")
    return return_types.slogdet((sign, size))


@composed(method=True)
def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant: nan where that is negative, -inf where it is 0.

    Shapes: (*, n, n) -> (*).
    """
    sign, size, _, _ = _slogdet(input, "logdet")
    if input.dtype.is_complex:
        return sign.log() + size
    return where(sign == -1.0, float("nan"), size)
