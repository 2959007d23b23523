"""MultiTensor: an optimizer whose rule is one pass of the core over all parameters of a group.

The core does what it can and returns the rest: parameters without state yet, with an unusual
layout, complex ones, and whole groups whose step is to be recorded. Those are updated by tensor
operations, in a function of the optimizer's name; it is the plain version of the same rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import rushlight
from rushlight.optim.optimizer import Optimizer, _get_scalar_dtype, _loss_of, _with_hooks
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    Group = dict[str, Any]
    States = list[dict[str, Any]]
    Tensors = list[Tensor]

__all__: list[str] = []


class MultiTensor(Optimizer):
    """What optimizers with a rule in the core share. Not public: PyTorch has no such class."""

    # The rule: (parameters, group, self.state) -> the parameters that it left alone, or None.
    _rule: ClassVar[Callable[..., list[Tensor] | None]]
    # Options that groups of old checkpoints lack, and entries of a state that were numbers there.
    _later_options: ClassVar[dict[str, Any]] = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }
    _counters: ClassVar[tuple[str, ...]] = ("step",)
    _takes_sparse: ClassVar[bool] = False

    def _new_state(self, group: Group, p: Tensor) -> dict[str, Any]:
        """The state of a parameter before its first step; empty for a rule without."""
        raise NotImplementedError

    def _update_by_ops(self, group: Group, params: Tensors, grads: Tensors, states: States) -> None:
        """The step of some parameters, all of which have a gradient, by tensor operations."""
        raise NotImplementedError

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self._later_options.items():
                group.setdefault(name, value)
            for p in group["params"]:
                own = self.state.get(p)
                if not own:
                    continue
                for name in self._counters:
                    if not isinstance(own[name], Tensor):
                        own[name] = _counter(own[name], group.get("fused"))

    @_with_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once; see `Optimizer.step`."""
        loss = None if closure is None else _loss_of(closure)
        for group in self.param_groups:
            if group.get("fused") and not self._unscale(group):
                continue
            rest = self._rule(group["params"], group, self.state)
            if rest is not None:
                self._update_rest(group, rest)
        return loss

    def _unscale(self, group: Group) -> bool:
        """What a scaler of losses asks of `fused` groups by setting attributes; False: no step.

        Gradients are divided by `grad_scale`, in place; with a `found_inf` that is not 0 they and
        the parameters are left as they are.
        """
        scale, found = getattr(self, "grad_scale", None), getattr(self, "found_inf", None)
        if found is not None and float(found) != 0:
            return False
        if scale is not None:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.div_(scale)
        return True

    def _update_rest(self, group: Group, rest: Tensors | None) -> None:
        """Make the state that is missing; what the rule refuses then is unusual."""
        new = False
        for p in rest or ():
            if p.grad is None:
                continue
            if p.grad.is_sparse and not self._takes_sparse:
                name = type(self).__name__
                hint = ", please consider SparseAdam instead" if name.startswith("Adam") else ""
                raise RuntimeError(f"{name} does not support sparse gradients{hint}")
            own = self.state[p]
            if not own:
                own.update(self._new_state(group, p))
                new = True
        if new:
            rest = self._rule(rest, group, self.state)
        params = [p for p in rest or () if p.grad is not None]
        if params:
            grads: Any = [p.grad for p in params]
            with rushlight.set_grad_enabled(self.defaults["differentiable"]):
                self._update_by_ops(group, params, grads, [self.state[p] for p in params])


def _counter(value: float = 0.0, fused: bool | None = None) -> Tensor:
    """A 0-dim tensor of a state, on which every step counts on."""
    return rushlight.tensor(float(value), dtype=_get_scalar_dtype(fused))


# ------------------------------------------------------------------- the functions of tensor ops


def _options(group: Group, *names: str) -> dict[str, Any]:
    """Options of the group that are keyword arguments of the function, by the same name."""
    return {name: group[name] for name in names}


def _slope(
    grad: Tensor, param: Tensor, weight_decay: float | Tensor = 0, maximize: bool = False
) -> Tensor:
    """The gradient to go down, with that of the L2 penalty."""
    if maximize:
        grad = -grad
    if isinstance(weight_decay, Tensor) and weight_decay.requires_grad:
        return grad.addcmul(param.clone(), weight_decay)
    return grad.add(param, alpha=float(weight_decay)) if weight_decay != 0 else grad


def _descend(param: Tensor, direction: Tensor, lr: float | Tensor) -> None:
    """``param -= lr * direction``; gradients reach a Tensor lr that requires them."""
    if isinstance(lr, Tensor) and lr.requires_grad:
        param.addcmul_(direction.clone(), lr, value=-1)  # direction may change in the next step
    else:
        param.add_(direction, alpha=-float(lr))


def _as_real(param: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Complex tensors as pairs of real numbers, which are independent; others as they are."""
    if not param.is_complex():
        return (param, *tensors)
    return tuple(map(rushlight.view_as_real, (param, *tensors)))
