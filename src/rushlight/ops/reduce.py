"""Reductions over some or all dimensions, with their derivatives."""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.compare import isinf
from rushlight.ops.complex import _c
from rushlight.ops.elementary import exp
from rushlight.ops.known import known
from rushlight.ops.pointwise import sgn, where
from rushlight.ops.shape import axis_of, expand
from rushlight.tensor import Tensor


def _axes(rank: int, dim: Any) -> tuple[int, ...]:
    """The reduced dimensions, counted from the front; all of them for None or ()."""
    if dim is None:
        return tuple(range(rank))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if not dims:
        return tuple(range(rank))
    return tuple(d + rank if d < 0 else d for d in dims) if rank else ()


def _keep(reduced: Tensor, input: Any, dim: Any, keepdim: bool) -> Tensor:
    """A reduced tensor with its dimensions back, as size 1, so that it broadcasts.

    `input` is what was reduced, or its shape.
    """
    if dim is None or keepdim:
        return reduced  # a scalar broadcasts as it is
    rank = input.ndim if isinstance(input, Tensor) else len(input)
    axes = _axes(rank, dim)
    if len(axes) == rank:
        return reduced
    for axis in sorted(axes):
        reduced = reduced.unsqueeze(axis)
    return reduced


def _count(shape: Any, dim: Any) -> int:
    """How many elements each result of a reduction is made of."""
    if dim is None:
        return shape.numel()
    count = 1
    for axis in _axes(len(shape), dim):
        count *= shape[axis]
    return count


def _all_or_some(name: str) -> Any:
    """Names of nodes: PyTorch counts a reduction over given dimensions as another op."""
    return lambda dim: f"{name}Backward{0 if dim is None else 1}"


@op(_core.sum, out="dtype", node=_all_or_some("Sum"))
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over `dim`, an int or several; over all dimensions for None or ().

    The result lacks `dim`, or has 1 there with `keepdim`. bool and integers are summed as int64;
    `dtype` converts first. The sum of nothing is 0. float32 is summed in lanes and blocks of a
    fixed order, so the bits do not depend on the number of threads. Raises IndexError for a
    dimension that is not there, RuntimeError for one named twice.
    """


sum.vjp(
    input=lambda grad, input_shape, dim, keepdim: expand(
        _keep(grad, input_shape, dim, keepdim), input_shape
    )
)


@op(_core.mean, out="dtype", node=_all_or_some("Mean"))
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """sum(input) / count over `dim`, an int or several; over all dimensions for None or ().

    The result lacks `dim`, or has 1 there with `keepdim`. The mean of nothing is nan. Raises
    RuntimeError for bool and integers unless `dtype` names a float or complex dtype.
    """


mean.vjp(
    input=lambda grad, input_shape, dim, keepdim: expand(
        _keep(grad, input_shape, dim, keepdim) / _count(input_shape, dim), input_shape
    )
)


def _prod_gradient(grad: Tensor, input: Tensor, dim: Any, keepdim: bool, result: Tensor) -> Tensor:
    if input.numel() == 0:
        return grad * input
    if dim is None and input.ndim > 1:  # as one row
        return _prod_gradient(grad, input.reshape(-1), 0, False, result).view(input.shape)
    grad = _keep(grad, input, dim, keepdim)
    zeros = input == 0
    if not known(zeros.any()):
        return grad * _c(_keep(result, input, dim, keepdim) / input)
    if input.ndim == 0:
        return grad * input.new_ones(())
    # Products of all the others, without division: those before times those after.
    axis = 0 if dim is None else dim
    size = input.shape[axis]
    one = input.narrow(axis, 0, 1) * 0 + 1
    before, after = [one], [one]
    for i in range(size - 1):
        before.append(before[-1] * input.narrow(axis, i, 1))
        after.append(after[-1] * input.narrow(axis, size - 1 - i, 1))
    from rushlight.ops.join import cat

    return grad * _c(cat(before, axis) * cat(after[::-1], axis))


@op(_core.prod, out="dtype", node=_all_or_some("Prod"))
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The product over `dim`, or of all elements for None; 1 for nothing.

    The result lacks `dim`, or has 1 there with `keepdim`. bool and integers multiply as int64. The
    derivative is exact where elements are 0: the product of all the others.
    """


prod.vjp(input=_prod_gradient)


def _extreme_gradient(grad: Tensor, input: Tensor, dim: Any, keepdim: bool, result: Tensor) -> Any:
    # Shared evenly among the elements that reach the extreme.
    reached = input == _keep(result, input, dim, keepdim)
    count = reached.sum(dim, keepdim=True) if input.ndim else 1
    return where(reached, _keep(grad, input, dim, keepdim) / count, 0.0)


@op(_core.amax, out="exact")
def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The largest value over `dim`, an int or several; over all dimensions for ().

    nan if one is nan. Elements that are equally large share the gradient evenly, where `max` with
    `dim` gives all of it to the one whose index it returns. Raises IndexError where nothing is
    reduced to one value, RuntimeError for complex numbers.
    """


amax.vjp(input=_extreme_gradient)


@op(_core.amin, out="exact")
def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest value over `dim`, an int or several; over all dimensions for ().

    nan if one is nan. Elements that are equally small share the gradient evenly. Raises IndexError
    where nothing is reduced to one value, RuntimeError for complex numbers.
    """


amin.vjp(input=_extreme_gradient)


@op(_core.any, out="exact")
def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether one element over `dim` (an int, several, or all for None) is not 0; nan is not 0.

    The result is bool, for uint8 it is uint8. False for nothing. Without a derivative.
    """


@op(_core.all, out="exact")
def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether no element over `dim` (an int, several, or all for None) is 0; nan is not 0.

    The result is bool, for uint8 it is uint8. True for nothing. Without a derivative.
    """


@op(out=True)
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) over `dim`, an int or several; the largest element is taken out first.

    So it neither overflows nor, where all is -inf, gives nan; -inf for nothing. Integers give the
    default float dtype. The derivative is softmax(input).
    """
    if not (input.dtype.is_floating_point or input.dtype.is_complex):
        input = _core.to_dtype(input, _core.get_default_dtype())
    if input.numel() == 0:
        return _core.log(_core.sum(_core.exp(input), dim, keepdim, None))
    top = _core.amax(input.real, dim, True)
    top = _core.where(_core.isinf(top), 0.0, top)
    total = _core.sum(_core.exp(_core.sub(input, top)), dim, True, None)
    result = _core.add(_core.log(total), top)
    if keepdim or input.ndim == 0:
        return result
    return _core.squeeze(result, _axes(input.ndim, dim))


logsumexp.vjp(
    input=lambda grad, input, dim, keepdim, result: (
        _keep(grad, input, dim, keepdim)
        * _c(exp(input - _finite(_keep(result, input, dim, keepdim))))
    )
)


def _finite(value: Tensor) -> Tensor:
    return where(isinf(value), 0.0, value)


@composed(method=True)
def norm(
    input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None,
    dtype: Any = None,
) -> Tensor:  # fmt: skip
    """The p-norm over `dim`: (sum of |input|^p)^(1/p). All elements by default, as one vector.

    `p`: a number, inf, -inf, "fro" (2) or "nuc", the sum of the singular values over two
    dimensions. The result is real. Derivative 0 at 0. Raises RuntimeError for integers; `dtype`
    converts first. `torch.linalg.vector_norm` and `matrix_norm` say the same without guessing.
    """
    if dtype is not None:
        input = input.to(dtype)
    if p == "nuc":
        from rushlight.ops.matrix_norm import nuclear_norm

        return nuclear_norm(input, dim, keepdim, out=out)
    result = vector_norm(input, 2.0 if p in ("fro", None) else p, dim, keepdim)
    return result if out is None else _core.write_out("norm", result, out, exact=True)


@op(public=False, method=False, node="LinalgVectorNormBackward0")
def vector_norm(input: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    """(sum of |input|^ord)^(1/ord) over `dim`; inf, -inf and 0 (a count) are the limits of it.

    The result is real. Derivative 0 at 0; for ord = inf, equal elements share it. Raises
    RuntimeError for integers.
    """
    if not (input.dtype.is_floating_point or input.dtype.is_complex):
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{input.dtype}"
        )
    if ord == 2 and input.dtype.is_floating_point:
        return _core.sqrt(_core.sum(_core.mul(input, input), dim, keepdim, None))
    size = _core.abs(input)
    if input.dtype.is_complex:
        size = _core.to_dtype(size, input.dtype.to_real())
    if ord == math.inf:
        return _core.amax(size, dim, keepdim)
    if ord == -math.inf:
        return _core.amin(size, dim, keepdim)
    if ord == 0:
        return _core.sum(_core.to_dtype(_core.ne(size, 0), size.dtype), dim, keepdim, None)
    if ord == 1:
        return _core.sum(size, dim, keepdim, None)
    if ord == 2:
        return _core.sqrt(_core.sum(_core.mul(size, size), dim, keepdim, None))
    return _core.pow(_core.sum(_core.pow(size, ord), dim, keepdim, None), 1.0 / ord)


def _norm_gradient(
    grad: Tensor, input: Tensor, ord: Any, dim: Any, keepdim: bool, result: Tensor
) -> Tensor | None:
    if ord == 0:
        return None  # a count: as in PyTorch, no gradient at all
    grad, result = _keep(grad, input, dim, keepdim), _keep(result, input, dim, keepdim)
    if ord == 1:
        return grad * sgn(input)
    if ord == 2:
        return where(result == 0, 0.0, grad / result) * input
    if ord in (math.inf, -math.inf):
        reached = (input.abs() == result).to(grad.dtype)
        return sgn(input) * (grad * reached / reached.sum(dim, keepdim=True))
    size = input.abs()
    if ord < 2:
        part = where(size == 0, 0.0, sgn(input) * size ** (ord - 1))
    else:
        part = input * size ** (ord - 2)
    return part * where(result == 0, 0.0, grad / result ** (ord - 1))


vector_norm.vjp(input=_norm_gradient)


@composed(method=True)
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other, over all elements: a 0-dim tensor.

    The shapes broadcast. The derivative is 0 where the two are equal.
    """
    return vector_norm(input - other, p)


@composed(method=True, inplace=True, out="exact", numpy_names=True)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """The slices along `dim`, scaled so that the p-norm of none is above `maxnorm`.

    Those below it stay as they are. Shapes: at least 2 dimensions, and the result has the input's.
    Raises RuntimeError for p <= 0, maxnorm < 0 or a vector; IndexError for a `dim` that is not
    there.
    """
    if p <= 0:
        raise RuntimeError(f"renorm: non-positive-norm not supported, got p={p}")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if input.ndim < 2:
        raise RuntimeError(
            f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions"
        )
    axis = axis_of(dim, input.ndim)
    others = tuple(d for d in range(input.ndim) if d != axis)
    size = vector_norm(input, p, others, True)
    return input * where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)


@composed(method=True, numpy_names=True)
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements over `dim` (an int, several, or all for None) are not 0, as int64.

    nan counts as not 0.
    """
    return (input if input.dtype is _core.bool else input != 0).sum(dim)


@composed(method=True, out="dtype", numpy_names=True)
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over `dim`, nan counted as 0; dtypes and shapes as of :func:`sum`.

    The gradient of nan elements is 0.
    """
    if not input.dtype.is_floating_point:
        return sum(input, dim, keepdim, dtype=dtype)
    return sum(where(input != input, 0.0, input), dim, keepdim, dtype=dtype)


@composed(method=True, out="dtype", numpy_names=True)
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over `dim` of the elements that are not nan; nan where all are.

    The gradient of nan elements is 0. Integers give the default float dtype.
    """
    present = (input == input).sum(dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / present
