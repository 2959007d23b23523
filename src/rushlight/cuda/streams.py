"""Streams, events and devices of CUDA: names for annotations and `isinstance`; there are none."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NoReturn

from rushlight.dtypes import check_device

__all__ = [
    "CUDAGraph",
    "Event",
    "ExternalStream",
    "OutOfMemoryError",
    "Stream",
    "StreamContext",
    "current_stream",
    "default_generators",
    "default_stream",
    "graph",
    "device",
    "device_of",
    "get_rng_state",
    "init",
    "initial_seed",
    "ipc_collect",
    "is_current_stream_capturing",
    "is_tf32_supported",
    "max_memory_cached",
    "mem_get_info",
    "memory_cached",
    "memory_stats",
    "reset_max_memory_allocated",
    "reset_max_memory_cached",
    "set_per_process_memory_fraction",
    "set_rng_state",
    "set_stream",
    "stream",
]

default_generators: tuple = ()


class OutOfMemoryError(RuntimeError):
    """For `except`: the memory of a device is full. The CPU's gives MemoryError."""


def _no_device(name: str) -> NoReturn:
    raise RuntimeError(
        f"torch.cuda.{name} requires CUDA support, and rushlight runs on the CPU alone. Guard it "
        "with torch.cuda.is_available(), which is False here"
    )


class Stream:
    """Raises RuntimeError when it is made: there is no CUDA device."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_device(type(self).__name__)


class ExternalStream(Stream):
    """Raises RuntimeError when it is made: there is no CUDA device."""


class Event:
    """Raises RuntimeError when it is made: there is no CUDA device."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_device("Event")


class CUDAGraph:
    """Raises RuntimeError when it is made: there is no CUDA device."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_device("CUDAGraph")


class graph:
    """Raises RuntimeError when it is made: there is no CUDA device."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_device("graph")


class device:
    """A block on a device: RuntimeError where it is entered, but for a negative number (none)."""

    def __init__(self, device: Any) -> None:
        self.idx = device if isinstance(device, int) else getattr(device, "index", device)

    def __enter__(self) -> None:
        if not isinstance(self.idx, int) or self.idx >= 0:
            _no_device("device")

    def __exit__(self, *exception: object) -> None:
        pass


class device_of(device):
    """A block on the device of a tensor: a tensor on the CPU is on none, and nothing is done."""

    def __init__(self, obj: Any) -> None:
        super().__init__(obj.get_device() if getattr(obj, "is_cuda", False) else -1)


class StreamContext:
    """A block on a stream: None is the only one, and nothing is done."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: object) -> None:
        return None


def stream(stream: Any) -> StreamContext:
    """A block on a stream: None is the only one, and nothing is done."""
    return StreamContext(stream)


def set_stream(stream: Any) -> None:
    """Nothing to set for None, the only stream there is."""


def current_stream(device: Any = None) -> Any:
    """Raises RuntimeError: there is no CUDA device."""
    return check_device("cuda")


def default_stream(device: Any = None) -> Any:
    """Raises RuntimeError: there is no CUDA device."""
    return check_device("cuda")


def is_current_stream_capturing() -> bool:
    """False: there are no graphs."""
    return False


def init() -> None:
    """Raises RuntimeError: there is no CUDA device."""
    check_device("cuda")


def ipc_collect() -> None:
    """Raises RuntimeError: there is no CUDA device."""
    check_device("cuda")


def initial_seed() -> Any:
    """Raises RuntimeError: there is no CUDA device."""
    return check_device("cuda")


def get_rng_state(device: Any = "cuda") -> Any:
    """Raises RuntimeError: there is no CUDA device."""
    return check_device("cuda")


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Nothing is set: PyTorch keeps it for the time when there is a device."""


def mem_get_info(device: Any = None) -> Any:
    """Raises RuntimeError: there is no CUDA device."""
    return check_device("cuda")


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Raises RuntimeError: there is no CUDA device."""
    check_device("cuda")


def memory_stats(device: Any = None) -> OrderedDict[str, Any]:
    """No statistics."""
    return OrderedDict()


def max_memory_cached(device: Any = None) -> int:
    """0."""
    return 0


def memory_cached(device: Any = None) -> int:
    """0."""
    return 0


def reset_max_memory_allocated(device: Any = None) -> None:
    """Nothing to reset."""


def reset_max_memory_cached(device: Any = None) -> None:
    """Nothing to reset."""


def is_tf32_supported() -> bool:
    """False."""
    return False
