"""NAdam: Adam with Nesterov's look ahead."""

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

__all__ = ["NAdam", "nadam"]


class NAdam(MultiTensor):
    """NAdam (Dozat, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ).

    With gradient g (negated for `maximize`), step number t and P, the product of all mu(t) so
    far, a step is::

        mu(t) = beta1 * (1 - 0.96 ** (t * momentum_decay) / 2)
        g = g + weight_decay * p                    # or p = p * (1 - lr * weight_decay), decoupled
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        d = mu(t + 1) / (1 - P * mu(t + 1)) * m + (1 - mu(t)) / (1 - P) * g
        p = p - lr * d / (sqrt(v / (1 - beta2**t)) + eps)

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: learning rate, a number or a 1-element Tensor.
        betas: decay of the two averages, in [0, 1).
        eps: added to the denominator.
        weight_decay: factor of the L2 penalty, or of the decay if decoupled.
        momentum_decay: how fast the momentum grows towards beta1.
        decoupled_weight_decay: shrink the parameters directly, as `AdamW` does.
        foreach: accepted; all parameters of a group are always updated in one pass.
        maximize: climb instead of descending.
        capturable: for accelerators that record graphs; `step()` refuses it on the CPU.
        differentiable: record the update on the tape. `step()` then works on non-leaf parameters.

    State of a parameter: "step" and "mu_product" (0-dim Tensors), "exp_avg", "exp_avg_sq".
    """

    _rule = staticmethod(_core.nadam_step)
    _counters = ("step", "mu_product")
    _later_options: ClassVar[dict[str, Any]] = {
        **MultiTensor._later_options,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        checks.at_least_zero(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _new_state(self, group: Group, p: Tensor) -> dict[str, Any]:
        return {
            "step": _counter(),
            "mu_product": _counter(1),
            "exp_avg": rushlight.zeros_like(p),
            "exp_avg_sq": rushlight.zeros_like(p),
        }

    def _update_by_ops(self, group: Group, params: Tensors, grads: Tensors, states: States) -> None:
        beta1, beta2 = group["betas"]
        nadam(
            params,
            grads,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [state["mu_product"] for state in states],
            [state["step"] for state in states],
            beta1=beta1,
            beta2=beta2,
            **_options(
                group, "lr", "eps", "weight_decay", "momentum_decay", "decoupled_weight_decay",
                "maximize", "capturable", "differentiable",
            ),
        )  # fmt: skip


def nadam(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    mu_products: list[Tensor],
    state_steps: list[Tensor],
    decoupled_weight_decay: bool = False,
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    has_complex: bool = False,
    maximize: bool = False,
    *,
    beta1: float,
    beta2: float,
    lr: float | Tensor,
    weight_decay: float,
    momentum_decay: float,
    eps: float,
) -> None:
    """One step of `NAdam` as a function, in plain tensor operations.

    Slower than the kernel behind `NAdam.step`, for any dtype and layout, and differentiable.
    Updates all lists in place. Runs in the caller's grad mode.
    """
    checks.counters(state_steps)
    checks.counters(mu_products, "mu_products")
    checks.not_capturable(capturable, params)
    lr = _to_scalar(lr)
    for i, param in enumerate(params):
        state_steps[i] += 1
        step = state_steps[i].item()
        if decoupled_weight_decay and weight_decay != 0:
            param.mul_(1 - lr * weight_decay)
        coupled = 0 if decoupled_weight_decay else weight_decay
        grad = _slope(grads[i], param, coupled, maximize)
        param, grad, exp_avg, exp_avg_sq = _as_real(param, grad, exp_avgs[i], exp_avg_sqs[i])

        mu = beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
        mu_products[i] *= mu
        product = mu_products[i].item()
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denominator = (exp_avg_sq / (1 - beta2**step)).sqrt() + eps
        ahead = grad * ((1 - mu) / (1 - product)) + exp_avg * (mu_next / (1 - product * mu_next))
        param.sub_(ahead / denominator * lr)
