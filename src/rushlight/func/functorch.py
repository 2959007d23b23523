"""The package functorch, which came before torch.func and is still installed with PyTorch."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

from rushlight.func import (
    functional_call,
    functionalize,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    stack_module_state,
    vjp,
    vmap,
)
from rushlight.nn import Module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = [
    "FunctionalModule",
    "FunctionalModuleWithBuffers",
    "combine_state_for_ensemble",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "make_functional",
    "make_functional_with_buffers",
    "vjp",
    "vmap",
]


def _warn(name: str, instead: str) -> None:
    warnings.warn(
        f"functorch.{name} is from before torch.func; torch.func.{instead} is in its place",
        FutureWarning,
        stacklevel=3,
    )


class FunctionalModule(Module):
    """A module without parameters: ``f(params, *args)`` calls it with those given."""

    def __init__(self, stateless_model: Module, param_names: Sequence[str]) -> None:
        super().__init__()
        self.stateless_model = stateless_model
        self.param_names = tuple(param_names)

    def forward(  # type: ignore[override]
        self, params: Sequence[Tensor], *args: Any, **kwargs: Any
    ) -> Any:
        """The module called on `args` with these parameters."""
        state = dict(zip(self.param_names, params))
        return functional_call(self.stateless_model, state, args, kwargs)


class FunctionalModuleWithBuffers(Module):
    """A module without state: ``f(params, buffers, *args)`` calls it with those given."""

    def __init__(
        self, stateless_model: Module, param_names: Sequence[str], buffer_names: Sequence[str]
    ) -> None:
        super().__init__()
        self.stateless_model = stateless_model
        self.param_names = tuple(param_names)
        self.buffer_names = tuple(buffer_names)

    def forward(  # type: ignore[override]
        self, params: Sequence[Tensor], buffers: Sequence[Tensor], *args: Any, **kwargs: Any
    ) -> Any:
        """The module called on `args` with these parameters and buffers."""
        state = dict(zip(self.param_names, params)) | dict(zip(self.buffer_names, buffers))
        return functional_call(self.stateless_model, state, args, kwargs)


def _parameters(
    model: Module, disable_autograd_tracking: bool
) -> tuple[Module, tuple[str, ...], tuple[Tensor, ...]]:
    names, values = zip(*model.named_parameters()) if list(model.parameters()) else ((), ())
    if disable_autograd_tracking:
        values = tuple(value.detach() for value in values)
    return copy.deepcopy(model), names, values


def make_functional(model: Module, disable_autograd_tracking: bool = False) -> Any:
    """A module as ``(function, parameters)``, for ``function(parameters, *args)``.

    Args:
        model: a module without buffers.
        disable_autograd_tracking: whether the parameters come detached.
    """
    _warn("make_functional", "functional_call")
    if list(model.buffers()):
        raise RuntimeError(
            "make_functional(model): model has buffers; make_functional_with_buffers takes them"
        )
    stateless, names, values = _parameters(model, disable_autograd_tracking)
    return FunctionalModule(stateless, names), values


def make_functional_with_buffers(model: Module, disable_autograd_tracking: bool = False) -> Any:
    """A module as ``(function, parameters, buffers)``, for ``function(parameters, buffers, x)``."""
    _warn("make_functional_with_buffers", "functional_call")
    stateless, names, values = _parameters(model, disable_autograd_tracking)
    buffers = dict(model.named_buffers())
    function = FunctionalModuleWithBuffers(stateless, names, tuple(buffers))
    return function, values, tuple(buffers.values())


def combine_state_for_ensemble(models: Sequence[Module]) -> Any:
    """Models of one kind as one function, with their parameters and buffers stacked, for `vmap`."""
    _warn("combine_state_for_ensemble", "stack_module_state")
    if len(models) == 0:
        raise RuntimeError("combine_state_for_ensemble: Expected at least one model, got 0.")
    parameters, buffers = stack_module_state(list(models))
    stateless = copy.deepcopy(models[0])
    function = FunctionalModuleWithBuffers(stateless, tuple(parameters), tuple(buffers))
    return function, tuple(parameters.values()), tuple(buffers.values())
