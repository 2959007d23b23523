"""DataLoader: the order and shape of batches, the fast path for tensors, streams, errors."""

import pickle
import warnings

import pytest

import rushlight as rl
from rushlight.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    get_worker_info,
    random_split,
)
from rushlight.utils.data.dataloader import (
    _DatasetKind,
    _MultiProcessingDataLoaderIter,
    _SingleProcessDataLoaderIter,
)


class Rows(Dataset):
    """The same samples as a TensorDataset, but one by one."""

    def __init__(self, *tensors):
        self.tensors = tensors

    def __len__(self):
        return len(self.tensors[0])

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)


class Stream(IterableDataset):
    def __init__(self, length, claimed=None):
        self.length = length
        self.claimed = length if claimed is None else claimed

    def __iter__(self):
        return iter(range(self.length))

    def __len__(self):
        return self.claimed


def tensors(rows=23):
    return rl.arange(rows * 6).reshape(rows, 3, 2).float(), rl.arange(rows)


def same(a, b):
    assert type(a) is type(b) and len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        if isinstance(x, (list, tuple)):
            same(x, y)
        else:
            assert x.dtype == y.dtype and rl.equal(x, y)


# ------------------------------------------------------------------- tensors in memory


ORDERS = {
    "in order": lambda n: {"batch_size": 4},
    "drop_last": lambda n: {"batch_size": 4, "drop_last": True},
    "larger than the data": lambda n: {"batch_size": 100},
    "shuffle": lambda n: {"batch_size": 4, "shuffle": True},
    "shuffle, drop_last": lambda n: {"batch_size": 4, "shuffle": True, "drop_last": True},
    "fits": lambda n: {"batch_size": n, "shuffle": True},
    "more samples": lambda n: {
        "batch_size": 4,
        "sampler": RandomSampler(range(n), num_samples=2 * n + 3),
    },
    "fewer samples": lambda n: {
        "batch_size": 4,
        "sampler": RandomSampler(range(n), num_samples=n - 2),
    },
    "replacement": lambda n: {"batch_size": 4, "sampler": RandomSampler(range(n), True)},
    "subset": lambda n: {"batch_size": 2, "sampler": SubsetRandomSampler([4, 2, 7, 1, 1])},
    "negative": lambda n: {"batch_size": 2, "sampler": [-1, 0, -2]},
    "tensors as indices": lambda n: {"batch_size": 2, "sampler": list(rl.arange(5))},
    "batch sampler": lambda n: {"batch_sampler": [[3, 1], [0], [2, 2, 2]]},
    "own batch sampler": lambda n: {
        "batch_sampler": BatchSampler(RandomSampler(range(n)), 5, True)
    },
}


@pytest.mark.parametrize("name", ORDERS)
def test_tensors_by_batch_equal_tensors_by_sample(name):
    x, y = tensors()
    passes = []
    for dataset in (TensorDataset(x, y), Rows(x, y)):
        rl.manual_seed(7)
        loader = DataLoader(dataset, **ORDERS[name](len(dataset)))
        passes.append([list(loader), list(loader), rl.rand(1)])
    same(*passes)


@pytest.mark.parametrize("name", ORDERS)
def test_the_generator_is_used_alike(name):
    """Also when somebody draws from the same generator between two batches."""
    x, y = tensors()
    passes = []
    for dataset in (TensorDataset(x, y), Rows(x, y)):
        rl.manual_seed(7)
        generator = rl.Generator()
        generator.manual_seed(3)
        options = ORDERS[name](len(dataset))
        if isinstance(options.get("sampler"), RandomSampler):
            options["sampler"].generator = generator
        found = []
        for batch in DataLoader(dataset, generator=generator, **options):
            found += [batch, rl.rand(2, generator=generator)]
        passes.append([*found, rl.rand(1, generator=generator)])
    same(*passes)


@pytest.mark.parametrize("shuffle", [False, True])
def test_subsets(shuffle):
    x, y = tensors()
    passes = []
    for dataset in (TensorDataset(x, y), Rows(x, y)):
        rl.manual_seed(7)
        part = random_split(dataset, [15, 8])[0]
        nested = Subset(Subset(part, range(2, 12)), [0, 3, 3, -1])
        passes.append([list(DataLoader(d, 4, shuffle)) for d in (part, nested)])
    same(*passes)


def test_a_tensor_as_dataset():
    x, _ = tensors()
    batches = list(DataLoader(x, batch_size=10))
    assert [len(b) for b in batches] == [10, 10, 3] and rl.equal(rl.cat(batches), x)


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_share_no_memory_with_the_data(shuffle):
    x, y = tensors()
    kept = x.clone()
    for inputs, _ in DataLoader(TensorDataset(x, y), 4, shuffle):
        inputs.zero_()
    assert rl.equal(x, kept)


def test_gradients_reach_the_data():
    x = rl.ones(4, requires_grad=True)
    for (batch,) in DataLoader(TensorDataset(x), 3):
        batch.sum().backward()
    assert x.grad.tolist() == [1, 1, 1, 1]


def test_a_subclass_is_asked_for_its_samples():
    class Doubled(TensorDataset):
        def __getitem__(self, index):
            return tuple(2 * t for t in super().__getitem__(index))

    (batch,) = next(iter(DataLoader(Doubled(rl.arange(4)), 4)))
    assert batch.tolist() == [0, 2, 4, 6]


def test_index_errors():
    with pytest.raises(IndexError):
        list(DataLoader(TensorDataset(rl.arange(3)), 2, sampler=[0, 3]))


# ---------------------------------------------------------------------- other datasets


def test_samples_one_by_one():
    assert list(DataLoader([1, 2, 3], batch_size=None)) == [1, 2, 3]
    x, _ = tensors(3)
    for sample, row in zip(DataLoader(TensorDataset(x), batch_size=None), x, strict=True):
        assert isinstance(sample, list) and rl.equal(sample[0], row)


def test_collate_fn():
    loader = DataLoader(TensorDataset(rl.arange(3)), 2, collate_fn=len)
    assert list(loader) == [2, 1]
    loader = DataLoader([1, 2, 3], batch_size=None, collate_fn=str)
    assert list(loader) == ["1", "2", "3"]


def test_getitems():
    class Batched(Dataset):
        def __len__(self):
            return 3

        def __getitems__(self, indices):
            return [10 * index for index in indices]

    assert [b.tolist() for b in DataLoader(Batched(), 2)] == [[0, 10], [20]]


def test_dicts():
    batches = list(DataLoader([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], 2))
    assert batches[0]["a"].tolist() == [1, 2] and batches[0]["b"] == ["x", "y"]


def test_streams():
    assert [b.tolist() for b in DataLoader(Stream(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in DataLoader(Stream(5), 2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(2), batch_size=None)) == [0, 1]
    assert len(DataLoader(Stream(5), 2)) == 3
    assert len(DataLoader(Stream(5), 2, drop_last=True)) == 2
    assert len(DataLoader(Stream(5), None)) == 5


def test_a_stream_longer_than_it_says():
    loader = DataLoader(Stream(3, claimed=2), None)
    assert len(list(loader)) == 3
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2"):
        list(loader)


def test_length():
    assert len(DataLoader(range(5), 2)) == 3
    assert len(DataLoader(range(5), 2, drop_last=True)) == 2
    assert len(DataLoader(range(5), batch_size=None)) == 5
    assert len(iter(DataLoader(range(5), 2))) == 3
    with pytest.raises(TypeError):
        len(DataLoader(range(5), 2, sampler=iter([1])))


# ------------------------------------------------------------------------ random numbers


def test_a_pass_takes_a_seed_then_the_sampler_takes_its_own():
    rl.manual_seed(1)
    found = rl.cat([b[0] for b in DataLoader(TensorDataset(rl.arange(20)), 6, shuffle=True)])
    after = rl.rand(1)
    rl.manual_seed(1)
    rl.empty((), dtype=rl.int64).random_()
    generator = rl.Generator()
    generator.manual_seed(rl.empty((), dtype=rl.int64).random_().item())
    assert rl.equal(found, rl.randperm(20, generator=generator))
    assert rl.equal(after, rl.rand(1))


def test_numbers_drawn_between_batches_do_not_change_the_order():
    x = rl.arange(20)
    orders = []
    for extra in (False, True):
        rl.manual_seed(1)
        batches = []
        for (batch,) in DataLoader(TensorDataset(x), 6, shuffle=True):
            batches.append(batch)
            if extra:
                rl.rand(3)
        orders.append(rl.cat(batches))
    assert rl.equal(*orders)


def test_each_pass_has_its_own_order():
    loader = DataLoader(TensorDataset(rl.arange(50)), 50, shuffle=True)
    (first,), (second,) = next(iter(loader)), next(iter(loader))
    assert not rl.equal(first, second)


# ------------------------------------------------------------------------------ interface


def test_attributes():
    data = TensorDataset(rl.arange(3))
    loader = DataLoader(data, 2, shuffle=True, drop_last=True)
    assert loader.dataset is data and loader.batch_size == 2 and loader.drop_last
    assert isinstance(loader.sampler, RandomSampler)
    assert isinstance(loader.batch_sampler, BatchSampler)
    assert isinstance(DataLoader(data).sampler, SequentialSampler)
    assert loader.num_workers == 0 and not loader.pin_memory and loader.generator is None
    with pytest.raises(ValueError, match="batch_size attribute should not be set"):
        loader.batch_size = 3
    loader.collate_fn = len
    assert get_worker_info() is None


def test_iterators_are_independent():
    loader = DataLoader(range(4), 2)
    one, two = iter(loader), iter(loader)
    assert iter(one) is one
    assert next(one).tolist() == next(two).tolist() == [0, 1]
    assert next(one).tolist() == [2, 3]
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(one)


def test_pickle():
    loader = pickle.loads(pickle.dumps(DataLoader(TensorDataset(rl.arange(3)), 2)))
    assert [b[0].tolist() for b in loader] == [[0, 1], [2]]
    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        pickle.dumps(iter(loader))


def test_pin_memory_warns():
    with pytest.warns(UserWarning, match="no accelerator"):
        list(DataLoader([1], pin_memory=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(DataLoader([1]))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"num_workers": -1}, ValueError, "non-negative"),
        ({"num_workers": 1, "multiprocessing_context": "no"}, ValueError, "valid start method"),
        ({"num_workers": 1, "multiprocessing_context": 3}, TypeError, "valid context"),
        ({"num_workers": 1, "prefetch_factor": -1}, ValueError, "prefetch_factor"),
        ({"timeout": -1}, ValueError, "timeout"),
        ({"prefetch_factor": 2}, ValueError, "prefetch_factor"),
        ({"persistent_workers": True}, ValueError, "persistent_workers"),
        ({"multiprocessing_context": "fork"}, ValueError, "num_workers=0"),
        ({"sampler": [0], "shuffle": True}, ValueError, "mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, ValueError, "mutually exclusive"),
        ({"batch_sampler": [[0]], "drop_last": True}, ValueError, "mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, ValueError, "drop_last"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"batch_size": 1.5}, ValueError, "batch_size=1.5"),
    ],
)
def test_option_errors(options, error, text):
    with pytest.raises(error, match=text):
        DataLoader([1, 2], **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}])
def test_stream_option_errors(options):
    with pytest.raises(ValueError, match=f"unspecified {next(iter(options))} option"):
        DataLoader(Stream(3), **options)
    DataLoader(Stream(3), shuffle=False)


def test_timeout_needs_workers():
    with pytest.raises(AssertionError, match="timeout"):
        iter(DataLoader([1], timeout=3))


def test_a_class_in_the_place_of_a_dataset_has_no_state():
    """accelerate makes such a loader for a moment when it is unpickled."""

    class Counting:
        def state_dict(self):
            return {"at": 3}

        def load_state_dict(self, state):
            pass

        def __len__(self):
            return 4

    assert DataLoader(Counting()).state_dict()["dataset"] == {"at": 3}
    assert DataLoader(Counting, sampler=[0]).state_dict()["dataset"] is None


class StandIn:
    """What fastai hands to an iterator: no DataLoader, only what PyTorch's iterators ask for."""

    _dataset_kind = _DatasetKind.Iterable
    _auto_collation = drop_last = pin_memory = persistent_workers = False
    _IterableDataset_len_called = generator = worker_init_fn = multiprocessing_context = None
    _index_sampler = range(100)
    in_order, timeout, prefetch_factor = True, 0, 2

    def __init__(self, num_workers):
        self.dataset, self.num_workers = Stream(6), num_workers

    def collate_fn(self, sample):
        return sample


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_iterator_takes_a_stand_in_for_a_loader(num_workers):
    several, one = _MultiProcessingDataLoaderIter, _SingleProcessDataLoaderIter
    batches = list((several if num_workers else one)(StandIn(num_workers)))
    assert sorted(map(int, batches)) == sorted([*range(6)] * max(num_workers, 1))
