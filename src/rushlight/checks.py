"""Checks that PyTorch has for code that is compiled: an error if something is not so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__: list[str] = []


def _assert(condition: Any, message: str) -> None:
    """Raises AssertionError unless the condition, also a tensor of one element, is so."""
    if not condition:
        raise AssertionError(message)


def _assert_async(input: Tensor, assert_msg: str = "") -> None:
    """Raises RuntimeError if a tensor of one element is zero; at once, on the CPU."""
    if input.numel() != 1:
        raise RuntimeError(
            f"_assert_async: expected a tensor of one element, got shape {list(input.shape)}"
        )
    if not input.item():
        raise RuntimeError(
            assert_msg or "Expected Tensor with single nonzero value, but got zero"
        )


def _check_with(
    error_type: type[Exception], cond: Any, message: Callable[[], Any] | str | None
) -> None:
    """Raises `error_type` with the message, or what it returns, unless the condition is so."""
    if not isinstance(cond, bool):
        raise TypeError(f"cond must be a bool, but got {type(cond)}")
    if cond:
        return
    if message is None:
        raise error_type("Expected cond to be True, but got False")
    if not callable(message) and not isinstance(message, str):
        raise TypeError("message must be a callable or a str")
    raise error_type(str(message() if callable(message) else message))


def _check(cond: Any, message: Callable[[], Any] | str | None = None) -> None:
    """Raises RuntimeError unless the condition is so."""
    _check_with(RuntimeError, cond, message)


def _check_is_size(
    i: Any, message: Callable[[], Any] | str | None = None, *, max: int | None = None
) -> None:
    """Raises RuntimeError for a number below 0, or above `max`."""
    _check(i >= 0, message)
    if max is not None:
        _check(i <= max, message)


def _check_index(cond: Any, message: Callable[[], Any] | str | None = None) -> None:
    """Raises IndexError unless the condition is so."""
    _check_with(IndexError, cond, message)


def _check_value(cond: Any, message: Callable[[], Any] | str | None = None) -> None:
    """Raises ValueError unless the condition is so."""
    _check_with(ValueError, cond, message)


def _check_type(cond: Any, message: Callable[[], Any] | str | None = None) -> None:
    """Raises TypeError unless the condition is so."""
    _check_with(TypeError, cond, message)


def _check_not_implemented(cond: Any, message: Callable[[], Any] | str | None = None) -> None:
    """Raises NotImplementedError unless the condition is so."""
    _check_with(NotImplementedError, cond, message)


def _check_tensor_all_with(
    error_type: type[Exception], cond: Any, message: Callable[[], Any] | str | None = None
) -> None:
    """Raises `error_type` unless every element of a bool tensor is True."""
    if not isinstance(cond, Tensor):
        raise TypeError(f"cond must be a tensor, but got {type(cond)}")
    if cond.dtype is not _core.bool:
        raise TypeError(f"cond tensor must have dtype torch.bool, but got {cond.dtype}")
    _check_with(error_type, bool(cond.all()), message)


def _check_tensor_all(cond: Any, message: Callable[[], Any] | str | None = None) -> None:
    """Raises RuntimeError unless every element of a bool tensor is True."""
    _check_tensor_all_with(RuntimeError, cond, message)
