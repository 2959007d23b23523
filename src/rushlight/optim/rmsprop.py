"""RMSprop: steps divided by the root of a running mean square of the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import rushlight
from rushlight import _core
from rushlight.optim import checks
from rushlight.optim.multi_tensor import MultiTensor, _as_real, _counter, _descend, _options, _slope
from rushlight.optim.optimizer import _to_scalar

if TYPE_CHECKING:
    from rushlight.optim.multi_tensor import Group, States, Tensors
    from rushlight.optim.optimizer import ParamsT
    from rushlight.tensor import Tensor

__all__ = ["RMSprop", "rmsprop"]


class RMSprop(MultiTensor):
    """RMSprop: steps divided by the root of a running mean of squared gradients.

    Hinton, https://www.cs.toronto.edu/~hinton/coursera/lecture6/lec6.pdf; centered: Graves,
    https://arxiv.org/abs/1308.0850.

    With gradient g (negated for `maximize`), a step is::

        g = g + weight_decay * p
        v = alpha * v + (1 - alpha) * g * g
        if centered:
            a = alpha * a + (1 - alpha) * g
        r = sqrt(v - a * a  if centered else  v) + eps
        if momentum > 0:
            b = momentum * b + g / r
            p = p - lr * b
        else:
            p = p - lr * g / r

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: learning rate, a number or a 1-element Tensor.
        alpha: decay of the averages.
        eps: added to the denominator.
        weight_decay: factor of the L2 penalty.
        momentum: factor of the step before, in the next one.
        centered: divide by the root of an estimate of the variance.
        capturable: for accelerators that record graphs; `step()` refuses it on the CPU.
        foreach: accepted; all parameters of a group are always updated in one pass.
        maximize: climb instead of descending.
        differentiable: record the update on the tape. `step()` then works on non-leaf parameters.

    State of a parameter: "step" (0-dim Tensor), "square_avg", with momentum "momentum_buffer",
    centered "grad_avg".
    """

    _rule = staticmethod(_core.rmsprop_step)
    _later_options: ClassVar[dict[str, Any]] = {
        **MultiTensor._later_options,
        "momentum": 0,
        "centered": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        checks.learning_rate(lr)
        checks.at_least_zero(eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _new_state(self, group: Group, p: Tensor) -> dict[str, Any]:
        state = {"step": _counter(), "square_avg": rushlight.zeros_like(p)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = rushlight.zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = rushlight.zeros_like(p)
        return state

    def _update_by_ops(self, group: Group, params: Tensors, grads: Tensors, states: States) -> None:
        rmsprop(
            params,
            grads,
            [state["square_avg"] for state in states],
            [state["grad_avg"] for state in states] if group["centered"] else [],
            [state["momentum_buffer"] for state in states] if group["momentum"] > 0 else [],
            [state["step"] for state in states],
            **_options(
                group, "lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize",
                "capturable", "differentiable",
            ),
        )  # fmt: skip


def rmsprop(
    params: list[Tensor],
    grads: list[Tensor],
    square_avgs: list[Tensor],
    grad_avgs: list[Tensor],
    momentum_buffer_list: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    lr: float | Tensor,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
) -> None:
    """One step of `RMSprop` as a function, in plain tensor operations.

    Slower than the kernel behind `RMSprop.step`, for any dtype and layout, and differentiable.
    Updates all lists in place. Runs in the caller's grad mode.
    """
    checks.counters(state_steps)
    checks.not_capturable(capturable, params)
    lr = _to_scalar(lr)
    for i, param in enumerate(params):
        state_steps[i] += 1
        grad = _slope(grads[i], param, weight_decay, maximize)
        param, grad, square_avg = _as_real(param, grad, square_avgs[i])
        square_avg.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        spread = square_avg
        if centered:
            (grad_avg,) = _as_real(grad_avgs[i])
            grad_avg.lerp_(grad, 1 - alpha)
            mean = grad_avg.clone() if differentiable else grad_avg
            spread = square_avg.addcmul(mean, mean, value=-1)
        direction = grad / (spread.sqrt() + eps)
        if momentum > 0:
            (buffer,) = _as_real(momentum_buffer_list[i])
            direction = buffer.mul_(momentum).add_(direction)
        _descend(param, direction, lr)
