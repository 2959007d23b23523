"""Worker processes of DataLoader: order, seeds, transport, errors, and every way to die."""

from __future__ import annotations

import gc
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections import namedtuple
from multiprocessing import forkserver, resource_tracker
from pathlib import Path

import numpy as np
import pytest

import rushlight as rl
from rushlight.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    TensorDataset,
    get_worker_info,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
FORK = {"multiprocessing_context": "fork"}


class Numbers(Dataset):
    """Sample i is `make(i)`."""

    def __init__(self, length, make=lambda i: i):
        self.length = length
        self.make = make

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        return self.make(i)


def children() -> list[int]:
    """Processes that this one started and nobody has waited for.

    Without those that multiprocessing keeps for good, of which Python 3.14 starts one by default.
    """
    kept = {forkserver._forkserver._forkserver_pid, resource_tracker._resource_tracker._pid}
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"PPid:\t{os.getpid()}\n" in status.read_text():
                found.append(int(status.parent.name))
        except OSError:  # it has just ended
            pass
    return [pid for pid in found if pid not in kept]


@pytest.fixture(autouse=True)
def nothing_stays():
    """No process and no descriptor is left behind by any of these tests."""
    before = set(children()), len(os.listdir("/proc/self/fd"))
    yield
    gc.collect()
    assert set(children()) <= before[0]
    # The resource tracker's, and that of Python 3.14's fork server.
    assert len(os.listdir("/proc/self/fd")) <= before[1] + (2 if sys.version_info >= (3, 14) else 1)


# ------------------------------------------------------------------------------- what arrives


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"prefetch_factor": 5}, {"persistent_workers": True}])
def test_order_is_that_of_the_sampler(workers, options):
    loader = DataLoader(Numbers(23), 4, num_workers=workers, **options, **FORK)
    assert len(loader) == 6
    for _ in range(2):
        assert [b.tolist() for b in loader] == [list(range(23))[i : i + 4] for i in range(0, 23, 4)]


def test_slow_workers_do_not_change_the_order():
    def slow(i):
        time.sleep(0.02 if get_worker_info().id == 0 else 0)
        return i

    assert [b.item() for b in DataLoader(Numbers(8, slow), num_workers=2, **FORK)] == list(range(8))


def test_out_of_order_gives_what_is_finished():
    def slow(i):
        time.sleep(0.5 if i == 0 else 0)
        return i

    loader = DataLoader(Numbers(8, slow), num_workers=2, in_order=False, **FORK)
    found = [b.item() for b in loader]
    assert sorted(found) == list(range(8)) and found[0] != 0


def test_shuffling_is_the_same_with_workers():
    data = TensorDataset(rl.arange(30), rl.rand(30, 2))
    found = []
    for workers in (0, 2):
        rl.manual_seed(5)
        loader = DataLoader(data, 4, shuffle=True, num_workers=workers)
        found.append([[x.tolist(), y.tolist()] for _ in range(2) for x, y in loader])
        found[-1].append(rl.rand(1).item())
    assert found[0] == found[1]


Pair = namedtuple("Pair", "x y")


def test_all_kinds_of_data_arrive():
    weight = rl.nn.Parameter(rl.ones(2))
    strange = rl.arange(6.0).reshape(2, 3).t()
    strange.note = "kept"
    sent = {
        "empty": rl.zeros(0, 3),
        "scalar": rl.tensor(2.5, dtype=rl.float64),
        "half": rl.ones(5, dtype=rl.bfloat16),
        "bool": rl.tensor([True, False]),
        "complex": rl.tensor([1 + 2j]),
        "large": rl.arange(300_000).reshape(3, -1),
        "many": [rl.full((3,), i) for i in range(700)],
        "array": np.arange(100_000.0).reshape(10, -1).T,
        "text": "x" * 100_000,
        "pair": Pair(1, "two"),
        "strange": strange,
        "weight": weight,
    }
    (got,) = DataLoader(Numbers(1, lambda i: sent), None, num_workers=1, **FORK)
    for name in ("empty", "scalar", "half", "bool", "complex", "large", "strange"):
        assert got[name].dtype == sent[name].dtype and rl.equal(got[name], sent[name]), name
    assert got["strange"].note == "kept"
    assert all(rl.equal(a, b) for a, b in zip(got["many"], sent["many"], strict=True))
    assert np.array_equal(got["array"], sent["array"])
    assert got["text"] == sent["text"] and got["pair"] == sent["pair"]
    assert type(got["pair"]) is Pair
    assert type(got["weight"]) is rl.nn.Parameter and got["weight"].requires_grad
    got["array"][0] = got["large"][0] = 7  # both are ours to write to


def test_a_batch_is_not_overwritten_by_the_next():
    make = lambda i: rl.full((50_000,), i)  # noqa: E731
    batches = list(DataLoader(Numbers(12, make), num_workers=2, persistent_workers=True, **FORK))
    assert [b.unique().tolist() for b in batches] == [[i] for i in range(12)]


def test_tensors_with_history_are_refused():
    weight = rl.ones(3, requires_grad=True)
    loader = DataLoader(Numbers(2, lambda i: weight * i), num_workers=1, **FORK)
    with pytest.raises(RuntimeError, match="history"):
        list(loader)


def test_tasks_larger_than_a_socket_holds():
    """Neither end may wait for the other to read."""

    class Batches(Dataset):
        def __getitems__(self, indices):
            return [len(indices), "y" * 50_000]

    sampler = [list(range(60_000))] * 40
    loader = DataLoader(
        Batches(),
        batch_sampler=sampler,
        num_workers=2,
        prefetch_factor=20,
        collate_fn=lambda samples: samples,
        **FORK,
    )
    assert all(batch == [60_000, "y" * 50_000] for batch in loader)


# ---------------------------------------------------------------------------- what workers know


def test_worker_info_and_seeds():
    def about(i):
        info = get_worker_info()
        return (info.id, info.num_workers, info.seed, len(info.dataset), rl.initial_seed())

    rl.manual_seed(3)
    found = list(DataLoader(Numbers(4, about), None, num_workers=2, **FORK))
    rl.manual_seed(3)
    base = rl.empty((), dtype=rl.int64).random_().item()
    assert found == [[i % 2, 2, base + i % 2, 4, base + i % 2] for i in range(4)]
    assert get_worker_info() is None


def test_generators_of_workers():
    def draw(i):
        return rl.rand(1).item(), random.random(), np.random.rand()

    rl.manual_seed(3)
    found = list(DataLoader(Numbers(2, draw), None, num_workers=2, **FORK))
    rl.manual_seed(3)
    base = rl.empty((), dtype=rl.int64).random_().item()
    for worker in range(2):
        generator = rl.Generator()
        generator.manual_seed(base + worker)
        expected = [rl.rand(1, generator=generator).item(), random.Random(base + worker).random()]
        assert found[worker][:2] == expected
    assert len({value for row in found for value in row}) == 6


def test_worker_init_fn():
    seen = []
    loader = DataLoader(
        Numbers(4, lambda i: list(seen)), None, num_workers=2, worker_init_fn=seen.append, **FORK
    )
    assert list(loader) == [[0], [1], [0], [1]]
    assert seen == []


def test_an_error_in_worker_init_fn():
    def fail(worker):
        raise OSError(f"no disk in {worker}")

    with pytest.raises(OSError, match="no disk in 0"):
        list(DataLoader(Numbers(4), num_workers=2, worker_init_fn=fail, **FORK))


def test_workers_compute():
    """Thread pool and BLAS work in a forked process, also if the parent used both before."""
    x = rl.rand(300, 300)
    expected = x @ x + x.exp()
    make = lambda i: x @ x + x.exp()  # noqa: E731
    (found,) = DataLoader(Numbers(1, make), None, num_workers=1, **FORK)
    assert rl.equal(found, expected)
    (threads,) = DataLoader(Numbers(1, lambda i: rl.get_num_threads()), None, num_workers=1, **FORK)
    assert threads == 1


# ------------------------------------------------------------------------------------ streams


class Stream(IterableDataset):
    def __init__(self, length, claimed=None):
        self.length = length
        self.claimed = claimed

    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id, self.length, info.num_workers))

    def __len__(self):
        return self.length if self.claimed is None else self.claimed


@pytest.mark.parametrize("persistent", [False, True])
def test_streams(persistent):
    loader = DataLoader(Stream(7), 2, num_workers=2, persistent_workers=persistent, **FORK)
    for _ in range(2):
        assert [b.tolist() for b in loader] == [[0, 2], [1, 3], [4, 6], [5]]


def test_streams_of_unequal_length():
    loader = DataLoader(Stream(2), 1, num_workers=2, drop_last=True, prefetch_factor=1, **FORK)
    assert [b.item() for b in loader] == [0, 1]
    assert list(DataLoader(Stream(0), 1, num_workers=2, **FORK)) == []


def test_a_stream_longer_than_it_says():
    loader = DataLoader(Stream(4, claimed=2), None, num_workers=2, **FORK)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2.*get_worker_info"):
        assert list(loader) == [0, 1, 2, 3]


# -------------------------------------------------------------------------------- when it fails


class TwoArguments(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("five"), ValueError),
        (KeyError("five"), KeyError),
        (TwoArguments("five", 2), RuntimeError),
    ],
)
def test_errors_come_with_their_traceback(error, kind):
    def fail(i):
        if i == 3:
            raise error
        return i

    loader = DataLoader(Numbers(5, fail), num_workers=2, **FORK)
    batches = iter(loader)
    assert [next(batches).item() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(kind) as found:
        next(batches)
    text = str(found.value)
    assert "in DataLoader worker process 1" in text and "raise error" in text
    assert f"{type(error).__name__}" in text and "\n" in text
    assert next(batches).item() == 4


def test_what_cannot_be_pickled_is_an_error():
    loader = DataLoader(Numbers(2, lambda i: lambda: i), None, num_workers=1, **FORK)
    errors = (AttributeError, RuntimeError, TypeError, pickle.PicklingError)  # from Python 3.14 on
    with pytest.raises(errors, match="pickle"):
        list(loader)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_killed_worker_is_named(number):
    def die(i):
        if i == 4:
            signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
            os.kill(os.getpid(), number)
            time.sleep(10)
        return i

    start = time.monotonic()
    with pytest.raises(RuntimeError, match=rf"worker \(pid \d+\).*{number.name}"):
        list(DataLoader(Numbers(9, die), num_workers=2, **FORK))
    assert time.monotonic() - start < 5


def test_a_worker_killed_from_outside_while_idle():
    loader = DataLoader(Numbers(6), num_workers=1, persistent_workers=True, **FORK)
    batches = iter(loader)
    next(batches)
    (pid,) = {worker.process.pid for worker in batches._workers}
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=f"pid {pid}.*SIGKILL"):
        list(batches)


def test_a_worker_that_exits():
    def leave(i):
        os._exit(3)

    with pytest.raises(RuntimeError, match="exit status 3"):
        list(DataLoader(Numbers(3, leave), num_workers=1, **FORK))


def test_timeout():
    def wait(i):
        time.sleep(2 if i else 0)
        return i

    start = time.monotonic()
    batches = iter(DataLoader(Numbers(3, wait), num_workers=1, timeout=0.2, **FORK))
    assert next(batches).item() == 0
    with pytest.raises(RuntimeError, match=r"timed out after 0\.2 seconds"):
        next(batches)
    assert time.monotonic() - start < 1.5


def test_leaving_a_pass_early():
    loader = DataLoader(Numbers(100), num_workers=2, **FORK)
    for batch in loader:
        if batch.item() == 3:
            break
    kept = DataLoader(Numbers(10), num_workers=2, persistent_workers=True, **FORK)
    for batch in kept:
        if batch.item() == 3:
            break
    assert [b.item() for b in kept] == list(range(10))


def test_loaders_side_by_side():
    """Later workers hold copies of the connections of earlier ones; that must not keep them."""
    one = DataLoader(Numbers(9), num_workers=2, persistent_workers=True, **FORK)
    two = DataLoader(Numbers(9), num_workers=2, persistent_workers=True, **FORK)
    for a, b in zip(one, two, strict=True):
        assert a.item() == b.item()
    start = time.monotonic()
    del one, a
    assert time.monotonic() - start < 2
    assert [b.item() for b in two] == list(range(9))


def test_more_workers_than_processors_warns():
    with pytest.warns(UserWarning, match="1000 worker processes"):
        DataLoader(Numbers(1), num_workers=1000)


# ------------------------------------------------------------------------- whole programs


def run(code: str, path: Path, **options) -> subprocess.Popen:
    script = path / "program.py"
    script.write_text(code)
    return subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


PROGRAM = """
import os, sys, time
import rushlight as torch
from rushlight.utils.data import DataLoader, Dataset, get_worker_info

class Data(Dataset):
    def __len__(self): return 12
    def __getitem__(self, i):
        time.sleep({sleep})
        return torch.full((20_000,), i), os.getpid(), torch.rand(1)

if __name__ == "__main__":
    torch.manual_seed(0)
    loader = DataLoader(Data(), 2, num_workers=2, {options})
    for epoch in range(2):
        for x, pid, noise in loader:
            print(x[:, 0].tolist(), noise.tolist(), *set(pid.tolist()), sep=";", flush=True)
{end}
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_ways_to_start(method, tmp_path):
    options = f"multiprocessing_context={method!r}, persistent_workers=True"
    done = run(PROGRAM.format(sleep=0, options=options, end=""), tmp_path)
    out, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, "")
    lines = [line.split(";") for line in out.splitlines()]
    assert [line[0] for line in lines] == [str([i, i + 1]) for i in range(0, 12, 2)] * 2
    assert len({line[2] for line in lines}) == 2
    alone = PROGRAM.format(sleep=0, options="persistent_workers=True", end="")
    other, _ = run(alone, tmp_path).communicate(timeout=60)
    assert [line.split(";")[1] for line in other.splitlines()] == [line[1] for line in lines]


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def workers_of(program: subprocess.Popen) -> list[int]:
    pids: set[int] = set()
    while len(pids) < 2:
        pids.add(int(program.stdout.readline().split(";")[2]))
    return sorted(pids)


def wait_until_gone(pids: list[int], seconds: float) -> None:
    end = time.monotonic() + seconds
    while any(map(alive, pids)):
        assert time.monotonic() < end, f"{pids} are still there"
        time.sleep(0.05)


def test_ctrl_c(tmp_path):
    """The whole group gets the signal, as in a terminal: one traceback, of the main process."""
    program = run(PROGRAM.format(sleep=0.05, options="", end=""), tmp_path)
    pids = workers_of(program)
    os.killpg(program.pid, signal.SIGINT)
    _, err = program.communicate(timeout=20)
    assert program.returncode == -signal.SIGINT
    assert err.count("Traceback") == 1 and err.strip().endswith("KeyboardInterrupt")
    wait_until_gone(pids, 2)


def test_workers_go_with_the_main_process(tmp_path):
    program = run(PROGRAM.format(sleep=0.05, options="", end=""), tmp_path)
    pids = workers_of(program)
    program.kill()
    program.communicate(timeout=20)
    wait_until_gone(pids, 8)


@pytest.mark.parametrize("options", ["", "persistent_workers=True"])
def test_leaving_python_in_the_middle(options, tmp_path):
    end = "            held = iter(loader); next(held); sys.exit(5)"
    program = run(PROGRAM.format(sleep=0.01, options=options, end=end), tmp_path)
    _, err = program.communicate(timeout=20)
    assert (program.returncode, err) == (5, "")
