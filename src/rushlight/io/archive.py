"""The zip container of a saved file: records stored without compression, bytes at multiples of 64.

Only what PyTorch writes is read: no compression, no encryption, no archive in several parts.
Sizes and offsets are checked against the real length of the file before anything is allocated.
Layout of the structures: PKWARE's APPNOTE.TXT, 4.3; zip64 extensions: 4.5.3.
"""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ALIGNMENT", "ArchiveReader", "ArchiveWriter", "Record"]

ALIGNMENT = 64  # of the first byte of a record in the file; lets a mapped file be used in place

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")

_LOCAL_SIGN = b"PK\x03\x04"
_CENTRAL_SIGN = b"PK\x01\x02"
_END_SIGN = b"PK\x05\x06"
_END64_SIGN = b"PK\x06\x06"
_LOCATOR64_SIGN = b"PK\x06\x07"

_UTF8_NAMES = 0x0800
_ENCRYPTED = 0x0001
_DATE = 0x0021  # 1 January 1980: the same object gives the same file
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF  # "see the 64-bit field"
_LARGE = _MAX32  # from here on sizes and offsets are written to 64-bit fields
_CHUNK = 1 << 24


# ---- writing -------------------------------------------------------------------------------------


class ArchiveWriter:
    """Writes records one after the other; the output need not be seekable.

    Args:
        write: takes bytes and writes all of them or, like a raw file, returns how many it took.
        root: the folder inside the archive that all records lie in.
    """

    def __init__(self, write: Callable[[Any], Any], root: str) -> None:
        self._write_some = write
        self._root = root
        self._position = 0
        self._directory: list[bytes] = []
        self._checksum = 0
        self._names = 0

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data).cast("B")
        self._position += view.nbytes
        while view.nbytes:
            written = self._write_some(view)
            if not isinstance(written, int) or written >= view.nbytes:
                return
            view = view[written:]

    def record(self, name: str, data: bytes | memoryview) -> None:
        """Append one record."""
        path = f"{self._root}/{name}".encode()
        size = memoryview(data).nbytes
        checksum = zlib.crc32(data)
        offset = self._position
        large = size >= _LARGE
        extra = struct.pack("<2H2Q", 1, 16, size, size) if large else b""
        unpadded = offset + _LOCAL.size + len(path) + len(extra) + 4
        padding = -unpadded % ALIGNMENT
        extra += struct.pack("<2sH", b"FB", padding) + b"Z" * padding
        shown = _MAX32 if large else size
        version = 45 if large or offset >= _LARGE else 20
        common = (version, _UTF8_NAMES, 0, 0, _DATE, checksum, shown, shown, len(path))
        self._write(_LOCAL.pack(_LOCAL_SIGN, *common, len(extra)) + path + extra)
        self._write(data)

        wide = [size, size] if large else []
        if offset >= _LARGE:
            wide.append(offset)
        extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        entry = (version, *common, len(extra), 0, 0, 0, 0, _MAX32 if offset >= _LARGE else offset)
        self._directory.append(_CENTRAL.pack(_CENTRAL_SIGN, *entry) + path + extra)
        self._names = zlib.crc32(path, self._names)
        self._checksum = zlib.crc32(struct.pack("<I", checksum), self._checksum)

    @property
    def identity(self) -> str:
        """40 digits that depend on the names and the contents of the records so far."""
        return f"{self._names:020d}{self._checksum:020d}"

    def close(self) -> None:
        """Write the directory; the archive is not readable before."""
        start = self._position
        directory = b"".join(self._directory)
        self._write(directory)
        count, size = len(self._directory), len(directory)
        if count >= _MAX16 or start >= _LARGE or size >= _LARGE:
            end64 = self._position
            places = (0, 0, count, count, size, start)
            self._write(_END64.pack(_END64_SIGN, _END64.size - 12, 45, 45, *places))
            self._write(_LOCATOR64.pack(_LOCATOR64_SIGN, 0, end64, 1))
            count, size, start = min(count, _MAX16), min(size, _MAX32), _MAX32
        self._write(_END.pack(_END_SIGN, 0, 0, count, count, size, start, 0))


# ---- reading -------------------------------------------------------------------------------------


class Record(NamedTuple):
    """Where a record lies, by the directory of the archive."""

    name: str
    header: int  # offset of its local header
    size: int
    checksum: int
    limit: int  # offset that it must end at, at the latest


class ArchiveReader:
    """Reads the directory of an archive at once and its records on demand.

    Args:
        file: a binary file with ``read`` and ``seek``.

    Raises:
        RuntimeError: the archive is truncated, damaged or uses what PyTorch does not.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        file.seek(0, 2)
        self._length = file.tell()
        self._records: dict[str, Record] = {}
        try:
            self._read_directory()
        except (struct.error, UnicodeDecodeError) as error:
            raise self._damaged(f"its directory cannot be read ({error})") from error
        self.root = next(iter(self._records), "").partition("/")[0]

    def _damaged(self, why: str) -> RuntimeError:
        return RuntimeError(
            f"load: the file ({self._length} bytes) is truncated or damaged: {why}; copy or "
            "download it again"
        )

    def _read_at(self, offset: int, size: int) -> bytes:
        if offset < 0 or size < 0 or offset + size > self._length:
            raise self._damaged(f"bytes {offset} to {offset + size} do not exist")
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            raise self._damaged(f"only {len(data)} of {size} bytes at {offset} can be read")
        return data

    def _find_directory(self) -> tuple[int, int, int]:
        """(offset, size, number of entries) of the directory."""
        tail_start = max(0, self._length - _END.size - _MAX16)
        tail = self._read_at(tail_start, self._length - tail_start)
        place = tail.rfind(_END_SIGN)
        while place >= 0:
            if len(tail) - place >= _END.size:
                end = _END.unpack_from(tail, place)
                if place + _END.size + end[7] == len(tail):
                    break
            place = tail.rfind(_END_SIGN, 0, place)
        else:
            raise self._damaged("the directory at its end is missing")
        _, disk, start_disk, here, count, size, offset, _ = end
        if disk or start_disk or here != count:
            raise self._damaged("it is a part of a divided archive")
        if count == _MAX16 or _MAX32 in (size, offset):
            locator = self._read_at(tail_start + place - _LOCATOR64.size, _LOCATOR64.size)
            sign, _, end64, _ = _LOCATOR64.unpack(locator)
            if sign != _LOCATOR64_SIGN:
                raise self._damaged("the 64-bit directory is missing")
            fields = _END64.unpack(self._read_at(end64, _END64.size))
            if fields[0] != _END64_SIGN:
                raise self._damaged("the 64-bit directory is missing")
            count, size, offset = fields[7], fields[8], fields[9]
        return offset, size, count

    def _read_directory(self) -> None:
        start, size, count = self._find_directory()
        directory = self._read_at(start, size)
        position = 0
        found: list[Record] = []
        for _ in range(count):
            fields = _CENTRAL.unpack_from(directory, position)
            sign, _, _, flags, method, _, _, checksum, packed, plain = fields[:10]
            name_size, extra_size, comment_size, _, _, _, header = fields[10:]
            if sign != _CENTRAL_SIGN:
                raise self._damaged("its directory is not one")
            position += _CENTRAL.size
            raw_name = directory[position : position + name_size]
            name = raw_name.decode()
            position += name_size
            extra = directory[position : position + extra_size]
            position += extra_size + comment_size
            plain, packed, header = self._wide(extra, plain, packed, header)
            if flags & _ENCRYPTED or method or plain != packed:
                raise RuntimeError(
                    f"load: record {name!r} is compressed or encrypted; PyTorch's files store "
                    "records as they are: unpack the archive and zip it again without compression"
                )
            least = header + _LOCAL.size + name_size + plain
            if least > start:
                raise self._damaged(f"record {name!r} reaches into the directory")
            found.append(Record(name, header, plain, checksum, start))
        found_by_place = sorted(found, key=lambda record: record.header)
        limits: dict[str, int] = {}
        for record, after in pairwise(found_by_place):
            if record.header + _LOCAL.size + record.size > after.header:
                raise self._damaged(f"records {record.name!r} and {after.name!r} overlap")
            limits[record.name] = after.header
        for record in found:
            if record.name in self._records:
                raise self._damaged(f"there are two records {record.name!r}")
            limit = limits.get(record.name, start)
            self._records[record.name] = record._replace(limit=limit)

    def _wide(self, extra: bytes, *values: int) -> list[int]:
        """Sizes and offset, with those that did not fit 32 bits taken from the zip64 field."""
        wide = list(values)
        missing = [i for i, value in enumerate(values) if value == _MAX32]
        position = 0
        while missing and position + 4 <= len(extra):
            kind, size = struct.unpack_from("<2H", extra, position)
            position += 4
            if kind == 1:
                if size < 8 * len(missing):
                    raise self._damaged("a 64-bit size is missing in its directory")
                found = struct.unpack_from(f"<{len(missing)}Q", extra, position)
                for i, value in zip(missing, found, strict=True):
                    wide[i] = value
                break
            position += size
        return wide

    def __contains__(self, name: str) -> bool:
        return f"{self.root}/{name}" in self._records

    def find(self, name: str) -> Record:
        """The record of this name below the root; RuntimeError if there is none."""
        record = self._records.get(f"{self.root}/{name}")
        if record is None:
            raise RuntimeError(f"load: the file has no record {name!r} below {self.root!r}")
        return record

    def place(self, record: Record) -> int:
        """Offset of the first byte of a record's data."""
        header = _LOCAL.unpack(self._read_at(record.header, _LOCAL.size))
        name = self._read_at(record.header + _LOCAL.size, header[9])
        start = record.header + _LOCAL.size + header[9] + header[10]
        if header[0] != _LOCAL_SIGN or name != record.name.encode():
            raise self._damaged(f"the header of record {record.name!r} is not there")
        if start + record.size > record.limit:
            raise self._damaged(f"record {record.name!r} is cut off")
        return start

    def read(self, name: str) -> bytes:
        """The verified bytes of a small record."""
        record = self.find(name)
        data = self._read_at(self.place(record), record.size)
        self._verify(record, zlib.crc32(data))
        return data

    def read_into(self, record: Record, memory: memoryview, purpose: Callable[[], str]) -> None:
        """Read and verify a record straight into memory of its size.

        ``purpose`` is called for an error, to say what the bytes are for.
        """
        start = self.place(record)
        self._file.seek(start)
        checksum = 0
        position = 0
        while position < record.size:
            part = memory[position : position + _CHUNK]
            if hasattr(self._file, "readinto"):
                got = self._file.readinto(part) or 0
            else:
                data = self._file.read(part.nbytes)
                got = len(data)
                part[:got] = data
            if not got:
                raise self._damaged(f"record {record.name!r} ends after {position} bytes")
            checksum = zlib.crc32(part[:got], checksum)
            position += got
        self._verify(record, checksum, purpose)

    def verify(self) -> None:
        """Read all records, and compare each with its checksum."""
        for record in self._records.values():
            start = self.place(record)
            checksum = 0
            for position in range(0, record.size, _CHUNK):
                size = min(_CHUNK, record.size - position)
                checksum = zlib.crc32(self._read_at(start + position, size), checksum)
            self._verify(record, checksum)

    def _verify(
        self, record: Record, checksum: int, purpose: Callable[[], str] = lambda: ""
    ) -> None:
        if checksum != record.checksum:
            raise RuntimeError(
                f"load: record {record.name!r}{purpose()} does not match its checksum "
                f"({checksum:08x} instead of {record.checksum:08x}): the file is damaged; copy or "
                "download it again"
            )
