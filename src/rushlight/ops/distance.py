"""Distances and similarities of vectors, and vectors of length 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.pointwise import _where as where
from rushlight.ops.reduce import vector_norm

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


def _held(length: Tensor, eps: float) -> Tensor:
    """`length`, at least `eps`, with the gradient of `length` in any case."""
    fixed = length.detach()
    return length + (fixed.clamp(min=eps) - fixed)


@composed(numpy_names=True)
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors.

    Args:
        x1: vectors along axis `dim`.
        x2: the same, of a shape that broadcasts with that of `x1`.
        dim: counted in the broadcast shape.
        eps: what the length of a vector is at least.

    Raises:
        RuntimeError: the shapes do not broadcast.
    """
    if not (x1.dtype.is_floating_point or x1.dtype.is_complex) or not (
        x2.dtype.is_floating_point or x2.dtype.is_complex
    ):
        raise RuntimeError(
            f"cosine_similarity: expected floating point inputs, got {x1.dtype} and {x2.dtype}"
        )
    if x1.shape != x2.shape:
        shape = (_core.full(x1.shape, 0, x1.dtype) + _core.full(x2.shape, 0, x2.dtype)).shape
        x1, x2 = x1.expand(shape), x2.expand(shape)
    length1 = vector_norm(x1, 2, dim, True)
    length2 = vector_norm(x2, 2, dim, True)
    return ((x1 / _held(length1, eps)) * (x2 / _held(length2, eps))).sum(dim)


@composed()
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last axis.

    Args:
        x1: (N, D) or (D,).
        x2: the same, or of a shape that broadcasts with that of `x1`.
        p: of the norm.
        eps: added to each difference, so that the norm has a gradient everywhere.
        keepdim: keep the last axis with size 1.

    Raises:
        RuntimeError: the shapes do not broadcast.
    """
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


@composed()
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The distances of all pairs of rows.

    Args:
        input: (N, D).
        p: of the norm, from 0 to infinity.

    Returns:
        N (N - 1) / 2 distances: of rows 0 and 1, 0 and 2, ..., 1 and 2, ...

    The derivative at distance 0 is 0.

    Raises:
        RuntimeError: the input is no matrix, or `p` is negative.
    """
    if input.ndim != 2:
        raise RuntimeError(
            f"pdist only supports 2D tensors, got: {input.ndim}D, of shape {list(input.shape)}"
        )
    if p < 0:
        raise RuntimeError(f"pdist only supports non-negative p values, got {p}")
    rows = input.shape[0]
    pairs = _core.nonzero(_core.triu(_core.full((rows, rows), True, _core.bool), 1))
    pairs = _core.placed(pairs, input)
    first, second = _core.select(pairs, 1, 0), _core.select(pairs, 1, 1)
    difference = input.index_select(0, first) - input.index_select(0, second)
    distance = vector_norm(difference, p, -1)
    # A count has no gradient; as the distance of a pair it has one, which is 0.
    return distance if p != 0 else distance + (difference * 0).sum(-1)


_COMPUTE_MODES = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)


@composed(float32=True)
def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """The distance of each row of `x1` to each row of `x2`.

    Args:
        x1: (*, P, D).
        x2: (*, R, D), with leading axes that broadcast with those of `x1`.
        p: of the norm, from 0 to infinity.
        compute_mode: "use_mm_for_euclid_dist" takes squares and a matrix product for p = 2, fast
            but inexact for near rows; "donot_use_mm_for_euclid_dist" does not;
            "use_mm_for_euclid_dist_if_necessary" does where there are more than 25 rows.

    Returns:
        Distances of shape (*, P, R).

    The derivative at distance 0 is 0.

    Raises:
        RuntimeError: the numbers of columns differ, or `p` is negative.
    """
    if x1.ndim < 2 or x2.ndim < 2:
        raise RuntimeError(
            f"cdist: X1 and X2 should have at least two dimensions, got shapes {list(x1.shape)} "
            f"and {list(x2.shape)}"
        )
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            "cdist: X1 and X2 must have the same number of columns. "
            f"X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    if not (x1.dtype.is_floating_point and x2.dtype.is_floating_point):
        raise RuntimeError(
            f"cdist only supports floating-point dtypes, got {x1.dtype} and {x2.dtype}"
        )
    if p < 0:
        raise RuntimeError(f"cdist only supports non-negative p values, got {p}")
    if compute_mode is None:
        compute_mode = _COMPUTE_MODES[0]
    if compute_mode not in _COMPUTE_MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    many = max(x1.shape[-2], x2.shape[-2]) > 25
    product = compute_mode == _COMPUTE_MODES[1] or (many and compute_mode == _COMPUTE_MODES[0])
    if p == 2 and product and x1.numel() and x2.numel():
        return _euclidean(x1, x2)
    difference = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    distance = vector_norm(difference, p, -1)
    return distance if p != 0 else distance + (difference * 0).sum(-1)


@op(method=False, public=False, node="CdistBackward0")
def _euclidean(x1: Tensor, x2: Tensor) -> Tensor:
    """|a - b|^2 as |a|^2 - 2 a b + |b|^2, by one matrix product."""
    squares1 = _core.sum(_core.square(x1), [-1], True, None)
    squares2 = _core.sum(_core.square(x2), [-1], True, None)
    products = _core.matmul(_core.mul(x1, -2), _core.transpose(x2, -1, -2))
    total = _core.add(_core.add(products, squares1), _core.transpose(squares2, -1, -2))
    return _core.sqrt(_core.maximum(total, 0))


def _euclidean_gradient(grad: Tensor, x1: Tensor, x2: Tensor, result: Tensor) -> Tensor:
    """Sum over the rows of x2 of grad (x1 - x2) / distance; 0 for equal rows."""
    share = where(result == 0, 0, grad / where(result == 0, 1, result))
    return share.sum(-1, True) * x1 - share.matmul(x2)


_euclidean.vjp(
    x1=_euclidean_gradient,
    x2=lambda grad, x1, x2, result: _euclidean_gradient(grad.mT, x2, x1, result.mT),
)


@composed(public=False)
def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """`input` divided by its p-norm along `dim`.

    Args:
        input: of any shape.
        p: of the norm.
        dim: one axis, or several.
        eps: what the norm is at least.
        out: where the result is written to.
    """
    result = input / input.norm(p, dim, keepdim=True).clamp(min=eps)
    return result if out is None else _core.write_out("normalize", result, out)
