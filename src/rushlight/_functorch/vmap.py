"""torch._functorch.vmap: vmap, and what tensordict imports from beside it.

vmap itself asks for none of this, so replacing a function here changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight._C._functorch import _add_batch_dim as _add_batch_dim
from rushlight.func import vmap as vmap
from rushlight.tensor import Tensor as Tensor
from rushlight.utils._pytree import (
    _broadcast_to_and_flatten as _broadcast_to_and_flatten,
)
from rushlight.utils._pytree import tree_flatten as tree_flatten
from rushlight.utils._pytree import tree_unflatten as tree_unflatten

if TYPE_CHECKING:
    from typing import NoReturn


def _get_name(func: Any) -> str:
    """What errors call a function."""
    return getattr(func, "__name__", None) or repr(func)


def _maybe_remove_batch_dim(
    name: str, batched_output: Any, vmap_level: int, batch_size: int, out_dim: int | None
) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError(
        "torch._functorch.vmap._maybe_remove_batch_dim is not in rushlight: use torch.func.vmap"
    )
