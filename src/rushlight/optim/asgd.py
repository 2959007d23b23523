"""ASGD: stochastic gradient descent that keeps an average of the parameters."""

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

__all__ = ["ASGD", "asgd"]


class ASGD(MultiTensor):
    """Averaged stochastic gradient descent.

    Polyak and Juditsky 1992, https://doi.org/10.1137/0330046.

    With gradient g (negated for `maximize`), step number t, and eta = lr and mu = 1 before the
    first step, a step is::

        g = g + weight_decay * p
        p = (1 - lambd * eta) * p - eta * g
        a = a + mu * (p - a)
        eta = lr / (1 + lambd * lr * t) ** alpha
        mu = 1 / max(1, t - t0)

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: learning rate, a number or a 1-element Tensor.
        lambd: decay of the parameters.
        alpha: power with which the learning rate falls.
        t0: the step after which averaging begins.
        weight_decay: factor of the L2 penalty.
        foreach: accepted; all parameters of a group are always updated in one pass.
        maximize: climb instead of descending.
        differentiable: record the update on the tape. `step()` then works on non-leaf parameters.
        capturable: for accelerators that record graphs; `step()` refuses it on the CPU.

    State of a parameter: "step", "eta" and "mu" (0-dim Tensors), "ax" (the average).
    """

    _rule = staticmethod(_core.asgd_step)
    _counters = ("step", "eta", "mu")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        checks.learning_rate(lr)
        checks.at_least_zero(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
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
            "eta": _counter(float(group["lr"])),
            "mu": _counter(1),
            "ax": rushlight.zeros_like(p),
        }

    def _update_by_ops(self, group: Group, params: Tensors, grads: Tensors, states: States) -> None:
        asgd(
            params,
            grads,
            [state["ax"] for state in states],
            [state["mu"] for state in states],
            [state["eta"] for state in states],
            [state["step"] for state in states],
            **_options(
                group, "lr", "lambd", "alpha", "t0", "weight_decay", "maximize", "capturable",
                "differentiable",
            ),
        )  # fmt: skip


def asgd(
    params: list[Tensor],
    grads: list[Tensor],
    axs: list[Tensor],
    mus: list[Tensor],
    etas: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    lambd: float,
    lr: float | Tensor,
    t0: float,
    alpha: float,
    weight_decay: float,
) -> None:
    """One step of `ASGD` as a function, in plain tensor operations.

    Slower than the kernel behind `ASGD.step`, for any dtype and layout, and differentiable.
    Updates all lists in place. Runs in the caller's grad mode.
    """
    checks.not_capturable(capturable, params)
    rate = float(_to_scalar(lr))  # it reaches the parameters by way of the counters only
    for i, param in enumerate(params):
        state_steps[i] += 1
        grad = _slope(grads[i], param, weight_decay, maximize)
        param, grad, ax = _as_real(param, grad, axs[i])
        eta, mu, step = etas[i].item(), mus[i].item(), state_steps[i].item()
        param.mul_(1 - lambd * eta).add_(grad, alpha=-eta)
        if mu == 1:
            ax.copy_(param)
        else:
            ax.add_(param - ax, alpha=mu)
        etas[i].fill_(rate / (1 + lambd * rate * step) ** alpha)
        mus[i].fill_(1 / max(1, step - t0))
