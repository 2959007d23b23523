"""Counting into bins, and finding the bin: bincount, histogram, searchsorted."""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core, return_types
from rushlight.autograd.op import composed, op
from rushlight.ops.undefined import undefined
from rushlight.tensor import Tensor


@op(_core.bincount, node="NotImplemented")
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each number from 0 on occurs in a vector of integers, or the sum of its weights.

    Shape: (max(minlength, largest + 1),); int64, with weights their float dtype. Raises
    RuntimeError for negative numbers or what is no vector, NotImplementedError for floats.
    """


bincount.vjp(weights=undefined("bincount"))


@op(_core.histc, out="exact")
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of `bins` equal bins over [min, max], in input's dtype.

    With min equal to max the bins go from the smallest to the largest element.

    Elements outside do not count, nor does nan. Shape: (bins,). Without a derivative. Raises
    RuntimeError for bins <= 0 or max < min, NotImplementedError for integers.
    """


def _bin_edges(input: Tensor, bins: Any, range: Any) -> Tensor:
    if isinstance(bins, Tensor):
        if range is not None:
            raise TypeError("histogram() takes no range when bins is a tensor of edges")
        if bins.ndim != 1 or bins.dtype is not input.dtype:
            raise RuntimeError(
                "torch.histogram(): bins must be a 1-D tensor of the input's dtype, got shape "
                f"{list(bins.shape)} and {bins.dtype}"
            )
        return bins
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins}")
    if range is not None:
        low, high = float(range[0]), float(range[1])
    elif input.numel():
        low, high = _core.amin(input, None, False).item(), _core.amax(input, None, False).item()
    else:
        low = high = 0.0
    if not (-float("inf") < low <= high < float("inf")):
        raise RuntimeError(f"torch.histogram(): range [{low}, {high}] is not finite and rising")
    if low == high:
        low, high = low - 0.5, high + 0.5
        if range is None and input.numel() == 0:
            low, high = 0.0, 1.0
    return _core.linspace(low, high, bins + 1, input.dtype)


@op(method=False, public=False, node="NotImplemented")
def _histogram(
    input: Tensor, bins: Any, range: Any, weight: Any, density: bool
) -> tuple[Tensor, Tensor]:
    """The two parts of `histogram`."""
    edges = _bin_edges(input, bins, range)
    count = edges.shape[0] - 1
    values = _core.reshape(input, (-1,))
    inside = (values >= edges[0]) & (values <= edges[-1])
    values = _core.masked_select(values, inside)
    place = (_core.searchsorted(edges, values, True) - 1).clamp(max=count - 1)
    weights = None
    if weight is not None:
        weights = _core.masked_select(_core.reshape(weight, (-1,)), inside)
    hist = _core.to_dtype(_core.bincount(place, weights, count), input.dtype)
    if density:
        hist = hist / hist.sum() / edges.diff()
    return hist, edges


_histogram.vjp_all(("input", "bins", "weight"), undefined("histogram"))


@composed(method=True)
def histogram(
    input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None,
    density: bool = False, out: Any = None,
) -> Any:  # fmt: skip
    """(hist, bin_edges): how many elements, or how much weight, each bin has; the last is closed.

    bins: the number of equal bins over `range` (by default from the smallest to the largest
    element), or the rising edges themselves. With `density` the histogram has an area of 1.

    Elements outside do not count. Shapes: (bins,), (bins + 1,). Raises NotImplementedError for
    integers. Without a derivative.
    """
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"histogram: not implemented for {input.dtype}")
    if weight is not None and (weight.shape != input.shape or weight.dtype is not input.dtype):
        raise RuntimeError(
            "torch.histogram(): weight must have the shape and dtype of the input, got "
            f"{list(weight.shape)} of {weight.dtype} for {list(input.shape)} of {input.dtype}"
        )
    result = return_types.histogram(_histogram(input, bins, range, weight, density))
    if out is not None:
        for target, part in zip(out, result):
            target.copy_(part)
        return out
    return result


@composed()
def histogramdd(
    input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None,
    density: bool = False,
) -> return_types.histogramdd:  # fmt: skip
    """(hist, bin_edges): how many points of D coordinates, or how much weight, each cell has.

    input: (..., D). bins: for each coordinate the number of equal bins or the rising edges, or one
    number for all. range: the lower and upper ends of the coordinates one after the other; by
    default from the smallest to the largest. weight: of the points, (...). With `density` the
    histogram has a volume of 1. hist has D dimensions, bin_edges is a tuple of D vectors.
    """
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"histogramdd: not implemented for {input.dtype}")
    if input.ndim < 2:
        raise RuntimeError(
            f"torch.histogramdd(): input tensor should have at least 2 dimensions, but got "
            f"{input.ndim}"
        )
    points = _core.reshape(input.detach(), (-1, input.shape[-1]))
    axes = points.shape[1]
    each = [bins] * axes if isinstance(bins, int) else list(bins)
    if len(each) != axes:
        raise RuntimeError(
            "torch.histogramdd(): bins must have one entry for each of the coordinates, got "
            f"{len(each)} for {axes}"
        )
    if range is not None and len(range) != 2 * axes:
        raise RuntimeError(
            f"torch.histogramdd(): range should have {2 * axes} elements, but got {len(range)}"
        )
    if weight is not None and (
        weight.shape != input.shape[:-1] or weight.dtype is not input.dtype
    ):
        raise RuntimeError(
            "torch.histogramdd(): weight must have the input's dtype and its shape without the "
            f"last dimension, got {list(weight.shape)} of {weight.dtype} for {list(input.shape)} "
            f"of {input.dtype}"
        )
    edges, counts = [], []
    inside: Any = True
    cell = _core.full((points.shape[0],), 0, _core.int64)
    for axis, wanted in enumerate(each):
        values = points.select(1, axis)
        ends = None if range is None else range[2 * axis : 2 * axis + 2]
        found = _bin_edges(values, wanted, ends)
        edges.append(found)
        counts.append(found.shape[0] - 1)
        inside = (values >= found[0]) & (values <= found[-1]) & inside
        place = (_core.searchsorted(found, values, True) - 1).clamp(0, counts[-1] - 1)
        cell = cell * counts[-1] + place
    cell = _core.masked_select(cell, inside)
    weights = None
    if weight is not None:
        weights = _core.masked_select(_core.reshape(weight.detach(), (-1,)), inside)
    total = _core.bincount(cell, weights, math.prod(counts))
    hist = _core.reshape(_core.to_dtype(total, input.dtype), tuple(counts))
    if density:
        hist = hist / hist.sum()
        for axis, found in enumerate(edges):
            hist = hist / found.diff().reshape([-1] + [1] * (axes - 1 - axis))
    return return_types.histogramdd((hist, tuple(edges)))


@composed()
def searchsorted(
    sorted_sequence: Tensor, input: Any = None, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Tensor | None = None, values: Any = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where each value would have to be put into its sorted row to keep it sorted.

    sorted_sequence: one row for all values, or one for each row of them. Of the places among equal
    elements the first, or with `right` (side="right") the last. sorter: the indices that sort
    rows that are not sorted.

    The result is int64, or int32 with `out_int32`, in the shape of the values. Raises RuntimeError
    where the rows do not match. Without a derivative.
    """
    wanted = input if values is None else values
    if side is not None:
        if side not in ("left", "right"):
            raise RuntimeError(
                f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
            )
        if right and side == "left":
            raise RuntimeError(
                "torch.searchsorted(): side and right can't be set to opposites, got side of left "
                "while right was True"
            )
        right = side == "right"
    if not isinstance(wanted, Tensor):
        dtype = sorted_sequence.dtype if _fits(wanted, sorted_sequence) else (
            _core.get_default_dtype()
        )
        wanted = _core.full((), wanted, dtype, sorted_sequence)
    result = _core.searchsorted(sorted_sequence, wanted, right, out_int32, sorter)
    return result if out is None else _core.write_out("searchsorted", result, out, exact=True)


def _fits(number: Any, like: Tensor) -> bool:
    return like.dtype.is_floating_point or isinstance(number, int)


@composed()
def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Which of the bins between rising `boundaries` each value falls into.

    The i with boundaries[i-1] < value <= boundaries[i], or with `right` boundaries[i-1] <= value <
    boundaries[i]; int64, or int32 with `out_int32`. Raises RuntimeError unless `boundaries` is a
    vector.
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)
