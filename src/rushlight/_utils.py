"""Helpers of torch._utils that libraries call: tensors joined to one buffer and taken apart.

Also what PyTorch's plain pickles (of `pickle`, not of `torch.save`) call to make tensors again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__: list[str] = []


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """All elements of several tensors one after the other."""
    return rushlight.cat([tensor.contiguous().view(-1) for tensor in tensors])


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Parts of a buffer in the shapes of `tensors`, which it was flattened from."""
    sizes = [tensor.numel() for tensor in tensors]
    parts = flat.split(sizes) if sizes else ()
    return tuple(part.view(t.shape) for part, t in zip(parts, tensors, strict=True))


def _take_tensors(tensors: Sequence[Tensor], size_limit: int) -> Iterator[list[Tensor]]:
    """Groups of tensors of one dtype, each of about `size_limit` bytes."""
    groups: dict[Any, list[Tensor]] = {}
    sizes: dict[Any, int] = {}
    for tensor in tensors:
        dtype, size = tensor.dtype, tensor.numel() * tensor.element_size()
        if groups.get(dtype) and sizes[dtype] + size > size_limit:
            yield groups.pop(dtype)
            sizes[dtype] = 0
        groups.setdefault(dtype, []).append(tensor)
        sizes[dtype] = sizes.get(dtype, 0) + size
    yield from groups.values()


def _rebuild_tensor(storage: Any, storage_offset: int, size: Any, stride: Any) -> Tensor:
    """A tensor on a storage."""
    made = rushlight.empty(0, dtype=storage.dtype)
    return made.set_(storage, storage_offset, tuple(size), tuple(stride))


def _rebuild_tensor_v2(
    storage: Any,
    storage_offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool,
    backward_hooks: Any,
    metadata: dict[str, bool] | None = None,
) -> Tensor:
    """A tensor on a storage, conjugated or negated if `metadata` says so; hooks are not saved."""
    made = _rebuild_tensor(storage, storage_offset, size, stride)
    if metadata and metadata.get("conj"):
        made = made.conj()
    if metadata and metadata.get("neg"):
        made = made.neg()
    return made.detach().requires_grad_(requires_grad)


def _rebuild_tensor_v3(
    storage: Any,
    storage_offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool,
    backward_hooks: Any,
    dtype: Any,
    metadata: dict[str, bool] | None = None,
) -> Tensor:
    """A tensor of a dtype on a storage of bytes."""
    made = rushlight.empty(0, dtype=dtype)
    made.set_(storage.untyped(), storage_offset, tuple(size), tuple(stride))
    return made.requires_grad_(requires_grad)


def _rebuild_sparse_tensor(layout: Any, data: tuple[Any, ...]) -> Tensor:
    """A sparse tensor of its parts: of COO indices, values, size, and whether it is coalesced."""
    if layout is rushlight.sparse_coo:
        indices, values, size, *coalesced = data
        return rushlight.sparse_coo_tensor(
            indices, values, tuple(size), is_coalesced=coalesced[0] if coalesced else None
        )
    return rushlight.sparse_compressed_tensor(*data, layout=layout)


def _rebuild_parameter(data: Tensor, requires_grad: bool, backward_hooks: Any) -> Tensor:
    """A parameter."""
    return rushlight.nn.Parameter(data, requires_grad)


def _rebuild_parameter_with_state(
    data: Tensor, requires_grad: bool, backward_hooks: Any, state: Any
) -> Tensor:
    """A parameter that had attributes of its own."""
    return _set_obj_state(rushlight.nn.Parameter(data, requires_grad), state)


def _set_obj_state(obj: Any, state: Any) -> Any:
    """Sets attributes: a dict of them, or a pair of it and those of the slots."""
    for part in state if isinstance(state, tuple) else (state,):
        for name, value in (part or {}).items():
            setattr(obj, name, value)
    return obj


def _get_device_index(
    device: Any, optional: bool = False, allow_cpu: bool = False
) -> int:
    """-1 for the CPU where that is allowed. Raises ValueError otherwise."""
    if allow_cpu and (device is None or rushlight.device(device).type == "cpu"):
        return -1
    raise ValueError(f"Expected a torch.device with a specified index, got {device!r}")


def _get_all_device_indices() -> list[int]:
    """No numbers: the CPU has none."""
    return []


def _get_device_module(device_type: str) -> Any:
    """The module of a type of device, `torch.cpu`. Raises RuntimeError if there is none."""
    module = getattr(rushlight, device_type, None)
    if module is None:
        raise RuntimeError(f"Device '{device_type}' does not have a corresponding module")
    return module


def _get_available_device_type() -> str | None:
    """None: there is the CPU only."""
    return None


class ExceptionWrapper:
    """An error that happened in another thread or process, to be raised in this one."""

    def __init__(self, exc_info: Any = None, where: str = "in background") -> None:
        import sys
        import traceback

        kind, error, trace = exc_info or sys.exc_info()
        self.exc_type: Any = kind
        self.exc_msg = "".join(traceback.format_exception(kind, error, trace))
        self.where = where

    def reraise(self) -> None:
        """Raises an error of the same type that tells of both places."""
        message = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            message = repr(message)
        try:
            error = self.exc_type(message)
        except Exception:
            raise RuntimeError(message) from None
        raise error


def _is_compiling() -> bool:
    return False


def is_compiling() -> bool:
    """False: nothing is compiled."""
    return False
