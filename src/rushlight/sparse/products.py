"""Products of sparse matrices.

A gradient of a sparse factor is dense where PyTorch's is (`mm`, `matmul`), and has the factor's
places for the functions of `torch.sparse`, whose cost so stays that of the entries.
"""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.ops.linalg import _t as adjoint
from rushlight.sparse.coo import (
    Pattern,
    check_coo,
    coalesce,
    make,
    masked_like,
    pattern_of,
    to_dense,
    with_values,
)
from rushlight.sparse.declare import forward, refuse, rule, sparse_op
from rushlight.tensor import Tensor

# ---- the arithmetic, without history


def _in_order(values: Tensor, places: Tensor | None) -> Tensor:
    return values if places is None else _core.index_select(values, 0, places)


def by_rows(input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(starts, columns, values) of a sparse matrix, row by row."""
    if not input.is_sparse:
        from rushlight.sparse.compressed import compressed_rows

        return compressed_rows(input)
    pattern = pattern_of(input)
    starts, columns, places = pattern.rows()
    return starts, columns, _in_order(input._parts.values, places)


def _by_columns(input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    if not input.is_sparse:
        from rushlight.sparse.compressed import compressed_columns

        return compressed_columns(input)
    starts, rows, places = pattern_of(input).columns()
    return starts, rows, _in_order(input._parts.values, places)


def _check_factors(name: str, a: Tensor, b: Tensor) -> None:
    for matrix in (a, b):
        if matrix.is_sparse and matrix.ndim == 2 and len(pattern_of(matrix).sizes) != 2:
            raise RuntimeError(
                f"{name}: expected sparse matrices of 2 sparse dimensions, got "
                f"{len(pattern_of(matrix).sizes)} sparse and {matrix.dense_dim()} dense"
            )
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"{name}: expected matrices of the same dtype, but got {a.dtype} and {b.dtype}"
        )


def _multiply(a: Tensor, b: Tensor, name: str = "mm") -> Tensor:
    """The product of two matrices, of which one is sparse; dense unless both are sparse."""
    if a.ndim != 2 or b.ndim != 2:
        raise RuntimeError(
            f"{name}: expected two matrices, got shapes {list(a.shape)} and {list(b.shape)}"
        )
    _check_factors(name, a, b)
    if a.shape[1] != b.shape[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({a.shape[0]}x{a.shape[1]} and "
            f"{b.shape[0]}x{b.shape[1]})"
        )
    if a._layout and b._layout:
        return _both_sparse(a, b)
    if a._layout:
        return _core.sparse_product(*by_rows(a), b)
    return _core.sparse_product(*_by_columns(b), a.t()).t().contiguous()


def _both_sparse(a: Tensor, b: Tensor) -> Tensor:
    shape = (a.shape[0], b.shape[1])
    starts, columns, values = _core.sparse_times_sparse(*by_rows(a), *by_rows(b), shape[1])
    if not (a.is_sparse and b.is_sparse):
        from rushlight.sparse.compressed import make_compressed

        return make_compressed(2, starts, columns, values, shape)
    rows = _core.repeat_positions(starts[1:] - starts[:-1])
    return make(Pattern(_core.stack([rows, columns], 0), shape, True), values, shape)


# ---- the ops


@forward("mm")
def _mm(input: Tensor, mat2: Tensor) -> Tensor:
    return _multiply(input, mat2)


@forward("matmul")
def _matmul(input: Tensor, other: Tensor) -> Tensor:
    ranks = input.ndim, other.ndim
    if ranks == (2, 2):
        return _multiply(input, other, "matmul")
    if ranks == (2, 1) and not other._layout:
        return _mv(input, other)
    if ranks == (1, 2) and not input._layout:
        return _multiply(input.unsqueeze(0), other, "matmul").view(-1)
    raise RuntimeError(
        f"matmul: expand is unsupported for Sparse tensors: got {input.layout} "
        f"{list(input.shape)} and {other.layout} {list(other.shape)}; sparse tensors are "
        "multiplied as matrices, or by bmm"
    )


@forward("mv")
def _mv(input: Tensor, vec: Tensor) -> Tensor:
    if input.ndim != 2 or vec.ndim != 1 or vec._layout or input.shape[1] != vec.shape[0]:
        raise RuntimeError(
            f"mv: size mismatch, or a vector that is not dense: got {list(input.shape)} and "
            f"{list(vec.shape)}"
        )
    return _multiply(input, vec.unsqueeze(1), "mv").view(-1)


@forward("addmm")
def _addmm(input: Tensor, mat1: Tensor, mat2: Tensor, beta: Any, alpha: Any) -> Tensor:
    if not (mat1._layout or mat2._layout):
        raise RuntimeError(
            f"addmm: computation is not implemented for {input.layout} + {mat1.layout} @ "
            f"{mat2.layout}"
        )
    product = _multiply(mat1, mat2, "addmm")
    if product._layout and not input._layout:
        product = to_dense(product)
    scaled = product if alpha == 1 else product * alpha
    if beta == 0 and not input._layout:
        return scaled + input.new_zeros(()).expand(tuple(input.shape))
    return (input if beta == 1 else input * beta) + scaled


@forward("bmm")
def _bmm(input: Tensor, mat2: Tensor) -> Tensor:
    if not input.is_sparse or mat2._layout or input.ndim != 3 or mat2.ndim != 3:
        raise refuse("bmm", (input, mat2))
    _check_factors("bmm", input, mat2)
    batch, rows, inner = input.shape
    if mat2.shape[0] != batch or mat2.shape[1] != inner:
        raise RuntimeError(
            f"bmm: expected shapes (b, m, k) and (b, k, n), got {list(input.shape)} and "
            f"{list(mat2.shape)}"
        )
    indices = pattern_of(input).indices
    flat = _core.stack([indices[0] * rows + indices[1], indices[0] * inner + indices[2]], 0)
    pattern = Pattern(flat, (batch * rows, batch * inner), pattern_of(input).coalesced)
    starts, columns, places = pattern.rows()
    values = _in_order(input._parts.values, places)
    product = _core.sparse_product(starts, columns, values, mat2.reshape(batch * inner, -1))
    return product.view(batch, rows, mat2.shape[2])


@rule("linear")
def _linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    result = input @ weight.t()
    return result if bias is None else result + bias


# ---- gradients at the places of the factor


@sparse_op(
    "SampledAddmmBackward0",
    a=lambda grad, b, pattern: with_values(grad, pattern, pattern.sizes) @ b.conj(),
    b=lambda grad, a, pattern: (
        with_values(grad, pattern.transposed(), pattern.sizes[::-1]) @ a.conj()
    ),
)
def sampled(a: Tensor, b: Tensor, pattern: Pattern) -> Tensor:
    """The elements of a @ b.T at the places of a pattern, a vector."""
    return _core.sampled_products(pattern.row(0), pattern.row(1), a, b)


def sampled_like(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """a @ b.T where a sparse matrix has entries, in its layout."""
    if a._layout or b._layout:
        return masked_like(a @ b.transpose(0, 1), mask)
    if not mask.is_sparse:
        from rushlight.sparse.compressed import sampled_compressed

        return sampled_compressed(a, b, mask)
    pattern = pattern_of(mask).unique()
    return with_values(sampled(a, b, pattern), pattern, tuple(mask.shape))


def _masked_gradient(grad: Tensor, mat1: Tensor, mat2: Tensor, alpha: Any) -> Tensor:
    if not mat1._layout:
        return grad @ adjoint(mat2) * alpha
    found = sampled_like(to_dense(grad), mat2.conj(), mat1)
    return found if alpha == 1 else found * alpha


@sparse_op(
    "SparseAddmmBackward0",
    input=lambda grad, beta: grad * beta,
    mat1=_masked_gradient,
    mat2=lambda grad, mat1, alpha: (
        (adjoint(mat1) @ grad) if alpha == 1 else (adjoint(mat1) @ grad) * alpha
    ),
)
def sparse_addmm(
    input: Tensor | None, mat1: Tensor, mat2: Tensor, beta: Any = 1, alpha: Any = 1
) -> Tensor:
    """beta * input + alpha * mat1 @ mat2, whose gradient of mat1 has mat1's places."""
    if input is None:
        return _multiply(mat1, mat2)
    if not (mat1._layout or mat2._layout):
        return input.addmm(mat1, mat2, beta=beta, alpha=alpha)
    return _addmm(input, mat1, mat2, beta, alpha)


@sparse_op(
    "SparseSparseMatmulBackward0",
    a=lambda grad, a, b: masked_like(grad @ adjoint(b), coalesce(a)),
    b=lambda grad, a, b: masked_like(adjoint(a) @ grad, coalesce(b)),
)
def sparse_sparse(a: Tensor, b: Tensor) -> Tensor:
    """The product of two COO matrices, whose gradients have the factors' places."""
    return _multiply(a, b)


def mm(mat1: Tensor, mat2: Tensor, *, reduce: str | None = None) -> Tensor:
    """The product of two matrices, one or both sparse; gradients of those have their places.

    Dense unless both are sparse. Raises RuntimeError where shapes or dtypes do not fit.

    Args:
        mat1: (m, k).
        mat2: (k, n).
        reduce: only "sum".
    """
    if reduce not in (None, "sum"):
        raise NotImplementedError(f"sparse.mm: reduce={reduce!r} is not there; only 'sum'")
    if mat1.is_sparse and mat2.is_sparse:
        return sparse_sparse(mat1, mat2)
    if mat1._layout or not mat2._layout:
        if not mat1._layout:
            return mat1 @ mat2
        return sparse_addmm(None, mat1, mat2)
    return sparse_addmm(None, mat2.t(), mat1.t()).t()


def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1.0, alpha: Any = 1.0
) -> Tensor:
    """beta * input + alpha * mat1 @ mat2 of a sparse mat1, whose gradient has its places."""
    return sparse_addmm(input, mat1, mat2, beta, alpha)


def sampled_addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1.0, alpha: Any = 1.0, out: Any = None
) -> Tensor:
    """beta * input + alpha * mat1 @ mat2 at the places of a CSR matrix alone.

    Raises NotImplementedError for another layout of input.
    """
    if not input.is_sparse_csr:
        raise refuse("sampled_addmm", (input, mat1, mat2))
    product = sampled_like(mat1, mat2.transpose(0, 1), input)
    from rushlight.sparse.pointwise import of_values

    result = of_values(
        input,
        lambda values: values * beta + product.values() * alpha,
    )
    return result if out is None else _core.write_out("sampled_addmm", result, out)


# ---- products that are sparse though one factor is dense


def _filled_rows(mat1: Tensor, mat2: Tensor) -> tuple[Tensor, Tensor]:
    """The rows in which a sparse factor has entries, and those of the product."""
    mat1 = coalesce(mat1.detach())
    product = _multiply(mat1, to_dense(mat2.detach()))
    rows = pattern_of(mat1).row(0).unique_consecutive()
    return rows, product.index_select(0, rows)


def hspmm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """The product of a sparse and a dense matrix as a hybrid tensor: one entry for a filled row.

    Without a derivative.
    """
    rows, values = _filled_rows(mat1, mat2)
    shape = (mat1.shape[0], mat2.shape[1])
    return make(Pattern(rows.unsqueeze(0), shape[:1], True), values, shape)


def smm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of a sparse and a dense matrix as a sparse one: filled rows are stored whole.

    Without a derivative.
    """
    rows, values = _filled_rows(input, mat2)
    width = values.shape[1]
    columns = _core.arange(0, width, 1, _core.int64).repeat(rows.shape[0])
    indices = _core.stack([rows.repeat_interleave(width), columns], 0)
    shape = (input.shape[0], width)
    return make(Pattern(indices, shape, False), values.reshape(-1), shape)


def sspaddmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Tensor:
    """beta * input + alpha * mat1 @ mat2, of sparse input and mat1; the result is sparse.

    Without a derivative.
    """
    check_coo("sspaddmm", input)
    product = smm(mat1, mat2)
    first = pattern_of(input)
    pattern = Pattern(
        _core.cat([first.indices, pattern_of(product).indices], 1), first.sizes, False
    )
    values = _core.cat([input._parts.values * beta, product._parts.values * alpha], 0)
    return make(pattern, values, input.shape)


def spmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, one or both sparse, or of a sparse matrix and a vector."""
    return input.mm(mat2) if input.ndim == mat2.ndim == 2 else input @ mat2


# PyTorch's older names.
dsmm, hsmm, saddmm = spmm, hspmm, sspaddmm
