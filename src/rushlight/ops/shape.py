"""Views and other changes of shape: no arithmetic, the data mostly stays where it is."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.tensor import Tensor


def _sizes(size: tuple) -> tuple:
    """Sizes given one by one or as one sequence."""
    if len(size) == 1 and not hasattr(size[0], "__index__"):
        return tuple(size[0])
    return size


def axis_of(dim: int, rank: int) -> int:
    """Dimension `dim` of a tensor with `rank` of them, counted from the front.

    IndexError if there is none; one without dimensions is taken for one of a single element.
    """
    span = rank or 1
    if not -span <= dim < span:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got "
            f"{dim})"
        )
    return dim + span if dim < 0 else dim


# ---- views


@op(_core.as_strided, view=True)
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A view with any sizes and strides, in elements, that stay inside the storage.

    `storage_offset` counts from the storage's start; the tensor's own by default. Where elements
    overlap, gradients are added up and shared. Raises RuntimeError where the view would leave the
    storage.
    """


def _as_strided_gradient(
    grad: Tensor, input_place: tuple, size: Any, stride: Any, storage_offset: int | None
) -> Tensor:
    # Scatter-add into a stretch of memory laid out like the input's, then read it as the input.
    shape, own_stride, own = input_place
    offset = own if storage_offset is None else storage_offset
    span = 1
    for length, step in (*zip(shape, own_stride), *zip(size, stride)):
        span += max(0, (length - 1) * step)
    low = min(own, offset)
    room = span + max(own, offset) - low
    index = _core.as_strided(
        _core.arange(0, room, 1, _core.int64), tuple(size), tuple(stride), offset - low
    )
    memory = grad.new_zeros(room).index_add(0, index.reshape(-1), grad.reshape(-1))
    own_index = _core.as_strided(
        _core.arange(0, room, 1, _core.int64), tuple(shape), own_stride, own - low
    )
    flat = own_index.reshape(-1)
    real = grad.dtype.to_real()
    counts = _core.full((room,), 0, real).index_add(0, flat, _core.full((flat.numel(),), 1, real))
    return (memory / counts.clamp(min=1)).index_select(0, flat).view(shape)


as_strided.vjp(input=_as_strided_gradient)


@composed(method=True)
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None
) -> Tensor:
    """A copy of input in which the part that `as_strided` would show has the values of `src`."""
    result = input.clone()
    as_strided(result, size, stride, storage_offset).copy_(src)
    return result


@op(_core.view, view=True, public=False, method=False, node="ViewBackward0")
def _view(input: Tensor, size: Any) -> Tensor:
    """The same elements in another shape, without a copy."""


_view.vjp(input=lambda grad, input_shape: reshape(grad, input_shape))


def _tensor_view(self: Tensor, *shape: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """The same elements in another shape (-1: what is left), or bytes as another dtype."""
    if len(shape) == 1:
        if isinstance(shape[0], _core.dtype):
            return _view_dtype(self, shape[0])
        if not isinstance(shape[0], int):
            return _view(self, tuple(shape[0]))
    elif not shape and (size is not None or dtype is not None):
        return _view(self, tuple(size)) if dtype is None else _view_dtype(self, dtype)
    return _view(self, shape)


def _view_as(self: Tensor, other: Tensor) -> Tensor:
    """`view` to the shape of another tensor."""
    return _view(self, other.shape)


Tensor.view = _tensor_view
Tensor.view_as = _view_as


def _view_dtype(input: Tensor, dtype: Any) -> Tensor:
    if dtype is input.dtype:
        return _view(input, input.shape)
    old, new = input.element_size(), dtype.itemsize
    shape, stride, offset = list(input.shape), list(input.stride()), input.storage_offset()
    if old == new:
        return _core.reinterpret(input, dtype, shape, stride, offset)
    if not shape:
        raise RuntimeError(
            f"self.dim() cannot be 0 to view {input.dtype} as {dtype} (different element sizes)"
        )
    if stride[-1] != 1 and shape[-1] != 1:
        raise RuntimeError("self.stride(-1) must be 1 to view as a dtype of another size")
    if new < old:
        ratio = old // new
        shape[-1] *= ratio
        stride = [s * ratio for s in stride[:-1]] + [1]
        return _core.reinterpret(input, dtype, shape, stride, offset * ratio)
    ratio = new // old
    if shape[-1] % ratio or offset % ratio or any(s % ratio for s in stride[:-1]):
        raise RuntimeError(
            f"sizes, strides and offset must be divisible by {ratio} to view {input.dtype} as "
            f"{dtype}"
        )
    shape[-1] //= ratio
    stride = [s // ratio for s in stride[:-1]] + [1]
    return _core.reinterpret(input, dtype, shape, stride, offset // ratio)


@op(_core.view, view=True, public=False, method=False, node="UnsafeViewBackward0")
def _unsafe_view(input: Tensor, size: Any) -> Tensor:
    """A view of a copy that nobody else has."""


_unsafe_view.vjp(input=lambda grad, input_shape: reshape(grad, input_shape))


@composed()
def reshape(input: Tensor, shape: Any) -> Tensor:
    """The same elements, in row-major order, in another shape: a view where possible, else a copy.

    One size may be -1: what is left. Raises RuntimeError where the number of elements does not fit.
    """
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if _core.can_view(input, shape):
        return _view(input, shape)
    return _unsafe_view(input.contiguous(), shape)


def _tensor_reshape(self: Tensor, *sizes: Any, shape: Any = None) -> Tensor:
    """The same elements in another shape (-1: what is left): a view where possible, else a copy."""
    return reshape(self, _sizes(sizes) if shape is None else shape)


def _reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """`reshape` to the shape of another tensor."""
    return reshape(self, other.shape)


Tensor.reshape = _tensor_reshape
Tensor.reshape_as = _reshape_as


@op(_core.permute, view=True, variadic="dims")
def permute(input: Tensor, dims: Any) -> Tensor:
    """A view with the dimensions in the order `dims`, which names each of them once.

    Raises RuntimeError where it does not, IndexError for a dimension that is not there.
    """


def _inverse(dims: tuple) -> tuple:
    inverse = [0] * len(dims)
    for i, d in enumerate(dims):
        inverse[d] = i
    return tuple(inverse)


permute.vjp(input=lambda grad, dims: permute(grad, _inverse(dims)))


@op(_core.transpose, view=True)
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """A view with two dimensions exchanged. Raises IndexError for one that is not there."""


transpose.vjp(input=lambda grad, dim0, dim1: transpose(grad, dim0, dim1))


@op(_core.transpose, view=True, method=False, public=False, node="TBackward0")
def _t(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """transpose, as the transpose of a matrix calls it."""


_t.vjp(input=lambda grad, dim0, dim1: _t(grad, dim0, dim1))


@composed(method=True)
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix, as a view; vectors and numbers stay as they are.

    Raises RuntimeError for more than 2 dimensions.
    """
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return _t(input, 0, 1) if input.ndim == 2 else _t(input, 0, 0)


@composed(method=True)
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged, complex numbers conjugated: (*, m, n) -> (*, n, m)."""
    return transpose(input, -2, -1).conj()


swapdims, Tensor.swapdims = transpose, Tensor.transpose


@composed(method=True)
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """:func:`transpose` by the names of its arguments in NumPy."""
    return transpose(input, axis0, axis1)




@op(_core.expand, view=True, public=False, variadic="size")
def expand(input: Tensor, size: Any) -> Tensor:
    """A view with dimensions of size 1 repeated, without a copy; -1 leaves a size as it is.

    New dimensions come in front. Elements share memory, so do not write to the result. The gradient
    is the sum over what was repeated. Raises RuntimeError where another size would have to change.
    """


expand.vjp(input=lambda grad, input_shape: sum_to_size(grad, input_shape))


def _expand_as(self: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of another tensor."""
    return expand(self, other.shape)


Tensor.expand_as = _expand_as


@op(_core.sum_to_size, public=False, variadic="size")
def sum_to_size(input: Tensor, size: Any) -> Tensor:
    """The sum over the dimensions along which `size` would have been broadcast: undoes `expand`.

    Raises RuntimeError where `size` does not broadcast to the input's shape.
    """


sum_to_size.vjp(input=lambda grad, input_shape: expand(grad, input_shape))


@composed(method=True)
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """Another name of `expand`, NumPy's, with the sizes as one sequence."""
    return expand(input, tuple(size))


@composed()
def broadcast_tensors(*tensors: Tensor) -> tuple:
    """Views of the tensors in the shape that they broadcast to, as a tuple.

    Raises RuntimeError where they do not.
    """
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    shape = broadcast_shapes(*(t.shape for t in tensors))
    return tuple(expand(t, shape) for t in tensors)


@composed()
def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that tensors of these shapes broadcast to.

    An int counts as a shape of one dimension. Raises RuntimeError where they do not.
    """
    from rushlight.dtypes import Size

    result: Any = ()
    for shape in shapes:
        if isinstance(shape, Tensor):
            raise TypeError("broadcast_shapes() takes shapes, not tensors: pass tensor.shape")
        try:
            result = _core.broadcast_shapes(result, (shape,) if isinstance(shape, int) else shape)
        except RuntimeError:
            raise RuntimeError(
                "Shape mismatch: objects cannot be broadcast to a single shape: "
                f"{[tuple(s) if not isinstance(s, int) else s for s in shapes]}"
            ) from None
    return Size(result)


@op(_core.slice, view=True, method=False, public=False)
def slice(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """input[start:end:step] along `dim`, as a view; ends outside are moved inside, as Python's."""


slice.vjp(
    input=lambda grad, input_shape, dim, start, end, step: slice_backward(
        grad, input_shape, dim, start, end, step
    )
)


@op(public=False, method=False)
def slice_backward(
    grad_output: Tensor, size: Any, dim: int, start: Any, end: Any, step: int
) -> Tensor:
    """Zeros of the given size with grad_output where the slice was."""
    result = _core.full(size, 0, grad_output.dtype)
    _core.copy_(_core.slice(result, dim, start, end, step), grad_output)
    return result


slice_backward.vjp(
    grad_output=lambda grad, dim, start, end, step: slice(grad, dim, start, end, step)
)


@op(_core.select, view=True)
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The part at one index of a dimension, which goes, as a view.

    Negative ones count from the end. Raises IndexError for an index or a dimension that is not
    there.
    """


@op(public=False, method=False)
def select_backward(grad: Tensor, input_shape: Any, dim: int, index: int) -> Tensor:
    """Zeros of the given shape with `grad` at the index."""
    result = _core.full(input_shape, 0, grad.dtype)
    _core.copy_(_core.select(result, dim, index), grad)
    return result


select.vjp(input=select_backward)
select_backward.vjp(grad=select)


@composed(method=True, numpy_names=True)
def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """input[start : start + length] along `dim`, as a view; `start` may be negative.

    Raises RuntimeError where the part goes beyond the end, IndexError where it starts there.
    """
    size = input.shape[axis_of(dim, input.ndim)] if input.ndim else 0
    if input.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if isinstance(start, Tensor) and (
        start.ndim
        or start.dtype.is_floating_point
        or start.dtype.is_complex
        or start.dtype is _core.bool
    ):
        raise RuntimeError(
            f"narrow(): start must be an 0-dim integral Tensor, got one of {start.dtype} and shape "
            f"{list(start.shape)}"
        )
    start = int(start)
    if not -size <= start <= size:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-size}, {size}], but got "
            f"{start})"
        )
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    start = start + size if start < 0 else start
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return slice(input, dim, start, start + length)


@op(_core.unsqueeze, view=True)
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A view with one more dimension, of size 1, at `dim`, from -ndim - 1 to ndim.

    Raises IndexError for another one.
    """


unsqueeze.vjp(input=lambda grad, input_shape: reshape(grad, input_shape))


def _squeeze_name(dim: Any) -> str:
    return f"SqueezeBackward{0 if dim is None else 1 if isinstance(dim, int) else 2}"


@op(_core.squeeze, view=True, node=_squeeze_name)
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """A view without the dimensions of size 1: all of them, or those of `dim` (an int or several).

    A dimension of another size stays, without an error.
    """


squeeze.vjp(input=lambda grad, input_shape: reshape(grad, input_shape))


@composed(method=True)
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim`, both included, made one: a view where possible.

    A 0-dim tensor becomes a vector of 1. Raises RuntimeError where the first lies behind the last.
    """
    sizes = tuple(input.shape)
    rank = len(sizes)
    first, last = axis_of(start_dim, rank), axis_of(end_dim, rank)
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if first == last:
        return input if rank else reshape(input, (1,))
    joined = math.prod(sizes[first : last + 1])
    return reshape(input, (*sizes[:first], joined, *sizes[last + 1 :]))


@composed(method=True)
def ravel(input: Tensor) -> Tensor:
    """All elements in one row: a view of a contiguous tensor, else a copy."""
    return reshape(input.contiguous(), (-1,))


@composed(method=True)
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """One dimension split into several, whose product it is; one may be -1. A view.

    Raises RuntimeError where the sizes do not multiply to it.
    """
    axis = axis_of(dim, input.ndim)
    sizes = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    known = 1
    for size in sizes:
        known *= size if size != -1 else 1
    size = input.shape[axis]
    if (-1 in sizes and (known == 0 or size % known)) or (-1 not in sizes and known != size):
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} "
            f"({size}) in the input tensor"
        )
    if -1 in sizes:
        sizes = tuple(size // known if one == -1 else one for one in sizes)
    return _view(input, (*input.shape[:axis], *sizes, *input.shape[axis + 1 :]))


@composed(method=True)
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Some dimensions moved to other places, as a view; the others keep their order.

    `source` and `destination` are ints or sequences of one length. Raises RuntimeError where one is
    named twice, IndexError where it is not there.
    """
    if isinstance(source, int) and isinstance(destination, int) and input.ndim:
        order = list(range(input.ndim))
        order.insert(axis_of(destination, input.ndim), order.pop(axis_of(source, input.ndim)))
        return permute(input, tuple(order))
    sources = (source,) if isinstance(source, int) else tuple(source)
    targets = (destination,) if isinstance(destination, int) else tuple(destination)
    if len(sources) != len(targets):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({list(sources)} dims) should contain the same number of dims as destination "
            f"({list(targets)} dims)"
        )
    sources = tuple(axis_of(d, input.ndim) for d in sources)
    targets = tuple(axis_of(d, input.ndim) for d in targets)
    for dims, what in ((sources, "source"), (targets, "destination")):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{what}` ({list(dims)})")
    if not input.ndim:
        return permute(input, ())
    order = [-1] * input.ndim
    for source_dim, target_dim in zip(sources, targets):
        order[target_dim] = source_dim
    rest = iter(d for d in range(input.ndim) if d not in sources)
    return permute(input, tuple(d if d >= 0 else next(rest) for d in order))


moveaxis = Tensor.moveaxis = movedim

# ---- several views at once


@op(view=True, public=False, method=False, node="SplitBackward0")
def _split(input: Tensor, sizes: tuple, dim: int) -> tuple:
    parts, start = [], 0
    for size in sizes:
        parts.append(_core.slice(input, dim, start, start + size, 1))
        start += size
    return tuple(parts)


def _split_gradient(
    grad: tuple, input_shape: Any, input_dtype: Any, sizes: tuple, dim: int
) -> Tensor:
    from rushlight.ops.join import cat

    parts = []
    for part, size in zip(grad if len(sizes) > 1 else (grad,), sizes):
        if part is None:
            shape = list(input_shape)
            shape[dim] = size
            part = _core.full(shape, 0, input_dtype)
        parts.append(part)
    return cat(parts, dim)


_split.vjp(input=_split_gradient)


@composed(method=True)
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple:
    """Views of parts of one size (the last may be smaller), or of the sizes given, as a tuple.

    Raises RuntimeError for negative sizes, or such that do not add up to the dimension's.
    """
    if isinstance(split_size_or_sections, int):
        return _split_even(tensor, split_size_or_sections, dim)
    return split_with_sizes(tensor, split_size_or_sections, dim)


def _split_method(self: Tensor, split_size: Any, dim: int = 0) -> tuple:
    """:func:`split`, by the name that the argument has as a method's."""
    return split(self, split_size, dim)


Tensor.split = _split_method  # type: ignore[assignment]


def _split_even(tensor: Tensor, size: int, dim: int) -> tuple:
    if tensor.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    axis = axis_of(dim, tensor.ndim)
    length = tensor.shape[axis]
    if size == 0:
        if length:
            raise RuntimeError(
                "split_size can only be 0 if dimension size is 0, but got dimension size of "
                f"{length}"
            )
        return _split(tensor, (0,), axis)
    count = max(1, -(-length // size))
    return _split(tensor, (*(size,) * (count - 1), length - size * (count - 1)), axis)


@composed(method=True)
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple:
    """Views of parts with the sizes given, as a tuple.

    Raises RuntimeError where one is negative or they do not add up to the dimension's.
    """
    if input.ndim == 0:
        raise RuntimeError("split_with_sizes expects at least a 1-dimensional tensor")
    axis = axis_of(dim, input.ndim)
    sizes = tuple(int(s) for s in split_sizes)
    total = 0
    for size in sizes:
        if size < 0:
            raise RuntimeError(
                "split_with_sizes expects split_sizes have only non-negative entries, but got "
                f"split_sizes={list(sizes)}"
            )
        total += size
    if total != input.shape[axis]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {input.shape[axis]} (input "
            f"tensor's size at dimension {axis}), but got split_sizes={list(sizes)}"
        )
    return _split(input, sizes, axis)


@composed(method=True, numpy_names=True)
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple:
    """At most `chunks` views of parts of size ceil(size / chunks); the last may be smaller.

    5 elements in 4 chunks are 2 + 2 + 1: three. Raises RuntimeError for `chunks` <= 0.
    """
    if input.ndim == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    axis = axis_of(dim, input.ndim)
    size = -(-input.shape[axis] // chunks)
    if size == 0:
        return _split(input, (0,) * chunks, axis)
    return _split_even(input, size, axis)


@composed(method=True)
def tensor_split(
    input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None,
    sections: int | None = None,
) -> tuple:  # fmt: skip
    """Views of exactly that many nearly equal parts, or of the parts between the indices given.

    `indices` and `sections` are other names for it. The first ones are larger by one where they do
    not come out even. Raises RuntimeError for a number of parts <= 0, or a tensor that is not int64
    with at most one dimension.
    """
    if indices_or_sections is None:
        indices_or_sections = sections if indices is None else indices
    if input.ndim == 0:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    axis = axis_of(dim, input.ndim)
    length = input.shape[axis]
    if isinstance(indices_or_sections, Tensor):
        if indices_or_sections.dtype is not _core.int64 or indices_or_sections.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a 0- or 1-dimensional "
                f"int64 tensor, but got {indices_or_sections.dtype} of shape "
                f"{list(indices_or_sections.shape)}"
            )
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        sections = indices_or_sections
        if sections <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
        base, longer = divmod(length, sections)
        return _split(
            input, (base + 1,) * longer + (base,) * (sections - longer), axis
        )
    bounds = [0, *indices_or_sections, length]
    return tuple(slice(input, axis, *ends) for ends in pairwise(bounds))


@op(view=True)
def unbind(input: Tensor, dim: int = 0) -> tuple:
    """Views of all parts along a dimension, which goes, as a tuple.

    Raises IndexError for a 0-dim tensor.
    """
    axis = axis_of(dim, input.ndim)
    if input.ndim == 0:
        raise IndexError("unbind(): cannot be applied to a 0-dim tensor")
    return tuple(_core.select(input, axis, i) for i in range(input.shape[axis]))


def _unbind_gradient(grad: Any, input_shape: Any, input_dtype: Any, dim: int) -> Tensor:
    from rushlight.ops.join import stack

    grads = grad if isinstance(grad, tuple) else (grad,)
    if not grads:
        return _core.full(input_shape, 0, input_dtype)
    axis = dim + len(input_shape) if dim < 0 else dim
    shape = (*input_shape[:axis], *input_shape[axis + 1 :])
    return stack([_core.full(shape, 0, input_dtype) if g is None else g for g in grads], axis)


unbind.vjp(input=_unbind_gradient)


@op(view=True, public=False)
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """A view of all windows of `size` along a dimension, `step` apart, as a new last dimension.

    The dimension becomes (length - size) // step + 1 long. Gradients of windows that overlap add
    up. Raises RuntimeError where `size` is more than there is or `step` <= 0.
    """
    axis = axis_of(dimension, input.ndim)
    length = input.shape[axis] if input.ndim else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > length:
        raise RuntimeError(
            f"maximum size for tensor at dimension {axis} is {length} but size is {size}"
        )
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if input.ndim == 0:
        return _core.as_strided(input, (size,), (1,), input.storage_offset())
    shape, stride = list(input.shape), list(input.stride())
    shape[axis] = (length - size) // step + 1
    shape.append(size)
    stride.append(stride[axis])
    stride[axis] *= step
    return _core.as_strided(input, shape, stride, input.storage_offset())


@op(_core.overlap_add, method=False, public=False)
def _overlap_add(windows: Tensor, step: int, length: int) -> Tensor:
    """Windows (..., windows, size) added up, `step` apart: (..., length)."""


_overlap_add.vjp(
    windows=lambda grad, windows_shape, step: _windows(grad, windows_shape, step)
)


def _windows(grad: Tensor, shape: Any, step: int) -> Tensor:
    # There may be more elements than the windows cover.
    used = (shape[-2] - 1) * step + shape[-1] if shape[-2] else 0
    return unfold(grad.narrow(-1, 0, used), -1, shape[-1], step) if used else grad.new_zeros(shape)


def _unfold_gradient(
    grad: Tensor, input_shape: Any, dimension: int, size: int, step: int
) -> Tensor:
    if not input_shape:
        return grad.reshape(())
    axis = dimension + len(input_shape) if dimension < 0 else dimension
    return _overlap_add(grad.movedim(axis, -2), step, input_shape[axis]).movedim(-1, axis)


unfold.vjp(input=_unfold_gradient)


@op(_core.diagonal, view=True)
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A view of the diagonal of two dimensions, as a new last dimension.

    `offset`: how far above the main one, below if negative. Raises RuntimeError where `dim1` is
    `dim2`.
    """


def _diagonal_gradient(
    grad: Tensor, input_shape: Any, offset: int, dim1: int, dim2: int
) -> Tensor:
    result = grad.new_zeros(input_shape)
    diagonal(result, offset, dim1, dim2).copy_(grad)
    return result


diagonal.vjp(input=_diagonal_gradient)


_core.set_callbacks(sum_to=sum_to_size)
__all__ += ["swapdims", "moveaxis"]  # type: ignore[name-defined]  # noqa: F821
