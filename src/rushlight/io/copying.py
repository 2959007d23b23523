"""copy.deepcopy and pickle of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


def deepcopy_tensor(tensor: Tensor, memo: dict) -> Tensor:
    """A copy of a leaf with its own memory, its grad and its attributes.

    The memory is copied as a whole, and once: tensors that share it do so as copies too.
    """
    import copy

    cls: Any = type(tensor)
    source = tensor.detach()
    plain = source._layout == 0 and not source.is_meta
    result = cls.__new__(cls, _in_copied(source, memo) if plain else source.clone())
    memo[id(tensor)] = result
    result.requires_grad = tensor.requires_grad
    if tensor.grad is not None:
        result.grad = copy.deepcopy(tensor.grad, memo)
    for name, value in tensor.__dict__.items():
        result.__dict__[name] = copy.deepcopy(value, memo)
    return result


def _in_copied(source: Tensor, memo: dict) -> Tensor:
    """The same elements in the copy of their memory."""
    copies = memo.setdefault("rushlight", {})
    memory = copies.get(_core.storage_id(source))
    if memory is None:
        memory = _core.contiguous_clone(_core.storage_array(source))
        copies[_core.storage_id(source)] = memory
    return _core.reinterpret(
        memory, source.dtype, source.shape, source.stride(), source.storage_offset()
    )


def copy_tensor(tensor: Tensor) -> Tensor:
    """A leaf on the same memory, with the attributes and without the grad."""
    result = tensor.detach().as_subclass(type(tensor))
    result.requires_grad = tensor.requires_grad
    result.__dict__.update(tensor.__dict__)
    return result


def reduce_tensor(tensor: Tensor) -> tuple:
    """How pickle takes a tensor apart: class, bytes, dtype, shape, requires_grad, attributes.

    One with history comes back as a leaf, as in PyTorch.
    """
    if tensor._layout:
        return _reduce_sparse(tensor)
    if tensor.is_meta:
        arguments = (
            type(tensor), tensor.dtype.name, tuple(tensor.shape), tensor.stride(),
            tensor.requires_grad,
        )  # fmt: skip
        return _rebuild_meta, arguments, dict(tensor.__dict__) or None
    values = tensor.detach().contiguous()
    size = values.element_size()
    start = values.storage_offset() * size
    data = bytes(_core.storage_bytes(values)[start : start + values.numel() * size])
    return (
        _rebuild,
        (type(tensor), data, tensor.dtype.name, tuple(tensor.shape), tensor.requires_grad),
        dict(tensor.__dict__) or None,
    )


def _rebuild_meta(
    cls: Any, dtype: str, shape: tuple, stride: tuple, requires_grad: bool
) -> Tensor:
    import rushlight

    made = rushlight.empty_strided(shape, stride, dtype=getattr(rushlight, dtype), device="meta")
    return cls.__new__(cls, made).requires_grad_(requires_grad)


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
