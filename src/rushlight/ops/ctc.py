"""Connectionist temporal classification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.create import ones_like
from rushlight.ops.loss_reduction import reduced, reduction_of
from rushlight.ops.pointwise import _where as where
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def _numbers(lengths: Tensor | Sequence[int], batch: int) -> list[int]:
    if not isinstance(lengths, Tensor):
        return [int(length) for length in lengths]
    if lengths.dtype.is_floating_point:
        raise RuntimeError(f"ctc_loss: lengths must be integral, got {lengths.dtype}")
    if lengths.numel() != batch:
        raise RuntimeError(
            f"ctc_loss: expected one length for each of {batch} items, got lengths of shape "
            f"{list(lengths.shape)}"
        )
    return lengths.reshape(-1).tolist()


@composed(public=False)
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Minus the log-likelihood of label sequences over all alignments (Graves et al. 2006).

    Args:
        log_probs: log-probabilities as from log_softmax, (T, N, C) or (T, C). Their gradient is
            that of the logits, as if log_softmax were part of the loss.
        targets: labels without blanks, (N, S) padded or one after the other in one dimension.
        input_lengths: the steps of each item, at most T.
        target_lengths: the number of labels of each item.
        blank: the class that stands for no label.
        reduction: "none", "mean" (of the losses divided by the target lengths) or "sum".
        zero_infinity: count items whose labels do not fit into their steps as 0, gradient too.

    Raises:
        RuntimeError: a length is more than there is.
    """
    reduction = reduction_of(None, None, reduction)
    single = log_probs.ndim == 2
    batch = 1 if single else log_probs.shape[1] if log_probs.ndim > 1 else 0
    steps, labels = _numbers(input_lengths, batch), _numbers(target_lengths, batch)
    if single:
        log_probs = log_probs.unsqueeze(1)
        targets = targets.unsqueeze(0) if targets.ndim == 1 else targets
    loss = _ctc_loss(log_probs, targets, steps, labels, blank, zero_infinity)[0]
    if zero_infinity:
        loss = where(loss == float("inf"), 0, loss)
    if reduction == "mean":
        sizes = _core.tensor_from_data([max(count, 1) for count in labels], loss.dtype)
        return (loss / sizes).mean()
    if single and reduction == "none":
        return loss.squeeze(0)
    return reduced(loss, reduction)


@op(method=False, public=False, node="CtcLossBackward0")
def _ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: list[int],
    target_lengths: list[int],
    blank: int,
    zero_infinity: bool,
) -> tuple[Tensor, Tensor]:
    """The loss of each item, and the table that the backward kernel needs."""
    return _core.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank)


def _ctc_loss_gradient(
    grads: tuple,
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: list[int],
    target_lengths: list[int],
    blank: int,
    zero_infinity: bool,
    result: tuple,
) -> Tensor:
    losses, table = result
    return _ctc_loss_backward(
        grads[0], log_probs, targets, input_lengths, target_lengths, losses, table, blank,
        zero_infinity,
    )  # fmt: skip


_ctc_loss.vjp(log_probs=_ctc_loss_gradient)


@op(_core.ctc_loss_backward, method=False, public=False)
def _ctc_loss_backward(
    grad_output: Tensor,
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: list[int],
    target_lengths: list[int],
    losses: Tensor,
    table: Tensor,
    blank: int,
    zero_infinity: bool,
) -> Tensor:
    """The gradient of the log-probabilities."""


def _second_of_grad(
    grad: Tensor,
    grad_output: Tensor,
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: list[int],
    target_lengths: list[int],
    losses: Tensor,
    table: Tensor,
    blank: int,
    zero_infinity: bool,
) -> Tensor:
    each = _ctc_loss_backward(
        ones_like(grad_output), log_probs, targets, input_lengths, target_lengths, losses, table,
        blank, zero_infinity,
    )  # fmt: skip
    return (grad * each).sum((0, 2))


def _second_of_log_probs(
    grad: Tensor,
    grad_output: Tensor,
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: list[int],
    target_lengths: list[int],
    losses: Tensor,
    blank: int,
    zero_infinity: bool,
) -> Tensor:
    return _ctc_loss_second(
        grad, grad_output, log_probs, targets, input_lengths, target_lengths, losses, blank,
        zero_infinity,
    )  # fmt: skip


_ctc_loss_backward.vjp(grad_output=_second_of_grad, log_probs=_second_of_log_probs)


@op(_core.ctc_loss_second, method=False, public=False)
def _ctc_loss_second(
    direction: Tensor,
    grad_output: Tensor,
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: list[int],
    target_lengths: list[int],
    losses: Tensor,
    blank: int,
    zero_infinity: bool,
) -> Tensor:
    """The derivative of the gradient along a direction, by a forward and a backward pass of it."""


def _no_third(grad: Tensor) -> Tensor:
    raise NotImplementedError("ctc_loss: the third derivative is not implemented")


_ctc_loss_second.vjp(direction=_no_third, grad_output=_no_third, log_probs=_no_third)
