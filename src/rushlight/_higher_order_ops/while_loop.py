"""A loop whose condition and body are functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight._higher_order_ops.checks import check_form, check_several, form_of, holds

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
    check_several("while_loop", "carried_inputs", carried_inputs)
    carried = tuple(carried_inputs)
    form = form_of(carried)
    while holds("while_loop", "what cond_fn returns", cond_fn(*carried)):
        result = body_fn(*carried)
        carried = tuple(result) if isinstance(result, (tuple, list)) else (result,)
        check_form("while_loop: body_fn", carried, form)
    return carried
