"""Functions of functions: derivatives, batches, and modules as functions. PyTorch's ``torch.func``.

They nest in any order: `vmap(grad(f))` gives per-sample gradients, `grad` of something with `vmap`
in it differentiates through the batch, `hessian` is `jacrev` of `jacrev`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.func import (
    index_rules,
    layer_rules,
    product_rules,
    random_rules,
    sequence_rules,
    view_rules,
    window_rules,
)
from rushlight.func.batched import Batched
from rushlight.func.derivatives import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
)
from rushlight.func.modules import (
    functional_call,
    replace_all_batch_norm_modules_,
    stack_module_state,
)
from rushlight.func.rearrange import rearrange
from rushlight.func.vmap import vmap
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "debug_unwrap",
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "rearrange",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """Returns a function with the results of `func`.

    In PyTorch it rewrites in-place operations and views for tracing compilers. Nothing is traced
    here, and results do not depend on it, so the function is called as it is.
    """
    import functools

    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}. "
            "Valid options are: remove='mutations' and remove='mutations_and_views'."
        )

    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapper


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """The tensor with all items behind an item of a batch; other tensors as they are.

    Args:
        tensor: what a function under vmap sees.
        recurse: look behind all levels of vmap, not only one.
    """
    while type(tensor) is Batched:
        tensor = tensor._inner
        if not recurse:
            break
    return tensor


_RULES = (
    index_rules, layer_rules, product_rules, random_rules, sequence_rules, view_rules, window_rules,
)  # fmt: skip
