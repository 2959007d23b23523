"""Complex numbers: conjugates, parts as views, and making them from parts.

Gradients follow PyTorch's convention: for a real loss L and z = x + iy, the gradient is
dL/dx + i dL/dy. A holomorphic f then maps grad to grad * conj(f'(z)).
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.shape import as_strided
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight._core import dtype as DType


def _c(value: Any) -> Any:
    """The conjugate where there is one: gradients of complex functions need it."""
    if isinstance(value, Tensor):
        return conj_physical(value) if value.dtype.is_complex else value
    return value.conjugate() if isinstance(value, builtins.complex) else value


@op(_core.conj_physical, inplace=True, out=True)
def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate, in memory of its own; real numbers as they are."""


conj_physical.vjp(input=lambda grad: _c(grad))


@composed(method=True)
def conj(input: Tensor) -> Tensor:
    """The complex conjugate; a real tensor is returned as it is.

    Always computed, never only marked.
    """
    return conj_physical(input) if input.dtype.is_complex else input


@composed(method=True)
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugates are computed, never only marked."""
    return input


@composed(method=True)
def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself: negations are computed, never only marked."""
    return input


@composed(method=True)
def is_conj(input: Tensor) -> bool:
    """False: conjugates are computed, never only marked."""
    return False


@composed(method=True)
def is_neg(input: Tensor) -> bool:
    """False: negations are computed, never only marked."""
    return False


# ---- parts


@op(_core.view_as_real, view=True, method=False)
def view_as_real(input: Tensor) -> Tensor:
    """A view of complex numbers as pairs (real, imaginary): (*) -> (*, 2).

    Raises RuntimeError for a real dtype.
    """


view_as_real.vjp(input=lambda grad: view_as_complex(grad.contiguous()))


@op(_core.view_as_complex, view=True, method=False)
def view_as_complex(input: Tensor) -> Tensor:
    """A view of pairs (real, imaginary) as complex numbers: (*, 2) -> (*).

    Raises RuntimeError unless the dtype is float32 or float64, the last dimension is 2 long and
    contiguous, and other strides and the offset are even.
    """


view_as_complex.vjp(input=lambda grad: view_as_real(grad))


@composed()
def real(input: Tensor) -> Tensor:
    """The real part, as a view; a real tensor is returned as it is."""
    return view_as_real(input).select(-1, 0) if input.dtype.is_complex else input


@composed()
def imag(input: Tensor) -> Tensor:
    """The imaginary part, as a view. Raises RuntimeError for a real dtype."""
    if not input.dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return view_as_real(input).select(-1, 1)


def _set_real(self: Tensor, value: Any) -> None:
    real(self).copy_(value if isinstance(value, Tensor) else _core.full((), value, self.dtype))


def _set_imag(self: Tensor, value: Any) -> None:
    imag(self).copy_(value if isinstance(value, Tensor) else _core.full((), value, self.dtype))


Tensor.real = property(real, _set_real)  # type: ignore[assignment]
Tensor.imag = property(imag, _set_imag)  # type: ignore[assignment]


@op(out=True)
def angle(input: Tensor) -> Tensor:
    """The angle of a complex number in radians, from -pi to pi; of real ones 0, or pi below 0.

    The derivative of real numbers is 0. Integers give the default float dtype.
    """
    result = _core.angle(input)
    return _core.to_dtype(result, result.dtype.to_real())


def _angle_gradient(grad: Tensor, input: Tensor) -> Tensor:
    if not input.dtype.is_complex:
        return _core.full(grad.shape, 0, grad.dtype)
    return (grad * 1j * input / input.abs().square()).masked_fill(input == 0, 0.0)


angle.vjp(input=_angle_gradient)


# ---- from parts


@op(_core.complex, method=False, out="exact")
def complex(real: Tensor, imag: Tensor) -> Tensor:
    """real + imag * i. Shapes broadcast; float32 gives complex64, float64 complex128.

    Raises RuntimeError for other dtypes, or two that differ.
    """


complex.vjp(real=lambda grad: real(grad), imag=lambda grad: imag(grad))


@composed(out="exact", float32=True)
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """abs * (cos(angle) + i sin(angle)), with angles in radians. Shapes broadcast.

    float32 and integers give complex64, float64 complex128.
    """
    for name, value in (("abs", abs), ("angle", angle)):
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            raise TypeError(f"polar(): argument '{name}' must be Tensor, not {kind}")
    return complex(abs * angle.cos(), abs * angle.sin())


# ---- views of another dtype


def retyped(memory: Tensor, dtype: DType) -> Tensor:
    """The same memory read as complex numbers or as pairs of real ones, recorded."""
    if memory.dtype is dtype:
        return memory
    return view_as_real(memory) if memory.dtype.is_complex else view_as_complex(memory)


def _view_again(base: Tensor, view: Tensor) -> Tensor:
    """The place of a view in its base, of which it may be the real or the imaginary part."""
    memory = retyped(base, view.dtype)
    return as_strided(memory, view.shape, view.stride(), view.storage_offset())


_core.set_callbacks(view_again=_view_again)
