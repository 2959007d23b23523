"""Variance and standard deviation, covariance and correlation."""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.known import known
from rushlight.ops.pointwise import where
from rushlight.ops.reduce import _count, _keep, mean
from rushlight.tensor import Tensor
from rushlight.warned import warn


def _variance_gradient(
    grad: Tensor, input: Tensor, dim: tuple, correction: float, keepdim: bool
) -> Tensor:
    apart = input - mean(input, dim or None, keepdim=True)
    freedom = _count(input.shape, dim) - correction
    if freedom <= 0:
        return _keep(grad, input, dim, keepdim) * where(apart == 0, math.nan, math.inf)
    return _keep(grad, input, dim, keepdim) * (apart * (2 / freedom))


def _deviation_gradient(
    grad: Tensor, input: Tensor, dim: tuple, correction: float, keepdim: bool, result: Tensor
) -> Tensor:
    of_variance = where(result == 0, 0.0, grad / (result * 2))
    return _variance_gradient(of_variance, input, dim, correction, keepdim)


@op(_core.var, method=False, public=False, node="VarBackward0")
def _var(input: Tensor, dim: tuple, correction: float, keepdim: bool) -> Tensor:
    """The squared distances from the mean, over the count less `correction`."""


_var.vjp(input=_variance_gradient)


@op(method=False, public=False, node="StdBackward0")
def _std(input: Tensor, dim: tuple, correction: float, keepdim: bool) -> Tensor:
    """The root of the variance."""
    return _core.sqrt(_core.var(input, dim, correction, keepdim))


_std.vjp(input=_deviation_gradient)


def _mean_gradient(grad: Tensor, input: Tensor, dim: tuple, keepdim: bool) -> Tensor:
    share = _keep(grad, input, dim, keepdim) / _count(input.shape, dim)
    return share.expand(input.shape)


def _sum_of_given(parts: list) -> Any:
    given = [part for part in parts if part is not None]
    return given[0] if len(given) == 1 else given[0] + given[1]


@op(_core.var_mean, method=False, public=False, node="VarMeanBackward0")
def _var_mean(input: Tensor, dim: tuple, correction: float, keepdim: bool) -> Any:
    """The variance and the mean."""


def _var_mean_gradient(
    grads: tuple, input: Tensor, dim: tuple, correction: float, keepdim: bool
) -> Tensor:
    parts: list[Tensor | None] = [None, None]
    if grads[0] is not None:
        parts[0] = _variance_gradient(grads[0], input, dim, correction, keepdim)
    if grads[1] is not None:
        parts[1] = _mean_gradient(grads[1], input, dim, keepdim)
    return _sum_of_given(parts)


_var_mean.vjp(input=_var_mean_gradient)


@op(method=False, public=False, node="StdMeanBackward0")
def _std_mean(input: Tensor, dim: tuple, correction: float, keepdim: bool) -> Any:
    """The standard deviation and the mean."""
    variance, center = _core.var_mean(input, dim, correction, keepdim)
    return _core.sqrt(variance), center


def _std_mean_gradient(
    grads: tuple, input: Tensor, dim: tuple, correction: float, keepdim: bool
) -> Tensor:
    parts: list[Tensor | None] = [None, None]
    if grads[0] is not None:
        # Computed again: of several results what is saved has no history, which a second
        # derivative needs.
        spread = _std(input, dim, correction, keepdim)
        parts[0] = _deviation_gradient(grads[0], input, dim, correction, keepdim, spread)
    if grads[1] is not None:
        parts[1] = _mean_gradient(grads[1], input, dim, keepdim)
    return _sum_of_given(parts)


_std_mean.vjp(input=_std_mean_gradient)


def _arguments(
    name: str, input: Tensor, dim: Any, unbiased: bool | None, correction: Any
) -> tuple[tuple, float]:
    """The reduced dimensions and the correction, from PyTorch's several ways to say them."""
    if unbiased is None and correction is None and input.dtype.is_floating_point:
        if dim is None and input.numel() > 1:
            return (), 1.0
        if type(dim) is int and -input.ndim <= dim < input.ndim and input.shape[dim] > 1:
            return (dim,), 1.0
    if isinstance(dim, bool):  # var(input, unbiased)
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError(f"{name}() takes one of unbiased and correction")
    if unbiased is not None:
        correction = 1 if unbiased else 0
    elif correction is None:
        correction = 1
    dims = () if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if not (input.dtype.is_floating_point or input.dtype.is_complex):
        raise RuntimeError(
            f"{name}: std and var only support floating point and complex dtypes, got {input.dtype}"
        )
    if _count_checked(input, dims) <= correction:
        warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input numel divided by output numel)."
        )
    return dims, float(correction)


def _count_checked(input: Tensor, dims: tuple) -> int:
    """How many elements are reduced; the kernel reports dimensions that do not exist."""
    if any(not -input.ndim <= dim < input.ndim for dim in dims):
        return 1 << 62
    return _count(input.shape, dims)


@composed(method=True, numpy_names=True)
def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Any = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The variance over `dim` (all dimensions by default): squares over the count - correction.

    correction: 1 by default; `unbiased` says 1 or 0.

    The derivative is 2 (input - mean) / (count - correction). nan, with a warning, where count <=
    `correction`. Raises RuntimeError for integers.
    """
    dims, correction = _arguments("var", input, dim, unbiased, correction)
    result = _var(input, dims, correction, keepdim)
    return result if out is None else _core.write_out("var", result, out)


@composed(method=True, numpy_names=True)
def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Any = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation over `dim` (an int, several, None for all): the root of :func:`var`.

    Divides by count - `correction`, by default 1 (Bessel's). The gradient is 0 where all are equal.
    nan, with a warning, where count <= `correction`. Raises as :func:`var`.
    """
    dims, correction = _arguments("std", input, dim, unbiased, correction)
    result = _std(input, dims, correction, keepdim)
    return result if out is None else _core.write_out("std", result, out)


@composed(numpy_names=True)
def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Any = None,
) -> tuple:  # fmt: skip
    """(variance, mean) over `dim`, in one pass; as :func:`var` and :func:`mean`."""
    dims, correction = _arguments("var_mean", input, dim, unbiased, correction)
    return _var_mean(input, dims, correction, keepdim)


@composed(numpy_names=True)
def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Any = None,
) -> tuple:  # fmt: skip
    """(standard deviation, mean) over `dim`, in one pass; as :func:`std` and :func:`mean`."""
    dims, correction = _arguments("std_mean", input, dim, unbiased, correction)
    return _std_mean(input, dims, correction, keepdim)


# ---- covariance


def _check_weights(name: str, weights: Tensor, count: int, integral: bool) -> None:
    floating = weights.dtype.is_floating_point
    if weights.ndim > 1 or weights.numel() != count or floating is integral:
        kind = "integers" if integral else "floats"
        raise RuntimeError(
            f"cov(): expected {name} to be a vector of {kind}, one for each of the {count} "
            f"observations, got {weights.dtype} of shape {list(weights.shape)}"
        )
    if weights.numel() and known((weights < 0).any()):
        raise RuntimeError(f"cov(): {name} cannot be negative")


@composed(method=True)
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The covariances of variables (rows) over observations (columns).

    fweights: how often each observation counts (integers). aweights: how much it counts.

    Shapes: (variables, observations) -> (variables, variables); a vector is one variable and gives
    a 0-dim tensor. Raises RuntimeError for more than 2 dimensions, or weights that do not fit.
    """
    if input.ndim > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input.ndim} dimensions"
        )
    if input.dtype is _core.bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    rows = input.reshape(1, -1) if input.ndim < 2 else input
    if not (rows.dtype.is_floating_point or rows.dtype.is_complex):
        rows = rows.to(_core.get_default_dtype())
    count = rows.shape[1]
    weights = None
    if fweights is not None:
        _check_weights("fweights", fweights, count, True)
        weights = fweights
    if aweights is not None:
        _check_weights("aweights", aweights, count, False)
        weights = aweights if weights is None else weights * aweights
    total = count if weights is None else weights.sum()
    if weights is None:
        center = rows.mean(1, True)
        freedom: Any = count - correction
    else:
        center = (rows * weights).sum(1, True) / total
        if aweights is None:
            freedom = total - correction
        else:
            freedom = total - correction * (weights * aweights).sum() / total
    if (freedom <= 0) if weights is None else known(freedom <= 0):
        warn("cov(): degrees of freedom is <= 0")
        freedom = 0
    apart = rows - center
    weighted = apart if weights is None else apart * weights
    product = weighted @ apart.mT.conj()
    if not isinstance(freedom, Tensor):
        freedom = product.new_full((), freedom)
    return (product / freedom).squeeze()


@composed(method=True)
def corrcoef(input: Tensor) -> Tensor:
    """The correlations of variables (rows) over observations (columns), within [-1, 1].

    Shapes: (variables, observations) -> (variables, variables); a vector is one variable and gives
    a 0-dim 1. nan for a variable that is constant. Raises RuntimeError for more than 2 dimensions.
    """
    if input.ndim > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{input.ndim} dimensions"
        )
    covariance = cov(input)
    if covariance.ndim == 0:
        return covariance / covariance
    spread = covariance.diagonal()
    spread = (spread.real if spread.dtype.is_complex else spread).sqrt()
    result = covariance / spread.unsqueeze(1) / spread.unsqueeze(0)
    return result if result.dtype.is_complex else result.clamp(-1, 1)
