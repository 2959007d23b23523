"""One of two functions, by a condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight._higher_order_ops.checks import check_several, holds

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.tensor import Tensor

__all__ = ["cond"]


def cond(
    pred: bool | int | float | Tensor,
    true_fn: Callable[..., Any],
    false_fn: Callable[..., Any],
    operands: tuple | list = (),
) -> Any:
    """`true_fn(*operands)` if `pred` holds, else `false_fn(*operands)`; only one runs.

    Args:
        pred: a number, or a tensor of one element.
        true_fn, false_fn: functions of the operands.
        operands: a tuple or list of tensors, or of trees of them.

    Raises:
        RuntimeError: if `pred` is neither, or has more elements than one.
        TypeError: if `operands` is no tuple or list, or the chosen branch cannot be called.

    Example:
        >>> import rushlight as torch
        >>> x = torch.tensor([1., 4.], requires_grad=True)
        >>> torch.cond(x.sum() > 3, lambda x: x.sqrt(), lambda x: x * x, (x,))
        tensor([1., 2.], grad_fn=<SqrtBackward0>)
    """
    check_several("cond", "operands", operands)
    return (true_fn if holds("cond", "pred", pred) else false_fn)(*operands)
