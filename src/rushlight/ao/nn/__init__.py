"""torch.ao.nn: layers of quantized models, in floats."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "quantized":
        from importlib import import_module

        return import_module(f"{__name__}.quantized")
    raise AttributeError(
        f"torch.ao.nn.{name} is not in rushlight, which has no quantized tensors: use torch.nn"
    )
