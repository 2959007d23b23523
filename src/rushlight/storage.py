"""The bytes that tensors lie in: as other libraries look at them, and mapped from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.dtypes import CPU, check_device

if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

    from rushlight.tensor import Tensor

__all__ = ["TypedStorage", "UntypedStorage", "from_file"]


def _mapped(filename: Any, shared: bool, nbytes: int) -> mmap:
    """The first bytes of a file, mapped; writes go to it if `shared`, which also makes it."""
    import mmap
    import os

    flags = os.O_RDWR | os.O_CREAT if shared else os.O_RDONLY
    fd = os.open(filename, flags, 0o666)
    try:
        if shared and os.fstat(fd).st_size < nbytes:
            os.ftruncate(fd, nbytes)
        return mmap.mmap(fd, nbytes, access=mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY)
    finally:
        os.close(fd)


def from_file(
    filename: Any,
    shared: bool | None = None,
    size: int = 0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor (size,) on memory mapped from a file.

    Args:
        filename: the file. If shared and too short, or not there, it grows to what is needed.
        shared: writes go to the file; otherwise they stay in this process.
        size: the number of elements.
        dtype: of the elements; the default float if left out.
        layout: strided.
        device: the CPU.
        pin_memory: without effect.

    Raises:
        OSError: there is no such file.
        ValueError: the file is too short, and not shared.
    """
    import rushlight

    check_device(device)
    kind = _core.get_default_dtype() if dtype is None else dtype
    if not size:
        return rushlight.empty(0, dtype=kind)
    return rushlight.frombuffer(_mapped(filename, bool(shared), size * kind.itemsize), dtype=kind)


class UntypedStorage:
    """The memory of a tensor, and of all views of it: bytes without a dtype.

    Made by `Tensor.untyped_storage()`. It keeps the memory alive.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor.detach()
        self._bytes = _core.storage_bytes(self._tensor)

    @staticmethod
    def from_file(filename: Any, shared: bool = False, nbytes: int = 0) -> UntypedStorage:
        """Memory mapped from a file.

        Args:
            filename: the file. If shared and too short, or not there, it is made `nbytes` long.
            shared: writes go to the file; otherwise they stay in this process.
            nbytes: how many bytes to map.
        """
        import rushlight

        if not nbytes:
            return rushlight.empty(0, dtype=_core.uint8).untyped_storage()
        memory = _mapped(filename, shared, nbytes)
        return rushlight.frombuffer(memory, dtype=_core.uint8).untyped_storage()

    @property
    def device(self) -> Any:
        """The CPU."""
        return CPU

    is_cuda = False
    is_sparse = False

    def nbytes(self) -> int:
        """The size of the memory in bytes."""
        return self._bytes.nbytes

    size = __len__ = nbytes

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()  # what tools that add up memory ask for

    def untyped(self) -> UntypedStorage:
        """Itself."""
        return self

    def element_size(self) -> int:
        """1."""
        return 1

    def data_ptr(self) -> int:
        """The address of the first byte; 0 if there is none."""
        if not self._bytes.nbytes:
            return 0
        import ctypes

        return ctypes.addressof(ctypes.c_char.from_buffer(self._bytes))

    def is_shared(self) -> bool:
        """Whether the memory is shared with other processes."""
        return self._tensor.is_shared()

    def tolist(self) -> list[int]:
        """The bytes as numbers."""
        return self._bytes.tolist()

    def __getitem__(self, index: Any) -> Any:
        """A byte; or, for a slice, these bytes of the memory."""
        if not isinstance(index, slice):
            return self._bytes[index]
        if index.step not in (None, 1):
            raise RuntimeError(
                f"a storage is cut in steps of 1, got {index.step}; cut a tensor on it"
            )
        part = UntypedStorage(self._tensor)
        part._bytes = self._bytes[index]
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """A NumPy array of uint8 on the memory."""
        import numpy

        bytes_ = numpy.frombuffer(self._bytes, dtype=numpy.uint8)
        if dtype is not None and dtype != numpy.uint8:
            return bytes_.astype(dtype)
        return bytes_.copy() if copy else bytes_

    def __iter__(self) -> Iterator[int]:
        return iter(self._bytes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UntypedStorage):
            return NotImplemented
        return _core.storage_id(self._tensor) == _core.storage_id(other._tensor)

    def __hash__(self) -> int:
        return hash(_core.storage_id(self._tensor))

    def __repr__(self) -> str:
        return f"torch.storage.UntypedStorage(device=cpu) of size {self.nbytes()}"


class TypedStorage:
    """The memory of a tensor, and of all views of it, as elements of one dtype.

    Made by `Tensor.storage()`, the older way to look at memory. It keeps the memory alive, and
    what is written to it is seen by the tensors.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._untyped = tensor.untyped_storage()
        count = self._untyped.nbytes() // tensor.element_size()
        self._elements = tensor.detach().as_strided((count,), (1,), 0)

    @property
    def dtype(self) -> Any:
        """Of the elements."""
        return self._elements.dtype

    @property
    def device(self) -> Any:
        """The CPU."""
        return CPU

    is_cuda = False
    is_sparse = False

    def size(self) -> int:
        """The number of elements."""
        return self._elements.numel()

    __len__ = size

    def nbytes(self) -> int:
        """The size of the memory in bytes."""
        return self._untyped.nbytes()

    def element_size(self) -> int:
        """The size of an element in bytes."""
        return self._elements.element_size()

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return self._untyped.data_ptr()

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return self._untyped

    def tolist(self) -> list:
        """The elements as numbers of Python."""
        return self._elements.tolist()

    def fill_(self, value: Any) -> TypedStorage:
        """Makes all elements `value`."""
        self._elements.fill_(value)
        return self

    def is_pinned(self, device: Any = None) -> bool:
        """False."""
        return False

    def is_shared(self) -> bool:
        """Whether other processes see the memory."""
        return self._elements.is_shared()

    def __getitem__(self, index: int) -> Any:
        if not isinstance(index, int):
            raise NotImplementedError(
                f"TypedStorage: an index is a number, got {type(index).__name__}; use a tensor"
            )
        return self._elements[index].item()

    def __setitem__(self, index: int | slice, value: Any) -> None:
        self._elements[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()

    def __repr__(self) -> str:
        lines = "".join(f" {value}\n" for value in self.tolist())
        kind = f"torch.storage.TypedStorage(dtype={self.dtype}, device=cpu)"
        return f"{lines}[{kind} of size {self.size()}]"
