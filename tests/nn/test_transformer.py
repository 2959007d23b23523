"""The Transformer: encoder, decoder, their layers, and both together."""

import copy
import pickle
import warnings

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn import functional as F


def close(a, b, tol=1e-5):
    return rl.allclose(a, b, rtol=tol, atol=tol)


def quiet(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Transformer(*args, **kwargs)


@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_layer_by_hand(norm_first):
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, norm_first=norm_first)
    x = rl.randn(5, 3, 8)

    def attend(x):
        return layer.self_attn(x, x, x)[0]

    def feed(x):
        return layer.linear2(layer.linear1(x).relu())

    if norm_first:
        x1 = x + attend(layer.norm1(x))
        wanted = x1 + feed(layer.norm2(x1))
    else:
        x1 = layer.norm1(x + attend(x))
        wanted = layer.norm2(x1 + feed(x1))
    assert close(layer(x), wanted)


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoder_layer_by_hand(norm_first):
    layer = nn.TransformerDecoderLayer(8, 2, 16, 0.0, "gelu", norm_first=norm_first)
    x, memory = rl.randn(5, 3, 8), rl.randn(4, 3, 8)
    blocks = (
        lambda x: layer.self_attn(x, x, x)[0],
        lambda x: layer.multihead_attn(x, memory, memory)[0],
        lambda x: layer.linear2(F.gelu(layer.linear1(x))),
    )
    wanted = x
    for block, norm in zip(blocks, (layer.norm1, layer.norm2, layer.norm3)):
        wanted = wanted + block(norm(wanted)) if norm_first else norm(wanted + block(wanted))
    assert close(layer(x, memory), wanted)


def test_activations():
    x = rl.randn(4, 2, 8)
    layers = []
    for activation in ("gelu", F.gelu, nn.GELU()):
        rl.manual_seed(0)
        layers.append(nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation))
    assert all(rl.equal(layer(x), layers[0](x)) for layer in layers)
    assert [layer.activation_relu_or_gelu for layer in layers] == [2, 2, 2]
    assert nn.TransformerEncoderLayer(8, 2).activation_relu_or_gelu == 1
    assert nn.TransformerEncoderLayer(8, 2, activation=rl.tanh).activation_relu_or_gelu == 0
    with pytest.raises(RuntimeError, match="relu/gelu, not silu"):
        nn.TransformerEncoderLayer(8, 2, activation="silu")


def test_encoder_stacks_copies():
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, rl.tanh, batch_first=True)
    with pytest.warns(UserWarning, match="activation_relu_or_gelu was not True"):
        encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(8))
    first, second = encoder.layers
    assert rl.equal(first.linear1.weight, second.linear1.weight)
    assert first.linear1.weight is not second.linear1.weight
    x = rl.randn(3, 5, 8)
    assert close(encoder(x), encoder.norm(second(first(x))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 1)
        nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)


@pytest.mark.parametrize("batch_first", [False, True])
def test_transformer_is_causal(batch_first):
    """What comes later in the target changes nothing before."""
    model = quiet(8, 2, 1, 1, 16, 0.0, batch_first=batch_first)
    source, target = rl.randn(6, 3, 8), rl.randn(5, 3, 8)
    if batch_first:
        source, target = source.transpose(0, 1), target.transpose(0, 1)
    mask = model.generate_square_subsequent_mask(5)
    other = target.clone()
    last = (slice(None), -1) if batch_first else (-1,)
    other[last] = 0.0
    rest = (slice(None), slice(0, -1)) if batch_first else (slice(0, -1),)
    one, two = (model(source, t, tgt_mask=mask) for t in (target, other))
    assert close(one[rest], two[rest]) and not close(one[last], two[last])
    hinted = model(source, target, tgt_mask=mask, tgt_is_causal=True)
    assert close(hinted, one)


def test_padding_is_not_seen():
    model = quiet(8, 2, 1, 1, 16, 0.0, batch_first=True).eval()
    source, target = rl.randn(2, 6, 8), rl.randn(2, 5, 8)
    padding = rl.tensor([[False] * 4 + [True] * 2] * 2)
    seen = model(
        source, target, src_key_padding_mask=padding, memory_key_padding_mask=padding
    )
    assert close(seen, model(source[:, :4], target))


def test_without_a_batch():
    model = quiet(8, 2, 1, 1, 16, 0.0)
    source, target = rl.randn(6, 8), rl.randn(5, 8)
    assert close(model(source, target), model(source[:, None], target[:, None])[:, 0])


def test_transformer_learns_copies_and_pickles():
    model = quiet(8, 2, 1, 1, 16, 0.1, bias=False)
    assert not any("bias" in name for name, _ in model.named_parameters())
    source, target = rl.randn(6, 3, 8), rl.randn(5, 3, 8)
    model(source, target).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    model.eval()
    wanted = model(source, target)
    assert rl.equal(copy.deepcopy(model)(source, target), wanted)
    assert rl.equal(pickle.loads(pickle.dumps(model))(source, target), wanted)


def test_what_transformer_refuses():
    model = quiet(8, 2, 1, 1, 16)
    with pytest.raises(RuntimeError, match="batch number"):
        model(rl.randn(6, 3, 8), rl.randn(5, 2, 8))
    with pytest.raises(RuntimeError, match="feature number"):
        model(rl.randn(6, 3, 8), rl.randn(5, 3, 6))


def test_custom_parts():
    class Twice(nn.Module):
        def forward(self, x, *args, **kwargs):
            return 2 * x

    model = quiet(4, 1, custom_encoder=Twice(), custom_decoder=Twice())
    target = rl.randn(5, 3, 4)
    assert rl.equal(model(rl.randn(6, 3, 4), target), 2 * target)


def test_causal_mask():
    mask = nn.Transformer.generate_square_subsequent_mask(3, dtype=rl.float64)
    assert mask.dtype is rl.float64
    hidden = float("-inf")
    assert mask.tolist() == [[0, hidden, hidden], [0, 0, hidden], [0, 0, 0]]
