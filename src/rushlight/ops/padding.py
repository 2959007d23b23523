"""Padding: a tensor with more elements, or fewer, on some of its sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor


@op(method=False)
def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """`input` with `value` around it.

    Args:
        input: of any shape.
        pad: elements before and after the last axis, then before and after the one before it, ...;
            negative numbers cut off.
        value: of the new elements.
    """
    source, shape, places = input, list(input.shape), []
    for axis, before, after in _sides(input, pad):
        size = shape[axis]
        shape[axis] = size + before + after
        if shape[axis] < 0:
            raise RuntimeError(
                f"The input size {size}, plus negative padding {before} and {after}, resulted in a "
                f"negative output size at dimension {axis} of input {list(input.shape)}"
            )
        start, stop = max(0, -before), size - max(0, -after)
        source = _core.slice(source, axis, start, max(start, stop), 1)
        places.append((axis, max(0, before)))
    result = _core.full(shape, value, input.dtype)
    inside = result
    for axis, start in places:
        inside = _core.slice(inside, axis, start, start + source.shape[axis], 1)
    _core.copy_(inside, source)
    return result


constant_pad_nd.vjp(input=lambda grad, pad: constant_pad_nd(grad, [-p for p in pad], 0))


def _sides(input: Tensor, pad: Sequence[int]) -> list[tuple[int, int, int]]:
    """(axis, before, after) of each padded axis."""
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got pad={list(pad)}")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {input.ndim}"
        )
    return [(input.ndim - 1 - i, pad[2 * i], pad[2 * i + 1]) for i in range(len(pad) // 2)]


@composed(public=False)
def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """`input` with more elements, or fewer, at its sides.

    Args:
        input: of any shape; for the modes other than "constant" 1 to 3 axes are padded, after 1 or
            2 others.
        pad: elements before and after the last axis, then before and after the one before it, ...;
            negative numbers cut off.
        mode: "constant", "reflect" (mirrored at the last element), "replicate" (the last element)
            or "circular" (from the other side).
        value: of the new elements in mode "constant", 0 by default.
    """
    if mode == "constant":
        return constant_pad_nd(input, pad, 0 if value is None else value)
    indices = _INDICES.get(mode)
    if indices is None:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if len(pad) not in (2, 4, 6) or input.ndim not in (len(pad) // 2 + 1, len(pad) // 2 + 2):
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now, got an "
            f"input of {input.ndim} dimensions and {len(pad)} padding sizes"
        )
    for axis, before, after in _sides(input, pad):
        if before or after:
            input = input.index_select(axis, indices(input, axis, before, after))
    return input


def _positions(size: int, before: int, after: int) -> Tensor:
    return _core.arange(-before, size + after, 1, _core.int64)


def _reflected(input: Tensor, axis: int, before: int, after: int) -> Tensor:
    size = input.shape[axis]
    if before >= size or after >= size:
        raise RuntimeError(
            "Padding size should be less than the corresponding input dimension, but got: padding "
            f"({before}, {after}) at dimension {axis} of input {list(input.shape)}"
        )
    from_start = _core.abs(_positions(size, before, after))
    return _core.sub(size - 1, _core.abs(_core.sub(size - 1, from_start)))


def _replicated(input: Tensor, axis: int, before: int, after: int) -> Tensor:
    size = input.shape[axis]
    if size == 0:
        raise RuntimeError(
            f"replicate padding: dimension {axis} of input {list(input.shape)} has no element"
        )
    return _core.minimum(_core.maximum(_positions(size, before, after), 0), size - 1)


def _circular(input: Tensor, axis: int, before: int, after: int) -> Tensor:
    size = input.shape[axis]
    if before > size or after > size:
        raise RuntimeError(
            "Padding value causes wrapping around more than once: padding "
            f"({before}, {after}) at dimension {axis} of input {list(input.shape)}"
        )
    start = max(-before, 0)  # negative padding cuts off first
    kept = size - start - max(-after, 0)
    if kept < 0:
        raise RuntimeError(
            f"Negative padding ({before}, {after}) leaves nothing of dimension {axis} of input "
            f"{list(input.shape)}"
        )
    return _core.add(_core.remainder(_positions(kept, max(before, 0), max(after, 0)), kept), start)


_INDICES = {"reflect": _reflected, "replicate": _replicated, "circular": _circular}
