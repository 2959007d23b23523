"""Adafactor: a mean square for each row and each column of a matrix instead of each element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.optim import checks
from rushlight.optim.multi_tensor import _counter
from rushlight.optim.optimizer import Optimizer, _loss_of, _to_scalar, _with_hooks
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.optim.optimizer import ParamsT

__all__ = ["Adafactor", "adafactor"]


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern, https://arxiv.org/abs/1804.04235).

    With gradient G (negated for `maximize`), parameter P and step number t, a step is::

        b = t ** beta2_decay
        rate = max(eps[1], rms(P)) * min(lr, 1 / sqrt(t))
        P = P * (1 - lr * weight_decay)
        R = R + b * (mean over each row of G * G  - R)       # matrices; stacks of them
        C = C + b * (mean over each column of G * G  - C)
        V = R @ C / max(eps[0], mean(R))                     # vectors: V = V + b * (G * G - V)
        U = G / max(eps[0], sqrt(V))
        P = P - rate * U / max(1, rms(U) / d)

    Unlike the paper, `lr` bounds the relative step (there 0.01), and eps[0] stands below the
    estimate and not in the averages.

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: the largest relative step, a number or a 1-element Tensor.
        beta2_decay: power of t, at most 0.
        eps: a bound for the estimate (None: that of the dtype) and one for the scale of a step.
        d: the root mean square above which an update is scaled down, at least 1.
        weight_decay: how much the parameters shrink in a step, times lr.
        foreach: accepted; there is one implementation.
        maximize: climb instead of descending.

    State of a parameter: "step" (0-dim Tensor), "row_var" and "col_var", or "variance" for a
    vector. Complex parameters raise RuntimeError.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("foreach", None)
            for p in group["params"]:
                own = self.state.get(p)
                if own and not isinstance(own["step"], Tensor):
                    own["step"] = _counter(own["step"])

    @_with_hooks
    @rushlight.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once; see `Optimizer.step`."""
        loss = None if closure is None else _loss_of(closure)
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            states = [self._state_of(p) for p in params]
            eps1, eps2 = group["eps"]
            adafactor(
                params,
                [p.grad for p in params],
                [state.get("row_var") for state in states],
                [state.get("col_var") for state in states],
                [state.get("variance") for state in states],
                [state["step"] for state in states],
                d=group["d"],
                lr=group["lr"],
                beta2_decay=group["beta2_decay"],
                weight_decay=group["weight_decay"],
                eps1=eps1,
                eps2=eps2,
                maximize=group["maximize"],
            )
        return loss

    def _state_of(self, p: Tensor) -> dict[str, Any]:
        """The state of a parameter, made at its first gradient."""
        if p.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        grad: Any = p.grad
        if grad.is_sparse:
            raise RuntimeError("Adafactor does not support sparse gradients")
        state = self.state[p]
        if not state:
            state["step"] = _counter()
            if grad.dim() > 1:
                *rest, rows, columns = grad.shape
                state["row_var"] = grad.new_zeros((*rest, rows, 1))
                state["col_var"] = grad.new_zeros((*rest, 1, columns))
            else:
                state["variance"] = rushlight.zeros_like(grad)
        return state


def adafactor(
    params: list[Tensor],
    grads: list[Tensor],
    row_vars: list[Tensor | None],
    col_vars: list[Tensor | None],
    variances: list[Tensor | None],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None,
    has_complex: bool = False,
    *,
    d: float,
    lr: float | Tensor,
    beta2_decay: float,
    weight_decay: float,
    eps1: float | None,
    eps2: float,
    maximize: bool,
) -> None:
    """One step of `Adafactor` as a function. Updates all lists in place."""
    checks.counters(state_steps)
    if grad_scale is not None or found_inf is not None:
        raise AssertionError("Grad scaling should occur outside of optimizer.step()")
    rate = float(_to_scalar(lr))
    for i, param in enumerate(params):
        grad = -grads[i] if maximize else grads[i]
        least = rushlight.finfo(param.dtype).eps if eps1 is None else eps1
        state_steps[i] += 1
        step = state_steps[i].item()
        blend = step**beta2_decay
        scale = max(eps2, _root_mean_square(param)) * min(rate, step**-0.5)
        if weight_decay != 0:
            param.mul_(1 - rate * weight_decay)

        square = grad * grad
        if grad.dim() > 1:
            row_var, col_var = row_vars[i], col_vars[i]
            if row_var is None or col_var is None:
                raise AssertionError(
                    "row_var and col_var should be defined when grad is multidimensional"
                )
            row_var.lerp_(square.mean(-1, keepdim=True), blend)
            col_var.lerp_(square.mean(-2, keepdim=True), blend)
            estimate = row_var * col_var / row_var.mean(-2, keepdim=True).clamp(min=least)
        else:
            variance = variances[i]
            if variance is None:
                raise AssertionError("variance should be defined when grad is a vector")
            estimate = variance.lerp_(square, blend)
        update = grad * estimate.clamp(min=least * least).rsqrt()
        param.add_(update, alpha=-scale / max(1.0, _root_mean_square(update) / d))


def _root_mean_square(tensor: Tensor) -> float:
    return tensor.norm(2).item() / tensor.numel() ** 0.5
