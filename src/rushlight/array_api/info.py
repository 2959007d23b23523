"""What the namespace can do, for programs that ask."""

from __future__ import annotations

from typing import Any

import rushlight as rl
from rushlight.array_api.dtypes import DEFAULT_INT, dtypes_of
from rushlight.dtypes import CPU, check_device


class Info:
    """Capabilities, devices and dtypes of the namespace."""

    def capabilities(self) -> dict[str, Any]:
        """Which parts of the standard that are optional there are."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": None,
        }

    def default_device(self) -> Any:
        """Where arrays are made: the CPU."""
        return CPU

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes of Python's numbers, by kind; floats follow `rushlight.set_default_dtype`."""
        check_device(device)
        real = rl.get_default_dtype()
        return {
            "real floating": real,
            "complex floating": rl.complex128 if real is rl.float64 else rl.complex64,
            "integral": DEFAULT_INT,
            "indexing": DEFAULT_INT,
        }

    def devices(self) -> list[Any]:
        """All devices: the CPU."""
        return [CPU]

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The dtypes by name; those of a kind, or of several in a tuple, where given."""
        check_device(device)
        return dtypes_of(kind)


def __array_namespace_info__() -> Info:
    """What the namespace can do."""
    return Info()
