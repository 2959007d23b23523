"""Recurrent modules and packed sequences: shapes, states, names, refusals, and what must agree."""

import copy
import pickle

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn.utils.rnn import (
    PackedSequence,
    invert_permutation,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)

LAYERS = {
    "RNN": nn.RNN,
    "relu": lambda *args, **kwargs: nn.RNN(*args, nonlinearity="relu", **kwargs),
    "LSTM": nn.LSTM,
    "GRU": nn.GRU,
}
CELLS = {
    "RNN": nn.RNNCell,
    "relu": lambda *args: nn.RNNCell(*args, nonlinearity="relu"),
    "LSTM": nn.LSTMCell,
    "GRU": nn.GRUCell,
}
layers = pytest.mark.parametrize("name", LAYERS)


def close(a, b):
    return rl.allclose(a, b, rtol=1e-5, atol=1e-6)


def state_of(hidden):
    return hidden[0] if isinstance(hidden, tuple) else hidden


# ------------------------------------------------------------------ layers


@layers
def test_layer_is_its_cell_repeated(name):
    layer, cell = LAYERS[name](3, 5), CELLS[name](3, 5)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = rl.randn(4, 2, 3)
    output, hidden = layer(x)
    state = None
    for t in range(4):
        state = cell(x[t], state)
        assert close(output[t], state_of(state))
    assert close(state_of(hidden)[0], state_of(state))


@layers
def test_states_carry_over(name):
    layer = LAYERS[name](3, 4, num_layers=2)
    x = rl.randn(6, 2, 3)
    output, hidden = layer(x)
    first, between = layer(x[:2])
    second, last = layer(x[2:], between)
    assert close(rl.cat([first, second]), output)
    assert close(state_of(last), state_of(hidden))


@layers
def test_second_direction_is_the_first_backwards(name):
    both, one = LAYERS[name](3, 4, bidirectional=True), LAYERS[name](3, 4)
    weights = both.state_dict()
    one.load_state_dict({k: weights[f"{k}_reverse"] for k in one.state_dict()})
    x = rl.randn(5, 2, 3)
    output, hidden = both(x)
    alone, last = one(x.flip(0))
    assert close(output[..., 4:], alone.flip(0))
    assert close(state_of(hidden)[1], state_of(last)[0])


@layers
def test_batch_first_and_unbatched(name):
    layer = LAYERS[name](3, 4, num_layers=2, bidirectional=True)
    first = LAYERS[name](3, 4, num_layers=2, bidirectional=True, batch_first=True)
    first.load_state_dict(layer.state_dict())
    x = rl.randn(5, 2, 3)
    output, hidden = layer(x)
    other, last = first(x.transpose(0, 1))
    assert output.shape == (5, 2, 8) and state_of(hidden).shape == (4, 2, 4)
    assert close(other.transpose(0, 1), output) and close(state_of(last), state_of(hidden))
    for module in (layer, first):
        alone, last = module(x[:, 1])
        assert alone.shape == (5, 8) and state_of(last).shape == (4, 4)
        assert close(alone, output[:, 1]) and close(state_of(last), state_of(hidden)[:, 1])


def test_projection():
    layer = nn.LSTM(3, 6, num_layers=2, proj_size=2, bidirectional=True)
    output, (h, c) = layer(rl.randn(5, 4, 3))
    assert output.shape == (5, 4, 4) and h.shape == (4, 4, 2) and c.shape == (4, 4, 6)
    assert layer.weight_hr_l1_reverse.shape == (2, 6) and layer.weight_ih_l1.shape == (24, 4)
    assert repr(layer) == "LSTM(3, 6, proj_size=2, num_layers=2, bidirectional=True)"


@layers
def test_same_bits_for_any_number_of_threads(name):
    layer, x = LAYERS[name](20, 33, num_layers=2, bidirectional=True), rl.randn(9, 40, 20)
    before, found = rl.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            rl.set_num_threads(threads)
            layer.zero_grad()
            output, _ = layer(x)
            (output * output).sum().backward()
            found.append([output.detach(), *(p.grad.clone() for p in layer.parameters())])
    finally:
        rl.set_num_threads(before)
    for other in found[1:]:
        assert all(rl.equal(a, b) for a, b in zip(found[0], other, strict=True))


@layers
def test_long_sequences_and_many_features(name):
    """Larger than a slab of the packed products; rows add up as if they were computed alone."""
    layer = LAYERS[name](1100, 70).double()
    x = rl.randn(60, 30, 1100, dtype=rl.float64, requires_grad=True)
    output, _ = layer(x)
    output.cos().sum().backward()
    whole = [p.grad.clone() for p in layer.parameters()]
    layer.zero_grad()
    for part in (x[:, :7], x[:, 7:]):
        layer(part.detach())[0].cos().sum().backward()
    for grad, p in zip(whole, layer.parameters(), strict=True):
        assert rl.allclose(grad, p.grad, rtol=1e-9, atol=1e-9)


def test_state_dict_names_and_copies():
    layer = nn.GRU(2, 3, num_layers=2, bidirectional=True)
    assert list(layer.state_dict())[:5] == [
        "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_ih_l0_reverse",
    ]  # fmt: skip
    assert [len(weights) for weights in layer.all_weights] == [4] * 4
    assert layer.all_weights[1][0] is layer.weight_ih_l0_reverse
    layer.flatten_parameters()
    x = rl.randn(3, 1, 2)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert rl.equal(other(x)[0], layer(x)[0])
    assert layer.double()(x.double())[0].dtype is rl.float64
    layer.weight_ih_l0 = nn.Parameter(rl.zeros_like(layer.weight_ih_l0))
    assert layer._flat_weights[0] is layer.weight_ih_l0


def test_dropout_between_layers():
    layer = nn.LSTM(3, 4, num_layers=2, dropout=1.0)
    x = rl.randn(5, 2, 3)
    trained, _ = layer(x)
    assert rl.equal(trained[:, 0], trained[:, 1])  # the second layer sees zeros
    layer.eval()
    assert not rl.equal(layer(x)[0][:, 0], layer(x)[0][:, 1])
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        nn.RNN(3, 4, dropout=0.5)


def test_half_dtypes_and_empty_batches():
    layer = nn.LSTM(3, 4).bfloat16()
    output, (h, c) = layer(rl.randn(5, 2, 3).bfloat16())
    assert output.dtype is h.dtype is c.dtype is rl.bfloat16
    output.float().sum().backward()
    assert layer.weight_hh_l0.grad.dtype is rl.bfloat16
    layer = nn.GRU(3, 4)
    output, h = layer(rl.randn(5, 0, 3))
    assert output.shape == (5, 0, 4) and h.shape == (1, 0, 4)
    output.sum().backward()
    assert layer.weight_ih_l0.grad.abs().sum().item() == 0


def test_backward_twice():
    layer, x = nn.LSTM(3, 4, num_layers=2), rl.randn(3, 2, 3, requires_grad=True)
    loss = layer(x)[0].square().sum()
    loss.backward(retain_graph=True)
    once = x.grad.clone()
    loss.backward()
    assert rl.equal(x.grad, once + once)
    x.grad = None
    (slope,) = rl.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
    assert close(slope, once)
    slope.square().sum().backward()
    assert x.grad is not None and layer.weight_hh_l1.grad is not None


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (ValueError, lambda: nn.RNN(3, 4, nonlinearity="gelu")),
        (ValueError, lambda: nn.GRU(3, 4, proj_size=2)),
        (ValueError, lambda: nn.LSTM(3, 4, proj_size=4)),
        (ValueError, lambda: nn.LSTM(3, 4, proj_size=-1)),
        (ValueError, lambda: nn.LSTM(3, 4, dropout=1.5)),
        (ValueError, lambda: nn.LSTM(3, 4, dropout=True)),
        (TypeError, lambda: nn.LSTM(3, 4.0)),
        (TypeError, lambda: nn.LSTM(3, 4, bias=1)),
        (ValueError, lambda: nn.LSTM(3, 0)),
        (ValueError, lambda: nn.LSTM(3, 4, num_layers=0)),
        (ValueError, lambda: nn.RNNBase("XYZ", 3, 4)),
        (ValueError, lambda: nn.LSTM(3, 4)(rl.ones(3))),
        (ValueError, lambda: nn.LSTM(3, 4)(rl.ones(5, 2, 3).double())),
        (RuntimeError, lambda: nn.LSTM(3, 4)(rl.ones(5, 2, 4))),
        (RuntimeError, lambda: nn.GRU(3, 4)(rl.ones(5, 2, 3), rl.ones(1, 3, 4))),
        (RuntimeError, lambda: nn.GRU(3, 4)(rl.ones(5, 2, 3), rl.ones(2, 4))),
        (RuntimeError, lambda: nn.GRU(3, 4)(rl.ones(5, 3), rl.ones(1, 1, 4))),
        (RuntimeError, lambda: nn.LSTM(3, 4)(rl.ones(5, 2, 3), (rl.ones(1, 2, 4),) * 2 + (1,))),
        (RuntimeError, lambda: nn.GRU(3, 4)(rl.ones(0, 2, 3))),
        (ValueError, lambda: nn.GRUCell(3, 4)(rl.ones(1, 1, 3))),
        (ValueError, lambda: nn.GRUCell(3, 4)(rl.ones(1, 3), rl.ones(1, 1, 4))),
        (RuntimeError, lambda: nn.LSTMCell(3, 4)(rl.ones(2, 4))),
        (RuntimeError, lambda: nn.RNNCell(3, 4, nonlinearity="gelu")(rl.ones(2, 3))),
    ],
)
def test_refusals(error, call):
    with pytest.raises(error):
        call()


def test_cells_show_and_take_single_items():
    assert repr(nn.RNNCell(3, 4, False, "relu")) == "RNNCell(3, 4, bias=False, nonlinearity=relu)"
    for name in CELLS:
        cell, x = CELLS[name](3, 4), rl.randn(2, 3)
        whole, alone = cell(x), cell(x[1])
        assert state_of(alone).shape == (4,) and close(state_of(alone), state_of(whole)[1])
        assert close(state_of(cell(x[1], alone)), state_of(cell(x, whole))[1])


# ------------------------------------------------------------------ packed sequences


def sequences(dtype=rl.float32):
    return [rl.randn(n, 3, dtype=dtype) for n in (2, 4, 1, 4)]


@layers
def test_packed_is_each_sequence_alone(name):
    layer = LAYERS[name](3, 4, num_layers=2, bidirectional=True)
    items = sequences()
    output, hidden = layer(pack_sequence(items, enforce_sorted=False))
    for at, (item, out) in enumerate(zip(items, unpack_sequence(output), strict=True)):
        alone, last = layer(item)
        assert close(out, alone)
        assert close(state_of(hidden)[:, at], state_of(last))
    h = rl.randn(4, 4, 4)
    given = (h, h) if name == "LSTM" else h
    output, hidden = layer(pack_sequence(items, enforce_sorted=False), given)
    for at, (item, out) in enumerate(zip(items, unpack_sequence(output), strict=True)):
        one = (h[:, at], h[:, at]) if name == "LSTM" else h[:, at]
        alone, last = layer(item, one)
        assert close(out, alone) and close(state_of(hidden)[:, at], state_of(last))


def test_pack_and_pad():
    packed = pack_sequence([rl.tensor([1, 2, 3]), rl.tensor([4, 5]), rl.tensor([6])])
    assert packed.data.tolist() == [1, 4, 6, 2, 5, 3]
    assert packed.batch_sizes.tolist() == [3, 2, 1] and packed.sorted_indices is None
    padded, lengths = pad_packed_sequence(packed, True, -1, total_length=4)
    assert padded.tolist() == [[1, 2, 3, -1], [4, 5, -1, -1], [6, -1, -1, -1]]
    assert lengths.tolist() == [3, 2, 1]
    again = pack_padded_sequence(padded, lengths, batch_first=True)
    assert again.data.tolist() == packed.data.tolist()

    items = sequences()
    packed = pack_sequence(items, enforce_sorted=False)
    assert packed.sorted_indices.tolist() == [1, 3, 0, 2]
    assert packed.unsorted_indices.tolist() == [2, 0, 3, 1]
    padded, lengths = pad_packed_sequence(packed)
    assert padded.shape == (4, 4, 3) and lengths.tolist() == [2, 4, 1, 4]
    for item, other in zip(items, unpad_sequence(padded, lengths), strict=True):
        assert rl.equal(item, other)
    assert invert_permutation(None) is None


def test_pad_sequence():
    items = [rl.tensor([1.0, 2]), rl.tensor([3.0])]
    assert pad_sequence(items).tolist() == [[1, 3], [2, 0]]
    assert pad_sequence(items, True, 9.0).tolist() == [[1, 2], [3, 9]]
    assert pad_sequence(items, True, 9.0, "left").tolist() == [[1, 2], [9, 3]]
    assert pad_sequence(rl.ones(2, 3)).shape == (3, 2)


def test_gradients_go_through_packing():
    x = rl.randn(4, 3, 2, dtype=rl.float64, requires_grad=True)

    def run(x):
        packed = pack_padded_sequence(x, [3, 1, 4], enforce_sorted=False)
        return pad_packed_sequence(packed, padding_value=2.0)[0]

    assert rl.autograd.gradcheck(run, (x,))

    def pad(a, b):
        return pad_sequence([a, b], True, 1.0, "left")

    pair = (x[:, 0].detach().requires_grad_(), x[:2, 1].detach().requires_grad_())
    assert rl.autograd.gradcheck(pad, pair)


def test_packed_sequence_converts():
    packed = pack_sequence([rl.ones(2), rl.ones(1)])
    assert packed.float() is packed and packed.cpu() is packed
    wide = packed.double()
    assert isinstance(wide, PackedSequence) and wide.data.dtype is rl.float64
    assert wide.batch_sizes is packed.batch_sizes and not wide.is_cuda and not wide.is_pinned()
    for name in ("half", "long", "int", "short", "char", "byte"):
        assert getattr(packed, name)().data.dtype is not rl.float32
    assert PackedSequence((packed.data, packed.batch_sizes)).batch_sizes is packed.batch_sizes
    data, _, one, two = packed
    assert data is packed.data and one is two is None


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (RuntimeError, lambda: pack_padded_sequence(rl.ones(3, 2), [2, 3])),
        (RuntimeError, lambda: pack_padded_sequence(rl.ones(3, 2), [3, 0])),
        (RuntimeError, lambda: pack_padded_sequence(rl.ones(3, 2), [4, 2])),
        (RuntimeError, lambda: pack_padded_sequence(rl.ones(3, 2), [3])),
        (RuntimeError, lambda: pack_padded_sequence(rl.ones(3, 2), [[3, 1]])),
        (RuntimeError, lambda: pack_padded_sequence(rl.ones(0, 2), [0, 0])),
        (ValueError, lambda: pad_packed_sequence(pack_sequence([rl.ones(3)]), total_length=2)),
        (RuntimeError, lambda: pad_sequence([])),
        (RuntimeError, lambda: pad_sequence(3)),
        (TypeError, lambda: pad_sequence([1])),
        (RuntimeError, lambda: pad_sequence([rl.ones(2)], padding_side="top")),
        (RuntimeError, lambda: pad_sequence([rl.ones(2, 3), rl.ones(2, 2)])),
        (ValueError, lambda: unpad_sequence(rl.ones(2, 3), rl.tensor([1]), True)),
        (AssertionError, lambda: PackedSequence(rl.ones(3))),
    ],
)
def test_packing_refuses(error, call):
    with pytest.raises(error):
        call()
