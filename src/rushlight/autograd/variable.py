"""Variable: what tensors with gradients were before PyTorch 0.4, and old scripts still make."""

from __future__ import annotations

import warnings
from typing import Any

from rushlight import _core
from rushlight.tensor import Tensor

__all__ = ["Variable"]


class _VariableType(type):
    """A call makes a tensor; every tensor is an instance."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor)

    def __call__(
        cls,
        data: Any = None,
        requires_grad: bool = False,
        volatile: Any = None,
        *,
        name: str | None = None,
    ) -> Tensor:
        if data is None:
            data = _core.empty((0,), _core.get_default_dtype())
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Variable data has to be a tensor, but got {type(data).__name__}; "
                "torch.tensor(data) makes one"
            )
        if volatile:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
                stacklevel=2,
            )
        return data.detach().requires_grad_(bool(requires_grad))


class Variable(metaclass=_VariableType):
    """`Variable(data, requires_grad=False)`: a tensor on the same memory, without history.

    Args:
        data: a tensor.
        requires_grad: whether `backward()` fills its `grad`.
        volatile: had gradients switched off; without effect, with a warning.
        name: without effect.

    For new code: `tensor.detach().requires_grad_()`. Raises TypeError for what is no tensor.
    """
