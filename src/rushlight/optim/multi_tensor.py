"""MultiTensor: an optimizer whose rule is one pass of the core over all parameters of a group.

The core does what it can and returns the rest: parameters without state yet, with an unusual
layout, complex ones, and whole groups whose step is to be recorded. Those are updated by tensor
operations, in a function of the optimizer's name; it is the plain version of the same rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import rushlight
from rushlight.optim.optimizer import Optimizer, _scalar_dtype, _with_hooks
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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

    def _new_state(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        """The state of a parameter before its first step; empty for a rule without."""
        raise NotImplementedError

    def _update_by_ops(
        self, group: dict[str, Any], params: list[Tensor], states: list[dict[str, Any]]
    ) -> None:
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
        loss = None
        if closure is not None:
            with rushlight.enable_grad():
                loss = closure()
        state = self.state
        for group in self.param_groups:
            rest = self._rule(group["params"], group, state)
            if rest is not None:
                self._update_rest(group, rest)
        return loss

    def _update_rest(self, group: dict[str, Any], rest: list[Tensor] | None) -> None:
        """Make the state that is missing; what the rule refuses then is unusual."""
        new = False
        for p in rest or ():
            if p.grad is None:
                continue
            if p.grad.is_sparse:
                raise RuntimeError(f"{type(self).__name__} does not support sparse gradients")
            own = self.state[p]
            if not own:
                own.update(self._new_state(group, p))
                new = True
        if new:
            rest = self._rule(rest, group, self.state)
        params = [p for p in rest or () if p.grad is not None]
        if params:
            with rushlight.set_grad_enabled(self.defaults["differentiable"]):
                self._update_by_ops(group, params, [self.state[p] for p in params])


def _counter(value: float = 0.0, fused: bool | None = None) -> Tensor:
    """A 0-dim tensor of a state, on which every step counts on."""
    return rushlight.tensor(float(value), dtype=_scalar_dtype(fused))


def _check_lr(lr: float | Tensor) -> None:
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")


def _check_at_least_zero(**options: float) -> None:
    for name, value in options.items():
        if not value >= 0.0:
            what = "epsilon" if name == "eps" else name
            raise ValueError(f"Invalid {what} value: {value}")


def _check_betas(betas: tuple[float, float]) -> None:
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


# ------------------------------------------------------------------- the functions of tensor ops


def _check_counters(counters: Iterable[Any], name: str = "state_steps") -> None:
    if not all(isinstance(counter, Tensor) for counter in counters):
        raise RuntimeError(
            f"API has changed, `{name}` argument must contain a list of singleton tensors"
        )


def _check_not_capturable(capturable: bool, params: list[Tensor]) -> None:
    if capturable and params:
        raise AssertionError(
            "If capturable=True, params and state_steps must be on supported devices: none here, "
            "the CPU has no graphs to capture; leave capturable=False"
        )


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
