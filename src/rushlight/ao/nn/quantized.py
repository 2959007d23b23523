"""torch.ao.nn.quantized: of its layers the one that models in floats use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rushlight
from rushlight.nn import Identity, Module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["FloatFunctional"]


class FloatFunctional(Module):
    """Operations between layers as methods of a module, so that observers can be put behind them.

    Attributes:
        activation_post_process: what the results go through; an Identity.
    """

    def __init__(self) -> None:
        super().__init__()
        self.activation_post_process = Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Raises RuntimeError: its methods are what is called."""
        raise RuntimeError(
            "FloatFunctional is not intended to use the 'forward'. Please use the underlying "
            "operation"
        )

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """x + y."""
        return self.activation_post_process(rushlight.add(x, y))

    def add_scalar(self, x: Tensor, y: float) -> Tensor:
        """x + y, for a number y."""
        return rushlight.add(x, y)

    def mul(self, x: Tensor, y: Tensor) -> Tensor:
        """x * y."""
        return self.activation_post_process(rushlight.mul(x, y))

    def mul_scalar(self, x: Tensor, y: float) -> Tensor:
        """x * y, for a number y."""
        return rushlight.mul(x, y)

    def cat(self, x: Sequence[Tensor], dim: int = 0) -> Tensor:
        """The tensors joined along a dimension."""
        return self.activation_post_process(rushlight.cat(x, dim=dim))

    def add_relu(self, x: Tensor, y: Tensor) -> Tensor:
        """relu(x + y)."""
        return self.activation_post_process(rushlight.relu(rushlight.add(x, y)))

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """x @ y."""
        return self.activation_post_process(rushlight.matmul(x, y))
