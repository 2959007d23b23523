"""flex_attention with its masks, and causal biases."""

from __future__ import annotations

import pytest

import rushlight as torch
import rushlight.nn.functional as F
from rushlight.nn.attention import bias
from rushlight.nn.attention.flex_attention import (
    AuxRequest,
    BlockMask,
    and_masks,
    create_block_mask,
    create_mask,
    flex_attention,
    or_masks,
)


def causal(b, h, q_idx, kv_idx):
    return q_idx >= kv_idx


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    return [torch.randn(2, 4, 20, 8) for _ in range(3)]


def close(found, wanted):
    return torch.allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_plain_attention(inputs):
    q, k, v = inputs
    assert close(flex_attention(q, k, v), F.scaled_dot_product_attention(q, k, v))
    scaled = F.scaled_dot_product_attention(q, k, v, scale=0.3)
    assert close(flex_attention(q, k, v, scale=0.3), scaled)
    grouped = flex_attention(q, k[:, :2], v[:, :2], enable_gqa=True)
    wanted = F.scaled_dot_product_attention(q, k[:, :2], v[:, :2], enable_gqa=True)
    assert close(grouped, wanted)
    assert flex_attention(*(x.bfloat16() for x in inputs)).dtype is torch.bfloat16


def test_masks(inputs):
    q, k, v = inputs
    mask = create_block_mask(causal, None, None, 20, 20, BLOCK_SIZE=8)
    wanted = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert close(flex_attention(q, k, v, block_mask=mask), wanted)
    document = torch.arange(20) // 7
    inside = and_masks(causal, lambda b, h, q, k: document[q] == document[k])
    own = create_mask(inside, 2, None, 20, 20)
    assert own.shape == (2, 1, 20, 20) and not own[0, 0, 7, 6] and own[1, 0, 9, 7]
    found = flex_attention(q, k, v, block_mask=create_block_mask(inside, 2, 4, 20, 20))
    assert close(found, F.scaled_dot_product_attention(q, k, v, attn_mask=own))
    either = create_mask(or_masks(causal, lambda b, h, q, k: k == 3), None, None, 4, 4)
    assert either[0, 0].tolist()[0] == [True, False, False, True]


def test_score_mods(inputs):
    q, k, v = inputs
    slopes = torch.tensor([0.5, 0.25, 0.1, 0.0])
    distance = torch.arange(20)[None] - torch.arange(20)[:, None]
    wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=slopes[:, None, None] * distance)
    found = flex_attention(q, k, v, score_mod=lambda s, b, h, i, j: s + slopes[h] * (j - i))
    assert close(found, wanted)


def test_gradients(inputs):
    leaves = [x.clone().requires_grad_() for x in inputs]
    slope = torch.tensor(0.2, requires_grad=True)
    mask = create_block_mask(causal, None, None, 20, 20)
    out = flex_attention(*leaves, score_mod=lambda s, b, h, i, j: s + slope, block_mask=mask)
    out.square().sum().backward()
    others = [x.clone().requires_grad_() for x in inputs]
    F.scaled_dot_product_attention(*others, is_causal=True).square().sum().backward()
    for leaf, other in zip(leaves, others, strict=True):
        assert torch.allclose(leaf.grad, other.grad, atol=1e-4)
    assert abs(slope.grad.item()) < 1e-3  # the same for every score


def test_rows_that_see_nothing(inputs):
    mask = create_block_mask(lambda b, h, q, k: (q > 0) & (k >= 0), None, None, 20, 20)
    out, lse = flex_attention(*inputs, block_mask=mask, return_lse=True)
    assert (out[:, :, 0] == 0).all() and (lse[:, :, 0] == float("-inf")).all()
    assert not out.isnan().any()
    out, aux = flex_attention(*inputs, return_aux=AuxRequest(lse=True))
    assert aux.lse.shape == (2, 4, 20) and aux.max_scores is None


def test_blocks():
    mask = create_block_mask(causal, None, None, 300, 256)
    assert mask.kv_num_blocks.tolist() == [[[1, 1, 2]]]
    assert mask.kv_indices.tolist() == [[[[0, 1], [1, 0], [0, 1]]]]
    assert mask.full_kv_num_blocks.tolist() == [[[0, 1, 0]]]
    assert mask.q_num_blocks.tolist() == [[[2, 2]]]
    assert mask.to_dense().tolist() == [[[[1, 0], [1, 1], [1, 1]]]]
    assert mask.shape == (1, 1, 300, 256) and mask.numel() == 300 * 256
    assert str(mask) == (
        "BlockMask(shape=(1, 1, 300, 256), sparsity=-6.67%, \n(0, 0)\n██  \n████\n████\n)"
    )
    assert mask._adjust(128, 128).kv_indices.shape == (1, 1, 1, 1)
    row = mask[0, 0, 1:2]
    assert row.kv_indices.tolist() == [[[[1, 0]]]]
    with pytest.raises(RuntimeError, match="sliced BlockMask"):
        row.mask_mod(0, 0, 0, 0)
    listed = BlockMask.from_kv_blocks(
        torch.tensor([[[1, 2]]]), torch.tensor([[[[0, 1], [1, 0]]]]), BLOCK_SIZE=64
    )
    assert listed.seq_lengths == (128, 128) and listed.q_indices.tolist() == [[[[0, 1], [1, 0]]]]
    assert "mask_mod=noop_mask" in repr(listed)


def test_errors(inputs):
    q, k, v = inputs
    with pytest.raises(NotImplementedError, match="4D"):
        flex_attention(q[0], k, v)
    with pytest.raises(ValueError, match="Hq=4 and Hkv=2"):
        flex_attention(q, k[:, :2], v[:, :2])
    with pytest.raises(ValueError, match="q_len=5"):
        flex_attention(q[:, :, :5], k, v, block_mask=create_block_mask(causal, None, None, 20, 20))


def test_causal_biases(inputs):
    q, k, v = inputs
    lower = bias.causal_lower_right(3, 4)
    assert lower.tolist()[0] == [True, True, False, False] and isinstance(lower, torch.Tensor)
    assert lower.variant is bias.CausalVariant.LOWER_RIGHT and repr(lower).startswith("tensor(")
    assert bias.causal_upper_left(2, 3).tolist() == [[True, False, False], [True, True, False]]
    q = q[:, :, :3]
    mask = torch.ones(3, 20, dtype=torch.bool).tril(17)
    found = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.causal_lower_right(3, 20))
    whole = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    assert close(found, whole)
    with pytest.warns(UserWarning, match="Lower right"):
        bias.causal_lower_right(7, 5)
    with pytest.raises(AssertionError, match="only supports 2D"):
        bias.causal_upper_left(2, 3, 4)
