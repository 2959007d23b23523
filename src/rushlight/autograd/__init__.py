"""Automatic differentiation: PyTorch's ``torch.autograd``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.autograd import graph
from rushlight.autograd.backward import backward, grad
from rushlight.autograd.graph import (
    detect_anomaly,
    is_anomaly_enabled,
    set_detect_anomaly,
)
from rushlight.autograd.mode import (
    enable_grad,
    enforce_grad_layout_policy,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)
from rushlight.tensor import Tensor as Variable

if TYPE_CHECKING:
    from rushlight.autograd import function, functional
    from rushlight.autograd.function import Function
    from rushlight.autograd.gradcheck import gradcheck, gradgradcheck

# What a training loop does not touch loads when it is asked for.
_LATER = {
    "Function": "function",
    "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck",
    "GradcheckError": "gradcheck",
}


def variable(*args: Any, **kwargs: Any) -> Any:
    """Raises, as in PyTorch since 0.4: `torch.tensor` makes tensors."""
    raise RuntimeError(
        "torch.autograd.variable(...) is deprecated, use torch.tensor(...) instead"
    )


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in ("functional", "function", "forward_ad"):
        return import_module(f"rushlight.autograd.{name}")
    if name in _LATER:
        value = getattr(import_module(f"rushlight.autograd.{_LATER[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'rushlight.autograd' has no attribute '{name}'")
