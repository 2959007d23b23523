"""What the processor can do."""

from __future__ import annotations

from rushlight import _core

_NAMES = {"v4": "AVX512", "v3": "AVX2"}


def get_cpu_capability() -> str:
    """The widest vector instructions in use: "AVX512", "AVX2" or "DEFAULT"."""
    return _NAMES.get(_core.isa_name(), "DEFAULT")
