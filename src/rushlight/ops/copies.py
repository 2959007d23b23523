"""Copies, casts to another dtype, and writing whole tensors."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import _export, op
from rushlight.dtypes import (
    CPU,
    META,
    REAL_CASTS,
    check_device,
    contiguous_format,
    is_meta_device,
    preserve_format,
)
from rushlight.ops.memory import format_of, lies_in, memory_in
from rushlight.tensor import Tensor
from rushlight.warned import warn_once


@op(inplace=False)
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with memory of its own; gradients pass through it to the input.

    Its axes lie in memory in the order of the input's, unless `memory_format` says else.
    """
    if memory_format is None or memory_format is preserve_format:
        return _core.clone(input)
    if memory_format is contiguous_format:
        return _core.contiguous_clone(input)
    copy = memory_in("clone", tuple(input.shape), input.dtype, memory_format)
    _core.copy_(copy, input)
    return copy


clone.vjp(input=lambda grad: grad)


def _tensor_contiguous(self: Tensor, *, memory_format: Any = contiguous_format) -> Tensor:
    """The tensor itself if it lies without gaps in the order of the format, else such a copy.

    By default row by row. Raises RuntimeError for preserve_format, and for a format for another
    number of dimensions.
    """
    if self._is_contiguous() and memory_format is contiguous_format:
        return self
    if lies_in(self, memory_format):
        return self
    if memory_format is preserve_format:
        raise RuntimeError("contiguous: preserve memory format is unsupported, it names no order")
    return clone(self, memory_format=memory_format)


Tensor.contiguous = _tensor_contiguous


@op(_core.to_dtype, method=False, public=False, node="ToCopyBackward0")
def to_dtype(input: Tensor, dtype: Any) -> Tensor:
    """The values in another dtype.

    Fractions are cut off towards 0, complex numbers lose the imaginary part. Gradients come back in
    the dtype of the input.
    """


to_dtype.vjp(input=lambda grad, input_dtype: to_dtype(grad, input_dtype))


@op(method=False, public=False, node="ToCopyBackward0")
def _to_meta(input: Tensor) -> Tensor:
    """The shape, strides and dtype without the values: a tensor of the meta device."""
    return _core.empty_like(input, input.dtype, META)


_to_meta.vjp(input=lambda grad: _to(grad, CPU))


def _in_dtype(self: Tensor, dtype: Any) -> Tensor:
    if self.dtype.is_complex:
        _warn_of_parts(dtype)
    return to_dtype(self, dtype)


def _warn_of_parts(target: Any) -> None:
    """Says once that complex numbers lose a part."""
    if not target.is_complex and target is not _core.bool:
        warn_once("Casting complex values to real discards the imaginary part")


def _to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor in another dtype; `to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`.

    Returns the tensor itself when nothing changes, `copy` is False and its strides look like the
    `memory_format`, if one is given.
    """
    dtype, copy = kwargs.pop("dtype", None), kwargs.pop("copy", False)
    format = kwargs.pop("memory_format", None)
    device = kwargs.pop("device", None)
    other = kwargs.pop("other", None)
    rest = list(args)
    if rest and isinstance(rest[0], Tensor):
        other = rest.pop(0)
    elif rest and (rest[0] is None or isinstance(rest[0], (str,)) or hasattr(rest[0], "index")):
        device = rest.pop(0)
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
        dtype, device = other.dtype, other.device
    if device is not None and is_meta_device(device) is not self.is_meta:
        if self.is_meta:
            raise NotImplementedError(
                "Cannot copy out of meta tensor; no data! A tensor of shape "
                f"{list(self.shape)} on the meta device has no values. torch.empty_like(tensor, "
                'device="cpu") gives it memory'
            )
        self, copy = _to_meta(self), False
    if dtype is not None and not isinstance(dtype, _core.dtype):
        dtype = _core.result_type([dtype()]) if dtype is not float else _core.float64
    cast = self if dtype is None or dtype is self.dtype else _in_dtype(self, dtype)
    if format is None or format is preserve_format:
        return clone(self) if copy and cast is self else cast
    if cast is self:
        same = not copy and format_of(self) is format
    else:
        # What there is one or none of has strides that only a format tells.
        same = min(self.shape, default=2) > 1 and lies_in(cast, format)
    return cast if same else clone(cast, memory_format=format)


def _cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself, since it is on the CPU, or a copy in that memory format.

    Raises NotImplementedError for one on the meta device.
    """
    if memory_format is None and not self.is_meta:
        return self
    return _to(self, CPU, memory_format=memory_format)


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
        if memory_format is not None:
            return _to(self, dtype, memory_format=memory_format)
        return self if self.dtype is dtype else _in_dtype(self, dtype)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The values in {dtype}; the tensor itself if it has that dtype."
    setattr(Tensor, name, call)


for _name, _dtype in {
    **REAL_CASTS, "cfloat": _core.complex64, "cdouble": _core.complex128
}.items():  # fmt: skip
    _cast(_name, _dtype)


def _cast_function(name: str, dtype: Any) -> None:
    """Declares `torch._cast_<name>`, from before there were dtypes."""

    def call(input: Tensor, non_blocking: bool = False) -> Tensor:
        return input if input.dtype is dtype else _in_dtype(input, dtype)

    call.__name__ = call.__qualname__ = f"_cast_{name}"
    call.__doc__ = f"The values in {dtype}."
    globals()[call.__name__] = call
    _export(call, call.__name__)


for _name, _dtype in {
    "Byte": _core.uint8, "Char": _core.int8, "Short": _core.int16, "Int": _core.int32,
    "Long": _core.int64, "Half": _core.float16, "Float": _core.float32, "Double": _core.float64,
}.items():  # fmt: skip
    _cast_function(_name, _dtype)


def _type_as(self: Tensor, other: Tensor) -> Tensor:
    """The values in the dtype of `other`."""
    return self if self.dtype is other.dtype else _in_dtype(self, other.dtype)


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
    if src.dtype.is_complex:
        _warn_of_parts(input.dtype)
    return _core.to_dtype(_core.expand(src, tuple(input.shape)), input.dtype)


copy.vjp(input=_no_gradient, src=lambda grad: grad)


def _one_value(input: Tensor, value: Any) -> Tensor:
    """A number spread over the shape as a view: to write it fills memory, and copies none."""
    if not isinstance(value, Tensor):
        value = _core.full((), value, input.dtype)
    elif value.ndim:
        raise RuntimeError(
            "fill_ only supports 0-dimension value tensor but got tensor with "
            f"{value.ndim} dimensions."
        )
    return _core.expand(_core.to_dtype(value, input.dtype), tuple(input.shape))


@op(method=False, node="FillBackward2")
def fill(input: Tensor, value: Any) -> Tensor:
    """One value everywhere, in the shape and dtype of input.

    A 0-dim tensor as value gets a gradient. Raises RuntimeError for a value with dimensions.
    """
    return _core.clone(_one_value(input, value))


@op(inplace="only", node="FillBackward2")
def fill_(input: Tensor, value: Any) -> Tensor:
    """One value everywhere, in place; as :func:`fill`."""
    return _one_value(input, value)


fill.vjp(input=_no_gradient, value=lambda grad: grad.sum())
fill_.vjp(input=_no_gradient, value=lambda grad: grad.sum())


@op(inplace="only")
def zero_(input: Tensor) -> Tensor:
    """0 everywhere, in place; the gradient of what was there is 0."""
    return _one_value(input, 0)


zero_.vjp(input=_no_gradient)

_core.set_callbacks(cast=to_dtype)
