"""torch.cuda.FloatTensor and the like: types that no tensor has, for isinstance in old scripts."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.dtypes import check_device

NAMES = (
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor",
    "HalfTensor", "IntTensor", "LongTensor", "ShortTensor",
)  # fmt: skip


class _CudaType(type):
    """No tensor is an instance, and a call raises: there is no CUDA device."""

    def __instancecheck__(cls, instance: object) -> bool:
        return False

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        check_device("cuda")
        raise AssertionError("check_device raises")

    def __repr__(cls) -> str:
        return f"<class 'torch.cuda.{cls.__name__}'>"


def type_of(name: str) -> Any:
    """The type of that name."""
    return _CudaType(name, (), {"__doc__": "A tensor on a CUDA device; there are none."})
