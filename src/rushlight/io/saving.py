"""Writing: the pickle with PyTorch's names in it, the archive around it, the file at its path."""

from __future__ import annotations

import io
import os
import pickle
import stat
import sys
from collections import OrderedDict
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol

import rushlight
from rushlight.io.archive import ALIGNMENT, ArchiveWriter
from rushlight.io.class_names import module_state, name_in_torch
from rushlight.io.legacy import write_legacy
from rushlight.io.storages import (
    STORAGE_NAMES,
    UNTYPED_STORAGE,
    storage_bytes,
    storage_identity,
)
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    class _ByteSink(Protocol):
        def write(self, data: Any, /) -> Any: ...

    Writable = str | os.PathLike[str] | _ByteSink

__all__ = ["save_object"]


# ---- pickle --------------------------------------------------------------------------------------


class _Global:
    """A name in PyTorch that the pickle refers to; nothing of that name exists here."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name


class _Storage:
    """A storage in the pickle: PyTorch's persistent identity of it."""

    __slots__ = ("identity",)

    def __init__(self, type_name: str, key: str, numel: int) -> None:
        self.identity = ("storage", _TYPES[type_name], key, "cpu", numel)


_REBUILD_TENSOR = _Global("torch._utils", "_rebuild_tensor_v2")
_REBUILD_TENSOR_WITH_DTYPE = _Global("torch._utils", "_rebuild_tensor_v3")
_REBUILD_SPARSE = _Global("torch._utils", "_rebuild_sparse_tensor")
_REBUILD_META = _Global("torch._utils", "_rebuild_meta_tensor_no_storage")
_GET_LAYOUT = _Global("torch.serialization", "_get_layout")
_REBUILD_PARAMETER = _Global("torch._utils", "_rebuild_parameter")
_REBUILD_PARAMETER_WITH_STATE = _Global("torch._utils", "_rebuild_parameter_with_state")
_REBUILD_FROM_TYPE = _Global("torch._tensor", "_rebuild_from_type_v2")
_SIZE = _Global("torch", "Size")
_DEVICE = _Global("torch", "device")
_TYPES = {name: _Global("torch", name) for name in STORAGE_NAMES.values()}
_TYPES[UNTYPED_STORAGE] = _Global("torch.storage", UNTYPED_STORAGE)


# The pickler written in Python, since the one in C insists on importing every name that it writes,
# and the names here are PyTorch's.
_PythonPickler: Any = pickle._Pickler


class _Pickler(_PythonPickler):
    """Pickles tensors the way PyTorch does and collects their storages on the way."""

    def __init__(self, file: Any, protocol: int, identity_end: tuple[None, ...] = ()) -> None:
        super().__init__(file, protocol)
        # key of the storage: (a tensor that keeps it alive, its bytes)
        self.storages: dict[str, tuple[Tensor, memoryview]] = {}
        self._keys: dict[int, tuple[str, Any]] = {}
        self._writers: dict[type, Callable[[Any], None]] = {
            Tensor: self._save_tensor,
            rushlight.nn.Parameter: self._save_parameter,
            rushlight.Size: lambda size: self._save_made(_SIZE, (tuple(size),), size),
            rushlight.device: self._save_device,
            rushlight.dtype: self._save_dtype,
            rushlight.layout: lambda kind: self._save_made(_GET_LAYOUT, (str(kind),), kind),
            _Global: self._save_name,
            _Storage: lambda storage: self.save_pers((*storage.identity, *identity_end)),
        }
        self._classes = {
            Tensor: _Global("torch", "Tensor"),
            rushlight.nn.Parameter: _Global("torch.nn.parameter", "Parameter"),
        }

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        writer = self._writers.get(type(obj))
        if writer is None and isinstance(obj, Tensor):
            plain = getattr(type(obj), "_saved_as_tensor", False)  # the array API's Array
            writer = self._save_tensor if plain else self._save_subclass
        if writer is None:
            super().save(obj, save_persistent_id)
            return
        known = self.memo.get(id(obj))
        if known is not None:
            self.write(self.get(known[0]))
        else:
            writer(obj)

    def save_global(self, obj: Any, name: str | None = None) -> None:
        renamed = self._classes.get(obj)
        if renamed is None and (found := name_in_torch(obj, name)) is not None:
            renamed = self._classes[obj] = _Global(*found)
        if renamed is None:
            super().save_global(obj, name)
        else:
            self.save(renamed)

    def reducer_override(self, obj: Any) -> Any:
        """How a module is taken apart: as pickle does it, but with PyTorch's state."""
        if type(obj) is FunctionType and name_in_torch(obj) is not None:
            return obj.__name__  # pickle would not come by save_global
        if not isinstance(obj, rushlight.nn.Module):
            return NotImplemented
        taken: Any = obj.__reduce_ex__(self.proto)
        made, arguments, *rest = taken
        if rest and isinstance(rest[0], dict) and "_modules" in rest[0]:
            rest[0] = module_state(obj, rest[0])
        return made, arguments, *rest

    def _save_name(self, name: _Global) -> None:
        self.write(pickle.GLOBAL + f"{name.module}\n{name.name}\n".encode())
        self.memoize(name)

    def _save_made(self, maker: _Global, arguments: tuple[Any, ...], obj: Any) -> None:
        """``obj`` as what ``maker(*arguments)`` returns."""
        self.save(maker)
        self.save(arguments)
        self.write(pickle.REDUCE)
        self.memoize(obj)

    def _save_dtype(self, dtype: Any) -> None:
        self._save_name(_Global("torch", str(dtype).removeprefix("torch.")))
        self.memoize(dtype)

    def _save_device(self, device: Any) -> None:
        index = () if device.index is None else (device.index,)
        self._save_made(_DEVICE, (device.type, *index), device)

    def _storage(self, tensor: Tensor) -> _Storage:
        """The storage of a tensor, with a key that all tensors in it have in common."""
        key, dtype = self._keys.setdefault(
            storage_identity(tensor), (str(len(self._keys)), tensor.dtype)
        )
        if dtype != tensor.dtype:
            raise RuntimeError(
                f"save: tensors of {dtype} and {tensor.dtype} share one storage, which the format "
                "cannot express; save a clone() of one of them"
            )
        if key not in self.storages:
            self.storages[key] = (tensor, storage_bytes(tensor))
        nbytes = self.storages[key][1].nbytes
        if dtype.name not in STORAGE_NAMES:
            return _Storage(UNTYPED_STORAGE, key, nbytes)
        return _Storage(STORAGE_NAMES[dtype.name], key, nbytes // tensor.element_size())

    @staticmethod
    def _maker(tensor: Tensor) -> _Global:
        if tensor._layout:
            return _REBUILD_SPARSE
        if tensor.is_meta:
            return _REBUILD_META
        typed = tensor.dtype.name in STORAGE_NAMES
        return _REBUILD_TENSOR if typed else _REBUILD_TENSOR_WITH_DTYPE

    def _tensor_arguments(self, tensor: Tensor) -> tuple[Any, ...]:
        if tensor._layout:
            parts, size = tensor._parts, rushlight.Size(tensor.shape)
            if tensor.is_sparse:
                pattern = parts.pattern
                data = (pattern.indices, parts.values, size, pattern.coalesced)
            else:
                data = (parts.starts, parts.others, parts.values, size)
            return (tensor.layout, data)
        if tensor.is_meta:
            return (tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.requires_grad)
        flags = {"conj": tensor.is_conj(), "neg": tensor.is_neg()}
        metadata = {name: True for name, is_set in flags.items() if is_set}
        return (
            self._storage(tensor),
            tensor.storage_offset(),
            tuple(tensor.shape),
            tuple(tensor.stride()),
            tensor.requires_grad,
            OrderedDict(),  # hooks, which are not saved
            *(() if tensor.dtype.name in STORAGE_NAMES else (tensor.dtype,)),
            *([metadata] if metadata else []),
        )

    @staticmethod
    def _attributes(tensor: Tensor) -> dict[str, Any]:
        """What the caller has set on a tensor."""
        own = getattr(tensor, "__dict__", None) or {}
        return {name: value for name, value in own.items() if not name.startswith("_")}

    def _save_tensor(self, tensor: Tensor) -> None:
        if self._attributes(tensor):
            self._save_subclass(tensor)
        else:
            self._save_made(self._maker(tensor), self._tensor_arguments(tensor), tensor)

    def _save_parameter(self, parameter: Tensor) -> None:
        hooks: OrderedDict[Any, Any] = OrderedDict()
        arguments = (parameter.data, parameter.requires_grad, hooks)
        state = self._attributes(parameter)
        if state:
            self._save_made(_REBUILD_PARAMETER_WITH_STATE, (*arguments, state), parameter)
        else:
            self._save_made(_REBUILD_PARAMETER, arguments, parameter)

    def _save_subclass(self, tensor: Tensor) -> None:
        plain = (self._maker(tensor), type(tensor), self._tensor_arguments(tensor))
        self._save_made(_REBUILD_FROM_TYPE, (*plain, self._attributes(tensor)), tensor)


def _write_archive(
    write: Callable[[Any], Any], root: str, obj: Any, protocol: int, byteorder_record: bool
) -> None:
    """The whole file. The pickle comes first, so nothing is written if an object has none."""
    stream = io.BytesIO()
    pickler = _Pickler(stream, protocol)
    pickler.dump(obj)
    archive = ArchiveWriter(write, root)
    archive.record("data.pkl", stream.getbuffer())
    archive.record(".storage_alignment", str(ALIGNMENT).encode())
    if byteorder_record:
        archive.record("byteorder", sys.byteorder.encode())
    for key, (_, data) in pickler.storages.items():
        archive.record(f"data/{key}", data)
    archive.record("version", b"3\n")
    archive.record(".data/serialization_id", archive.identity.encode())
    archive.close()


def _write_legacy(write: Callable[[Any], Any], obj: Any, protocol: int) -> None:
    """The whole file, in the format before PyTorch 1.6."""
    stream = io.BytesIO()
    pickler = _Pickler(stream, protocol, identity_end=(None,))  # it is part of no other storage
    pickler.dump(obj)
    storages = {
        key: (tensor.element_size() if tensor.dtype.name in STORAGE_NAMES else 1, data)
        for key, (tensor, data) in pickler.storages.items()
    }
    write_legacy(write, stream.getbuffer(), storages, protocol)


# ---- file ----------------------------------------------------------------------------------------


def _sync_folder(folder: str) -> None:
    """Make a rename in a folder last; where folders cannot be opened there is nothing to do."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:  # a file system that does not sync folders
        pass
    finally:
        os.close(descriptor)


def _replace_file(path: str, fill: Callable[[Callable[[Any], Any]], None]) -> None:
    """Have ``fill`` write a new file and put it in the place of ``path``, all of it or nothing."""
    folder, name = os.path.split(path)
    folder = folder or "."
    if not os.path.isdir(folder):
        raise RuntimeError(f"save: the parent folder {folder!r} of {path!r} does not exist")
    temporary = os.path.join(folder, f".{name[:100]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            fill(file.write)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def _root_name(path: str) -> str:
    """The folder inside the archive: PyTorch takes the name of the file without its suffix."""
    stem = os.path.basename(path).rpartition(".")[0] or os.path.basename(path)
    return stem if stem.isascii() and "\\" not in stem else "archive"


def save_object(
    obj: Any, f: Writable, protocol: int, byteorder_record: bool, legacy: bool = False
) -> None:
    """``rushlight.save`` behind its checks of options."""

    def fill(write: Callable[[Any], Any]) -> None:
        if legacy:
            _write_legacy(write, obj, protocol)
        else:
            _write_archive(write, root, obj, protocol, byteorder_record)

    root = "archive"
    if not 2 <= protocol <= pickle.HIGHEST_PROTOCOL:
        raise ValueError(f"save: pickle_protocol must be 2 to 5, not {protocol}")
    if isinstance(f, (str, os.PathLike)):
        path = os.path.realpath(os.fspath(f))  # a link stays; what it points to is replaced
        root = _root_name(path)
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:  # a device or a pipe cannot be replaced
                fill(file.write)
        else:
            _replace_file(path, fill)
        return
    write = getattr(f, "write", None)
    if write is None:
        raise AttributeError(
            f"save: f must be a path or have a 'write' method, but is {type(f).__name__}; save "
            "takes the object first and the file second"
        )
    fill(write)
    flush = getattr(f, "flush", None)
    if flush is not None:
        flush()
