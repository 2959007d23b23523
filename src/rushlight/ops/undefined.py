"""Derivatives that there are none of: results require grad, as in PyTorch, and backward raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rushlight.tensor import Tensor

__all__: list[str] = []


def undefined(
    name: str, instead: str = "detach() its inputs", error: type[Exception] = RuntimeError
) -> Callable[..., Tensor]:
    """A formula that raises.

    Args:
        name: of the op.
        instead: what to do.
        error: PyTorch's exception.
    """

    def formula(grad: Any) -> Tensor:
        raise error(f"derivative for {name} is not implemented; {instead}")

    return formula
