"""Which memory a tensor lies in: set_, dim_order."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.dtypes import memory_format
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
        made = _core.empty((0,), self.dtype)
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
