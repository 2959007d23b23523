"""Where tensors become bytes and bytes become tensors: the only place that asks the core for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = [
    "STORAGE_NAMES",
    "UNTYPED",
    "UNTYPED_STORAGE",
    "StorageType",
    "empty_storage",
    "mapped_storage",
    "of_dtype",
    "storage_bytes",
    "storage_identity",
    "storage_types",
    "swap_bytes",
    "view_of_storage",
]

# dtype: the name of PyTorch's class of storages for it
STORAGE_NAMES = {
    "bool": "BoolStorage",
    "uint8": "ByteStorage",
    "int8": "CharStorage",
    "int16": "ShortStorage",
    "int32": "IntStorage",
    "int64": "LongStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
}

# dtypes without such a class: their tensors lie in storages of bytes and name the dtype themselves
UNTYPED = ("uint16", "uint32", "uint64")
UNTYPED_STORAGE = "UntypedStorage"


class StorageType:
    """What ``torch.FloatStorage`` and its like stand for in a file: the dtype of a storage."""

    __slots__ = ("dtype", "name")

    def __init__(self, name: str, dtype: Any) -> None:
        self.name = name
        self.dtype = dtype


def storage_types() -> dict[str, StorageType]:
    """All storage types, by the full name that a file uses."""
    types = {
        f"torch.{name}": StorageType(name, getattr(rushlight, dtype))
        for dtype, name in STORAGE_NAMES.items()
    }
    types[f"torch.storage.{UNTYPED_STORAGE}"] = StorageType(UNTYPED_STORAGE, rushlight.uint8)
    return types


def storage_bytes(tensor: Tensor) -> memoryview:
    """The bytes of the whole storage of a tensor; to write them is to write the tensor."""
    return _core.storage_bytes(tensor)


def storage_identity(tensor: Tensor) -> int:
    """A number that tensors have in common exactly if they share a storage (while both live)."""
    return _core.storage_id(tensor)


def empty_storage(numel: int, dtype: Any) -> Tensor:
    """A new storage, as the flat tensor of its elements; its bytes are to be filled in."""
    return _core.empty((numel,), dtype)


def mapped_storage(memory: Any, offset: int, numel: int, dtype: Any) -> Tensor:
    """A storage in memory that somebody else owns (a mapped file), as the flat tensor of it."""
    return rushlight.frombuffer(memory, dtype=dtype, count=numel, offset=offset)


def of_dtype(flat: Tensor, dtype: Any) -> Tensor:
    """The flat tensor of a storage of bytes, as elements of a dtype; bytes too many stay out."""
    return _core.reinterpret(flat, dtype, (flat.numel() // dtype.itemsize,), (1,), 0)


def view_of_storage(
    flat: Tensor, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> Tensor:
    """A tensor of its own (no view to autograd) on the storage of ``flat``.

    The caller has checked that it lies inside.
    """
    with rushlight.no_grad():
        return flat.as_strided(shape, strides, offset).data


def swap_bytes(memory: memoryview, dtype: Any) -> None:
    """Turn elements in place from the other byte order into the one of this machine."""
    import numpy

    size = rushlight.empty(0, dtype=dtype).element_size()
    if dtype.is_complex:
        size //= 2
    if size > 1 and memory.nbytes:
        numpy.frombuffer(memory, dtype=f"u{size}").byteswap(inplace=True)
