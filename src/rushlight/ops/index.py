"""Indexing with [], for reading and for writing.

A key is read in two steps. Integers, slices, None and Ellipsis make a view; tensors, lists, arrays
and booleans pick places of that view, which is a copy when it is read.
"""

from __future__ import annotations

import builtins
from operator import index as to_int
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import _describe, composed, op
from rushlight.ops.shape import select, unsqueeze
from rushlight.ops.shape import slice as slice_along
from rushlight.tensor import Tensor
from rushlight.warned import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight._core import Op


def writes(kernel: Callable[..., Tensor], **formulas: Any) -> Callable[..., Op]:
    """Declares an op whose kernel writes to its first argument and returns it.

    The kernel runs on a copy for the op itself, and on the tensor for the form with a trailing
    underscore, which so touches no more memory than it has to. Both have the same `formulas`.
    """

    def on_copy(input: Tensor, *arguments: Any) -> Tensor:
        result = kernel(_core.contiguous_clone(input), *arguments)
        result._forget_writes()
        return result

    def declare(function: Callable[..., Any]) -> Op:
        in_place = op(kernel, method=False, public=False)(function)
        declared = op(on_copy, method=False, public=False)(function)
        declared.vjp(**formulas)
        in_place.vjp(**formulas)
        declared.in_place = in_place.inplace_form()
        _describe(declared.in_place, function, function.__name__ + "_")
        declared.in_place.__doc__ = f"In-place form of :func:`{function.__name__}`."
        return declared

    return declare


# ---- reading and writing the places that index tensors pick


@op(view=True, public=False, method=False)
def alias(input: Tensor) -> Tensor:
    """A view of the whole tensor."""
    return _core.as_strided(input, input.shape, input.stride(), input.storage_offset())


alias.vjp(input=lambda grad: grad)


@op(_core.index_get, public=False, method=False, node="IndexBackward0")
def _index(input: Tensor, indices: Any) -> Tensor:
    """The places of input that the index tensors pick; None stands for a whole dimension.

    The dimensions that the indices have together stand in the place of the ones that they pick
    from, or in front if those are not neighbours.
    """


_index.vjp(
    input=lambda grad, input_shape, indices: _index_backward(grad, tuple(input_shape), indices)
)


@op(_core.index_get_backward, public=False, method=False)
def _index_backward(grad_output: Tensor, size: Any, indices: Any) -> Tensor:
    """Zeros of the given size, plus grad_output at the places that the indices pick."""


_index_backward.vjp(grad_output=lambda grad, indices: _index(grad, indices))


def _index_put_input_gradient(grad: Tensor, indices: Any, accumulate: bool) -> Tensor:
    if accumulate:
        return grad
    return _index_put(grad, indices, grad.new_zeros(()), False)


@writes(
    _core.index_put_,
    input=_index_put_input_gradient,
    values=lambda grad, indices: _index(grad, indices),
)
def _index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """input with `values` (broadcast) at the places that the indices pick, or added to them."""


_index_put_ = _index_put.in_place


@composed(method=True)
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """input with `values` at the places that a tuple of index tensors picks.

    With `accumulate` the values are added, also where indices meet in one place; without, one of
    those that meet stays: the last. `values` has the dtype of input and broadcasts to the indices'
    shape and the dimensions that they leave.

    Raises IndexError for an index outside, RuntimeError for values of another dtype.
    """
    return _index_put(input, _index_argument(indices), values, accumulate)


@composed(method=True)
def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """In-place form of :func:`index_put`."""
    return _index_put_(input, _index_argument(indices), values, accumulate)


def _index_argument(indices: Any) -> list:
    for i, index in enumerate(indices):
        if index is not None and not isinstance(index, Tensor):
            raise TypeError(
                f"index_put: expected a tuple of Tensors as indices, got {type(index).__name__} at "
                f"position {i}"
            )
    return list(indices)


# ---- what a key means

_LONGEST_TUPLE = 32  # longer lists are always lists of indices


def _is_mask(index: Tensor) -> bool:
    return index.dtype is _core.bool or index.dtype is _core.uint8


def _invalid(item: Any) -> IndexError:
    return IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
        f"indices (got {type(item).__name__})"
    )


def _is_array(item: Any) -> bool:
    return type(item).__module__ == "numpy" and hasattr(item, "strides") and hasattr(item, "ctypes")


def _index_tensor(item: Any) -> Tensor:
    """The index tensor of a sequence or a NumPy array."""
    if _is_array(item):
        from rushlight.ops.create import as_tensor

        return as_tensor(item)
    data = list(item)
    if not data:
        return _core.empty((0,), _core.int64)
    made = _core.tensor_from_data(data, None)
    if made.dtype is _core.bool or made.dtype is _core.int64:
        return made
    return _core.to_dtype(made, _core.int64)


def _is_tuple_like(key: Any) -> bool:
    """Whether a list is read like a tuple: one index for each dimension, as PyTorch does it."""
    if len(key) >= _LONGEST_TUPLE:
        return False
    return any(
        item is None
        or item is Ellipsis
        or isinstance(item, (Tensor, list, tuple, range, builtins.slice))
        or _is_array(item)
        for item in key
    )


def _key_items(key: Any) -> Any:
    """The key as a sequence of items, one or none for each dimension."""
    if type(key) is tuple or isinstance(key, tuple):
        return key
    if isinstance(key, (list, range)) and _is_tuple_like(key):
        warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated: use "
            "x[tuple(seq)] instead of x[seq], which will be read as x[torch.tensor(seq)]"
        )
        return key
    return (key,)


def _item_of(item: Any) -> Any:
    """An item as `_resolve` reads it: int, slice, None, Ellipsis, bool or an index tensor."""
    kind = type(item)
    if kind is int or kind is builtins.slice:
        return item
    if item is None or item is Ellipsis or kind is bool:
        return item
    if not isinstance(item, Tensor):
        if isinstance(item, (list, tuple, range)) or (_is_array(item) and item.ndim):
            item = _index_tensor(item)
        elif isinstance(item, str):
            raise TypeError(f"a string is no index: {item!r}")
        else:
            if _is_array(item):
                item = item[()]
            try:
                return to_int(item)
            except TypeError:
                raise _invalid(item) from None
    if item.dtype is _core.uint8:
        import warnings

        warnings.warn(
            "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool "
            "instead.",
            stacklevel=5,
        )
    return item


def _taken_by(item: Any) -> int:
    """How many dimensions an item takes."""
    if item is None or item is Ellipsis or type(item) is bool:
        return 0
    return item.ndim if isinstance(item, Tensor) and _is_mask(item) else 1


def _bounds(key: builtins.slice) -> tuple[Any, Any, int]:
    start, stop, step = key.start, key.stop, key.step
    if step is None:
        step = 1
    else:
        step = to_int(step)
        if step == 0:
            raise ValueError("slice step cannot be zero")
        if step < 0:
            raise ValueError("step must be greater than zero: use flip() to reverse a dimension")
    try:
        start = start if start is None else to_int(start)
        stop = stop if stop is None else to_int(stop)
    except TypeError:
        raise TypeError(
            "slice indices must be integers or None or have an __index__ method"
        ) from None
    return start, stop, step


def _resolve(self: Tensor, key: Any) -> tuple[Tensor, list | None]:
    """The view that a key makes, and the index tensors that then pick from it, if any.

    The list has None for dimensions that are taken whole; a mask stands for as many dimensions as
    it has.
    """
    items = _key_items(key)
    taken = 0
    for item in items:
        kind = type(item)
        if kind is int or kind is builtins.slice:
            taken += 1
        elif item is not None and item is not Ellipsis:  # a key that makes more than a view
            items = [_item_of(item) for item in items]
            taken = sum(map(_taken_by, items))
            break
    if taken > self.ndim:
        raise _too_many(self, items, taken)
    view, dim = self, 0
    indices: list = []
    covered = 0  # dimensions that `indices` stands for
    for item in items:
        kind = type(item)
        if kind is int:
            view = select(view, dim, item)
        elif kind is builtins.slice:
            start, stop, step = _bounds(item)
            if start is not None or stop is not None or step != 1:
                view = slice_along(view, dim, start, stop, step)
            dim += 1
        elif item is None:
            view = unsqueeze(view, dim)
            dim += 1
        elif item is Ellipsis:
            dim += self.ndim - taken  # a second one too, as in PyTorch: nothing may come behind it
        else:
            view, index = _with_dimension(view, dim, item)
            if index is not None:
                indices += [None] * (dim - covered)
                indices.append(index)
                dim += _taken_by(index)
                covered = dim
    return view, indices or None


def _with_dimension(view: Tensor, dim: int, item: Any) -> tuple[Tensor, Tensor | None]:
    """The view with a dimension for `item` to pick from, and the item as an index tensor.

    None for an integer in a 0-dim tensor, which selects; an item of a vmap picks instead.
    """
    if type(item) is bool:
        return unsqueeze(view, dim), _core.tensor_from_data([item], _core.bool)
    if item.ndim:
        return view, item
    if _is_mask(item):
        return unsqueeze(view, dim), unsqueeze(item, 0)
    if item.dtype.is_floating_point or item.dtype.is_complex:
        raise IndexError(
            f"tensors used as indices must be long, int, byte or bool tensors, got {item.dtype}"
        )
    if item._level:  # inside vmap nobody can look at values
        return view, item
    return select(view, dim, item.item()), None


def _too_many(self: Tensor, items: Any, taken: int) -> IndexError:
    if self.ndim == 0 and len(items) == 1 and type(items[0]) is not Tensor:
        if type(items[0]) is builtins.slice:
            return IndexError("slice() cannot be applied to a 0-dim tensor.")
        return IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` to convert a 0-dim tensor to "
            "a number"
        )
    return IndexError(
        f"too many indices for tensor of dimension {self.ndim}: the key takes {taken}"
    )


# ---- the operators


def _name_of_part(key: tuple | builtins.slice) -> str:
    """The name of the last of the views that PyTorch makes a basic key of."""
    for item in reversed(key) if isinstance(key, tuple) else (key,):
        if item is None:
            return "UnsqueezeBackward0"
        if type(item) is int:
            return "SelectBackward0"
        if item is not Ellipsis and item != builtins.slice(None):
            return "SliceBackward0"
    return "AliasBackward0"


@op(_core.basic_index, view=True, method=False, public=False, node=_name_of_part)
def _part(input: Tensor, key: tuple | builtins.slice, first: int = 0) -> Tensor:
    """input[key] for a slice, or a tuple of integers, slices, None and one Ellipsis: one view.

    Args:
        input: of any shape.
        key: what `_core.is_basic_key` takes.
        first: the dimension that the first item stands for.
    """


@op(_core.basic_index_backward, method=False, public=False)
def _part_backward(grad: Tensor, input_shape: Any, key: Any, first: int) -> Tensor:
    """Zeros of the given shape with `grad` where the part was."""


_part.vjp(input=_part_backward)
_part_backward.vjp(grad=_part)


def _getitem(self: Tensor, key: Any) -> Tensor:
    """self[key]: a view for integers, slices, None and Ellipsis; a copy for indices and masks."""
    kind = type(key)
    if kind is int and self.ndim:
        return select(self, 0, key)
    if (kind is tuple or kind is builtins.slice) and _core.is_basic_key(self, key):
        return _part(self, key)
    if kind is Tensor and (
        (key.dtype is _core.int64 and key.ndim and self.ndim)
        or (key.dtype is _core.bool and 0 < key.ndim <= self.ndim)
    ):
        return _index(self, [key])
    view, indices = _resolve(self, key)
    if indices is not None:
        return _index(view, indices)
    return alias(view) if view is self else view


def _setitem(self: Tensor, key: Any, value: Any) -> None:
    """self[key] = value, in place; a number or a tensor that broadcasts to what is written."""
    kind = type(key)
    if kind is int and self.ndim:
        view, indices = select(self, 0, key), None
    elif (kind is tuple or kind is builtins.slice) and _core.is_basic_key(self, key):
        view, indices = _part(self, key), None
    else:
        view, indices = _resolve(self, key)
    if not isinstance(value, Tensor):
        if (
            indices is None
            and type(value) in _PLAIN_NUMBERS
            and not view.requires_grad
            and not view._level
        ):
            _core.fill_(view, value)
            return
        value = _number(self, value)
    elif value.ndim and value.shape[0] == 1:
        value = _without_leading_ones(value)
    if indices is not None:
        _index_put_(view, indices, value, False)
    else:
        view.copy_(value)


_PLAIN_NUMBERS = (float, int, bool)


def _number(self: Tensor, value: Any) -> Tensor:
    """A number as a 0-dim tensor of self's dtype."""
    kind = type(value)
    if kind not in _PLAIN_NUMBERS:
        if isinstance(value, complex):
            if not self.dtype.is_complex:
                raise RuntimeError(
                    f"value cannot be converted to type {self.dtype} without overflow"
                )
        elif not isinstance(value, (int, float)):
            if not hasattr(value, "__index__") or _is_array(value):
                raise TypeError(
                    f"can't assign a {kind.__name__} to a tensor of {self.dtype}; make it a tensor "
                    "first"
                )
            value = to_int(value)
    return _core.full((), value, self.dtype)


def _without_leading_ones(value: Tensor) -> Tensor:
    """The value without its first dimensions of size 1: there may be more of them than fit."""
    shape = tuple(value.shape)
    while shape and shape[0] == 1:
        shape = shape[1:]
    return value.reshape(shape)


Tensor.__getitem__ = _getitem  # type: ignore[assignment]
Tensor.__setitem__ = _setitem  # type: ignore[assignment]
