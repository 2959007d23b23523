"""rushlight.multiprocessing: shared memory, tensors in queues, spawn."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import rushlight as rl
from rushlight import multiprocessing as mp

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def fork(function, *args):
    """Runs a function in a forked process and waits for it."""
    process = mp.get_context("fork").Process(target=function, args=args)
    process.start()
    process.join(20)
    assert process.exitcode == 0


# ---------------------------------------------------------------------------- shared memory


def test_shared_memory_is_seen_by_forked_processes():
    plain, shared = rl.zeros(3), rl.zeros(3)
    assert not shared.is_shared()
    assert shared.share_memory_() is shared and shared.is_shared() and not plain.is_shared()
    fork(lambda: (plain.add_(1), shared.add_(1)))
    assert plain.tolist() == [0, 0, 0] and shared.tolist() == [1, 1, 1]


def test_geometry_and_values_stay():
    x = rl.arange(24.0).reshape(4, 6)
    for view in (x.t(), x[1:, ::2], x.int()[2], x.expand(2, 4, 6), x[:0], rl.tensor(3 + 1j)):
        before = view.clone()
        shared = view.detach().share_memory_()
        assert rl.equal(shared, before) and shared.stride() == view.stride()
        assert shared.dtype == before.dtype and shared.storage_offset() == view.storage_offset()


def test_modules():
    model = rl.nn.Linear(2, 2)
    optimizer = rl.optim.SGD(model.parameters(), 0.1)
    assert model.share_memory() is model
    assert all(p.is_shared() and p.is_leaf and p.requires_grad for p in model.parameters())

    def train():
        model(rl.ones(1, 2)).sum().backward()
        optimizer.step()

    before = model.weight.detach().clone()
    fork(train)
    assert rl.allclose(model.weight, before - 0.1)


def test_shared_memory_is_given_back():
    def count():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    rl.ones(1000).share_memory_()
    before = count()
    for _ in range(20):
        rl.ones(1000).share_memory_()
    assert count() == before


# ---------------------------------------------------------------------------------- queues


def answer(inbox, outbox):
    """Fills what comes with 7, and sends back a sum and a parameter."""
    for x in iter(inbox.get, None):
        x.fill_(7)
        outbox.put((x.sum().detach(), rl.nn.Parameter(rl.ones(2)), x.is_shared()))


def test_tensors_in_queues_are_shared():
    context = mp.get_context("fork")
    inbox, outbox = context.Queue(), context.Queue()
    process = context.Process(target=answer, args=(inbox, outbox))
    process.start()
    x = rl.arange(6.0).reshape(2, 3)
    for sent in (x, x[:, 1]):
        inbox.put(sent)
        total, parameter, shared = outbox.get(timeout=20)
        assert shared and sent.is_shared() and total.item() == 7 * sent.numel()
        assert (sent == 7).all()
        assert type(parameter) is rl.nn.Parameter and parameter.requires_grad
    inbox.put(None)
    process.join(20)
    assert process.exitcode == 0


def test_pipes_and_empty_tensors():
    ours, theirs = mp.get_context("fork").Pipe()
    ours.send([rl.zeros(0, 3), rl.ones(2)])
    empty, ones = theirs.recv()
    assert empty.shape == (0, 3) and ones.tolist() == [1, 1] and ones.is_shared()


def test_tensors_with_history_are_refused():
    ours, _ = mp.get_context("fork").Pipe()
    with pytest.raises(RuntimeError, match="history"):
        ours.send(rl.ones(2, requires_grad=True) * 2)


def test_pickle_itself_copies():
    x = rl.ones(3).share_memory_()
    copy = pickle.loads(pickle.dumps(x))
    copy.zero_()
    assert x.tolist() == [1, 1, 1] and not copy.is_shared()


# -------------------------------------------------------------------------- several processes


def test_start_processes():
    totals = rl.zeros(3).share_memory_()

    def add(i, amount):
        totals[i] += amount * (i + 1)

    assert mp.start_processes(add, (2,), nprocs=3, start_method="fork") is None
    assert totals.tolist() == [2, 4, 6]
    context = mp.start_processes(add, (1,), nprocs=3, join=False, start_method="fork")
    assert len(context.pids()) == 3
    while not context.join(timeout=10):
        pass
    assert totals.tolist() == [3, 6, 9] and context.join()


def test_errors_of_processes():
    def fail(i):
        if i == 1:
            raise ValueError("wrong number")
        time.sleep(30)

    start = time.monotonic()
    with pytest.raises(mp.ProcessRaisedException, match="(?s)Process 1.*wrong number") as found:
        mp.start_processes(fail, nprocs=2, start_method="fork")
    assert found.value.error_index == 1 and "in fail" in found.value.msg
    assert time.monotonic() - start < 10
    with pytest.raises(mp.ProcessExitedException, match="exit code 3") as exited:
        mp.start_processes(lambda i: os._exit(3), start_method="fork")
    assert exited.value.exit_code == 3 and exited.value.signal_name is None
    with pytest.raises(mp.ProcessExitedException, match="SIGKILL") as killed:
        mp.start_processes(lambda i: os.kill(os.getpid(), signal.SIGKILL), start_method="fork")
    assert killed.value.signal_name == "SIGKILL" and killed.value.exit_code == -9
    assert pickle.loads(pickle.dumps(killed.value)).signal_name == "SIGKILL"


def test_spawn(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(
        textwrap.dedent("""
            import rushlight as torch
            import rushlight.multiprocessing as mp

            def add(i, total):
                total[i] += i + 1

            if __name__ == "__main__":
                total = torch.zeros(2)
                mp.spawn(add, (total,), nprocs=2)
                print(total.tolist(), total.is_shared())
        """)
    )
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("[1.0, 2.0] True\n", "")


def test_the_module_is_pythons():
    import multiprocessing

    assert mp.get_context is multiprocessing.get_context and mp.Queue is not None
    assert set(multiprocessing.__all__) <= set(mp.__all__)
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
    mp.set_sharing_strategy("file_system")
    mp.set_sharing_strategy("file_descriptor")
    with pytest.raises(AssertionError, match="carrier"):
        mp.set_sharing_strategy("carrier pigeon")
