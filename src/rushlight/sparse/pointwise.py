"""Arithmetic on sparse tensors, entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import COMPOSED, OPS, call_all
from rushlight.sparse.coo import (
    Pattern,
    add_at,
    coalesce,
    make,
    pattern_of,
    pick,
    values_of,
    with_values,
)
from rushlight.sparse.declare import forward, refuse, result_dtype, rule
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

# Functions that keep 0 where it is. Their derivatives are taken of the values alone: the gradient
# has the places of the tensor.
_UNARY = (
    "abs", "asin", "asinh", "atan", "atanh", "ceil", "deg2rad", "erf", "erfinv", "expm1", "floor",
    "frac", "isinf", "isnan", "log1p", "rad2deg", "relu", "round", "sgn", "sign", "sin", "sinh",
    "sqrt", "tan", "tanh", "trunc", "isneginf", "isposinf", "signbit", "nan_to_num",
)  # fmt: skip


def _valuewise(name: str) -> Callable[..., Tensor]:
    function: Any = OPS.get(name) or COMPOSED[name]

    def call(input: Tensor, *arguments: Any) -> Tensor:
        if any(isinstance(value, Tensor) for value in arguments) or not _is_sparse(input):
            raise refuse(name, (input, *arguments))
        if not input.is_sparse:
            return of_values(input, lambda values: call_all(function, (values, *arguments)))
        whole = coalesce(input)
        values = call_all(function, (values_of(whole), *arguments))
        return with_values(values, pattern_of(whole), tuple(input.shape))

    return call


def _is_sparse(value: Any) -> bool:
    return isinstance(value, Tensor) and value._layout != 0


def of_values(input: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """The tensor with `function` of its values in their place, whatever the layout."""
    if not _is_sparse(input):
        raise TypeError(
            f"expected a sparse tensor as the first argument, got {type(input).__name__}"
        )
    if input.is_sparse:
        return with_values(function(values_of(input)), pattern_of(input), tuple(input.shape))
    from rushlight.sparse.compressed import compressed_values, with_compressed_values

    values = function(compressed_values(input))
    return with_compressed_values(values, input._parts, tuple(input.shape), input._layout)


for _name in _UNARY:
    if _name in OPS:
        rule(_name)(_valuewise(_name))


@rule("pow")
def _pow(input: Any, exponent: Any) -> Tensor:
    """Powers above 0 keep 0 where it is."""
    if not isinstance(input, Tensor) or not input._layout or isinstance(exponent, Tensor):
        raise refuse("pow", (input, exponent))
    if exponent == 0:
        raise RuntimeError(
            "pow: a sparse tensor to the power of 0 is 1 everywhere, which is not sparse"
        )
    return _valuewise("pow")(input, exponent)


@rule("square")
def _square(input: Tensor) -> Tensor:
    return _pow(input, 2)


@rule("floor_divide")
def _floor_divide(input: Any, other: Any) -> Tensor:
    if not isinstance(input, Tensor) or not input.is_sparse or not _is_number(other):
        raise refuse("floor_divide", (input, other))
    return _div(coalesce(input), other, "floor")


@forward("neg")
def _neg(input: Tensor) -> Tensor:
    return of_values(input, lambda values: -values)


@forward("clone")
def _clone(input: Tensor, memory_format: Any) -> Tensor:
    if input.is_sparse:
        parts = input._parts
        pattern = Pattern(
            parts.pattern.indices.clone(), parts.pattern.sizes, parts.pattern.coalesced
        )
        return make(pattern, parts.values.clone(), input.shape)
    return of_values(input, lambda values: values.clone())


@forward("to_dtype")
def _to_dtype(input: Tensor, dtype: Any) -> Tensor:
    return of_values(input, lambda values: values.to(dtype))


@forward("conj", "conj_physical", "_conj")
def _conj(input: Tensor) -> Tensor:
    return of_values(input, lambda values: values.conj())


# ---- products and quotients


def _is_number(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.ndim == 0 and not value._layout
    return isinstance(value, (int, float, complex))


@forward("mul")
def _mul(input: Any, other: Any) -> Tensor:
    if _is_number(other):
        return of_values(input, lambda values: values * other)
    if _is_number(input):
        return of_values(other, lambda values: input * values)
    if not (isinstance(input, Tensor) and isinstance(other, Tensor)):
        raise TypeError(
            f"mul(): got {type(input).__name__} and {type(other).__name__}; expected tensors or "
            "numbers"
        )
    if not input._layout or not other._layout:
        return _times_dense(other, input) if not input._layout else _times_dense(input, other)
    if input.shape != other.shape:
        raise RuntimeError(
            "mul: expected 'self' and 'other' to have same sizes when both are sparse, got "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    if not input.is_sparse or not other.is_sparse:
        from rushlight.sparse.compressed import coo_to_compressed

        layout = max(input._layout, other._layout)
        return coo_to_compressed(_mul(input.to_sparse(), other.to_sparse()), layout)
    ours, theirs = pattern_of(input), pattern_of(other)
    if len(ours.sizes) != len(theirs.sizes):
        raise RuntimeError(
            "mul: both sparse tensors need the same number of sparse dimensions, got "
            f"{len(ours.sizes)} and {len(theirs.sizes)}"
        )
    if theirs.count == 0 or ours.count == 0:
        return make(empty_pattern(ours.sizes), (input._parts.values * 1)[:0], input.shape)
    if not ours.coalesced or not theirs.coalesced:
        # Entries of an uncoalesced tensor are multiplied one by one with the sums of the other.
        base, factor = (other, input) if ours.coalesced else (input, other)
        values = values_of(base) * pick(coalesce(factor), pattern_of(base))
        return make(pattern_of(base), values, input.shape)
    if ours.same(theirs):
        return make(ours, input._parts.values * other._parts.values, input.shape)
    at = _core.searchsorted(theirs.keys(), ours.keys())
    at = at.clamp(max=theirs.count - 1)
    kept = (theirs.keys().index_select(0, at) == ours.keys()).nonzero().view(-1)
    values = input._parts.values.index_select(0, kept)
    values = values * other._parts.values.index_select(0, at.index_select(0, kept))
    return make(Pattern(ours.indices.index_select(1, kept), ours.sizes, True), values, input.shape)


def empty_pattern(sizes: Any) -> Pattern:
    """No entries."""
    return Pattern(_core.full((len(sizes), 0), 0, _core.int64), sizes, True)


def _times_dense(sparse: Tensor, dense: Tensor) -> Tensor:
    """A sparse tensor times a strided one that broadcasts to its shape."""
    if tuple(dense.shape) != tuple(sparse.shape):
        dense = dense.expand(tuple(sparse.shape))
    if sparse.is_sparse:
        return make(
            pattern_of(sparse), sparse._parts.values * pick(dense, pattern_of(sparse)), sparse.shape
        )
    from rushlight.sparse.compressed import pick_compressed

    return of_values(sparse, lambda values: values * pick_compressed(dense, sparse))


@forward("div")
def _div(input: Any, other: Any, rounding_mode: str | None) -> Tensor:
    if not _is_number(other) or not isinstance(input, Tensor) or not input._layout:
        if not isinstance(input, Tensor) or not input._layout:
            raise refuse("reciprocal", (other,))
        raise RuntimeError(
            "Sparse division requires a scalar or zero-dim dense tensor divisor (got shape "
            f"{list(other.shape)} for divisor)"
        )
    if rounding_mode is not None:
        input = coalesce(input) if input.is_sparse else input
    return of_values(input, lambda values: values.div(other, rounding_mode=rounding_mode))


# ---- sums


def _check_sum(input: Any, other: Any) -> None:
    if isinstance(input, Tensor) and isinstance(other, Tensor):
        if input.is_sparse and not other._layout and other.ndim:
            raise RuntimeError(
                "add(sparse, dense) is not supported. Use add(dense, sparse) instead."
            )
        if input.shape == other.shape:
            return
    shapes = [list(v.shape) if isinstance(v, Tensor) else [] for v in (input, other)]
    raise RuntimeError(
        f"add: expected 'self' and 'other' to have same size, but self has size {shapes[0]} while "
        f"other has size {shapes[1]} (sparse addition does not broadcast)"
    )


@forward("add")
def _add(input: Any, other: Any, alpha: Any) -> Tensor:
    _check_sum(input, other)
    dtype = result_dtype(input, other)
    if not input._layout:
        result = input.to(dtype, copy=True)
        add_to_dense(result, other, alpha)
        return result
    if not other._layout:
        result = other.to(dtype) * alpha
        add_to_dense(result, input)
        return result
    if not (input.is_sparse and other.is_sparse):
        from rushlight.sparse.compressed import add_compressed

        return add_compressed(input, other, alpha, dtype)
    ours, theirs = pattern_of(input), pattern_of(other)
    if len(ours.sizes) != len(theirs.sizes):
        raise RuntimeError(
            "add: expected 'self' and 'other' to have same density, but 'self' has "
            f"{len(ours.sizes)} sparse dimensions while 'other' has {len(theirs.sizes)}"
        )
    first, second = input._parts.values.to(dtype), other._parts.values.to(dtype)
    in_rows = first.is_contiguous() and second.is_contiguous()
    if alpha != 1:
        second = second * alpha
    if theirs.count == 0:
        return make(ours, first.clone(), input.shape)
    if ours.count == 0:
        return make(theirs, second.clone(), input.shape)
    if ours.same(theirs) and in_rows:
        return make(ours, first + second, input.shape)
    if not in_rows:  # as PyTorch: values that are not laid out by rows are put behind each other
        indices = _core.cat([ours.indices, theirs.indices], 1)
        values = _core.cat([first, second], 0)
        return make(Pattern(indices, ours.sizes, False), values, input.shape)
    indices, at_first, at_second = _core.sparse_merge(ours.indices, theirs.indices)
    values = _core.full((indices.shape[1], *first.shape[1:]), 0, dtype)
    values.index_copy_(0, at_first, first)
    if dtype is _core.bool:
        values.index_copy_(0, at_second, values.index_select(0, at_second) | second)
    else:
        values.index_add_(0, at_second, second)
    return make(Pattern(indices, ours.sizes, ours.coalesced and theirs.coalesced), values,
                input.shape)  # fmt: skip


def add_to_dense(dense: Tensor, sparse: Tensor, alpha: Any = 1) -> None:
    """dense += alpha * sparse, in time that grows with the entries alone; no history."""
    if not sparse.is_sparse:
        sparse = sparse.to_sparse()
    pattern, values = sparse._parts.pattern, sparse._parts.values
    if not values.numel():
        return
    values = values.to(dense.dtype)
    rest = tuple(dense.shape[len(pattern.sizes) :])
    if len(pattern.sizes) == 1:
        add_at(dense.detach(), pattern, values, alpha)
    elif dense.is_contiguous():
        add_at(_core.view(dense.detach(), (-1, *rest)), pattern, values, alpha)
    else:
        dense.detach().copy_(dense.add(sparse.to_dense(), alpha=alpha))


@forward("sub")
def _sub(input: Any, other: Any, alpha: Any) -> Tensor:
    if isinstance(input, Tensor) and input.dtype is _core.bool:
        raise RuntimeError("sub: subtraction of bool tensors is not supported; use ^")
    return _add(input, other, -alpha)


@forward("rsub")
def _rsub(input: Any, other: Any, alpha: Any) -> Tensor:
    return _add(other, input, -alpha)


@rule("any")
def _any(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    if dim is not None:
        raise refuse("any", (input, dim))
    return values_of(coalesce(input)).any()
