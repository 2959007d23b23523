"""LinearCrossEntropyOptions: how LinearCrossEntropyLoss may trade memory for time."""

from __future__ import annotations

from typing import Any

import rushlight

__all__ = ["LinearCrossEntropyOptions"]

_DEFAULTS = {
    "allow_retain_graph": False,
    "batch_chunk_size": None,
    "chunking_method": "auto",
    "acc_policy": "auto",
    "acc_dtype": None,
}
_POLICIES = ("auto", "accurate", "balanced", "compact")
_ACC_DTYPES = ("float16", "bfloat16", "float32", "float64")


class LinearCrossEntropyOptions:
    """Options of :class:`LinearCrossEntropyLoss`; they do not change once made.

    Args:
        allow_retain_graph: whether ``backward`` may run twice through the loss.
        batch_chunk_size: rows of the input for which logits exist at the same time.
        chunking_method: ``"auto"``, ``"aspect_ratio"``, ``"aspect_ratio:N"`` or None: how to choose
            that number where it is not given.
        acc_policy: ``"auto"``, ``"accurate"``, ``"balanced"`` or ``"compact"``.
        acc_dtype: the dtype of sums over chunks.
    """

    __slots__ = tuple(_DEFAULTS)

    allow_retain_graph: bool
    batch_chunk_size: int | None
    chunking_method: str | None
    acc_policy: str
    acc_dtype: Any

    def __init__(
        self,
        allow_retain_graph: bool = False,
        batch_chunk_size: int | None = None,
        chunking_method: str | None = "auto",
        acc_policy: str = "auto",
        acc_dtype: Any = None,
    ) -> None:
        if acc_policy not in _POLICIES:
            raise ValueError(f"invalid acc_policy: {acc_policy!r}")
        if not _is_method(chunking_method):
            raise ValueError(f"invalid chunking_method: {chunking_method!r}")
        size = batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        allowed = [getattr(rushlight, name) for name in _ACC_DTYPES]
        if acc_dtype is not None and acc_dtype not in allowed:
            raise ValueError(
                f"acc_dtype must be None or one of {', '.join(map(str, allowed))}, "
                f"got {acc_dtype!r}"
            )
        values = (allow_retain_graph, batch_chunk_size, chunking_method, acc_policy, acc_dtype)
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def _values(self) -> tuple:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"cannot assign to field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        pairs = zip(self.__slots__, self._values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"

    def __reduce__(self) -> tuple:
        return type(self), self._values()


def _is_method(method: str | None) -> bool:
    if method is None or method == "auto":
        return True
    name, colon, factor = method.partition(":")
    return name == "aspect_ratio" and (not colon or (factor.isdigit() and int(factor) > 0))
