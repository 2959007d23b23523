"""Adamax: Adam with the largest gradient so far in place of the root of the mean square."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core
from rushlight.optim import checks
from rushlight.optim.multi_tensor import MultiTensor, _as_real, _counter, _options, _slope
from rushlight.optim.optimizer import _to_scalar

if TYPE_CHECKING:
    from rushlight.optim.multi_tensor import Group, States, Tensors
    from rushlight.optim.optimizer import ParamsT
    from rushlight.tensor import Tensor

__all__ = ["Adamax", "adamax"]


class Adamax(MultiTensor):
    """Adamax (Kingma and Ba, https://arxiv.org/abs/1412.6980, section 7).

    With gradient g (negated for `maximize`) and step number t, a step is::

        g = g + weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, abs(g) + eps)
        p = p - lr / (1 - beta1**t) * m / u

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: learning rate, a number or a 1-element Tensor.
        betas: decay of the average and of the largest gradient, in [0, 1).
        eps: added to the size of each gradient.
        weight_decay: factor of the L2 penalty.
        foreach: accepted; all parameters of a group are always updated in one pass.
        maximize: climb instead of descending.
        differentiable: record the update on the tape. `step()` then works on non-leaf parameters.
        capturable: for accelerators that record graphs; `step()` refuses it on the CPU.

    State of a parameter: "step" (0-dim Tensor), "exp_avg", "exp_inf".
    """

    _rule = staticmethod(_core.adamax_step)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        checks.learning_rate(lr)
        checks.at_least_zero(eps=eps)
        checks.betas(betas)
        checks.at_least_zero(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _new_state(self, group: Group, p: Tensor) -> dict[str, Any]:
        return {
            "step": _counter(),
            "exp_avg": rushlight.zeros_like(p),
            "exp_inf": rushlight.zeros_like(p),
        }

    def _update_by_ops(self, group: Group, params: Tensors, grads: Tensors, states: States) -> None:
        beta1, beta2 = group["betas"]
        adamax(
            params,
            grads,
            [state["exp_avg"] for state in states],
            [state["exp_inf"] for state in states],
            [state["step"] for state in states],
            beta1=beta1,
            beta2=beta2,
            **_options(
                group, "lr", "eps", "weight_decay", "maximize", "capturable", "differentiable",
            ),
        )  # fmt: skip


def adamax(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_infs: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    eps: float,
    beta1: float,
    beta2: float,
    lr: float | Tensor,
    weight_decay: float,
) -> None:
    """One step of `Adamax` as a function, in plain tensor operations.

    Slower than the kernel behind `Adamax.step`, for any dtype and layout, and differentiable.
    Updates all lists in place. Runs in the caller's grad mode.
    """
    checks.counters(state_steps)
    checks.not_capturable(capturable, params)
    lr = _to_scalar(lr)
    for i, param in enumerate(params):
        state_steps[i] += 1
        grad = _slope(grads[i], param, weight_decay, maximize)
        param, grad, exp_avg, exp_inf = _as_real(param, grad, exp_avgs[i], exp_infs[i])
        exp_avg.lerp_(grad, 1 - beta1)
        exp_inf.copy_(rushlight.maximum(exp_inf * beta2, grad.abs() + eps))
        rate = lr / (1 - beta1 ** state_steps[i].item())
        if differentiable:  # both change in the next step
            exp_avg, exp_inf = exp_avg.clone(), exp_inf.clone()
        param.sub_(exp_avg / exp_inf * rate)
