"""The methods of tensors that are about layouts; rushlight/ops/layouts.py attaches them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.dtypes import sparse_bsc, sparse_bsr, sparse_coo, sparse_csc, sparse_csr
from rushlight.sparse import coo, products
from rushlight.sparse.compressed import (
    CSC,
    CSR,
    check_axis,
    compressed_to_coo,
    compressed_values,
    coo_to_compressed,
    mask_like,
)
from rushlight.sparse.coo import Pattern, check_coo, make, pattern_of, values_of
from rushlight.sparse.declare import refuse
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def _needs_coo(name: str, self: Tensor) -> None:
    if not self.is_sparse:
        raise refuse(name, (self,))


def _indices(self: Tensor) -> Tensor:
    """The indices (sparse dims, entries) of a COO tensor, coalesced or not."""
    _needs_coo("_indices", self)
    return pattern_of(self).indices.detach()


def _values(self: Tensor) -> Tensor:
    """The values of a COO tensor, coalesced or not, without history."""
    _needs_coo("_values", self)
    return self._parts.values.detach()


def _nnz(self: Tensor) -> int:
    """The number of entries."""
    if not self._layout:
        raise refuse("_nnz", (self,))
    return self._parts.values.shape[0]


def indices(self: Tensor) -> Tensor:
    """The indices (sparse dims, entries) of a coalesced COO tensor.

    Raises RuntimeError for one that is not coalesced, or another layout.
    """
    check_coo("indices", self)
    if not pattern_of(self).coalesced:
        raise RuntimeError(
            "Cannot get indices on an uncoalesced tensor, please call .coalesce() first"
        )
    return pattern_of(self).indices.detach()


def values(self: Tensor) -> Tensor:
    """The values of the entries, of a COO tensor (entries, *dense dims); gradients pass.

    Raises RuntimeError for a COO tensor that is not coalesced, or a strided one.
    """
    if not self._layout:
        raise RuntimeError("values expected sparse tensor layout but got Strided")
    if not self.is_sparse:
        return compressed_values(self)
    if not pattern_of(self).coalesced:
        raise RuntimeError(
            "Cannot get values on an uncoalesced tensor, please call .coalesce() first"
        )
    return values_of(self)


def coalesce(self: Tensor) -> Tensor:
    """The COO tensor with one entry to a place, in order; itself if it is so already."""
    return coo.coalesce(self)


def is_coalesced(self: Tensor) -> bool:
    """Whether a COO tensor is known to have one entry to a place, in order."""
    check_coo("is_coalesced", self)
    return pattern_of(self).coalesced


def _coalesced_(self: Tensor, coalesced: bool) -> Tensor:
    """Says in place whether it is so; nothing is looked at."""
    _needs_coo("_coalesced_", self)
    old = self._parts
    pattern = Pattern(old.pattern.indices, old.pattern.sizes, bool(coalesced))
    self._set_parts(coo.Coo(pattern, old.values), 1, tuple(self.shape), self.dtype)
    return self


def sparse_dim(self: Tensor) -> int:
    """The number of sparse dimensions: 0 of a strided tensor, 2 of CSR and CSC."""
    return len(pattern_of(self).sizes) if self.is_sparse else 2 if self._layout else 0


def dense_dim(self: Tensor) -> int:
    """The number of dense dimensions."""
    return self.ndim - sparse_dim(self)


def _dimI(self: Tensor) -> int:
    """`sparse_dim()` under its old name."""
    return sparse_dim(self)


def _dimV(self: Tensor) -> int:
    """`dense_dim()` under its old name."""
    return dense_dim(self)


def crow_indices(self: Tensor) -> Tensor:
    """Where the rows of a CSR matrix start, (rows + 1,)."""
    check_axis("crow_indices", self, CSR)
    return self._parts.starts.detach()


def col_indices(self: Tensor) -> Tensor:
    """The columns of the entries of a CSR matrix."""
    check_axis("col_indices", self, CSR)
    return self._parts.others.detach()


def ccol_indices(self: Tensor) -> Tensor:
    """Where the columns of a CSC matrix start, (columns + 1,)."""
    check_axis("ccol_indices", self, CSC)
    return self._parts.starts.detach()


def row_indices(self: Tensor) -> Tensor:
    """The rows of the entries of a CSC matrix."""
    check_axis("row_indices", self, CSC)
    return self._parts.others.detach()


# ---- between layouts


def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
    """The strided tensor of the same values; a strided one itself.

    Args:
        dtype: of the result.
        masked_grad: False: the gradient is dense too. Otherwise it has the places of the tensor.
    """
    return coo.to_dense(self, dtype, masked_grad)


_COMPRESSED = {sparse_csr: CSR, sparse_csc: CSC}


def to_sparse(
    self: Tensor,
    sparse_dim: int | None = None,
    *,
    layout: Any = None,
    blocksize: Any = None,
    dense_dim: int | None = None,
) -> Tensor:
    """The sparse tensor of the same values, by default in COO format.

    Args:
        sparse_dim: so many dimensions are sparse, the rest is dense; default: all.
        layout: `sparse_coo`, `sparse_csr` or `sparse_csc`.
        blocksize: of block layouts, which are not there.
        dense_dim: for CSR and CSC, 0.

    Raises:
        RuntimeError: a number of dimensions that is not there.
        NotImplementedError: a block layout.
    """
    if layout in (sparse_bsr, sparse_bsc) or blocksize is not None:
        raise NotImplementedError(
            f"to_sparse: rushlight has no tensors of layout {layout or sparse_bsr}; use "
            "torch.sparse_csr"
        )
    if layout in _COMPRESSED:
        if dense_dim:
            raise NotImplementedError("to_sparse: compressed matrices have no dense dimensions")
        return _to_compressed(self, _COMPRESSED[layout])
    if layout not in (None, sparse_coo):
        raise RuntimeError(f"to_sparse: conversion from {self.layout} to {layout} is not supported")
    if self.is_sparse:
        if sparse_dim is not None and sparse_dim != len(pattern_of(self).sizes):
            raise RuntimeError(
                "to_sparse: conversion from Sparse to Sparse with another sparse_dim "
                f"({sparse_dim}) is not supported"
            )
        return self
    if self._layout:
        return compressed_to_coo(self)
    if sparse_dim is None:
        sparse_dim = self.ndim
    elif self.ndim and sparse_dim == 0:
        raise RuntimeError(
            "dense_to_sparse: sparse_dim argument must be in >0 when self.dim()>0"
        )
    if not 0 <= sparse_dim <= self.ndim:
        raise RuntimeError(
            f"dense_to_sparse: sparse_dim argument must be in [0,{self.ndim}] range, but "
            f"{sparse_dim} is given"
        )
    return coo.dense_to_coo(self, sparse_dim)


def _to_compressed(self: Tensor, layout: int) -> Tensor:
    if self._layout == layout:
        return self
    return coo_to_compressed(to_sparse(self), layout)


def to_sparse_coo(self: Tensor) -> Tensor:
    """`to_sparse()`."""
    return to_sparse(self)


def to_sparse_csr(self: Tensor, dense_dim: int | None = None) -> Tensor:
    """The CSR matrix of the same values."""
    return to_sparse(self, layout=sparse_csr, dense_dim=dense_dim)


def to_sparse_csc(self: Tensor, dense_dim: int | None = None) -> Tensor:
    """The CSC matrix of the same values."""
    return to_sparse(self, layout=sparse_csc, dense_dim=dense_dim)


def to_sparse_bsr(self: Tensor, blocksize: Any, dense_dim: int | None = None) -> Tensor:
    """Raises NotImplementedError: there are no blocks."""
    return to_sparse(self, layout=sparse_bsr)


def to_sparse_bsc(self: Tensor, blocksize: Any, dense_dim: int | None = None) -> Tensor:
    """Raises NotImplementedError: there are no blocks."""
    return to_sparse(self, layout=sparse_bsc)


def sparse_mask(self: Tensor, mask: Tensor) -> Tensor:
    """The tensor at the places where a sparse one has entries, with that one's indices.

    Raises RuntimeError where shapes differ or the mask is strided.
    """
    if not mask._layout:
        raise RuntimeError("sparse_mask: expected a mask of a sparse layout, got a strided tensor")
    if self.shape != mask.shape:
        raise RuntimeError(
            "sparse_mask(): operands have incompatible sizes; self has size "
            f"{list(self.shape)} but mask has size {list(mask.shape)}"
        )
    if not mask.is_sparse:
        return mask_like(self, mask)
    pattern = pattern_of(mask)
    if self.is_sparse and pattern_of(self) is pattern:
        return self
    return coo.with_values(coo.pick(self, pattern), pattern, tuple(self.shape))


# ---- in place


def _resized(self: Tensor, size: Sequence[int], sparse: int, dense: int, keep: bool) -> Tensor:
    _needs_coo("sparse_resize_", self)
    size = tuple(size)
    if len(size) != sparse + dense:
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, "
            f"sparse_dim = {sparse}, dense_dim = {dense}"
        )
    parts, old = self._parts, pattern_of(self)
    if not keep or not old.count:
        values = _core.full((0, *size[sparse:]), 0, self.dtype)
        made = make(Pattern(_core.full((sparse, 0), 0, _core.int64), size[:sparse], True), values,
                    size)  # fmt: skip
    else:
        if sparse != len(old.sizes) or dense != self.dense_dim():
            raise RuntimeError(
                "changing the number of sparse or dense dimensions of a non-empty sparse tensor is "
                "not supported"
            )
        for what, before, after in (
            ("sparse", list(old.sizes), list(size[:sparse])),
            ("dense", list(self.shape[sparse:]), list(size[sparse:])),
        ):
            if any(a < b for a, b in zip(after, before)):
                raise RuntimeError(
                    f"shrinking the size of {what} dimensions (from {before} to {after}) on a "
                    "non-empty sparse tensor is not supported."
                )
        values = parts.values
        if tuple(values.shape[1:]) != size[sparse:]:
            grown = _core.full((old.count, *size[sparse:]), 0, self.dtype)
            grown[tuple(slice(0, n) for n in values.shape)] = values
            values = grown
        made = make(Pattern(old.indices, size[:sparse], old.coalesced), values, size)
    self._set_parts(made._parts, 1, size, self.dtype)
    return self


def sparse_resize_(self: Tensor, size: Any, sparse_dim: int, dense_dim: int) -> Tensor:
    """Another size in place; with entries, no size may shrink (RuntimeError)."""
    return _resized(self, size, sparse_dim, dense_dim, True)


def sparse_resize_and_clear_(self: Tensor, size: Any, sparse_dim: int, dense_dim: int) -> Tensor:
    """Another size in place, without entries."""
    return _resized(self, size, sparse_dim, dense_dim, False)


def resize_as_sparse_(self: Tensor, the_template: Tensor) -> Tensor:
    """The size and the numbers of dimensions of another COO tensor, in place."""
    _needs_coo("resize_as_sparse_", the_template)
    return _resized(
        self, the_template.shape, the_template.sparse_dim(), the_template.dense_dim(), True
    )


def narrow_copy(self: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`narrow` as a copy."""
    part = self.narrow(dim, start, length)
    return part if self._layout else part.clone()


# ---- products


def smm(self: Tensor, mat2: Tensor) -> Tensor:
    """See `torch.smm`."""
    return products.smm(self, mat2)


def hspmm(self: Tensor, mat2: Tensor) -> Tensor:
    """See `torch.hspmm`."""
    return products.hspmm(self, mat2)


def sspaddmm(self: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """See `torch.sspaddmm`."""
    _needs_coo("sspaddmm", mat1)
    return products.sspaddmm(self, mat1, mat2, beta=beta, alpha=alpha)


