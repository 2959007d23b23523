"""The text of sparse tensors: indices, values, and what does not show in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rushlight
from rushlight.printing import _contents, _suffixes

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


def _part(name: str, part: Tensor, indent: int) -> str:
    prefix = f"{name}=tensor("
    text = prefix + _contents(part, indent + len(prefix))
    if part.numel() == 0:
        text += f", size={tuple(part.shape)}"
    return text + ")"


def sparse_parts(tensor: Tensor, indent: int) -> tuple[str, list[str], bool]:
    """What stands between the brackets, the suffixes, and whether these start on a new line."""
    parts = tensor._parts
    values = parts.values
    suffixes = [f"size={tuple(tensor.shape)}", f"nnz={values.shape[0]}"]
    usual: tuple = (rushlight.get_default_dtype(), rushlight.int64, rushlight.bool)
    if usual[0] in (rushlight.float32, rushlight.float64):
        wide = usual[0] is rushlight.float64
        usual = (*usual, rushlight.complex128 if wide else rushlight.complex64)
    if tensor.dtype not in usual:
        suffixes.append(f"dtype={tensor.dtype}")
    suffixes.append(f"layout={tensor.layout}")
    suffixes += [s for s in _suffixes(tensor) if s.startswith(("grad_fn=", "requires_grad="))]
    if tensor.is_sparse:
        named = [("indices", parts.pattern.indices)]
    elif tensor.is_sparse_csr:
        named = [("crow_indices", parts.starts), ("col_indices", parts.others)]
    else:
        named = [("ccol_indices", parts.starts), ("row_indices", parts.others)]
    named.append(("values", values))
    between = ",\n" + " " * indent
    text = between.join(_part(name, part, indent) for name, part in named)
    return text, suffixes, tensor.is_sparse
