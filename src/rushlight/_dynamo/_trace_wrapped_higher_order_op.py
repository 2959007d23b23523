"""A mode for tracers of masks; nothing is traced."""

from __future__ import annotations

from typing import Any

__all__ = ["TransformGetItemToIndex"]


class TransformGetItemToIndex:
    """A block in which subscriptions by tensors inside vmap are picked, as they always are here."""

    def __enter__(self) -> TransformGetItemToIndex:
        return self

    def __exit__(self, *exception: Any) -> None:
        pass
