"""RAdam: Adam that waits until the average of the squares can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import rushlight
from rushlight import _core
from rushlight.optim import checks
from rushlight.optim.multi_tensor import MultiTensor, _as_real, _counter, _options, _slope
from rushlight.optim.optimizer import _to_scalar

if TYPE_CHECKING:
    from rushlight.optim.multi_tensor import Group, States, Tensors
    from rushlight.optim.optimizer import ParamsT
    from rushlight.tensor import Tensor

__all__ = ["RAdam", "radam"]


class RAdam(MultiTensor):
    """RAdam (Liu et al., https://arxiv.org/abs/1908.03265).

    With gradient g (negated for `maximize`) and step number t, a step is::

        g = g + weight_decay * p                    # or p = p * (1 - lr * weight_decay), decoupled
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        R = 2 / (1 - beta2) - 1                     # the longest that the average of squares gets
        r = R - 2 * t * beta2**t / (1 - beta2**t)   # its length so far
        if r > 5:
            c = sqrt((r - 4) * (r - 2) * R / ((R - 4) * (R - 2) * r))
            p = p - lr * c * m / (1 - beta1**t) * sqrt(1 - beta2**t) / (sqrt(v) + eps)
        else:
            p = p - lr * m / (1 - beta1**t)

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: learning rate, a number or a 1-element Tensor.
        betas: decay of the two averages, in [0, 1).
        eps: added to the denominator.
        weight_decay: factor of the L2 penalty, or of the decay if decoupled.
        decoupled_weight_decay: shrink the parameters directly, as `AdamW` does.
        foreach: accepted; all parameters of a group are always updated in one pass.
        maximize: climb instead of descending.
        capturable: for accelerators that record graphs; `step()` refuses it on the CPU.
        differentiable: record the update on the tape. `step()` then works on non-leaf parameters.

    State of a parameter: "step" (0-dim Tensor), "exp_avg", "exp_avg_sq".
    """

    _rule = staticmethod(_core.radam_step)
    _later_options: ClassVar[dict[str, Any]] = {
        **MultiTensor._later_options,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _new_state(self, group: Group, p: Tensor) -> dict[str, Any]:
        return {
            "step": _counter(),
            "exp_avg": rushlight.zeros_like(p),
            "exp_avg_sq": rushlight.zeros_like(p),
        }

    def _update_by_ops(self, group: Group, params: Tensors, grads: Tensors, states: States) -> None:
        beta1, beta2 = group["betas"]
        radam(
            params,
            grads,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [state["step"] for state in states],
            beta1=beta1,
            beta2=beta2,
            **_options(
                group, "lr", "eps", "weight_decay", "decoupled_weight_decay", "maximize",
                "capturable", "differentiable",
            ),
        )  # fmt: skip


def radam(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    state_steps: list[Tensor],
    decoupled_weight_decay: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    maximize: bool = False,
    *,
    beta1: float,
    beta2: float,
    lr: float | Tensor,
    weight_decay: float,
    eps: float,
) -> None:
    """One step of `RAdam` as a function, in plain tensor operations.

    Slower than the kernel behind `RAdam.step`, for any dtype and layout, and differentiable.
    Updates all lists in place. Runs in the caller's grad mode.
    """
    checks.counters(state_steps)
    checks.not_capturable(capturable, params)
    lr = _to_scalar(lr)
    longest = 2 / (1 - beta2) - 1
    for i, param in enumerate(params):
        state_steps[i] += 1
        step = state_steps[i].item()
        if decoupled_weight_decay and weight_decay != 0:
            param.mul_(1 - lr * weight_decay)
        coupled = 0 if decoupled_weight_decay else weight_decay
        grad = _slope(grads[i], param, coupled, maximize)
        param, grad, exp_avg, exp_avg_sq = _as_real(param, grad, exp_avgs[i], exp_avg_sqs[i])

        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        direction = exp_avg / (1 - beta1**step)
        bias2 = 1 - beta2**step
        length = longest - 2 * step * beta2**step / bias2
        if length > 5:
            trust = (length - 4) * (length - 2) * longest
            trust /= (longest - 4) * (longest - 2) * length
            direction = direction * (trust * bias2) ** 0.5 / (exp_avg_sq.sqrt() + eps)
        param.sub_(direction * lr)
