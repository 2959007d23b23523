"""Max pooling over windows in random places, and the way back: maxima put where they were found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.adaptive_pool import _add_at_places, _take_at_places
from rushlight.ops.random import rand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

    Sizes = int | Sequence[int]

# ---- windows in random places


def _fractional_max_pool_name(kernel_size: Sequence[int]) -> str:
    return f"FractionalMaxPool{len(kernel_size)}DBackward0"


@op(_core.fractional_max_pool, method=False, public=False, node=_fractional_max_pool_name)
def _fractional_max_pool(
    input: Tensor, kernel_size: Sequence[int], output_size: Sequence[int], samples: Tensor
) -> tuple[Tensor, Tensor]:
    """The maxima and their places; the samples, in [0, 1), say where the windows lie."""


_fractional_max_pool.vjp(
    input=lambda grads, result, input_shape, kernel_size: _add_at_places(
        grads[0], result[1], input_shape[-len(kernel_size) :]
    )
)


def _each_axis(name: str, argument: str, given: Any, rank: int) -> tuple:
    values = tuple(given) if isinstance(given, (tuple, list)) else (given,) * rank
    if len(values) == 1:
        values *= rank
    if len(values) != rank:
        raise RuntimeError(f"{name}: {argument} must be one number or {rank} of them, got {given}")
    return values


def _fractional(
    input: Tensor,
    rank: int,
    kernel_size: Sizes,
    output_size: Sizes | None,
    output_ratio: Any,
    samples: Tensor | None,
) -> tuple[Tensor, Tensor]:
    name = f"fractional_max_pool{rank}d"
    if input.ndim not in (rank + 1, rank + 2):
        kind = IndexError if input.ndim <= rank else RuntimeError
        raise kind(
            f"{name}: expected a {rank + 1}D or {rank + 2}D input, got one of shape "
            f"{list(input.shape)}"
        )
    if output_size is None:
        if output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
        if len(output_ratio) > rank:
            raise ValueError(f"{name}: output_ratio must be {rank} numbers, got {output_ratio}")
        ratios = _each_axis(name, "output_ratio", output_ratio, rank)
        output_size = [int(n * ratio) for n, ratio in zip(input.shape[-rank:], ratios)]
    if samples is None:
        if not input.is_floating_point():
            raise NotImplementedError(
                f"{name}: not implemented for {input.dtype}, expected a floating point input"
            )
        batch = 1 if input.ndim == rank + 1 else input.shape[0]
        samples = rand(batch, input.shape[-rank - 1], rank, dtype=input.dtype)
    return _fractional_max_pool(
        input,
        _each_axis(name, "kernel_size", kernel_size, rank),
        _each_axis(name, "output_size", output_size, rank),
        samples,
    )


@composed(public=False)
def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Maxima of windows whose distances are random, one of two neighbouring numbers (Graham 2014).

    Args:
        input: (batch, channels, height, width), or without the batch.
        kernel_size: the size of a window.
        output_size: the size of the result.
        output_ratio: instead of it, the parts of the input's size, each in (0, 1).
        return_indices: without effect.
        _random_samples: (batch, channels, 2), in [0, 1); drawn if left out.

    Returns the maxima and where in its plane (row by row) each one is, int64.
    """
    return _fractional(input, 2, kernel_size, output_size, output_ratio, _random_samples)


@composed(public=False)
def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """:func:`fractional_max_pool2d_with_indices` of (batch, channels, depth, height, width)."""
    return _fractional(input, 3, kernel_size, output_size, output_ratio, _random_samples)


@composed(public=False, float32=True)
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """:func:`fractional_max_pool2d_with_indices`; the indices only with `return_indices`."""
    found = _fractional(input, 2, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


@composed(public=False, float32=True)
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """:func:`fractional_max_pool3d_with_indices`; the indices only with `return_indices`."""
    found = _fractional(input, 3, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


# ---- back


def _max_unpool_name(size: Sequence[int]) -> str:
    return "SqueezeBackward1" if len(size) == 1 else f"MaxUnpool{len(size)}DBackward0"


@op(_core.max_unpool, method=False, public=False, node=_max_unpool_name)
def _max_unpool(input: Tensor, places: Tensor, size: Sequence[int]) -> Tensor:
    """Planes of the given size, 0 but for the input at its places; of several the last."""


_max_unpool.vjp(input=lambda grad, places, size: _take_at_places(grad, places, len(size)))


def _unpooled(
    input: Tensor,
    indices: Tensor,
    rank: int,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sequence[int] | None,
) -> Tensor:
    name = f"max_unpool{rank}d"
    kernel = _each_axis(name, "kernel_size", kernel_size, rank)
    step = kernel if stride is None else _each_axis(name, "stride", stride, rank)
    padded = _each_axis(name, "padding", padding, rank)
    if not rank + 1 <= input.ndim <= rank + 2:
        raise RuntimeError(
            f"{name}: expected a {rank + 1}D or {rank + 2}D input, got one of shape "
            f"{list(input.shape)}"
        )
    usual = [
        (n - 1) * s + k - 2 * p for n, k, s, p in zip(input.shape[-rank:], kernel, step, padded)
    ]
    if output_size is None:
        size = usual
    else:
        size = list(output_size)
        if len(size) == rank + 2:
            size = size[2:]
        if len(size) != rank:
            raise ValueError(
                f"{name}: output_size should have {rank} or {rank + 2} elements, but it has "
                f"{len(output_size)}"
            )
        for d, (n, middle, s) in enumerate(zip(size, usual, step)):
            if not middle - s < n < middle + s:
                raise ValueError(
                    f"{name}: invalid output_size {tuple(output_size)}: dim {d} must be between "
                    f"{middle - s} and {middle + s}"
                )
    if any(n < 0 for n in size):
        raise ValueError(f"{name}: the output size {size} has a negative number")
    return _max_unpool(input, indices, size)


@composed(public=False, float32=True)
def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Puts maxima back to where :func:`max_pool1d` found them, among zeros.

    Args:
        input: (batch, channels, length), or without the batch.
        indices: what `max_pool1d` returned with `return_indices`.
        kernel_size: as of the pooling.
        stride: as of the pooling.
        padding: as of the pooling.
        output_size: the size of what was pooled, where the arguments leave it open.

    Raises:
        RuntimeError: an index lies outside the result.
    """
    return _unpooled(input, indices, 1, kernel_size, stride, padding, output_size)


@composed(public=False, float32=True)
def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """:func:`max_unpool1d` of (N, C, H, W) or (C, H, W)."""
    return _unpooled(input, indices, 2, kernel_size, stride, padding, output_size)


@composed(public=False, float32=True)
def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """:func:`max_unpool1d` of (N, C, D, H, W) or (C, D, H, W)."""
    return _unpooled(input, indices, 3, kernel_size, stride, padding, output_size)
