"""Embeddings whose gradient is a sparse tensor: the rows that are looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.sparse.construct import sparse_coo_tensor
from rushlight.sparse.declare import sparse_op

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


def sparse_rows(values: Tensor, indices: Tensor, rows: int, padding_idx: int = -1) -> Tensor:
    """A sparse tensor (rows, features) with an entry for each index, except for the padding."""
    if padding_idx >= 0:
        kept = (indices != padding_idx).nonzero().view(-1)
        indices, values = indices.index_select(0, kept), values.index_select(0, kept)
    return sparse_coo_tensor(indices.unsqueeze(0), values, (rows, values.shape[1]))


def _gradient(
    grad: Tensor, indices: Tensor, rows: int, padding_idx: int, scale_grad_by_freq: bool
) -> Tensor:
    if scale_grad_by_freq:
        raise RuntimeError(
            "embedding_backward: scale_grad_by_freq not supported with sparse gradients"
        )
    return sparse_rows(grad.reshape(-1, grad.shape[-1]), indices.reshape(-1), rows, padding_idx)


@sparse_op("EmbeddingBackward0", weight=_gradient)
def embedding_with_rows(
    weight: Tensor, indices: Tensor, rows: int, padding_idx: int, scale_grad_by_freq: bool
) -> Tensor:
    """The rows of a dense `weight`; the gradient consists of those rows."""
    return _core.embedding(weight, indices)
