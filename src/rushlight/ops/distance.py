"""Distances and similarities of vectors, and vectors of length 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.ops.reduce import vector_norm

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


def _held(length: Tensor, eps: float) -> Tensor:
    """`length`, at least `eps`, with the gradient of `length` in any case."""
    fixed = length.detach()
    return length + (fixed.clamp(min=eps) - fixed)


@composed()
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors.

    Args:
        x1: vectors along axis `dim`.
        x2: the same, of a shape that broadcasts with that of `x1`.
        dim: counted in the broadcast shape.
        eps: what the length of a vector is at least.
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
    """
    if input.ndim != 2:
        raise RuntimeError(
            f"pdist only supports 2D tensors, got: {input.ndim}D, of shape {list(input.shape)}"
        )
    if p < 0:
        raise RuntimeError(f"pdist only supports non-negative p values, got {p}")
    rows = input.shape[0]
    pairs = _core.nonzero(_core.triu(_core.full((rows, rows), True, _core.bool), 1))
    first, second = _core.select(pairs, 1, 0), _core.select(pairs, 1, 1)
    difference = input.index_select(0, first) - input.index_select(0, second)
    distance = vector_norm(difference, p, -1)
    # A count has no gradient; as the distance of a pair it has one, which is 0.
    return distance if p != 0 else distance + (difference * 0).sum(-1)


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
