"""Reductions of stretches of different lengths: segment_reduce."""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.ops.known import known
from rushlight.ops.pointwise import where
from rushlight.tensor import Tensor

# What an empty segment has, and the reduction's name in scatter_reduce.
_KINDS = {
    "sum": (0.0, "sum"),
    "mean": (0.0, "sum"),
    "prod": (1.0, "prod"),
    "max": (-math.inf, "amax"),
    "min": (math.inf, "amin"),
}


def _segment_lengths(lengths: Tensor | None, offsets: Tensor | None) -> Tensor:
    given = offsets if lengths is None else lengths
    if given is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if given.dtype not in (_core.int64, _core.int32):
        raise NotImplementedError(
            f"segment_reduce: lengths and offsets must be int64 or int32, got {given.dtype}"
        )
    given = given.detach()
    return given.diff(dim=-1) if lengths is None else given


@composed()
def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """The sum, mean, product, maximum or minimum of each segment along an axis.

    Args:
        data: (*rows, n, ...), floating point; `axis` is that of n.
        reduce: "sum", "mean", "prod", "max" or "min".
        lengths: of the segments of each row, (*rows, segments); they add up to n.
        indices: not there yet, in PyTorch either.
        offsets: in place of lengths, where each segment starts and the last one ends,
            (*rows, segments + 1).
        axis: the last one of lengths (or offsets).
        unsafe: do not check the lengths.
        initial: what each segment starts from. Without it, an empty one has 0 as its sum, 1 as its
            product, nan as its mean and an infinity as its extreme.

    Returns:
        (*rows, segments, ...).
    """
    if reduce not in _KINDS:
        raise RuntimeError(f"reduce argument must be one of {', '.join(_KINDS)}, got {reduce}")
    if not data.dtype.is_floating_point:
        raise NotImplementedError(f"segment_reduce: not implemented for {data.dtype}")
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    counts = _segment_lengths(lengths, offsets)
    axis = axis + data.ndim if axis < 0 else axis
    if axis != counts.ndim - 1 or counts.shape[:-1] != data.shape[:axis]:
        raise RuntimeError(
            "segment_reduce(): Expected axis to be the last dimension of lengths, and those before "
            f"it to be those of data; got axis {axis}, data of shape {list(data.shape)} and "
            f"lengths of shape {list(counts.shape)}"
        )
    size = data.shape[axis]
    totals = counts.sum(-1, keepdim=True)
    if not unsafe:
        if known((counts < 0).any()):
            raise RuntimeError("lengths contains negative value!")
        if lengths is not None and not known((totals == size).all(), True):
            raise RuntimeError(
                "segment_reduce(): Expected all rows of lengths along axis to sum to "
                f"data.size({axis}) = {size} when !unsafe."
            )
    start, kind = _KINDS[reduce]
    if initial is not None:
        start = float(initial)
    segments = counts.numel()
    items = data.reshape(-1, *data.shape[axis + 1 :])
    if offsets is None or lengths is not None:
        first: Any = 0
    else:
        first = offsets.detach().narrow(-1, 0, 1)
        totals = totals + first
    # Elements outside of all segments are left out.
    place = _core.placed(_core.arange(0, size, 1, _core.int64), data)
    used = ((place >= first) & (place < totals)).reshape(-1).nonzero().squeeze(1)
    number = _core.repeat_positions(_core.to_dtype(_core.reshape(counts, (-1,)), _core.int64))
    items = items.index_select(0, used)
    shape = (segments, *items.shape[1:])
    index = number.reshape(-1, *[1] * (items.ndim - 1)).expand(items.shape)
    base = _core.full(shape, start, data.dtype, data)
    result = base.scatter_reduce(0, index, items, kind)
    if reduce == "mean":
        divisor = counts.reshape(-1, *[1] * (items.ndim - 1)).to(data.dtype)
        if initial is None:
            result = result / divisor
        else:
            result = where(divisor == 0, result, result / divisor.clamp(min=1))
    return result.reshape(*counts.shape, *data.shape[axis + 1 :])
