"""torch.onnx: there is no graph to export."""

from __future__ import annotations

from typing import Any

__all__ = ["export", "is_in_onnx_export", "register_custom_op_symbolic"]


def register_custom_op_symbolic(
    symbolic_name: str, symbolic_fn: Any, opset_version: int
) -> None:
    """Accepted, and not used: packages say how their operators are exported."""


def is_in_onnx_export() -> bool:
    """False."""
    return False


def __getattr__(name: str) -> Any:
    if name.startswith("symbolic_"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def export(*args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    raise NotImplementedError(
        "torch.onnx.export is not in rushlight: save state_dict() with torch.save, and export with "
        "PyTorch, which loads that file"
    )
