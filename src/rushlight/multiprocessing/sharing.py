"""Tensors in shared memory, and how they are sent to another process.

Shared memory is a file in memory that has no name: it goes by descriptors, and is gone when the
last process that holds one is, killed or not.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import rushlight
from rushlight import _core
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["is_shared", "memory_file", "register", "share_memory"]


def memory_file(name: str) -> int:
    """The descriptor of a new file in memory; `name` is for people who look into /proc."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class _Segment(mmap.mmap):
    """Mapped shared memory that knows its descriptor."""

    fd: int

    def __del__(self) -> None:
        os.close(self.fd)


# Storages in shared memory: number of the storage -> its segment. The storage holds the segment.
_segments: WeakValueDictionary[int, _Segment] = WeakValueDictionary()
# Segments that are mapped here: (device, inode) -> segment.
_mapped: WeakValueDictionary[tuple[int, int], _Segment] = WeakValueDictionary()


def _map(fd: int) -> _Segment:
    """The segment of a descriptor, which is closed with it."""
    status = os.fstat(fd)
    key = status.st_dev, status.st_ino
    segment = _mapped.get(key)
    if segment is not None:
        os.close(fd)
        return segment
    segment = _Segment(fd, status.st_size)
    segment.fd = fd
    _mapped[key] = segment
    return segment


def _storage_on(segment: _Segment, dtype: Any) -> Tensor:
    """A new storage in a segment, as the flat tensor of it."""
    flat = rushlight.frombuffer(segment, dtype=dtype)
    _segments[_core.storage_id(flat)] = segment
    return flat


def _placed(flat: Tensor, like: Any) -> Tensor:
    """A tensor on a storage with (shape, strides, offset)."""
    shape, strides, offset = like
    with rushlight.no_grad():
        return flat.as_strided(shape, strides, offset).data


def _place_of(tensor: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    return tuple(tensor.shape), tuple(tensor.stride()), tensor.storage_offset()


def is_shared(tensor: Tensor) -> bool:
    """Whether the memory of the tensor is seen by other processes that it was sent to."""
    return _core.storage_id(tensor) in _segments


def share_memory(tensor: Tensor) -> Tensor:
    """Moves the memory of a tensor, in place, to where processes can share it.

    Other tensors on the same memory stay where it was.
    """
    if tensor._layout:
        raise NotImplementedError(
            f"share_memory_: a tensor of layout {tensor.layout}; share its indices and values"
        )
    if is_shared(tensor) or not tensor.numel():
        return tensor
    values = tensor.detach()
    memory = _core.storage_bytes(values)
    fd = memory_file("rushlight-tensor")
    at = 0
    while at < memory.nbytes:
        at += os.pwrite(fd, memory[at:], at)
    # A storage may end within an element of another dtype that is viewed in it.
    size = values.element_size()
    os.ftruncate(fd, memory.nbytes - memory.nbytes % size)
    tensor._set_array(_placed(_storage_on(_map(fd), tensor.dtype), _place_of(values)))
    return tensor


# ---- sending


def register() -> None:
    """Has `multiprocessing` send tensors by their shared memory."""
    from multiprocessing.reduction import ForkingPickler
    from multiprocessing.util import register_after_fork

    register_after_fork(_Segment, _stay_until_fetched)
    _stay_until_fetched()
    for kind in (Tensor, rushlight.nn.Parameter, rushlight.nn.Buffer):
        ForkingPickler.register(kind, _reduce)


def _reduce(tensor: Tensor) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    if not tensor.is_leaf:
        raise RuntimeError(
            "A tensor with history (requires_grad, and not a leaf) cannot be sent to another "
            "process, since the graph stays in this one. Send tensor.detach()"
        )
    if not tensor.numel() or tensor._layout:  # of a sparse one the parts are sent so
        return tensor.__reduce_ex__(5)[:2]
    from multiprocessing.reduction import DupFd

    share_memory(tensor)
    segment = _segments[_core.storage_id(tensor)]
    return _rebuild, (
        type(tensor),
        DupFd(segment.fd),
        tensor.dtype.name,
        _place_of(tensor),
        tensor.requires_grad,
        dict(tensor.__dict__),
    )


def _stay_until_fetched(_: Any = None) -> None:
    """Has this worker process, when it ends, wait a little for those it has sent tensors to.

    A descriptor is fetched from its sender: one that has already ended would leave only an error.
    """
    from multiprocessing.util import Finalize

    behind_the_threads_of_queues = -100
    Finalize(None, _wait_for_fetches, exitpriority=behind_the_threads_of_queues)


def _wait_for_fetches(seconds: float = 5.0) -> None:
    import multiprocessing
    import time

    resource_sharer = sys.modules.get("multiprocessing.resource_sharer")
    sharer: Any = getattr(resource_sharer, "_resource_sharer", None)
    if getattr(sharer, "_address", None) is None or multiprocessing.parent_process() is None:
        return  # nothing was sent, or this is the main process
    waiting = sharer._cache
    end = time.monotonic() + seconds
    while waiting and time.monotonic() < end:
        time.sleep(0.005)
    sharer.stop(timeout=1)  # when it has sent what it has begun to send


def _rebuild(
    kind: Any, descriptor: Any, dtype: str, place: Any, requires_grad: bool, attributes: dict
) -> Tensor:
    segment = _map(descriptor.detach())
    result = _placed(_storage_on(segment, getattr(_core, dtype)), place)
    if kind is not Tensor:
        result = kind.__new__(kind, result)
    result.requires_grad = requires_grad
    result.__dict__.update(attributes)
    return result
