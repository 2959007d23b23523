"""Order along a dimension: sort, topk, kthvalue, median, mode, quantile."""

from __future__ import annotations

from typing import Any

from rushlight import _core, return_types
from rushlight.autograd.op import composed, op
from rushlight.ops.gather import _scatter, _zeros, gather
from rushlight.ops.known import known
from rushlight.ops.pointwise import ceil, floor, lerp, round, where
from rushlight.ops.reduce import _extreme_gradient
from rushlight.ops.select import _selected_gradient
from rushlight.ops.shape import axis_of, movedim
from rushlight.tensor import Tensor


def _several_gradient(grads: tuple, input_shape: Any, dim: int, result: tuple) -> Tensor:
    """The gradient of elements that were picked: back to where they were."""
    return _scatter(_zeros(grads[0], input_shape), dim, result[1], grads[0])


@op(out="exact")
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> return_types.sort:
    """The elements of `dim` in rising order, and the indices that they had.

    nan comes last, first with `descending`. Equal elements always keep their order.

    Raises RuntimeError for complex numbers.
    """
    return return_types.sort(_core.sort(input, dim, descending, stable))


sort.vjp(input=_several_gradient)


@composed(method=True, numpy_names=True)
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Tensor:
    """The indices (int64) that put `dim` in rising order, or falling with `descending`.

    nan comes last, first with `descending`; equal elements keep their order, with or without
    `stable`. Without a derivative. Raises RuntimeError for complex numbers.
    """
    return sort(input.detach(), dim, descending, stable=stable)[1]


@composed(method=True)
def msort(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The first dimension in rising order: `sort(input, 0)` without the indices."""
    result = sort(input, 0)[0]
    return result if out is None else _core.write_out("msort", result, out, exact=True)


@op(out="exact")
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> return_types.topk:
    """The `k` largest (or smallest) elements of `dim`, in order if `sorted`, and their indices.

    `dim` becomes `k` long. nan is the largest of all; of equal elements PyTorch's are taken.
    Raises RuntimeError where `k` is negative or more than there are.
    """
    return return_types.topk(_core.topk(input, int(k), dim, largest, sorted))


topk.vjp(input=_several_gradient)


@op(out="exact")
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> return_types.kthvalue:
    """(values, indices) of the k-th smallest elements of `dim`, `k` counted from 1.

    nan is the largest. Raises RuntimeError unless 1 <= k <= the size of `dim`.
    """
    return return_types.kthvalue(_core.kthvalue(input, int(k), dim, keepdim))


kthvalue.vjp(input=_selected_gradient)


@op(out="exact")
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> return_types.mode:
    """(values, indices) of the most frequent elements of `dim`; of several, the smallest.

    The index is that of its last occurrence. Raises IndexError for an empty `dim`.
    """
    return return_types.mode(_core.mode(input, dim, keepdim))


mode.vjp(input=_selected_gradient)

# ---- medians


@op(out="exact", method=False, public=False, node="MedianBackward1")
def _median_dim(input: Tensor, dim: int, keepdim: bool = False) -> return_types.median:
    """The lower medians of `dim`; nan if there is one."""
    return return_types.median(_core.median_with_index(input, dim, keepdim, False))


_median_dim.vjp(input=_selected_gradient)


@op(out="exact", method=False, public=False, node="NanmedianBackward1")
def _nanmedian_dim(input: Tensor, dim: int, keepdim: bool = False) -> return_types.nanmedian:
    """The lower medians of `dim` without nan."""
    return return_types.nanmedian(_core.median_with_index(input, dim, keepdim, True))


_nanmedian_dim.vjp(input=_selected_gradient)


def _median_gradient(grad: Tensor, input: Tensor, result: Tensor) -> Tensor:
    if known(result != result):
        reached = input != input
        return where(reached, grad / reached.sum(), 0.0)
    return _extreme_gradient(grad, input, None, False, result)


@op(out=True, method=False, public=False, node="MedianBackward0")
def _median_all(input: Tensor) -> Tensor:
    """The lower median of all elements."""
    return _core.median(input, False)


_median_all.vjp(input=_median_gradient)


@op(out=True, method=False, public=False, node="NanmedianBackward0")
def _nanmedian_all(input: Tensor) -> Tensor:
    """The lower median of all elements without nan."""
    return _core.median(input, True)


_nanmedian_all.vjp(input=_median_gradient)


@composed(method=True, numpy_names=True)
def median(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None,
) -> Any:  # fmt: skip
    """The median of all elements, of two the lower; with `dim`, (values, indices) along it.

    nan if one is nan, or if there are no elements at all. Equal elements share the gradient, except
    along `dim`. Raises NotImplementedError for complex numbers, IndexError for an empty `dim`.
    """
    if dim is None:
        return _median_all(input, out=out)
    return _median_dim(input, dim, keepdim, out=out)


@composed(method=True, numpy_names=True)
def nanmedian(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None,
) -> Any:  # fmt: skip
    """The median of what is not nan, of two the lower; with `dim`, (values, indices) along it.

    nan where all is nan. Otherwise as :func:`median`.
    """
    if dim is None:
        return _nanmedian_all(input, out=out)
    return _nanmedian_dim(input, dim, keepdim, out=out)


# ---- quantiles

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _check_quantile(name: str, input: Tensor, q: Any, interpolation: str) -> Tensor:
    """q as a tensor of the input's dtype."""
    if input.numel() == 0:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if input.dtype is not _core.float32 and input.dtype is not _core.float64:
        raise RuntimeError(
            f"{name}() input tensor must be either float or double dtype, got {input.dtype}"
        )
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        return _core.full((), q, input.dtype, input)
    if q.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor, got shape {list(q.shape)}")
    if q.dtype is not input.dtype:
        raise RuntimeError(
            f"{name}() q tensor must be same dtype as the input tensor: got {q.dtype} and "
            f"{input.dtype}"
        )
    # Inside vmap nobody can look at values; gather refuses places outside.
    if q.numel() and not q._level and not known(((q >= 0) & (q <= 1)).all(), True):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    return q


def _quantile(
    name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str,
    skip_nan: bool,
) -> Tensor:  # fmt: skip
    q = _check_quantile(name, input, q, interpolation)
    axis = 0 if dim is None else axis_of(dim, input.ndim)
    if dim is None:
        lanes = input.reshape(-1)
        kept = [1] * input.ndim
    else:
        lanes = movedim(input, axis, -1) if input.ndim else input.reshape(1)
        kept = list(input.shape)
        if kept:
            kept[axis] = 1
    ordered = sort(lanes, -1)[0]
    last = ordered.shape[-1] - 1
    # Where in the order the quantiles lie: (..., quantiles).
    if skip_nan:
        present = (ordered == ordered).sum(-1, keepdim=True)
        ranks = (q.reshape(-1) * (present - 1).to(input.dtype)).clamp(min=0)
    else:
        ranks = (q.reshape(-1) * last).expand((*ordered.shape[:-1], q.numel()))
        has_nan = ordered.detach().select(-1, last).unsqueeze(-1)
        ranks = where(has_nan != has_nan, float(last), ranks)
    if interpolation == "lower":
        ranks = floor(ranks)
    elif interpolation == "higher":
        ranks = ceil(ranks)
    elif interpolation == "nearest":
        ranks = round(ranks)
    below = floor(ranks)
    result = gather(ordered, -1, below.detach().to(_core.int64))
    if interpolation in ("linear", "midpoint"):
        weight = 0.5 if interpolation == "midpoint" else ranks - below
        above = gather(ordered, -1, ceil(ranks.detach()).to(_core.int64))
        result = lerp(result, above, weight)
    result = movedim(result, -1, 0)
    shape = kept if keepdim else list(ordered.shape[:-1])
    return result.reshape([*q.shape, *shape])


@composed(method=True, float32=True, numpy_names=True)
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear", out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The values below which a share `q` of the elements lies, of all or along `dim`.

    q: a number in [0, 1], or a vector of such, which becomes the first dimension of the result.
    Between two elements the value is interpolated: "linear", or the "lower", "higher", "nearest"
    one, or their "midpoint". A row with nan has the quantile nan.

    Raises RuntimeError for `q` outside [0, 1] or of another dtype, an empty input, and dtypes other
    than float32 and float64.
    """
    result = _quantile("quantile", input, q, dim, keepdim, interpolation, False)
    return result if out is None else _core.write_out("quantile", result, out, exact=True)


@composed(method=True, float32=True, numpy_names=True)
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear", out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """:func:`quantile` of the elements that are not nan; nan where all are."""
    result = _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)
    return result if out is None else _core.write_out("nanquantile", result, out, exact=True)
