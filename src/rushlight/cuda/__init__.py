"""What PyTorch's `torch.cuda` answers on a machine without CUDA devices, for scripts that ask."""

from __future__ import annotations

from typing import Any

from rushlight.dtypes import check_device


def is_available() -> bool:
    """False: there is no CUDA device."""
    return False


def device_count() -> int:
    """0."""
    return 0


def is_initialized() -> bool:
    """False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False."""
    return False


def manual_seed(seed: int) -> None:
    """Nothing to seed; accepted, as by PyTorch."""


def manual_seed_all(seed: int) -> None:
    """Nothing to seed; accepted, as by PyTorch."""


def empty_cache() -> None:
    """Nothing to free."""


def current_device() -> Any:
    """Raises RuntimeError: there is no CUDA device."""
    return check_device("cuda")


def synchronize(device: Any = None) -> None:
    """Raises RuntimeError: there is no CUDA device."""
    check_device("cuda")


def get_device_name(device: Any = None) -> Any:
    """Raises RuntimeError: there is no CUDA device."""
    return check_device("cuda")


def get_device_properties(device: Any = None) -> Any:
    """Raises RuntimeError: there is no CUDA device."""
    return check_device("cuda")


def get_device_capability(device: Any = None) -> Any:
    """Raises RuntimeError: there is no CUDA device."""
    return check_device("cuda")


def set_device(device: Any) -> None:
    """Raises RuntimeError for a device; a negative number chooses none, as in PyTorch."""
    if not isinstance(device, int) or device >= 0:
        check_device("cuda")


def seed() -> None:
    """Nothing to seed; accepted, as by PyTorch."""


def seed_all() -> None:
    """Nothing to seed; accepted, as by PyTorch."""


def get_rng_state_all() -> list:
    """No states: there is no device."""
    return []


def set_rng_state_all(new_states: Any) -> None:
    """Raises RuntimeError if there is a state to set: there is no CUDA device."""
    if list(new_states):
        check_device("cuda")


def memory_allocated(device: Any = None) -> int:
    """0."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """0."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """0."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """0."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Nothing to reset."""


def get_arch_list() -> list[str]:
    """No architectures."""
    return []


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in ("amp", "nvtx", "profiler", "streams"):
        return import_module(f"rushlight.cuda.{name}")
    if name == "_initialized":
        return False
    streams = import_module("rushlight.cuda.streams")
    if name in streams.__all__:
        return getattr(streams, name)
    if name.endswith("Tensor"):
        from rushlight.cuda.tensor_types import NAMES, type_of

        if name in NAMES:
            found = globals()[name] = type_of(name)
            return found
    raise AttributeError(
        f"module 'rushlight.cuda' has no attribute {name!r}: rushlight runs on the CPU alone. "
        "Guard what is for CUDA with torch.cuda.is_available(), which is False here"
    )
