"""Recurrent modules and packed sequences against PyTorch's: values, gradients, random numbers."""

import numpy as np
import pytest

import rushlight as rl

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

LIBRARIES = (torch, rl)

BUILDS = {
    "RNN": lambda nn, **k: nn.RNN(3, 5, **k),
    "RNN, relu": lambda nn, **k: nn.RNN(3, 5, 2, "relu", False, **k),
    "LSTM": lambda nn, **k: nn.LSTM(3, 5, num_layers=2, **k),
    "LSTM, no bias, projected": lambda nn, **k: nn.LSTM(3, 5, 2, bias=False, proj_size=2, **k),
    "GRU": lambda nn, **k: nn.GRU(3, 5, num_layers=3, **k),
}
VARIANTS = ({}, {"bidirectional": True}, {"batch_first": True}, {"dtype": "float64"})
builds = pytest.mark.parametrize("name", BUILDS)


def built(t, name, variant):
    if "dtype" in variant:
        variant = {**variant, "dtype": getattr(t, variant["dtype"])}
    t.manual_seed(3)
    return BUILDS[name](t.nn, **variant)


def flat(value):
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in flat(item)]
    return [] if value is None else [value]


def agree(one, other):
    one, other = flat(one), flat(other)
    assert len(one) == len(other)
    for a, b in zip(one, other):
        a, b = a.detach().numpy(), b.detach().numpy()
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(b, a, rtol=2e-5, atol=2e-6)


def trained(t, module, x, hidden=None):
    """The results, and all gradients for a loss that weighs every element differently."""
    results = flat(module(x, hidden) if hidden is not None else module(x))
    loss = 0
    for out in results:
        if out.dtype.is_floating_point:
            weights = np.cos(np.arange(out.numel())).reshape(tuple(out.shape))
            loss = loss + (out * t.tensor(weights, dtype=out.dtype)).sum()
    loss.backward()
    return results, [p.grad for p in module.parameters()]


@builds
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: next(iter(v), "plain"))
def test_modules(name, variant):
    found = []
    for t in LIBRARIES:
        module = built(t, name, variant)
        dtype = getattr(t, variant.get("dtype", "float32"))
        x = t.tensor(np.random.default_rng(0).normal(size=(4, 2, 3)), dtype=dtype)
        found.append((list(module.state_dict().values()), trained(t, module, x)))
        assert repr(module) == repr(built(torch, name, variant))
    agree(*found)


@builds
@pytest.mark.parametrize("first", [False, True])
def test_dropout_draws_the_same_numbers(name, first):
    found = []
    for t in LIBRARIES:
        module = built(t, name, {"batch_first": first, "bidirectional": True})
        module.dropout = 0.4
        x = t.tensor(np.random.default_rng(0).normal(size=(6, 5, 3)), dtype=t.float32)
        t.manual_seed(11)
        found.append([trained(t, module, x), t.rand(3)])
    agree(*found)


@builds
@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_packed(name, enforce_sorted, dropout):
    lengths = [5, 4, 4, 1] if enforce_sorted else [2, 5, 1, 5]
    found = []
    for t in LIBRARIES:
        module = built(t, name, {"bidirectional": True})
        module.dropout = dropout
        utils = t.nn.utils.rnn
        x = t.tensor(np.random.default_rng(0).normal(size=(5, 4, 3)), dtype=t.float32)
        packed = utils.pack_padded_sequence(x, lengths, enforce_sorted=enforce_sorted)
        t.manual_seed(5)
        results, grads = trained(t, module, packed)
        padded = utils.pad_packed_sequence(module.eval()(packed)[0], True, 1.5, 7)
        found.append([packed, results, grads, padded])
    agree(*found)


def test_packing_shows_the_same():
    texts = []
    for t in LIBRARIES:
        utils = t.nn.utils.rnn
        items = [t.tensor([1, 2]), t.tensor([3]), t.tensor([4, 5, 6])]
        packed = utils.pack_sequence(items, enforce_sorted=False)
        texts.append([repr(packed), repr(utils.unpack_sequence(packed)),
                      repr(utils.pad_sequence(items, padding_side="left"))])  # fmt: skip
    assert texts[0] == texts[1]


@pytest.mark.parametrize("cell", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [True, False])
def test_cells(cell, bias):
    found = []
    for t in LIBRARIES:
        t.manual_seed(1)
        module = getattr(t.nn, cell)(3, 4, bias=bias)
        x = t.tensor(np.random.default_rng(0).normal(size=(2, 3)), dtype=t.float32)
        state = module(x)
        found.append([trained(t, module, x, state), module(x[0])])
    agree(*found)
