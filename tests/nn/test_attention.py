"""Attention: layouts, memory, threads, dropout; MultiheadAttention; torch.nn.attention."""

import copy
import subprocess
import sys

import numpy as np
import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn.attention import SDPBackend, sdpa_kernel

attend = F.scaled_dot_product_attention


def close(a, b, tol=1e-5):
    return rl.allclose(a.double(), b.double(), rtol=tol, atol=tol)


def plain(q, k, v, hidden=None, scale=None):
    """The formula, with the matrix in memory; True in `hidden` hides a key."""
    scores = q @ k.transpose(-2, -1) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if hidden is not None:
        scores = scores.masked_fill(hidden, float("-inf"))
    return scores.softmax(-1) @ v


def heads(batch, length, count, width, dtype=rl.float64):
    """(N, H, L, E) as every GPT cuts it out of one projection."""
    packed = rl.randn(batch, length, 3 * count * width, dtype=dtype).requires_grad_()
    parts = packed.split(count * width, 2)
    return packed, [p.view(batch, length, count, width).transpose(1, 2) for p in parts]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("length", [1, 16, 33, 64, 100, 300])
def test_heads_cut_from_one_projection(length, causal):
    rl.manual_seed(0)
    packed, (q, k, v) = heads(2, length, 3, 8)
    hidden = rl.ones(length, length).triu(1).bool() if causal else None
    grad = rl.randn(2, 3, length, 8, dtype=rl.float64)
    found, wanted = attend(q, k, v, is_causal=causal), plain(q, k, v, hidden)
    assert close(found, wanted, 1e-12)
    (one,), (two,) = rl.autograd.grad(found, packed, grad), rl.autograd.grad(wanted, packed, grad)
    assert close(one, two, 1e-11)


def test_result_and_gradients_have_the_layout_of_the_inputs():
    q, k, v = (rl.randn(2, 5, 3, 4).transpose(1, 2).requires_grad_() for _ in range(3))
    result = attend(q, k, v)
    assert result.stride() == q.stride() and result.transpose(1, 2).is_contiguous()
    assert all(g.stride() == q.stride() for g in rl.autograd.grad(result.sum(), (q, k, v)))
    q, k, v = (rl.randn(2, 3, 5, 4).requires_grad_() for _ in range(3))
    result = attend(q, k, v)
    assert result.is_contiguous()
    assert all(g.is_contiguous() for g in rl.autograd.grad(result.sum(), (q, k, v)))


LONG = """
import rushlight as rl
from rushlight import _core
length = 2048
q, k, v = (rl.randn(1, 1, length, 8).requires_grad_() for _ in range(3))
for mask in (None, rl.ones(length, 1).bool(), rl.rand(1, 1, 1, length) < 0.9):
    rl.nn.functional.scaled_dot_product_attention(q, k, v, mask).sum().backward()
print(_core.memory_stats()["peak"] / (4 * length * length))
"""


def test_the_matrix_of_weights_is_never_in_memory():
    run = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 0.25


def test_a_query_that_sees_no_key():
    q, k, v = (rl.randn(1, 2, 3, 4).requires_grad_() for _ in range(3))
    mask = rl.tensor([[True, False, True], [False] * 3, [True] * 3])
    numbers = rl.zeros(3, 3).masked_fill_(~mask, float("-inf"))
    for given in (mask, numbers):
        result = attend(q, k, v, given)
        assert result[:, :, 1].eq(0).all() and result[:, :, 0].ne(0).all()
        dq, dk, dv = rl.autograd.grad(result.sum(), (q, k, v))
        assert dq[:, :, 1].eq(0).all()
        assert all(g.isfinite().all() for g in (dq, dk, dv))


def test_values_that_are_not_finite_show():
    q, k, v = (rl.randn(1, 1, 4, 4) for _ in range(3))
    q[0, 0, 1, 0] = float("nan")
    result = attend(q, k, v)
    assert result[0, 0, 1].isnan().all() and result[0, 0, 0].isfinite().all()
    q[0, 0, 1, 0] = float("inf")
    assert attend(q, k, v)[0, 0, 1].isnan().all()


def test_large_scores_do_not_overflow():
    q = rl.full((1, 1, 70, 4), 300.0)
    k = rl.linspace(0, 300, 80).reshape(1, 1, 80, 1).expand(1, 1, 80, 4)
    v = rl.randn(1, 1, 80, 4)
    assert close(attend(q, k, v), v[:, :, -1:].expand(1, 1, 70, 4))


def test_threads_do_not_change_a_bit():
    before = rl.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            rl.set_num_threads(threads)
            rl.manual_seed(0)
            packed, (q, k, v) = heads(1, 700, 2, 16, rl.float32)
            result = attend(q, k, v, is_causal=True)
            found.append((result, *rl.autograd.grad(result.sum(), packed)))
    finally:
        rl.set_num_threads(before)
    for other in found[1:]:
        assert all(rl.equal(a, b) for a, b in zip(found[0], other))


def test_gradient_of_a_broadcast_mask():
    q, k, v = (rl.randn(2, 3, 70, 4, dtype=rl.float64) for _ in range(3))
    mask = rl.randn(3, 1, 70, dtype=rl.float64).requires_grad_()
    results = attend(q, k, v, mask), (q @ k.transpose(-2, -1) / 2 + mask).softmax(-1) @ v
    one, two = (rl.autograd.grad(result.square().sum(), mask)[0] for result in results)
    assert one.shape == mask.shape and close(one, two, 1e-11)


def test_dropout():
    q, k, v = (rl.randn(2, 3, 5, 4).requires_grad_() for _ in range(3))
    rl.manual_seed(1)
    result = attend(q, k, v, dropout_p=0.4)
    rl.manual_seed(1)
    shares = F.dropout((q @ k.transpose(-2, -1) / 2).softmax(-1), 0.4)
    assert close(result, shares @ v)
    assert all(g is not None for g in rl.autograd.grad(result.sum(), (q, k, v)))
    assert attend(q, k, v, dropout_p=1.0).eq(0).all()


@pytest.mark.parametrize("dtype", [rl.float16, rl.bfloat16])
def test_half(dtype):
    q, k, v = (rl.randn(1, 2, 9, 8).to(dtype).requires_grad_() for _ in range(3))
    result = attend(q, k, v, is_causal=True)
    assert result.dtype is dtype
    exact = attend(q.float(), k.float(), v.float(), is_causal=True)
    assert close(result, exact, 2e-2)
    assert all(g.dtype is dtype for g in rl.autograd.grad(result.sum(), (q, k, v)))


# ------------------------------------------------------------------ MultiheadAttention


def test_multihead_attention_is_what_it_says():
    layer = nn.MultiheadAttention(8, 2)
    assert layer.in_proj_weight.shape == (24, 8) and layer.q_proj_weight is None
    assert layer.in_proj_bias.eq(0).all() and layer.out_proj.bias.eq(0).all()
    assert nn.modules.activation.MultiheadAttention is nn.MultiheadAttention
    assert list(layer.state_dict()) == [
        "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias",
    ]  # fmt: skip
    query, key = rl.randn(5, 3, 8), rl.randn(7, 3, 8)
    result, weights = layer(query, key, key)
    assert result.shape == (5, 3, 8) and weights.shape == (3, 5, 7)
    assert close(weights.sum(-1), rl.ones(3, 5))
    assert close(layer(query, key, key, need_weights=False)[0], result)
    assert layer(query, key, key, need_weights=False)[1] is None
    _, each = layer(query, key, key, average_attn_weights=False)
    assert each.shape == (3, 2, 5, 7) and close(each.mean(1), weights)
    one, two = layer(query[:, 0], key[:, 0], key[:, 0])
    assert close(one, result[:, 0]) and close(two, weights[0])


def test_batch_first():
    layer = nn.MultiheadAttention(8, 2)
    turned = copy.deepcopy(layer)
    turned.batch_first = True
    query, key = rl.randn(5, 3, 8), rl.randn(7, 3, 8)
    result, weights = layer(query, key, key)
    other, same = turned(query.transpose(0, 1), *(key.transpose(0, 1),) * 2)
    assert close(other.transpose(0, 1), result) and close(same, weights)


def test_masks_of_multihead_attention():
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = rl.randn(3, 5, 8)
    causal = rl.ones(5, 5).triu(1).bool()
    numbers = nn.Transformer.generate_square_subsequent_mask(5)
    wanted, weights = layer(x, x, x, attn_mask=causal)
    assert weights.triu(1).eq(0).all()
    for more in ({"attn_mask": numbers}, {"attn_mask": causal, "is_causal": True},
                 {"attn_mask": causal.expand(6, 5, 5)}):  # fmt: skip
        assert close(layer(x, x, x, need_weights=False, **more)[0], wanted)
    padding = rl.tensor([[False] * 4 + [True]] * 3)
    short, _ = layer(x, x, x, key_padding_mask=padding, attn_mask=causal)
    assert close(short[:, :4], wanted[:, :4])
    with pytest.warns(UserWarning, match="mismatched key_padding_mask and attn_mask"):
        layer(x, x, x, key_padding_mask=padding, attn_mask=numbers)


def test_more_keys_and_other_widths():
    layer = nn.MultiheadAttention(
        8, 2, bias=False, add_bias_kv=True, add_zero_attn=True, kdim=3, vdim=5
    )
    assert layer.in_proj_weight is None and layer.k_proj_weight.shape == (8, 3)
    assert layer.in_proj_bias is None and layer.out_proj.bias is None
    result, weights = layer(rl.randn(4, 2, 8), rl.randn(6, 2, 3), rl.randn(6, 2, 5))
    assert result.shape == (4, 2, 8) and weights.shape == (2, 4, 8)
    result.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


def test_what_multihead_attention_refuses():
    with pytest.raises(AssertionError, match="divisible"):
        nn.MultiheadAttention(5, 2)
    with pytest.raises(ValueError, match="greater than 0"):
        nn.MultiheadAttention(0, 2)
    layer = nn.MultiheadAttention(4, 2)
    with pytest.raises(RuntimeError, match="is_causal"):
        layer(*(rl.randn(3, 1, 4),) * 3, is_causal=True)
    with pytest.raises(AssertionError, match="does not match value"):
        layer(rl.randn(3, 1, 4), rl.randn(3, 1, 4), rl.randn(2, 1, 4))


# ------------------------------------------------------------------ nn.attention


def test_every_backend_is_accepted():
    q = rl.randn(1, 1, 3, 4)
    wanted = attend(q, q, q)
    for backends in (SDPBackend.MATH, [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        with sdpa_kernel(backends):
            assert rl.equal(attend(q, q, q), wanted)
    with pytest.raises(AssertionError, match="SDPBackend"), sdpa_kernel("math"):
        pass
    assert nn.attention.SDPBackend is SDPBackend


def test_numpy_agrees():
    q, k, v = (np.random.default_rng(0).standard_normal((2, 40, 3)) for _ in range(3))
    scores = q @ k.swapaxes(1, 2) / np.sqrt(3)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    wanted = shares / shares.sum(-1, keepdims=True) @ v
    assert np.allclose(attend(*map(rl.from_numpy, (q, k, v))).numpy(), wanted, atol=1e-12)
