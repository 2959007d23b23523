"""Adadelta: steps in units of the parameter, from running averages of two squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core
from rushlight.optim import checks
from rushlight.optim.multi_tensor import MultiTensor, _as_real, _counter, _descend, _options, _slope
from rushlight.optim.optimizer import _to_scalar

if TYPE_CHECKING:
    from rushlight.optim.multi_tensor import Group, States, Tensors
    from rushlight.optim.optimizer import ParamsT
    from rushlight.tensor import Tensor

__all__ = ["Adadelta", "adadelta"]


class Adadelta(MultiTensor):
    """Adadelta (Zeiler, https://arxiv.org/abs/1212.5701).

    With gradient g (negated for `maximize`), a step is::

        g = g + weight_decay * p
        v = rho * v + (1 - rho) * g * g
        d = sqrt(u + eps) / sqrt(v + eps) * g
        u = rho * u + (1 - rho) * d * d
        p = p - lr * d

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: factor of the step, a number or a 1-element Tensor.
        rho: decay of the two averages, in [0, 1].
        eps: added below both roots; it sets the size of the first steps.
        weight_decay: factor of the L2 penalty.
        foreach: accepted; all parameters of a group are always updated in one pass.
        capturable: for accelerators that record graphs; `step()` refuses it on the CPU.
        maximize: climb instead of descending.
        differentiable: record the update on the tape. `step()` then works on non-leaf parameters.

    State of a parameter: "step" (0-dim Tensor), "square_avg", "acc_delta".
    """

    _rule = staticmethod(_core.adadelta_step)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        checks.learning_rate(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        checks.at_least_zero(eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _new_state(self, group: Group, p: Tensor) -> dict[str, Any]:
        return {
            "step": _counter(),
            "square_avg": rushlight.zeros_like(p),
            "acc_delta": rushlight.zeros_like(p),
        }

    def _update_by_ops(self, group: Group, params: Tensors, grads: Tensors, states: States) -> None:
        adadelta(
            params,
            grads,
            [state["square_avg"] for state in states],
            [state["acc_delta"] for state in states],
            [state["step"] for state in states],
            **_options(
                group, "lr", "rho", "eps", "weight_decay", "maximize", "capturable",
                "differentiable",
            ),
        )  # fmt: skip


def adadelta(
    params: list[Tensor],
    grads: list[Tensor],
    square_avgs: list[Tensor],
    acc_deltas: list[Tensor],
    state_steps: list[Tensor],
    capturable: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    lr: float | Tensor,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step of `Adadelta` as a function, in plain tensor operations.

    Slower than the kernel behind `Adadelta.step`, for any dtype and layout, and differentiable.
    Updates all lists in place. Runs in the caller's grad mode.
    """
    checks.counters(state_steps)
    checks.not_capturable(capturable, params)
    lr = _to_scalar(lr)
    for i, param in enumerate(params):
        state_steps[i] += 1
        grad = _slope(grads[i], param, weight_decay, maximize)
        param, grad, square_avg, acc_delta = _as_real(param, grad, square_avgs[i], acc_deltas[i])
        square_avg.mul_(rho).addcmul_(grad, grad, value=1 - rho)
        delta = (acc_delta + eps).sqrt() / (square_avg + eps).sqrt() * grad
        acc_delta.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        _descend(param, delta, lr)
