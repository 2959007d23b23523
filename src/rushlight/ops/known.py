"""What ops ask of values before they go on. Of tensors on the meta device nothing is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__: list[str] = []


def known(condition: Tensor, otherwise: bool = False) -> bool:
    """Whether a condition of one element holds; `otherwise` where it has no value."""
    return otherwise if condition.is_meta else bool(condition.item())
