"""Norms of matrices and vectors, and condition numbers."""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.ops.decompositions import linalg_svdvals
from rushlight.ops.matrix import check_square
from rushlight.ops.pointwise import where
from rushlight.ops.reduce import vector_norm
from rushlight.ops.shape import axis_of
from rushlight.ops.solve import linalg_inv_ex
from rushlight.tensor import Tensor


def _typed(name: str, x: Tensor, dtype: Any) -> Tensor:
    """`x` in the dtype that the norm is to be computed in."""
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {x.dtype}"
        )
    if dtype is None:
        return x
    if dtype.is_complex != x.dtype.is_complex and x.dtype.is_complex:
        raise RuntimeError(
            f"{name}: dtype should be complex for complex inputs, but got {dtype}"
        )
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(f"{name}: dtype should be floating point or complex. Got {dtype}")
    if dtype.is_complex and not x.dtype.is_complex:
        raise RuntimeError(f"{name}: dtype should be real for real inputs, but got {dtype}")
    if _core.promote_types(x.dtype, dtype) is not dtype:
        raise RuntimeError(
            f"{name}: the dtype of the input ({x.dtype}) should be convertible without narrowing "
            f"to the specified dtype ({dtype})"
        )
    return x.to(dtype)


def _axes(dim: Any, rank: int) -> list[int]:
    return [axis_of(d, rank) for d in ([dim] if isinstance(dim, int) else dim)]


@composed(public=False)
def linalg_vector_norm(
    x: Any = None, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
    out: Any = None, input: Any = None,
) -> Tensor:  # fmt: skip
    """(sum of |x|^ord)^(1/ord) over `dim` (all dimensions by default).

    Args:
        x: a tensor of any shape; also by the name `input`.
        ord: any number; inf, -inf and 0 (how many are not 0) are the limits.
        dim: one or more dimensions.
        keepdim: keep them, with size 1.
        dtype: what to compute in.

    Returns real numbers, without `dim` unless `keepdim`. The derivative at 0 is 0.

    Raises:
        RuntimeError: for integers.
    """
    input = _typed("linalg.vector_norm", x if input is None else input, dtype)
    if isinstance(ord, complex):
        raise RuntimeError(
            f"linalg.vector_norm: Expected a non-complex scalar as the order of norm, got {ord}"
        )
    ord = float(ord)
    if dim is not None and not isinstance(dim, int) and not len(dim):
        dim = None
    axes = range(input.ndim) if dim is None else _axes(dim, input.ndim)
    if (ord < 0 or ord == math.inf) and any(input.shape[d] == 0 for d in axes if input.ndim):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord} norm on an empty tensor of shape "
            f"{list(input.shape)} because the operation does not have an identity"
        )
    result = vector_norm(input, ord, dim, keepdim)
    return result if out is None else _core.write_out("linalg_vector_norm", result, out, exact=True)


def _two_axes(name: str, A: Tensor, dim: Any) -> tuple[int, int]:
    if isinstance(dim, int) or len(dim) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {dim}")
    one, two = _axes(dim, A.ndim)
    if one == two:
        raise RuntimeError(f"{name}: dims must be different. Got ({dim[0]}, {dim[1]})")
    return one, two


def _of_singular_values(A: Tensor, axes: tuple[int, int], keepdim: bool, reduce: Any) -> Tensor:
    S = linalg_svdvals(A.movedim(axes, (-2, -1)))
    result = reduce(S)
    if keepdim:
        for d in sorted(axes):
            result = result.unsqueeze(d)
    return result


@composed(public=False)
def linalg_matrix_norm(
    input: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *,
    dtype: Any = None, out: Any = None,
) -> Tensor:  # fmt: skip
    """A norm of matrices.

    Args:
        input: (*, m, n), or with the matrices in the dimensions `dim`.
        ord: "fro" (root of the sum of squares), "nuc" (sum of the singular values), 2 and -2
            (largest and smallest singular value), 1 and -1 (largest and smallest sum of a column's
            absolute values), inf and -inf (of a row's).
        dim: of the rows and of the columns.
        keepdim: keep them, with size 1.
        dtype: what to compute in.

    Raises:
        RuntimeError: for another `ord`, fewer than 2 dimensions, or integers.
    """
    name = "linalg.matrix_norm"
    if input.ndim < 2:
        raise RuntimeError(
            f"{name}: The input tensor A must have at least 2 dimensions, got {list(input.shape)}"
        )
    axes = _two_axes(name, input, dim)
    input = _typed(name, input, dtype)
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise RuntimeError(f"{name}: Order {ord} not supported.")
        if ord == "fro":
            result = vector_norm(input, 2.0, axes, keepdim)
        else:
            result = _of_singular_values(input, axes, keepdim, lambda S: S.sum(-1))
    else:
        size = abs(ord)
        if size not in (1, 2, math.inf):
            raise RuntimeError(f"{name}: Order {ord} not supported.")
        if size == 2:
            extreme = Tensor.amax if ord > 0 else Tensor.amin
            result = _of_singular_values(input, axes, keepdim, lambda S: extreme(S, -1))
        else:
            summed, kept = axes if size == 1 else axes[::-1]
            sums = vector_norm(input, 1.0, summed, True)
            result = sums.amax(kept, True) if ord > 0 else sums.amin(kept, True)
            if not keepdim:
                result = result.squeeze(axes)
    return result if out is None else _core.write_out("linalg_matrix_norm", result, out, exact=True)


@composed(public=False)
def linalg_norm(
    input: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, out: Any = None,
    dtype: Any = None,
) -> Tensor:  # fmt: skip
    """`vector_norm` over one dimension, `matrix_norm` over two.

    Args:
        input: of any shape; without `dim` but with `ord` a vector or a matrix.
        ord: None for the root of the sum of squares; else of `vector_norm` or `matrix_norm`.
        dim: one or two dimensions.

    Raises:
        RuntimeError: more than 2 dimensions with `ord` and without `dim`, or integers.
    """
    if dim is not None and not isinstance(dim, int) and len(dim) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dim)}"
        )
    if ord is None:
        return linalg_vector_norm(input, 2.0, dim, keepdim, dtype=dtype, out=out)
    if dim is None and input.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{input.ndim}D."
        )
    two = input.ndim == 2 if dim is None else not isinstance(dim, int) and len(dim) == 2
    if two:
        axes = (0, 1) if dim is None else dim
        return linalg_matrix_norm(input, ord, axes, keepdim, dtype=dtype, out=out)
    if isinstance(ord, str):
        if dim is None:
            raise RuntimeError(f"linalg.norm: ord '{ord}' needs a matrix, got {list(input.shape)}")
        raise RuntimeError(
            f"linalg.norm: ord '{ord}' needs two dimensions, got dim={dim}"
        )
    return linalg_vector_norm(input, ord, dim, keepdim, dtype=dtype, out=out)


@composed(out=True, public=False, float32=True)
def linalg_cond(input: Tensor, p: Any = None) -> Tensor:
    """The condition number of matrices: norm(input) * norm(inverse of input).

    Args:
        input: (*, m, n); square unless p is None, 2 or -2.
        p: as `ord` of `matrix_norm`; None is 2.

    Returns:
        (*), real; infinite where a matrix is singular.

    Raises:
        RuntimeError: what is not square, but for p None, 2 or -2.
    """
    if input.ndim < 2:
        raise RuntimeError(
            "linalg.cond: The input tensor A must have at least 2 dimensions, got "
            f"{list(input.shape)}"
        )
    if p is None or p in (2, -2):
        S = linalg_svdvals(input)
        if S.numel() == 0:
            return _core.full(tuple(S.shape[:-1]), 0, S.dtype, S)
        largest, least = S[..., 0], S[..., -1]
        return least / largest if p == -2 else largest / least
    check_square("linalg.cond", input)
    if input.numel() == 0:
        real = input.dtype.to_real() if input.dtype.is_complex else input.dtype
        return _core.full(tuple(input.shape[:-2]), 0, real, input)
    inverse, info = linalg_inv_ex(input)
    singular = info > 0
    inverse = inverse.masked_fill(singular[..., None, None], 1.0)  # its norm does not count
    result = linalg_matrix_norm(input, p) * linalg_matrix_norm(inverse, p)
    return where(singular, math.inf, result)


# ---- older names


def _nuclear(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    return linalg_matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim)


@composed()
def nuclear_norm(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Any = None
) -> Tensor:
    """The sum of the singular values over two dimensions."""
    if isinstance(dim, bool):  # (input, keepdim)
        dim, keepdim = None, dim
    result = _nuclear(input, dim, keepdim)
    return result if out is None else _core.write_out("nuclear_norm", result, out, exact=True)


@composed(out=True)
def frobenius_norm(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """The root of the sum of the squares of the absolute values, over one or two dimensions.

    Raises RuntimeError for more.
    """
    dims = [dim] if isinstance(dim, int) else list(dim)
    if len(dims) > 2:
        raise RuntimeError(
            f"frobenius_norm: Expected at most 2 dimensions, but got {len(dims)} dimensions instead"
        )
    return vector_norm(input, 2.0, dims or None, keepdim)


@composed()
def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norms of order `pow` over all dimensions but one, which are kept with size 1.

    Over all dimensions for dim = -1.
    """
    if dim == -1:
        return linalg_vector_norm(v.reshape(-1), pow)
    others = [axis for axis in range(v.ndim) if axis != dim]
    return linalg_vector_norm(v, pow, others, True) if others else v.abs()
