"""PyTorch's old types of tensors, one for each dtype: FloatTensor, LongTensor and so on.

They make tensors and answer isinstance; every tensor is a `Tensor`. New code says `dtype=`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core, dtypes
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = (
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor",
    "HalfTensor", "IntTensor", "LongTensor", "ShortTensor",
)  # fmt: skip
__all__ = [*_NAMES]


class tensortype(type):
    """The class of these types: an instance check asks for the dtype, a call makes a tensor."""

    dtype: Any

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __call__(cls, *args: Any, **keywords: Any) -> Tensor:
        return construct(cls.dtype, without_keywords(args, keywords) if keywords else args)

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def without_keywords(args: tuple, keywords: dict[str, Any]) -> tuple:
    """The arguments of an old constructor by position: `size`, `data` and `other` have names.

    Raises:
        TypeError: a keyword that is none of its own.
        RuntimeError: another device than the CPU.
    """
    device = keywords.pop("device", None)
    if device is not None and dtypes.device(device).type != "cpu":
        raise RuntimeError(
            f"legacy constructor expects device type: cpu but device type: {device} was passed"
        )
    if len(keywords) == 1 and not args:
        ((name, value),) = keywords.items()
        if name == "size":
            return (dtypes.Size(value),)
        if name == "data" or (name == "other" and isinstance(value, Tensor)):
            return (value,)
    if keywords:
        raise TypeError(
            f"new(): got {', '.join(map(repr, keywords))}, but the old constructors take sizes or "
            "data, and device= alone; torch.tensor(data, dtype=..., requires_grad=...) takes more"
        )
    return args


def construct(dtype: Any, args: tuple) -> Tensor:
    """A tensor from what the old constructors take.

    Args:
        dtype: of the tensor.
        args: nothing, for no elements; sizes one by one or as a `Size`, for uninitialized memory;
            a tensor of that dtype or a NumPy array, whose memory is shared if it has the dtype;
            or a sequence of values.
    """
    from rushlight.ops.create import as_tensor

    if not args:
        return _core.empty((0,), dtype)
    first = args[0]
    if len(args) > 1 or _is_size(first):
        if not all(map(_is_size, args)):
            raise TypeError(
                "new(): takes sizes, a tensor or a sequence of values, got "
                f"({', '.join(type(a).__name__ for a in args)}); torch.tensor(data) makes a tensor "
                "of values"
            )
        return _core.empty(tuple(map(int, args)), dtype)
    if isinstance(first, dtypes.Size):
        return _core.empty(tuple(first), dtype)
    if isinstance(first, Tensor):
        if first.dtype is not dtype:
            raise TypeError(
                f"new(): expected a tensor of {dtype}, got {first.dtype}; convert it with .to()"
            )
        return first.detach()
    if not (hasattr(first, "__len__") and hasattr(first, "__getitem__")) or isinstance(first, dict):
        raise TypeError(f"new(): data must be a sequence (got {type(first).__name__})")
    return as_tensor(first, dtype=dtype)


def _is_size(value: Any) -> bool:
    if isinstance(value, bool) or hasattr(value, "__len__"):  # tensors and arrays
        return False
    return hasattr(value, "__index__")


def _types() -> Iterator[tuple[str, tensortype]]:
    for name in _NAMES:
        dtype = dtypes.dtype_of_type(f"torch.{name}")
        body = {
            "__doc__": f"The old name of tensors of {dtype}.",
            "__module__": "torch",
            "dtype": dtype,
            "is_cuda": False,
            "is_sparse": False,
            "layout": dtypes.strided,
        }
        yield name, tensortype(name, (), body)


if TYPE_CHECKING:
    BFloat16Tensor: Any
    BoolTensor: Any
    ByteTensor: Any
    CharTensor: Any
    DoubleTensor: Any
    FloatTensor: Any
    HalfTensor: Any
    IntTensor: Any
    LongTensor: Any
    ShortTensor: Any
else:
    globals().update(_types())
