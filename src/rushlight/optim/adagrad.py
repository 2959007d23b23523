"""Adagrad: steps divided by the root of the sum of all squares so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import rushlight
from rushlight import _core
from rushlight.optim.multi_tensor import (
    MultiTensor,
    _as_real,
    _check_at_least_zero,
    _check_counters,
    _check_lr,
    _counter,
    _slope,
)
from rushlight.optim.optimizer import _check_fused, _to_scalar

if TYPE_CHECKING:
    from rushlight.optim.optimizer import ParamsT
    from rushlight.tensor import Tensor

__all__ = ["Adagrad", "adagrad"]


class Adagrad(MultiTensor):
    """Adagrad (Duchi et al., http://jmlr.org/papers/v12/duchi11a.html).

    With gradient g (negated for `maximize`) and step number t, a step is::

        g = g + weight_decay * p
        s = s + g * g
        p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: learning rate, a number or a 1-element Tensor.
        lr_decay: how fast the learning rate falls with the number of steps.
        weight_decay: factor of the L2 penalty.
        initial_accumulator_value: what the sums begin with.
        eps: added to the denominator.
        foreach, fused: accepted; all parameters of a group are always updated in one pass.
        maximize: climb instead of descending.
        differentiable: record the update on the tape. `step()` then works on non-leaf parameters.

    State of a parameter, there from the beginning: "step" (0-dim Tensor), "sum".
    """

    _rule = staticmethod(_core.adagrad_step)
    _later_options: ClassVar[dict[str, Any]] = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "fused": None,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        _check_lr(lr)
        _check_at_least_zero(
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        if fused and differentiable:
            raise RuntimeError("`fused` does not support `differentiable`")
        if fused and foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p].update(self._new_state(group, p))

    def share_memory(self) -> None:
        """Not there: workers of rushlight are threads, which share the sums as they are."""
        raise NotImplementedError(
            "Adagrad.share_memory: tensors are not shared between processes here; train in threads"
        )

    def _new_state(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        start: complex = self.defaults["initial_accumulator_value"]
        if p.is_complex():
            start = complex(start, start)  # type: ignore[arg-type]
        return {"step": _counter(0, group["fused"]), "sum": rushlight.zeros_like(p).fill_(start)}

    def _update_by_ops(
        self, group: dict[str, Any], params: list[Tensor], states: list[dict[str, Any]]
    ) -> None:
        if group["fused"]:
            _check_fused(params)
        adagrad(
            params,
            [p.grad for p in params],  # type: ignore[misc]
            [state["sum"] for state in states],
            [state["step"] for state in states],
            differentiable=group["differentiable"],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            lr_decay=group["lr_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
        )


def adagrad(
    params: list[Tensor],
    grads: list[Tensor],
    state_sums: list[Tensor],
    state_steps: list[Tensor],
    fused: bool | None = None,
    grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None,
    has_sparse_grad: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    lr: float | Tensor,
    weight_decay: float,
    lr_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """One step of `Adagrad` as a function, in plain tensor operations.

    Slower than the kernel behind `Adagrad.step`, for any dtype and layout, and differentiable.
    Updates all lists in place. Runs in the caller's grad mode.
    """
    if grad_scale is not None or found_inf is not None:
        raise NotImplementedError(
            "adagrad: grad_scale and found_inf; unscale the gradients instead"
        )
    _check_counters(state_steps)
    lr = _to_scalar(lr)
    for i, param in enumerate(params):
        state_steps[i] += 1
        rate = lr / (1 + (state_steps[i].item() - 1) * lr_decay)
        grad = _slope(grads[i], param, weight_decay, maximize)
        param, grad, state_sum = _as_real(param, grad, state_sums[i])
        state_sum.addcmul_(grad, grad)
        direction = grad / (state_sum.sqrt() + eps)
        param.sub_(direction * rate)
