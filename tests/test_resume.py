"""Exact resume: a run that was stopped and went on ends with the bits of one that was not."""

from __future__ import annotations

import copy
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import rushlight as rl
from rushlight.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from rushlight.utils.data.worker_info import get_worker_info
from rushlight.utils.resume import load_run, save_run

EPOCHS = 3
ROWS = TensorDataset(rl.arange(22.0), rl.arange(22))


class Noisy(Dataset):
    """Samples that depend on every generator there is, in whatever process they are made."""

    def __init__(self):
        self.rng = random.Random(5)
        self.numpy_rng = np.random.default_rng(6)

    def __len__(self):
        return 22

    def __getitem__(self, i):
        own = self.rng.random() + self.numpy_rng.random()
        return i + rl.rand(()).item() + random.random() + np.random.rand() + own


class Stream(IterableDataset):
    """Each worker reads its own share; shares are of different lengths."""

    def __init__(self, noisy=False):
        self.noisy = noisy

    def __iter__(self):
        info = get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        for i in range(first, 23, step):
            yield i + (random.random() if self.noisy else 0.0)


class Counting(IterableDataset):
    """A stream that knows where it is, and is never read twice."""

    def __init__(self):
        self.at = 0
        self.read = 0

    def __iter__(self):
        while self.at < 23:
            self.at += 1
            self.read += 1
            yield self.at
        self.at = 0

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


class Eager(Sampler):
    """Draws when iter() is called, from generators that nobody was told of."""

    def __init__(self):
        self.rng = np.random.default_rng(3)

    def __iter__(self):
        order = rl.randperm(22).tolist()
        self.rng.shuffle(order)
        random.shuffle(order)
        return iter(order)

    def __len__(self):
        return 22


class Changing(Sampler):
    """Another order in each pass, and a state of its own."""

    def __init__(self):
        self.passes = 0

    def __iter__(self):
        self.passes += 1
        return iter([[(i * self.passes) % 22, i] for i in range(11)])

    def __len__(self):
        return 11

    def state_dict(self):
        return {"passes": self.passes}

    def load_state_dict(self, state):
        self.passes = state["passes"]


def generator():
    return rl.Generator().manual_seed(9)


LOADERS = {
    "in order": lambda **o: DataLoader(ROWS, 4, **o),
    "shuffled": lambda **o: DataLoader(ROWS, 4, shuffle=True, drop_last=True, **o),
    "shuffled by a generator": lambda **o: DataLoader(
        ROWS, 4, shuffle=True, generator=generator(), **o
    ),
    "single samples": lambda **o: DataLoader(ROWS, None, shuffle=True, **o),
    "replacement": lambda **o: DataLoader(
        ROWS, 3, sampler=RandomSampler(ROWS, True, 70, generator()), **o
    ),
    "subset": lambda **o: DataLoader(
        ROWS, 4, sampler=SubsetRandomSampler(list(range(3, 20)), generator()), **o
    ),
    "weighted": lambda **o: DataLoader(ROWS, 4, sampler=WeightedRandomSampler([1.0] * 22, 22), **o),
    "distributed": lambda **o: DataLoader(ROWS, 4, sampler=DistributedSampler(ROWS, 2, 1), **o),
    "eager": lambda **o: DataLoader(ROWS, 4, sampler=Eager(), **o),
    "batch sampler": lambda **o: DataLoader(
        ROWS, batch_sampler=BatchSampler(RandomSampler(ROWS), 5, False), **o
    ),
    "eager batches": lambda **o: DataLoader(ROWS, batch_sampler=EagerBatches(), **o),
    "sampler with a state": lambda **o: DataLoader(ROWS, batch_sampler=Changing(), **o),
    "noisy": lambda **o: DataLoader(Noisy(), 4, shuffle=True, **o),
    "stream": lambda **o: DataLoader(Stream(), 4, **o),
    "stream of samples": lambda **o: DataLoader(Stream(), None, **o),
    "stream with a state": lambda **o: DataLoader(Counting(), 4, **o),
}


class EagerBatches(Eager):
    def __iter__(self):
        order = list(super().__iter__())
        return iter([order[i : i + 4] for i in range(0, 22, 4)])

    def __len__(self):
        return 6


def plain(batch):
    if isinstance(batch, rl.Tensor):
        return batch.tolist()
    return [plain(part) for part in batch] if isinstance(batch, list) else batch


def draw():
    """What training draws from the global generators."""
    return rl.rand(1).item(), random.random(), np.random.rand()


def seed(value):
    rl.manual_seed(value)
    random.seed(value)
    np.random.seed(value)


def run(loader, path, stop=None, epoch=0, between=False):
    """(what was seen, whether it was stopped); stopped after `stop` batches, or passes."""
    seen, count = [], 0
    for number in range(epoch, EPOCHS):
        for batch in loader:
            seen.append((number, plain(batch), draw()))
            count += 1
            if stop == count and not between:
                save_run(path, loader=loader, epoch=number)
                return seen, True
        seen.append(draw())
        if between and stop == number + 1:
            save_run(path, loader=loader, epoch=number + 1)
            return seen, True
    return seen, False


def check(make, path, stop, between=False):
    seed(1)
    whole, _ = run(make(), path)
    seed(1)
    first, stopped = run(make(), path, stop, between=between)
    assert first == whole[: len(first)]
    assert stopped
    seed(77)
    loader = make()
    done = load_run(path, loader=loader)
    rest, _ = run(loader, path, epoch=done["epoch"])
    assert rest == whole[len(first) :]


@pytest.mark.parametrize("name", LOADERS)
def test_every_position(name, tmp_path):
    passes = len(list(LOADERS[name]()))
    for stop in sorted({1, 2, passes - 1, passes, passes + 1, 2 * passes + 2}):
        check(LOADERS[name], tmp_path / "run.pt", stop)
    check(LOADERS[name], tmp_path / "run.pt", 1, between=True)


WORKERS = [
    "shuffled by a generator",
    "replacement",
    "eager",
    "noisy",
    "stream",
    "stream of samples",
]


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("name", WORKERS)
def test_every_position_with_workers(name, persistent, tmp_path):
    def make():
        return LOADERS[name](
            num_workers=2, persistent_workers=persistent, multiprocessing_context="fork"
        )

    passes = len(list(make()))
    # In the second pass, persistent workers have a life behind them.
    for stop in {"noisy": (1, passes, passes + 2)}.get(name, (passes + 3,)):
        check(make, tmp_path / "run.pt", stop)
    check(make, tmp_path / "run.pt", 1, between=True)


def test_a_stream_with_a_state_is_not_read_again():
    loader = LOADERS["stream with a state"]()
    batches = iter(loader)
    first = [plain(next(batches)) for _ in range(3)]
    state = loader.state_dict()
    other = LOADERS["stream with a state"]()
    other.load_state_dict(state)
    rest = [plain(batch) for batch in other]
    assert [i for batch in first + rest for i in batch] == list(range(1, 24))
    assert other.dataset.read == 11


def test_workers_and_a_stream_with_a_state():
    loader = DataLoader(Counting(), 4, num_workers=1, multiprocessing_context="fork")
    batches = iter(loader)
    first = [plain(next(batches)) for _ in range(2)]
    other = DataLoader(Counting(), 4, num_workers=1, multiprocessing_context="fork")
    other.load_state_dict(loader.state_dict())
    assert [i for b in first + list(map(plain, other)) for i in b] == list(range(1, 24))
    assert [i for b in first + list(map(plain, batches)) for i in b] == list(range(1, 24))


def test_out_of_order_no_sample_is_lost():
    loader = DataLoader(ROWS, 2, num_workers=2, in_order=False, multiprocessing_context="fork")
    batches = iter(loader)
    first = [next(batches)[1].tolist() for _ in range(4)]
    other = DataLoader(ROWS, 2, num_workers=2, in_order=False, multiprocessing_context="fork")
    other.load_state_dict(loader.state_dict())
    rest = [batch[1].tolist() for batch in other]
    assert sorted(i for batch in first + rest for i in batch) == list(range(22))


def test_a_pass_goes_on_after_it_was_written_down():
    """state_dict() takes nothing away, with workers either."""
    for workers in (0, 2):
        context = "fork" if workers else None
        options = {"num_workers": workers, "multiprocessing_context": context}
        seed(3)
        wanted = [plain(batch) for batch in LOADERS["noisy"](**options)]
        seed(3)
        loader, seen = LOADERS["noisy"](**options), []
        for batch in loader:
            loader.state_dict()
            seen.append(plain(batch))
        assert seen == wanted


def test_after_break_the_next_pass_is_a_new_one():
    loader = DataLoader(ROWS, 4)
    for _ in loader:
        break
    assert not loader.state_dict()["in_pass"]
    batches = iter(loader)
    next(batches)
    assert loader.state_dict()["in_pass"]
    assert loader.state_dict()["yielded"] == 1
    list(batches)
    assert not loader.state_dict()["in_pass"]


def test_a_loaded_position_is_given_again():
    loader = DataLoader(ROWS, 4)
    batches = iter(loader)
    next(batches)
    other = DataLoader(ROWS, 4)
    other.load_state_dict(loader.state_dict())
    third = DataLoader(ROWS, 4)
    third.load_state_dict(other.state_dict())
    assert next(iter(third))[1].tolist() == [4, 5, 6, 7]
    assert len(list(other)) == 5  # the rest of this pass
    assert len(list(other)) == 6  # and a whole one


def test_loaders_are_copied_and_a_position_with_them():
    loader = DataLoader(ROWS, 4)
    batches = iter(loader)
    next(batches)
    other = copy.deepcopy(loader)
    other.load_state_dict(loader.state_dict())
    assert next(iter(other))[1].tolist() == [4, 5, 6, 7]


def test_positions_of_other_loaders_are_refused():
    state = DataLoader(ROWS, 4).state_dict()
    with pytest.raises(ValueError, match="batch_size=4, this one has batch_size=5"):
        DataLoader(ROWS, 5).load_state_dict(state)
    with pytest.raises(ValueError, match="samples"):
        DataLoader(TensorDataset(rl.ones(3)), 4).load_state_dict(state)
    with pytest.raises(ValueError, match="not one that state_dict"):
        DataLoader(ROWS, 4).load_state_dict({"epoch": 1})
    with pytest.raises(ValueError, match="generators of the kinds"):
        LOADERS["shuffled by a generator"]().load_state_dict(state)


# ---- whole runs


def make_parts():
    model = rl.nn.Sequential(
        rl.nn.Linear(3, 8), rl.nn.BatchNorm1d(8), rl.nn.Dropout(0.3), rl.nn.Linear(8, 1)
    )
    optimizer = rl.optim.AdamW(model.parameters(), lr=0.05)
    scheduler = rl.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            rl.optim.lr_scheduler.LinearLR(optimizer, total_iters=5),
            rl.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20),
        ],
        milestones=[5],
    )
    data = TensorDataset(rl.linspace(0, 1, 90).reshape(30, 3), rl.linspace(-1, 1, 30)[:, None])
    return {
        "model": model,
        "optimizer": optimizer,
        "scheduler": scheduler,
        "loader": DataLoader(data, 4, shuffle=True),
        "noise": random.Random(4),
    }


def train(parts, epoch, path, stop=None):
    step = 0
    for number in range(epoch, 3):
        for inputs, targets in parts["loader"]:
            noise = parts["noise"].random() + np.random.rand()
            loss = rl.nn.functional.mse_loss(parts["model"](inputs + noise), targets)
            parts["optimizer"].zero_grad()
            loss.backward()
            parts["optimizer"].step()
            parts["scheduler"].step()
            step += 1
            if step == stop:
                save_run(path, **parts, epoch=number, best=loss.item())
                return None
    return {name: value.tolist() for name, value in parts["model"].state_dict().items()}


@pytest.mark.parametrize("stop", [1, 7, 8, 9, 23])
def test_a_run_in_one_process(stop, tmp_path):
    path = tmp_path / "run.pt"
    seed(0)
    whole = train(make_parts(), 0, path)
    seed(0)
    assert train(make_parts(), 0, path, stop) is None
    seed(99)
    parts = make_parts()
    done = load_run(path, **parts)
    assert done.keys() == {"epoch", "best"}
    assert train(parts, done["epoch"], path) == whole


def test_numpy_is_put_back_where_it_is_loaded_late(tmp_path):
    path = tmp_path / "run.pt"
    np.random.seed(1)
    save_run(path)
    wanted = np.random.rand()
    code = f"""
        import sys
        from rushlight.utils.resume import load_run
        assert "numpy.random" not in sys.modules
        load_run({str(path)!r})
        import numpy
        print(numpy.random.rand())
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) == wanted


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    path = tmp_path / "run.pt"
    with pytest.raises(TypeError, match=r"best\[1\] is a numpy.float64.*item\(\)"):
        save_run(path, best=[1, np.float64(2)])
    with pytest.raises(TypeError, match="config is a .*Noisy"):
        save_run(path, config=Noisy())
    assert not path.exists()
    nested = {"a": [1, (2.0, None)], 3: {"x"}}
    nested["self"] = nested
    save_run(path, nested=nested)
    assert load_run(path)["nested"]["a"] == [1, (2.0, None)]


def test_names_must_be_the_same(tmp_path):
    path, parts = tmp_path / "run.pt", make_parts()
    save_run(path, **parts, epoch=1)
    before = rl.get_rng_state().tolist()
    missing = dict(parts)
    del missing["scheduler"]
    with pytest.raises(ValueError, match="would not go on as it was"):
        load_run(path, **missing)
    with pytest.raises(ValueError, match="'epoch' is int"):
        load_run(path, **parts, epoch=1)
    rl.save({"a": 1}, path)
    with pytest.raises(ValueError, match="not a file that save_run"):
        load_run(path, **parts)
    assert rl.get_rng_state().tolist() == before
    with pytest.raises(FileNotFoundError):
        load_run(tmp_path / "none.pt")


# ---- kill -9

SCRIPT = """
import os, random, sys
import numpy as np
import rushlight as torch
from rushlight.utils.data import DataLoader, Dataset
from rushlight.utils.resume import load_run, save_run

path, workers = sys.argv[1], int(sys.argv[2])

class Data(Dataset):
    def __len__(self):
        return 40
    def __getitem__(self, i):
        return torch.rand(6) + random.random() + np.random.rand(), torch.tensor([float(i % 3)])

torch.manual_seed(0); random.seed(0); np.random.seed(0)
model = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Dropout(0.2), torch.nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 7, 0.9)
loader = DataLoader(Data(), 4, shuffle=True, num_workers=workers,
                    multiprocessing_context="fork" if workers else None)
parts = dict(model=model, optimizer=optimizer, scheduler=scheduler, loader=loader)
done = load_run(path, **parts) if os.path.exists(path) else {}
print("from", done.get("step", 0), flush=True)
step = done.get("step", 0)
for epoch in range(done.get("epoch", 0), 4):
    for inputs, targets in loader:
        loss = ((model(inputs * torch.rand(())) - targets) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        step += 1
        if step % 3 == 0:
            save_run(path, **parts, epoch=epoch, step=step)
        print("step", step, flush=True)
print("end", b"".join(p.detach().numpy().tobytes() for p in model.parameters()).hex())
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_random_places(workers, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    numbers = random.Random(workers)

    def start(path):
        command = [sys.executable, str(script), str(path), str(workers)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole, _ = start(tmp_path / "whole.pt").communicate(timeout=120)
    assert "from 0" in whole
    wanted = whole.split("end ")[1]
    starts = []
    for _ in range(4):
        process = start(tmp_path / "killed.pt")
        starts.append(int(process.stdout.readline().split()[1]))
        for _ in range(numbers.randrange(9)):
            process.stdout.readline()
        time.sleep(numbers.uniform(0, 0.01))  # into a step, a save, the making of a batch
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL
    text, _ = start(tmp_path / "killed.pt").communicate(timeout=120)
    starts.append(int(text.split()[1]))
    assert starts == sorted(starts)
    assert starts[-1] > 0
    assert text.split("end ")[1] == wanted
