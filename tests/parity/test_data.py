"""Data loading against PyTorch: the same order from the same seed, the same batches."""

import pytest

import rushlight as rl
from rushlight.utils import data

torch = pytest.importorskip("torch", reason="PyTorch is what is compared with")

LIBRARIES = ((torch, torch.utils.data), (rl, data))


def both(run):
    """What a function of a library and of its data package gives, in both, from one seed."""
    results = []
    for lib, space in LIBRARIES:
        lib.manual_seed(11)
        results.append([run(lib, space), lib.rand(2).tolist()])  # as many numbers were drawn
    assert results[0] == results[1]


def generator(lib):
    return lib.Generator().manual_seed(5)


SAMPLERS = {
    "random": lambda lib, d: d.RandomSampler(range(17)),
    "random, given generator": lambda lib, d: d.RandomSampler(range(17), generator=generator(lib)),
    "random, more": lambda lib, d: d.RandomSampler(range(17), num_samples=40),
    "random, fewer": lambda lib, d: d.RandomSampler(range(17), num_samples=4),
    "replacement": lambda lib, d: d.RandomSampler(range(17), True, 75),
    "subset": lambda lib, d: d.SubsetRandomSampler([3, 1, 4, 1, 5, 9]),
    "weighted": lambda lib, d: d.WeightedRandomSampler([0.1, 2.0, 0.7, 0.0, 1.0], 9),
    "weighted, once": lambda lib, d: d.WeightedRandomSampler([0.1, 2.0, 0.7, 1.0], 3, False),
    "batches": lambda lib, d: d.BatchSampler(d.RandomSampler(range(17)), 5, False),
    "batches, drop_last": lambda lib, d: d.BatchSampler(d.RandomSampler(range(17)), 5, True),
    "distributed": lambda lib, d: d.DistributedSampler(range(17), 4, 2),
    "distributed, drop_last": lambda lib, d: d.DistributedSampler(range(17), 4, 2, drop_last=True),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers(name):
    def run(lib, space):
        sampler = SAMPLERS[name](lib, space)
        return [list(sampler), list(sampler), len(sampler)]

    both(run)


LOADERS = {
    "in order": lambda lib, d: {"batch_size": 4},
    "shuffle": lambda lib, d: {"batch_size": 4, "shuffle": True},
    "drop_last": lambda lib, d: {"batch_size": 4, "shuffle": True, "drop_last": True},
    "generator": lambda lib, d: {"batch_size": 4, "shuffle": True, "generator": generator(lib)},
    "replacement": lambda lib, d: {"batch_size": 4, "sampler": d.RandomSampler(range(17), True)},
    "single samples": lambda lib, d: {"batch_size": None, "shuffle": True},
}


@pytest.mark.parametrize("name", LOADERS)
def test_loaders(name):
    def run(lib, space):
        inputs, targets = lib.rand(17, 3), lib.arange(17)
        dataset = space.TensorDataset(inputs, targets)
        found = []
        for part in (dataset, *space.random_split(dataset, [0.75, 0.25])):
            options = LOADERS[name](lib, space)
            if "sampler" in options:
                part = dataset
            loader = space.DataLoader(part, **options)
            for batch in [*loader, *loader]:
                found.append([type(batch).__name__, [[t.tolist(), str(t.dtype)] for t in batch]])
                lib.rand(1)  # as dropout would, between two batches
        return found

    both(run)


def test_random_split():
    both(lambda lib, d: [part.indices for part in d.random_split(range(23), [11, 7, 5])])
    both(lambda lib, d: [part.indices for part in d.random_split(range(23), [0.3, 0.3, 0.4])])


def test_default_collate():
    def run(lib, space):
        samples = [
            {"a": lib.arange(3) + i, "b": (i, [float(i), True]), "c": "text"} for i in range(3)
        ]
        batch = space.default_collate(samples)
        number, (real, flag) = batch["b"]
        tensors = [batch["a"], number, real, flag]
        kinds = [type(batch["b"]).__name__, type(batch["b"][1]).__name__, batch["c"]]
        return [[[t.tolist(), str(t.dtype)] for t in tensors], kinds]

    both(run)
