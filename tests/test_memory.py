"""Memory stays flat: nothing grows with the number of steps or the shapes that came by."""

import gc
import os
import random
import subprocess
import sys

import pytest

import rushlight as torch

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def resident() -> int:
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * PAGE


def training_step(rng: random.Random) -> None:
    rows, width, hidden = rng.randint(1, 200), rng.randint(1, 150), rng.randint(1, 150)
    x = torch.ones(rows, width) * 0.5
    w = torch.full((hidden, width), 0.01).requires_grad_()
    b = torch.zeros(hidden).requires_grad_()
    h = torch.tanh(x @ w.t() + b)
    loss = (h * h - h.mean()).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        b.sub_(b.grad, alpha=0.1)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc/self/statm")
def test_resident_size_is_flat_over_random_shapes():
    rng = random.Random(0)
    for _ in range(1500):
        training_step(rng)
    gc.collect()
    before = resident()
    for _ in range(6000):
        training_step(rng)
    gc.collect()
    assert resident() - before < 24 * 2**20


def test_steps_leave_no_objects_behind():
    rng = random.Random(1)
    for _ in range(20):
        training_step(rng)
    gc.collect()
    before = sum(isinstance(o, torch.Tensor) for o in gc.get_objects())
    gc.disable()  # reference counts alone must do
    try:
        for _ in range(200):
            training_step(rng)
        after = sum(isinstance(o, torch.Tensor) for o in gc.get_objects())
    finally:
        gc.enable()
    assert after <= before


def test_import_loads_nothing_heavy():
    code = (
        "import sys, rushlight; "
        "heavy = {'numpy', 'scipy', 'torch', 'jax', 'inspect', 'dataclasses', 'logging', "
        "'asyncio'}; "
        "print(sorted(heavy & set(sys.modules)), 'rushlight.nn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]
