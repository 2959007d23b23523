"""Tensors that tracers replace writes by: not there. The class is, for `isinstance`."""

from __future__ import annotations

from typing import Any

__all__ = ["FunctionalTensor", "mb_unwrap_functional_tensor"]


class FunctionalTensor:
    """A tensor whose writes are recorded; no tensor is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "FunctionalTensor is not in rushlight: there is no tracer that would need it"
        )


def mb_unwrap_functional_tensor(tensor: Any) -> Any:
    """The tensor itself."""
    return tensor
