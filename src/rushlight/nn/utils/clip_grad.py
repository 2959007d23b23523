"""Clipping of gradients, by their norm or by value."""

from __future__ import annotations

import types
import warnings
from math import inf
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable

    Tensors = Tensor | Iterable[Tensor]

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_"]


def _run(kernel: Any, tensors: list[Tensor], value: Any) -> Any:
    """What the kernel does to all tensors; NotImplementedError where one is sparse."""
    try:
        return kernel(tensors, value)
    except TypeError as error:
        if all(tensor._layout == 0 for tensor in tensors):
            raise
        raise NotImplementedError(
            f"{kernel.__name__}: gradients of layout {rushlight.sparse_coo} are not clipped; leave "
            "their parameters out"
        ) from error


@rushlight.no_grad()
def _get_total_norm(
    tensors: Tensors,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of some tensors, as if they were one vector.

    Args:
        tensors: a tensor or several, real or complex.
        norm_type: the order, a number, ``inf`` or ``"inf"``.
        error_if_nonfinite: raise RuntimeError if the norm is infinite or a NaN.
        foreach: accepted; all tensors are always read in one pass.

    Returns:
        A 0-dim tensor of the tensors' common real dtype; 0.0 for no tensors.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    order = float(norm_type)
    if not tensors:
        return rushlight.tensor(0.0)
    real = all(t.is_floating_point() for t in tensors)
    if tensors[0].is_meta:
        total = rushlight.empty((), dtype=tensors[0].dtype.to_real(), device="meta")
    elif (real and order != 0) or (order == 2 and all(t.is_complex() for t in tensors)):
        total = _run(_core.total_norm, tensors, order)
    else:
        norms = rushlight.stack([rushlight.norm(t, order) for t in tensors])
        total = rushlight.norm(norms, order)
    if error_if_nonfinite and not total.is_meta and not abs(total.item()) < inf:
        raise RuntimeError(
            f"The total norm of order {order} for gradients from `parameters` is non-finite, so it "
            "cannot be clipped. To disable this error and scale the gradients by the non-finite "
            "norm anyway, set `error_if_nonfinite=False`"
        )
    return total


@rushlight.no_grad()
def _clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Multiply gradients in place by ``min(1, max_norm / (total_norm + 1e-6))``.

    Args:
        parameters: a parameter or several; those without a gradient are passed over.
        max_norm: what the norm of the gradients is to be at most.
        total_norm: their norm, for example of `get_total_norm`.
        foreach: accepted; all gradients are always written in one pass.
    """
    grads = _grads_of(parameters)
    if grads and not total_norm.is_meta:
        factor: Any = float(max_norm) / (total_norm + 1e-6)
        _run(_core.scale_all, grads, factor.clamp(max=1.0))


@rushlight.no_grad()
def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients of all parameters down, in place, to a norm of at most `max_norm`.

    The norm is that of all gradients together, as if they were one vector.

    Args:
        parameters: a parameter or several; those without a gradient are passed over.
        max_norm: the largest norm that is left alone.
        norm_type: the order of the norm, a number, ``inf`` or ``"inf"``.
        error_if_nonfinite: raise RuntimeError if the norm is infinite or a NaN, and change nothing.
        foreach: accepted; there is one implementation.

    Returns:
        The norm before the call, a 0-dim tensor.
    """
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    else:
        is_generator = isinstance(parameters, types.GeneratorType)
        parameters = list(parameters)
        if is_generator and not parameters:
            warnings.warn(
                "`parameters` is an empty generator, no gradient clipping will occur.",
                stacklevel=3,
            )
    total = _get_total_norm(_grads_of(parameters), norm_type, error_if_nonfinite)
    _clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_norm(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The old name of :func:`clip_grad_norm_`; warns."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@rushlight.no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Limit every element of the gradients, in place, to [-clip_value, clip_value].

    Args:
        parameters: a parameter or several; those without a gradient are passed over.
        clip_value: the largest size of an element. A NaN stays.
        foreach: accepted; all gradients are always written in one pass.
    """
    limit = float(clip_value)
    grads = _grads_of(parameters)
    if all(grad.is_floating_point() and not grad.is_meta for grad in grads):
        _run(_core.clamp_all, grads, limit)
    else:
        for grad in grads:
            grad.clamp_(-limit, limit)


def _grads_of(parameters: Tensors) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    return [p.grad for p in parameters if p.grad is not None]
