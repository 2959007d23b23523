"""torch.ao, quantized models: not there. What such a model has in floats is."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name in ("nn", "quantization"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(
        f"torch.ao.{name} is not in rushlight, which has no quantized tensors: use the model in "
        "floats"
    )
