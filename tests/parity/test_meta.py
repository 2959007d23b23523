"""The meta device against PyTorch's: texts, errors, files, what a context changes."""

from __future__ import annotations

import io
import zipfile

import pytest

torch = pytest.importorskip("torch")

import rushlight as rl  # noqa: E402


def both(call):
    return call(torch), call(rl)


@pytest.mark.parametrize(
    "make",
    [
        lambda lib: lib.empty(2, 3, device="meta"),
        lambda lib: lib.empty((), device="meta", dtype=lib.int64),
        lambda lib: lib.empty(0, device="meta"),
        lambda lib: lib.nn.Parameter(lib.empty(2, 3, device="meta").double()),
        lambda lib: lib.empty(2, device="meta", requires_grad=True) * 2,
        lambda lib: lib.empty(2, 3, device="meta").t()[1:],
        lambda lib: lib.empty(2, device="meta").untyped_storage(),
        lambda lib: lib.nn.Linear(2, 3, device="meta").weight.device,
    ],
)
def test_texts(make):
    expected, result = both(make)
    assert repr(result) == repr(expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda lib, x: x.sum().item(),
        lambda lib, x: bool(x.sum()),
        lambda lib, x: x.tolist(),
        lambda lib, x: x.numpy(),
        lambda lib, x: x.cpu(),
        lambda lib, x: x.to("cpu"),
        lambda lib, x: x + lib.ones(2, 3),
        lambda lib, x: lib.ones(2, 3).copy_(x),
        lambda lib, x: x.nonzero(),
        lambda lib, x: x[x > 0],
        lambda lib, x: x.unique(),
        lambda lib, x: x.masked_select(x > 0),
        lambda lib, x: lib.equal(x, x),
        lambda lib, x: lib.allclose(x, x),
        lambda lib, x: 1.0 in x,
        lambda lib, x: setattr(lib.ones(2), "data", x),
        lambda lib, x: lib.nn.Linear(2, 2, device="meta").to("cpu"),
        lambda lib, x: lib.as_tensor(x, device="cpu"),
    ],
)
def test_errors_have_the_same_type(call):
    raised = []
    for lib in (torch, rl):
        with pytest.raises(Exception) as info:
            call(lib, lib.empty(2, 3, device="meta"))
        raised.append(type(info.value).__name__)
    assert raised[0] == raised[1]


def test_what_the_context_reaches():
    def devices(lib):
        cpu = lib.ones(2)
        with lib.device("meta"):
            made = [
                lib.tensor([1.0]), lib.as_tensor([1]), lib.as_tensor(cpu), lib.zeros(2),
                lib.rand(2), lib.randperm(3), lib.arange(3), lib.linspace(0, 1, 3), lib.eye(2),
                lib.full((2,), 1), lib.hann_window(3), lib.tril_indices(2, 2), lib.ones_like(cpu),
                cpu.new_zeros(2), cpu + 1, lib.Tensor(2), lib.nn.Linear(2, 2).weight,
                lib.fft.fftfreq(4),
            ]  # fmt: skip
            return [str(tensor.device) for tensor in made] + [str(lib.get_default_device())]

    expected, result = both(devices)
    assert result == expected


def test_files_are_the_same(tmp_path):
    def contents(lib):
        weight = lib.empty(3, 2, device="meta").t()
        return {"t": weight, "p": lib.nn.Parameter(weight)}

    pickles = []
    for lib, other in ((torch, rl), (rl, torch)):
        file = io.BytesIO()
        lib.save(contents(lib), file)
        with zipfile.ZipFile(file) as archive:
            pickles.append(archive.read("archive/data.pkl"))
        file.seek(0)
        loaded = other.load(file)
        assert loaded["t"].is_meta and tuple(loaded["t"].stride()) == (1, 2)
        assert isinstance(loaded["p"], other.nn.Parameter)
    assert abs(len(pickles[0]) - len(pickles[1])) <= 16


@pytest.mark.parametrize("name", ["resnet", "transformer", "lstm"])
def test_gradients_of_models(name):
    def shapes(lib):
        nn = lib.nn
        with lib.device("meta"):
            if name == "resnet":
                model = nn.Sequential(
                    nn.Conv2d(3, 8, 7, 2, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
                    nn.Conv2d(8, 16, 3, groups=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                    nn.Linear(16, 5),
                )  # fmt: skip
                x = lib.empty(2, 3, 64, 64)
            elif name == "transformer":
                model = nn.TransformerEncoder(
                    nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2
                )
                x = lib.empty(2, 5, 8)
            else:
                model = nn.LSTM(8, 6, 2, bidirectional=True)
                x = lib.empty(4, 2, 8)
        y = model(x)
        y = y[0] if isinstance(y, tuple) else y
        y.square().mean().backward()
        return tuple(y.shape), y.stride(), {
            key: (tuple(p.grad.shape), str(p.grad.device)) for key, p in model.named_parameters()
        }

    expected, result = both(shapes)
    assert result == expected
