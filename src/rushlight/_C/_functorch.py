"""What libraries ask of PyTorch's compiled functorch: whether a tensor is an item of a vmap."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.tensor import Tensor


def is_batchedtensor(tensor: Any) -> bool:
    """Whether it stands for all items of a vmap at once."""
    return isinstance(tensor, Tensor) and tensor._level > 0


is_functorch_wrapped_tensor = is_batchedtensor


def is_gradtrackingtensor(tensor: Any) -> bool:
    """False: func.grad needs no tensors of its own."""
    return False


def maybe_get_level(tensor: Any) -> int:
    """The number of the innermost vmap that it is an item of; -1 for none."""
    return tensor._level if is_batchedtensor(tensor) else -1


def get_unwrapped(tensor: Any) -> NoReturn:
    """Raises NotImplementedError: an item of a vmap holds no tensor to show."""
    raise NotImplementedError(
        "torch._C._functorch.get_unwrapped is not in rushlight, whose vmap is built otherwise: "
        "return the value from the function that vmap calls"
    )


def _add_batch_dim(tensor: Any, dim: int, level: int) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError(
        "torch._C._functorch._add_batch_dim is not in rushlight: use torch.func.vmap"
    )


def _remove_batch_dim(tensor: Any, level: int, size: int, dim: int) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError(
        "torch._C._functorch._remove_batch_dim is not in rushlight: use torch.func.vmap"
    )
