"""Batching rules of normalization and of losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import OPS
from rushlight.func.batched import is_batched, lifted, lower, wrapped
from rushlight.func.rules import RULES, pointwise, rule
from rushlight.ops.loss_reduction import REDUCTIONS
from rushlight.ops.softmax import log_softmax

if TYPE_CHECKING:
    from rushlight.func.batched import Frame
    from rushlight.tensor import Tensor


# ---- normalization


@rule("_layer_norm")
def _layer_norm(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, shape, weight, bias, eps = arguments
    apart = is_batched(weight, frame) or is_batched(bias, frame)
    if not apart:
        return wrapped(
            op(lower(input, frame), shape, lower(weight, frame), lower(bias, frame), eps), frame
        )
    result, mean, rstd = op(input, shape, None, None, eps)
    result = result if weight is None else result * weight
    return result if bias is None else result + bias, mean, rstd


@rule("_group_norm")
def _group_norm(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, groups, weight, bias, eps = arguments
    if is_batched(weight, frame) or is_batched(bias, frame):
        shape = (-1,) + (1,) * (input.ndim - 2)
        result, mean, rstd = op(input, groups, None, None, eps)
        result = result if weight is None else result * weight.reshape(shape)
        return result if bias is None else result + bias.reshape(shape), mean, rstd
    whole = lifted(input, frame)
    found = op(whole.flatten(0, 1), groups, lower(weight, frame), lower(bias, frame), eps)
    return wrapped(tuple([part.unflatten(0, whole.shape[:2]) for part in found]), frame)


@rule("_rms_norm")
def _rms_norm(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, shape, weight, eps = arguments
    if not is_batched(weight, frame):
        return wrapped(op(lower(input, frame), shape, lower(weight, frame), eps), frame)
    result = op(input, shape, None, eps)
    if isinstance(result, tuple):
        return (result[0] * weight, *result[1:])
    return result * weight


def _channels(values: Tensor | None, frame: Frame) -> Tensor | None:
    """One value for each channel of each item: (B * C,)."""
    return None if values is None else lifted(values, frame).reshape(-1)


@rule("_batch_norm")
def _batch_norm(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, weight, bias, mean, variance, training, momentum, eps, statistics = arguments
    if not training:  # in terms of ops on items
        shape = (1, -1) + (1,) * (input.ndim - 2)
        result = (input - mean.reshape(shape)) * (variance.reshape(shape) + eps).rsqrt()
        result = result if weight is None else result * weight.reshape(shape)
        result = result if bias is None else result + bias.reshape(shape)
        return result.to(input.dtype)
    for running in (mean, variance):
        if running is not None and not is_batched(running, frame):
            raise RuntimeError(
                "Batch norm got a batched tensor as input while the running_mean or running_var, "
                "which will be updated in place, were not batched. Make the running statistics "
                "an argument of the function, as torch.func.stack_module_state does, or take the "
                "module without them: torch.func.replace_all_batch_norm_modules_(module), or "
                "track_running_stats=False."
            )
    batch, rows, channels, *rest = lifted(input, frame).shape
    # The items' channels side by side.
    whole = lifted(input, frame).transpose(0, 1).reshape(rows, batch * channels, *rest)
    moving = [
        None if running is None else lower(running, frame).view(-1) for running in (mean, variance)
    ]
    kept = _core.empty((2, batch * channels), statistics.dtype)
    result = op(
        whole, _channels(weight, frame), _channels(bias, frame), *moving, True, momentum, eps, kept
    )
    return wrapped(result.reshape(rows, batch, channels, *rest).transpose(0, 1), frame)


# ---- losses: in terms of ops on items, so that their own derivatives are used

_NONE, _MEAN = REDUCTIONS["none"], REDUCTIONS["mean"]


def _reduced(loss: Tensor, reduction: int) -> Tensor:
    if reduction == _NONE:
        return loss
    return loss.mean() if reduction == _MEAN else loss.sum()


def _element_loss(op: Any, arguments: tuple, frame: Frame) -> Any:
    named = dict(zip(op.arguments, arguments, strict=True))
    reduction = named["reduction"]
    named["reduction"] = _NONE if isinstance(reduction, int) else "none"
    loss = op(*named.values()) if reduction not in (_NONE, "none") else pointwise(
        op, arguments, frame
    )
    return _reduced(loss, reduction if isinstance(reduction, int) else REDUCTIONS[reduction])


for _name in ("_squared_loss", "_absolute_loss", "_smooth_l1_loss", "_huber_loss", "_kl_div",
              "_binary_cross_entropy", "_logits_loss", "_weighted_logits_loss",
              "_soft_margin_loss"):  # fmt: skip
    RULES[_name] = _element_loss


def _picked(logs: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> Any:
    """Of each row the weight and minus the weighted log-probability of the target class."""
    place = 0 if logs.ndim == 1 else 1
    counts = target != ignore_index
    safe = target.long().masked_fill(counts.logical_not(), 0)
    chosen = -logs.gather(place, safe.unsqueeze(place)).squeeze(place)
    weights = counts.to(logs.dtype)
    if weight is not None:
        weights = weights * weight.take(safe)
    # Not a product: an ignored row may hold an infinity.
    return weights, OPS["_where"](counts, chosen * weights, 0)


@rule("_nll_loss")
def _nll_loss(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, target, weight, reduction, ignore_index = arguments
    weights, loss = _picked(input, target, weight, ignore_index)
    if reduction == _NONE:
        return loss, weights.sum()
    total = weights.sum()
    return (loss.sum() / total if reduction == _MEAN else loss.sum()), total


@rule("_cross_entropy")
def _cross_entropy(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, target, weight, reduction, ignore_index, smoothing = arguments
    place = 0 if input.ndim == 1 else 1
    logs = log_softmax(input, place)
    shaped = weight
    if weight is not None and place:
        shaped = weight.reshape((-1,) + (1,) * (input.ndim - 2))
    classes = input.shape[place]
    if target.dtype.is_floating_point:
        if smoothing:
            target = target * (1 - smoothing) + smoothing / classes
        scaled = logs * target if shaped is None else logs * target * shaped
        loss = -scaled.sum(place)
        if reduction == _MEAN:
            return loss.sum() / max(loss.numel(), 1), None
        return _reduced(loss, reduction), None
    weights, loss = _picked(logs, target, weight, ignore_index)
    if smoothing:
        spread = -(logs if shaped is None else logs * shaped).sum(place)
        spread = OPS["_where"](target != ignore_index, spread, 0)
        loss = loss * (1 - smoothing) + spread * (smoothing / classes)
    if reduction == _MEAN:
        return loss.sum() / weights.sum(), None
    return _reduced(loss, reduction), None




# ---- recurrent layers: step by step, in terms of ops on items


@rule("_recurrent_layer")
def _recurrent_layer(op: Any, arguments: tuple, frame: Frame) -> Any:
    from rushlight.ops.recurrent import _unrolled_layer

    *tensors, mode, batch_sizes, _ = arguments
    return (*_unrolled_layer(tensors, mode, batch_sizes), None, None, None)
