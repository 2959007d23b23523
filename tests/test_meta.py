"""Tensors without memory: shapes, dtypes and strides on the meta device are those on the CPU.

Every row of tests/ops is run on both; what cannot be told from shapes alone is listed here.
"""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from ops.row import KINDS, Make, Row
from test_ops import ROWS, arguments, function_of, tensor

import rushlight as rl
from rushlight import nn

# What these return, or whether they raise, depends on values.
BY_VALUE = {
    "allclose", "argwhere", "bincount", "equal", "histogramdd", "masked_select", "nonzero",
    "repeat_interleave", "segment_reduce", "unique", "unique_consecutive",
}  # fmt: skip
# Of some of their arguments: a mask as index, sequence lengths in a tensor, a number of classes
# that is not given.
SOMETIMES = {"gru", "index_put", "lstm", "nn.functional.one_hot", "rnn_relu", "rnn_tanh"}
# Not yet.
MISSING = {
    "from_dlpack", "linalg.vander", "lobpcg", "nn.functional.ctc_loss", "pca_lowrank",
    "svd_lowrank",
}  # fmt: skip
OTHER_STRIDES = {"linalg.matrix_exp", "matrix_exp"}


def leaves(value: Any) -> list:
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def looks(value: Any, strides: bool) -> Any:
    if not isinstance(value, rl.Tensor):
        return type(value)
    plain = not strides or value.numel() == 0 or 1 in value.shape
    return tuple(value.shape), value.dtype, None if plain else value.stride()


def first_dtype(row: Row) -> str:
    kinds = [KINDS.get(kind, (kind,)) for kind in row.dtypes]
    return next((dtype for kind in kinds for dtype in kind), "float32")


def checked(row: Row) -> Any:
    expected = BY_VALUE | SOMETIMES | MISSING
    marks = [pytest.mark.xfail(strict=True)] if row.name in expected else []
    return pytest.param(row, id=row.name, marks=marks)


@pytest.mark.parametrize("row", [checked(row) for row in ROWS.values()])
@pytest.mark.filterwarnings("ignore")
def test_shapes_are_those_on_the_cpu(row: Row):
    dtype = first_dtype(row)
    function = function_of(row)
    for case in row.samples(Make(dtype, row.name)):
        rl.manual_seed(0)
        args, kwargs = arguments(case, lambda a: tensor(a, dtype))
        with np.errstate(all="ignore"):
            expected = function(*args, **kwargs)
        args, kwargs = arguments(case, lambda a: tensor(a, dtype).to("meta"))
        if not any(isinstance(leaf, rl.Tensor) for leaf in leaves([*args, *kwargs.values()])):
            continue  # makes a tensor out of none
        result = function(*args, **kwargs)
        strides = row.name not in OTHER_STRIDES
        assert [looks(leaf, strides) for leaf in leaves(result)] == [
            looks(leaf, strides) for leaf in leaves(expected)
        ], f"{row.name}{case}"
        assert all(leaf.is_meta for leaf in leaves(result) if isinstance(leaf, rl.Tensor))


# ---- making them


@pytest.mark.parametrize(
    "make",
    [
        lambda **on: rl.empty(2, 3, **on), lambda **on: rl.zeros(2, 3, **on),
        lambda **on: rl.ones(2, **on), lambda **on: rl.full((2,), 3, **on),
        lambda **on: rl.tensor([1, 2], **on), lambda **on: rl.as_tensor([1.0], **on),
        lambda **on: rl.arange(5, **on), lambda **on: rl.linspace(0, 1, 4, **on),
        lambda **on: rl.eye(3, **on), lambda **on: rl.rand(2, **on), lambda **on: rl.randn(2, **on),
        lambda **on: rl.randint(3, (2,), **on), lambda **on: rl.randperm(4, **on),
        lambda **on: rl.empty_strided((2, 3), (1, 2), **on),
        lambda **on: rl.tril_indices(3, 3, **on),
        lambda **on: rl.scalar_tensor(1, **on), lambda **on: rl.fft.fftfreq(4, **on),
    ],
)  # fmt: skip
def test_creation(make):
    expected = make()
    with rl.device("meta"):
        inside = make()
    for result in (make(device="meta"), make(device=rl.device("meta")), inside):
        assert result.is_meta and not result.is_cpu and result.device == rl.device("meta")
        assert looks(result, True) == looks(expected, True)
    with rl.device("meta"):
        assert not make(device="cpu").is_meta
    assert not make().is_meta


def test_like_follows_the_tensor_or_the_argument():
    meta, cpu = rl.empty(2, 3, device="meta"), rl.ones(2, 3)
    for like in (rl.empty_like, rl.zeros_like, rl.ones_like, rl.rand_like):
        assert like(meta).is_meta and not like(meta, device="cpu").is_meta
        assert not like(cpu).is_meta and like(cpu, device="meta").is_meta
    assert meta.new_zeros(2).is_meta and meta.new_tensor([1.0]).is_meta
    assert not meta.new_zeros(2, device="cpu").is_meta
    with rl.device("meta"):  # which is for functions that make tensors out of none
        assert not rl.zeros_like(cpu).is_meta


def test_default_device():
    rl.set_default_device("meta")
    try:
        assert rl.ones(2).is_meta and rl.get_default_device() == rl.device("meta")
        with rl.device("cpu"):
            assert not rl.ones(2).is_meta
    finally:
        rl.set_default_device(None)
    assert not rl.ones(2).is_meta


def test_random_draws_take_no_numbers():
    rl.manual_seed(3)
    expected = rl.rand(2)
    rl.manual_seed(3)
    rl.randn(5, device="meta").normal_().uniform_()
    assert rl.equal(rl.rand(2), expected)


def test_seventy_billion_parameters():
    with rl.device("meta"):
        model = nn.Sequential(*[nn.Linear(32768, 32768) for _ in range(65)])
    assert sum(p.numel() for p in model.parameters()) > 69e9
    model(rl.empty(4, 32768, device="meta")).sum().backward()
    assert model[0].weight.grad.shape == (32768, 32768) and model[0].weight.grad.is_meta


# ---- there are no values

M = rl.empty(2, 3, device="meta")
ONE = rl.empty((), device="meta")


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (RuntimeError, "cannot be called on meta", lambda: ONE.item()),
        (RuntimeError, "cannot be called on meta", lambda: bool(ONE)),
        (RuntimeError, "cannot be called on meta", lambda: float(ONE)),
        (NotImplementedError, "no data", lambda: M.tolist()),
        (TypeError, "meta", lambda: M.numpy()),
        (TypeError, "meta", lambda: np.asarray(M)),
        (NotImplementedError, "no data", lambda: M.cpu()),
        (NotImplementedError, "no data", lambda: M.to("cpu")),
        (NotImplementedError, "no data", lambda: rl.ones(2, 3).copy_(M)),
        (NotImplementedError, "values", lambda: M.nonzero()),
        (NotImplementedError, "values", lambda: M.unique()),
        (NotImplementedError, "meta", lambda: M[M > 0]),
        (RuntimeError, "same device", lambda: M + rl.ones(2, 3)),
        (RuntimeError, "same device", lambda: M @ rl.ones(3, 2)),
        (RuntimeError, "same device", lambda: rl.ones(2, 3).add_(M)),
        (RuntimeError, "incompatible", lambda: setattr(rl.ones(2), "data", M)),
        (NotImplementedError, "to_empty", lambda: nn.Linear(2, 2, device="meta").to("cpu")),
    ],
)  # fmt: skip
def test_errors(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_what_needs_no_values():
    assert M.data_ptr() == 0 and M.untyped_storage().nbytes() == 24
    assert repr(M) == "tensor(..., device='meta', size=(2, 3))"
    assert repr(M.double()) == "tensor(..., device='meta', size=(2, 3), dtype=torch.float64)"
    assert (M + rl.tensor(1.0)).is_meta  # a number in a tensor
    assert M[rl.tensor([0, 1, 1])].shape == (3, 3)
    changed = M.clone()
    changed[changed > 0] = 0
    changed[0] = 1.0
    assert changed._version > 0
    view = M.view(3, 2).t()
    assert view._base is M and view.stride() == (1, 2)
    assert rl.empty(2, device="meta").resize_(5).shape == (5,)


# ---- autograd, modules, optimizers


def test_gradients():
    x = rl.empty(4, 3, device="meta", requires_grad=True)
    y = nn.functional.layer_norm(x.sin(), (3,)).softmax(-1).sum()
    assert y.grad_fn is not None
    y.backward()
    assert x.grad.is_meta and x.grad.shape == x.shape and x.grad.grad_fn is None
    (first,) = rl.autograd.grad((x**3).sum(), x, create_graph=True)
    (second,) = rl.autograd.grad(first.sum(), x)
    assert second.is_meta and second.grad_fn is None


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Conv2d(3, 8, 3, stride=2), (2, 3, 17, 17)),
        (lambda: nn.ConvTranspose2d(3, 4, 3), (2, 3, 5, 5)),
        (lambda: nn.BatchNorm2d(3), (2, 3, 4, 4)),
        (lambda: nn.GroupNorm(2, 4), (2, 4, 5)),
        (lambda: nn.LSTM(4, 5, 2, bidirectional=True), (3, 2, 4)),
        (lambda: nn.GRU(4, 5), (3, 2, 4)),
        (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
        (lambda: nn.MultiheadAttention(8, 2), None),
        (lambda: nn.Sequential(nn.MaxPool2d(2), nn.Dropout(), nn.Flatten()), (1, 3, 8, 8)),
        (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (1, 2, 4, 4)),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_modules_as_on_the_cpu(make, shape):
    inputs = (rl.randn(shape),) if shape else (rl.randn(3, 2, 8),) * 3
    plain = make()
    with rl.device("meta"):
        module = make()
    given = [x.to("meta").requires_grad_() for x in inputs]
    for training in (True, False):
        expected, result = plain.train(training)(*inputs), module.train(training)(*given)
        assert [looks(leaf, False) for leaf in leaves(expected)] == [
            looks(leaf, False) for leaf in leaves(result)
        ]
    leaves(module.train()(*given))[0].sum().backward()
    assert all(p.grad is not None and p.grad.is_meta for p in module.parameters())


def test_to_empty_and_loading():
    model = nn.Linear(2, 3, device="meta")
    source = nn.Linear(2, 3)
    with pytest.warns(UserWarning, match="assign=True"):
        model.load_state_dict(source.state_dict())
    assert model.weight.is_meta
    model.load_state_dict(source.state_dict(), assign=True)
    assert rl.equal(model.weight, source.weight) and model.weight.requires_grad
    empty = nn.Linear(2, 3, device="meta").to_empty(device="cpu")
    assert not empty.weight.is_meta and isinstance(empty.weight, nn.Parameter)
    empty.load_state_dict(source.state_dict())
    assert rl.equal(empty.weight, source.weight)
    assert nn.Linear(2, 3).to("meta").weight.is_meta
    with pytest.raises(RuntimeError, match="no data"):
        source.load_state_dict(nn.Linear(2, 3, device="meta").state_dict())
    assert not nn.utils.skip_init(nn.Linear, 2, 3).weight.is_meta


@pytest.mark.parametrize("name", ["uniform_", "normal_", "trunc_normal_", "kaiming_normal_",
                                  "orthogonal_", "eye_", "zeros_"])  # fmt: skip
def test_initialization_does_nothing(name):
    weight = rl.empty(3, 4, device="meta")
    assert getattr(nn.init, name)(weight) is weight


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adamax", "NAdam"])
def test_optimizers(name):
    model = nn.Linear(2, 3, device="meta")
    optimizer = getattr(rl.optim, name)(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(rl.empty(4, 2, device="meta")).sum().backward()
        assert nn.utils.clip_grad_norm_(model.parameters(), 1.0).is_meta
        optimizer.step()


# ---- copies and files


def test_copies_and_files():
    tied = nn.Parameter(rl.empty(3, 2, device="meta").t())
    for again in (copy.deepcopy(tied), pickle.loads(pickle.dumps(tied))):
        assert isinstance(again, nn.Parameter) and looks(again, True) == looks(tied, True)
    file = io.BytesIO()
    rl.save({"p": tied, "t": tied.detach()}, file)
    file.seek(0)
    loaded = rl.load(file)
    assert isinstance(loaded["p"], nn.Parameter) and looks(loaded["t"], True) == looks(tied, True)


def test_load_without_reading():
    file = io.BytesIO()
    rl.save({"a": rl.ones(3), "b": rl.ones(2, 3).t().bfloat16()}, file)
    for location in ("meta", rl.device("meta"), {"cpu": "meta"}):
        file.seek(0)
        loaded = rl.load(file, map_location=location)
        assert all(part.is_meta for part in loaded.values())
        assert loaded["b"].stride() == (1, 3) and loaded["b"].dtype is rl.bfloat16
    with rl.device("meta"), warnings.catch_warnings():
        file.seek(0)
        assert rl.load(file)["a"].tolist() == [1.0, 1.0, 1.0]
