"""What every function of matrices asks of its arguments, and the errors where they do not fit."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.tensor import Tensor

_DTYPES = frozenset((_core.float32, _core.float64, _core.complex64, _core.complex128))


class LinAlgError(RuntimeError):
    """A matrix that an operation cannot work with: singular, not positive definite, not finite.

    A RuntimeError.
    """


def check_dtype(name: str, A: Tensor) -> None:
    """float32, float64, complex64 or complex128."""
    if A.dtype in _DTYPES:
        return
    if A.dtype.is_floating_point:
        raise RuntimeError(
            f"{name}: Low precision dtypes not supported. Got {A.dtype}: convert to float32 first"
        )
    raise RuntimeError(
        f"{name}: Expected a floating point or complex tensor as input. Got {A.dtype}"
    )


def check_matrices(name: str, A: Tensor, symbol: str = "A") -> None:
    """(*, m, n) of a dtype that LAPACK knows."""
    if A.ndim < 2:
        raise RuntimeError(
            f"{name}: The input tensor {symbol} must have at least 2 dimensions, got shape "
            f"{list(A.shape)}"
        )
    check_dtype(name, A)


def check_square(name: str, A: Tensor, symbol: str = "A") -> None:
    """(*, n, n) of a dtype that LAPACK knows."""
    check_matrices(name, A, symbol)
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            f"{name}: {symbol} must be batches of square matrices, but they are {A.shape[-2]} by "
            f"{A.shape[-1]} matrices"
        )


def check_same_dtype(name: str, A: Tensor, B: Tensor, symbols: str = "AB") -> None:
    """Two operands of one equation."""
    if A.dtype is not B.dtype:
        one, two = symbols[0], symbols[1]
        raise RuntimeError(
            f"{name}: Expected {one} and {two} to have the same dtype, but found {one} of type "
            f"{A.dtype} and {two} of type {B.dtype} instead"
        )


def failure(info: Tensor) -> tuple[int, str] | None:
    """The code of the first matrix that LAPACK failed on, and the words that name the matrix."""
    if info._level or info.is_meta:  # nobody can look at values
        return None
    if info.ndim == 0:
        code = info.item()
        return (code, "") if code else None
    if not _core.any(info).item():
        return None
    for place, code in enumerate(_core.reshape(info, (-1,)).tolist()):
        if code:
            return code, f"(Batch element {place}): "
    return None


def check_invertible(name: str, info: Tensor) -> None:
    """The result of an LU decomposition has no 0 on its diagonal."""
    found = failure(info)
    if found:
        code, where = found
        raise LinAlgError(
            f"{name}: {where}The diagonal element {code} is zero, the inversion could not be "
            "completed because the input matrix is singular."
        )


def check_converged(name: str, info: Tensor, A: Tensor) -> None:
    """An iteration of LAPACK came to its end."""
    found = failure(info)
    if not found:
        return
    code, where = found
    if not _core.all(_core.isfinite(A)).item():
        raise LinAlgError(
            f"{name}: {where}The algorithm failed to converge because the input matrix contained "
            "non-finite values."
        )
    raise LinAlgError(
        f"{name}: {where}The algorithm failed to converge because the input matrix is "
        f"ill-conditioned or has too many repeated values (error code: {code})."
    )


def broadcast_batches(A: Tensor, B: Tensor) -> tuple[Any, Any]:
    """Both expanded to the common batch of matrices."""
    a, b = A.shape[:-2], B.shape[:-2]
    if a == b:
        return A, B
    batch = tuple(_core.broadcast_shapes(a, b))
    return A.expand(*batch, *A.shape[-2:]), B.expand(*batch, *B.shape[-2:])


def identity(A: Tensor) -> Tensor:
    """The identity matrix of the last dimension of A, in its dtype."""
    return _core.eye(A.shape[-1], A.shape[-1], A.dtype, A)


def off_diagonal(n: int) -> Tensor:
    """(n, n): true beside the diagonal."""
    return _core.logical_not(_core.eye(n, n, _core.bool))


def check_system(name: str, A: Tensor, B: Tensor, left: bool) -> None:
    """The right hand sides of A X = B, or X A = B where not `left`."""
    if B.ndim < 2:
        raise RuntimeError(
            f"{name}: The input tensor B must have at least 2 dimensions, got {list(B.shape)}"
        )
    if A.shape[-1] != B.shape[-2 if left else -1]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({A.shape[-2]}x{A.shape[-1]} and "
            f"{B.shape[-2]}x{B.shape[-1]})"
        )


def computed_again(function: Any, result: Any, *args: Any) -> Any:
    """What an op returned; where the formula is recorded computed anew, to have its history."""
    return function(*args) if _core.is_grad_enabled() else result
