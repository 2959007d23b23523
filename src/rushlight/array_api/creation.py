"""Making arrays."""

from __future__ import annotations

from typing import Any

import rushlight as rl
from rushlight.array_api.arrays import gives_arrays
from rushlight.dtypes import check_device
from rushlight.tensor import Tensor


@gives_arrays
def arange(
    start: float, /, stop: float | None = None, step: float = 1, *, dtype: Any = None,
    device: Any = None,
) -> Tensor:  # fmt: skip
    """start, start + step, ... below stop; from 0 where stop is left out. May be empty."""
    if stop is None:
        start, stop = 0, start
    if dtype is None and any(isinstance(number, float) for number in (start, stop, step)):
        dtype = rl.get_default_dtype()
    length = stop - start
    if length * step < 0:
        stop = start  # empty, where PyTorch raises
    elif abs(step) > abs(length) > 0:
        step = length  # one element, whatever the step is: so large a step could overflow
    return rl.arange(start, stop, step, dtype=dtype, device=device)


@gives_arrays
def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Tensor:
    """An array of numbers, nested sequences, arrays, buffers or DLPack objects.

    copy: True always copies, False raises where sharing memory is impossible. An array keeps its
    history.
    """
    check_device(device)
    if isinstance(obj, Tensor):
        converted = obj if dtype is None else obj.to(dtype)
        if copy is False and converted is not obj:
            raise ValueError(f"asarray: {obj.dtype} cannot become {dtype} without a copy")
        return converted.clone() if copy and converted is obj else converted
    try:
        memoryview(obj)
    except TypeError:
        return rl.asarray(obj, dtype=dtype, copy=copy)
    import numpy  # which reads buffers as what they say they hold

    return rl.asarray(numpy.asarray(obj), dtype=dtype, copy=copy)


@gives_arrays
def from_dlpack(x: Any, /, *, device: Any = None, copy: Any = None) -> Tensor:
    """An array on the memory of another library's, or on a copy of it."""
    check_device(device)
    return rl.from_dlpack(x) if copy is None else rl.from_dlpack(x, copy=copy)


@gives_arrays
def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array whose values nobody has set."""
    return rl.empty(shape, dtype=dtype, device=device)


@gives_arrays
def empty_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The same with the shape of x."""
    return rl.empty_like(x, dtype=dtype, device=device)


@gives_arrays
def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None
) -> Tensor:
    """Ones on the k-th diagonal, zeros elsewhere; square where n_cols is left out."""
    columns = rl.arange(n_rows if n_cols is None else n_cols, device=device)
    ones = rl.arange(n_rows)[:, None] + k == columns
    return ones.to(rl.get_default_dtype() if dtype is None else dtype)


@gives_arrays
def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of one value."""
    shape = (shape,) if isinstance(shape, int) else shape
    return rl.full(shape, fill_value, dtype=dtype, device=device)


@gives_arrays
def full_like(x: Tensor, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The same with the shape, and unless given the dtype, of x."""
    return rl.full_like(x, fill_value, dtype=dtype, device=device)


@gives_arrays
def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None,
    endpoint: bool = True,
) -> Tensor:  # fmt: skip
    """num values in equal steps from start to stop, or to the step before it."""
    if endpoint:
        return rl.linspace(start, stop, num, dtype=dtype, device=device)
    return rl.linspace(start, stop, num + 1, dtype=dtype, device=device)[:num]


@gives_arrays
def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Of n vectors, n arrays of n dimensions that hold the coordinates of a grid."""
    return list(rl.meshgrid(*arrays, indexing=indexing)) if arrays else []


@gives_arrays
def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of ones."""
    return rl.ones(shape, dtype=dtype, device=device)


@gives_arrays
def ones_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The same with the shape of x."""
    return rl.ones_like(x, dtype=dtype, device=device)


@gives_arrays
def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Matrices with zeros above the k-th diagonal."""
    return rl.tril(x, k)


@gives_arrays
def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Matrices with zeros below the k-th diagonal."""
    return rl.triu(x, k)


@gives_arrays
def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of zeros."""
    return rl.zeros(shape, dtype=dtype, device=device)


@gives_arrays
def zeros_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The same with the shape of x."""
    return rl.zeros_like(x, dtype=dtype, device=device)
