"""Whole modules and optimizers saved here load in PyTorch, and the reverse."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

import rushlight

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

# name: (arguments, shapes of the inputs)
MODULES = {
    "Linear": ((3, 4), [(2, 3)]),
    "Bilinear": ((2, 3, 4), [(5, 2), (5, 3)]),
    "Conv1d": ((2, 3, 3), [(1, 2, 8)]),
    "Conv2d": ((2, 4, 3, 1, 1), [(1, 2, 8, 8)]),
    "ConvTranspose2d": ((2, 4, 3), [(1, 2, 5, 5)]),
    "BatchNorm1d": ((3,), [(4, 3)]),
    "BatchNorm2d": ((3,), [(2, 3, 4, 4)]),
    "InstanceNorm1d": ((3,), [(2, 3, 4)]),
    "LayerNorm": ((3,), [(2, 3)]),
    "GroupNorm": ((1, 4), [(2, 4, 3)]),
    "RMSNorm": ((3,), [(2, 3)]),
    "LSTM": ((3, 4, 2), [(5, 2, 3)]),
    "GRU": ((3, 4), [(5, 2, 3)]),
    "RNN": ((3, 4), [(5, 2, 3)]),
    "LSTMCell": ((3, 4), [(2, 3)]),
    "GRUCell": ((3, 4), [(2, 3)]),
    "MultiheadAttention": ((4, 2), [(3, 2, 4)] * 3),
    "TransformerEncoderLayer": ((4, 2, 8), [(3, 2, 4)]),
    "TransformerDecoderLayer": ((4, 2, 8), [(3, 2, 4), (5, 2, 4)]),
    "ReLU": ((), [(3,)]),
    "GELU": ((), [(3,)]),
    "PReLU": ((), [(3,)]),
    "Softmax": ((-1,), [(3,)]),
    "Dropout": ((0.5,), [(3,)]),
    "Flatten": ((), [(2, 3, 4)]),
    "MaxPool2d": ((2,), [(1, 2, 4, 4)]),
    "AdaptiveAvgPool2d": ((2,), [(1, 2, 4, 4)]),
    "Upsample": ((None, 2), [(1, 2, 4)]),
    "PixelShuffle": ((2,), [(1, 4, 3, 3)]),
    "PixelUnshuffle": ((2,), [(1, 4, 4, 4)]),
    "ChannelShuffle": ((2,), [(1, 4, 3)]),
    "ZeroPad2d": ((1,), [(1, 2, 3, 3)]),
    "CosineSimilarity": ((), [(2, 3), (2, 3)]),
    "MSELoss": ((), [(2, 3), (2, 3)]),
    "SmoothL1Loss": ((), [(2, 3), (2, 3)]),
    "TripletMarginLoss": ((), [(2, 3)] * 3),
    "Identity": ((), [(2,)]),
}


def saved(library, obj):
    file = io.BytesIO()
    library.save(obj, file)
    file.seek(0)
    return file


def numbers(result):
    if isinstance(result, (tuple, list)):
        return [number for part in result for number in numbers(part)]
    return [] if result is None else [result.detach().numpy()]


def same_results(one, one_library, other, other_library, shapes):
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    results = [
        numbers(module.eval()(*map(library.from_numpy, inputs)))
        for module, library in ((one, one_library), (other, other_library))
    ]
    assert len(results[0]) == len(results[1])
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("source, target", [(rushlight, torch), (torch, rushlight)])
def test_a_module_goes_to_the_other_side(source, target, name):
    arguments, shapes = MODULES[name]
    source.manual_seed(3)
    module = getattr(source.nn, name)(*arguments)
    got = target.load(saved(source, module), weights_only=False)
    assert type(got) is getattr(target.nn, name)
    assert repr(got) == repr(module)
    assert list(got.state_dict()) == list(module.state_dict())
    own = {"_hooked", "_state_hooked"}
    fresh = getattr(target.nn, name)(*arguments).__dict__.keys() - own
    assert fresh <= got.__dict__.keys()
    same_results(module, source, got, target, shapes)
    # It is a whole module: it trains, is copied, and goes back again.
    got.train()
    for parameter in got.parameters():
        assert parameter.requires_grad
        parameter.grad = target.ones_like(parameter)
    if list(got.parameters()):
        target.optim.SGD(got.parameters(), 0.1).step()
    back = source.load(saved(target, got), weights_only=False)
    same_results(got, target, back, source, shapes)


def network(library):
    nn = library.nn
    layer = nn.TransformerEncoderLayer(4, 2, 8, activation="gelu", batch_first=True)
    return nn.Sequential(
        nn.ModuleDict({"unused": nn.Linear(2, 2)})["unused"].requires_grad_(False),
        nn.utils.weight_norm(nn.Linear(2, 4)),
        nn.Sequential(nn.Tanh(), nn.ModuleList([nn.Identity()])[0]),
        nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("source, target", [(rushlight, torch), (torch, rushlight)])
def test_modules_in_modules(source, target):
    module = network(source)
    shared = source.nn.Linear(3, 3)
    both = source.load(saved(source, [shared, shared.weight]), weights_only=False)
    assert both[0].weight is both[1]
    got = target.load(saved(source, {"model": module, "epoch": 3}), weights_only=False)
    assert got["epoch"] == 3
    got = got["model"]
    assert not got[0].weight.requires_grad and got[1].weight_g.requires_grad
    same_results(module, source, got, target, [(2, 3, 2)])


@pytest.mark.parametrize("source, target", [(rushlight, torch), (torch, rushlight)])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam"])
def test_an_optimizer_goes_to_the_other_side(source, target, name):
    model = source.nn.Linear(3, 2)
    optimizer = getattr(source.optim, name)(model.parameters(), lr=0.1)
    model(source.ones(1, 3)).sum().backward()
    optimizer.step()
    got_model, got = target.load(saved(source, (model, optimizer)), weights_only=False)
    for library, one, step in ((source, model, optimizer), (target, got_model, got)):
        one.zero_grad()
        one(library.full((1, 3), 2.0)).pow(2).sum().backward()
        step.step()
    for mine, other in zip(model.parameters(), got_model.parameters(), strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-5)


def test_what_may_not_be_loaded_says_so():
    file = saved(torch, torch.nn.PixelShuffle(2))
    with pytest.raises(pickle.UnpicklingError, match="weights_only=False"):
        rushlight.load(file)
    file.seek(0)
    allowed = [rushlight.nn.PixelShuffle, rushlight.nn.MultiheadAttention, set]
    with rushlight.io.safe_globals(allowed):
        assert repr(rushlight.load(file)) == "PixelShuffle(upscale_factor=2)"
