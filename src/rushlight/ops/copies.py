"""Copies, casts to another dtype, and writing whole tensors."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import op
from rushlight.dtypes import check_device
from rushlight.tensor import Tensor



@op(inplace=False)
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with memory of its own; gradients pass through it to the input."""
    return _core.clone(input)


clone.vjp(input=lambda grad: grad)


def _tensor_contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself if its rows follow each other, else a copy that does."""
    return self if self._is_contiguous() else clone(self)


Tensor.contiguous = _tensor_contiguous


@op(_core.to_dtype, method=False, public=False, node="ToCopyBackward0")
def to_dtype(input: Tensor, dtype: Any) -> Tensor:
    """The values in another dtype.

    Fractions are cut off towards 0, complex numbers lose the imaginary part. Gradients come back in
    the dtype of the input.
    """


to_dtype.vjp(input=lambda grad, input_dtype: to_dtype(grad, input_dtype))


def _to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor in another dtype; `to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`.

    Returns the tensor itself when nothing changes and `copy` is False.
    """
    dtype, copy = kwargs.pop("dtype", None), kwargs.pop("copy", False)
    check_device(kwargs.pop("device", None))
    other = kwargs.pop("other", None)
    rest = list(args)
    if rest and isinstance(rest[0], Tensor):
        other = rest.pop(0)
    elif rest and (rest[0] is None or isinstance(rest[0], (str,)) or hasattr(rest[0], "index")):
        check_device(rest.pop(0))
    if rest and (isinstance(rest[0], _core.dtype) or rest[0] in (float, int, bool, complex)):
        dtype = rest.pop(0)
    elif rest and rest[0] is None:
        rest.pop(0)
    if rest and not isinstance(rest[0], int):
        raise TypeError(
            "to(): expected a dtype, a device or another tensor, got " + type(rest[0]).__name__
        )
    if rest:
        rest.pop(0)  # non_blocking
    if rest:
        copy = rest.pop(0)
    if other is not None:
        dtype = other.dtype
    if dtype is not None and not isinstance(dtype, _core.dtype):
        dtype = _core.result_type([dtype()]) if dtype is not float else _core.float64
    if dtype is not None and dtype is not self.dtype:
        return to_dtype(self, dtype)
    return clone(self) if copy else self


def _cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself: it is on the CPU."""
    return self


Tensor.to = _to
Tensor.cpu = _cpu


def _cuda(self: Tensor, device: Any = None, *args: Any, **kwargs: Any) -> Tensor:
    """Raises: there is no CUDA device."""
    check_device("cuda")
    return self


Tensor.cuda = _cuda


def _cast(name: str, dtype: Any) -> None:
    """Declares the method `x.<name>()`."""

    def call(self: Tensor, memory_format: Any = None) -> Tensor:
        return self if self.dtype is dtype else to_dtype(self, dtype)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The values in {dtype}; the tensor itself if it has that dtype."
    setattr(Tensor, name, call)


for _name, _dtype in {
    "float": _core.float32, "double": _core.float64, "half": _core.float16,
    "bfloat16": _core.bfloat16, "int": _core.int32, "long": _core.int64, "short": _core.int16,
    "char": _core.int8, "byte": _core.uint8, "bool": _core.bool, "cfloat": _core.complex64,
    "cdouble": _core.complex128,
}.items():  # fmt: skip
    _cast(_name, _dtype)


def _type_as(self: Tensor, other: Tensor) -> Tensor:
    """The values in the dtype of `other`."""
    return self if self.dtype is other.dtype else to_dtype(self, other.dtype)


Tensor.type_as = _type_as

# ---- writing


def _no_gradient(grad: Tensor) -> Tensor:
    """Zeros: nothing of the old values is left."""
    return _core.full(grad.shape, 0, grad.dtype)


@op(inplace=True, public=False, method=False, node="CopyBackwards")
def copy(input: Tensor, src: Tensor | complex, non_blocking: bool = False) -> Tensor:
    """The values of `src`, broadcast and cast to the shape and dtype of input."""
    if not isinstance(src, Tensor):
        return _core.full(tuple(input.shape), src, input.dtype)
    return _core.to_dtype(_core.expand(src, tuple(input.shape)), input.dtype)


copy.vjp(input=_no_gradient, src=lambda grad: grad)


@op(inplace=True, method=False, node="FillBackward2")
def fill(input: Tensor, value: Any) -> Tensor:
    """One value everywhere, in the shape and dtype of input.

    A 0-dim tensor as value gets a gradient. Raises RuntimeError for a value with dimensions.
    """
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value.ndim} dimensions."
            )
        return _core.to_dtype(_core.expand(value, tuple(input.shape)), input.dtype)
    return _core.full(tuple(input.shape), value, input.dtype)


fill.vjp(input=_no_gradient, value=lambda grad: grad.sum())


@op(inplace="only")
def zero_(input: Tensor) -> Tensor:
    """0 everywhere, in place; the gradient of what was there is 0."""
    return _core.full(input.shape, 0, input.dtype)


zero_.vjp(input=_no_gradient)

_core.set_callbacks(cast=to_dtype)
