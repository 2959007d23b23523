"""Warnings: which calls give one, how often, and at whose line."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import rushlight as rl
from rushlight import warned


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr(warned, "_said", set())


def said(call, times=1):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for _ in range(times):
            call()
    return found


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return array


ONCE = {
    "float of a tensor with history": lambda: float(rl.ones(1, requires_grad=True)),
    "read-only array": lambda: rl.from_numpy(read_only()),
    "read-only array by as_tensor": lambda: rl.as_tensor(read_only()),
    "meshgrid": lambda: rl.meshgrid(rl.ones(2), rl.ones(2)),
    "cross": lambda: rl.cross(rl.ones(2, 3), rl.ones(2, 3)),
    "T of three dimensions": lambda: rl.ones(1, 2, 3).T,
    "T of one dimension": lambda: rl.ones(3).T,
    "uint8 condition": lambda: rl.where(rl.ones(2, dtype=rl.uint8), rl.ones(2), 0),
    "cholesky": lambda: rl.cholesky(rl.eye(2)),
    "qr": lambda: rl.qr(rl.eye(2)),
    "lu": lambda: rl.lu(rl.eye(2)),
    "lu_solve": lambda: rl.lu_solve(rl.eye(2), *rl.linalg.lu_factor(rl.eye(2))),
    "triangular_solve": lambda: rl.triangular_solve(rl.eye(2), rl.eye(2)),
    "chain_matmul": lambda: rl.chain_matmul(rl.eye(2), rl.eye(2)),
    "stft without window": lambda: rl.stft(rl.ones(16), 8, return_complex=True),
    "storage": lambda: rl.ones(2).storage(),
    "complex to real": lambda: rl.ones(2, dtype=rl.complex64).to(rl.float32),
    "complex to float": lambda: rl.ones(2, dtype=rl.complex64).float(),
    "complex copied": lambda: rl.ones(2).copy_(rl.ones(2, dtype=rl.complex64)),
    "even kernel": lambda: rl.nn.functional.conv1d(
        rl.ones(1, 1, 5), rl.ones(1, 1, 2), padding="same"
    ),
    "create_graph": lambda: rl.ones(1, requires_grad=True).exp().backward(create_graph=True),
    "default tensor type": lambda: rl.set_default_tensor_type(rl.FloatTensor),
}


@pytest.mark.parametrize("name", ONCE)
def test_said_once_in_a_process(name):
    found = said(ONCE[name], 3)
    assert [w.category for w in found] == [UserWarning]
    assert found[0].filename == __file__


def test_said_always():
    rl.set_warn_always(True)
    try:
        assert rl.is_warn_always_enabled()
        assert len(said(ONCE["meshgrid"], 3)) == 3
    finally:
        rl.set_warn_always(False)


def losses(**kwargs):
    return rl.nn.functional.mse_loss(rl.ones(2), rl.ones(2), **kwargs)


EACH_TIME = {
    "grad of no leaf": (UserWarning, lambda: (rl.ones(2, requires_grad=True) * 2).grad),
    "new_tensor of a tensor": (UserWarning, lambda: rl.ones(2).new_tensor(rl.ones(2))),
    "tensor of a tensor": (UserWarning, lambda: rl.tensor(rl.ones(2))),
    "size_average": (UserWarning, lambda: losses(size_average=True)),
    "elementwise_mean": (UserWarning, lambda: losses(reduction="elementwise_mean")),
    "module with size_average": (UserWarning, lambda: rl.nn.MSELoss(size_average=True)),
    "target size": (
        UserWarning, lambda: rl.nn.functional.mse_loss(rl.ones(2, 1), rl.ones(2))
    ),
    "upsample": (
        UserWarning, lambda: rl.nn.functional.upsample(rl.ones(1, 1, 2, 2), scale_factor=2)
    ),
    "unit-size grid": (
        UserWarning,
        lambda: rl.nn.functional.affine_grid(rl.ones(1, 2, 3), (1, 1, 1, 1), align_corners=True),
    ),
    "out resized": (UserWarning, lambda: rl.add(rl.ones(2), 1, out=rl.empty(3))),
    "range": (UserWarning, lambda: rl.range(0, 2)),
    "list of indices": (UserWarning, lambda: rl.ones(2, 2)[[[0, 1], [1, 0]]]),
    "degrees of freedom": (UserWarning, lambda: rl.ones(1).std()),
    "anomaly": (UserWarning, lambda: rl.autograd.detect_anomaly()),
    "grad_variables": (
        FutureWarning,
        lambda: rl.autograd.backward(
            [rl.ones(1, requires_grad=True)], grad_variables=[rl.ones(1)]
        ),
    ),
    "only_inputs": (
        FutureWarning, lambda: (lambda x: rl.autograd.grad(x, x, only_inputs=False))(
            rl.ones(1, requires_grad=True)
        ),
    ),
    "autocast of torch.cpu": (FutureWarning, lambda: rl.cpu.amp.autocast()),
    "decorated class": (FutureWarning, lambda: rl.no_grad()(type("Made", (), {}))),
}  # fmt: skip


@pytest.mark.parametrize("name", EACH_TIME)
def test_said_each_time(name):
    category, call = EACH_TIME[name]
    found = said(call, 2)
    assert [w.category for w in found] == [category] * 2
    assert {w.filename for w in found} == {__file__}


SILENT = {
    "grad of a leaf": lambda: rl.ones(2, requires_grad=True).grad,
    "retained grad": lambda: (lambda y: (y.retain_grad(), y.grad))(
        rl.ones(2, requires_grad=True) * 2
    ),
    "no history": lambda: (rl.ones(2) * 2).grad,
    "copy of a read-only array": lambda: rl.tensor(read_only()),
    "out without elements": lambda: rl.add(rl.ones(2), 1, out=rl.empty(0)),
    "complex to bool": lambda: rl.ones(2, dtype=rl.complex64).bool(),
    "T of a matrix": lambda: rl.ones(2, 3).T,
    "inputs of backward": lambda: (lambda y: (y * y).sum().backward(inputs=[y]))(
        rl.ones(2, requires_grad=True) * 2
    ),
    "set_detect_anomaly": lambda: rl.autograd.set_detect_anomaly(False),
}


@pytest.mark.parametrize("name", SILENT)
def test_not_said(name):
    assert not said(SILENT[name])


def test_a_warning_as_an_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="retain_grad"):
            _ = (rl.ones(2, requires_grad=True) * 2).grad
        out = rl.zeros(3)
        with pytest.raises(UserWarning, match="output shape"):
            rl.add(rl.ones(2), 1, out=out)
        assert out.tolist() == [0.0, 0.0, 0.0]


def test_a_decorated_class_is_made_in_the_mode():
    class Made:
        def __init__(self):
            self.recorded = rl.is_grad_enabled()

    with pytest.warns(FutureWarning, match="classes"):
        make = rl.no_grad()(Made)
    assert not make().recorded
    assert isinstance(make(), Made)
