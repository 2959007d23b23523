"""Adam: steps scaled by running averages of the gradient and of its square."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import rushlight
from rushlight import _core
from rushlight.optim import checks
from rushlight.optim.multi_tensor import MultiTensor, _as_real, _counter, _options, _slope
from rushlight.optim.optimizer import _to_scalar
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight.optim.multi_tensor import Group, States, Tensors
    from rushlight.optim.optimizer import ParamsT

__all__ = ["Adam", "adam"]


class Adam(MultiTensor):
    """Adam (Kingma and Ba, https://arxiv.org/abs/1412.6980).

    With gradient g (negated for `maximize`) and step number t, a step is::

        g = g + weight_decay * p                    # or p = p * (1 - lr * weight_decay), decoupled
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w = max(w, v)  if amsgrad else  v
        p = p - lr / (1 - beta1**t) * m / (sqrt(w / (1 - beta2**t)) + eps)

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: learning rate, a number or a 1-element Tensor.
        betas: decay of the two averages, in [0, 1): two floats or two 1-element Tensors.
        eps: added to the denominator.
        weight_decay: factor of the L2 penalty, or of the decay if decoupled.
        amsgrad: divide by the largest average so far (Reddi et al.,
            https://openreview.net/forum?id=ryQu7f-RZ).
        foreach, fused: accepted; all parameters of a group are always updated in one pass.
        maximize: climb instead of descending.
        capturable: for accelerators that record graphs; `step()` refuses it on the CPU.
        differentiable: record the update on the tape. `step()` then works on non-leaf parameters.
        decoupled_weight_decay: shrink the parameters directly, as `AdamW` does.

    State of a parameter: "step" (0-dim Tensor), "exp_avg", "exp_avg_sq", with amsgrad also
    "max_exp_avg_sq".
    """

    _rule = staticmethod(_core.adam_step)
    _later_options: ClassVar[dict[str, Any]] = {
        **MultiTensor._later_options,
        "amsgrad": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        checks.learning_rate(lr)
        checks.at_least_zero(eps=eps, weight_decay=weight_decay)
        _check_betas(betas, bool(foreach and not capturable))
        checks.fused_options(fused, foreach, differentiable)
        defaults = {
            "lr": lr,
            "betas": tuple(_to_scalar(beta) for beta in betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _new_state(self, group: Group, p: Tensor) -> dict[str, Any]:
        if group["fused"]:
            checks.fused_params([p])
        state = {
            "step": _counter(0, group["fused"]),
            "exp_avg": rushlight.zeros_like(p),
            "exp_avg_sq": rushlight.zeros_like(p),
        }
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = rushlight.zeros_like(p)
        return state

    def _update_by_ops(self, group: Group, params: Tensors, grads: Tensors, states: States) -> None:
        beta1, beta2 = group["betas"]
        adam(
            params,
            grads,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [state["max_exp_avg_sq"] for state in states] if group["amsgrad"] else [],
            [state["step"] for state in states],
            beta1=beta1,
            beta2=beta2,
            **_options(
                group, "lr", "eps", "weight_decay", "decoupled_weight_decay", "amsgrad", "maximize",
                "fused", "capturable", "differentiable",
            ),
        )  # fmt: skip


def _check_betas(betas: tuple[float | Tensor, float | Tensor], float_only: bool) -> None:
    for i, beta in enumerate(betas):
        if isinstance(beta, Tensor) and beta.numel() != 1:
            raise ValueError(f"Tensor betas[{i}] must be 1-element")
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
    if not (
        all(isinstance(beta, float) for beta in betas)
        or all(isinstance(beta, Tensor) for beta in betas)
    ):
        raise ValueError("betas must be either both floats or both Tensors")
    if float_only and isinstance(betas[0], Tensor):
        raise ValueError(
            "betas[0] as a Tensor is not supported for capturable=False and foreach=True"
        )


def adam(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    max_exp_avg_sqs: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
    grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None,
    has_complex: bool = False,
    decoupled_weight_decay: bool = False,
    *,
    amsgrad: bool,
    beta1: float | Tensor,
    beta2: float | Tensor,
    lr: float | Tensor,
    weight_decay: float | Tensor,
    eps: float,
    maximize: bool,
) -> None:
    """One step of `Adam` as a function, in plain tensor operations.

    Slower than the kernel behind `Adam.step`, for any dtype and layout, and differentiable.
    Updates all lists in place. Runs in the caller's grad mode.
    """
    if grad_scale is not None or found_inf is not None:
        raise NotImplementedError("adam: grad_scale and found_inf; unscale the gradients instead")
    checks.counters(state_steps)
    checks.not_capturable(capturable and not fused, params)
    lr, beta1, beta2 = _to_scalar(lr), _to_scalar(beta1), _to_scalar(beta2)
    for i, param in enumerate(params):
        step = state_steps[i]
        step += 1
        if decoupled_weight_decay and weight_decay != 0:
            param.mul_(1 - lr * weight_decay)
        coupled = 0 if decoupled_weight_decay else weight_decay
        grad = _slope(grads[i], param, coupled, maximize)
        most = [max_exp_avg_sqs[i]] if amsgrad else []
        param, grad, exp_avg, exp_avg_sq, *most = _as_real(
            param, grad, exp_avgs[i], exp_avg_sqs[i], *most
        )

        one_minus_beta1 = 1 - beta1
        if isinstance(one_minus_beta1, Tensor):
            one_minus_beta1 = one_minus_beta1.to(param.dtype)
        exp_avg.lerp_(grad, one_minus_beta1)
        if isinstance(beta2, Tensor) and beta2.requires_grad:
            exp_avg_sq.lerp_(grad * grad, 1 - beta2)
        else:
            exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=float(1 - beta2))

        if most:
            latest = most[0].clone() if differentiable else most[0]
            exp_avg_sq = most[0].copy_(rushlight.maximum(latest, exp_avg_sq))
        if differentiable:
            _move_recorded(param, exp_avg, exp_avg_sq, step, beta1, beta2, lr, eps)
        else:
            _move(param, exp_avg, exp_avg_sq, step.item(), beta1, beta2, lr, eps)


def _move(param, exp_avg, exp_avg_sq, step, beta1, beta2, lr, eps) -> None:
    """The last line of the update. Bias corrections are Python floats."""
    bias_correction1 = 1 - beta1**step
    bias_correction2 = 1 - beta2**step
    denominator = (exp_avg_sq.sqrt() / bias_correction2**0.5).add_(eps)
    param.addcdiv_(exp_avg, denominator, value=-float(lr / bias_correction1))


def _move_recorded(param, exp_avg, exp_avg_sq, step, beta1, beta2, lr, eps) -> None:
    """The same with Tensors for all scalars, so that gradients reach lr and betas."""
    step = step.clone()  # the counter itself changes at the next step
    step_size = -(lr / (1 - beta1**step))
    root = (1 - beta2**step).sqrt()
    denominator = exp_avg_sq.sqrt() / (root * step_size) + eps / step_size
    param.addcdiv_(exp_avg.clone(), denominator)
