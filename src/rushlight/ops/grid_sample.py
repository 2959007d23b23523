"""Sampling an image at given places, and the places of an affine map (Jaderberg et al. 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rushlight
from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.warned import warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")
_UNSAID = (
    "Default grid_sample and affine_grid behavior is align_corners=False. Specify "
    "align_corners=True if the corners' centers are meant to be at -1 and 1."
)


@composed(public=False, float32=True)
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """`input` at the places of `grid`.

    Args:
        input: (N, C, H, W), or (N, C, D, H, W).
        grid: (N, h, w, 2), or (N, d, h, w, 3): places (x, y) or (x, y, z), from -1, the left and
            upper end, to 1.
        mode: "bilinear" (of volumes trilinear), "nearest" or "bicubic" (images only).
        padding_mode: what is outside: "zeros", "border" (the nearest element) or "reflection".
        align_corners: whether -1 and 1 are the centers of the outermost elements, not their edges.

    Returns:
        (N, C, h, w), or (N, C, d, h, w).

    Raises:
        ValueError: an unknown mode. RuntimeError: shapes or dtypes that do not fit.
    """
    if mode not in _MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        warn(_UNSAID)
    return grid_sampler(
        input, grid, _MODES.index(mode), _PADDINGS.index(padding_mode), bool(align_corners)
    )


@composed(float32=True)
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """:func:`grid_sample` with its modes as numbers, in the order in which they stand there."""
    _check(input, grid, interpolation_mode)
    return _grid_sample(input, grid, interpolation_mode, padding_mode, align_corners)


@composed(float32=True)
def grid_sampler_2d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """:func:`grid_sampler` of images."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


@composed(float32=True)
def grid_sampler_3d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """:func:`grid_sampler` of volumes."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


# ---- the op, and the same in other ops, which its gradients are derived from


def _node_name(input_ndim: int) -> str:
    return f"GridSampler{input_ndim - 2}DBackward0"


@op(_core.grid_sample, method=False, public=False, node=_node_name)
def _grid_sample(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """:func:`grid_sampler` without its checks."""


@op(_core.grid_sample_backward, method=False, public=False)
def _grid_sample_backward(
    grad: Tensor, input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int,
    align_corners: bool, needs_input: bool, needs_grid: bool,
) -> tuple:  # fmt: skip
    """The gradients of the input and of the grid; None for one that is not needed."""


_grid_sample.vjp_all(
    ("input", "grid"),
    lambda grad, input, grid, interpolation_mode, padding_mode, align_corners, needs: (
        _grid_sample_backward(
            grad, input, grid, interpolation_mode, padding_mode, align_corners, *needs
        )
    ),
)


def _second_gradients(
    grads: tuple, grad: Tensor, input: Tensor, grid: Tensor, interpolation_mode: int,
    padding_mode: int, align_corners: bool, needs_input: bool, needs_grid: bool, needs: tuple,
) -> tuple:  # fmt: skip
    recorded = _core.is_grad_enabled()

    def variable(tensor: Tensor) -> Tensor:
        ready = recorded and tensor.requires_grad
        return tensor if ready else tensor.detach().requires_grad_()

    with rushlight.enable_grad():
        upstream, x, places = variable(grad), variable(input), variable(grid)
        result = _in_ops(x, places, interpolation_mode, padding_mode, align_corners)
        derive = rushlight.autograd.grad
        of_both = derive(result, (x, places), upstream, create_graph=True)
        roots = [(r, g) for r, g in zip(of_both, grads) if g is not None]
        found = derive(
            [root for root, _ in roots], (upstream, x, places), [g for _, g in roots],
            create_graph=recorded, allow_unused=True,
        )  # fmt: skip
    return tuple(value if needed else None for value, needed in zip(found, needs))


_grid_sample_backward.vjp_all(("grad", "input", "grid"), _second_gradients)


def _in_ops(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    spatial = input.shape[2:]
    places = []  # of each axis, in elements, the last axis of the input first
    for axis, size in enumerate(reversed(spatial)):
        place = _unnormalized(grid[..., axis], size, align_corners)
        if interpolation_mode != 2:  # cubic neighbours are brought inside one by one
            place = _inside(place, size, padding_mode, align_corners)
        places.append(place)
    places.reverse()
    neighbours = [_NEIGHBOURS[interpolation_mode](place) for place in places]
    flat = input.flatten(2)
    total = None
    for corner in _combinations(neighbours):
        index, weight = None, None
        for (at, part), size in zip(corner, spatial):
            if interpolation_mode == 2:
                at = _inside(at, size, padding_mode, align_corners)
            if padding_mode == 0:
                inside = ((at >= 0) & (at <= size - 1)).to(input.dtype)
                part = part * inside
            whole = at.detach().nan_to_num(-1).clamp(0, max(size - 1, 0)).long()
            index = whole if index is None else index * size + whole
            weight = part if weight is None else weight * part
        assert index is not None and weight is not None
        rows = index.flatten(1).unsqueeze(1).expand(-1, input.shape[1], -1)
        values = flat.gather(2, rows).unflatten(2, index.shape[1:]) * weight.unsqueeze(1)
        total = values if total is None else total + values
    assert total is not None
    return total


def _check(input: Tensor, grid: Tensor, mode: int) -> None:
    if input.dtype != grid.dtype:
        raise RuntimeError(
            "grid_sampler(): expected input and grid to have same dtype, but input has "
            f"{input.dtype} and grid has {grid.dtype}"
        )
    if input.ndim not in (4, 5) or input.ndim != grid.ndim:
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with "
            f"sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if grid.shape[-1] != input.ndim - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {input.ndim - 2} in last dimension, but "
            f"got grid with sizes {list(grid.shape)}"
        )
    if 0 in input.shape[2:]:
        raise RuntimeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has "
            f"sizes {list(input.shape)}"
        )
    if mode == 2 and input.ndim != 4:
        raise RuntimeError(
            "grid_sampler(): bicubic interpolation only supports 4D input, got sizes "
            f"{list(input.shape)}"
        )


def _unnormalized(x: Tensor, size: int, align_corners: bool) -> Tensor:
    if align_corners:
        return (x + 1) * ((size - 1) / 2)
    return ((x + 1) * size - 1) / 2


def _inside(x: Tensor, size: int, padding: int, align_corners: bool) -> Tensor:
    """The place that is read instead of one outside; as it is if zeros are outside."""
    if padding == 2:
        low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
        x = _reflected(x, low, high - low)
    return x if padding == 0 else x.clamp(0, size - 1)


def _reflected(x: Tensor, low: float, span: float) -> Tensor:
    if span == 0:
        return rushlight.zeros_like(x)
    away = (x - low).abs()
    turns = (away / span).floor()
    rest = away - turns.detach() * span
    return rushlight.where(turns % 2 == 0, rest + low, span - rest + low)


def _linear(x: Tensor) -> list[tuple[Tensor, Tensor]]:
    left = x.detach().floor()
    part = x - left
    return [(left, 1 - part), (left + 1, part)]


def _nearest(x: Tensor) -> list[tuple[Tensor, Tensor]]:
    # The weight 1 has a gradient, which is 0: places count as used.
    return [(x.detach().round(), x.nan_to_num(0.0, 0.0, 0.0).round() * 0 + 1)]


def _cubic(x: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Keys' kernel with a = -0.75."""
    a = -0.75
    left = x.detach().floor()
    t = x - left

    def near(d: Tensor) -> Tensor:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Tensor) -> Tensor:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    weights = (far(t + 1), near(t), near(1 - t), far(2 - t))
    return [(left + (i - 1), weight) for i, weight in enumerate(weights)]


_NEIGHBOURS = (_linear, _nearest, _cubic)


def _combinations(neighbours: list) -> list:
    """One neighbour per axis, in all ways."""
    found: list = [[]]
    for along in neighbours:
        found = [[*corner, own] for corner in found for own in along]
    return found


@composed(public=False)
def affine_grid(
    theta: Tensor, size: Sequence[int], align_corners: bool | None = None
) -> Tensor:
    """The places in the input of each element of the result, for :func:`grid_sample`.

    Args:
        theta: (N, 2, 3) for images or (N, 3, 4) for volumes: the affine map from places of the
            result to places of the input.
        size: of the result, (N, C, H, W) or (N, C, D, H, W).
        align_corners: see :func:`grid_sample`.

    Returns:
        Places (N, H, W, 2) as (x, y), or (N, D, H, W, 3) as (x, y, z), from -1 to 1.

    Raises:
        ValueError: `theta` does not fit `size`.
    """
    if not theta.dtype.is_floating_point:
        raise ValueError(
            f"Expected theta to have floating point type, but got {theta.dtype}"
        )
    rank = len(size) - 2
    if rank not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {list(size)}."
        )
    if theta.ndim != 3 or theta.shape[-2:] != (rank, rank + 1):
        raise ValueError(
            f"Expected a batch of {rank}D affine matrices of shape Nx{rank}x{rank + 1} for size "
            f"{list(size)}. Got {list(theta.shape)}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {list(size)}")
    if align_corners is None:
        warn(_UNSAID)
    elif align_corners and min(size[2:]) == 1:
        warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True: their place is 0, the middle. This is not an intended use of "
            "affine_grid."
        )
    return affine_grid_generator(theta, size, bool(align_corners))


@composed()
def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """:func:`affine_grid` without its checks."""
    spatial = list(size[2:])
    rank = len(spatial)
    places = []
    for axis, count in enumerate(reversed(spatial)):
        if count == 1:
            along = rushlight.zeros(1, dtype=theta.dtype, device=theta.device)
        else:
            end = 1.0 if align_corners else (count - 1) / count
            along = rushlight.linspace(-end, end, count, dtype=theta.dtype, device=theta.device)
        shape = [1] * rank
        shape[rank - 1 - axis] = count
        places.append(along.view(shape).expand(spatial))
    places.append(rushlight.ones(spatial, dtype=theta.dtype, device=theta.device))
    base = rushlight.stack(places, -1).view(1, -1, rank + 1)
    found = base.expand(theta.shape[0], -1, -1).bmm(theta.transpose(1, 2))
    return found.view(theta.shape[0], *spatial, rank)
