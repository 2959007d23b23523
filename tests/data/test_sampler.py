"""Samplers: what they give, and how much of the generator they take."""

import pytest

import rushlight as rl
from rushlight.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)


def seeded(seed=0):
    generator = rl.Generator()
    generator.manual_seed(seed)
    return generator


def test_sequential():
    sampler = SequentialSampler(range(4))
    assert list(sampler) == [0, 1, 2, 3] and len(sampler) == 4


def test_random_is_a_permutation():
    rl.manual_seed(0)
    sampler = RandomSampler(range(50))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second
    rl.manual_seed(0)
    assert list(sampler) == first


def test_random_takes_one_number_of_the_global_generator():
    rl.manual_seed(0)
    list(RandomSampler(range(50)))
    after = rl.rand(1).item()
    rl.manual_seed(0)
    rl.empty((), dtype=rl.int64).random_()
    assert rl.rand(1).item() == after


def test_random_with_a_generator():
    expected = seeded()
    order = rl.randperm(10, generator=expected).tolist()
    rl.randperm(10, generator=expected)  # the empty rest is drawn too
    generator = seeded()
    assert list(RandomSampler(range(10), generator=generator)) == order
    assert rl.rand(1, generator=generator).item() == rl.rand(1, generator=expected).item()


def test_random_with_more_or_fewer_samples():
    more = list(RandomSampler(range(3), num_samples=8))
    assert len(more) == 8
    assert sorted(more[:3]) == sorted(more[3:6]) == [0, 1, 2] and len(set(more[6:])) == 2
    fewer = RandomSampler(range(30), num_samples=8)
    assert len(fewer) == len(set(fewer)) == 8


def test_random_with_replacement():
    sampler = RandomSampler(range(4), replacement=True, num_samples=70, generator=seeded())
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == 70 and set(drawn) == {0, 1, 2, 3}
    expected = seeded()
    first = rl.randint(high=4, size=(32,), dtype=rl.int64, generator=expected).tolist()
    assert drawn[:32] == first


def test_subset_random():
    sampler = SubsetRandomSampler([10, 20, 30], generator=seeded())
    order = rl.randperm(3, generator=seeded()).tolist()
    assert list(sampler) == [10 * (i + 1) for i in order] and len(sampler) == 3


def test_weighted_random():
    sampler = WeightedRandomSampler([0.0, 1.0, 0.0], 5)
    assert list(sampler) == [1] * 5 and len(sampler) == 5
    assert sorted(WeightedRandomSampler([0.1, 3.0, 1.0], 3, replacement=False)) == [0, 1, 2]


def test_batches():
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert list(BatchSampler(iter("abcd"), 2, True)) == [["a", "b"], ["c", "d"]]
    assert len(BatchSampler(range(5), 2, False)) == 3 and len(BatchSampler(range(5), 2, True)) == 2


def test_distributed():
    shares = [
        list(DistributedSampler(range(10), num_replicas=4, rank=r, shuffle=False)) for r in range(4)
    ]
    assert shares == [[0, 4, 8], [1, 5, 9], [2, 6, 0], [3, 7, 1]]
    dropped = DistributedSampler(range(10), 4, 1, shuffle=False, drop_last=True)
    assert list(dropped) == [1, 5] and len(dropped) == 2
    assert list(DistributedSampler(range(1), 3, 2, shuffle=False)) == [0]
    shuffled = [DistributedSampler(range(10), 2, r, seed=3) for r in range(2)]
    assert sorted([*shuffled[0], *shuffled[1]]) == list(range(10))
    before = list(shuffled[0])
    assert list(shuffled[0]) == before
    shuffled[0].set_epoch(1)
    assert list(shuffled[0]) != before


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: RandomSampler([]), ValueError, "num_samples=0"),
        (lambda: RandomSampler([1], replacement=1), TypeError, "replacement"),
        (lambda: RandomSampler([1], num_samples=1.5), ValueError, "num_samples=1.5"),
        (lambda: WeightedRandomSampler([1.0], True), ValueError, "num_samples=True"),
        (lambda: WeightedRandomSampler([1.0], 1, "no"), ValueError, "replacement=no"),
        (lambda: WeightedRandomSampler([[1.0]], 1), ValueError, "1d sequence"),
        (lambda: BatchSampler([1], 0, False), ValueError, "batch_size=0"),
        (lambda: BatchSampler([1], 1, 0), ValueError, "drop_last=0"),
        (lambda: DistributedSampler([1]), RuntimeError, "num_replicas"),
        (lambda: DistributedSampler([1], 2, 2), ValueError, "Invalid rank 2"),
        (lambda: iter(Sampler()), NotImplementedError, "__iter__"),
    ],
)
def test_errors(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_samples_without_end_cost_nothing_at_first() -> None:
    """`num_samples=int(1e10)` is how scripts loop for ever: nothing may grow with it."""
    sampler = RandomSampler(range(10), replacement=True, num_samples=int(1e10))
    assert len(sampler) == int(1e10)
    first = iter(sampler)
    assert all(0 <= next(first) < 10 for _ in range(100))
