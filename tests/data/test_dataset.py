"""Datasets and their combinations."""

import pytest

import rushlight as rl
from rushlight.utils.data import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)


class Squares(Dataset):
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index >= self.length:
            raise IndexError(index)
        return index * index


class Batched(Squares):
    def __getitems__(self, indices):
        return [-index for index in indices]


class Stream(IterableDataset):
    def __init__(self, *values):
        self.values = values

    def __iter__(self):
        return iter(self.values)

    def __len__(self):
        return len(self.values)


def test_tensor_dataset():
    x, y = rl.arange(6).reshape(3, 2), rl.arange(3)
    dataset = TensorDataset(x, y)
    assert len(dataset) == 3
    sample = dataset[1]
    assert isinstance(sample, tuple)
    assert sample[0].tolist() == [2, 3] and sample[1].item() == 1
    with pytest.raises(AssertionError, match=r"Size mismatch.*\[3, 2\]"):
        TensorDataset(x, y[:2])


def test_concat():
    joined = Squares(3) + Squares(2)
    assert isinstance(joined, ConcatDataset) and len(joined) == 5
    assert [joined[i] for i in range(5)] == [0, 1, 4, 0, 1]
    assert joined[-1] == 1 and joined[-5] == 0
    assert joined.cumulative_sizes == [3, 5]
    with pytest.raises(ValueError, match="should not exceed dataset length"):
        joined[-6]
    with pytest.raises(IndexError):
        joined[5]
    with pytest.raises(AssertionError, match="empty"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="IterableDataset"):
        ConcatDataset([Stream(1)])


def test_chain():
    chained = Stream(1, 2) + Stream(3)
    assert isinstance(chained, ChainDataset)
    assert list(chained) == [1, 2, 3] and len(chained) == 3
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        list(ChainDataset([Squares(1)]))


def test_stack():
    pairs = StackDataset(Squares(3), Batched(3))
    assert len(pairs) == 3 and pairs[2] == (4, 4)
    assert pairs.__getitems__([2, 1]) == [(4, -2), (1, -1)]
    named = StackDataset(a=Squares(3), b=Batched(3))
    assert named[2] == {"a": 4, "b": 4}
    assert named.__getitems__([2]) == [{"a": 4, "b": -2}]
    for arguments, named, text in [
        ((), {}, "At least one"),
        ((Squares(1),), {"a": Squares(1)}, "not both"),
        ((Squares(1), Squares(2)), {}, "Size mismatch"),
    ]:
        with pytest.raises(ValueError, match=text):
            StackDataset(*arguments, **named)

    class Short(Squares):
        def __getitems__(self, indices):
            return []

    with pytest.raises(ValueError, match="Expected 1, got 0"):
        StackDataset(Short(3)).__getitems__([0])


def test_subset():
    subset = Subset(Squares(5), [4, 2])
    assert len(subset) == 2 and subset[0] == 16 and list(subset) == [16, 4]
    assert subset.__getitems__([1, 0]) == [4, 16]
    assert Subset(Batched(5), [4, 2]).__getitems__([0]) == [-4]
    assert Subset([10, 20, 30], [2])[0] == 30
    rows = Subset(rl.arange(5), [4, 2])[[0, 1]]
    assert rows.tolist() == [4, 2]


def test_a_subset_must_override_both():
    class Half(Subset):
        def __getitem__(self, index):
            return 0

    with pytest.raises(NotImplementedError, match="__getitems__"):
        Half(Squares(3), [0])

    class Whole(Half):
        def __getitems__(self, indices):
            return [self[index] for index in indices]

    assert Whole(Squares(3), [0])[0] == 0


def test_random_split():
    rl.manual_seed(5)
    parts = random_split(Squares(10), [7, 3])
    assert [len(part) for part in parts] == [7, 3]
    assert sorted(parts[0].indices + parts[1].indices) == list(range(10))
    again = random_split(Squares(10), [7, 3], generator=rl.Generator().manual_seed(5))
    assert again[0].indices == parts[0].indices
    assert [len(part) for part in random_split(range(10), [0.25, 0.25, 0.5])] == [3, 2, 5]
    with pytest.raises(ValueError, match="Sum of input lengths"):
        random_split(Squares(10), [7, 2])
    with pytest.raises(ValueError, match="index 0 is not between"):
        random_split(Squares(10), [-0.5, 1.5])
    with pytest.warns(UserWarning, match="index 1 is 0"):
        random_split(Squares(1), [0.5, 0.5])


def test_subscripts_for_annotations():
    class Typed(Dataset[int]):
        def __getitem__(self, index):
            return index

    assert issubclass(Typed, Dataset) and Typed()[3] == 3


def test_base_classes():
    with pytest.raises(NotImplementedError, match="__getitem__"):
        Dataset()[0]
    with pytest.raises(NotImplementedError, match="__iter__"):
        iter(IterableDataset())
    with pytest.raises(TypeError):
        len(Dataset())
