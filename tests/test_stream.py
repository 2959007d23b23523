"""Kernels that run behind Python (csrc/runtime/stream.h) must never be seen but by a clock."""

import gc
import os
import random
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import rushlight as torch
from rushlight import _core, nn

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU: no stream")


@pytest.fixture(autouse=True)
def two_threads():
    before, eager = torch.get_num_threads(), _core.is_eager()
    torch.set_num_threads(2)
    _core.set_eager(False)
    _core.hand_over_always(True)  # on a busy machine it would not pay
    yield
    _core.hand_over_always(False)
    torch.set_num_threads(before)
    _core.set_eager(eager)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 5)
    )


def train(steps=300, look=lambda step: False, optimizer=torch.optim.Adam, criterion=None):
    """All parameters and looked-at losses of a small classifier."""
    model = network()
    inputs, target = torch.randn(64, 6), torch.randint(0, 5, (64,))
    if isinstance(criterion, nn.MSELoss):
        target = torch.randn(64, 5)
    criterion = criterion or nn.CrossEntropyLoss()
    updates = optimizer(model.parameters(), lr=1e-2)
    seen = []
    for step in range(steps):
        updates.zero_grad()
        loss = criterion(model(inputs), target)
        loss.backward()
        updates.step()
        if look(step):
            seen.append(loss.item())
    return [p.detach().clone() for p in model.parameters()], seen


def one_by_one(make):
    _core.set_eager(True)
    try:
        return make()
    finally:
        _core.set_eager(False)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def launched(make):
    """make() until kernels ran behind it: the thread may be asleep, or without a processor."""
    before = _core.kernels_behind()
    for _ in range(100):
        result = make()
        if _core.kernels_behind() > before + 50:
            return result
        time.sleep(0.01)
    pytest.fail("no kernel ran behind its caller")


@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss(), nn.MSELoss()], ids=["ce", "mse"])
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop])
def test_training_has_the_bits_of_eager_mode(optimizer, criterion):
    expected = one_by_one(lambda: train(optimizer=optimizer, criterion=criterion))
    assert same(launched(lambda: train(optimizer=optimizer, criterion=criterion))[0], expected[0])


def test_a_look_at_any_moment_sees_the_finished_value():
    rng = random.Random(1)
    moments = {step for step in range(400) if rng.random() < 0.05}
    expected = one_by_one(lambda: train(400, moments.__contains__))
    got = launched(lambda: train(400, moments.__contains__))
    assert got[1] == expected[1] and same(got[0], expected[0])


def test_with_eager_mode_or_one_thread_there_is_no_stream():
    before = _core.kernels_behind()
    one_by_one(train)
    torch.set_num_threads(1)
    train(1000)
    assert _core.kernels_behind() == before


def busy():
    """Keeps the thread awake: some 40 kernels of a few microseconds each."""
    x = torch.full((40, 40), 0.5)
    for _ in range(40):
        x = torch.tanh(x @ x)
    return x


def random_program(seed, steps=400):
    """Small operations of all kinds: fresh, in place, views, freed at once, looked at."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    values = [torch.randn(rng.choice([1, 8, 40]), 40) for _ in range(6)]
    sums = []
    for _ in range(steps):
        i, j = rng.randrange(6), rng.randrange(6)
        a, b = values[i], values[j]
        kind = rng.randrange(12)
        if kind == 0:
            values[i] = torch.tanh(a)
        elif kind == 1:
            values[i] = torch.tanh(a @ torch.tanh(b[:1].expand(40, 40)))
        elif kind == 2:
            values[i] = (a * 0.5 + b[:1] * 0.25).sigmoid()
        elif kind == 3:
            a.mul_(0.5).add_(b[:1])
        elif kind == 4:
            a[:, 3:9] = b[:1, 10:16]
        elif kind == 5:
            sums.append(float(a.sum()))
        elif kind == 6:
            values[i] = torch.softmax(a, dim=-1) - a.mean(dim=0, keepdim=True)
        elif kind == 7:
            values[i] = torch.cat([a, b])[: rng.choice([1, 8, 40])].exp().clamp(max=3.0)
        elif kind == 8:
            values[i] = a.t().contiguous().t().tanh() if rng.random() < 0.5 else a.double().float()
        elif kind == 9:
            values[i] = torch.nn.functional.layer_norm(a, (40,)) + torch.rand(len(a), 40)
        elif kind == 10:
            view = a.numpy() if rng.random() < 0.3 else None
            values[i] = torch.where(a > b[:1], a, b[:1]).cos()
            if view is not None:
                sums.append(float(view[0, 0]))
        else:
            values[i] = torch.zeros(8, 40).addmm_(torch.tanh(b[:1]).expand(8, 40), torch.eye(40))
    return sums + [float(v.double().sum()) for v in values], [v.clone() for v in values]


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_have_the_bits_of_eager_mode(seed):
    expected = one_by_one(lambda: random_program(seed))
    busy()
    got = random_program(seed)
    assert got[0] == expected[0] and same(got[1], expected[1])


def test_random_programs_run_behind():
    launched(lambda: (busy(), random_program(0)))


def test_memory_that_numpy_sees_is_never_late():
    def run():
        x = torch.zeros(40, 40)
        seen = x.numpy()
        for step in range(1, 200):
            y = torch.tanh(x + 1) @ torch.eye(40)
            x.copy_(y)
            x.fill_(float(step))
            assert seen[0, 0] == seen[-1, -1] == step
        return True

    busy()
    run()


def test_a_numpy_view_waits_for_the_kernels_before_it():
    for _ in range(200):
        x = busy()
        expected = np.asarray(x.tolist(), dtype=np.float32)
        assert np.array_equal(x.numpy(), expected)


def test_memory_is_not_used_again_before_its_kernel_has_ended():
    a = torch.randn(40, 40)
    expected = one_by_one(lambda: torch.tanh(a @ a).sum().item())
    for step in range(300):
        kept = torch.tanh(a @ a)
        for _ in range(3):
            torch.tanh(kept @ a)  # freed at once
        marks = [torch.full((40, 40), float(step)) for _ in range(4)]
        assert all(mark.tolist()[0][0] == step for mark in marks)
        assert kept.sum().item() == expected


def test_memory_goes_back_to_the_system_with_kernels_under_way():
    for _ in range(50):
        x = busy()
        del x
        torch.cuda.empty_cache()
        gc.collect()


def test_two_python_threads():
    expected = one_by_one(train)
    results = [None] * 3

    def product_chain(seed):
        generator = torch.Generator().manual_seed(seed)
        w = torch.randn(40, 40, generator=generator) / 7
        x = torch.randn(40, 40, generator=generator)
        for _ in range(1000):
            x = torch.tanh(x @ w + 0.1)
        return x

    def run(seed):
        results[seed] = product_chain(seed)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chains = one_by_one(lambda: [product_chain(seed) for seed in range(3)])
    assert same(results, chains)
    assert same(train()[0], expected[0])


def test_the_number_of_threads_may_change_under_way():
    expected = one_by_one(lambda: busy())
    for threads in (1, 2, 3, 1, 2):
        x = busy()
        torch.set_num_threads(threads)
        assert torch.equal(x, expected)
        assert torch.equal(busy(), expected)


def test_errors_are_raised_by_the_call():
    x = busy()
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        x @ torch.ones(3, 3)
    with pytest.raises(IndexError, match="out of bounds"):
        torch.nn.functional.cross_entropy(x, torch.full((40,), 77))


def test_synchronize_waits_for_all():
    x = busy()
    torch.cpu.synchronize()
    assert torch.equal(x, one_by_one(busy))


CHILD = """
import os, rushlight as torch
torch.set_num_threads(2)
def busy():
    x = torch.full((40, 40), 0.5)
    for _ in range(400):
        x = torch.tanh(x @ x)
    return x
x = busy()
"""


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", CHILD + code], capture_output=True, text=True, timeout=120
    )


def test_the_process_may_end_with_kernels_under_way():
    for ending in ("", "del x", "import sys; sys.exit(0)", "raise SystemExit(0)"):
        done = run_python(ending)
        assert done.returncode == 0 and done.stderr == "", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_computes():
    done = run_python(
        "for _ in range(20):\n"
        "    x = busy()\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os._exit(0 if torch.equal(busy(), x) else 3)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
        "    assert torch.equal(busy(), x)\n"
    )
    assert done.returncode == 0, done.stderr
