"""The bytes that tensors lie in: as other libraries look at them, and mapped from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.dtypes import REAL_CASTS, check_device, type_name

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


class _Storage:
    """What both kinds have in common: `_flat` is a vector on the memory."""

    is_cuda = False
    is_sparse = False
    is_sparse_csr = False
    is_hpu = False
    filename: str | None = None

    @property
    def _flat(self) -> Tensor:
        raise NotImplementedError

    def _made(self, flat: Tensor) -> Any:
        """A storage of this kind on other memory."""
        return TypedStorage(flat)

    def _text(self, kind: str) -> str:
        if self._flat.is_meta:
            return f"...\n[{kind} of size {self._flat.numel()}]"
        lines = "\n ".join(map(str, self._flat.tolist()))
        return f" {lines}\n[{kind} of size {self._flat.numel()}]"

    @property
    def device(self) -> Any:
        """The CPU, or meta where there are no bytes."""
        return self._flat.device

    @property
    def _cdata(self) -> int:
        return _core.storage_id(self._flat)

    def get_device(self) -> int:
        """-1, as for all memory on the CPU."""
        return -1

    def clone(self) -> Any:
        """A copy of the memory."""
        return self._made(self._flat.clone())

    __copy__ = clone

    def __deepcopy__(self, memo: dict) -> Any:
        from rushlight.io.copying import deepcopy_tensor

        return self._made(deepcopy_tensor(self._flat, memo))

    def copy_(self, source: Any, non_blocking: bool | None = None) -> Any:
        """Writes the elements of another storage over these, cast if need be."""
        self._flat.copy_(source._flat)
        return self

    def fill_(self, value: Any) -> Any:
        """Makes all elements `value`."""
        self._flat.fill_(value)
        return self

    def __setitem__(self, index: int | slice, value: Any) -> None:
        self._flat[index] = value

    def cpu(self) -> Any:
        """Itself: it is on the CPU."""
        return self

    def to(self, *, device: Any, non_blocking: bool = False) -> Any:
        """Itself. Raises RuntimeError for another device than the CPU."""
        check_device(device)
        return self

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Any:
        """Raises: there is no CUDA device."""
        check_device("cuda")

    def is_pinned(self, device: Any = None) -> bool:
        """False: there is no other device to pin memory for."""
        return False

    def is_shared(self) -> bool:
        """Whether other processes see the memory."""
        return self._flat.is_shared()

    def share_memory_(self) -> Any:
        """Raises: it is tensors that move to shared memory."""
        raise RuntimeError("a storage does not move: call share_memory_() of its tensor")

    def resizable(self) -> bool:
        """False: a tensor that grows gets other memory."""
        return False

    def resize_(self, size: int) -> Any:
        """Raises RuntimeError, but for the size that it has."""
        if size != len(self):  # type: ignore[arg-type]
            raise RuntimeError(
                "Trying to resize storage that is not resizable: tensors lie in it; resize_() a "
                "tensor"
            )
        return self


def _conversion(name: str, dtype: Any) -> None:
    """Declares the method `storage.<name>()`."""

    def call(self: Any) -> TypedStorage:
        return TypedStorage(self._flat.to(dtype))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The elements in {dtype}."
    setattr(_Storage, name, call)


for _name, _dtype in {
    **REAL_CASTS, "complex_float": _core.complex64, "complex_double": _core.complex128
}.items():  # fmt: skip
    _conversion(_name, _dtype)


class UntypedStorage(_Storage):
    """The memory of a tensor, and of all views of it: bytes without a dtype.

    Made by `Tensor.untyped_storage()`. It keeps the memory alive.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor.detach()
        if not tensor.is_meta:
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
    def _flat(self) -> Tensor:
        return _core.storage_array(self._tensor)

    def _made(self, flat: Tensor) -> UntypedStorage:
        return UntypedStorage(flat)

    def nbytes(self) -> int:
        """The size of the memory in bytes."""
        return _core.storage_nbytes(self._tensor) if self._tensor.is_meta else self._bytes.nbytes

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
        if self._tensor.is_meta or not self._bytes.nbytes:
            return 0
        import ctypes

        return ctypes.addressof(ctypes.c_char.from_buffer(self._bytes))

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
        return self._text(f"torch.storage.UntypedStorage(device={self.device})")


StorageBase = UntypedStorage  # PyTorch's base class of it alone


class TypedStorage(_Storage):
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
    def _flat(self) -> Tensor:
        return self._elements

    @property
    def _untyped_storage(self) -> UntypedStorage:
        return self._untyped

    def type(self) -> str:
        """The old name of its type, as 'torch.FloatStorage'."""
        return type_name(self.dtype).replace("Tensor", "Storage")

    def size(self) -> int:
        """The number of elements."""
        return self._elements.numel()

    __len__ = _size = size

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

    def __getitem__(self, index: int) -> Any:
        if not isinstance(index, int):
            raise NotImplementedError(
                f"TypedStorage: an index is a number, got {type(index).__name__}; use a tensor"
            )
        return self._elements[index].item()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()

    def __repr__(self) -> str:
        return self._text(f"torch.storage.TypedStorage(dtype={self.dtype}, device={self.device})")


def _load_from_bytes(b: bytes) -> TypedStorage:
    """The storage in a plain pickle that PyTorch wrote, where it is a file in a file."""
    import io

    from rushlight.io import load

    return TypedStorage(load(io.BytesIO(b)))
