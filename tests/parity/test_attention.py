"""Attention and the Transformer against PyTorch: values, gradients, strides, random numbers."""

import itertools
import random
import warnings

import numpy as np
import pytest

import rushlight as rl

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

LIBRARIES = (torch, rl)


def agree(ones, others, tol):
    assert len(ones) == len(others)
    for one, other in zip(ones, others):
        one, other = one.detach().double().numpy(), other.detach().double().numpy()
        assert one.shape == other.shape
        np.testing.assert_allclose(other, one, rtol=tol, atol=tol, equal_nan=True)


def attend(lib, arrays, grad, turned=False, mask=None, learn_mask=False, **more):
    """The result, and the gradients of query, key, value and of a mask that is learned."""
    leaves = [lib.from_numpy(a.copy()).requires_grad_() for a in arrays]
    inputs = [x.transpose(-2, -3) for x in leaves] if turned else leaves
    if mask is not None:
        mask = lib.from_numpy(mask.copy()).requires_grad_(learn_mask)
    result = lib.nn.functional.scaled_dot_product_attention(*inputs, mask, **more)
    result.backward(lib.from_numpy(grad.copy()))
    grads = [x.grad for x in leaves]
    return [result, *grads, mask.grad] if learn_mask else [result, *grads], result.stride()


SIZES = [(1, 1), (1, 7), (5, 3), (17, 33), (64, 64), (65, 130), (70, 5), (130, 300)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length,keys", SIZES)
def test_attention(length, keys, dtype):
    rng = np.random.default_rng(length + keys)
    tol = 1e-11 if dtype == "float64" else 2e-5
    for width, outputs, causal in itertools.product((1, 8, 20), (5, 16), (False, True)):
        leading = (2, 3)
        shapes = (length, width), (keys, width), (keys, outputs)
        arrays = [rng.standard_normal((*leading, *s)).astype(dtype) for s in shapes]
        grad = rng.standard_normal((*leading, length, outputs)).astype(dtype)
        (one, _), (two, _) = (attend(lib, arrays, grad, is_causal=causal) for lib in LIBRARIES)
        agree(one, two, tol)


@pytest.mark.parametrize("shape", [(40, 70), (2, 1, 40, 70), (1, 3, 40, 70), (2, 3, 40, 70),
                                   (2, 1, 1, 70), (2, 1, 40, 1), (1, 1)])  # fmt: skip
def test_masks(shape):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((2, 3, n, 8)) for n in (40, 70, 70)]
    grad = rng.standard_normal((2, 3, 40, 8))
    allowed = rng.random(shape) < 0.7
    if shape == (40, 70):
        allowed[3] = False
    numbers = rng.standard_normal(shape)
    for mask, learn in ((allowed, False), (np.where(allowed, numbers, -np.inf), False),
                        (numbers, True)):  # fmt: skip
        (one, _), (two, _) = (
            attend(lib, arrays, grad, mask=mask, learn_mask=learn) for lib in LIBRARIES
        )
        agree(one, two, 1e-11)


def test_strides_of_the_result():
    rng = np.random.default_rng(0)
    grad = rng.standard_normal((2, 3, 5, 4))
    for turned, shape in ((True, (2, 5, 3, 4)), (False, (2, 3, 5, 4))):
        arrays = [rng.standard_normal(shape) for _ in range(3)]
        (one, strides), (two, same) = (attend(lib, arrays, grad, turned) for lib in LIBRARIES)
        assert same == strides
        agree(one, two, 1e-11)


def test_shared_heads():
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((2, h, n, 8)) for h, n in ((6, 40), (2, 70), (2, 70))]
    grad = rng.standard_normal((2, 6, 40, 8))
    for causal in (False, True):
        (one, _), (two, _) = (
            attend(lib, arrays, grad, is_causal=causal, enable_gqa=True) for lib in LIBRARIES
        )
        agree(one, two, 1e-11)


def test_dropout_draws_the_same_numbers():
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((2, 5, 3, 8)) for _ in range(3)]
    grad = rng.standard_normal((2, 3, 5, 8))
    found = []
    for lib in LIBRARIES:
        lib.manual_seed(5)
        found.append([*attend(lib, arrays, grad, True, dropout_p=0.3)[0], lib.rand(3)])
    agree(*found, 1e-10)


# ------------------------------------------------------------------ MultiheadAttention

OPTIONS = {
    "bias": (True, False), "add_bias_kv": (False, True), "add_zero_attn": (False, True),
    "kdim": (None, 6), "batch_first": (False, True), "dropout": (0.0, 0.3),
}  # fmt: skip
CALLS = {
    "need_weights": (True, False), "average_attn_weights": (True, False), "batched": (True, False),
    "mask": (None, "bool 2", "float 2", "bool 3"), "padding": (None, "bool", "float"),
    "is_causal": (False, True),
}  # fmt: skip


def run_multihead(lib, made, call, seed):
    rng = np.random.default_rng(seed)
    heads, length, keys, batch, width = 2, 5, 7, 3, 8
    lead = (batch,) if call["batched"] else ()
    arrays = [rng.standard_normal((*lead, n, w)).astype("float32")
              for n, w in ((length, width), (keys, made["kdim"] or width), (keys, width))]
    if lead and not made["batch_first"]:
        arrays = [a.swapaxes(0, 1).copy() for a in arrays]

    def mask_of(kind, shape):
        if kind is None:
            return None
        numbers = rng.standard_normal(shape)
        return lib.from_numpy(numbers < -0.8 if "bool" in kind else numbers.astype("float32"))

    mask, causal = call["mask"], call["is_causal"] and call["mask"] is not None
    shape = (length, keys) if not mask or "2" in mask else (batch**len(lead) * heads, length, keys)
    if causal:
        hidden = np.broadcast_to(~np.tri(length, keys, dtype=bool), shape)
        mask = lib.from_numpy(hidden.copy())
    else:
        mask = mask_of(mask, shape)
    padding = mask_of(call["padding"], (*lead, keys))
    lib.manual_seed(seed)
    layer = lib.nn.MultiheadAttention(width, heads, **made)
    leaves = [lib.from_numpy(a).requires_grad_() for a in arrays]
    result, weights = layer(
        *leaves, key_padding_mask=padding, need_weights=call["need_weights"], attn_mask=mask,
        average_attn_weights=call["average_attn_weights"], is_causal=causal,
    )  # fmt: skip
    loss = result.square().sum()
    if weights is not None:
        loss = loss + weights.square().sum()
    loss.backward()
    parameters = list(layer.parameters())
    found = [result, *parameters, *(x.grad for x in (*leaves, *parameters)), lib.rand(3)]
    return [*found, weights] if weights is not None else found, result.stride()


@pytest.mark.filterwarnings("ignore:Support for mismatched")
@pytest.mark.parametrize("seed", range(120))
def test_multihead_attention(seed):
    """A random choice of all options."""
    choose = random.Random(seed)
    made = {name: choose.choice(values) for name, values in OPTIONS.items()}
    call = {name: choose.choice(values) for name, values in CALLS.items()}
    (one, strides), (two, same) = (run_multihead(lib, made, call, seed) for lib in LIBRARIES)
    assert same == strides
    agree(one, two, 5e-5)


# ------------------------------------------------------------------ the Transformer


def run_transformer(lib, batch_first, norm_first, activation, bias, dropout, train):
    rng = np.random.default_rng(0)
    source, target = (rng.standard_normal((3, n, 16)) for n in (5, 4))
    if not batch_first:
        source, target = source.swapaxes(0, 1).copy(), target.swapaxes(0, 1).copy()
    lib.manual_seed(1)
    function = lib.tanh if activation == "tanh" else activation
    model = lib.nn.Transformer(
        16, 2, 2, 2, 32, dropout, function, batch_first=batch_first, norm_first=norm_first,
        bias=bias, dtype=lib.float64,
    ).train(train)  # fmt: skip
    leaves = [lib.from_numpy(a).requires_grad_() for a in (source, target)]
    padding = lib.from_numpy(np.arange(5) >= np.array([[5], [4], [3]]))
    mask = model.generate_square_subsequent_mask(4, dtype=lib.float64)
    result = model(
        *leaves, tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding
    )
    result.square().sum().backward()
    parameters = list(model.parameters())
    return [result, *parameters, *(x.grad for x in (*leaves, *parameters)), lib.rand(3)], model


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("train,dropout", [(True, 0.0), (True, 0.2), (False, 0.2)])
@pytest.mark.parametrize("activation,bias", [("relu", True), ("gelu", False), ("tanh", True)])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_transformer(batch_first, norm_first, activation, bias, train, dropout):
    arguments = batch_first, norm_first, activation, bias, dropout, train
    # PyTorch's inference path leaves zeros where the source is padded.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        (one, model), (two, same) = (run_transformer(lib, *arguments) for lib in LIBRARIES)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert repr(same) == repr(model) and list(same.state_dict()) == list(model.state_dict())
    agree(one, two, 1e-8)


def test_warnings_of_the_encoder():
    def text(lib, **more):
        layer = lib.nn.TransformerEncoderLayer(4, 2, **more)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            lib.nn.TransformerEncoder(layer, 1)
        return [str(w.message) for w in caught]

    for more in ({}, {"batch_first": True}, {"norm_first": True}, {"batch_first": True,
                 "bias": False}, {"batch_first": True, "activation": "gelu"}):  # fmt: skip
        assert text(rl, **more) == text(torch, **more)
