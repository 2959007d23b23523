"""Running totals along a dimension and their opposite: cumsum, cumprod, cummax, diff, trapezoid."""

from __future__ import annotations

from typing import Any

from rushlight import _core, return_types
from rushlight.autograd.op import composed, op
from rushlight.ops.gather import _scatter_add, _zeros
from rushlight.ops.elementary import exp, log
from rushlight.ops.pointwise import _c, abs, where
from rushlight.ops.shape import _axis, narrow
from rushlight.tensor import Tensor


@op(_core.cumsum, inplace=True, out=True)
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The sums of the elements of `dim` up to each one; of integers as int64."""


cumsum.vjp(input=lambda grad, dim: _sums_from_end(grad, dim))


@op(method=False, public=False)
def _sums_from_end(input: Tensor, dim: int) -> Tensor:
    """The sums of the elements of `dim` from each one to the end."""
    return _core.cumsum(input, dim, None, True)


_sums_from_end.vjp(input=lambda grad, dim: cumsum(grad, dim))


def _cumprod_gradient(grad: Tensor, input: Tensor, dim: int, result: Tensor) -> Tensor:
    if input.ndim == 0 or input.numel() == 0:
        return grad
    if not (input == 0).any().item():
        return _sums_from_end(grad * _c(result), dim) / _c(input)
    # With zeros nothing can be divided out: the products after each element are built from the end.
    axis = _axis(input, dim)
    size = input.shape[axis]
    factors = [_c(narrow(input, axis, i, 1)) for i in range(size)]
    parts = [narrow(grad, axis, i, 1) for i in range(size)]
    after = parts[-1]  # sum over later results of their gradient and the factors in between
    sums = [after]
    for i in range(size - 2, -1, -1):
        after = parts[i] + factors[i + 1] * after
        sums.append(after)
    before = factors[0] * 0 + 1
    gradients = []
    for i in range(size):
        gradients.append(before * sums[size - 1 - i])
        before = before * factors[i]
    from rushlight.ops.join import cat

    return cat(gradients, axis)


@op(_core.cumprod, inplace=True, out=True)
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The products of the elements of `dim` up to each one; of integers as int64."""


cumprod.vjp(input=_cumprod_gradient)


def _extreme_gradient(grads: tuple, input: Tensor, dim: int, result: tuple) -> Tensor:
    return _scatter_add(_zeros(grads[0], input.shape), dim, result[1], grads[0])


@op(out=True)
def cummax(input: Tensor, dim: int) -> Any:
    """The largest element of `dim` up to each one, and where it last was; nan is the largest."""
    return return_types.cummax(_core.cummax(input, dim))


cummax.vjp(input=_extreme_gradient)


@op(out=True)
def cummin(input: Tensor, dim: int) -> Any:
    """The smallest element of `dim` up to each one, and where it last was; nan is the smallest."""
    return return_types.cummin(_core.cummin(input, dim))


cummin.vjp(input=_extreme_gradient)


def _logcumsumexp_gradient(grad: Tensor, input: Tensor, dim: int, result: Tensor) -> Tensor:
    if input.dtype.is_complex:
        return _c(exp(input)) * _sums_from_end(grad * _c(exp(-result)), dim)
    # sum over later results of grad * exp(input - result), in logarithms: each sign on its own.
    size = log(abs(grad))
    up = where(grad > 0, size, -float("inf")) - result
    down = where(grad < 0, size, -float("inf")) - result
    return exp(_log_sums_from_end(up, dim) + input) - exp(_log_sums_from_end(down, dim) + input)


def _log_sums_from_end(input: Tensor, dim: int) -> Tensor:
    if input.ndim == 0:
        return input
    return logcumsumexp(input.flip(dim), dim).flip(dim)


@op(_core.logcumsumexp, out=True)
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log(cumsum(exp(input))) along `dim`, without overflow."""


logcumsumexp.vjp(input=_logcumsumexp_gradient)

# ---- differences and areas


@composed(method=True)
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
    append: Tensor | None = None, *, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The differences of neighbours along `dim`, taken `n` times; of booleans, whether they differ.

    prepend, append: put before and after the elements first.
    """
    if input.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    axis = _axis(input, dim)
    parts = [part for part in (prepend, input, append) if part is not None]
    for part in parts:
        if part.ndim != input.ndim:
            raise RuntimeError(
                "diff expects prepend or append to be the same dimension as input, got "
                f"{part.ndim} and {input.ndim}"
            )
        for d in range(input.ndim):
            if d != axis and part.shape[d] != input.shape[d]:
                raise RuntimeError(
                    "diff expects the shape of tensor to prepend or append to match that of input "
                    f"except along the differencing dimension; input.size({d}) = "
                    f"{input.shape[d]}, but got tensor.size({d}) = {part.shape[d]}"
                )
    if len(parts) > 1:
        from rushlight.ops.join import cat

        input = cat(parts, axis)
    if n == 0:
        return input.clone() if out is None else out.copy_(input)
    for _ in range(min(n, input.shape[axis])):
        length = max(input.shape[axis] - 1, 0)
        later = narrow(input, axis, input.shape[axis] - length, length)
        earlier = narrow(input, axis, 0, length)
        input = later.logical_xor(earlier) if input.dtype is _core.bool else later - earlier
    return input if out is None else out.copy_(input)


def _areas(name: str, y: Tensor, x: Tensor | None, dx: Any, dim: int) -> tuple[Tensor, Any]:
    """The double areas between neighbours along `dim` if they were 1 apart, and how far they are."""
    if x is not None and dx is not None:
        raise TypeError(f"{name}() takes one of x and dx")
    axis = _axis(y, dim)
    if y.ndim == 0:
        raise IndexError(f"{name}: expected a tensor of at least one dimension")
    length = y.shape[axis]
    if x is not None:
        if x.ndim == 1:
            if x.shape[0] != length:
                raise RuntimeError(
                    f"{name}: There must be one `x` value for each sample point, got "
                    f"{x.shape[0]} for {length}"
                )
            x = x.reshape((-1,) + (1,) * (y.ndim - 1 - axis))
            step: Any = diff(x, 1, 0) if x.ndim else x
        else:
            own = axis - y.ndim
            if x.shape[own] != length:
                raise RuntimeError(
                    f"{name}: There must be one `x` value for each sample point, got "
                    f"{x.shape[own]} for {length}"
                )
            step = diff(x, 1, own)
    else:
        step = 1 if dx is None else dx
    count = max(length - 1, 0)
    return narrow(y, axis, length - count, count) + narrow(y, axis, 0, count), step


@composed()
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral of `y` along `dim` by the trapezoidal rule, at the places `x`, or `dx` apart."""
    doubled, step = _areas("trapezoid", y, x, dx, dim)
    return (doubled * step).sum(dim) / 2.0


@composed()
def trapz(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """trapezoid under an older name."""
    return trapezoid(y, x, dx=dx, dim=dim)


@composed()
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1
) -> Tensor:
    """The integrals from the start to each place but the first, by the trapezoidal rule."""
    doubled, step = _areas("cumulative_trapezoid", y, x, dx, dim)
    return cumsum(doubled * step, dim) / 2.0
