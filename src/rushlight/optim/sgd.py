"""Stochastic gradient descent, with momentum (Polyak or Nesterov) and weight decay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import rushlight
from rushlight import _core
from rushlight.optim import checks
from rushlight.optim.multi_tensor import MultiTensor, _descend, _slope
from rushlight.optim.optimizer import _to_scalar
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight.optim.optimizer import ParamsT

__all__ = ["SGD", "sgd"]


class SGD(MultiTensor):
    """Stochastic gradient descent.

    With gradient g (negated for `maximize`), parameter p and momentum buffer b, a step is::

        g = g + weight_decay * p
        b = g                                     # first step
        b = momentum * b + (1 - dampening) * g    # later steps
        p = p - lr * (g + momentum * b  if nesterov else  b  if momentum else  g)

    The buffer holds gradients, not gradients times `lr` as in Sutskever et al., so a change of
    `lr` acts at once on the accumulated velocity too.

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: learning rate, a number or a 1-element Tensor.
        momentum: how much of the buffer survives a step.
        dampening: 1 - the weight of a new gradient in the buffer.
        weight_decay: factor of the L2 penalty.
        nesterov: look ahead along the buffer; needs momentum and no dampening.
        maximize: climb instead of descending.
        foreach, fused: accepted; all parameters of a group are always updated in one pass.
        differentiable: record the update on the tape. `step()` then works on non-leaf parameters.

    State of a parameter: "momentum_buffer", if momentum is not 0.

    Nesterov momentum: http://www.cs.toronto.edu/%7Ehinton/absps/momentum.pdf
    """

    _rule = staticmethod(_core.sgd_step)
    _counters = ()
    _later_options: ClassVar[dict[str, Any]] = {
        "nesterov": False,
        "maximize": False,
        "foreach": None,
        "differentiable": False,
        "fused": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if lr < 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        checks.fused_options(fused, foreach, differentiable)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _update_rest(self, group: dict[str, Any], rest: list[Tensor] | None) -> None:
        """By tensor operations; a first step leaves a copy of the gradient as the buffer."""
        params = [p for p in rest or () if p.grad is not None]
        if group["fused"]:
            checks.fused_params(params)
        momentum = group["momentum"]
        buffers = [self.state[p].get("momentum_buffer") if momentum != 0 else None for p in params]
        with rushlight.set_grad_enabled(self.defaults["differentiable"]):
            sgd(
                params,
                [p.grad for p in params],  # type: ignore[misc]
                buffers,
                weight_decay=group["weight_decay"],
                momentum=momentum,
                lr=group["lr"],
                dampening=group["dampening"],
                nesterov=group["nesterov"],
                maximize=group["maximize"],
            )
        if momentum != 0:
            for p, buffer in zip(params, buffers, strict=True):
                self.state[p]["momentum_buffer"] = buffer


def sgd(
    params: list[Tensor],
    d_p_list: list[Tensor],
    momentum_buffer_list: list[Tensor | None],
    has_sparse_grad: bool = False,
    foreach: bool | None = None,
    fused: bool | None = None,
    grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None,
    *,
    weight_decay: float | Tensor,
    momentum: float,
    lr: float | Tensor,
    dampening: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """One step of `SGD` as a function, in plain tensor operations.

    Slower than the kernel behind `SGD.step`, for any dtype and layout, and differentiable. A None
    in `momentum_buffer_list` is replaced by the new buffer. Runs in the caller's grad mode.
    """
    if grad_scale is not None or found_inf is not None:
        raise NotImplementedError("sgd: grad_scale and found_inf; unscale the gradients instead")
    lr = _to_scalar(lr)
    for i, (param, grad) in enumerate(zip(params, d_p_list, strict=True)):
        grad = _slope(grad, param, weight_decay, maximize)
        if momentum != 0:
            buffer = momentum_buffer_list[i]
            if buffer is None:
                buffer = momentum_buffer_list[i] = grad.detach().clone()
            else:
                buffer.mul_(momentum).add_(grad, alpha=1 - dampening)
            grad = grad.add(buffer, alpha=momentum) if nesterov else buffer

        _descend(param, grad, lr)
