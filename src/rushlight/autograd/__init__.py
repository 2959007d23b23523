"""Automatic differentiation: PyTorch's ``torch.autograd``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.autograd import graph as graph
from rushlight.autograd.backward import backward as backward, grad as grad
from rushlight.autograd.graph import (
    detect_anomaly as detect_anomaly,
    is_anomaly_enabled as is_anomaly_enabled,
    set_detect_anomaly as set_detect_anomaly,
)
from rushlight.autograd.mode import (
    enable_grad as enable_grad,
    enforce_grad_layout_policy as enforce_grad_layout_policy,
    inference_mode as inference_mode,
    is_grad_enabled as is_grad_enabled,
    no_grad as no_grad,
    set_grad_enabled as set_grad_enabled,
    set_multithreading_enabled as set_multithreading_enabled,
)
from rushlight.autograd.variable import Variable as Variable

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

# Modules that scripts reach through attributes, by PyTorch's names.
_NAMED_OTHERWISE = {
    "anomaly_mode": "rushlight.autograd.graph",
    "grad_mode": "rushlight.autograd.mode",
    "profiler": "rushlight.profiler",
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
    if name in _NAMED_OTHERWISE:
        return import_module(_NAMED_OTHERWISE[name])
    if name in _LATER:
        value = getattr(import_module(f"rushlight.autograd.{_LATER[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'rushlight.autograd' has no attribute '{name}'")
