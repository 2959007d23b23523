"""Reading: opens the archive, reads its storages and has the pickle put together."""

from __future__ import annotations

import io
import mmap as memory_map
import os
import pickle
import sys
import warnings
from typing import TYPE_CHECKING, Any, Protocol

import rushlight
from rushlight import _core
from rushlight.dtypes import META
from rushlight.io.archive import ArchiveReader
from rushlight.io.class_names import find
from rushlight.io.legacy import is_legacy, load_legacy
from rushlight.io.rebuild import Rebuilder
from rushlight.io.storages import (
    UNTYPED_STORAGE,
    StorageType,
    empty_storage,
    mapped_storage,
    storage_bytes,
    swap_bytes,
)
from rushlight.io.unpickler import RestrictedUnpickler
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    class _ByteSource(Protocol):
        def read(self, size: int = ..., /) -> bytes: ...
        def seek(self, offset: int, whence: int = ..., /) -> Any: ...

    Readable = str | os.PathLike[str] | _ByteSource

__all__ = ["load_object"]

_HEAD = 32  # bytes that tell what a file is


# ---- devices -------------------------------------------------------------------------------------


def _is_meta(location: Any, given: bool) -> bool:
    """Whether a location is the meta device. RuntimeError for another one than that or the CPU."""
    name = str(getattr(location, "type", location))
    if name.partition(":")[0] in ("cpu", "meta"):
        return name.startswith("meta")
    if given:
        raise RuntimeError(f"load: map_location gives {name!r}, but rushlight has the CPU only")
    raise RuntimeError(
        f"load: the file has tensors of device {name!r}, but rushlight has the CPU only; pass "
        'map_location="cpu"'
    )


def _placer(map_location: Any) -> Callable[[Tensor, str], Tensor]:
    """The function (flat tensor, location in the file) -> flat tensor where it should be."""
    if callable(map_location) and not isinstance(map_location, rushlight.device):

        def place(flat: Tensor, location: str) -> Tensor:
            answer = map_location(flat, location)
            if answer is None:
                return _placed(flat, _is_meta(location, given=False))
            if not isinstance(answer, Tensor) or answer.numel() != flat.numel():
                raise RuntimeError(
                    "load: map_location returned "
                    f"{type(answer).__name__}; it must return the storage it was given, or None"
                )
            return answer

        return place

    def place_by_name(flat: Tensor, location: str) -> Tensor:
        if map_location is None:
            return _placed(flat, _is_meta(location, given=False))
        if isinstance(map_location, dict):
            wanted = map_location.get(location, location)
            return _placed(flat, _is_meta(wanted, given=location in map_location))
        return _placed(flat, _is_meta(map_location, given=True))

    return place_by_name


def _placed(flat: Tensor, on_meta: bool) -> Tensor:
    return _core.placed(flat, META) if on_meta else flat


# ---- storages ------------------------------------------------------------------------------------


class _Loader:
    """The storages of one archive, read as the pickle asks for them."""

    def __init__(
        self, archive: ArchiveReader, map_location: Any, mapping: memory_map.mmap | None
    ) -> None:
        self._archive = archive
        self._place = _placer(map_location)
        self._mapping = mapping
        # Then nothing is read.
        self._on_meta = isinstance(map_location, (str, rushlight.device)) and _is_meta(
            map_location, given=True
        )
        self.where: Callable[[], str] = lambda: ""
        order = archive.read("byteorder") if "byteorder" in archive else b"little"
        if order not in (b"little", b"big"):
            raise ValueError(f"load: the byte order of the file, {order!r}, is not known")
        self._foreign = order.decode() != sys.byteorder

    def read_storage(self, key: str, kind: StorageType, numel: int, location: str) -> Tensor:
        """The flat tensor of the storage of this key, filled with its bytes."""
        record = self._archive.find(f"data/{key}")
        size = empty_storage(0, kind.dtype).element_size()
        if record.size != numel * size:
            raise pickle.UnpicklingError(
                f"record {record.name!r} has {record.size} bytes, but {numel} elements of "
                f"{kind.dtype} take {numel * size}: the file is damaged or malicious"
            )
        if self._on_meta:
            return _core.empty((numel,), kind.dtype, META)
        if not numel:
            return self._place(empty_storage(0, kind.dtype), location)
        untyped = kind.name == UNTYPED_STORAGE
        if untyped and self._foreign:
            raise pickle.UnpicklingError(
                f"record {record.name!r} has the byte order of another machine, and its type does "
                "not say what to turn round"
            )
        if self._mapping is not None and not self._foreign:
            start = self._archive.place(record)
            if start % (8 if untyped else size) == 0:
                return self._place(
                    mapped_storage(self._mapping, start, numel, kind.dtype), location
                )
        flat = empty_storage(numel, kind.dtype)
        memory = storage_bytes(flat)[: record.size]
        self._archive.read_into(record, memory, self._about)
        if self._foreign:
            swap_bytes(memory, kind.dtype)
        return self._place(flat, location)


    def _about(self) -> str:
        path = self.where()
        return f" (tensor {path!r} or near it)" if path else ""


class _TrustingUnpickler(pickle.Unpickler):
    """Runs whatever the pickle says; PyTorch's names lead to this package's objects."""

    def __init__(self, stream: Any, rebuilder: Rebuilder, arguments: dict[str, Any]) -> None:
        super().__init__(stream, **arguments)
        self._rebuilder = rebuilder
        self._names = rebuilder.names()

    def persistent_load(self, pid: Any) -> Any:
        return self._rebuilder.storage(pid)

    def find_class(self, module: str, name: str) -> Any:
        known = self._names.get(f"{module}.{name}")
        if known is not None:
            return known[0]
        if module == "torch" or module.startswith("torch."):
            return find(module, name)
        return super().find_class(module, name)


# ---- file ----------------------------------------------------------------------------------------


def _check_kind(head: bytes, name: str) -> None:
    """A helpful error for files that are no zip archive at all."""
    if head.startswith(b"PK\x03\x04"):
        return
    if not head:
        raise EOFError(f"load: {name} is empty")
    if is_legacy(head):
        raise pickle.UnpicklingError(
            f"verify: {name} is in the format that PyTorch wrote before 1.6, which has no checksums"
        )
    raise pickle.UnpicklingError(
        f"load: {name} is not a file that save wrote: it begins with {head[:8]!r} instead of the "
        "signature of a zip archive"
    )


def _head(file: Any, name: str) -> bytes:
    """How a file begins."""
    file.seek(0)
    head = file.read(_HEAD)
    if not isinstance(head, bytes):
        raise TypeError(f"load: {name} gives {type(head).__name__}; open it in binary mode ('rb')")
    return head


def _open_archive(file: Any, name: str) -> ArchiveReader:
    """The directory of a file, if save or PyTorch wrote it."""
    _check_kind(_head(file, name), name)
    archive = ArchiveReader(file)
    if "constants.pkl" in archive:
        raise RuntimeError(
            f"load: {name} is a TorchScript archive; load it with torch.jit.load and save its "
            "state_dict()"
        )
    if "data.pkl" not in archive:
        raise RuntimeError(
            f"load: {name} is a zip archive, but has no record data.pkl: save did not write it"
        )
    return archive


def _load_opened(
    file: Any,
    name: str,
    map_location: Any,
    weights_only: bool,
    mmap: bool,
    pickle_load_args: dict[str, Any],
) -> Any:
    def trusting(stream: Any, rebuilder: Rebuilder) -> _TrustingUnpickler:
        return _TrustingUnpickler(stream, rebuilder, pickle_load_args)

    if is_legacy(_head(file, name)):
        if mmap:
            raise RuntimeError(
                f"load: {name} is in the format that PyTorch wrote before 1.6, whose storages are "
                "not aligned: load it without mmap, and save it for a file that can be mapped"
            )
        return load_legacy(file, _placer(map_location), None if weights_only else trusting)
    archive = _open_archive(file, name)
    mapping = None
    if mmap:
        mapping = memory_map.mmap(file.fileno(), 0, access=memory_map.ACCESS_COPY)
    loader = _Loader(archive, map_location, mapping)
    rebuilder = Rebuilder(loader.read_storage)
    data = archive.read("data.pkl")
    if not weights_only:
        return trusting(io.BytesIO(data), rebuilder).load()
    machine = RestrictedUnpickler(data, rebuilder.names(), rebuilder.storage)
    loader.where = machine.path
    return machine.load()


def verify_file(f: Readable) -> None:
    """``rushlight.io.verify``."""
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            _open_archive(file, repr(os.fspath(f))).verify()
    else:
        _open_archive(f, "the file").verify()


def load_object(
    f: Readable,
    map_location: Any,
    *,
    weights_only: bool,
    mmap: bool,
    pickle_load_args: dict[str, Any],
) -> Any:
    """``rushlight.load`` behind its checks of options."""
    if weights_only and pickle_load_args:
        warnings.warn(
            f"load: {', '.join(pickle_load_args)} only matters with weights_only=False",
            stacklevel=3,
        )
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            name = repr(os.fspath(f))
            return _load_opened(file, name, map_location, weights_only, mmap, pickle_load_args)
    if mmap:
        raise ValueError("load: mmap=True needs a path, not an open file")
    missing = [method for method in ("read", "seek", "tell") if not hasattr(f, method)]
    if missing:
        raise AttributeError(
            f"load: f must be a path or a binary file that can seek; {type(f).__name__} has no "
            f"{missing[0]!r}: read it into io.BytesIO first"
        )
    return _load_opened(f, "the file", map_location, weights_only, mmap, pickle_load_args)
