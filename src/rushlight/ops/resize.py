"""Interpolation: signals, images and volumes of another size."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

import rushlight
from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.warned import warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor


@op(_core.resample, public=False, method=False)
def _resample(
    input: Tensor,
    sizes: Sequence[int],
    mode: str,
    factors: Sequence[float],
    align_corners: bool,
    antialias: bool,
) -> Tensor:
    """`input` with other sizes along its last axes: weighted sums of neighbours."""


@op(_core.resample_adjoint, public=False, method=False)
def _resample_adjoint(
    grad: Tensor,
    sizes: Sequence[int],
    mode: str,
    factors: Sequence[float],
    align_corners: bool,
    antialias: bool,
) -> Tensor:
    """The transposed map of `_resample`, from its results to `sizes`."""


def _resample_gradient(
    grad: Tensor, input_shape: tuple, sizes: Sequence[int], mode: str, factors: Sequence[float],
    align_corners: bool, antialias: bool,
) -> Tensor:  # fmt: skip
    own = input_shape[-len(sizes) :]
    return _resample_adjoint(grad, own, mode, factors, align_corners, antialias)


# The formula's first argument is the gradient of the result, whatever the op's own are called.
def _adjoint_gradient(
    cotangent: Tensor, grad_shape: tuple, sizes: Sequence[int], mode: str,
    factors: Sequence[float], align_corners: bool, antialias: bool,
) -> Tensor:  # fmt: skip
    own = grad_shape[-len(sizes) :]
    return _resample(cotangent, own, mode, factors, align_corners, antialias)


_resample.vjp(input=_resample_gradient)
_resample_adjoint.vjp(grad=_adjoint_gradient)

# What a mode does along each axis, and the number of axes that it takes; 0: any.
_MODES = {
    "nearest": ("nearest", 0),
    "nearest-exact": ("nearest-exact", 0),
    "linear": ("linear", 1),
    "bilinear": ("linear", 2),
    "trilinear": ("linear", 3),
    "bicubic": ("cubic", 2),
    "lanczos": ("lanczos", 2),
}
_SMOOTH = ("linear", "bilinear", "bicubic", "trilinear")
_ANTIALIASED = ("bilinear", "bicubic", "lanczos")


@composed(public=False)
def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """`input` resized along its last 1, 2 or 3 axes.

    Args:
        input: (N, C, W), (N, C, H, W) or (N, C, D, H, W).
        size: the new sizes, or one for all axes.
        scale_factor: instead of `size`; new sizes are rounded down.
        mode: "nearest", "nearest-exact", "linear" (3-D input), "bilinear", "bicubic" (Keys 1981),
            "lanczos" (4-D), "trilinear" (5-D), or "area" (means of blocks).
        align_corners: whether the outermost elements keep their places; only for the linear and
            cubic modes.
        recompute_scale_factor: whether the rounded sizes decide about positions, instead of the
            factor.
        antialias: widen the filter when the result is smaller, as image libraries do.

    Raises:
        ValueError: neither or both of size and scale_factor; the wrong number of either; an option
            that the mode does not have.
        NotImplementedError: the mode does not fit the number of axes.
        RuntimeError: a size of 0.
    """
    spatial = input.ndim - 2
    if align_corners is not None and mode not in _SMOOTH:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: "
            + " | ".join(_SMOOTH)
        )
    sizes, factors = _targets(input, size, scale_factor, spatial)
    if recompute_scale_factor:
        if size is not None:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        factors = [0.0] * spatial
    if antialias and not (mode in _ANTIALIASED and input.ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    if mode == "area" and spatial in (1, 2, 3):
        pools = rushlight.nn.functional
        pool = (pools.adaptive_avg_pool1d, pools.adaptive_avg_pool2d, pools.adaptive_avg_pool3d)
        return pool[spatial - 1](input, sizes)
    along, axes = _MODES.get(mode, ("", 0))
    if not along or spatial not in (1, 2, 3):
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got "
            f"{input.ndim}D) for the modes: {' | '.join((*_MODES, 'area'))} (got {mode})"
        )
    if axes and axes != spatial:
        raise NotImplementedError(
            f"Got {input.ndim}D input, but {mode} mode needs {axes + 2}D input"
        )
    if 0 in sizes or 0 in input.shape[2:]:
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input "
            f"{list(input.shape[2:])} and output {sizes}"
        )
    same = all(n == old and f in (0.0, 1.0) for n, old, f in zip(sizes, input.shape[2:], factors))
    if same and (not antialias or input.dtype is rushlight.uint8):
        return input.clone()  # new memory, as of every other size
    whole = not (input.dtype.is_floating_point or input.dtype.is_complex)
    if input.dtype is rushlight.uint8 and spatial == 2 and not along.startswith("nearest"):
        return _pixels(input, sizes, along, factors, bool(align_corners), antialias)
    values = _resample(
        input.float() if whole else input, sizes, along, factors, bool(align_corners), antialias
    )
    if not whole:
        return values
    if along.startswith("nearest"):
        return values.to(input.dtype)
    info = rushlight.iinfo(input.dtype)
    return values.round().clamp(info.min, info.max).to(input.dtype)


def _pixels(
    input: Tensor,
    sizes: list[int],
    along: str,
    factors: list[float],
    align_corners: bool,
    antialias: bool,
) -> Tensor:
    """Images of bytes: first along the width, then along the height, bytes in between.

    As PyTorch does it, with integers: weights are rounded to as many binary places as make the
    largest one a number of 15 bits.
    """
    for axis in (1, 0):
        old, new = input.shape[2 + axis], sizes[axis]
        if old == new and factors[axis] in (0.0, 1.0):
            continue
        weights = _resample(
            rushlight.eye(old, dtype=rushlight.float64), [new], along, [factors[axis]],
            align_corners, antialias,
        )  # fmt: skip
        largest, places = float(weights.max()), 0
        while places < 22 and int(0.5 + largest * 2 ** (places + 1)) < 2**15:
            places += 1
        scaled = weights * 2**places
        taps = (scaled + scaled.sign() * 0.5).trunc()
        pixels = input.double()  # in which these sums are exact
        sums = pixels @ taps if axis else taps.mT @ pixels
        rounded = ((sums + 2 ** (places - 1)) / 2**places).floor()
        input = rounded.clamp(0, 255).to(rushlight.uint8)
    return input


def _targets(
    input: Tensor,
    size: int | Sequence[int] | None,
    scale_factor: float | Sequence[float] | None,
    spatial: int,
) -> tuple[list[int], list[float]]:
    """The new sizes, and the factors that positions follow (0: what the sizes say)."""
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        sizes = [size] * spatial if isinstance(size, int) else [int(s) for s in size]
        if len(sizes) != spatial:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input "
                f"with spatial dimensions of {list(input.shape[2:])} and output size of {size}. "
                "Please provide input tensor in (N, C, d1, d2, ...,dK) format and output size in "
                "(o1, o2, ...,oK) format."
            )
        return sizes, [0.0] * spatial
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    one = isinstance(scale_factor, (int, float))
    factors = [float(scale_factor)] * spatial if one else [float(f) for f in scale_factor]  # type: ignore[arg-type, union-attr]
    if len(factors) != spatial:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input "
            f"with spatial dimensions of {list(input.shape[2:])} and scale_factor of shape "
            f"{scale_factor}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
            "scale_factor in (s1, s2, ...,sK) format."
        )
    return [floor(n * f) for n, f in zip(input.shape[2:], factors)], factors


def _deprecated(name: str) -> None:
    warn(f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.")


@composed(public=False)
def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """The old name of :func:`interpolate`."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


@composed(public=False)
def upsample_nearest(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """The old name of ``interpolate(mode="nearest")``."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, "nearest")


@composed(public=False)
def upsample_bilinear(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """The old name of ``interpolate(mode="bilinear", align_corners=True)``."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", True)
