"""Warnings beside PyTorch: the same calls give them, of the same categories."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import rushlight
import rushlight.nn.utils.stateless
import rushlight.utils.checkpoint

torch = pytest.importorskip("torch")


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return array


def optimizer(m):
    parameter = m.nn.Parameter(m.ones(2))
    parameter.grad = m.ones(2)
    return m.optim.SGD([parameter], lr=0.1)


def scheduler_first(m):
    schedule = m.optim.lr_scheduler.StepLR(optimizer(m), 1)
    schedule.step()
    schedule.step()


def encoder(m, **options):
    return m.nn.TransformerEncoder(m.nn.TransformerEncoderLayer(4, 2, **options), 1)


def attention(m, mask):
    x = m.ones(2, 1, 4)
    m.nn.MultiheadAttention(4, 2)(
        x, x, x, attn_mask=mask, key_padding_mask=m.tensor([[False, True]])
    )


def leaf(m):
    return m.ones(2, 2, requires_grad=True)


CALLS = {
    "float of one with history": lambda m: float(m.ones(1, requires_grad=True)),
    "int of one with history": lambda m: int(m.ones(1, requires_grad=True)),
    "item of one with history": lambda m: m.ones(1, requires_grad=True).item(),
    "tensor of a tensor": lambda m: m.tensor(m.ones(2)),
    "new_tensor of a tensor": lambda m: m.ones(2).new_tensor(m.ones(2)),
    "grad of no leaf": lambda m: (leaf(m) * 2).grad,
    "grad of a leaf": lambda m: leaf(m).grad,
    "from_numpy": lambda m: m.from_numpy(read_only()),
    "as_tensor": lambda m: m.as_tensor(read_only()),
    "tensor of an array": lambda m: m.tensor(read_only()),
    "from_dlpack": lambda m: m.from_dlpack(read_only()),
    "size_average": lambda m: m.nn.MSELoss(size_average=True),
    "reduce": lambda m: m.nn.functional.l1_loss(m.ones(2), m.ones(2), reduce=False),
    "elementwise_mean": lambda m: m.nn.functional.mse_loss(
        m.ones(2), m.ones(2), reduction="elementwise_mean"
    ),
    "tanh": lambda m: m.nn.functional.tanh(m.ones(2)),
    "softmax without dim": lambda m: m.nn.functional.softmax(m.ones(2, 2)),
    "kl_div": lambda m: m.nn.functional.kl_div(m.ones(2), m.ones(2)),
    "mse of sizes": lambda m: m.nn.functional.mse_loss(m.ones(2, 1), m.ones(2)),
    "huber of sizes": lambda m: m.nn.functional.huber_loss(m.ones(2, 1), m.ones(2)),
    "upsample": lambda m: m.nn.functional.upsample(m.ones(1, 1, 2, 2), scale_factor=2),
    "grid_sample": lambda m: m.nn.functional.grid_sample(m.ones(1, 1, 2, 2), m.ones(1, 2, 2, 2)),
    "unit-size grid": lambda m: m.nn.functional.affine_grid(
        m.ones(1, 2, 3), (1, 1, 1, 1), align_corners=True
    ),
    "dropout2d": lambda m: m.nn.functional.dropout2d(m.ones(1, 2, 3)),
    "meshgrid": lambda m: m.meshgrid(m.ones(2), m.ones(2)),
    "meshgrid with indexing": lambda m: m.meshgrid(m.ones(2), m.ones(2), indexing="ij"),
    "cross": lambda m: m.cross(m.ones(3, 3), m.ones(3, 3)),
    "cross with dim": lambda m: m.cross(m.ones(3, 3), m.ones(3, 3), dim=1),
    "std of one": lambda m: m.ones(1).std(),
    "T of three": lambda m: m.ones(1, 2, 3).T,
    "T of one": lambda m: m.ones(3).T,
    "T of none": lambda m: m.ones(()).T,
    "where of uint8": lambda m: m.where(m.ones(2, dtype=m.uint8), m.ones(2), m.ones(2)),
    "uint8 as index": lambda m: m.ones(2)[m.ones(2, dtype=m.uint8)],
    "list as tuple": lambda m: m.ones(3, 3)[[[0, 1], [1, 2]]],
    "list as index": lambda m: m.ones(3, 3)[[0, 1]],
    "cholesky": lambda m: m.cholesky(m.eye(2)),
    "qr": lambda m: m.qr(m.eye(2)),
    "svd": lambda m: m.svd(m.eye(2)),
    "lu": lambda m: m.lu(m.eye(2)),
    "lu_solve": lambda m: m.lu_solve(m.eye(2), *m.linalg.lu_factor(m.eye(2))),
    "triangular_solve": lambda m: m.triangular_solve(m.eye(2), m.eye(2)),
    "chain_matmul": lambda m: m.chain_matmul(m.eye(2), m.eye(2)),
    "range": lambda m: m.range(0, 2),
    "arange": lambda m: m.arange(0, 2),
    "stft": lambda m: m.stft(m.ones(16), 8, return_complex=True),
    "parts of stft": lambda m: m.stft(m.ones(16), 8, window=m.ones(8), return_complex=False),
    "out resized": lambda m: m.add(m.ones(2), m.ones(2), out=m.empty(3)),
    "out without elements": lambda m: m.add(m.ones(2), m.ones(2), out=m.empty(0)),
    "storage": lambda m: m.ones(2).storage(),
    "complex to real": lambda m: m.ones(2, dtype=m.complex64).to(m.float32),
    "complex to bool": lambda m: m.ones(2, dtype=m.complex64).to(m.bool),
    "complex copied": lambda m: m.ones(2).copy_(m.ones(2, dtype=m.complex64)),
    "complex module": lambda m: m.nn.Linear(2, 2).to(m.complex64),
    "even kernel": lambda m: m.nn.functional.conv1d(
        m.ones(1, 1, 5), m.ones(1, 1, 2), padding="same"
    ),
    "odd kernel": lambda m: m.nn.functional.conv1d(
        m.ones(1, 1, 5), m.ones(1, 1, 3), padding="same"
    ),
    "state_dict by position": lambda m: m.nn.Linear(2, 2).state_dict({}),
    "nothing to initialize": lambda m: m.nn.init.kaiming_uniform_(m.empty(0, 2)),
    "initialization of old": lambda m: m.nn.init.constant(m.empty(2), 1),
    "dropout of one layer": lambda m: m.nn.LSTM(2, 2, dropout=0.5),
    "encoder": encoder,
    "encoder with batches first": lambda m: encoder(m, batch_first=True),
    "encoder with norms first": lambda m: encoder(m, batch_first=True, norm_first=True),
    "masks of two kinds": lambda m: attention(m, m.zeros(2, 2)),
    "masks of one kind": lambda m: attention(m, m.zeros(2, 2, dtype=m.bool)),
    "clip_grad_norm": lambda m: m.nn.utils.clip_grad_norm([leaf(m)], 1),
    "weight_norm": lambda m: m.nn.utils.weight_norm(m.nn.Linear(2, 2)),
    "scheduler before optimizer": scheduler_first,
    "get_lr": lambda m: m.optim.lr_scheduler.StepLR(optimizer(m), 1).get_lr(),
    "parameters twice": lambda m: m.optim.SGD([m.nn.Parameter(m.ones(2))] * 2, lr=0.1),
    "anomaly mode": lambda m: m.autograd.detect_anomaly(),
    "anomaly mode off": lambda m: m.autograd.set_detect_anomaly(False),
    "only_inputs": lambda m: (lambda x: m.autograd.grad(x.sum(), x, only_inputs=False))(leaf(m)),
    "create_graph": lambda m: leaf(m).exp().sum().backward(create_graph=True),
    "gradient of no leaf": lambda m: (lambda y: y.sum().backward(inputs=[y]))(leaf(m) * 2),
    "checkpoint": lambda m: m.utils.checkpoint.checkpoint(lambda x: x * 2, leaf(m)),
    "too many workers": lambda m: m.utils.data.DataLoader([1], num_workers=1000),
    "autocast of float32": lambda m: m.autocast("cpu", dtype=m.float32),
    "autocast of torch.cpu": lambda m: m.cpu.amp.autocast(),
    "autocast of torch.cuda": lambda m: m.cuda.amp.autocast(),
    "scaler of torch.cuda": lambda m: m.cuda.amp.GradScaler(),
    "default tensor type": lambda m: m.set_default_tensor_type(m.FloatTensor),
    "decorated class": lambda m: m.no_grad()(type("Made", (), {})),
    "sample_n": lambda m: m.distributions.Normal(0.0, 1.0).sample_n(2),
}


def categories(m, call):
    m.set_warn_always(True)
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            call(m)
    finally:
        m.set_warn_always(False)
    return [warning.category for warning in found]


@pytest.mark.parametrize("name", CALLS)
def test_the_same_warnings(name):
    assert categories(rushlight, CALLS[name]) == categories(torch, CALLS[name])
