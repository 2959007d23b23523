"""torch.ao.quantization: the marks in a model that say where to quantize; nothing quantizes."""

from __future__ import annotations

from typing import Any

from rushlight.nn import Module

__all__ = ["DeQuantStub", "QuantStub"]

_REFUSED = (
    "QConfig", "convert", "default_observer", "default_per_channel_weight_observer",
    "default_qconfig", "default_weight_observer", "fuse_modules", "fuse_modules_qat",
    "get_default_qat_qconfig", "get_default_qconfig", "prepare", "prepare_qat", "quantize",
    "quantize_dynamic", "quantize_qat",
)  # fmt: skip


class QuantStub(Module):
    """Where a model's values would be quantized: gives them as they are."""

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig:
            self.qconfig = qconfig

    def forward(self, x: Any) -> Any:
        """The value itself."""
        return x


class DeQuantStub(QuantStub):
    """Where a model's values would be floats again: gives them as they are."""


def __getattr__(name: str) -> Any:
    if name not in _REFUSED:
        raise AttributeError(f"module 'torch.ao.quantization' has no attribute {name!r}")

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"torch.ao.quantization.{name} is not in rushlight, which has no quantized tensors: "
            "use the model in floats"
        )

    refuse.__name__ = refuse.__qualname__ = name
    return refuse
