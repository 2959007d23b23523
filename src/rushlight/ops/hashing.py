"""A number that tells whether two tensors are the same, bit for bit."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import op
from rushlight.ops.create import from_numpy
from rushlight.ops.shape import axis_of
from rushlight.tensor import Tensor


@op(out=True)
def hash_tensor(input: Tensor, dim: Any = (), *, keepdim: bool = False, mode: int = 0) -> Tensor:
    """The exclusive or of the bits of all elements, as uint64; without a derivative.

    Floats are taken as float64, integers and bool as int64, and these 64 bits as they are.

    Args:
        input: real numbers.
        dim: an int or several: these dimensions are reduced; all for ().
        keepdim: keep reduced dimensions, with size 1.
        mode: 0, the only one that there is.

    Raises:
        NotImplementedError: complex numbers.
        RuntimeError: another mode, or no elements where no dimension is named.
        IndexError: a reduced dimension without elements, in a result that has some.
    """
    import numpy as np

    if mode != 0:
        raise RuntimeError(f"Unknown hash_tensor mode: {mode}; there is 0, the exclusive or")
    if input.dtype.is_complex:
        raise NotImplementedError(f"hash_tensor: not implemented for {input.dtype}")
    given = (dim,) if isinstance(dim, int) else tuple(() if dim is None else dim)
    axes = tuple(axis_of(one, input.ndim) for one in given)
    if not axes and input.numel() == 0:
        raise RuntimeError(
            "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify "
            f"the reduction dim with the 'dim' argument; the shape is {list(input.shape)}"
        )
    axes = axes if axes and input.ndim else tuple(range(input.ndim))
    kept = [size for axis, size in enumerate(input.shape) if axis not in axes]
    for axis in axes:
        if input.ndim and input.shape[axis] == 0 and 0 not in kept:
            raise IndexError(
                f"hash_tensor: Expected reduction dim {axis} to have non-zero size; the shape is "
                f"{list(input.shape)}"
            )
    wide = _core.float64 if input.dtype.is_floating_point else _core.int64
    bits = input.contiguous().to(wide).numpy().view(np.uint64)
    combine: Any = np.bitwise_xor  # whose stub knows keepdims by its value only
    result = combine.reduce(bits, axis=axes, keepdims=keepdim)
    return from_numpy(np.array(result, dtype=np.uint64))
