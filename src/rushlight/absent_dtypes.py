"""dtypes of PyTorch that no tensor has here: complex32, 8-bit floats, quantized integers and bits.

They have their names, so that libraries can list them and compare a tensor's dtype with them.
"""

from __future__ import annotations

from typing import Any

__all__ = ["AbsentDtype"]


# What finfo says: bits, eps, max, min, the smallest normal number.
_LIMITS = {
    "float8_e4m3fn": (8, 0.125, 448.0, -448.0, 2.0**-6),
    "float8_e4m3fnuz": (8, 0.125, 240.0, -240.0, 2.0**-7),
    "float8_e5m2": (8, 0.25, 57344.0, -57344.0, 2.0**-14),
    "float8_e5m2fnuz": (8, 0.125, 57344.0, -57344.0, 2.0**-15),
    "float8_e8m0fnu": (8, 1.0, 2.0**127, 2.0**-127, 2.0**-127),
}


class AbsentDtype:
    """A dtype that can be named, compared and printed; no tensor can be made with it.

    Attributes:
        itemsize: in bytes.
        is_floating_point: whether it is a float.
        is_complex: whether it is complex32.
        is_signed: whether it has negative values.
        limits: what finfo says of an 8-bit float.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.is_complex = name == "complex32"
        self.is_floating_point = name.startswith("float")
        self.is_signed = not name.startswith(("u", "quint", "bits", "float8_e8m0"))
        if name in _LIMITS:
            self.limits = _LIMITS[name]
        self.itemsize = {"complex32": 4, "qint32": 4, "bits16": 2}.get(name, 1)

    def __repr__(self) -> str:
        return f"torch.{self._name}"

    def __reduce__(self) -> tuple:
        return _named, (self._name,)

    def to_real(self) -> AbsentDtype:
        """The dtype itself."""
        return self

    def to_complex(self) -> Any:
        """Raises TypeError: there is no complex dtype for it."""
        raise TypeError(f"{self} has no complex counterpart")


_made: dict[str, AbsentDtype] = {}


def _named(name: str) -> AbsentDtype:
    name = "complex32" if name == "chalf" else name
    return _made.setdefault(name, AbsentDtype(name))


def __getattr__(name: str) -> AbsentDtype:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _named(name)
