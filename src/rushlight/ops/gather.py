"""Lookups along a dimension, and writes to the places looked up: gather, scatter, index_*, take."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.complex import _c
from rushlight.ops.index import writes
from rushlight.ops.pointwise import where
from rushlight.ops.shape import axis_of, broadcast_shapes, diagonal, select
from rushlight.ops.shape import slice as slice_along
from rushlight.tensor import Tensor


def _zeros(like: Tensor, shape: Any) -> Tensor:
    """One zero, expanded: what is written to is a copy (see `writes`), and made only then."""
    return _core.expand(_core.full((), 0, like.dtype), tuple(shape))


# ---- one element for each index


@op(_core.gather, out="exact")
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """The elements at `index` along `dim`: result[i][j] = input[index[i][j]][j] for dim 0.

    index: int64 or int32, as many dimensions as input, nowhere larger than it but along `dim`.
    The result has its shape.

    The gradient adds up where an element is picked twice. Raises RuntimeError for an index outside,
    of another dtype or with another number of dimensions.
    """


gather.vjp(
    input=lambda grad, input_shape, dim, index: _scatter_add(
        _zeros(grad, input_shape), dim, index, grad
    )
)


@composed(method=True, numpy_names=True)
def take_along_dim(
    input: Tensor, indices: Tensor, dim: int | None = None, *, out: Tensor | None = None
) -> Tensor:
    """The elements at `indices` along `dim`, the other dimensions broadcast.

    Without `dim`, of the flattened input. What argsort and argmax return fits here.

    Raises RuntimeError for an index outside.
    """
    if indices.dtype is not _core.int64:
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got {indices.dtype}"
        )
    if dim is None:
        result = gather(input.reshape(-1), 0, indices.reshape(-1))
        return result if out is None else _core.write_out("take_along_dim", result, out, exact=True)
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    axis = axis_of(dim, input.ndim)
    indices = where(indices < 0, indices + input.shape[axis], indices)
    shape, places = list(input.shape), list(indices.shape)
    length, count = shape[axis], places[axis]
    shape[axis] = places[axis] = 1
    if shape != places:
        common = list(broadcast_shapes(shape, places))
        common[axis] = length
        input = input.expand(common)
        common[axis] = count
        indices = indices.expand(common)
    result = gather(input, axis, indices)
    return result if out is None else _core.write_out("take_along_dim", result, out, exact=True)


@op(_core.take, out="exact")
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at `index` (int64) of the flattened input, in the shape of the index.

    Negative ones count from the end. Raises IndexError outside.
    """


take.vjp(
    input=lambda grad, input_shape, index: _put(_zeros(grad, input_shape), index, grad, True)
)

# ---- scatter


def _scatter_values_gradient(grad: Tensor, dim: int, index: Tensor, src_shape: Any) -> Tensor:
    return _fit(gather(grad, dim, index), src_shape)


def _fit(part: Tensor, whole: Any) -> Tensor:
    """`part` in the first places of every dimension of zeros in the shape `whole`."""
    for dim, size in enumerate(whole):
        have = part.shape[dim]
        if have != size:
            shape = (*part.shape[:dim], size, *part.shape[dim + 1 :])
            part = slice_scatter(_zeros(part, shape), part, dim, 0, have)
    return part


@writes(
    lambda input, dim, index, src: _core.scatter_(input, dim, index, src, "none", True),
    input=lambda grad, dim, index: _scatter_value(grad, dim, index, 0),
    src=_scatter_values_gradient,
)
def _scatter(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """input with src[i][j] at [index[i][j]][j]."""


@writes(
    lambda input, dim, index, value: _core.scatter_value_(input, dim, index, value, "none"),
    input=lambda grad, dim, index: _scatter_value(grad, dim, index, 0),
)
def _scatter_value(input: Tensor, dim: int, index: Tensor, value: float) -> Tensor:
    """input with one number at [index[i][j]][j]."""


@writes(
    lambda input, dim, index, src: _core.scatter_(input, dim, index, src, "sum", True),
    input=lambda grad: grad,
    src=_scatter_values_gradient,
)
def _scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """input plus src[i][j] at [index[i][j]][j]."""


def _identity_places(grad: Tensor, dim: int, index: Tensor, include_self: bool) -> Tensor:
    """The gradient of what was reduced into: none where it took no part."""
    return grad if include_self else _scatter_value(grad, dim, index, 0)


def _scatter_reduce_gradient(
    grad: Tensor, input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str,
    include_self: bool, result: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    if reduce == "sum":
        of_input, of_src = grad, gather(grad, dim, index)
    elif reduce == "mean":
        ones = _core.full(tuple(index.shape), 1, grad.dtype)
        counts = _core.full(tuple(input.shape), int(include_self), grad.dtype)
        share = grad / _core.scatter_(counts, dim, index, ones, "sum", True).clamp(min=1)
        of_input, of_src = share, gather(share, dim, index)
    elif reduce == "prod":
        of_input, of_src = _scatter_prod_gradient(
            grad, input, dim, index, src, include_self, result
        )
    else:  # amax, amin: shared evenly among those that reach it
        src = _first_places(src, index)
        from_input = (input == result).to(grad.dtype)
        from_src = (src == gather(result, dim, index)).to(grad.dtype)
        if not include_self:
            from_input = _scatter_value(from_input, dim, index, 0)
        counts = _scatter_add(from_input, dim, index, from_src)
        share = grad / counts.clamp(min=1)
        of_input, of_src = from_input * share, from_src * gather(share, dim, index)
        untouched = _scatter_value(_core.full(tuple(input.shape), 1, grad.dtype), dim, index, 0)
        of_input = of_input if include_self else where(untouched == 1, grad, of_input)
    return _identity_places(of_input, dim, index, include_self), of_src


def _first_places(src: Tensor, index: Tensor) -> Tensor:
    """The part of src that the index uses."""
    for dim, size in enumerate(index.shape):
        if src.shape[dim] != size:
            src = slice_along(src, dim, 0, size)
    return src


def _scatter_prod_gradient(
    grad: Tensor, input: Tensor, dim: int, index: Tensor, src: Tensor, include_self: bool,
    result: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    # Zeros are replaced by ones, and their number decides which products of the others count.
    src = _first_places(src, index)
    reduced = _scatter_reduce(where(input == 0, 1.0, input), dim, index, src, "prod", include_self)
    of_input = grad * _c(reduced / where(input == 0, 1.0, input))
    zero = src == 0
    zeros = _core.full(tuple(input.shape), 0, _core.int64)
    zeros = _core.scatter_(zeros, dim, index, _core.to_dtype(zero, _core.int64), "sum", True)
    single = zero & (gather(zeros, dim, index) == 1)
    others = _scatter_reduce(input, dim, index, where(single, 1.0, src), "prod", include_self)
    of_src = where(
        single,
        gather(grad * _c(others), dim, index),
        gather(grad * _c(result), dim, index) / _c(where(zero, 1.0, src)),
    )
    return of_input, of_src


def _scatter_reduce_input(
    grad: Tensor, input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str,
    include_self: bool, result: Tensor,
) -> Tensor:  # fmt: skip
    return _scatter_reduce_gradient(grad, input, dim, index, src, reduce, include_self, result)[0]


def _scatter_reduce_src(
    grad: Tensor, input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str,
    include_self: bool, result: Tensor,
) -> Tensor:  # fmt: skip
    parts = _scatter_reduce_gradient(grad, input, dim, index, src, reduce, include_self, result)
    return _fit(parts[1], src.shape)


@writes(_core.scatter_, input=_scatter_reduce_input, src=_scatter_reduce_src)
def _scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool = True
) -> Tensor:
    """input with everything of src that goes to one place reduced there."""


def _scatter_call(
    input: Tensor, dim: int, index: Tensor, src: Any, reduce: str | None, in_place: bool
) -> Tensor:
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce!r}")
        if not isinstance(src, Tensor):
            src = _core.expand(_core.full((), src, input.dtype), tuple(index.shape))
        kind = "sum" if reduce == "add" else "prod"
        form = _scatter_reduce.in_place if in_place else _scatter_reduce
        return form(input, dim, index, src, kind, True)
    if isinstance(src, Tensor):
        return (_scatter.in_place if in_place else _scatter)(input, dim, index, src)
    return (_scatter_value.in_place if in_place else _scatter_value)(input, dim, index, src)


def _source(name: str, src: Any, value: Any) -> Any:
    if (src is None) == (value is None):
        raise TypeError(f"{name}() takes one of src and value")
    return value if src is None else src


@composed(method=True)
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None,
    reduce: str | None = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """input with src[i][j] (or a number) at [index[i][j]][j], for dim 0.

    Where indices meet, the last one stays; with reduce="add" or "multiply", all of them count.
    index: int64 or int32, no larger than src, nor than input but along `dim`.

    Raises RuntimeError for an index outside, or another `reduce`.
    """
    result = _scatter_call(input, dim, index, _source("scatter", src, value), reduce, False)
    return result if out is None else _core.write_out("scatter", result, out, exact=True)


def _scatter_method(
    self: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None,
    reduce: str | None = None,
) -> Tensor:  # fmt: skip
    """In-place form of :func:`scatter`."""
    return _scatter_call(self, dim, index, _source("scatter_", src, value), reduce, True)


Tensor.scatter_ = _scatter_method


@composed(method=True)
def scatter_add(
    input: Tensor, dim: int, index: Tensor, src: Tensor, *, out: Tensor | None = None
) -> Tensor:
    """input plus src[i][j] at [index[i][j]][j], for dim 0; sums in the order of `src`.

    `index` (int64) has input's number of dimensions and is nowhere larger than `src`. Both get
    gradients. Raises RuntimeError for an index outside, or shapes or dtypes that do not fit.
    """
    result = _scatter_add(input, dim, index, src)
    return result if out is None else _core.write_out("scatter_add", result, out, exact=True)


Tensor.scatter_add_ = _scatter_add.in_place.method()

_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


def _check_reduction(reduce: str) -> None:
    if reduce not in _REDUCTIONS:
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )


@composed(method=True)
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """All of src that goes to one place, reduced there: "sum", "prod", "mean", "amax" or "amin".

    With `include_self` the value of input at the place takes part.

    Equal extremes share the gradient evenly. Raises RuntimeError for an index outside, or another
    `reduce`.
    """
    _check_reduction(reduce)
    result = _scatter_reduce(input, dim, index, src, reduce, include_self)
    return result if out is None else _core.write_out("scatter_reduce", result, out, exact=True)


def _scatter_reduce_method(
    self: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """In-place form of :func:`scatter_reduce`."""
    _check_reduction(reduce)
    return _scatter_reduce.in_place(self, dim, index, src, reduce, include_self)


Tensor.scatter_reduce_ = _scatter_reduce_method

# ---- whole slices for each index


@op(_core.index_select, out="exact")
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of `dim` at `index` (a vector of int64 or int32), in its order: a copy.

    Raises IndexError for an index outside or that is no vector.
    """


index_select.vjp(
    input=lambda grad, input_shape, dim, index: _index_add(
        _zeros(grad, input_shape), dim, index, grad, 1
    )
)


def _index_add_source_gradient(
    grad: Tensor, dim: int, index: Tensor, source_shape: Any, alpha: Any
) -> Tensor:
    part = index_select(grad, dim, index).reshape(source_shape)
    return part if alpha == 1 else part * _c(alpha)


@writes(
    _core.index_add_,
    input=lambda grad: grad,
    source=_index_add_source_gradient,
)
def _index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, alpha: Any = 1) -> Tensor:
    """input with alpha times the slices of source added at `index`."""


@composed(method=True)
def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """input with `alpha` times the slices of `source` added to those at `index` along `dim`.

    Indices (a vector of int64 or int32) may repeat: sums are in their order. `source` has input's
    shape but for `dim`, which is as long as `index`. Raises RuntimeError for an index outside.
    """
    result = _index_add(input, dim, index, source, alpha)
    return result if out is None else _core.write_out("index_add", result, out, exact=True)


def _index_add_method(
    self: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1
) -> Tensor:
    """In-place form of :func:`index_add`."""
    return _index_add.in_place(self, dim, index, source, alpha)


Tensor.index_add_ = _index_add_method


@writes(
    _core.index_copy_,
    input=lambda grad, dim, index: _index_fill(grad, dim, index, 0),
    source=lambda grad, dim, index, source_shape: index_select(grad, dim, index).reshape(
        source_shape
    ),
)
def _index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """input with the slices of source at `index`."""


@composed(method=True)
def index_copy(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor | None = None
) -> Tensor:
    """input with the slices of `source` in the place of those at `index` along `dim`.

    `index` is a vector of int64; where it repeats the last one stays. Raises IndexError outside.
    """
    result = _index_copy(input, dim, index, source)
    return result if out is None else _core.write_out("index_copy", result, out, exact=True)


Tensor.index_copy_ = _index_copy.in_place.method()


def _index_fill_kernel(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.ndim} dimension(s)."
            )
        value = 0 if value.is_meta else value.item()
    return _core.index_fill_(input, dim, index, value)


def _index_fill_value_gradient(grad: Tensor, dim: int, index: Tensor) -> Tensor:
    # A slice that is filled twice counts once.
    size = grad.shape[axis_of(dim, grad.ndim)] if grad.ndim else 1
    index = where(index < 0, index + size, index)
    return index_select(grad, dim, _core.unique(_core.reshape(index, (-1,)))[0]).sum()


@writes(
    _index_fill_kernel,
    input=lambda grad, dim, index: _index_fill(grad, dim, index, 0),
    value=_index_fill_value_gradient,
)
def _index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """input with one value in the slices at `index`."""


@composed(method=True)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """input with a number (or 0-dim tensor) in the slices at `index` (int64) along `dim`.

    Raises IndexError for an index outside, RuntimeError for a value with dimensions.
    """
    return _index_fill(input, dim, index, value)


Tensor.index_fill_ = _index_fill.in_place.method()


def _index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, include_self: bool,
    in_place: bool,
) -> Tensor:  # fmt: skip
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    axis = axis_of(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(
            f"index_reduce(): Index is supposed to be a vector, but got dim: {index.ndim}"
        )
    length = source.shape[axis] if source.ndim else 1
    if index.numel() != length:
        raise RuntimeError(
            f"index_reduce(): Number of indices ({index.numel()}) should be equal to "
            f"source.size(dim) ({length})"
        )
    if source.ndim != input.ndim or any(
        a != b for d, (a, b) in enumerate(zip(input.shape, source.shape)) if d != axis
    ):
        raise RuntimeError(
            "index_reduce(): source must have the shape of input apart from the indexed "
            f"dimension, got {tuple(source.shape)} for an input of shape {tuple(input.shape)}"
        )
    shape = [1] * source.ndim
    if shape:
        shape[axis] = length
    places = index.reshape(shape).expand(tuple(source.shape))
    form = _scatter_reduce.in_place if in_place else _scatter_reduce
    return form(input, dim, places, source, reduce, include_self)


@composed(method=True)
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
    include_self: bool = True, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The slices of `source` that go to one index, reduced: "prod", "mean", "amax" or "amin".

    `include_self`: with those of input. Raises RuntimeError for another `reduce`.
    """
    result = _index_reduce(input, dim, index, source, reduce, include_self, False)
    return result if out is None else _core.write_out("index_reduce", result, out, exact=True)


def _index_reduce_method(
    self: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """In-place form of :func:`index_reduce`."""
    return _index_reduce(self, dim, index, source, reduce, include_self, True)


Tensor.index_reduce_ = _index_reduce_method


def _put_input_gradient(grad: Tensor, index: Tensor, accumulate: bool) -> Tensor:
    if accumulate:
        return grad
    return _put(grad, index, _zeros(grad, index.shape), False)


@writes(
    _core.put_,
    input=_put_input_gradient,
    source=lambda grad, index, source_shape: take(grad, index).reshape(source_shape),
)
def _put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """input with the elements of source at `index` of the flattened tensor."""


@composed(method=True)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """input with the elements of `source` at `index` (int64) of the flattened tensor, or added.

    Negative ones count from the end. Raises IndexError outside, or where the two differ in number.
    """
    return _put(input, index, source, accumulate)


Tensor.put_ = _put.in_place.method()

# ---- a view's place in a copy


def _check_fits(name: str, src: Tensor, part: Tensor) -> None:
    if tuple(src.shape) != tuple(part.shape):
        raise RuntimeError(
            f"{name}: expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(part.shape)}"
        )


@op()
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of input with `src` as the part at one index of `dim`: the opposite of :func:`select`.

    Both get gradients. Raises RuntimeError where `src` has another shape.
    """
    result = _core.clone(input)
    part = _core.select(result, dim, index)
    _check_fits("select_scatter", src, part)
    _core.copy_(part, src)
    return result


select_scatter.vjp(
    input=lambda grad, src_shape, dim, index: select_scatter(
        grad, _zeros(grad, src_shape), dim, index
    ),
    src=lambda grad, dim, index: select(grad, dim, index),
)


@op()
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None,
    step: int = 1,
) -> Tensor:  # fmt: skip
    """A copy of input with `src` as input[start:end:step] along `dim`; both get gradients.

    Raises RuntimeError where `src` has another shape.
    """
    result = _core.clone(input)
    part = _core.slice(result, dim, start, end, step)
    _check_fits("slice_scatter", src, part)
    _core.copy_(part, src)
    return result


slice_scatter.vjp(
    input=lambda grad, src_shape, dim, start, end, step: slice_scatter(
        grad, _zeros(grad, src_shape), dim, start, end, step
    ),
    src=lambda grad, dim, start, end, step: slice_along(grad, dim, start, end, step),
)


@op()
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy of input with `src` as the diagonal of two dimensions; both get gradients.

    Raises RuntimeError where `src` has another shape.
    """
    result = _core.clone(input)
    part = diagonal(result, offset, dim1, dim2)
    _check_fits("diagonal_scatter", src, part)
    _core.copy_(part, src)
    return result


diagonal_scatter.vjp(
    input=lambda grad, src_shape, offset, dim1, dim2: diagonal_scatter(
        grad, _zeros(grad, src_shape), offset, dim1, dim2
    ),
    src=lambda grad, offset, dim1, dim2: diagonal(grad, offset, dim1, dim2),
)
