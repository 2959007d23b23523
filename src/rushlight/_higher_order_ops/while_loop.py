"""A loop whose condition and body are functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight._higher_order_ops.checks import check_like, holds

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["while_loop"]


def while_loop(
    cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: tuple | list
) -> tuple:
    """Calls `body_fn` on what it gave last, from `carried_inputs` on, while `cond_fn` holds.

    Args:
        cond_fn: of the carried values, gives a bool or a tensor of one element.
        body_fn: of the carried values, gives as many, of the same shapes and dtypes.
        carried_inputs: a tuple or list of tensors and numbers, or of trees of them.

    Returns:
        The values that `cond_fn` refused, a tuple.

    Raises:
        RuntimeError: for functions that cannot be called, a condition that is no truth value, or a
            body that gives another number of values, or other shapes or dtypes.
        TypeError: if `carried_inputs` is no tuple or list.

    Example:
        >>> import rushlight as torch
        >>> from rushlight._higher_order_ops import while_loop
        >>> while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, torch.ones(2)))
        (3, tensor([8., 8.]))
    """
    if not callable(cond_fn) or not callable(body_fn):
        raise RuntimeError("while_loop: cond_fn and body_fn must be callable")
    if not isinstance(carried_inputs, (tuple, list)):
        raise TypeError(
            f"while_loop: carried_inputs must be a tuple or list, but got "
            f"{type(carried_inputs).__name__}; write (x,) for a single one"
        )
    carried = tuple(carried_inputs)
    while holds("while_loop", "what cond_fn returns", cond_fn(*carried)):
        result = body_fn(*carried)
        after = tuple(result) if isinstance(result, (tuple, list)) else (result,)
        check_like("while_loop: body_fn", after, carried)
        carried = after
    return carried
