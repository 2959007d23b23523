"""torch.sparse: tensors of which only the entries that are not 0 are kept.

A sparse tensor is a `Tensor` like any other. Its layout says what it consists of: indices and
values (`sparse_coo`, coo.py), compressed rows or columns (`sparse_csr`, `sparse_csc`,
compressed.py). Ops ask declare.py what to do with it; what is not there raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.sparse import declare, in_place, moving as moving, pointwise as pointwise
from rushlight.sparse.construct import spdiags
from rushlight.sparse.invariants import check_sparse_tensor_invariants
from rushlight.sparse.products import addmm, mm, sampled_addmm
from rushlight.sparse.reduce import log_softmax, softmax, sum

if TYPE_CHECKING:
    from rushlight.sparse.types import (
        BFloat16Tensor as BFloat16Tensor,
        ByteTensor as ByteTensor,
        CharTensor as CharTensor,
        DoubleTensor as DoubleTensor,
        FloatTensor as FloatTensor,
        HalfTensor as HalfTensor,
        IntTensor as IntTensor,
        LongTensor as LongTensor,
        ShortTensor as ShortTensor,
    )

__all__ = [
    "addmm",
    "as_sparse_gradcheck",
    "check_sparse_tensor_invariants",
    "log_softmax",
    "mm",
    "sampled_addmm",
    "softmax",
    "spdiags",
    "sum",
]

_core.set_callbacks(call_sparse=declare.call, add_sparse=in_place.add_to_grad)


def __getattr__(name: str) -> Any:
    if name.endswith("Tensor") or name == "as_sparse_gradcheck":
        from rushlight.sparse import gradcheck, types

        home: Any = gradcheck if name == "as_sparse_gradcheck" else types
        if name in home.__all__:
            return getattr(home, name)
    raise AttributeError(
        f"module 'rushlight.sparse' has no attribute '{name}'. If PyTorch has torch.sparse.{name}, "
        "it is not in rushlight yet: see docs/differences.md"
    )
