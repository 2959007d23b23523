"""Files as PyTorch wrote them before 1.6, and as it still writes storages into plain pickles.

Pickles follow each other: a number that tells the format, its version, facts about the machine, the
object, and the keys of its storages. Then come the storages in that order, each as a count of
elements in 8 bytes and the elements, in little endian. How large an element is stands in the pickle
of the object alone, so it is read twice: for the places of its storages, then for itself. Nothing
has a checksum.
"""

from __future__ import annotations

import io
import mmap
import pickle
import sys
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from rushlight.io.rebuild import Rebuilder
from rushlight.io.storages import empty_storage, storage_bytes, storage_types, swap_bytes
from rushlight.io.unpickler import RestrictedUnpickler

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.io.storages import StorageType
    from rushlight.tensor import Tensor

__all__ = ["is_legacy", "load_legacy", "write_legacy"]

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_COUNT = 8  # bytes of the number of elements before a storage


def is_legacy(head: bytes) -> bool:
    """Whether a file that begins so is in this format."""
    return head[:1] == pickle.PROTO and pickle.dumps(_MAGIC, 2)[2:] in head[:32]


# ---- the first reading ---------------------------------------------------------------------------


class _Inert:
    """Stands for anything that a pickle names or makes, and takes what is done to it."""

    name = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, value: Any) -> None:
        """Takes an item."""

    def extend(self, values: Any) -> None:
        """Takes items."""


# That in C would reserve memory for as many objects as a damaged file asks for.
_PythonUnpickler: Any = pickle._Unpickler  # type: ignore[attr-defined]


class _Scanner(_PythonUnpickler):
    """Reads a pickle for the storages that it names; nothing is imported, and nothing is run."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream, encoding="latin1")
        self.identities: list[Any] = []

    def find_class(self, module: str, name: str) -> Any:
        return type("_Inert", (_Inert,), {"name": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Any:
        if type(pid) is tuple and pid[:1] == ("module",):
            return pid[1]
        self.identities.append(pid)
        return _Inert()


class _File:
    """A whole file: how far its pickles were read, and where its storages are."""

    def __init__(self, file: Any) -> None:
        try:
            self.stream: Any = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self.data: Any = self.stream
        except (AttributeError, OSError, ValueError):  # no file of the system
            file.seek(0)
            self.data = file.read()
            self.stream = io.BytesIO(self.data)
        self.start = 0  # of the pickle of the object
        self._places: dict[str, tuple[int, int]] = {}  # key: offset in the file and bytes

    def scan(self) -> None:
        """Finds out where everything is. Raises UnpicklingError for a damaged file."""
        try:
            self._plain()
            version = self._plain()
            if version != _VERSION:
                raise UnpicklingError(f"it has the version {version!r}")
            self._plain()
            self.start = self.stream.tell()
            scanner = _Scanner(self.stream)
            scanner.load()
            self._place(scanner.identities, self._plain())
        except Exception as error:  # the unpickler of Python raises what it stumbles over
            raise UnpicklingError(
                f"load: the file, in the format before PyTorch 1.6, is damaged: {error}"
            ) from error

    def _plain(self) -> Any:
        """The object of the next pickle, which is made of nothing but plain data."""
        return _Scanner(self.stream).load()

    def _place(self, identities: list[Any], keys: Any) -> None:
        kinds = storage_types()
        sizes: dict[str, tuple[int, int]] = {}
        for identity in identities:
            if type(identity) is tuple and len(identity) == 6 and identity[0] == "storage":
                kind = kinds[identity[1].name]
                sizes[identity[2]] = identity[4], kind.dtype.itemsize
        end = self.stream.tell()
        if type(keys) is not list or {*keys} != sizes.keys() or len(keys) != len(sizes):
            raise UnpicklingError("its storages are not those of the object")
        for key in keys:
            numel, size = sizes[key]
            start = end + _COUNT
            end = start + numel * size
            if end > len(self.data):
                raise UnpicklingError(f"it ends within storage {key!r}")
            if int.from_bytes(self.data[start - _COUNT : start], "little") != numel:
                raise UnpicklingError(f"storage {key!r} has not the {numel} elements it should")
            self._places[key] = start, numel * size

    def storage(self, key: str, kind: StorageType, numel: int) -> Tensor:
        """The flat tensor of a storage."""
        start, nbytes = self._places[key]
        flat = empty_storage(numel, kind.dtype)
        memory = storage_bytes(flat)[:nbytes]
        memory[:] = memoryview(self.data)[start : start + nbytes]
        if sys.byteorder != "little":
            swap_bytes(memory, kind.dtype)
        return flat


# ---- the second ----------------------------------------------------------------------------------


class _Rebuilder(Rebuilder):
    """Knows persistent identities of this format."""

    def storage(self, identity: Any) -> Any:
        """A storage; or the class of a module, which stands beside its source code in the file."""
        if type(identity) is tuple and identity[:1] == ("module",) and len(identity) == 4:
            return identity[1]
        if type(identity) is not tuple or len(identity) != 6 or identity[5] is not None:
            raise UnpicklingError("a storage is part of another, as only PyTorch before 0.4 wrote")
        return super().storage(identity[:5])


def load_legacy(
    file: Any,
    place: Callable[[Tensor, str], Tensor],
    trusting: Callable[[Any, Rebuilder], Any] | None,
) -> Any:
    """The object in a file of this format.

    Args:
        file: binary, at any position.
        place: (flat tensor, location in the file) -> flat tensor where it should be.
        trusting: makes an unpickler that runs what the file says of a stream and a rebuilder; None
            to run nothing.
    """
    contents = _File(file)
    contents.scan()
    rebuilder = _Rebuilder(
        lambda key, kind, numel, location: place(contents.storage(key, kind, numel), location)
    )
    if trusting is None:
        machine = RestrictedUnpickler(
            contents.data, rebuilder.names(), rebuilder.storage, contents.start
        )
        return machine.load()
    contents.stream.seek(contents.start)
    return trusting(contents.stream, rebuilder).load()


# ---- writing -------------------------------------------------------------------------------------


def write_legacy(
    write: Callable[[Any], Any], pickled: Any, storages: dict[str, tuple[int, Any]], protocol: int
) -> None:
    """A file of this format.

    Args:
        write: takes the bytes.
        pickled: the pickle of the object.
        storages: key of a storage -> (the size of an element, its bytes).
        protocol: of the other pickles.
    """
    facts = {
        "protocol_version": _VERSION,
        "little_endian": sys.byteorder == "little",
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    for head in (_MAGIC, _VERSION, facts):
        write(pickle.dumps(head, protocol))
    write(pickled)
    write(pickle.dumps(list(storages), protocol))
    for size, data in storages.values():
        write((data.nbytes // size).to_bytes(_COUNT, "little"))
        write(data)
