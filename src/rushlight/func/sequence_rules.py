"""Batching rules of losses over sequences: the items' own batches side by side in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.func.batched import item_of, lifted
from rushlight.func.rules import rule

if TYPE_CHECKING:
    from rushlight.func.batched import Frame
    from rushlight.tensor import Tensor


def _joined(value: Tensor, frame: Frame) -> Tensor:
    """(B, N, ...) as (B * N, ...); of labels without padding, (B, L), all one after the other."""
    inner = lifted(value, frame)
    return inner.reshape(inner.shape[0] * inner.shape[1], *inner.shape[2:])


def _steps_joined(value: Tensor, frame: Frame) -> Tensor:
    """(B, T, N, C) as (T, B * N, C)."""
    inner = lifted(value, frame).transpose(0, 1)
    steps, size, count, classes = inner.shape
    return inner.reshape(steps, size * count, classes)


def _steps_parted(value: Tensor, like: Tensor, frame: Frame) -> Any:
    """(T, B * N, C) as the item (T, N, C)."""
    steps, count, classes = like.shape
    parted = value.reshape(steps, frame.size, count, classes).transpose(0, 1)
    return item_of(parted, frame.level)


@rule("_ctc_loss")
def _ctc_loss(op: Any, arguments: tuple, frame: Frame) -> Any:
    log_probs, targets, steps, labels, *rest = arguments
    losses, table = op(
        _steps_joined(log_probs, frame), _joined(targets, frame),
        steps * frame.size, labels * frame.size, *rest,
    )  # fmt: skip
    shape = frame.size, log_probs.shape[1]
    parted = [value.reshape(*shape, *value.shape[1:]) for value in (losses, table)]
    return tuple(item_of(value, frame.level) for value in parted)


@rule("_ctc_loss_backward")
def _ctc_loss_backward(op: Any, arguments: tuple, frame: Frame) -> Any:
    grad, log_probs, targets, steps, labels, losses, table, *rest = arguments
    result = op(
        _joined(grad, frame), _steps_joined(log_probs, frame), _joined(targets, frame),
        steps * frame.size, labels * frame.size, _joined(losses, frame), _joined(table, frame),
        *rest,
    )  # fmt: skip
    return _steps_parted(result, log_probs, frame)


@rule("_ctc_loss_second")
def _ctc_loss_second(op: Any, arguments: tuple, frame: Frame) -> Any:
    direction, grad, log_probs, targets, steps, labels, losses, *rest = arguments
    result = op(
        _steps_joined(direction, frame), _joined(grad, frame), _steps_joined(log_probs, frame),
        _joined(targets, frame), steps * frame.size, labels * frame.size, _joined(losses, frame),
        *rest,
    )  # fmt: skip
    return _steps_parted(result, log_probs, frame)
