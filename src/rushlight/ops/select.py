"""Choosing elements by their value: max, min, argmax, nonzero, masked_select and their kin."""

from __future__ import annotations

from typing import Any

from rushlight import _core, return_types
from rushlight.autograd.op import composed, op
from rushlight.ops.gather import _fit, _scatter, _zeros
from rushlight.ops.index import writes
from rushlight.ops.pointwise import masked_fill, maximum, minimum
from rushlight.ops.reduce import _extreme_gradient
from rushlight.ops.shape import broadcast_shapes, expand
from rushlight.tensor import Tensor


def spread_selected(
    grad: Tensor, shape: Any, dim: int, keepdim: bool, index: Tensor
) -> Tensor:
    """The gradient of one element picked from each lane of `dim`: at its index, zeros elsewhere."""
    result = _zeros(grad, shape)
    if not keepdim and len(shape):
        grad, index = grad.unsqueeze(dim), index.unsqueeze(dim)
    return _scatter(result, dim, index, grad)


def _selected_gradient(
    grads: tuple, input_shape: Any, dim: int, keepdim: bool, result: tuple
) -> Tensor:
    return spread_selected(grads[0], input_shape, dim, keepdim, result[1])


# ---- extremes


@op(out="exact", method=False, public=False, node="MaxBackward0")
def _max_dim(input: Tensor, dim: int, keepdim: bool = False) -> return_types.max:
    """The largest values of `dim` and where they are; nan is the largest of all."""
    return return_types.max(_core.max_with_index(input, dim, keepdim))


_max_dim.vjp(input=_selected_gradient)


@op(out="exact", method=False, public=False, node="MinBackward0")
def _min_dim(input: Tensor, dim: int, keepdim: bool = False) -> return_types.min:
    """The smallest values of `dim` and where they are; nan is the smallest of all."""
    return return_types.min(_core.min_with_index(input, dim, keepdim))


_min_dim.vjp(input=_selected_gradient)


def _all_gradient(grad: Tensor, input: Tensor, result: Tensor) -> Tensor:
    return _extreme_gradient(grad, input, None, False, result)


def _check_all(name: str, input: Tensor) -> None:
    if input.numel() == 0:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
            "reduction dim with the 'dim' argument."
        )
    if input.dtype.is_complex:
        raise NotImplementedError(f"{name}(): not implemented for {input.dtype}")


@op(out=True, method=False, public=False, node="MaxBackward1")
def _max_all(input: Tensor) -> Tensor:
    """The largest element; equal ones share the gradient."""
    _check_all("max", input)
    return _core.amax(input, None, False)


_max_all.vjp(input=_all_gradient)


@op(out=True, method=False, public=False, node="MinBackward1")
def _min_all(input: Tensor) -> Tensor:
    """The smallest element; equal ones share the gradient."""
    _check_all("min", input)
    return _core.amin(input, None, False)


_min_all.vjp(input=_all_gradient)


def _pair(name: str, input: Any, other: Any) -> tuple[Tensor, Tensor]:
    if not isinstance(input, Tensor) or not isinstance(other, Tensor):
        raise TypeError(
            f"{name}() takes a Tensor, a Tensor and a dimension, or two Tensors; got "
            f"({type(input).__name__}, {type(other).__name__})"
        )
    return input, other


@composed(method=True, numpy_names=True)
def max(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None,
    out: Any = None,
) -> Any:  # fmt: skip
    """The largest element; with `dim`, (values, indices) along it; of two tensors, the larger ones.

    nan counts as the largest. Of equal elements the first is the one whose index (int64) is given
    and that gets the gradient along `dim`; without `dim` they share it evenly. Raises IndexError
    for an empty `dim`, RuntimeError for an empty input without one.
    """
    if isinstance(dim, Tensor) or other is not None:
        return maximum(*_pair("max", input, dim if other is None else other), out=out)
    if dim is None:
        return _max_all(input, out=out)
    return _max_dim(input, dim, keepdim, out=out)


@composed(method=True, numpy_names=True)
def min(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None,
    out: Any = None,
) -> Any:  # fmt: skip
    """The smallest element; with `dim`, (values, indices) along it; of two tensors, the smaller.

    nan counts as the smallest. Of equal elements the first is the one whose index (int64) is given
    and that gets the gradient along `dim`; without `dim` they share it evenly. Raises IndexError
    for an empty `dim`, RuntimeError for an empty input without one.
    """
    if isinstance(dim, Tensor) or other is not None:
        return minimum(*_pair("min", input, dim if other is None else other), out=out)
    if dim is None:
        return _min_all(input, out=out)
    return _min_dim(input, dim, keepdim, out=out)


@op(_core.argmax, out="exact")
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index (int64) of the largest element along `dim`, or in the flattened input for None.

    Of equal elements the first; nan counts as the largest. Without a derivative. Raises IndexError
    where there is nothing to choose from, RuntimeError for bool and complex numbers.
    """


@op(_core.argmin, out="exact")
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index (int64) of the smallest element along `dim`, or in the flattened input for None.

    Of equal elements the first; nan counts as the smallest. Without a derivative. Raises IndexError
    where there is nothing to choose from, RuntimeError for bool and complex numbers.
    """


@op(out="exact")
def aminmax(
    input: Tensor, *, dim: int | None = None, keepdim: bool = False
) -> return_types.aminmax:
    """(min, max) of all elements, or along `dim`, in one pass.

    nan if one is nan; equal elements share the gradient. Where there are none it raises
    RuntimeError, or with `dim` IndexError.
    """
    if input.numel() == 0:
        if dim is None:
            raise RuntimeError(
                "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
                "identity."
            )
        if input.ndim and input.shape[dim] == 0:
            raise IndexError(
                f"aminmax(): Expected reduction dim {dim} to have non-zero size; the input has "
                f"shape {list(input.shape)}"
            )
    dims = None if dim is None else [dim]
    low, high = _core.amin(input, dims, keepdim), _core.amax(input, dims, keepdim)
    return return_types.aminmax((low, high))


def _aminmax_gradient(
    grads: tuple, input: Tensor, dim: int | None, keepdim: bool, result: tuple
) -> Any:
    parts = [
        _extreme_gradient(grad, input, dim, keepdim, value)
        for grad, value in zip(grads, result)
        if grad is not None
    ]
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


aminmax.vjp(input=_aminmax_gradient)

# ---- what is not zero


@op(_core.nonzero, method=False, public=False)
def _nonzero(input: Tensor) -> Tensor:
    """The places of the elements that are not zero: (count, dimensions)."""


@composed(method=True)
def nonzero(input: Tensor, *, as_tuple: bool = False, out: Tensor | None = None) -> Any:
    """The places of the elements that are not zero, in row-major order: (count, dimensions).

    With `as_tuple`, one vector of indices for each dimension, as indexing takes them.
    """
    if as_tuple:
        if input.ndim == 0:
            input = input.reshape(1)
        return _nonzero(input).unbind(1)
    result = _nonzero(input)
    if out is None:
        return result
    if out.dtype is not _core.int64:
        raise RuntimeError(f"nonzero: Expected out tensor to have dtype int64, got {out.dtype}")
    return _core.write_out("nonzero", result, out)


@composed(method=True)
def argwhere(input: Tensor) -> Tensor:
    """The places of the elements that are not 0, in row-major order: int64 (count, dimensions)."""
    return _nonzero(input)


@composed(method=True)
def nonzero_static(
    input: Tensor, *, size: int, fill_value: int = -1, out: Tensor | None = None
) -> Tensor:
    """:func:`nonzero` with exactly `size` rows: cut off, or filled up with rows of `fill_value`.

    int64 (size, dimensions), whatever the values are. Raises RuntimeError for a negative `size`.
    """
    if size < 0:
        raise RuntimeError(f"nonzero_static: 'size' must be an non-negative integer, got {size}")
    result = _core.full((size, input.ndim), fill_value, _core.int64, input)
    if result.is_meta:
        return result if out is None else _core.write_out("nonzero_static", result, out)
    places = _core.nonzero(input)
    count = places.shape[0] if places.shape[0] < size else size
    _core.copy_(_core.slice(result, 0, 0, count, 1), _core.slice(places, 0, 0, count, 1))
    return result if out is None else _core.write_out("nonzero_static", result, out)


@composed()
def unravel_index(indices: Tensor, shape: Any) -> tuple:
    """The coordinates, in a tensor of `shape`, of positions in it flattened.

    One int64 tensor per dimension, in the shape of `indices`. Positions are not checked. Raises
    TypeError unless `indices` is a tensor of integers.
    """
    if not isinstance(indices, Tensor) or indices.dtype.is_floating_point:
        raise TypeError("expected 'indices' to be an integer tensor")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    indices = indices.to(_core.int64)
    coordinates = []
    for size in reversed(shape):
        coordinates.append(indices % size)
        indices = indices.div(size, rounding_mode="floor")
    return tuple(reversed(coordinates))


@composed()
def isin(
    elements: Any = None, test_elements: Any = None, *, assume_unique: bool = False,
    invert: bool = False, out: Tensor | None = None, element: Any = None, test_element: Any = None,
) -> Tensor:  # fmt: skip
    """Whether each element is one of `test_elements` (or, with `invert`, is not).

    Either may be a number. The result is bool in the shape of `elements`; nan is never found.
    `assume_unique` changes nothing. A number may be named `element` or `test_element`. Raises
    TypeError if neither is a tensor.
    """
    elements = element if elements is None else elements
    test_elements = test_element if test_elements is None else test_elements
    like = elements if isinstance(elements, Tensor) else test_elements
    if not isinstance(like, Tensor):
        raise TypeError("isin() takes a Tensor as elements or as test_elements")
    if isinstance(elements, Tensor) and isinstance(test_elements, Tensor):
        dtype = _core.promote_types(elements.dtype, test_elements.dtype)
    else:
        dtype = _core.result_type([elements, test_elements])
    if dtype is _core.bool:
        dtype = _core.uint8
    if not isinstance(elements, Tensor):
        elements = _core.full((), elements, dtype)
    if not isinstance(test_elements, Tensor):
        test_elements = _core.full((1,), test_elements, dtype)
    if elements.is_meta:
        found = _core.empty(elements.shape, _core.bool, elements)
    else:
        flat = _core.reshape(_core.to_dtype(test_elements, dtype), (-1,))
        found = _core.isin(_core.to_dtype(elements, dtype), _core.sort(flat, 0, False)[0])
    result = ~found if invert else found
    return result if out is None else _core.write_out("isin", result, out, exact=True)


# ---- masks


@op(_core.masked_select, out="exact")
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where a boolean mask holds, in row-major order: a vector of as many.

    `input` and `mask` broadcast. Other elements get gradient 0. Raises RuntimeError for a mask that
    is not bool.
    """


def _masked_select_gradient(grad: Tensor, input_shape: Any, mask: Tensor) -> Tensor:
    shape = broadcast_shapes(input_shape, mask.shape)
    return _masked_scatter(_zeros(grad, shape), mask, grad)


masked_select.vjp(input=_masked_select_gradient)


def _masked_scatter_source(grad: Tensor, mask: Tensor, source_shape: Any) -> Tensor:
    return _fit(masked_select(grad, mask), (source_shape.numel(),)).reshape(source_shape)


@writes(
    _core.masked_scatter_,
    input=lambda grad, mask: masked_fill(grad, mask, 0),
    source=_masked_scatter_source,
)
def _masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """input with the first elements of source where the mask holds."""


@composed(method=True)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The elements of `source`, in order, where a boolean mask holds, else those of input.

    The mask broadcasts; `source` has any shape and at least as many elements as the mask holds, of
    the input's dtype, else RuntimeError is raised.
    """
    if input.shape != mask.shape:
        input = expand(input, broadcast_shapes(input.shape, mask.shape))
    return _masked_scatter(input, mask, source)


Tensor.masked_scatter_ = _masked_scatter.in_place.method()
