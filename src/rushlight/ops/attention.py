"""Scaled dot-product attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.dropout import dropout
from rushlight.ops.linalg import matmul
from rushlight.ops.pointwise import _where as where
from rushlight.ops.shape import broadcast_shapes
from rushlight.ops.softmax import softmax

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


@composed(public=False)
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(scale query key^T + mask) value: for each query a mean of the values (Vaswani 2017).

    Works in tiles (Dao et al. 2022): neither this nor its backward pass has the (L, S) matrix of
    weights in memory, except with dropout. A query that may see no key gives zeros.

    Args:
        query: (..., H, L, E), of a floating dtype. Leading axes broadcast.
        key: (..., H, S, E), of the same dtype.
        value: (..., H, S, Ev), of the same dtype.
        attn_mask: broadcasts to (..., H, L, S). Boolean: where True, the query sees the key; or
            numbers that are added to the scores.
        dropout_p: the probability with which a weight is set to 0. There is no `training` here:
            pass 0 in evaluation.
        is_causal: query number i sees the keys 0 to i alone.
        scale: factor of the scores; 1 / sqrt(E) if left out.
        enable_gqa: key and value may have fewer heads, and groups of H_query / H_key neighbouring
            heads of the query share one (Ainslie et al. 2023).
    Returns:
        (..., H, L, Ev)
    """
    _check(query, key, value, attn_mask, dropout_p, is_causal)
    if scale is None:
        features = query.shape[-1]
        scale = features**-0.5 if features else 1.0
    if query.shape[:-2] != key.shape[:-2] or value.shape[:-2] != key.shape[:-2]:
        query, key, value = _align(query, key, value, enable_gqa)
    if dropout_p == 0:
        return _attention(query, key, value, attn_mask, is_causal, scale)[0]
    key, value = _per_query_head(key, query), _per_query_head(value, query)
    weights = _weights(query, key, attn_mask, is_causal, scale)
    return matmul(dropout(weights, dropout_p, True), value)


def _check(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout_p: float,
    is_causal: bool,
) -> None:
    name = "scaled_dot_product_attention"
    if not (query.dtype is key.dtype is value.dtype):
        raise RuntimeError(
            f"{name}: Expected query, key, and value to have the same dtype, but got "
            f"{query.dtype}, {key.dtype} and {value.dtype}"
        )
    if query.ndim < 2 or key.ndim < 2 or value.ndim < 2:
        raise RuntimeError(
            f"{name}: Expected query, key, and value to all be at least 2 dimensional, (..., "
            f"length, features), but got {query.ndim}, {key.ndim} and {value.ndim} dimensions"
        )
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(
            f"{name}: expected query (..., L, E), key (..., S, E) and value (..., S, Ev), but got "
            f"shapes {list(query.shape)}, {list(key.shape)} and {list(value.shape)}"
        )
    if dropout_p < 0 or dropout_p > 1:
        raise RuntimeError(
            f"{name}: dropout probability has to be between 0 and 1, but got {dropout_p}"
        )
    if mask is None:
        return
    if mask.dtype not in (_core.bool, _core.float32, query.dtype):
        raise RuntimeError(
            f"{name}: Expected attn_mask dtype to be bool or float or to match query dtype, but "
            f"got {mask.dtype} with a query of {query.dtype}"
        )
    if is_causal and (query.ndim != 4 or dropout_p > 0):
        raise RuntimeError(
            f"{name}: Explicit attn_mask should not be set when is_causal=True; put the causal "
            "part into the mask"
        )


def _align(query: Tensor, key: Tensor, value: Tensor, shared: bool) -> tuple:
    """The same leading axes for all three; but for `shared` the heads of key and value."""
    kept = 3 if shared else 2
    if shared:
        heads = [x.shape[-3] if x.ndim > 2 else 0 for x in (query, key, value)]
        if not heads[1] or heads[1] != heads[2] or heads[0] % heads[1]:
            raise RuntimeError(
                "scaled_dot_product_attention: with enable_gqa=True the Number of heads in key and "
                "value must divide the number of heads in query, but got shapes "
                f"{list(query.shape)}, {list(key.shape)} and {list(value.shape)}"
            )
    leading = broadcast_shapes(*(x.shape[:-kept] for x in (query, key, value)))
    return tuple(
        x if x.shape[:-kept] == leading else x.expand((*leading, *x.shape[-kept:]))
        for x in (query, key, value)
    )


def _per_query_head(x: Tensor, query: Tensor) -> Tensor:
    """Keys or values with a head for each head of the query."""
    if x.ndim < 3 or x.shape[-3] == query.shape[-3]:
        return x
    return x.repeat_interleave(query.shape[-3] // x.shape[-3], -3)


def _weights(
    query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool, scale: float
) -> Tensor:
    """The softmax over the keys, (..., L, S); zeros where no key is allowed."""
    scores = matmul(query * scale, key.transpose(-2, -1))
    hidden = float("-inf")
    if is_causal:
        seen = _core.full(scores.shape[-2:], True, _core.bool, scores).tril()
        scores = where(seen, scores, hidden)
    if mask is None:
        return softmax(scores, -1)
    scores = where(mask, scores, hidden) if mask.dtype is _core.bool else scores + mask
    none = (scores == hidden).all(-1, True)
    return where(none, 0.0, softmax(where(none, 0.0, scores), -1))


@op(
    _core.attention,
    method=False,
    public=False,
    node="ScaledDotProductFlashAttentionForCpuBackward0",
)
def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    is_causal: bool,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The result; and of each query its largest score and 1 / sum(exp(score - largest))."""


def _attention_gradient(
    grads: tuple,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    is_causal: bool,
    scale: float,
    result: tuple,
    needs: tuple,
) -> tuple:
    grad = grads[0]
    keys, values = _per_query_head(key, query), _per_query_head(value, query)
    weights = _weights(query, keys, mask, is_causal, scale)
    slopes = matmul(grad, values.transpose(-2, -1))
    slopes = weights * (slopes - (slopes * weights).sum(-1, True))
    scaled = slopes * scale
    return (
        matmul(scaled, keys),
        _per_shared_head(matmul(scaled.transpose(-2, -1), query), key),
        _per_shared_head(matmul(weights.transpose(-2, -1), grad), value),
        slopes if needs[3] else None,
    )


def _per_shared_head(grad: Tensor, x: Tensor) -> Tensor:
    """The sum over the heads of the query that share a head of `x`."""
    if x.ndim < 3 or x.shape[-3] == grad.shape[-3]:
        return grad
    return grad.unflatten(-3, (x.shape[-3], -1)).sum(-3)


_attention.vjp_all(
    ("query", "key", "value", "mask"),
    _attention_gradient,
    kernel=lambda grads, query, key, value, mask, is_causal, scale, result, needs: (
        _core.attention_backward(  # type: ignore[call-arg]  # two results, three needs
            grads[0], query, key, value, mask, *result, is_causal, scale, *needs
        )
    ),
)
