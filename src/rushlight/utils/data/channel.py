"""What goes between a loader and its workers: pickled objects, their tensors beside them.

Both ends hold a socket that keeps messages apart. Small messages go through it. The bytes of
larger ones go through a file in memory that has no name, so nothing stays behind when a process is
killed; the file descriptor is sent once, and the file is used again as soon as the other end has
read it. Tensors are read straight from it into memory of their own: copying into warm memory costs
less than mapping fresh pages, up to tens of megabytes, and gives a tensor like any other.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.multiprocessing.sharing import memory_file
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Channel", "ChannelClosed", "make_sockets"]

_INLINE = 2048  # bytes of a message that goes through the socket whole
_MESSAGE = 1 << 13  # more than a message through the socket can have
_STATE = 64  # bytes at the head of a file; the first says whether it waits to be read
_AT_ONCE = 512  # buffers per system call, below every system's limit


class ChannelClosed(Exception):
    """The other end is gone."""


def make_sockets() -> tuple[socket.socket, socket.socket]:
    """The two ends of a new connection."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


# ---- objects as bytes


class _Beside:
    """The data of tensors and arrays that a pickle leaves out."""

    def __init__(self) -> None:
        self.buffers: list[memoryview] = []
        self.kinds: list[tuple[int, str | None]] = []  # of each: numel and dtype, or its bytes
        self.next_kind: tuple[int, str | None] | None = None

    def keep(self, buffer: pickle.PickleBuffer) -> bool:
        """What pickle calls with each buffer; True leaves it in the pickle."""
        view = buffer.raw()
        if view.readonly:
            return True  # who unpickles it may count on bytes
        self.buffers.append(view)
        self.kinds.append(self.next_kind or (view.nbytes, None))
        self.next_kind = None
        return False


class _Pickler(pickle.Pickler):
    """Pickles tensors as (buffer, class, shape, ...)."""

    def __init__(self, file: io.BytesIO, beside: _Beside) -> None:
        super().__init__(file, protocol=5, buffer_callback=beside.keep)
        self._beside = beside

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, Tensor):
            return NotImplemented
        if not obj.is_leaf:
            raise RuntimeError(
                "DataLoader: a worker made a tensor with history, which cannot leave its process. "
                "Load under torch.no_grad(), or return tensor.detach()"
            )
        if obj._layout:
            return NotImplemented  # taken apart as pickle does it, and its parts come here
        values = obj.detach().contiguous()
        size = values.element_size()
        start = values.storage_offset() * size
        data = _core.storage_bytes(values)[start : start + values.numel() * size]
        buffer = _OutOfBand(self._beside, data, (values.numel(), obj.dtype.name))
        about = (type(obj), tuple(obj.shape), obj.requires_grad, dict(obj.__dict__) or None)
        return _tensor, (buffer, *about)


class _OutOfBand:
    """Pickles to one of the buffers beside the pickle."""

    __slots__ = ("beside", "data", "kind")

    def __init__(self, beside: _Beside, data: memoryview, kind: tuple[int, str]) -> None:
        self.beside = beside
        self.data = data
        self.kind = kind

    def __reduce_ex__(self, protocol: Any) -> tuple:
        self.beside.next_kind = self.kind
        return _same, (pickle.PickleBuffer(self.data),)


def _same(buffer: Any) -> Any:
    return buffer


def _tensor(
    flat: Tensor, kind: Any, shape: tuple[int, ...], requires_grad: bool, attributes: Any
) -> Tensor:
    result = _core.view(flat, shape)
    if kind is not Tensor:
        result = kind.__new__(kind, result)
    if requires_grad:
        result.requires_grad = True
    if attributes:
        result.__dict__.update(attributes)
    return result


def _empty(count: int, dtype: str | None) -> tuple[Any, memoryview]:
    """What a buffer is read into, and its bytes."""
    if dtype is None:
        raw = bytearray(count)
        return raw, memoryview(raw)
    flat = _core.empty((count,), getattr(_core, dtype))
    return flat, _core.storage_bytes(flat)


# ---- files


def _write(fd: int, parts: list[memoryview], at: int) -> None:
    """All bytes of the parts, one after the other; some systems write two gigabytes at most."""
    waiting = deque(part for part in parts if part.nbytes)
    while waiting:
        done = os.pwritev(fd, [waiting[i] for i in range(min(len(waiting), _AT_ONCE))], at)
        at += done
        _drop(waiting, done)


def _read(fd: int, parts: Iterable[memoryview], at: int) -> None:
    waiting = deque(part for part in parts if part.nbytes)
    while waiting:
        done = os.preadv(fd, [waiting[i] for i in range(min(len(waiting), _AT_ONCE))], at)
        if not done:
            raise EOFError("DataLoader: a batch in shared memory is shorter than announced")
        at += done
        _drop(waiting, done)


def _drop(waiting: deque[memoryview], done: int) -> None:
    while done:
        part = waiting.popleft()
        if part.nbytes > done:
            waiting.appendleft(part[done:])
            return
        done -= part.nbytes


class _Files:
    """Files that this end writes and the other reads: as many as wait to be read at one time."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}  # descriptor, which is also the number it goes by: bytes

    def put(self, parts: list[memoryview], total: int) -> tuple[int, bool]:
        """Writes a message; the file, and whether it is new to the other end."""
        fd = next((fd for fd in self._sizes if os.pread(fd, 1, 0) == b"\0"), None)
        new = fd is None
        if fd is None:
            fd = memory_file("rushlight-batch")
        elif self._sizes[fd] > 4 * total:
            os.ftruncate(fd, _STATE)  # one huge batch does not hold its memory for ever
            self._sizes[fd] = 0
        _write(fd, parts, _STATE)
        os.pwrite(fd, b"\1", 0)
        self._sizes[fd] = max(total, self._sizes.get(fd, 0))
        return fd, new

    def close(self) -> None:
        for fd in self._sizes:
            os.close(fd)
        self._sizes.clear()


# ---- the channel


class Channel:
    """One end of a connection, over one of `make_sockets()`."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._mine = _Files()
        self._theirs: dict[int, int] = {}  # number of a file at the other end: descriptor here
        self._unsent: deque[tuple[bytes, int | None]] = deque()

    def fileno(self) -> int:
        """The number of the socket with the system, for `selectors`."""
        return self.socket.fileno()

    def send(self, obj: Any) -> None:
        """Sends an object; waits while the other end does not keep up.

        Raises:
            ChannelClosed: if the other end is gone.
            Exception: what pickling the object raises; nothing is sent then.
        """
        self.post(obj)
        while self._unsent:
            self._send_first(0)

    def post(self, obj: Any) -> None:
        """Puts an object on its way; what does not fit now is sent by `flush`."""
        file = io.BytesIO()
        beside = _Beside()
        _Pickler(file, beside).dump(obj)
        body = file.getbuffer()
        parts = [body, *beside.buffers]
        total = sum(part.nbytes for part in parts)
        head = (body.nbytes, beside.kinds)
        if total <= _INLINE and len(beside.kinds) <= 16:
            message = pickle.dumps((-1, False, head, b"".join(parts)), 5)
            self._unsent.append((message, None))
            return
        # The table of many buffers is itself too much for a message.
        table = memoryview(pickle.dumps(head, 5))
        fd, new = self._mine.put([table, *parts], table.nbytes + total)
        message = pickle.dumps((fd, new, table.nbytes, None), 5)
        self._unsent.append((message, fd if new else None))

    def flush(self) -> bool:
        """Sends what can be sent without waiting; whether nothing is left."""
        while self._unsent:
            try:
                self._send_first(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
        return True

    def _send_first(self, flags: int) -> None:
        message, fd = self._unsent[0]
        try:
            if fd is None:
                self.socket.sendmsg([message], (), flags)
            else:
                socket.send_fds(self.socket, [message], [fd], flags)
        except (BrokenPipeError, ConnectionResetError):
            raise ChannelClosed from None
        self._unsent.popleft()

    def receive(self) -> Any:
        """The next object; waits for it.

        Raises:
            ChannelClosed: if there is none and the other end is gone.
            Exception: what unpickling the object raises.
        """
        try:
            message, fds, _, _ = socket.recv_fds(self.socket, _MESSAGE, 1)
        except ConnectionResetError:
            raise ChannelClosed from None
        if not message:
            raise ChannelClosed
        number, new, head, data = pickle.loads(message)
        if number < 0:
            size, kinds = head
            made, parts = _places(kinds)
            view = memoryview(data)
            at = size
            for part in parts:
                part[:] = view[at : at + part.nbytes]
                at += part.nbytes
            return pickle.loads(view[:size], buffers=made)
        if new:
            if not fds:
                raise RuntimeError(
                    "DataLoader: too many open files, a batch could not be received. Raise the "
                    "limit (ulimit -n), or use fewer workers or a smaller prefetch_factor"
                )
            self._theirs[number] = fds[0]
            os.set_inheritable(fds[0], False)
        fd = self._theirs[number]
        size, kinds = pickle.loads(os.pread(fd, head, _STATE))
        body = bytearray(size)
        made, parts = _places(kinds)
        _read(fd, [memoryview(body), *parts], _STATE + head)
        os.pwrite(fd, b"\0", 0)
        return pickle.loads(body, buffers=made)

    def close(self) -> None:
        """Closes this end: the other one receives what was sent, then ChannelClosed."""
        with suppress(OSError):  # also where forked processes hold the socket open
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._mine.close()
        for fd in self._theirs.values():
            os.close(fd)
        self._theirs.clear()


def _places(kinds: list[tuple[int, str | None]]) -> tuple[list[Any], list[memoryview]]:
    """What the buffers of a message are read into.

    The first list is given to pickle as its buffers, tensors among them: it hands them on as they
    are.
    """
    pairs = [_empty(count, dtype) for count, dtype in kinds]
    return [made for made, _ in pairs], [view for _, view in pairs]
