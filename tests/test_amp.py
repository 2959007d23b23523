"""Automatic mixed precision: what autocast casts, and GradScaler."""

from __future__ import annotations

import threading

import pytest

import rushlight as torch
import rushlight.nn.functional as F
from rushlight import nn

LOW, FULL = torch.bfloat16, torch.float32


def test_products_are_cast():
    x, w = torch.randn(4, 8), torch.randn(5, 8)
    with torch.autocast("cpu"):
        for made in (
            x @ w.t(),
            torch.matmul(x, w.t()),
            x.mm(w.t()),
            F.linear(x, w),
            torch.addmm(torch.zeros(5), x, w.t()),
            torch.bmm(x[None], w.t()[None]),
            torch.einsum("ij,kj->ik", x, w),
            F.conv2d(torch.randn(1, 2, 5, 5), torch.randn(3, 2, 3, 3)),
            F.scaled_dot_product_attention(x[None], x[None], x[None]),
        ):
            assert made.dtype is LOW
        assert (x.double() @ w.t().double()).dtype is torch.float64
        assert (x.long() @ w.t().long()).dtype is torch.int64
        assert (x + w[0]).dtype is x.exp().dtype is F.softmax(x, -1).dtype is FULL
        assert F.layer_norm(x, (8,)).dtype is FULL
    assert (x @ w.t()).dtype is FULL


def test_the_values_are_those_of_the_short_dtype():
    x, w = torch.randn(16, 64), torch.randn(32, 64)
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype=dtype):
            made = F.linear(x, w)
        assert made.dtype is dtype and torch.equal(made, F.linear(x.to(dtype), w.to(dtype)))


def test_losses_are_computed_in_float32():
    x, y = torch.randn(4, 3).bfloat16(), torch.tensor([0, 1, 2, 0])
    with torch.autocast("cpu"):
        for loss in (
            F.cross_entropy(x, y),
            F.mse_loss(x, x * 2),
            F.l1_loss(x, x * 2),
            F.binary_cross_entropy_with_logits(x, torch.ones(4, 3)),
            x.prod(),
        ):
            assert loss.dtype is FULL
    assert F.mse_loss(x, x * 2).dtype is LOW


def test_what_is_composed_is_computed_in_float32():
    x, y = torch.rand(4, 3).bfloat16() / 2, torch.tensor([0, 1, 2, 0])
    sign = torch.tensor([1, -1, 1, -1]).bfloat16()
    matrix = torch.eye(3).bfloat16() * 2
    calls = {
        "kl_div": lambda: F.kl_div(x.log(), x, reduction="sum"),
        "hinge_embedding_loss": lambda: F.hinge_embedding_loss(x[:, 0], sign),
        "cosine_embedding_loss": lambda: F.cosine_embedding_loss(x, x + 1, sign),
        "triplet_margin_loss": lambda: F.triplet_margin_loss(x, x + 1, x - 1),
        "poisson_nll_loss": lambda: F.poisson_nll_loss(x, x),
        "multi_margin_loss": lambda: F.multi_margin_loss(x, y),
        "margin_ranking_loss": lambda: F.margin_ranking_loss(x[:, 0], x[:, 1], sign),
        "quantile": lambda: torch.quantile(x, 0.5),
        "cdist": lambda: torch.cdist(x, x),
        "trace": lambda: torch.trace(x),
        "pinverse": lambda: torch.pinverse(matrix),
        "svd": lambda: torch.svd(matrix)[1],
        "cholesky": lambda: torch.linalg.cholesky(matrix),
        "solve": lambda: torch.linalg.solve(matrix, x.t()),
        "rfft": lambda: torch.fft.rfft(x).real,
        "stft": lambda: torch.stft(x[0], 2, 1, window=x[0, :2], return_complex=True).real,
        "avg_pool3d": lambda: F.avg_pool3d(torch.ones(1, 1, 2, 2, 2).bfloat16(), 2),
    }
    for name, call in calls.items():
        with torch.autocast("cpu"):
            assert call().dtype is FULL, name
            assert (x @ x.t()).dtype is LOW
    assert F.kl_div(x.log(), x, reduction="sum").dtype is LOW


def test_autocast_switched_on_without_a_block():
    x = torch.randn(3, 3)
    torch.set_autocast_enabled("cpu", True)
    try:
        assert torch.is_autocast_enabled("cpu") and (x @ x).dtype is LOW
        with torch.autocast("cpu", enabled=False):
            assert (x @ x).dtype is FULL
        assert (x @ x).dtype is LOW
        torch.set_autocast_dtype("cpu", torch.float16)
        assert torch.get_autocast_dtype("cpu") is (x @ x).dtype is torch.float16
    finally:
        torch.set_autocast_cpu_enabled(False)
        torch.set_autocast_cpu_dtype(LOW)
    assert (x @ x).dtype is FULL and not torch.is_autocast_cpu_enabled()
    with pytest.raises(RuntimeError, match="Bfloat16 or Half"):
        torch.set_autocast_dtype("cpu", torch.float64)


def test_training_fills_float32_gradients():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    x, y = torch.randn(8, 6), torch.randint(0, 3, (8,))
    F.cross_entropy(model(x), y).backward()
    exact = [p.grad for p in model.parameters()]
    model.zero_grad()
    with torch.autocast("cpu"):
        loss = F.cross_entropy(model(x), y)
    loss.backward()
    for p, wanted in zip(model.parameters(), exact, strict=True):
        assert p.grad.dtype is FULL
        assert torch.allclose(p.grad, wanted, atol=0.02) and not torch.equal(p.grad, wanted)


def test_a_parameter_is_cast_once():
    w = torch.randn(3, 3, requires_grad=True)
    x = torch.randn(3, 3)
    with torch.autocast("cpu"):
        made = x @ w + x @ w
        with torch.no_grad():
            x @ w
        again = x @ w
    nodes, stack = set(), [made.grad_fn]
    while stack:
        node = stack.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            stack += [inner for inner, _ in node.next_functions]
    assert sum("AccumulateGrad" in node.name() for node in nodes) == 1
    assert again.requires_grad
    made.sum().backward()
    assert w.grad is not None


def test_nesting_and_decorators():
    x = torch.randn(2, 2)
    with torch.autocast("cpu"):
        assert torch.is_autocast_enabled("cpu") and not torch.is_autocast_enabled()
        with torch.autocast("cpu", enabled=False):
            assert (x @ x).dtype is FULL and not torch.is_autocast_enabled("cpu")
        with torch.autocast("cpu", torch.float16):
            assert (x @ x).dtype is torch.float16
            assert torch.get_autocast_dtype("cpu") is torch.float16
        assert (x @ x).dtype is LOW

    @torch.amp.autocast("cpu")
    def product():
        return x @ x

    assert product().dtype is LOW and (x @ x).dtype is FULL
    with pytest.raises(ZeroDivisionError), torch.autocast("cpu"):
        raise ZeroDivisionError
    assert (x @ x).dtype is FULL


def test_it_belongs_to_its_thread():
    x = torch.randn(2, 2)
    found = []
    with torch.autocast("cpu"):
        thread = threading.Thread(target=lambda: found.append((x @ x).dtype))
        thread.start()
        thread.join()
        assert (x @ x).dtype is LOW
    assert found == [FULL]


def test_other_devices_and_dtypes_stay_off():
    x = torch.randn(2, 2)
    with pytest.warns(UserWarning, match="no device of type 'cuda'"), torch.autocast("cuda"):
        assert (x @ x).dtype is FULL
    with pytest.warns(UserWarning, match="float16"), torch.autocast("cpu", torch.float64):
        assert (x @ x).dtype is FULL
    with pytest.warns(UserWarning, match="cuda"), torch.cuda.amp.autocast():
        assert (x @ x).dtype is FULL
    with torch.cuda.amp.autocast(enabled=False), torch.cpu.amp.autocast():
        assert (x @ x).dtype is LOW
    with pytest.raises(RuntimeError, match="nowhere"):
        torch.autocast("nowhere")
    with pytest.raises(ValueError, match="str"):
        torch.autocast(torch.device("cpu"))


def test_autograd_functions():
    class Double(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
        def forward(ctx, x):
            assert x.dtype is FULL and not torch.is_autocast_enabled("cpu")
            return x * 2

        @staticmethod
        @torch.amp.custom_bwd(device_type="cpu")
        def backward(ctx, grad):
            assert not torch.is_autocast_enabled("cpu")
            return grad * 2

    x = torch.ones(2, dtype=LOW, requires_grad=True)
    with torch.autocast("cpu"):
        made = Double.apply(x)
    made.sum().backward()
    assert made.dtype is FULL and x.grad.tolist() == [2, 2]


# --------------------------------------------------------------------------------- GradScaler


def scaled(**options):
    p = nn.Parameter(torch.ones(3))
    return p, torch.optim.SGD([p], lr=0.5), torch.amp.GradScaler("cpu", **options)


def test_scaling_does_not_change_a_step():
    p, optimizer, scaler = scaled(init_scale=1024.0)
    scaler.scale((p * 2).sum()).backward()
    assert p.grad.tolist() == [2048.0] * 3
    scaler.unscale_(optimizer)
    assert p.grad.tolist() == [2.0] * 3
    scaler.step(optimizer)
    scaler.update()
    assert p.tolist() == [0.0] * 3 and scaler.get_scale() == 1024.0


def test_infinite_gradients_skip_the_step():
    p, optimizer, scaler = scaled(growth_interval=2)
    p.grad = torch.tensor([1.0, float("inf"), 1.0])
    assert scaler.step(optimizer) is None
    scaler.update()
    assert p.tolist() == [1.0] * 3 and scaler.get_scale() == 2.0**15
    for scale in (2.0**15, 2.0**16):
        p.grad = torch.zeros(3)
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == scale
    other = torch.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict()


def test_the_order_of_calls_is_checked():
    p, optimizer, scaler = scaled()
    with pytest.raises(AssertionError, match="No inf checks"):
        scaler.update()
    p.grad = torch.zeros(3)
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="after step"):
        scaler.unscale_(optimizer)


def test_a_scaler_for_another_device_is_off():
    p = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([p], lr=1.0)
    with pytest.warns(UserWarning, match="cuda"):
        scaler = torch.amp.GradScaler()
    quiet = torch.cuda.amp.GradScaler(enabled=False)
    for off in (scaler, quiet):
        assert not off.is_enabled() and off.get_scale() == 1.0 and off.state_dict() == {}
        p.grad = torch.ones(2)
        off.unscale_(optimizer)
        assert off.scale(p) is p
        off.step(optimizer)
        off.update()
    assert p.tolist() == [-1.0, -1.0]
