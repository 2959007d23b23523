"""torch.onnx: there is no graph to export."""

from __future__ import annotations

from typing import Any

__all__ = ["export", "is_in_onnx_export"]


def is_in_onnx_export() -> bool:
    """False."""
    return False


def export(*args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    raise NotImplementedError(
        "torch.onnx.export is not in rushlight: save state_dict() with torch.save, and export with "
        "PyTorch, which loads that file"
    )
