"""copy.deepcopy and pickle of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


def deepcopy_tensor(tensor: Tensor, memo: dict) -> Tensor:
    """A copy of a leaf with its own memory, its grad and its attributes."""
    import copy

    cls: Any = type(tensor)
    source = tensor.detach()
    result = cls.__new__(cls, source.clone() if source._layout else _core.clone(source))
    memo[id(tensor)] = result
    result.requires_grad = tensor.requires_grad
    if tensor.grad is not None:
        result.grad = copy.deepcopy(tensor.grad, memo)
    for name, value in tensor.__dict__.items():
        result.__dict__[name] = copy.deepcopy(value, memo)
    return result


def reduce_tensor(tensor: Tensor) -> tuple:
    """How pickle takes a tensor apart: class, bytes, dtype, shape, requires_grad, attributes."""
    if not tensor.is_leaf:
        raise RuntimeError(
            "Can't pickle a tensor with history: it would lose its graph. detach() it first."
        )
    if tensor._layout:
        return _reduce_sparse(tensor)
    values = tensor.detach().contiguous()
    size = values.element_size()
    start = values.storage_offset() * size
    data = bytes(_core.storage_bytes(values)[start : start + values.numel() * size])
    return (
        _rebuild,
        (type(tensor), data, tensor.dtype.name, tuple(tensor.shape), tensor.requires_grad),
        dict(tensor.__dict__) or None,
    )


def _reduce_sparse(tensor: Tensor) -> tuple:
    parts = tensor._parts
    if tensor.is_sparse:
        pattern = parts.pattern
        made_of: tuple = (pattern.indices, parts.values, pattern.coalesced)
    else:
        made_of = (parts.starts, parts.others, parts.values)
    arguments = (type(tensor), tensor._layout, made_of, tuple(tensor.shape), tensor.requires_grad)
    return _rebuild_sparse, arguments, dict(tensor.__dict__) or None


def _rebuild_sparse(
    cls: Any, layout: int, made_of: tuple, shape: tuple, requires_grad: bool
) -> Tensor:
    from rushlight.sparse.compressed import make_compressed
    from rushlight.sparse.coo import COO, Pattern, make

    if layout == COO:
        indices, values, coalesced = made_of
        plain = make(Pattern(indices, shape[: indices.shape[0]], coalesced), values, shape)
    else:
        starts, others, values = made_of
        plain = make_compressed(layout, starts, others, values, shape)
    result = cls.__new__(cls, plain)
    result.requires_grad = requires_grad
    return result


def _rebuild(cls: Any, data: bytes, dtype: str, shape: tuple, requires_grad: bool) -> Tensor:
    values = _core.empty(shape, getattr(_core, dtype))
    _core.storage_bytes(values)[: len(data)] = data
    result = cls.__new__(cls, values)
    result.requires_grad = requires_grad
    return result
