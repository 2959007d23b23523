"""Deferred loops must never be seen: whatever is written, viewed or looked at in between."""

import os
import subprocess
import sys

import numpy as np
import pytest

import rushlight as torch
from rushlight import _core

N = 120  # N * N elements are enough to be deferred


@pytest.fixture(autouse=True)
def deferred_mode():
    before = _core.is_eager()
    _core.set_eager(False)
    yield
    _core.set_eager(before)


def numbers(*shape, seed=0):
    rng = np.random.default_rng(seed)
    # A copy by rushlight: memory that NumPy can see would never be read late.
    return torch.tensor(rng.standard_normal(shape).astype(np.float32))


def test_large_operations_wait_and_small_ones_do_not():
    assert _core.is_pending(numbers(N, N) + 1)
    assert not _core.is_pending(numbers(3, 3) + 1)


def test_write_to_an_input_runs_readers_first():
    x = numbers(N, N)
    before = x.numpy().copy()
    x = numbers(N, N)
    y = x * 2 + 1
    assert _core.is_pending(y)
    x.fill_(0)
    assert np.array_equal(y.numpy(), before * 2 + 1)


def test_write_through_a_view_runs_readers_first():
    x = numbers(N, N)
    before = np.array(x.tolist(), dtype=np.float32)
    y = x.exp()
    x.view(-1)[: N * 2].zero_()
    assert np.allclose(y.numpy(), np.exp(before), rtol=1e-6)


def test_inplace_of_a_pending_expression_of_itself():
    x = numbers(N, N)
    before = np.array(x.tolist(), dtype=np.float32)
    x.mul_(x + 1)
    assert np.allclose(x.numpy(), before * (before + 1), rtol=1e-6)


def test_inplace_from_the_own_transpose():
    x = numbers(N, N)
    before = np.array(x.tolist(), dtype=np.float32)
    x.add_(x.t() * 2)
    assert np.allclose(x.numpy(), before + before.T * 2, rtol=1e-6)


def test_copy_from_a_pending_value_that_is_still_held():
    x = numbers(N, N)
    before = np.array(x.tolist(), dtype=np.float32)
    y = x * 3
    x.copy_(y)
    assert np.array_equal(x.numpy(), before * 3)
    assert np.array_equal(y.numpy(), before * 3)


def test_exported_memory_is_read_at_once():
    array = np.ones((N, N), dtype=np.float32)
    x = torch.from_numpy(array)
    y = x + 1
    array[:] = 7
    assert y.tolist()[0][0] == 2.0
    z = numbers(N, N)
    seen = z.numpy()
    w = z * 2
    want = seen * 2
    seen[:] = 0
    assert np.array_equal(w.numpy(), want)


def test_reduction_feeds_a_wider_loop():
    x = numbers(N, N)
    a = np.array(x.tolist(), dtype=np.float64)
    y = (x - x.mean(1, keepdim=True)) / (x - x.mean(1, keepdim=True)).pow(2).mean().sqrt()
    centred = a - a.mean(1, keepdims=True)
    assert np.allclose(y.numpy(), centred / np.sqrt((centred**2).mean()), rtol=1e-4, atol=1e-5)


def test_shared_work_is_computed_with_its_siblings():
    x = numbers(N, N)
    a = np.array(x.tolist(), dtype=np.float64)
    e = x.exp()
    rows, cols, total = e.sum(1), e.sum(0), (e * 2).sum()
    assert all(map(_core.is_pending, (rows, cols, total)))
    total.item()
    assert not any(map(_core.is_pending, (rows, cols)))
    assert np.allclose(rows.numpy(), np.exp(a).sum(1), rtol=1e-5)
    assert np.allclose(cols.numpy(), np.exp(a).sum(0), rtol=1e-5)


def test_long_chains_are_cut():
    x = numbers(N, N)
    y = x
    for _ in range(1000):
        y = y * 0.999 + 0.001
    a = np.array(x.tolist(), dtype=np.float64)
    assert np.allclose(y.numpy(), (a - 1) * 0.999**1000 + 1, rtol=1e-3, atol=1e-4)


def test_doubling_does_not_explode():
    y = numbers(N, N) * 1e-9
    for _ in range(60):
        y = y + y
    assert np.isfinite(y.numpy()).all()


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 1), (1, 2), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("shape", [(3, 5000, 2), (40, 3, 300), (2, 2, 9000), (9000, 2, 2)])
def test_reductions_over_any_axes(shape, axis):
    x = numbers(*shape)
    a = np.array(x.tolist(), dtype=np.float64)
    y = x * 2 + 1
    assert np.allclose(y.sum(axis).numpy(), (a * 2 + 1).sum(axis), rtol=1e-5, atol=1e-3)
    assert np.allclose((x * 2).amax(axis).numpy(), (a * 2).max(axis))
    z = torch.tensor(a.astype(np.float32)).transpose(0, 2)
    want = np.tanh(a.astype(np.float32).transpose(2, 1, 0)).sum(axis)
    assert np.allclose(z.tanh().sum(axis).numpy(), want, rtol=1e-5, atol=2e-3)


PROGRAM = """
import sys
import rushlight as torch
torch.set_num_threads(int(sys.argv[1]))
def wave(*shape):
    n = 1
    for s in shape: n *= s
    return (torch.arange(n, dtype=torch.float32) * 0.7).sin().reshape(shape)
x, t = wave(96, 210), wave(96, 12)
w1 = (wave(130, 210) * 0.1).requires_grad_()
b1 = (wave(130) * 0.1).requires_grad_()
w2 = (wave(12, 130) * 0.1).requires_grad_()
big, scale = wave(300, 400), (wave(400) * 0.5).requires_grad_()
shift = (wave(300, 1) * 0.5).requires_grad_()
params = [w1, b1, w2, scale, shift]
for _ in range(3):
    h = torch.tanh(x @ w1.t() + b1)
    loss = ((h @ w2.t() - t) ** 2).mean() + torch.sigmoid(big * scale + shift).exp().mean()
    loss.backward()
    with torch.no_grad():
        for p in params:
            p -= 0.1 * p.grad
            p.grad = None
import hashlib
digest = hashlib.sha256()
for p in params: digest.update(p.detach().numpy().tobytes())
print(digest.hexdigest(), loss.item())
"""


def run(threads, **environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(threads)],
        env=dict(os.environ, **environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_same_bits_for_any_number_of_threads():
    first = run(1)
    assert [run(n) for n in (2, 3, 4)] == [first] * 3


def test_eager_and_deferred_agree():
    deferred, eager = run(2), run(2, RUSHLIGHT_EAGER="1")
    assert float(deferred[1]) == pytest.approx(float(eager[1]), rel=1e-6)


def test_writes_in_place_reach_memory_that_others_see_at_once() -> None:
    x, y = torch.ones(100_000), torch.ones(100_000)
    seen, other = x.numpy(), y.numpy()
    x.add_(y)
    other[:] = 5  # too late for what has been added
    assert seen[0] == seen[-1] == 2
    x.mul_(x.flip(0)).sub_(y)
    seen[:] += 1
    assert (x == 0).all()
    with pytest.raises(RuntimeError, match="shape"):
        x[:50_000].add_(y)
    later = y + 1
    other[:] = 7
    assert later.max() == 6
