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

    Raises:
        RuntimeError: an odd number of `pad`, or "reflect" or "circular" by more than there is.
        NotImplementedError: for another mode.
    """
    if mode == "constant":
        return constant_pad_nd(input, pad, 0 if value is None else value)
    check = _CHECKS.get(mode)
    if check is None:
        raise NotImplementedError(f"Unrecognized padding mode {mode}")
    if value is not None and value != 0:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if len(pad) not in (2, 4, 6) or input.ndim not in (len(pad) // 2 + 1, len(pad) // 2 + 2):
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now, got an "
            f"input of {input.ndim} dimensions and {len(pad)} padding sizes"
        )
    for axis, before, after in _sides(input, pad):
        if before or after:
            check(input, axis, before, after)
    return _edge_pad(input, pad, mode) if any(pad) else input


# ---- with elements of the input itself


def _edge_pad_name(pad: Sequence[int], mode: str) -> str:
    name = {"reflect": "ReflectionPad", "replicate": "ReplicationPad"}.get(mode, "CircularPad")
    return f"{name}{len(pad) // 2}DBackward0"


@op(_core.edge_pad, method=False, public=False, node=_edge_pad_name)
def _edge_pad(input: Tensor, pad: Sequence[int], mode: str) -> Tensor:
    """`input` padded along its last axes with what `mode` of :func:`pad` says."""


@op(_core.edge_pad_adjoint, method=False, public=False)
def _edge_pad_adjoint(
    grad: Tensor, pad: Sequence[int], mode: str, sizes: Sequence[int]
) -> Tensor:
    """The transposed map of `_edge_pad`, to an input of these sizes along the padded axes."""


_edge_pad.vjp(
    input=lambda grad, input_shape, pad, mode: _edge_pad_adjoint(
        grad, pad, mode, input_shape[-(len(pad) // 2) :]
    )
)
_edge_pad_adjoint.vjp(grad=lambda cotangent, pad, mode: _edge_pad(cotangent, pad, mode))


def _check_reflected(input: Tensor, axis: int, before: int, after: int) -> None:
    size = input.shape[axis]
    if before >= size or after >= size:
        raise RuntimeError(
            "Padding size should be less than the corresponding input dimension, but got: padding "
            f"({before}, {after}) at dimension {axis} of input {list(input.shape)}"
        )


def _check_replicated(input: Tensor, axis: int, before: int, after: int) -> None:
    if input.shape[axis] == 0:
        raise RuntimeError(
            f"replicate padding: dimension {axis} of input {list(input.shape)} has no element"
        )


def _check_circular(input: Tensor, axis: int, before: int, after: int) -> None:
    size = input.shape[axis]
    if before > size or after > size:
        raise RuntimeError(
            "Padding value causes wrapping around more than once: padding "
            f"({before}, {after}) at dimension {axis} of input {list(input.shape)}"
        )
    if size + min(before, 0) + min(after, 0) < 0:
        raise RuntimeError(
            f"Negative padding ({before}, {after}) leaves nothing of dimension {axis} of input "
            f"{list(input.shape)}"
        )


_CHECKS = {"reflect": _check_reflected, "replicate": _check_replicated, "circular": _check_circular}
