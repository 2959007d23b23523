"""Reductions and normalizations that leave out masked elements; PyTorch's ``torch.masked``.

`mask` is a bool tensor that broadcasts with `input`: True means that an element takes part. Left
out, all do. An element that does not take part is replaced by the identity of the operation (0 for
a sum, -inf for a maximum), which is also the result where none does; mean, variance and softmax of
no element are NaN. The gradient of an element that does not take part is 0.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import rushlight

if TYPE_CHECKING:
    from rushlight._core import dtype as DType
    from rushlight.tensor import Tensor

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mean",
    "median",
    "norm",
    "normalize",
    "prod",
    "softmax",
    "softmin",
    "std",
    "sum",
    "var",
]

Dims = builtins.int | tuple[builtins.int, ...] | None


def _lowest(dtype: DType) -> Any:
    if dtype.is_floating_point or dtype.is_complex:
        return -float("inf")
    return False if dtype is rushlight.bool else rushlight.iinfo(dtype).min


def _highest(dtype: DType) -> Any:
    if dtype.is_floating_point:
        return float("inf")
    return True if dtype is rushlight.bool else rushlight.iinfo(dtype).max


def _prepared(
    name: str, input: Tensor, dtype: DType | None, mask: Tensor | None, identity: Any
) -> Tensor:
    """The input in `dtype`, with the identity where it does not take part."""
    if not isinstance(input, rushlight.Tensor):
        raise TypeError(f"masked.{name}: input must be a Tensor, got {type(input).__name__}")
    if dtype is not None:
        input = input.to(dtype)
    if mask is None:
        return input
    if mask.ndim > input.ndim:
        raise IndexError(
            f"masked.{name}: mask must not have more dimensions than the input, got shapes "
            f"{list(mask.shape)} and {list(input.shape)}"
        )
    value = identity(input.dtype) if callable(identity) else identity
    # Values outside the mask, NaN for example, leave no trace in the gradient either.
    return input.masked_fill(~mask.to(rushlight.bool), value)


def _axes(dim: Dims, ndim: builtins.int) -> tuple[builtins.int, ...]:
    if dim is None or dim == ():
        return tuple(range(ndim))
    return (dim,) if isinstance(dim, int) else tuple(dim)


def _reduced(dtype: DType | None, input: Tensor) -> DType:
    """The dtype of sums and products: integers add up in int64."""
    if dtype is not None:
        return dtype
    is_number = input.dtype.is_floating_point or input.dtype.is_complex
    return input.dtype if is_number else rushlight.int64


def sum(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The sum over `dim` (all dimensions if left out) of what takes part; 0 where nothing does.

    `mask` is bool, True for what takes part, and broadcasts to the input. As :func:`torch.sum`.
    """
    dtype = _reduced(dtype, input)
    values = _prepared("sum", input, dtype, mask, 0)
    return values.sum(_axes(dim, input.ndim), bool(keepdim), dtype=dtype)


def prod(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The product over `dim` of what takes part; 1 where nothing does. As :func:`torch.prod`."""
    values = _prepared("prod", input, _reduced(dtype, input), mask, 1)
    axes = sorted((axis % max(input.ndim, 1) for axis in _axes(dim, input.ndim)), reverse=True)
    for axis in axes:
        values = values.prod(axis, bool(keepdim))
    return values


def amax(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The largest element over `dim` of what takes part.

    -inf, or the least integer, for nothing.
    """
    values = _prepared("amax", input, dtype, mask, _lowest)
    return values.amax(_axes(dim, input.ndim), bool(keepdim))


def amin(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The smallest element over `dim` of what takes part.

    inf, or the largest integer, for nothing.
    """
    values = _prepared("amin", input, dtype, mask, _highest)
    return values.amin(_axes(dim, input.ndim), bool(keepdim))


def argmax(
    input: Tensor,
    dim: builtins.int | None = None,
    *,
    keepdim: bool | None = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The index of the largest element that takes part.

    As in PyTorch, in the dtype of the input.
    """
    values = _prepared("argmax", input, dtype, mask, _lowest)
    return values.argmax(dim, bool(keepdim)).to(values.dtype)


def argmin(
    input: Tensor,
    dim: builtins.int | None = None,
    *,
    keepdim: bool | None = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The index of the smallest element that takes part.

    As in PyTorch, in the dtype of the input.
    """
    values = _prepared("argmin", input, dtype, mask, _highest)
    return values.argmin(dim, bool(keepdim)).to(values.dtype)


def cumsum(
    input: Tensor, dim: builtins.int, *, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Running sums along `dim` of what takes part; the rest counts as 0."""
    dtype = _reduced(dtype, input)
    return _prepared("cumsum", input, dtype, mask, 0).cumsum(dim)


def cumprod(
    input: Tensor, dim: builtins.int, *, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Running products along `dim` of what takes part; the rest counts as 1."""
    dtype = _reduced(dtype, input)
    return _prepared("cumprod", input, dtype, mask, 1).cumprod(dim)


def _count(
    input: Tensor, axes: tuple, keepdim: bool, dtype: DType, mask: Tensor | None
) -> Tensor:
    """How many elements take part."""
    ones = rushlight.ones_like(input, dtype=dtype)
    return sum(ones, axes, keepdim=keepdim, dtype=dtype, mask=mask)


def mean(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The mean over `dim` of what takes part; nan where nothing does.

    Raises ValueError for integers, unless `dtype` is a float or complex one.
    """
    dtype = input.dtype if dtype is None else dtype
    if not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(
            "masked.mean: the result would be of an integer dtype: give dtype=torch.float32, or a "
            f"floating input. Got {input.dtype}"
        )
    axes, keep = _axes(dim, input.ndim), bool(keepdim)
    total = sum(input, axes, keepdim=keep, dtype=dtype, mask=mask)
    return total / _count(input, axes, keep, rushlight.int64, mask)


def _moment(
    name: str,
    input: Tensor,
    dim: Dims,
    unbiased: bool | None,
    correction: float | None,
    keepdim: bool | None,
    dtype: DType | None,
    mask: Tensor | None,
) -> Tensor:
    """The variance; of complex values too in their own dtype, as in PyTorch."""
    if unbiased is not None and correction is not None:
        raise ValueError(f"masked.{name}: only one of unbiased and correction can be given")
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    if dtype is None:
        is_number = input.dtype.is_floating_point or input.dtype.is_complex
        dtype = input.dtype if is_number else rushlight.get_default_dtype()
    axes, keep = _axes(dim, input.ndim), bool(keepdim)
    if mask is None:
        return input.to(dtype).var(axes, correction=correction, keepdim=keep).to(dtype)
    center = mean(input, axes, keepdim=True, dtype=dtype, mask=mask)
    apart = _prepared(name, input.to(dtype) - center, None, mask, 0)
    square = (apart * apart.conj()).real if dtype.is_complex else apart.square()
    count = _count(input, axes, keep, square.dtype, mask)
    return (square.sum(axes, keep) / (count - correction).clamp(min=0)).to(dtype)


def var(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool | None = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The variance over `dim`; the sum of squares is divided by the count less `correction`."""
    return _moment("var", input, dim, unbiased, correction, keepdim, dtype, mask)


def std(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: builtins.int | None = None,
    keepdim: bool | None = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The square root of :func:`var`; arguments as of it."""
    return _moment("std", input, dim, unbiased, correction, keepdim, dtype, mask).sqrt()


def median(
    input: Tensor,
    dim: builtins.int = -1,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The middle element along `dim` of what takes part, the lower one of two.

    Raises ValueError where nothing takes part in some row.
    """
    dtype = input.dtype if dtype is None else dtype
    if dtype.is_floating_point:
        values = _prepared("median", input, dtype, mask, float("nan"))
        return values.nanmedian(dim, keepdim).values
    if mask is not None and not mask.expand(input.shape).all():
        if not mask.expand(input.shape).any(dim).all():
            raise ValueError(
                "masked median expects no fully masked out rows if dtype is not floating point"
            )
        values = _prepared("median", input.to(rushlight.float64), None, mask, float("nan"))
        return values.nanmedian(dim, keepdim).values.to(dtype)
    return input.to(dtype).median(dim, keepdim).values


def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The vector norm of order `ord` over `dim` of what takes part."""
    ord = 2.0 if ord is None else ord
    identity = float("inf") if ord == -float("inf") else 0
    values = _prepared("norm", input, dtype, mask, identity)
    return rushlight.linalg.vector_norm(values, ord, _axes(dim, input.ndim), bool(keepdim))


def normalize(
    input: Tensor,
    ord: float,
    dim: builtins.int,
    *,
    eps: float = 1e-12,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """input / max(norm, eps) along `dim`, with the norm of order `ord`; 0 outside the mask."""
    length = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask).clamp(min=eps)
    return _prepared("normalize", input, dtype, mask, 0) / length


def softmax(
    input: Tensor, dim: builtins.int, *, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """softmax along `dim` of what takes part; 0 outside the mask, nan where nothing takes part."""
    return _prepared("softmax", input, dtype, mask, _lowest).softmax(dim)


def log_softmax(
    input: Tensor, dim: builtins.int, *, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """log(softmax) along `dim` of what takes part; -inf outside the mask."""
    return _prepared("log_softmax", input, dtype, mask, _lowest).log_softmax(dim)


def softmin(
    input: Tensor, dim: builtins.int, *, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """softmax of -input along `dim` of what takes part; 0 outside the mask."""
    return rushlight.nn.functional.softmin(
        _prepared("softmin", input, dtype, mask, _highest), dim
    )


def logsumexp(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """log(sum(exp(input))) over `dim` of what takes part; -inf where nothing does."""
    values = _prepared("logsumexp", input, dtype, mask, _lowest)
    found = values.logsumexp(_axes(dim, input.ndim), keepdim)
    return found if dtype is None and input.dtype.is_floating_point else found.to(values.dtype)


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: DType | None = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """log(exp(input) + exp(other)), each where its mask is True; -inf where neither is."""
    left = _prepared("logaddexp", input, dtype, input_mask, _lowest)
    right = _prepared("logaddexp", other, dtype, other_mask, _lowest)
    return rushlight.logaddexp(left, right)
