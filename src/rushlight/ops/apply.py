"""A Python function for each element, in place: apply_, map_."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__: list[str] = []  # methods alone


def _fill(tensor: Tensor, values: Iterable[Any]) -> Tensor:
    dtype = tensor.dtype
    number: type = (
        bool if dtype is _core.bool
        else complex if dtype.is_complex
        else float if dtype.is_floating_point
        else int
    )  # fmt: skip
    made = _core.tensor_from_data([number(value) for value in values], dtype)
    return tensor.copy_(_core.reshape(made, tuple(tensor.shape)))


def _elements(name: str, tensor: Tensor) -> list:
    if tensor.requires_grad:
        raise RuntimeError(
            f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() "
            "instead."
        )
    return _core.reshape(tensor.contiguous(), (-1,)).tolist()


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replaces each element by `callable(element)`, in place. Slow: the function runs in Python.

    Raises RuntimeError for a tensor that requires grad.
    """
    return _fill(self, map(callable, _elements("apply_", self)))


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replaces each element by `callable(element, other)`, the other one of the second tensor.

    Args:
        self: is written to.
        tensor: of the same dtype, broadcast to that shape.
        callable: slow, it runs in Python.
    """
    if tensor.dtype is not self.dtype:
        raise TypeError(f"map_: expected {self.dtype} for 'tensor', got {tensor.dtype}")
    others = _elements("map_", tensor.expand(self.shape))
    return _fill(self, map(callable, _elements("map_", self), others))


def map2_(
    self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]
) -> Tensor:
    """Replaces each element by `callable(element, of x, of y)`; as :func:`map_`."""
    others = (_elements("map2_", tensor.expand(self.shape)) for tensor in (x, y))
    return _fill(self, map(callable, _elements("map2_", self), *others))


Tensor.map2_ = map2_
Tensor.apply_ = apply_
Tensor.map_ = map_
