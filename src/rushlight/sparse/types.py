"""The old types of sparse tensors, one for each dtype: torch.sparse.FloatTensor and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import dtypes
from rushlight.sparse.construct import empty, sparse_coo_tensor
from rushlight.tensor import Tensor

_NAMES = (
    "BFloat16Tensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor",
    "IntTensor", "LongTensor", "ShortTensor",
)  # fmt: skip
__all__ = [*_NAMES]


class tensortype(type):
    """The class of these types: an instance check asks for dtype and layout, a call makes one."""

    dtype: Any

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.is_sparse and instance.dtype is cls.dtype

    def __call__(cls, *args: Any, device: Any = None) -> Tensor:
        dtypes.check_device(device)
        if not args:
            return empty((0,), cls.dtype, dtypes.sparse_coo)
        if isinstance(args[0], dtypes.Size) and len(args) == 1:
            return empty(tuple(args[0]), cls.dtype, dtypes.sparse_coo)
        if all(isinstance(size, int) for size in args):
            return empty(args, cls.dtype, dtypes.sparse_coo)
        values = args[1] if len(args) > 1 else None
        if not isinstance(args[0], Tensor) or not isinstance(values, Tensor) or len(args) > 3:
            raise TypeError(
                f"torch.sparse.{cls.__name__}(): takes sizes, or indices and values (tensors) and "
                f"a size, got ({', '.join(type(a).__name__ for a in args)})"
            )
        if values.dtype is not cls.dtype:
            raise TypeError(
                f"torch.sparse.{cls.__name__}(): expected values of {cls.dtype}, got {values.dtype}"
            )
        return sparse_coo_tensor(args[0], values, args[2] if len(args) == 3 else None)

    def __repr__(cls) -> str:
        return f"<class 'torch.sparse.{cls.__name__}'>"


if TYPE_CHECKING:
    BFloat16Tensor: Any
    ByteTensor: Any
    CharTensor: Any
    DoubleTensor: Any
    FloatTensor: Any
    HalfTensor: Any
    IntTensor: Any
    LongTensor: Any
    ShortTensor: Any
else:
    for _name in _NAMES:
        globals()[_name] = tensortype(
            _name,
            (),
            {
                "__doc__": "The old name of sparse tensors of a dtype.",
                "__module__": "torch.sparse",
                "dtype": dtypes.dtype_of_type(f"torch.{_name}"),
                "is_cuda": False,
                "is_sparse": True,
                "layout": dtypes.sparse_coo,
            },
        )
