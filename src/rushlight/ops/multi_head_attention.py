"""Attention with several heads between linear projections, as nn.MultiheadAttention has it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.ops.attention import scaled_dot_product_attention
from rushlight.ops.dropout import dropout
from rushlight.ops.join import cat
from rushlight.ops.linalg import linear, matmul
from rushlight.ops.padding import pad
from rushlight.ops.softmax import softmax

if TYPE_CHECKING:
    from rushlight._core import dtype as DType
    from rushlight.tensor import Tensor


@composed(public=False)
def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Projects query, key and value, attends in `num_heads` heads, projects the result.

    Vaswani et al. 2017, section 3.2.2. L: length of the query, S: of the keys, N: batch, E: width.

    Args:
        query: (L, N, E), or (L, E) without a batch.
        key: (S, N, E), or (S, N, width of the keys) with `use_separate_proj_weight`.
        value: (S, N, E), or (S, N, width of the values).
        embed_dim_to_check: E.
        num_heads: divides E.
        in_proj_weight: (3 E, E), the three projections below each other.
        in_proj_bias: (3 E), or None.
        bias_k: (1, 1, E), one more key; with `bias_v`.
        bias_v: (1, 1, E), its value.
        add_zero_attn: one more key and value, of zeros.
        dropout_p: of the attention weights, in training.
        out_proj_weight: (E, E).
        out_proj_bias: (E), or None.
        training: whether `dropout_p` counts.
        key_padding_mask: (N, S): True hides a key from everybody; or numbers added to the scores.
        need_weights: return the attention weights, too. Without them it is faster, and the matrix
            of weights need not fit in memory.
        attn_mask: (L, S) or (N num_heads, L, S): True hides the key; or numbers to add.
        use_separate_proj_weight: take the three matrices below in place of `in_proj_weight`.
        q_proj_weight: (E, E).
        k_proj_weight: (E, width of the keys).
        v_proj_weight: (E, width of the values).
        static_k: (N num_heads, S, E / num_heads), in place of the projected keys.
        static_v: in place of the projected values.
        average_attn_weights: return the mean of the heads' weights.
        is_causal: says that `attn_mask`, which must be there, is the causal one.
    Returns:
        The result (L, N, E), and the weights (N, L, S), (N, num_heads, L, S) or None.
    """
    batched = check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        alone = query is key and key is value
        query = query.unsqueeze(1)
        key, value = (query, query) if alone else (key.unsqueeze(1), value.unsqueeze(1))
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    key_padding_mask = canonical_mask(
        key_padding_mask, "key_padding_mask", attn_mask, "attn_mask", query.dtype
    )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "multi_head_attention_forward: Need attn_mask if specifying the is_causal hint; "
            "Transformer.generate_square_subsequent_mask makes one"
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        attn_mask = canonical_mask(attn_mask, "attn_mask", None, "", query.dtype)
        is_causal = is_causal and key_padding_mask is None
    _expect(
        width == embed_dim_to_check,
        f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}",
    )
    _expect(
        width % num_heads == 0, f"embed_dim {width} not divisible by num_heads {num_heads}"
    )
    if use_separate_proj_weight:
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        q, k, v = _project_apart(query, key, value, weights, in_proj_bias)
    else:
        _expect(
            key.shape == value.shape,
            f"key shape {tuple(key.shape)} does not match value shape {tuple(value.shape)}",
        )
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = project(query, key, value, in_proj_weight, in_proj_bias)
    if attn_mask is not None:
        attn_mask = _per_head(attn_mask, batch, num_heads, length, key.shape[0])
    if bias_k is not None and bias_v is not None:
        _expect(
            static_k is None and static_v is None, "bias cannot be added to static key or value."
        )
        k = cat([k, bias_k.expand(1, batch, width)])
        v = cat([v, bias_v.expand(1, batch, width)])
        attn_mask, key_padding_mask = _one_more(attn_mask), _one_more(key_padding_mask)
    else:
        _expect(bias_k is None and bias_v is None, "bias_k and bias_v go together: one is None")
    size = width // num_heads
    q = q.view(length, batch, num_heads, size).permute(1, 2, 0, 3)
    k = _heads(k, static_k, "static_k", batch, num_heads, size)
    v = _heads(v, static_v, "static_v", batch, num_heads, size)
    if add_zero_attn:
        zero = _core.full((batch, num_heads, 1, size), 0.0, q.dtype, q)
        k, v = cat([k, zero], 2), cat([v, zero], 2)
        attn_mask, key_padding_mask = _one_more(attn_mask), _one_more(key_padding_mask)
    attn_mask = _with_padding(attn_mask, key_padding_mask, batch, k.shape[2])
    dropout_p = dropout_p if training else 0.0
    shares = None
    if need_weights:
        scores = matmul(q * size**-0.5, k.transpose(-2, -1))
        shares = softmax(scores if attn_mask is None else scores + attn_mask, -1)
        shares = dropout(shares, dropout_p, True)
        result = matmul(shares, v)
    else:
        result = scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal)
    result = result.permute(2, 0, 1, 3).reshape(length, batch, width)
    result = linear(result, out_proj_weight, out_proj_bias)
    if shares is not None and average_attn_weights:
        shares = shares.mean(1)
    if not batched:
        return result.squeeze(1), None if shares is None else shares.squeeze(0)
    return result, shares


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def check_shapes(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
    num_heads: int,
) -> bool:
    """Whether there is a batch; AssertionError where the numbers of axes do not fit."""
    _expect(
        query.ndim in (2, 3),
        "query should be unbatched 2D or batched 3D tensor but received "
        f"{query.ndim}-D query tensor",
    )
    batched = query.ndim == 3
    which = "batched (3-D)" if batched else "unbatched (2-D)"
    _expect(
        key.ndim == value.ndim == query.ndim,
        f"For {which} `query`, expected `key` and `value` to be {query.ndim}-D but found "
        f"{key.ndim}-D and {value.ndim}-D tensors respectively",
    )
    if key_padding_mask is not None:
        _expect(
            key_padding_mask.ndim == query.ndim - 1,
            f"For {which} `query`, expected `key_padding_mask` to be `None` or {query.ndim - 1}-D "
            f"but found {key_padding_mask.ndim}-D tensor instead",
        )
    if attn_mask is not None:
        _expect(
            attn_mask.ndim in (2, 3),
            f"For {which} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{attn_mask.ndim}-D tensor instead",
        )
        if not batched and attn_mask.ndim == 3:
            wanted = (num_heads, query.shape[0], key.shape[0])
            _expect(
                tuple(attn_mask.shape) == wanted,
                f"Expected `attn_mask` shape to be {wanted} but got {tuple(attn_mask.shape)}",
            )
    return batched


def canonical_mask(
    mask: Tensor | None, name: str, other: Tensor | None, other_name: str, dtype: DType
) -> Tensor | None:
    """The mask as numbers to add: -inf where a boolean one is True.

    Warns, as PyTorch does, where `other` is a mask of another dtype.
    """
    if mask is None:
        return None
    boolean = mask.dtype is _core.bool
    _expect(
        boolean or mask.dtype.is_floating_point,
        f"only bool and floating types of {name} are supported",
    )
    if other is not None and other.dtype is not mask.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for "
            "both instead.",
            stacklevel=3,
        )
    if boolean:
        return mask.new_zeros(mask.shape, dtype=dtype).masked_fill_(mask, float("-inf"))
    return mask


def dtype_or_none(input: Tensor | None) -> DType | None:
    """The dtype of a mask that is there."""
    return None if input is None else input.dtype


def project(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None = None
) -> tuple:
    """The three projections, in as few products as what is the same tensor allows."""
    if key is value and query is key:
        return linear(query, weight, bias).chunk(3, -1)
    width = query.shape[-1]
    if key is value:
        first, rest = weight.split([width, 2 * width])
        first_bias, rest_bias = (None, None) if bias is None else bias.split([width, 2 * width])
        return (linear(query, first, first_bias), *linear(key, rest, rest_bias).chunk(2, -1))
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(map(linear, (query, key, value), weight.chunk(3), biases))


def _project_apart(
    query: Tensor, key: Tensor, value: Tensor, weights: tuple, bias: Tensor | None
) -> tuple:
    """The three projections by three matrices, for keys and values of other widths."""
    _expect(
        key.shape[:2] == value.shape[:2],
        f"key's sequence and batch dims {tuple(key.shape[:2])} do not match value's "
        f"{tuple(value.shape[:2])}",
    )
    _expect(
        all(weight is not None for weight in weights),
        "use_separate_proj_weight is True but one of q_proj_weight, k_proj_weight and "
        "v_proj_weight is None",
    )
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(map(linear, (query, key, value), weights, biases))


def _per_head(mask: Tensor, batch: int, heads: int, length: int, keys: int) -> Tensor:
    """(L, S) or (N H, L, S) as (1, 1, L, S) or (N, H, L, S)."""
    wanted = (length, keys) if mask.ndim == 2 else (batch * heads, length, keys)
    if tuple(mask.shape) != wanted:
        raise RuntimeError(
            f"The shape of the {mask.ndim}D attn_mask is {tuple(mask.shape)}, but should be "
            f"{wanted}."
        )
    return mask.view((1, 1, *wanted) if mask.ndim == 2 else (batch, heads, length, keys))


def _one_more(mask: Tensor | None) -> Tensor | None:
    """The mask with a key more, which is not hidden."""
    return None if mask is None else pad(mask, (0, 1))


def _with_padding(
    mask: Tensor | None, padding: Tensor | None, batch: int, keys: int
) -> Tensor | None:
    """The mask of the scores, (1 or N, 1 or H, L, S), with that of the keys, (N, S)."""
    if padding is None:
        return mask
    _expect(
        tuple(padding.shape) == (batch, keys),
        f"Expected key_padded_mask of shape {(batch, keys)}, but got {tuple(padding.shape)}",
    )
    per_key = padding.view(batch, 1, 1, keys)
    return per_key if mask is None else mask + per_key


def _heads(
    x: Tensor, static: Tensor | None, name: str, batch: int, heads: int, size: int
) -> Tensor:
    """(S, N, E) as (N, H, S, E / H); or `static`, (N H, S, E / H)."""
    if static is None:
        return x.view(x.shape[0], batch, heads, size).permute(1, 2, 0, 3)
    _expect(
        static.shape[0] == batch * heads,
        f"expecting {name}.size(0) of {batch * heads}, but got {static.shape[0]}",
    )
    _expect(
        static.shape[2] == size, f"expecting {name}.size(2) of {size}, but got {static.shape[2]}"
    )
    return static.view(batch, heads, -1, size)
