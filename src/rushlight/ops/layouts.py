"""The methods of tensors that are about their layout: loaded with rushlight.sparse, when called."""

from __future__ import annotations

from typing import Any

from rushlight.tensor import Tensor

__all__: list[str] = []

_METHODS = (
    "_coalesced_", "_dimI", "_dimV", "_indices", "_nnz", "_values", "ccol_indices", "coalesce",
    "col_indices", "crow_indices", "dense_dim", "hspmm", "indices", "is_coalesced", "narrow_copy",
    "resize_as_sparse_", "row_indices", "smm", "sparse_dim", "sparse_mask", "sparse_resize_",
    "sparse_resize_and_clear_", "sspaddmm", "to_dense", "to_sparse", "to_sparse_bsc",
    "to_sparse_bsr", "to_sparse_coo", "to_sparse_csc", "to_sparse_csr", "values",
)  # fmt: skip


def _later(name: str) -> Any:
    def call(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        from rushlight.sparse import methods

        return getattr(methods, name)(self, *args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"See rushlight.sparse.methods.{name}."
    return call


for _name in _METHODS:
    setattr(Tensor, _name, _later(_name))
