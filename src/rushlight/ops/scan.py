"""Running totals along a dimension and their opposite: cumsum, cumprod, cummax, diff, trapezoid."""

from __future__ import annotations

from typing import Any

from rushlight import _core, return_types
from rushlight.autograd.op import composed, op
from rushlight.ops.complex import _c
from rushlight.ops.elementary import exp, log
from rushlight.ops.gather import _scatter_add, _zeros
from rushlight.ops.known import known
from rushlight.ops.pointwise import abs, where
from rushlight.ops.shape import axis_of, narrow
from rushlight.tensor import Tensor


@op(_core.cumsum, inplace=True, out="dtype")
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The sums of the elements of `dim` up to each one, itself included; of input's shape.

    bool and integers are summed as int64; `dtype` converts first. Raises IndexError for a `dim`
    that is not there.
    """


cumsum.vjp(input=lambda grad, dim: _sums_from_end(grad, dim))


@op(method=False, public=False)
def _sums_from_end(input: Tensor, dim: int) -> Tensor:
    """The sums of the elements of `dim` from each one to the end."""
    return _core.cumsum(input, dim, None, True)


_sums_from_end.vjp(input=lambda grad, dim: cumsum(grad, dim))


def _cumprod_gradient(grad: Tensor, input: Tensor, dim: int, result: Tensor) -> Tensor:
    if input.ndim == 0 or input.numel() == 0:
        return grad
    if not known((input == 0).any()):
        return _sums_from_end(grad * _c(result), dim) / _c(input)
    # With zeros nothing can be divided out: the products after each element are built from the end.
    axis = axis_of(dim, input.ndim)
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


@op(_core.cumprod, inplace=True, out="dtype")
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The products of the elements of `dim` up to each one, itself included; of input's shape.

    bool and integers multiply as int64; `dtype` converts first. The derivative is exact where
    elements are 0.
    """


cumprod.vjp(input=_cumprod_gradient)


def _extreme_gradient(grads: tuple, input_shape: Any, dim: int, result: tuple) -> Tensor:
    return _scatter_add(_zeros(grads[0], input_shape), dim, result[1], grads[0])


@op(out="exact")
def cummax(input: Tensor, dim: int) -> return_types.cummax:
    """(values, indices): the largest element of `dim` up to each one, and where it last was.

    nan is the largest. The gradient goes to the element at the index.
    """
    return return_types.cummax(_core.cummax(input, dim))


cummax.vjp(input=_extreme_gradient)


@op(out="exact")
def cummin(input: Tensor, dim: int) -> return_types.cummin:
    """(values, indices): the smallest element of `dim` up to each one, and where it last was.

    nan is the smallest. The gradient goes to the element at the index.
    """
    return return_types.cummin(_core.cummin(input, dim))


cummin.vjp(input=_extreme_gradient)


def _logcumsumexp_gradient(grad: Tensor, input: Tensor, dim: int, result: Tensor) -> Tensor:
    # exp(input) times the sum over later results of grad * exp(-result), in logarithms.
    # A result of -inf has only inputs of -inf before it: they get nothing from it.
    result = where(result == -float("inf"), 0.0, result)
    if input.dtype.is_complex:
        return exp(_log_sums_from_end(log(grad) - _c(result), dim) + _c(input))
    size = log(abs(grad))
    up = where(grad < 0, -float("inf"), size) - result
    down = where(grad < 0, size, -float("inf")) - result
    return exp(_log_sums_from_end(up, dim) + input) - exp(_log_sums_from_end(down, dim) + input)


def _log_sums_from_end(input: Tensor, dim: int) -> Tensor:
    if input.ndim == 0:
        return input
    return logcumsumexp(input.flip(dim), dim).flip(dim)


@op(_core.logcumsumexp, out="exact")
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log(cumsum(exp(input))) along `dim`, without overflow; of input's shape.

    Raises NotImplementedError for integers.
    """


logcumsumexp.vjp(input=_logcumsumexp_gradient)

# ---- differences and areas


@composed(method=True, numpy_names=True)
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
    axis = axis_of(dim, input.ndim)
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
        return input.clone() if out is None else _core.write_out("diff", input, out)
    for _ in range(min(n, input.shape[axis])):
        length = max(input.shape[axis] - 1, 0)
        later = narrow(input, axis, input.shape[axis] - length, length)
        earlier = narrow(input, axis, 0, length)
        input = later.logical_xor(earlier) if input.dtype is _core.bool else later - earlier
    return input if out is None else _core.write_out("diff", input, out)


def _areas(name: str, y: Tensor, x: Tensor | None, dx: Any, dim: int) -> tuple[Tensor, Any]:
    """The sums of neighbours along `dim`, and how far apart they are."""
    if x is not None and dx is not None:
        raise TypeError(f"{name}() takes one of x and dx")
    axis = axis_of(dim, y.ndim)
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


@composed(numpy_names=True)
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral of `y` along `dim` by the trapezoidal rule: sum of (y[i] + y[i + 1]) / 2 * step.

    `x`: the places of the samples, a vector or of y's shape; or else they are `dx` (1) apart. The
    result lacks `dim`, and is 0 for a single sample. Raises RuntimeError where `x` has another
    length.
    """
    doubled, step = _areas("trapezoid", y, x, dx, dim)
    return (doubled * step).sum(dim) / 2.0


@composed(numpy_names=True)
def trapz(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """Another name of :func:`trapezoid`."""
    return trapezoid(y, x, dx=dx, dim=dim)


@composed()
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1
) -> Tensor:
    """The integrals from the first sample to each later one, as of :func:`trapezoid`.

    `dim` becomes shorter by one.
    """
    doubled, step = _areas("cumulative_trapezoid", y, x, dx, dim)
    return cumsum(doubled * step, dim) / 2.0


def _gradient_along(
    input: Tensor, axis: int, spacing: Any, edge_order: int
) -> Tensor:
    """Second-order differences inside, differences of `edge_order` at both ends."""
    from rushlight.ops.join import cat

    size = input.shape[axis]
    if size < edge_order + 1:
        raise RuntimeError(
            "torch.gradient expected each dimension size to be at least edge_order+1"
        )

    def at(start: int, length: int) -> Tensor:
        return narrow(input, axis, start, length)

    if isinstance(spacing, Tensor):
        shape = [1] * input.ndim
        shape[axis] = -1
        steps = diff(spacing, 1, 0).reshape(shape)

        def step(start: int, length: int) -> Any:
            return narrow(steps, axis, start, length)
    else:

        def step(start: int, length: int) -> Any:
            return spacing

    if size == 2:
        slope = (at(1, 1) - at(0, 1)) / step(0, 1)
        return cat([slope, slope], axis)
    before, after = step(0, size - 2), step(1, size - 2)
    inside = (
        -at(0, size - 2) * (after / (before * (before + after)))
        + at(1, size - 2) * ((after - before) / (before * after))
        + at(2, size - 2) * (before / (after * (before + after)))
    )
    if edge_order == 1:
        first = (at(1, 1) - at(0, 1)) / step(0, 1)
        last = (at(size - 1, 1) - at(size - 2, 1)) / step(size - 2, 1)
        return cat([first, inside, last], axis)
    a, b = step(0, 1), step(1, 1)
    first = (
        -at(0, 1) * ((2 * a + b) / (a * (a + b)))
        + at(1, 1) * ((a + b) / (a * b))
        - at(2, 1) * (a / (b * (a + b)))
    )
    a, b = step(size - 3, 1), step(size - 2, 1)
    last = (
        at(size - 3, 1) * (b / (a * (a + b)))
        - at(size - 2, 1) * ((a + b) / (a * b))
        + at(size - 1, 1) * ((a + 2 * b) / (b * (a + b)))
    )
    return cat([first, inside, last], axis)


@composed(numpy_names=True)
def gradient(
    input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1
) -> tuple:
    """The derivative of sampled values along each of `dim` (by default all), by differences.

    spacing: how far samples are apart (1), one number or one per dimension, or their coordinates,
    one vector per dimension. edge_order: the order of the differences at both ends, 1 or 2.
    """
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    dims = (
        tuple(range(input.ndim))
        if dim is None
        else (dim,) if isinstance(dim, int) else tuple(dim)
    )
    axes = [axis_of(d, input.ndim) for d in dims]
    if len(set(axes)) != len(axes):
        raise RuntimeError(f"dim {dims} appears multiple times in the list of dims")
    if spacing is None:
        spacing = 1
    if isinstance(spacing, (list, tuple)):
        if len(spacing) != len(axes):
            raise RuntimeError(
                "torch.gradient expected spacing to be unspecified, a scalar, or it's spacing and "
                f"dim arguments to have the same length, but got a spacing argument of length "
                f"{len(spacing)} and a dim argument of length {len(axes)}."
            )
        spacings = list(spacing)
    elif isinstance(spacing, Tensor) and spacing.ndim:
        spacings = [spacing] * len(axes)
    else:
        spacings = [spacing.item() if isinstance(spacing, Tensor) else spacing] * len(axes)
    for axis, coordinates in zip(axes, spacings):
        if isinstance(coordinates, Tensor) and tuple(coordinates.shape) != (input.shape[axis],):
            raise RuntimeError(
                "torch.gradient expected each element of spacing to have one coordinate for each "
                f"sample of its dimension, got {tuple(coordinates.shape)} for {input.shape[axis]}"
            )
    if not (input.dtype.is_floating_point or input.dtype.is_complex):
        input = input.to(_core.get_default_dtype())
    return tuple(
        _gradient_along(input, axis, own, edge_order) for axis, own in zip(axes, spacings)
    )
