"""Making tensors from Python values, other libraries' memory, and constants."""

from __future__ import annotations

import builtins
import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.dtypes import META, check_device, strided
from rushlight.ops.memory import memory_in, memory_like
from rushlight.ops.shape import _sizes
from rushlight.tensor import Tensor
from rushlight.warned import warn, warn_once


def _made(result: Tensor, device: Any, requires_grad: bool) -> Tensor:
    """What was made on the CPU, where it is to be."""
    if device is not None or _core.makes_meta():
        result = _core.placed(result, device)
    return _ready(result, requires_grad)


def _ready(result: Tensor, requires_grad: bool) -> Tensor:
    if requires_grad:
        result.requires_grad = True
    return result


def _dtype(dtype: Any) -> Any:
    return _core.get_default_dtype() if dtype is None else dtype


_PLAIN = frozenset((list, float, int, bool))
_COPY = (
    "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
    "sourceTensor.detach().clone().requires_grad_(True), rather than {}(sourceTensor)."
)


@composed()
def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A new tensor with the values of numbers, nested sequences, arrays or tensors.

    dtype: by default int64, bool, complex or the default float, as the values need it; that of the
    data for arrays and tensors. Always a copy, always a leaf.

    Raises ValueError for sequences of different lengths, TypeError for what is no number. To keep
    the history or share the memory: `clone`, `as_tensor`.
    """
    if type(data) in _PLAIN:  # which is what most callers have
        return _ready(_core.tensor_from_data(data, dtype, device), requires_grad)
    if isinstance(data, Tensor):
        warn(_COPY.format("torch.tensor"))
        if data._layout or data.is_meta:
            copy = data.detach().clone()
            return _made(copy if dtype is None else copy.to(dtype), device, requires_grad)
    elif hasattr(data, "__array_interface__") or hasattr(data, "__array__"):
        import numpy

        array = numpy.asarray(data)
        if array.ndim or not array.dtype.isbuiltin:
            source = _on_memory_of(_native(array))
            copied = _core.clone(source) if dtype is None or dtype is source.dtype else (
                _core.to_dtype(source, dtype)
            )
            return _made(copied, device, requires_grad)
        if dtype is None:
            dtype = _on_memory_of(_native(array.reshape(1))).dtype
        data = array.item()
    return _made(_core.tensor_from_data(data, dtype), device, requires_grad)


def _native(array: Any) -> Any:
    """The array with non-negative strides and in this machine's byte order, copied if need be."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array.copy() if any(s < 0 for s in array.strides) else array


@composed()
def as_tensor(data: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of `data` that shares its memory, and a tensor its history, where it can.

    A tensor of the wanted dtype is returned itself; a NumPy array is shared unless its byte order
    or strides forbid it; all else is copied as by :func:`tensor`.
    """
    if device is None and _core.makes_meta():
        device = META
    if isinstance(data, Tensor):
        result = data
    elif type(data).__module__ == "numpy" and hasattr(data, "strides") and data.ndim:
        result = from_numpy(_native(data))
    else:
        return tensor(data, dtype=dtype, device=device)
    if device is not None:
        result = result.to(device)
    return result if dtype is None else result.to(dtype)


@composed()
def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of numbers, sequences, arrays, buffers or DLPack objects; shares where it can.

    `copy`: True always copies, False raises ValueError where one is needed, as for a list or
    another dtype. A tensor loses its history unless `requires_grad`.
    """
    if isinstance(obj, Tensor):
        result = obj.detach() if obj.requires_grad and not requires_grad else obj
    elif hasattr(obj, "__dlpack__") and type(obj).__module__ != "numpy":
        result = from_dlpack(obj)
    elif type(obj).__module__ == "numpy":
        result = as_tensor(obj)
    else:
        if copy is False:
            raise ValueError(f"asarray: a {type(obj).__name__} cannot be shared; use copy=None")
        result = as_tensor(obj, dtype=dtype)
    converted = result if dtype is None else result.to(dtype)
    if copy and converted is result:
        converted = converted.clone()
    if copy is False and converted is not result:
        raise ValueError("asarray: cannot convert the dtype without a copy; use copy=None")
    return _made(converted, device, requires_grad)


@composed()
def from_numpy(ndarray: Any) -> Tensor:
    """A tensor on the memory of a NumPy array: writes to one show in the other.

    The dtype is the array's; a read-only array is taken with a warning. Raises TypeError for what
    is no array or has a dtype without a counterpart (uint16, strings), ValueError for negative
    strides or another byte order: copy such an array first.
    """
    if type(ndarray).__module__.split(".")[0] != "numpy" or not hasattr(ndarray, "strides"):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if not ndarray.flags.writeable:
        warn_once(
            "The given NumPy array is not writable, and PyTorch does not support non-writable "
            "tensors: writing to the tensor changes memory that NumPy thinks constant. Copy the "
            "array first."
        )
    return _on_memory_of(ndarray)


def _on_memory_of(ndarray: Any) -> Tensor:
    """:func:`from_numpy`, without a word about arrays that are read-only."""
    if ndarray.dtype.kind not in "biufc":
        raise TypeError(
            f"can't convert np.ndarray of type {ndarray.dtype}. The only supported types are: "
            "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, "
            "uint32, uint16, uint8, and bool."
        )
    if any(s < 0 for s in ndarray.strides):
        raise ValueError(
            "At least one of the strides of the given numpy array is negative, and tensors with "
            "negative strides are not supported. Make a copy with array.copy() first."
        )
    if not ndarray.dtype.isnative:
        raise ValueError("given numpy array has byte order different from the native byte order")
    if not ndarray.flags.writeable:
        view = ndarray.view()
        try:
            view.flags.writeable = True
            ndarray = view
        except ValueError:
            ndarray = ndarray.copy()
    return _core.from_foreign(ndarray)


@composed()
def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array, or of a capsule, through DLPack.

    Shared unless `copy`. Raises TypeError for what has no `__dlpack__`.
    """
    check_device(device)
    if type(ext_tensor).__module__ == "numpy" and hasattr(ext_tensor, "strides"):
        return _on_memory_of(ext_tensor.copy() if copy else ext_tensor)  # read-only ones too
    if not hasattr(ext_tensor, "__dlpack__") and type(ext_tensor).__name__ != "PyCapsule":
        raise TypeError(
            f"from_dlpack: {type(ext_tensor).__name__} has no __dlpack__; expected an array of a "
            "library that exports DLPack, or a capsule. tensor() takes numbers and sequences"
        )
    result = _core.from_foreign(ext_tensor)
    return result.clone() if copy else result


@composed()
def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A flat tensor on the memory of an object with the buffer protocol (bytes, bytearray, mmap).

    `offset` is in bytes, `count` in elements, -1 for all that follow. Read-only memory is copied.
    Raises ValueError where the offset lies outside the buffer, or what is left does not hold
    `count` whole elements.
    """
    import numpy

    raw = numpy.frombuffer(buffer, dtype=numpy.uint8)
    size = dtype.itemsize
    if offset < 0 or offset >= max(1, raw.nbytes):
        raise ValueError(
            f"offset must be non-negative and no greater than buffer length ({raw.nbytes}), but "
            f"got: {offset}"
        )
    if count < 0:
        if (raw.nbytes - offset) % size:
            raise ValueError(
                f"buffer length ({raw.nbytes - offset} bytes) after offset ({offset} bytes) must "
                f"be a multiple of element size ({size})"
            )
        count = (raw.nbytes - offset) // size
    if offset + count * size > raw.nbytes:
        raise ValueError(
            f"requested buffer length ({count} * {size} bytes) after offset ({offset} bytes) must "
            f"not be greater than actual buffer length ({raw.nbytes} bytes)"
        )
    part = raw[offset : offset + count * size]
    if not part.flags.writeable:
        part = part.copy()
    result = _core.reinterpret(_core.from_foreign(part), dtype, (count,), (1,), 0)
    return _made(result, None, requires_grad)


@composed()
def scalar_tensor(
    s: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A 0-dim tensor of one number, in the default float dtype unless `dtype` is given."""
    return _ready(_core.full((), s, _dtype(dtype), device), requires_grad)


def _sparse(
    input: Tensor | None, shape: Any, dtype: Any, layout: Any, requires_grad: bool
) -> Tensor:
    """Zeros where a layout is sparse: no entries."""
    from rushlight.sparse.construct import made_like

    return made_like(input, tuple(shape), dtype, layout, requires_grad)


# ---- constants


def _given(sizes: tuple, size: Any) -> tuple:
    """The sizes of a call: one by one, as one sequence, or by the name `size`."""
    if size is None:
        return _sizes(sizes)
    if sizes:
        raise TypeError("the sizes are given twice, by position and as `size`")
    return _sizes((size,))


@composed()
def empty(
    *sizes: Any, size: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """A tensor of the given sizes whose memory is not initialized.

    Sizes one by one or as one sequence; the default float dtype unless `dtype` is given. Under
    `use_deterministic_algorithms` too its contents are whatever was there.
    """
    size = _given(sizes, size)
    if layout is not None and layout is not strided:
        return _sparse(None, size, _dtype(dtype), layout, requires_grad)
    if out is not None:
        return out.resize_(size)
    if memory_format is None:
        memory = _core.empty(size, _dtype(dtype), device)
    else:
        memory = memory_in("empty", size, _dtype(dtype), memory_format, device)
    return _ready(memory, requires_grad)


@composed()
def full(
    size: Any, fill_value: Any, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of shape `size` with one value everywhere.

    Without `dtype` a bool gives bool, an int int64, a float the default float dtype, a complex
    number the complex one of its width.
    """
    if out is not None:
        return out.resize_(size).fill_(fill_value)
    if dtype is None:
        dtype = _core.result_type([fill_value])
    return _ready(_core.full(size, fill_value, dtype, device), requires_grad)


@composed()
def zeros(
    *sizes: Any, size: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of the given sizes, 0 everywhere; the default float dtype unless `dtype` is given.

    Sizes one by one or as one sequence. Raises RuntimeError for a negative size.
    """
    size = _given(sizes, size)
    if layout is not None and layout is not strided:
        return _sparse(None, size, _dtype(dtype), layout, requires_grad)
    if out is not None:
        return out.resize_(size).zero_()
    return _ready(_core.full(size, 0, _dtype(dtype), device), requires_grad)


@composed()
def ones(
    *sizes: Any, size: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of the given sizes, 1 everywhere; the default float dtype unless `dtype` is given.

    Sizes one by one or as one sequence. Raises RuntimeError for a negative size.
    """
    size = _given(sizes, size)
    if out is not None:
        return out.resize_(size).fill_(1)
    return _ready(_core.full(size, 1, _dtype(dtype), device), requires_grad)


@composed()
def empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uninitialized memory of shape `size` whose elements lie `stride` elements apart."""
    size, stride = tuple(size), tuple(stride)
    span = 0 if 0 in size else 1 + sum((n - 1) * s for n, s in zip(size, stride))
    flat = _core.empty((span,), _dtype(dtype), device)
    return _ready(_core.as_strided(flat, size, stride, 0), requires_grad)


@composed()
def empty_permuted(
    size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uninitialized memory of shape `size`, laid out in the order of `physical_layout`.

    The last one named is contiguous. Raises RuntimeError unless each dimension is named once.
    """
    size, order = tuple(size), tuple(physical_layout)
    if sorted(d + len(size) if d < 0 else d for d in order) != [*builtins.range(len(size))]:
        raise RuntimeError(
            "empty_permuted: physical_layout must name each dimension of size once, got "
            f"{list(order)} for a size of {len(size)} dimensions"
        )
    stride, step = [0] * len(size), 1
    for d in reversed(order):
        stride[d] = step
        step *= size[d]
    return empty_strided(size, stride, dtype=dtype, device=device, requires_grad=requires_grad)


def _all_like(
    input: Tensor, value: Any, dtype: Any, memory_format: Any, device: Any
) -> Tensor:
    """One value everywhere, in the shape and layout of input unless a format says else."""
    dtype = input.dtype if dtype is None else dtype
    if memory_format is None:
        return _core.full_like(input, value, dtype, device)
    made = memory_like("full_like", input, dtype, memory_format, device)
    _core.fill_(made, value)
    made._forget_writes()
    return made


@composed()
def empty_like(
    input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uninitialized memory in the shape and, unless `dtype` is given, the dtype of input."""
    if input._layout or (layout is not None and layout is not strided):
        return _sparse(input, input.shape, dtype or input.dtype, layout, requires_grad)
    if input._level:  # inside vmap
        return input.new_empty(input.shape, dtype=dtype, requires_grad=requires_grad)
    memory = memory_like("empty_like", input, dtype or input.dtype, memory_format, device)
    return _ready(memory, requires_grad)


@composed()
def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """`fill_value` everywhere, in the shape and, unless `dtype` is given, the dtype of input."""
    if input._layout:
        raise NotImplementedError("full_like, ones_like: no sparse tensor is the same everywhere")
    if input._level:  # inside vmap
        return input.new_full(input.shape, fill_value, dtype=dtype, requires_grad=requires_grad)
    return _ready(_all_like(input, fill_value, dtype, memory_format, device), requires_grad)


@composed()
def zeros_like(
    input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """0 everywhere, in the shape and, unless `dtype` is given, the dtype of input."""
    if input._layout or (layout is not None and layout is not strided):
        return _sparse(input, input.shape, dtype or input.dtype, layout, requires_grad)
    if input._level:  # inside vmap
        return input.new_zeros(input.shape, dtype=dtype, requires_grad=requires_grad)
    return _ready(_all_like(input, 0, dtype, memory_format, device), requires_grad)


@composed()
def ones_like(
    input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """1 everywhere, in the shape and, unless `dtype` is given, the dtype of input."""
    if input._layout:
        raise NotImplementedError("full_like, ones_like: no sparse tensor is the same everywhere")
    if input._level:  # inside vmap
        return input.new_ones(input.shape, dtype=dtype, requires_grad=requires_grad)
    return _ready(_all_like(input, 1, dtype, memory_format, device), requires_grad)


@composed()
def eye(
    n: int, m: int | None = None, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The (n, m) matrix with 1 on the diagonal and 0 elsewhere; square if `m` is left out."""
    if out is not None:
        device = out
    dtype = _dtype(dtype if out is None else out.dtype)
    result = _core.eye(n, n if m is None else m, dtype, device)
    if out is not None:
        return out.resize_(result.shape).copy_(result)
    return _ready(result, requires_grad)


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else value


@composed()
def arange(
    *args: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False, **bounds: Any,
) -> Tensor:  # fmt: skip
    """start, start + step, ... up to but not including end; `arange(end)` starts at 0, by 1.

    A vector of ceil((end - start) / step) elements, each computed as start + i * step. int64 if all
    three are integers, else the default float dtype. Raises RuntimeError where `step` is 0 or leads
    away from `end`, TypeError without an end.
    """
    start: Any = 0
    end: Any = None
    step: Any = 1
    if len(args) == 1 and "end" in bounds:
        (start,) = args
    elif len(args) == 1:
        (end,) = args
    elif len(args) == 2:
        start, end = args
    elif len(args) == 3:
        start, end, step = args
    start, end = bounds.pop("start", start), bounds.pop("end", end)
    step = bounds.pop("step", step)
    if bounds or end is None:
        raise TypeError(f"arange() takes (start=0, end, step=1), got {args} and {bounds}")
    start, end, step = _number(start), _number(end), _number(step)
    if dtype is None:
        if out is not None:
            dtype = out.dtype
        elif any(isinstance(v, float) for v in (start, end, step)):
            dtype = _core.get_default_dtype()
        else:
            dtype = _core.int64
    if dtype.is_floating_point:  # the length too is computed in double, and cannot overflow
        start, end, step = float(start), float(end), float(step)
    result = _core.arange(start, end, step, dtype)
    if out is not None:
        return out.resize_(result.shape).copy_(result)
    return _made(result, device, requires_grad)


@composed()
def range(
    start: float = 0, end: float = 0, step: float = 1, *, out: Any = None, dtype: Any = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Like :func:`arange`, with the end included. Deprecated, as in PyTorch.

    floor((end - start) / step) + 1 elements, in the default float dtype. Raises RuntimeError where
    `step` is 0 or leads away from `end`.
    """
    start, end, step = _number(start), _number(end), _number(step)
    if step == 0:
        raise RuntimeError("range: step must be nonzero")
    if not math.isfinite((end - start) / step):
        raise RuntimeError(f"range: unsupported range: {start} -> {end}")
    count = math.floor((end - start) / step) + 1
    if count <= 0:
        raise RuntimeError("upper bound and larger bound inconsistent with step sign")
    warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is "
        "inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end)."
    )
    dtype = out.dtype if out is not None else _dtype(dtype)
    result = _core.arange(start, start + step * (count - 0.5), step, dtype)
    if out is not None:
        return out.resize_(result.shape).copy_(result)
    return _made(result, device, requires_grad)


@composed()
def linspace(
    start: Any, end: Any, steps: int, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """`steps` values from start to end, evenly apart, both ends included: a vector.

    The default float dtype, or a complex one. The second half is counted back from `end`, so that
    both ends are exact. Raises RuntimeError for negative `steps`.
    """
    start, end = _number(start), _number(end)
    if dtype is None:
        dtype = _core.result_type([1.0, start, end]) if out is None else out.dtype
    result = _core.linspace(start, end, steps, dtype)
    if out is not None:
        return out.resize_(result.shape).copy_(result)
    return _made(result, device, requires_grad)


@composed()
def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, out: Any = None, dtype: Any = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """base^x for `steps` values of x from start to end, evenly apart; as :func:`linspace`."""
    start, end = _number(start), _number(end)
    if dtype is None:
        dtype = _core.result_type([1.0, start, end]) if out is None else out.dtype
    if not (dtype.is_complex or dtype.is_floating_point):
        start, end = int(start), int(end)
    wide = _core.complex128 if dtype.is_complex else _core.float64
    powers = _core.pow(base, _core.linspace(start, end, steps, wide))
    result = _core.to_dtype(powers, dtype)
    if out is not None:
        return out.resize_(result.shape).copy_(result)
    return _made(result, device, requires_grad)


# ---- like this tensor


def _new(name: str, make: Any) -> None:
    def method(
        self: Tensor, *size: Any, dtype: Any = None, device: Any = None, layout: Any = None,
        requires_grad: bool = False, pin_memory: bool = False, **named: Any,
    ) -> Tensor:  # fmt: skip
        if "size" in named:
            size = (named["size"],)
        if self._layout and name != "new_ones":
            return _sparse(None, _sizes(size), dtype or self.dtype, self.layout, requires_grad)
        where = self if device is None else device
        return _ready(make(_sizes(size), dtype or self.dtype, where), requires_grad)

    method.__name__ = name
    method.__doc__ = f"{name[4:]} in the dtype of this tensor."
    setattr(Tensor, name, method)


_new("new_empty", _core.empty)
_new("new_zeros", lambda size, dtype, device: _core.full(size, 0, dtype, device))
_new("new_ones", lambda size, dtype, device: _core.full(size, 1, dtype, device))


def _new_full(
    self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None,
    layout: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """One value everywhere in the dtype of this tensor."""
    where = self if device is None else device
    return _ready(_core.full(size, fill_value, dtype or self.dtype, where), requires_grad)


def _new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    layout: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """`tensor(data)` in the dtype of this tensor."""
    if isinstance(data, Tensor):
        warn(_COPY.format("tensor.new_tensor"))
        data = data.detach()
        return _made(_core.tensor_from_data(data, dtype or data.dtype), device, requires_grad)
    where = self.device if device is None else device
    return tensor(data, dtype=dtype or self.dtype, device=where, requires_grad=requires_grad)


def _new_empty_strided(self: Tensor, size: Any, stride: Any, **kwargs: Any) -> Tensor:
    """Uninitialized memory with the given strides in the dtype of this tensor."""
    kwargs["dtype"] = kwargs.get("dtype") or self.dtype
    kwargs["device"] = kwargs.get("device") or self.device
    return empty_strided(size, stride, **kwargs)


Tensor.new_full = _new_full
Tensor.new_tensor = _new_tensor
Tensor.new_empty_strided = _new_empty_strided


def _resize_(self: Tensor, *sizes: Any, size: Any = None, memory_format: Any = None) -> Tensor:
    """Another shape in place; keeps the elements that fit, new ones are uninitialized."""
    if self._layout:
        raise NotImplementedError(
            f"resize_: a tensor of layout {self.layout}; sparse_resize_ changes the size of COO"
        )
    size = _given(sizes, size)
    if not all(isinstance(n, int) for n in size):
        raise TypeError(f"resize_(): expected sizes that are integers, got {size}")
    if self.requires_grad and not self.is_leaf:
        raise RuntimeError("cannot resize variables that require grad")
    count = math.prod(size)
    if _core.storage_nbytes(self) >= (self.storage_offset() + count) * self.element_size():
        stride: list[int] = []
        step = 1
        for n in reversed(size):
            stride.insert(0, step)
            step *= max(n, 1)
        self._set_array(_core.as_strided(self.detach(), size, stride, self.storage_offset()))
        return self
    grown = _core.empty(size, self.dtype, self)
    kept = min(count, self.numel())
    if kept:
        flat = _core.as_strided(grown, (kept,), (1,), 0)
        _core.copy_(flat, _core.reshape(self.detach().contiguous(), (-1,))[:kept])
    self._set_array(grown)
    return self


Tensor.resize_ = _resize_


@composed(method=True)
def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """`input.resize_` to the shape of another tensor."""
    return _resize_(input, the_template.shape)


@composed()
def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule on the memory of a tensor, for another library's `from_dlpack`.

    Raises BufferError for a tensor that requires grad: detach it first.
    """
    return tensor.__dlpack__()


