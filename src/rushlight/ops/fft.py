"""Discrete Fourier transforms; the derivative of each is another one.

Three transforms are declared as ops: complex to complex, real to complex (half of the spectrum) and
complex (half of the spectrum) to real. The functions of torch.fft are made of these. `norm` says
where the factor 1 / n is: "backward" (in the inverse), "forward" or "ortho" (its root in both).
"""

from __future__ import annotations

from math import prod, sqrt
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.complex import _c
from rushlight.ops.create import _made
from rushlight.ops.padding import constant_pad_nd
from rushlight.ops.reorder import roll
from rushlight.ops.shape import axis_of
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

_INNER: dict[str, Any] = {"public": False, "method": False}
# Seen from the other direction, the factor is on the other side.
_OTHER_SIDE = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


def _scale(norm: str, forward: bool, sizes: Sequence[int]) -> float:
    """The factor of a transform."""
    if norm == "ortho":
        return 1 / sqrt(prod(sizes))
    return 1 / prod(sizes) if (norm == "forward") == forward else 1.0


def _complex(dtype: Any) -> Any:
    return dtype if dtype.is_complex else dtype.to_complex()


# ---- the transforms


@op(node="FftC2CBackward0", **_INNER)
def _c2c(input: Tensor, dims: tuple, norm: str, forward: bool) -> Tensor:
    """The transform of all frequencies of a complex or real tensor."""
    if not dims:
        return _core.to_dtype(_core.clone(input), _complex(input.dtype))
    scale = _scale(norm, forward, [input.shape[d] for d in dims])
    return _core.fft_c2c(input, dims, not forward, scale)


def _c2c_gradient(grad: Tensor, input_dtype: Any, dims: tuple, norm: str, forward: bool) -> Tensor:
    found = _c2c(grad, dims, _OTHER_SIDE[norm], not forward)
    return found if input_dtype.is_complex else found.real


_c2c.vjp(input=_c2c_gradient)


@op(node="FftR2CBackward0", **_INNER)
def _r2c(input: Tensor, dims: tuple, norm: str) -> Tensor:
    """The forward transform of a real tensor: of the last of `dims` the first half."""
    if input.numel() == 0:
        shape = list(input.shape)
        shape[dims[-1]] = shape[dims[-1]] // 2 + 1
        return _core.full(shape, 0, _complex(input.dtype), input)
    return _core.fft_r2c(input, dims, _scale(norm, True, [input.shape[d] for d in dims]))


def _r2c_gradient(grad: Tensor, input_shape: Any, dims: tuple, norm: str) -> Tensor:
    whole = _resized(grad, dims[-1:], (input_shape[dims[-1]],))
    return _c2c(whole, dims, _OTHER_SIDE[norm], False).real


_r2c.vjp(input=_r2c_gradient)


@op(node="FftC2RBackward0", **_INNER)
def _c2r(input: Tensor, dims: tuple, norm: str, size: int) -> Tensor:
    """The inverse transform to a real tensor, with `size` elements along the last of `dims`."""
    if input.numel() == 0:
        shape = list(input.shape)
        shape[dims[-1]] = size
        return _core.full(shape, 0, input.dtype.to_real(), input)
    sizes = [*(input.shape[d] for d in dims[:-1]), size]
    return _core.fft_c2r(input, dims, size, _scale(norm, False, sizes))


def _c2r_gradient(grad: Tensor, input_dtype: Any, dims: tuple, norm: str, size: int) -> Tensor:
    half = _r2c(grad, dims, _OTHER_SIDE[norm])
    # Each element stands for two frequencies, but for the first and, in an even size, the last.
    weight = _core.full((half.shape[dims[-1]],), 2, grad.dtype)
    _core.fill_(_core.select(weight, 0, 0), 1)
    if size % 2 == 0:
        _core.fill_(_core.select(weight, 0, -1), 1)
    behind = half.ndim - 1 - dims[-1]
    found = half * weight.reshape((-1,) + (1,) * behind)
    return found if input_dtype.is_complex else found.real


_c2r.vjp(input=_c2r_gradient)

# ---- arguments


def _prepared(name: str, input: Tensor) -> Tensor:
    """In a dtype that has transforms."""
    dtype = input.dtype
    if dtype in (_core.float32, _core.float64, _core.complex64, _core.complex128):
        return input
    if dtype.is_floating_point:
        raise RuntimeError(
            f"{name}: Unsupported dtype {dtype}: convert to float32 or float64 first"
        )
    return input.to(_core.get_default_dtype())


def _real(name: str, input: Tensor) -> Tensor:
    if input.dtype.is_complex:
        raise RuntimeError(f"{name} expects a real input tensor, but got {input.dtype}")
    return _prepared(name, input)


def _norm(norm: str | None) -> str:
    if norm is None:
        return "backward"
    if norm not in _OTHER_SIDE:
        raise RuntimeError(
            f'Invalid normalization mode: "{norm}", expected "forward", "backward" or "ortho"'
        )
    return norm


def _axis(input: Tensor, dim: int) -> int:
    if not input.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return axis_of(dim, input.ndim)


def _points(count: int) -> int:
    if count < 1:
        raise RuntimeError(f"Invalid number of data points ({count}) specified")
    return count


def _shape(input: Tensor, s: Any, dim: Any) -> tuple[tuple, list]:
    """(axes, sizes) that the arguments of a transform over several dimensions stand for."""
    s = [s] if isinstance(s, int) else s
    dim = [dim] if isinstance(dim, int) else dim
    if dim is not None:
        axes = tuple(_axis(input, d) for d in dim)
        if len(set(axes)) < len(axes):
            raise RuntimeError(f"FFT dims must be unique, got dim={list(dim)}")
        if s is not None and len(s) != len(axes):
            raise RuntimeError(
                "When given, dim and shape arguments must have the same length, got "
                f"dim={list(dim)} and s={list(s)}"
            )
    elif s is not None:
        if len(s) > input.ndim:
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {input.ndim} dimensions."
            )
        axes = tuple(range(input.ndim - len(s), input.ndim))
    else:
        axes = tuple(range(input.ndim))
    if s is None:
        sizes = [input.shape[d] for d in axes]
    else:
        sizes = [input.shape[d] if n == -1 else n for d, n in zip(axes, s)]
    for size in sizes:
        _points(size)
    return axes, sizes


def _resized(input: Tensor, dims: tuple, sizes: Any) -> Tensor:
    """Cut off or filled up with zeros at the end of each of `dims`."""
    sides = [0] * (2 * input.ndim)
    for d, size in zip(dims, sizes):
        sides[2 * (input.ndim - 1 - d) + 1] = size - input.shape[d]
    return constant_pad_nd(input, sides) if any(sides) else input


# ---- one dimension


@composed(out=True, public=False, float32=True)
def fft_fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The discrete Fourier transform.

    Args:
        input: real or complex.
        n: the size of the transform; the input is cut off or filled up with zeros to it.
        dim: the dimension.
        norm: "backward" (no factor, the default), "ortho" (1 / sqrt(n)) or "forward" (1 / n).

    result[k] = factor * sum over j of input[j] exp(-2 pi i j k / n), complex; integers count as the
    default float dtype.

    Raises:
        RuntimeError: n < 1, or for another `norm`.
        IndexError: `dim` is not there.
    """
    return _full("fft", input, n, dim, norm, True)


@composed(out=True, public=False, float32=True)
def fft_ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `fft`: (1 / n) sum over k of X[k] exp(2 pi i j k / n), complex.

    Arguments as of `fft`; the factor is 1 / n for norm="backward" or None.
    """
    return _full("ifft", input, n, dim, norm, False)


def _full(name: str, input: Tensor, n: Any, dim: int, norm: Any, forward: bool) -> Tensor:
    input = _prepared(name, input)
    axis = _axis(input, dim)
    size = _points(input.shape[axis] if n is None else n)
    return _c2c(_resized(input, (axis,), (size,)), (axis,), _norm(norm), forward)


@composed(out=True, public=False, float32=True)
def fft_rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """`fft` of a real tensor: the n // 2 + 1 frequencies that determine the others.

    Arguments as of `fft`. Raises RuntimeError for complex numbers.
    """
    input = _real("rfft", input)
    axis = _axis(input, dim)
    size = _points(input.shape[axis] if n is None else n)
    return _r2c(_resized(input, (axis,), (size,)), (axis,), _norm(norm))


@composed(out=True, public=False, float32=True)
def fft_irfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None
) -> Tensor:
    """The inverse of `rfft`, real; n, the size of the result, is 2 * (m - 1) by default.

    So an odd size has to be given. The imaginary parts of frequency 0 and, for even n, of the last
    are ignored.
    """
    return _half("irfft", input, n, dim, _norm(norm))


@composed(out=True, public=False, float32=True)
def fft_hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """`fft` of a signal with Hermitian symmetry, given by its first half: real.

    n, the size of the result, is 2 * (m - 1) by default.
    """
    return _half("hfft", _c(input), n, dim, _OTHER_SIDE[_norm(norm)])


def _half(name: str, input: Tensor, n: Any, dim: int, norm: str) -> Tensor:
    input = _prepared(name, input)
    axis = _axis(input, dim)
    size = _points(2 * (input.shape[axis] - 1) if n is None else n)
    return _c2r(_resized(input, (axis,), (size // 2 + 1,)), (axis,), norm, size)


@composed(out=True, public=False, float32=True)
def fft_ihfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None
) -> Tensor:
    """The inverse of `hfft`: of a real signal, the first n // 2 + 1 values of the result."""
    input = _real("ihfft", input)
    axis = _axis(input, dim)
    size = _points(input.shape[axis] if n is None else n)
    return _c(_r2c(_resized(input, (axis,), (size,)), (axis,), _OTHER_SIDE[_norm(norm)]))


# ---- several dimensions


def _full_n(name: str, input: Tensor, s: Any, dim: Any, norm: Any, forward: bool) -> Tensor:
    input = _prepared(name, input)
    axes, sizes = _shape(input, s, dim)
    return _c2c(_resized(input, axes, sizes), axes, _norm(norm), forward)


@composed(out=True, public=False, float32=True)
def fft_fftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fft` over several dimensions.

    Args:
        input: real or complex.
        s: the sizes of the transform, -1 for that of the input.
        dim: the dimensions; the last len(s), or all, by default.
        norm: as of `fft`, with the product of the sizes for n.

    Raises:
        RuntimeError: a dimension is named twice, a size is not positive, or for another `norm`.
    """
    return _full_n("fftn", input, s, dim, norm, True)


@composed(out=True, public=False, float32=True)
def fft_ifftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `fftn`; arguments as of it."""
    return _full_n("ifftn", input, s, dim, norm, False)


def _at_least_one(name: str, axes: tuple) -> None:
    if not axes:
        raise RuntimeError(f"{name} must transform at least one axis")


def _real_n(name: str, input: Tensor, s: Any, dim: Any, norm: str) -> Tensor:
    input = _real(name, input)
    axes, sizes = _shape(input, s, dim)
    _at_least_one(name, axes)
    return _r2c(_resized(input, axes, sizes), axes, norm)


def _half_n(name: str, input: Tensor, s: Any, dim: Any, norm: str) -> Tensor:
    input = _prepared(name, input)
    axes, sizes = _shape(input, s, dim)
    _at_least_one(name, axes)
    given = None if s is None else s if isinstance(s, int) else s[-1]
    if given is None or given == -1:
        sizes[-1] = _points(2 * (input.shape[axes[-1]] - 1))
    size = sizes[-1]
    return _c2r(_resized(input, axes, [*sizes[:-1], size // 2 + 1]), axes, norm, size)


@composed(out=True, public=False, float32=True)
def fft_rfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fftn` of a real tensor: of the last dimension the first half of the frequencies.

    Arguments as of `fftn`. Raises RuntimeError for complex numbers.
    """
    return _real_n("rfftn", input, s, dim, _norm(norm))


@composed(out=True, public=False, float32=True)
def fft_irfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `rfftn`, real; the last size is 2 * (m - 1) by default."""
    return _half_n("irfftn", input, s, dim, _norm(norm))


@composed(out=True, public=False, float32=True)
def fft_hfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fftn` of a signal with Hermitian symmetry, real.

    It is given by the first half of its last dimension.
    """
    return _half_n("hfftn", _c(input), s, dim, _OTHER_SIDE[_norm(norm)])


@composed(out=True, public=False, float32=True)
def fft_ihfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `hfftn`: of the last dimension the first half of the result."""
    return _c(_real_n("ihfftn", input, s, dim, _OTHER_SIDE[_norm(norm)]))


def _two_dimensions(name: str, over_several: Any) -> Any:
    def transform(
        input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None
    ) -> Tensor:
        return over_several(input, s, dim, norm)

    transform.__name__ = f"fft_{name}2"
    transform.__doc__ = f"`{name}n` over two dimensions, by default the last."
    return composed(out=True, public=False, float32=True)(transform)


fft_fft2 = _two_dimensions("fft", fft_fftn)
fft_ifft2 = _two_dimensions("ifft", fft_ifftn)
fft_rfft2 = _two_dimensions("rfft", fft_rfftn)
fft_irfft2 = _two_dimensions("irfft", fft_irfftn)
fft_hfft2 = _two_dimensions("hfft", fft_hfftn)
fft_ihfft2 = _two_dimensions("ihfft", fft_ihfftn)

# ---- frequencies


def _frequencies(
    name: str, places: Tensor, n: int, d: float, out: Any, dtype: Any, device: Any,
    requires_grad: bool,
) -> Tensor:  # fmt: skip
    if dtype is None:
        dtype = _core.get_default_dtype() if out is None else out.dtype
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(f"{name} requires a floating point or complex dtype, got {dtype}")
    result = _core.mul(_core.to_dtype(places, dtype), 1.0 / (n * d))
    if out is not None:
        return out.resize_(result.shape).copy_(result)
    return _made(result, device, requires_grad)


@composed(public=False)
def fft_fftfreq(
    n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of `fft`'s result in cycles per unit: 0, 1, ..., -2, -1 over n * d.

    Args:
        n: the size of the transform.
        d: the distance of samples.
    """
    positive = (n + 1) // 2
    places = roll(_core.arange(-(n // 2), positive, 1, _core.int64), positive, 0)
    return _frequencies("fftfreq", places, n, d, out, dtype, device, requires_grad)


@composed(public=False)
def fft_rfftfreq(
    n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of `rfft`'s result, in cycles per unit of `d`: 0, 1, ..., n // 2 over n * d.

    `d`: the time between samples, 1 by default.
    """
    places = _core.arange(0, n // 2 + 1, 1, _core.int64)
    return _frequencies("rfftfreq", places, n, d, out, dtype, device, requires_grad)


def _shift(input: Tensor, dim: Any, forward: bool) -> Tensor:
    dims = list(range(input.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if not dims:
        return input
    half = [input.shape[_axis(input, d)] for d in dims]
    return roll(input, [n // 2 if forward else (n + 1) // 2 for n in half], dims)


@composed(public=False)
def fft_fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Rolled along `dim` (an int, several, None for all) so that frequency 0 is in the middle."""
    return _shift(input, dim, True)


@composed(public=False)
def fft_ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of `fftshift`, from which it differs for odd sizes."""
    return _shift(input, dim, False)
