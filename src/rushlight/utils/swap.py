"""`torch.utils.swap_tensors`: two tensors exchange all that they are, for all who hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import getweakrefs

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


def swap_tensors(t1: Tensor, t2: Tensor) -> None:
    """Exchanges memory, dtype, shape, gradient, class and attributes of two tensors.

    Every name that was one of them is the other then. What a graph has recorded of them before
    keeps their values, but its gradients go where the tensors are now: swap before the forward.

    Raises:
        RuntimeError: one of them is the result of an operation or a view, or has weak references.
    """
    for name, tensor in (("t1", t1), ("t2", t2)):
        if getweakrefs(tensor):
            raise RuntimeError(f"Cannot swap {name} because it has weakref associated with it")
        if not tensor.is_leaf or tensor._base is not None:
            raise RuntimeError(
                f"Cannot swap {name}: it is a view or the result of a recorded operation; swap its "
                "detach().clone()"
            )
    first, second = _State(t1), _State(t2)
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    second.give(t1)
    first.give(t2)


class _State:
    """What a tensor has besides its class."""

    def __init__(self, tensor: Tensor) -> None:
        self.data, self.attributes = tensor.data, tensor.__dict__
        self.requires_grad, self.grad = tensor.requires_grad, tensor.grad
        tensor.grad = None
        tensor.requires_grad = False

    def give(self, tensor: Tensor) -> None:
        tensor._set_array(self.data)
        tensor.__dict__ = self.attributes
        tensor.requires_grad = self.requires_grad
        tensor.grad = self.grad
