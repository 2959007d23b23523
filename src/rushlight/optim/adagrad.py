"""Adagrad: steps divided by the root of the sum of all squares so far."""

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
    _takes_sparse = True
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
        checks.learning_rate(lr)
        checks.at_least_zero(
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
        checks.fused_options(fused, foreach, differentiable)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p].update(self._new_state(group, p))

    def share_memory(self) -> None:
        """Not there: workers of rushlight are threads, which share the sums as they are."""
        raise NotImplementedError(
            "Adagrad.share_memory: tensors are not shared between processes here; train in threads"
        )

    def _new_state(self, group: Group, p: Tensor) -> dict[str, Any]:
        start: complex = self.defaults["initial_accumulator_value"]
        if p.is_complex():
            start = complex(start, start)  # type: ignore[arg-type]
        return {"step": _counter(0, group["fused"]), "sum": rushlight.zeros_like(p).fill_(start)}

    def _update_by_ops(self, group: Group, params: Tensors, grads: Tensors, states: States) -> None:
        if group["fused"]:
            checks.fused_params(params)
        adagrad(
            params,
            grads,
            [state["sum"] for state in states],
            [state["step"] for state in states],
            **_options(
                group, "lr", "lr_decay", "eps", "weight_decay", "maximize", "differentiable",
            ),
        )  # fmt: skip


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
    checks.counters(state_steps)
    lr = _to_scalar(lr)
    for i, param in enumerate(params):
        state_steps[i] += 1
        rate = lr / (1 + (state_steps[i].item() - 1) * lr_decay)
        if grads[i].is_sparse:
            _sparse_step(param, grads[i], state_sums[i], rate, weight_decay, eps, maximize)
            continue
        grad = _slope(grads[i], param, weight_decay, maximize)
        param, grad, state_sum = _as_real(param, grad, state_sums[i])
        state_sum.addcmul_(grad, grad)
        direction = grad / (state_sum.sqrt() + eps)
        param.sub_(direction * rate)


def _sparse_step(
    param: Tensor,
    grad: Tensor,
    state_sum: Tensor,
    rate: float | Tensor,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """The step of the places that a sparse gradient has."""
    if weight_decay != 0:
        raise RuntimeError("weight_decay option is not compatible with sparse gradients")
    grad = (-grad if maximize else grad).coalesce()
    indices, values = grad.indices(), grad.values()
    if values.numel() == 0:
        return

    def placed(numbers: Tensor) -> Tensor:
        return rushlight.sparse_coo_tensor(indices, numbers, grad.shape, is_coalesced=True)

    state_sum.add_(placed(values.pow(2)))
    roots = state_sum.sparse_mask(grad).values().sqrt() + eps
    param.add_(placed(values / roots), alpha=-float(rate))
