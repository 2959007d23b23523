"""The standard's dtypes, what kinds they are of and what they promote to."""

from __future__ import annotations

from typing import Any

import rushlight as rl
from rushlight.array_api.arrays import gives_arrays
from rushlight.dtypes import DTYPES as _ALL
from rushlight.dtypes import check_device
from rushlight.tensor import Tensor

# The standard's names by kind; what rushlight has of them is what the namespace has.
_KINDS = {
    "bool": "bool",
    "signed integer": "int8 int16 int32 int64",
    "unsigned integer": "uint8 uint16 uint32 uint64",
    "real floating": "float32 float64",
    "complex floating": "complex64 complex128",
}
_UNIONS = {
    "integral": ("signed integer", "unsigned integer"),
    "numeric": ("signed integer", "unsigned integer", "real floating", "complex floating"),
    None: tuple(_KINDS),
}
DTYPES = {n: _ALL[n] for names in _KINDS.values() for n in names.split() if n in _ALL}
DEFAULT_INT = rl.int64
DEFAULT_UINT = DTYPES.get("uint64", rl.int64)  # what a sum of unsigned integers is in


def dtypes_of(kind: Any) -> dict[str, Any]:
    """Name and dtype of all of a kind, of a tuple of kinds, or of all for None."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    names: list[str] = []
    for one in kinds:
        for part in _UNIONS.get(one, (one,)):
            if part not in _KINDS:
                raise ValueError(
                    f"unknown kind of dtype {one!r}; there are "
                    f"{[*_KINDS, *(k for k in _UNIONS if k)]}"
                )
            names += _KINDS[part].split()
    return {name: dtype for name, dtype in DTYPES.items() if name in names}


def kind_of(dtype: Any) -> str:
    """The kind of a dtype, float16 and bfloat16 included."""
    if dtype is rl.bool:
        return "bool"
    if dtype.is_complex:
        return "complex floating"
    if dtype.is_floating_point:
        return "real floating"
    return "signed integer" if dtype.is_signed else "unsigned integer"


# PyTorch promotes these with no other integer.
ALONE = [dtype for name, dtype in dtypes_of("unsigned integer").items() if name != "uint8"]
_SIGNED = {dtype.itemsize: dtype for dtype in dtypes_of("signed integer").values()}


def promote(one: Any, other: Any) -> Any:
    """The dtype of two together: of integers the smallest that holds both."""
    if one is other or (one not in ALONE and other not in ALONE):
        return rl.promote_types(one, other)
    if not (isdtype(one, "integral") and isdtype(other, "integral")):
        return rl.promote_types(one, other)
    small, large = sorted((one, other), key=lambda dtype: (dtype.itemsize, not dtype.is_signed))
    if large.is_signed or not small.is_signed:
        return large
    if large.itemsize == 8:
        raise TypeError(f"no integer dtype holds both {one} and {other}")
    return _SIGNED[2 * large.itemsize]


def summed(dtype: Any) -> Any:
    """The dtype of a sum or product over elements of a dtype."""
    if dtype.is_floating_point or dtype.is_complex:
        return dtype
    return DEFAULT_UINT if kind_of(dtype) == "unsigned integer" else DEFAULT_INT


def isdtype(dtype: Any, kind: Any) -> bool:  # type: ignore[valid-type]
    """Whether a dtype is a given one or of a given kind, or of one in a tuple of those."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, rl.dtype):
        return dtype is kind
    if not isinstance(kind, str):
        raise TypeError(f"isdtype: kind must be a dtype, a str or a tuple of those, not {kind!r}")
    if kind not in _KINDS and kind not in _UNIONS:
        dtypes_of(kind)  # raises
    return kind_of(dtype) in _UNIONS.get(kind, (kind,))


@gives_arrays
def astype(x: Tensor, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:  # type: ignore[valid-type]
    """x in another dtype; itself where nothing changes and no copy is asked for."""
    check_device(device)
    if x.dtype is dtype:
        return x.clone() if copy else x
    if x.dtype.is_complex and not dtype.is_complex:
        raise TypeError(f"astype: {x.dtype} has no value in {dtype}; take real(x) or abs(x) first")
    return x.to(dtype)


def can_cast(from_: Any, to: Any, /) -> bool:  # type: ignore[valid-type]
    """Whether promotion leads from a dtype, or an array's, to another without a change of kind."""
    have = from_.dtype if isinstance(from_, Tensor) else from_
    if isdtype(have, "integral") and isdtype(to, "integral"):
        small, large = rl.iinfo(have), rl.iinfo(to)
        return large.min <= small.min and small.max <= large.max
    floats = ("real floating", "complex floating")
    return have is to or (
        isdtype(have, floats) and isdtype(to, floats) and rl.promote_types(have, to) is to
    )


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that arrays, dtypes and numbers have together; numbers only decide the kind."""
    dtypes = [
        given.dtype if isinstance(given, Tensor) else given
        for given in arrays_and_dtypes
        if isinstance(given, (Tensor, rl.dtype))
    ]
    if not dtypes:
        raise ValueError("result_type: at least one array or dtype is needed")
    found = dtypes[0]
    for dtype in dtypes[1:]:
        found = promote(found, dtype)
    for given in arrays_and_dtypes:
        if not isinstance(given, (Tensor, rl.dtype)):
            found = rl.result_type(rl.empty(1, dtype=found), given)
    return found


class finfo:
    """Limits of a float dtype: bits, eps, max, min, smallest_normal; and the dtype of its parts."""

    __slots__ = ("bits", "dtype", "eps", "max", "min", "smallest_normal")

    def __init__(self, type: Any, /) -> None:
        dtype = type.dtype if isinstance(type, Tensor) else type
        limits = rl.finfo(dtype)
        self.bits, self.eps = limits.bits, limits.eps
        self.max, self.min = limits.max, limits.min
        self.smallest_normal = limits.smallest_normal
        self.dtype = dtype.to_real() if dtype.is_complex else dtype


class iinfo:
    """Limits of an integer dtype: bits, max, min; and the dtype."""

    __slots__ = ("bits", "dtype", "max", "min")

    def __init__(self, type: Any, /) -> None:
        self.dtype = type.dtype if isinstance(type, Tensor) else type
        limits = rl.iinfo(self.dtype)
        self.bits, self.max, self.min = limits.bits, limits.max, limits.min
