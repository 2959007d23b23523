"""The standard's extension `linalg`, with the four functions of it that the namespace has too."""

from __future__ import annotations

from typing import Any

import rushlight as rl
from rushlight import linalg as _linalg
from rushlight.array_api.arrays import gives_arrays
from rushlight.array_api.dtypes import summed
from rushlight.array_api.promotion import same_dtype
from rushlight.tensor import Tensor

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve",
    "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


@gives_arrays
def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """L with L @ L^H = x, or its conjugate transpose."""
    return _linalg.cholesky(x, upper=upper)


@gives_arrays
def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The cross product of vectors of 3 elements along an axis; the other axes broadcast."""
    rank = max(x1.ndim, x2.ndim)
    x1, x2 = (x[(None,) * (rank - x.ndim)] for x in same_dtype(x1, x2))
    return _linalg.cross(x1, x2, dim=axis)


@gives_arrays
def det(x: Tensor, /) -> Tensor:
    """The determinant."""
    return _linalg.det(x)


@gives_arrays
def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """A view of the diagonal, or of one beside it, of the last two axes."""
    return rl.diagonal(x, offset, -2, -1)


@gives_arrays
def eigh(x: Tensor, /) -> tuple[Tensor, Tensor]:
    """Eigenvalues, rising, and eigenvectors of a symmetric or Hermitian matrix."""
    return _linalg.eigh(x)


@gives_arrays
def eigvalsh(x: Tensor, /) -> Tensor:
    """The eigenvalues, rising, of a symmetric or Hermitian matrix."""
    return _linalg.eigvalsh(x)


@gives_arrays
def inv(x: Tensor, /) -> Tensor:
    """The inverse."""
    return _linalg.inv(x)


@gives_arrays
def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The matrix product; vectors stand for a row on the left and a column on the right."""
    return rl.matmul(*same_dtype(x1, x2))


@gives_arrays
def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """A norm of the matrices in the last two axes; the Frobenius norm for None too."""
    return _linalg.matrix_norm(x, "fro" if ord is None else ord, keepdim=keepdims)


@gives_arrays
def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """A square matrix times itself; the inverse for negative n."""
    return _linalg.matrix_power(x, n)


@gives_arrays
def matrix_rank(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """How many singular values are above rtol times the largest."""
    return _linalg.matrix_rank(x, rtol=rtol)


@gives_arrays
def matrix_transpose(x: Tensor, /) -> Tensor:
    """Each matrix of the last two axes transposed: a view."""
    return rl.transpose(x, -2, -1)


@gives_arrays
def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """All products of two vectors' elements."""
    return rl.outer(*same_dtype(x1, x2))


@gives_arrays
def pinv(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """The pseudo-inverse; singular values below rtol times the largest count as 0."""
    return _linalg.pinv(x, rtol=rtol)


@gives_arrays
def qr(x: Tensor, /, *, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """Q with orthonormal columns and upper triangular R, with Q @ R = x."""
    return _linalg.qr(x, mode)


@gives_arrays
def slogdet(x: Tensor, /) -> tuple[Tensor, Tensor]:
    """The sign of the determinant, and the logarithm of its absolute value."""
    return _linalg.slogdet(x)


@gives_arrays
def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """x with x1 @ x = x2. Only an x2 of one dimension is a vector, others are matrices."""
    x1, x2 = same_dtype(x1, x2)
    if 1 < x2.ndim < x1.ndim:  # PyTorch would take some of these for vectors
        x2 = x2[(None,) * (x1.ndim - x2.ndim)]
    return _linalg.solve(x1, x2)


@gives_arrays
def svd(x: Tensor, /, *, full_matrices: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """U, S and Vh with U @ diag(S) @ Vh = x, singular values falling."""
    return _linalg.svd(x, full_matrices)


@gives_arrays
def svdvals(x: Tensor, /) -> Tensor:
    """The singular values, falling."""
    return _linalg.svdvals(x)


@gives_arrays
def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """Products summed over some axes of both: the last of x1 and first of x2 for a number."""
    return rl.tensordot(*same_dtype(x1, x2), axes)


@gives_arrays
def trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sum of the diagonal, or of one beside it, of the last two axes."""
    return rl.diagonal(x, offset, -2, -1).sum(-1, dtype=dtype or summed(x.dtype))


@gives_arrays
def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sum of conj(x1) * x2 along an axis."""
    x1, x2 = same_dtype(x1, x2)
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(
            f"vecdot: sizes along axis {axis} differ: {tuple(x1.shape)} and {tuple(x2.shape)}"
        )
    return (x1.conj() * x2).sum(axis, dtype=x1.dtype)


@gives_arrays
def vector_norm(x: Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """A norm of the vectors along some axes, or of all elements."""
    return _linalg.vector_norm(x, ord, axis, keepdims)
