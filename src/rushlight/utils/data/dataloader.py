"""DataLoader: batches from a dataset, in the order of a sampler.

Random numbers are drawn in PyTorch's order: each pass takes one number for the seed of the workers
(also without workers), then the sampler takes its own.
"""

from __future__ import annotations

import itertools
import types
import warnings
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.utils.data.collate import default_collate, default_convert
from rushlight.utils.data.dataset import IterableDataset
from rushlight.utils.data.fetch import make_fetch, whole_batch_reader
from rushlight.utils.data.in_memory import index_batches
from rushlight.utils.data.position import Start
from rushlight.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from rushlight.utils.data.worker_info import get_worker_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rushlight import Generator
    from rushlight.utils.data.position import Replay

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]


class _DatasetKind:
    Map = 0
    Iterable = 1


class _InfiniteConstantSampler(Sampler):
    """None for ever: what goes in place of indices for a stream."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader:
    """Batches from a dataset.

    Tensors in memory (`TensorDataset`, `Subset` of one) are indexed once per batch instead of
    sample by sample.

    With `num_workers`, batches are made ahead of time by processes of their own. Worker i seeds its
    generators (of this library, `random` and NumPy) from a number that the pass drew, plus i. An
    exception in a worker is raised again here, with its traceback in the message; a worker that is
    killed is a RuntimeError that names its pid and the signal.

    Args:
        dataset: anything with `__getitem__` and `__len__`, or an `IterableDataset`.
        batch_size: samples per batch; None gives single samples.
        shuffle: a new random order in each pass.
        sampler: the order, an iterable of indices; excludes `shuffle`.
        batch_sampler: the batches, an iterable of lists of indices; excludes `batch_size`,
            `shuffle`, `sampler` and `drop_last`.
        num_workers: how many processes make batches; 0 for this one alone.
        collate_fn: makes a batch of a list of samples; `default_collate` by default, or
            `default_convert` without batches.
        pin_memory: accepted; memory is pinned only for accelerators.
        drop_last: leave out a last batch that is smaller.
        timeout: seconds to wait for a batch of a worker before a RuntimeError; 0 waits for ever.
        worker_init_fn: called in each worker with its number, after seeding.
        multiprocessing_context: how workers start: "fork", "spawn", "forkserver", or a context of
            `multiprocessing`; None for Python's default.
        generator: the source of random numbers for `shuffle` and for the seed of the workers.
        prefetch_factor: how many batches each worker is ahead; 2 if None.
        persistent_workers: keep the workers, and their copies of the dataset, after a pass.
        in_order: give batches in the order of the sampler; otherwise as they are finished.
        pin_memory_device: accepted.

    Example:
        >>> dataset = TensorDataset(rushlight.arange(4.0), rushlight.arange(4))
        >>> for inputs, targets in DataLoader(dataset, batch_size=2):
        ...     print(inputs, targets)
        tensor([0., 1.]) tensor([0, 1])
        tensor([2., 3.]) tensor([2, 3])
    """

    __class_getitem__: Any = classmethod(types.GenericAlias)  # DataLoader[int], for annotations

    __initialized = False
    _iterator: _BaseDataLoaderIter | None = None  # of persistent workers
    _latest: weakref.ref[_BaseDataLoaderIter] | None = None  # a pass that was left is gone
    _resume_from: dict[str, Any] | None = None  # loaded, for the next pass

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable | None = None,
        batch_sampler: Sampler | Iterable | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        if num_workers > 0 and prefetch_factor is None:
            prefetch_factor = 2
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order

        is_stream = isinstance(dataset, IterableDataset)
        self._dataset_kind = _DatasetKind.Iterable if is_stream else _DatasetKind.Map
        _check_order(is_stream, batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size = None
        if sampler is None:
            if is_stream:
                sampler = _InfiniteConstantSampler()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate

        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        self.collate_fn = collate_fn
        self.persistent_workers = persistent_workers
        self._IterableDataset_len_called: int | None = None
        self.__initialized = True
        self.check_worker_number_rationality()

    @property
    def multiprocessing_context(self) -> Any:
        """How workers are started: None or a context of `multiprocessing`.

        Set by its name too; ValueError for an unknown one, or without workers.
        """
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None and self.num_workers == 0:
            raise ValueError(
                "multiprocessing_context can only be used with multi-process loading "
                f"(num_workers > 0), but got num_workers={self.num_workers}"
            )
        if context is not None:
            import multiprocessing
            from multiprocessing.context import BaseContext

            if isinstance(context, str):
                methods = multiprocessing.get_all_start_methods()
                if context not in methods:
                    raise ValueError(
                        "multiprocessing_context option should specify a valid start method in "
                        f"{methods!r}, but got multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context object or a string "
                    f"specifying the start method, but got multiprocessing_context={context}"
                )
        self.__multiprocessing_context = context

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__initialized and name in (
            "batch_size",
            "batch_sampler",
            "sampler",
            "drop_last",
            "dataset",
            "persistent_workers",
        ):
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized; "
                "make a new one"
            )
        super().__setattr__(name, value)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _get_iterator(self, replay: Replay | None = None) -> _BaseDataLoaderIter:
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self, replay)
        self.check_worker_number_rationality()
        from rushlight.utils.data.parallel_loading import _MultiProcessingDataLoaderIter

        return _MultiProcessingDataLoaderIter(self, replay)

    def __iter__(self) -> _BaseDataLoaderIter:
        if self._iterator is not None:
            self._iterator._reset(self)
            return self._iterator
        if self._resume_from is None:
            iterator = self._get_iterator()
        else:
            from rushlight.utils.data.position import resume

            iterator = resume(self)
        if self.persistent_workers:
            self._iterator = iterator
        else:
            self._latest = weakref.ref(iterator)
        return iterator

    def _current(self) -> _BaseDataLoaderIter | None:
        """The latest pass, if somebody still has it."""
        if self._iterator is not None:
            return self._iterator
        return self._latest() if self._latest is not None else None

    def state_dict(self) -> dict[str, Any]:
        """Where this loader stands, between two passes or in the middle of one.

        It holds numbers, strings and tensors only, for `save`. The position is that of the latest
        pass as long as somebody holds it: inside its `for`, it is the middle of the pass; after
        `break` it is not, except with `persistent_workers`, which stay where they are.
        Beside the position there are the states of generators that are attributes of the loader,
        its samplers and its dataset, and those of the workers; with workers, the batches that they
        are making are waited for. The global generators of this process are not part of it
        (`rushlight.utils.resume.save_run` writes them).

        A dataset or a sampler with `state_dict` and `load_state_dict` is asked for its own state. A
        stream without them is read again up to the position when it is loaded.
        """
        from rushlight.utils.data.position import position

        return position(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave: the next pass begins with the batch after it.

        Call it before `iter()`; a pass that has begun is not changed.

        Raises:
            ValueError: if it is the state of a loader with another dataset size, batch size or
                number of workers, or the state of something else.
        """
        from rushlight.utils.data.position import load_position

        load_position(self, state_dict)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("_latest", None)
        return state

    def check_worker_number_rationality(self) -> None:
        """Warn if there are more workers than processors that this process may use."""
        if not self.num_workers:
            return
        import os

        if hasattr(os, "sched_getaffinity"):
            processors = len(os.sched_getaffinity(0))
        else:
            processors = os.cpu_count() or 1
        if self.num_workers > processors:
            warnings.warn(
                f"This DataLoader will create {self.num_workers} worker processes in total, and "
                f"this process may use {processors} processors: loading may be slow, or stop. "
                f"A num_workers of at most {processors} avoids it",
                stacklevel=3,
            )

    def __len__(self) -> int:
        """The number of batches, if the sampler (or the stream) has a length.

        The length of a stream is taken at its word; a pass that gives more warns.
        """
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)


def _check_order(
    is_stream: bool,
    batch_size: int | None,
    shuffle: bool | None,
    sampler: Sampler | Iterable | None,
    batch_sampler: Sampler | Iterable | None,
    drop_last: bool,
) -> None:
    """ValueError where two options say the order, or one that a stream cannot have."""
    if is_stream:
        for name, value in (
            ("shuffle", shuffle or None),
            ("sampler", sampler),
            ("batch_sampler", batch_sampler),
        ):
            if value is not None:
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified {name} option, "
                    f"but got {name}={value}"
                )
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, "
                "sampler, and drop_last"
            )
    elif batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with "
            "drop_last"
        )


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool
) -> None:
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable "
            f"multiprocessing. Got {num_workers}"
        )
    if timeout < 0:
        raise ValueError(f"timeout option should be non-negative, got {timeout}")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing. Let "
            "num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError(f"prefetch_factor option should be non-negative, got {prefetch_factor}")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


# ------------------------------------------------------------------------------------ one pass


class _BaseDataLoaderIter:
    """One pass over a loader."""

    def __init__(self, loader: DataLoader, replay: Replay | None = None) -> None:
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._auto_collation = loader._auto_collation
        self._drop_last = loader.drop_last
        self._index_sampler = loader._index_sampler
        self._num_workers = loader.num_workers
        self._collate_fn = loader.collate_fn
        if loader.pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device "
                "pinned memory won't be used.",
                stacklevel=5,
            )
        self._start_of_pass = Start(loader)
        self._is_first = replay is None or replay.is_first  # of those that these workers see
        if replay is not None and replay.base_seed is not None:
            self._base_seed: int = replay.base_seed
        if replay is None or (replay.in_pass and replay.is_first):
            self._sampler_iter = iter(self._index_sampler)
            seed = rushlight.empty((), dtype=rushlight.int64).random_(generator=loader.generator)
            self._base_seed = int(seed.item())
        else:
            self._sampler_iter = iter(())  # until the pass begins, which drew nothing else
        self._num_yielded = 0
        self._ended = False
        self._claimed = loader._IterableDataset_len_called

    def _begin_pass(self, loader: DataLoader) -> None:
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._ended = False
        self._claimed = loader._IterableDataset_len_called

    def _reset(self, loader: DataLoader) -> None:
        self._begin_pass(loader)

    def _skip(self, batches: int) -> None:
        """Takes indices from the sampler that nothing is read for."""
        deque(itertools.islice(self._sampler_iter, batches), maxlen=0)

    def _position(self) -> dict[str, Any]:
        """What there is to write down beside the number of batches."""
        return {}

    def __iter__(self) -> _BaseDataLoaderIter:
        return self

    def __len__(self) -> int:
        return len(self._index_sampler)

    def _next(self) -> Any:
        """The next batch, or StopIteration."""
        raise NotImplementedError

    def __next__(self) -> Any:
        try:
            batch = self._next()
        except StopIteration:
            self._ended = True
            raise
        self._num_yielded += 1
        if self._claimed is not None and self._num_yielded > self._claimed:
            warnings.warn(
                f"Length of IterableDataset {self._dataset} was reported to be {self._claimed} "
                f"(when accessing len(dataloader)), but {self._num_yielded} samples have been "
                "fetched." + _TWICE * (self._num_workers > 0),
                stacklevel=2,
            )
        return batch

    def __getstate__(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


_TWICE = (
    " Each worker reads the whole stream unless the dataset asks get_worker_info() which part is "
    "its own."
)


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    _fetch: Any

    def __init__(self, loader: DataLoader, replay: Replay | None = None) -> None:
        super().__init__(loader, replay)
        if loader.timeout != 0:
            raise AssertionError(
                f"timeout is for workers: num_workers=0 needs timeout=0, got {loader.timeout}"
            )
        stream = self._dataset_kind == _DatasetKind.Iterable
        self._fetch = make_fetch(
            self._dataset,
            stream=stream,
            batched=self._auto_collation,
            collate_fn=self._collate_fn,
            drop_last=self._drop_last,
        )
        if not stream and self._auto_collation:
            self._take_rows()
        if replay is not None:
            self._num_yielded = replay.yielded
            self._skip(replay.yielded)
            if stream and replay.dataset is None:
                self._fetch.skip(replay.yielded * (loader.batch_size or 1))
            elif stream:
                self._fetch.ended = replay.stream_ended

    def _position(self) -> dict[str, Any]:
        return {"stream_ended": getattr(self._fetch, "ended", False)}

    def _next(self) -> Any:
        return self._fetch(next(self._sampler_iter))

    def _take_rows(self) -> None:
        """Go over to indices in tensors, if the dataset consists of rows of tensors."""
        read = whole_batch_reader(self._dataset, self._collate_fn)
        if read is None:
            return
        self._sampler_iter = index_batches(self._index_sampler, self._sampler_iter)
        if isinstance(self._sampler_iter, map):  # lists of a sampler, which may hold anything
            by_sample = self._fetch
            self._fetch = lambda index: by_sample(index) if type(index) is list else read(index)
        else:
            self._fetch = read
            self._next = map(read, self._sampler_iter).__next__  # type: ignore[method-assign]


def __getattr__(name: str) -> Any:
    if name == "_MultiProcessingDataLoaderIter":
        from rushlight.utils.data.parallel_loading import _MultiProcessingDataLoaderIter

        return _MultiProcessingDataLoaderIter
    if name in ("_collate_fn_t", "_worker_init_fn_t"):  # annotations
        from collections.abc import Callable

        return Callable[..., Any]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
