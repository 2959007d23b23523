"""Writing to sparse tensors, and sparse tensors into others."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import call_all
from rushlight.sparse.coo import Pattern, make, pattern_of
from rushlight.sparse.declare import FORWARD, TABLE, refuse, result_dtype, rule
from rushlight.sparse.pointwise import add_to_dense, empty_pattern
from rushlight.tensor import Tensor


def _check_writable(name: str, input: Tensor) -> None:
    if _core.is_grad_enabled() and input.is_leaf and input.requires_grad:
        raise RuntimeError(
            f"{name}: a leaf Variable that requires grad is being used in an in-place operation; "
            "use the out-of-place form, or wrap the update in torch.no_grad()"
        )


def become(input: Tensor, result: Tensor) -> Tensor:
    """`input` with what `result` consists of, and its history."""
    if result.dtype is not input.dtype:
        raise RuntimeError(
            f"result type {result.dtype} can't be cast to the desired output type {input.dtype}"
        )
    if result.shape != input.shape:
        raise RuntimeError(
            f"output with shape {list(input.shape)} doesn't match the shape {list(result.shape)}"
        )
    input._set_parts(result._parts, result._layout, tuple(result.shape), result.dtype)
    if result.grad_fn is not None:
        input._grad_fn = (result.grad_fn, result.output_nr)
    return input


def write(name: str, op: Any, arguments: tuple) -> Any:
    """The form of an op that writes to its first argument, by way of the op itself."""
    input, own = arguments[0], name[:-1]
    while op.is_inplace:
        op = op.form_of
    if not isinstance(input, Tensor) or not (own in TABLE or own in FORWARD) or own == "pow":
        raise refuse(name, arguments)
    _check_writable(name, input)
    if not input._layout:
        return _write_dense(name, op, arguments)
    before = input
    if input.grad_fn is not None:  # the history that goes on is that of what it was
        before = make(input._parts.pattern, input._parts.values, input.shape)
        before._grad_fn = (input.grad_fn, input.output_nr)
    result = call_all(op, (before, *arguments[1:]))
    return become(input, result)


def _write_dense(name: str, op: Any, arguments: tuple) -> Tensor:
    input, other = arguments[:2]
    recorded = _core.is_grad_enabled() and (input.requires_grad or other.requires_grad)
    if name in ("add_", "sub_") and not recorded and input.shape == other.shape:
        if not _castable(other.dtype, input.dtype):
            raise RuntimeError(
                f"{name}: result type {result_dtype(input, other)} can't be cast to the "
                f"desired output type {input.dtype}"
            )
        add_to_dense(input, other, arguments[2] if name == "add_" else -arguments[2])
        return input
    result = call_all(op, arguments)
    return input.copy_(result.to_dense() if result._layout else result)


def _castable(source: Any, target: Any) -> bool:
    from rushlight.dtypes import can_cast

    return can_cast(source, target)


@rule("zero_")
def _zero(input: Tensor) -> Tensor:
    """No entries are left."""
    _check_writable("zero_", input)
    if not input.is_sparse:
        from rushlight.sparse.compressed import empty_compressed

        none = empty_compressed(tuple(input.shape), input.dtype, input.layout)
        input._set_parts(none._parts, input._layout, tuple(input.shape), input.dtype)
        input._grad_fn = None
        return input
    sizes = pattern_of(input).sizes
    shape = tuple(input.shape)
    values = _core.full((0, *shape[len(sizes) :]), 0, input.dtype)
    input._set_parts(make(empty_pattern(sizes), values, shape)._parts, 1, shape, input.dtype)
    input._grad_fn = None
    return input


@rule("fill_")
def _fill(input: Tensor, value: Any) -> Tensor:
    """One value for all entries of a compressed matrix."""
    if not input._layout or input.is_sparse or isinstance(value, Tensor):
        raise refuse("fill_", (input, value))
    _check_writable("fill_", input)
    input._parts.values.fill_(value)
    return input


@rule("copy_")
def _copy(input: Tensor, src: Any, non_blocking: bool) -> Tensor:
    """A sparse tensor becomes a copy of another of the same layout."""
    if not isinstance(src, Tensor) or input._layout != src._layout:
        kinds = input.type(), src.type() if isinstance(src, Tensor) else type(src).__name__
        raise RuntimeError(
            "copy_() between dense and sparse Tensors is not implemented! Found self type = "
            f"{kinds[0]} and src type = {kinds[1]}"
        )
    _check_writable("copy_", input)
    if input is src:
        return input
    return become(input, src.to(input.dtype, copy=True))


def add_to_grad(grad: Tensor | None, more: Tensor) -> Tensor:
    """What `.grad` of a leaf becomes where it or what arrives is sparse; grad itself if it can.

    The core calls this without recording. A first gradient is not shared with anybody, and counts
    as uncoalesced, as PyTorch's does.
    """
    if grad is None:
        if not more.is_sparse:
            return more.detach()
        parts = more._parts
        pattern = Pattern(parts.pattern.indices, parts.pattern.sizes, False)
        return make(pattern, parts.values, more.shape)
    if grad._layout and not more._layout:
        return more + grad
    return grad.add_(more)
