"""dtypes, devices, sizes and the other small types that describe a tensor."""

from __future__ import annotations

from _thread import _local
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight._core import (
    bfloat16,
    bool,
    complex64,
    complex128,
    dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

dtype.__doc__ = """The type of a tensor's elements: torch.float32, torch.int64 and so on.

There is one object of each, to be compared by `is`; 15 in all.
"""

half = float16
float = float32
double = float64
short = int16
int = int32
long = int64
cfloat = complex64
cdouble = complex128

HALVES = (float16, bfloat16)  # where kernels compute in float32


def can_cast(from_: dtype, to: dtype) -> Any:
    """Whether values can be cast without a change of kind downwards, as from float to int."""

    def kind(d: dtype) -> Any:
        if d is bool:
            return 0
        return 3 if d.is_complex else 2 if d.is_floating_point else 1

    return kind(from_) <= kind(to)


# What `x.float()` and its like convert to, of tensors and of storages.
REAL_CASTS = {
    "float": _core.float32, "double": _core.float64, "half": _core.float16,
    "bfloat16": _core.bfloat16, "int": _core.int32, "long": _core.int64, "short": _core.int16,
    "char": _core.int8, "byte": _core.uint8, "bool": _core.bool,
}  # fmt: skip


class Size(tuple):
    """The sizes of a tensor: a tuple of ints that prints as torch.Size and counts elements.

    Integers of other types, tensors of one integer too, become ints. Raises TypeError for the rest.
    """

    __slots__ = ()

    def __new__(cls, sizes: Iterable[Any] = (), /) -> Size:
        made = tuple.__new__(cls, sizes)
        if all(type(size) is int for size in made):
            return made
        return tuple.__new__(cls, [_size(size, place) for place, size in enumerate(made)])

    def numel(self) -> Any:
        """The product of the sizes; 1 for ()."""
        count = 1
        for size in self:
            count *= size
        return count

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __add__(self, other: tuple) -> Size:
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other: tuple) -> Size:
        return Size(tuple.__add__(tuple(other), self))

    def __mul__(self, count: Any) -> Size:
        return Size(tuple.__mul__(self, count))

    __rmul__ = __mul__

    def __getitem__(self, index: Any) -> Any:
        part = tuple.__getitem__(self, index)
        return tuple.__new__(Size, part) if isinstance(index, slice) else part

    def __reduce__(self) -> tuple:
        return Size, (tuple(self),)


def _size(size: Any, place: Any) -> Any:
    from operator import index

    try:
        return index(size)
    except TypeError:
        raise TypeError(
            f"torch.Size() takes an iterable of 'int' (item {place} is '{type(size).__name__}')"
        ) from None


class device:
    """Where a tensor lives: the CPU, or "meta", where tensors have a shape and dtype but no memory.

    `type` is "cpu" or "meta", `index` None or a number without meaning. Other types can be named,
    and raise RuntimeError where a tensor would be made on them. As a context manager, the device of
    new tensors.
    """

    __slots__ = ("index", "type")

    _KNOWN = frozenset(
        ("cpu", "cuda", "mps", "xpu", "meta", "hip", "xla", "mkldnn", "ipu", "hpu", "mtia")
    )

    type: str
    index: Any

    def __init__(self, type: Any = "cpu", index: Any = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, _core.dtype) or not isinstance(type, (str, *_INTS)):
            raise TypeError(f"device() takes a string such as 'cpu', not {type!r}")
        elif isinstance(type, _INTS):
            type, index = "cuda", type
        elif ":" in type:  # type: ignore[operator]
            type, _, number = type.partition(":")  # type: ignore[attr-defined]
            if not number.isdigit() or (len(number) > 1 and number[0] == "0"):
                raise RuntimeError(f"Invalid device string: '{type}:{number}'")
            index = _INTS[0](number)
        if type not in self._KNOWN:
            raise RuntimeError(
                f"Expected one of cpu, cuda, ... device type at start of device string: {type}"
            )
        self.type = type
        self.index = index

    def __repr__(self) -> str:
        if self.index is None:
            return f"device(type='{self.type}')"
        return f"device(type='{self.type}', index={self.index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, device):
            return NotImplemented
        return self.type == other.type and self.index == other.index

    def __hash__(self) -> Any:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple:
        return device, (self.type, self.index)

    def __enter__(self) -> device:
        outer = vars(_contexts).setdefault("outer", [])
        outer.append(_core.set_makes_meta(is_meta_device(self)))
        return self

    def __exit__(self, *exc: object) -> None:
        _core.set_makes_meta(_contexts.outer.pop())


_INTS: Any = (type(0),)  # noqa: UP003  int is a dtype here
_contexts: Any = _local()  # what was so before the blocks that this thread is in
CPU = device("cpu")
META = device("meta")


def is_meta_device(where: Any) -> Any:
    """Whether tensors there have no memory. Raises for every device but the CPU and meta."""
    if where is None or where is CPU or where == "cpu":
        return False
    wanted = where if isinstance(where, device) else device(where)
    if wanted.type == "meta":
        return True
    if wanted.type != "cpu":
        raise RuntimeError(
            f"rushlight runs on the CPU alone: there is no device '{wanted}'. Use device='cpu', or "
            "guard with torch.cuda.is_available(), which is False here."
        )
    return False


def check_device(where: Any) -> None:
    """Raises for every device but the CPU, for what cannot be without memory."""
    if is_meta_device(where):
        raise NotImplementedError(
            "this cannot be made on the device 'meta', where nothing has memory; leave device= "
            "out, or use device='cpu'"
        )


_core.set_callbacks(is_meta_device=is_meta_device)


class layout:
    """How elements are kept: strided, in memory; the others only where they are not 0."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
sparse_csc = layout("sparse_csc")
sparse_bsr = layout("sparse_bsr")
sparse_bsc = layout("sparse_bsc")
LAYOUTS = (strided, sparse_coo, sparse_csr, sparse_csc)  # by the number that the core gives them


class memory_format:
    """An order of dimensions in memory, for what makes or copies tensors."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"


contiguous_format = legacy_contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")


class finfo:
    """Limits of a floating dtype: bits, eps, max, min, tiny, resolution.

    Of the default float dtype without an argument; raises TypeError for other dtypes.
    """

    #           bits, mantissa bits, largest exponent
    _FORMATS = {  # noqa: RUF012
        "float16": (16, 10, 15),
        "bfloat16": (16, 7, 127),
        "float32": (32, 23, 127),
        "float64": (64, 52, 1023),
    }

    def __init__(self, type: Any = None) -> None:
        type = _core.get_default_dtype() if type is None else type
        if hasattr(type, "limits"):  # an 8-bit float, which no tensor has
            self.dtype, self.resolution = repr(type).removeprefix("torch."), 1.0
            self.bits, self.eps, self.max, self.min, self.tiny = type.limits
            self.smallest_normal = self.tiny
            return
        if not isinstance(type, dtype):
            raise TypeError(f"finfo() takes a dtype, not {type!r}")
        if type.is_complex:
            type = type.to_real()
        if not type.is_floating_point:
            raise TypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                f"'torch.{type.name}'"
            )
        self.dtype = type.name
        self.bits, mantissa, exponent = self._FORMATS[type.name]
        self.eps = 2.0**-mantissa
        self.max = (2.0 - self.eps) * 2.0**exponent
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - exponent)
        digits = {"float16": 3, "bfloat16": 2, "float32": 6, "float64": 15}[type.name]
        self.resolution = 10.0**-digits

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.tiny:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer dtype: bits, max, min. Raises TypeError for other dtypes."""

    def __init__(self, type: Any) -> None:
        if not isinstance(type, dtype) or type.is_floating_point or type.is_complex or type is bool:
            raise TypeError(
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle "
                f"'{type!r}'"
            )
        self.dtype = type.name
        self.bits = 8 * type.itemsize
        self.min = -(2 ** (self.bits - 1)) if type.is_signed else 0
        self.max = 2 ** (self.bits - 1) - 1 if type.is_signed else 2**self.bits - 1

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


DTYPES = {
    d.name: d
    for d in (
        bool, uint8, int8, int16, int32, int64, uint16, uint32, uint64, float16, bfloat16, float32,
        float64, complex64, complex128,
    )
}  # fmt: skip

# The old names of tensor types: dtypes by what stands before "Tensor".
_STEMS = {
    "Float": float32, "Double": float64, "Half": float16, "BFloat16": bfloat16, "Byte": uint8,
    "Char": int8, "Short": int16, "Int": int32, "Long": int64, "Bool": bool,
    "ComplexFloat": complex64, "ComplexDouble": complex128, "UInt16": uint16, "UInt32": uint32,
    "UInt64": uint64,
}  # fmt: skip


def type_name(dtype: Any) -> str:
    """The old name of the type of tensors of a dtype: torch.FloatTensor."""
    return next(f"torch.{stem}Tensor" for stem, known in _STEMS.items() if known is dtype)


def dtype_of_type(name: str) -> dtype:
    """The dtype that an old name of a tensor type stands for."""
    stem = name.removeprefix("torch.").removesuffix("Tensor")
    if name != f"torch.{stem}Tensor" or stem not in _STEMS:
        raise ValueError(
            f"invalid type: '{name}'. Use a dtype such as torch.float32, or 'torch.FloatTensor'"
        )
    return _STEMS[stem]
