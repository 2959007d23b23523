"""Attention with several heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .linear import NonDynamicallyQuantizableLinear
from .module import Module

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention in several heads at once, between linear projections (Vaswani et al. 2017).

    Each head attends in embed_dim / num_heads features of the projected query, key and value; what
    the heads find is put side by side and projected once more.

    Args:
        embed_dim: width E of queries and results; `num_heads` divides it.
        num_heads: number of heads H.
        dropout: probability with which attention weights are set to 0 in training.
        bias: whether the projections have one.
        add_bias_kv: one more key and value, which are learned.
        add_zero_attn: one more key and value, of zeros.
        kdim: width of the keys; `embed_dim` if left out.
        vdim: width of the values; `embed_dim` if left out.
        batch_first: the batch is the first axis, (N, L, E), not the second.

    Attributes:
        in_proj_weight: (3 E, E), the projections of query, key and value; or, where the widths
            differ, q_proj_weight (E, E), k_proj_weight (E, kdim) and v_proj_weight (E, vdim).
            At first uniform (Glorot and Bengio 2010).
        in_proj_bias: (3 E) or None; at first 0.
        out_proj: the Linear at the end; its bias at first 0.
        bias_k, bias_v: (1, 1, E) or None.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError(
                "embed_dim must be divisible by num_heads, got "
                f"embed_dim={embed_dim} and num_heads={num_heads}"
            )

        def parameter(*shape: int) -> Parameter:
            return Parameter(rushlight.empty(shape, device=device, dtype=dtype))

        widths = {"q": embed_dim, "k": self.kdim, "v": self.vdim}
        if self._qkv_same_embed_dim:
            self.in_proj_weight = parameter(3 * embed_dim, embed_dim)
            for name in widths:
                self.register_parameter(f"{name}_proj_weight", None)
        else:
            for name, width in widths.items():
                self.register_parameter(f"{name}_proj_weight", parameter(embed_dim, width))
            self.register_parameter("in_proj_weight", None)
        if bias:
            self.in_proj_bias = parameter(3 * embed_dim)
        else:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, device=device, dtype=dtype
        )
        if add_bias_kv:
            self.bias_k: Parameter | None = parameter(1, 1, embed_dim)
            self.bias_v: Parameter | None = parameter(1, 1, embed_dim)
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        if self._qkv_same_embed_dim:
            init.xavier_uniform_(self.in_proj_weight)
        else:
            init.xavier_uniform_(self.q_proj_weight)
            init.xavier_uniform_(self.k_proj_weight)
            init.xavier_uniform_(self.v_proj_weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        if self.bias_k is not None:
            init.xavier_normal_(self.bias_k)
        if self.bias_v is not None:
            init.xavier_normal_(self.bias_v)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """What the queries find, and the attention weights if `need_weights`.

        Args:
            query: (L, N, E), with `batch_first` (N, L, E), or (L, E) without a batch.
            key: (S, N, kdim), (N, S, kdim) or (S, kdim).
            value: (S, N, vdim), (N, S, vdim) or (S, vdim).
            key_padding_mask: (N, S) or (S): True hides a key; or numbers added to the scores.
            need_weights: return the weights. Without them it is faster and takes less memory.
            attn_mask: (L, S) or (N H, L, S): True hides the key; or numbers to add.
            average_attn_weights: return the mean of the heads' weights, (N, L, S), else those of
                each head, (N, H, L, S).
            is_causal: says that `attn_mask`, which must be there, is the causal one.
        """
        key_padding_mask = F._canonical_mask(
            key_padding_mask, "key_padding_mask", attn_mask, "attn_mask", query.dtype
        )
        attn_mask = F._canonical_mask(attn_mask, "attn_mask", None, "", query.dtype)
        swapped = self.batch_first and query.dim() == 3
        if swapped:
            # What was one tensor stays one: it is projected in one product.
            one_query, one_key = query is key, key is value
            query = query.transpose(0, 1)
            key = query if one_query else key.transpose(0, 1)
            value = key if one_key else value.transpose(0, 1)
        result, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            self.training,
            key_padding_mask,
            need_weights,
            attn_mask,
            not self._qkv_same_embed_dim,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (result.transpose(0, 1) if swapped else result), weights
