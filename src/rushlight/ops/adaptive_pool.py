"""Pooling to a given size: windows that cut each axis into as many parts as are asked for.

Part o of an axis of n places cut into m is [floor(o n / m), ceil((o + 1) n / m)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed, op

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

    Sizes = int | None | Sequence[int | None]


def _sizes(name: str, input: Tensor, output_size: Sizes, rank: int) -> tuple[int, ...]:
    """One size for each axis; None keeps that of the input."""
    if isinstance(output_size, int):
        return (output_size,) * rank
    if output_size is None:
        raise TypeError(f"{name}: output_size must be an int or {rank} of them, not None")
    given: Any = tuple(output_size)
    if rank > 1 and input.ndim <= len(given):
        raise ValueError(
            f"{name}: Input dimension should be at least {len(given) + 1}, got an input of shape "
            f"{list(input.shape)}"
        )
    if len(given) != rank:
        raise RuntimeError(f"{name}: output_size must be {rank} ints, got {given}")
    if rank > 1:
        own = input.shape[-rank:]
        given = tuple(n if size is None else size for size, n in zip(given, own))
    return given


# ---- averages


def _adaptive_avg_pool_name(output_size: Sequence[int]) -> str:
    rank = len(output_size)
    if rank == 1:
        return "SqueezeBackward1"
    return (
        "MeanBackward1"
        if all(size == 1 for size in output_size)
        else f"AdaptiveAvgPool{rank}DBackward0"
    )


@op(_core.adaptive_avg_pool, method=False, public=False, node=_adaptive_avg_pool_name)
def _adaptive_avg_pool(input: Tensor, output_size: Sequence[int]) -> Tensor:
    """Averages over parts of the last axes, as many as `output_size` has numbers."""


@op(_core.adaptive_avg_pool_backward, method=False, public=False)
def _adaptive_avg_pool_backward(
    grad: Tensor, size: Sequence[int], output_size: Sequence[int]
) -> Tensor:
    """The gradient of an input of shape `size`."""


_adaptive_avg_pool.vjp(
    input=lambda grad, input_shape, output_size: _adaptive_avg_pool_backward(
        grad, input_shape, output_size
    )
)
_adaptive_avg_pool_backward.vjp(
    grad=lambda grad, output_size: _adaptive_avg_pool(grad, output_size)
)


@composed()
def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """The averages of as many parts of the last axis.

    Args:
        input: (batch, channels, length), or without the batch.
        output_size: the length of the result.

    Part i goes from floor(i * length / output_size) to ceil((i + 1) * length / output_size).

    Raises:
        RuntimeError: the input has another number of axes, or `output_size` is negative.
    """
    return _adaptive_avg_pool(input, _sizes("adaptive_avg_pool1d", input, output_size, 1))


@composed(public=False)
def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """:func:`adaptive_avg_pool1d` over the last two axes of (batch, channels, height, width).

    Where `output_size` has None, the axis keeps its size.
    """
    return _adaptive_avg_pool(input, _sizes("adaptive_avg_pool2d", input, output_size, 2))


@composed(public=False, float32=True)
def adaptive_avg_pool3d(input: Tensor, output_size: Sizes) -> Tensor:
    """:func:`adaptive_avg_pool2d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    return _adaptive_avg_pool(input, _sizes("adaptive_avg_pool3d", input, output_size, 3))


# ---- places of maxima: int64, counted row by row in each plane


@op(_core.add_at_places, method=False, public=False)
def _add_at_places(grad: Tensor, places: Tensor, size: Sequence[int]) -> Tensor:
    """Planes of the given size, 0 but for what is added at the places."""


@op(_core.take_at_places, method=False, public=False)
def _take_at_places(input: Tensor, places: Tensor, rank: int) -> Tensor:
    """What the planes, the last `rank` axes, have at the places."""


_add_at_places.vjp(
    grad=lambda grad, places, size: _take_at_places(grad, places, len(size))
)
_take_at_places.vjp(
    input=lambda grad, places, input_shape, rank: _add_at_places(
        grad, places, input_shape[-rank:]
    )
)

# ---- maxima


def _adaptive_max_pool_name(output_size: Sequence[int]) -> str:
    rank = len(output_size)
    return "SqueezeBackward1" if rank == 1 else f"AdaptiveMaxPool{rank}DBackward0"


@op(_core.adaptive_max_pool, method=False, public=False, node=_adaptive_max_pool_name)
def _adaptive_max_pool(input: Tensor, output_size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Maxima over parts of the last axes, and their places."""


_adaptive_max_pool.vjp(
    input=lambda grads, result, input_shape, output_size: _add_at_places(
        grads[0], result[1], input_shape[-len(output_size) :]
    )
)


@composed(public=False)
def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """The maxima of as many parts of the last axis, and their indices in it.

    Args:
        input: (batch, channels, length), or without the batch.
        output_size: the length of the result.
        return_indices: without effect.
    """
    return _adaptive_max_pool(input, _sizes("adaptive_max_pool1d", input, output_size, 1))


@composed(public=False)
def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """:func:`adaptive_max_pool1d_with_indices` over the last two axes.

    Where `output_size` has None, the axis keeps its size. Indices count row by row.
    """
    return _adaptive_max_pool(input, _sizes("adaptive_max_pool2d", input, output_size, 2))


@composed(public=False)
def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """:func:`adaptive_max_pool2d_with_indices` over the last three axes."""
    return _adaptive_max_pool(input, _sizes("adaptive_max_pool3d", input, output_size, 3))


@composed(public=False)
def adaptive_max_pool1d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The maxima of as many parts of the last axis; with `return_indices` their indices too.

    Args:
        input: (batch, channels, length), or without the batch.
        output_size: the length of the result.
        return_indices: return (maxima, indices), the latter int64.

    Raises:
        RuntimeError: the input has another number of axes, or `output_size` is negative.
    """
    found = adaptive_max_pool1d_with_indices(input, output_size)
    return found if return_indices else found[0]


@composed(public=False)
def adaptive_max_pool2d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """:func:`adaptive_max_pool1d` over the last two axes of (N, C, H, W) or (C, H, W)."""
    found = adaptive_max_pool2d_with_indices(input, output_size)
    return found if return_indices else found[0]


@composed(public=False, float32=True)
def adaptive_max_pool3d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """:func:`adaptive_max_pool1d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    found = adaptive_max_pool3d_with_indices(input, output_size)
    return found if return_indices else found[0]
