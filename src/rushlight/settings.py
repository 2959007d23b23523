"""Settings of the whole process that PyTorch has at its top level.

Most ask for what is so anyway: results are the same bits every time and for any number of threads.
"""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.dtypes import CPU, META, dtype_of_type, is_meta_device
from rushlight.warned import warn_once

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_default_device",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "set_default_device",
    "set_default_tensor_type",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "use_deterministic_algorithms",
]

_deterministic = 0  # 0: not asked for, 1: warn, 2: raise
_precision = "highest"
_interop_threads: int | None = None


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted: every op is deterministic.

    `warn_only` is remembered, like `mode`, for those who ask.
    """
    global _deterministic
    _deterministic = 0 if not mode else 1 if warn_only else 2


def are_deterministic_algorithms_enabled() -> bool:
    """What :func:`use_deterministic_algorithms` was called with last; False before."""
    return _deterministic > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """The `warn_only` that :func:`use_deterministic_algorithms` was called with last."""
    return _deterministic == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by number or name: 0 "default", 1 "warn", 2 "error".

    Raises RuntimeError for others, TypeError for what is neither.
    """
    global _deterministic
    modes = ("default", "warn", "error")
    if isinstance(debug_mode, str):
        if debug_mode not in modes:
            raise RuntimeError(
                "invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got "
                f"{debug_mode}"
            )
        debug_mode = modes.index(debug_mode)
    if not isinstance(debug_mode, int):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}"
        )
    _deterministic = debug_mode


def get_deterministic_debug_mode() -> int:
    """What was asked for last: 0, 1 or 2, as of :func:`set_deterministic_debug_mode`."""
    return _deterministic


def set_float32_matmul_precision(precision: str) -> None:
    """Accepted: "highest", "high" and "medium" all compute in float32.

    Raises RuntimeError for another word.
    """
    global _precision
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(
            "set_float32_matmul_precision: expected 'highest', 'high' or 'medium', got "
            f"{precision!r}"
        )
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What :func:`set_float32_matmul_precision` was called with last; "highest" before."""
    return _precision


def set_num_interop_threads(threads: int) -> None:
    """Accepted, once: there are no threads between ops, only the pool inside them.

    Raises RuntimeError for a second call, or for threads <= 0.
    """
    global _interop_threads
    if threads <= 0:
        raise RuntimeError(f"Expected positive number of threads, got {threads}")
    if _interop_threads is not None:
        raise RuntimeError("cannot set number of interop threads after it was set before")
    _interop_threads = threads


def get_num_interop_threads() -> int:
    """What :func:`set_num_interop_threads` was called with; 1 before."""
    return _interop_threads or 1


def set_flush_denormal(mode: bool) -> bool:
    """False: the processor goes on computing with denormal numbers."""
    return False


def set_default_device(device: Any) -> None:
    """Where new tensors are: the CPU (as is None), or meta, where they have no memory.

    Raises:
        RuntimeError: for any other device.
    """
    _core.set_makes_meta(is_meta_device(device))


def get_default_device() -> Any:
    """Where new tensors are: the CPU or meta."""
    return META if _core.makes_meta() else CPU


def set_default_tensor_type(t: Any) -> None:
    """`set_default_dtype` by the old name of a type of tensors, "torch.DoubleTensor"."""
    import rushlight

    warn_once(
        "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use "
        "torch.set_default_dtype() and torch.set_default_device() as alternatives."
    )
    if isinstance(t, str):
        t = dtype_of_type(t)
    rushlight.set_default_dtype(getattr(t, "dtype", t))
