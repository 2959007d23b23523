"""Rprop: a step size of its own for every element, from the sign of the gradient alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core
from rushlight.optim import checks
from rushlight.optim.multi_tensor import MultiTensor, _as_real, _counter, _options, _slope

if TYPE_CHECKING:
    from rushlight.optim.multi_tensor import Group, States, Tensors
    from rushlight.optim.optimizer import ParamsT
    from rushlight.tensor import Tensor

__all__ = ["Rprop", "rprop"]


class Rprop(MultiTensor):
    """Resilient backpropagation: steps by the sign of the gradient alone.

    Riedmiller and Braun 1993, https://doi.org/10.1109/ICNN.1993.298623.

    With gradient g (negated for `maximize`) and the one of the step before, h, each element takes
    a step of its own size s, which is lr before the first one::

        if g * h > 0:
            s = min(s * etas[1], step_sizes[1])
        elif g * h < 0:
            s = max(s * etas[0], step_sizes[0])
            g = 0
        p = p - sign(g) * s
        h = g

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: the first step size, a number or a 1-element Tensor.
        etas: factors of the step size after a change of sign, below 1, and without, above 1.
        step_sizes: the smallest and the largest step size.
        capturable: for accelerators that record graphs; `step()` refuses it on the CPU.
        foreach: accepted; all parameters of a group are always updated in one pass.
        maximize: climb instead of descending.
        differentiable: record the update on the tape. `step()` then works on non-leaf parameters.

    State of a parameter: "step" (0-dim Tensor), "prev", "step_size".
    """

    _rule = staticmethod(_core.rprop_step)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        checks.learning_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _new_state(self, group: Group, p: Tensor) -> dict[str, Any]:
        size: complex = float(group["lr"])
        if p.is_complex():
            size = complex(size, size)  # type: ignore[arg-type]
        return {
            "step": _counter(),
            "prev": rushlight.zeros_like(p),
            "step_size": rushlight.zeros_like(p).fill_(size),
        }

    def _update_by_ops(self, group: Group, params: Tensors, grads: Tensors, states: States) -> None:
        etaminus, etaplus = group["etas"]
        step_size_min, step_size_max = group["step_sizes"]
        rprop(
            params,
            grads,
            [state["prev"] for state in states],
            [state["step_size"] for state in states],
            [state["step"] for state in states],
            step_size_min=step_size_min,
            step_size_max=step_size_max,
            etaminus=etaminus,
            etaplus=etaplus,
            **_options(group, "maximize", "capturable", "differentiable"),
        )


def rprop(
    params: list[Tensor],
    grads: list[Tensor],
    prevs: list[Tensor],
    step_sizes: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    capturable: bool = False,
    maximize: bool = False,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    step_size_min: float,
    step_size_max: float,
    etaminus: float,
    etaplus: float,
) -> None:
    """One step of `Rprop` as a function, in plain tensor operations.

    Slower than the kernel behind `Rprop.step`, for any dtype and layout, and differentiable.
    Updates all lists in place. Runs in the caller's grad mode.
    """
    checks.counters(state_steps)
    checks.not_capturable(capturable, params)
    for i, param in enumerate(params):
        state_steps[i] += 1
        grad = _slope(grads[i], param, 0, maximize)
        param, grad, prev, size = _as_real(param, grad, prevs[i], step_sizes[i])
        turn = grad.detach() * prev.detach()
        smaller = rushlight.where(turn < 0, size * etaminus, size)
        size.copy_(rushlight.where(turn > 0, size * etaplus, smaller))
        size.clamp_(step_size_min, step_size_max)
        grad = rushlight.where(turn < 0, 0.0, grad)
        param.sub_(grad.sign() * size.clone())
        prev.copy_(grad)
