"""Which memory a tensor lies in, and in what order: memory formats, set_, dim_order."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.dtypes import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    memory_format,
    preserve_format,
)
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__: list[str] = []  # methods alone


def _rows(size: Sequence[int]) -> list[int]:
    """The strides of row-major order."""
    steps = [1]
    for length in reversed(size[1:]):
        steps.append(steps[-1] * max(length, 1))
    return steps[::-1] if size else []


# The axes of formats with channels last, innermost first.
_CHANNELS_LAST = {channels_last: (1, 3, 2, 0), channels_last_3d: (1, 4, 3, 2, 0)}


def memory_in(
    name: str, size: Sequence[int], dtype: Any, format: Any, device: Any = False
) -> Tensor:
    """Fresh memory for a result of `name`, in a format other than preserve_format.

    `device` is as `_core.empty` takes it.

    Raises RuntimeError where the format is for tensors of another rank.
    """
    if format is contiguous_format:
        return _core.empty(size, dtype, device)
    if format not in _CHANNELS_LAST:
        raise RuntimeError(f"{name}: unsupported memory format {format}; there is no input for it")
    order = _CHANNELS_LAST[format]
    if len(size) != len(order):
        raise RuntimeError(
            f"{name}: required rank {len(order)} tensor to use {format._name} format, got shape "
            f"{list(size)}"
        )
    strides, step = [0] * len(order), 1
    for axis in order:
        strides[axis] = step
        step *= size[axis]
    return _core.as_strided(_core.empty(size, dtype, device), size, strides, 0)


def memory_like(
    name: str, input: Tensor, dtype: Any, format: Any, device: Any = None
) -> Tensor:
    """Fresh memory in the shape of input and, unless a format says else, in its order of axes."""
    if format is None or format is preserve_format:
        return _core.empty_like(input, dtype, device)
    return memory_in(
        name, tuple(input.shape), dtype, format, input if device is None else device
    )


def lies_in(tensor: Tensor, format: Any) -> bool:
    """Whether the elements lie without gaps in the order of a format."""
    if format not in _CHANNELS_LAST:
        return tensor._is_contiguous()
    shape, strides, step = tensor.shape, tensor.stride(), 1
    if len(shape) != len(_CHANNELS_LAST[format]):
        return False
    for axis in _CHANNELS_LAST[format]:
        if shape[axis] != 1 and strides[axis] != step:
            return False
        step *= shape[axis]
    return True


def format_of(tensor: Tensor) -> Any:
    """The format that the strides look like, gaps allowed: with channels last, or row-major."""
    shape, strides = tensor.shape, tensor.stride()
    for format, order in _CHANNELS_LAST.items():
        if len(shape) != len(order) or strides[1] == 0 or 0 in shape:
            continue
        least = 0
        for axis in order:
            # A lone element in every row says nothing: that is row-major.
            if strides[axis] < least or (axis == 0 and least == strides[1]):
                break
            least = strides[axis] * shape[axis]
        else:
            return format
    return contiguous_format


def set_(
    self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None
) -> Tensor:
    """Lets the tensor lie in other memory: that of a tensor of its dtype, a storage, or none.

    Args:
        self: loses its elements.
        source: a tensor, a storage, or None for no elements.
        storage_offset: where in that memory the first element lies.
        size: the shape; that of the tensor, or all of the storage, if left out.
        stride: the strides; row-major if left out.
    """
    if self.requires_grad and self.is_leaf and _core.is_grad_enabled():
        raise RuntimeError(
            "set_: a leaf Variable that requires grad is being used in an in-place operation; call "
            "it inside of torch.no_grad()"
        )
    if source is None:
        made = _core.empty((0,), self.dtype, self)
    elif isinstance(source, Tensor):
        if source.dtype is not self.dtype:
            raise RuntimeError(
                f"set_: a tensor of {self.dtype} cannot lie in the memory of one of {source.dtype}"
            )
        made = source.detach()
        if size is not None:
            made = _core.as_strided(
                made, tuple(size), tuple(_rows(size) if stride is None else stride), storage_offset
            )
    elif hasattr(source, "untyped"):
        whole = source.untyped()
        if size is None:
            size = (whole.nbytes() // self.element_size() - storage_offset,)
        made = _core.reinterpret(
            whole._tensor, self.dtype, list(size),
            list(_rows(size) if stride is None else stride), storage_offset,
        )  # fmt: skip
    else:
        raise TypeError(
            f"set_: source must be a Tensor, a storage or None, not {type(source).__name__}"
        )
    self._bump_version()
    self._set_array(made)
    return self


Tensor.set_ = set_


def dim_order(tensor: Tensor, ambiguity_check: Any) -> tuple[int, ...]:
    """The axes from the one with the largest steps in memory to that with the smallest.

    See :meth:`Tensor.dim_order`.
    """
    formats = ambiguity_check if isinstance(ambiguity_check, list) else []
    if not isinstance(ambiguity_check, (bool, list)) or not all(
        isinstance(known, memory_format) for known in formats
    ):
        raise TypeError(
            "dim_order: ambiguity_check must be a bool or a list of memory formats, got "
            f"{ambiguity_check!r}"
        )
    shape, strides = tensor.shape, tensor.stride()
    if ambiguity_check is not False:
        several = 1 in shape or any(a == b for a, b in pairwise(strides))
        if several and sum(tensor.is_contiguous(known) for known in formats) != 1:
            raise RuntimeError(
                "dim_order: the tensor does not have unique dim order, or cannot map to exact one "
                f"of the given memory formats: its shape is {list(shape)}, its strides are "
                f"{list(strides)}"
            )
    if tensor.is_contiguous():
        return tuple(range(len(shape)))
    # By insertion from the last axis on, so that axes that could be anywhere keep their places.
    order = list(reversed(range(len(shape))))
    for end in range(1, len(order)):
        here = end
        for there in reversed(range(end)):
            left, right = order[there], order[here]
            if not (strides[left] and strides[right]):
                continue
            if strides[left] < strides[right]:
                break
            if strides[left] > strides[right] or shape[left] > shape[right]:
                order[there], order[here] = right, left
                here = there
    return tuple(reversed(order))
