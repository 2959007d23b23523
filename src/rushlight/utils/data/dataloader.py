"""DataLoader: batches from a dataset, in the order of a sampler.

Loading runs in this process. Random numbers are drawn in PyTorch's order: each pass takes one
number for the seed of the workers (also without workers), then the sampler takes its own.
"""

from __future__ import annotations

import types
import warnings
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor
from rushlight.utils.data.collate import (
    _collate_tensors,
    default_collate,
    default_collate_fn_map,
    default_convert,
)
from rushlight.utils.data.dataset import IterableDataset
from rushlight.utils.data.in_memory import index_batches, row_reader
from rushlight.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rushlight import Generator

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]


def get_worker_info() -> None:
    """In a worker process, which worker it is; None in the main process, so always None here."""
    return None


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

    Args:
        dataset: anything with `__getitem__` and `__len__`, or an `IterableDataset`.
        batch_size: samples per batch; None gives single samples.
        shuffle: a new random order in each pass.
        sampler: the order, an iterable of indices; excludes `shuffle`.
        batch_sampler: the batches, an iterable of lists of indices; excludes `batch_size`,
            `shuffle`, `sampler` and `drop_last`.
        num_workers: must be 0: worker processes are not there yet.
        collate_fn: makes a batch of a list of samples; `default_collate` by default, or
            `default_convert` without batches.
        pin_memory: accepted; memory is pinned only for accelerators.
        drop_last: leave out a last batch that is smaller.
        timeout: accepted; it is for workers.
        worker_init_fn: accepted; it is for workers.
        multiprocessing_context: for workers.
        generator: the source of random numbers for `shuffle` and for the seed of the workers.
        prefetch_factor, persistent_workers, in_order: for workers.
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
    _iterator: _BaseDataLoaderIter | None = None

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
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order

        if isinstance(dataset, IterableDataset):
            self._dataset_kind = _DatasetKind.Iterable
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
        else:
            self._dataset_kind = _DatasetKind.Map
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, "
                    "sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with "
                "drop_last"
            )

        if sampler is None:
            if self._dataset_kind == _DatasetKind.Iterable:
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

    @property
    def multiprocessing_context(self) -> Any:
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None and self.num_workers == 0:
            raise ValueError(
                "multiprocessing_context can only be used with multi-process loading "
                f"(num_workers > 0), but got num_workers={self.num_workers}"
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

    def _get_iterator(self) -> _BaseDataLoaderIter:
        return _SingleProcessDataLoaderIter(self)

    def __iter__(self) -> _BaseDataLoaderIter:
        return self._get_iterator()

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
    if num_workers > 0:
        raise NotImplementedError(
            f"DataLoader: worker processes are not implemented, got num_workers={num_workers}; "
            "use num_workers=0, which loads in this process"
        )


# ------------------------------------------------------------------------------------ one pass


class _BaseDataLoaderIter:
    """One pass over a loader. `_fetch` makes a batch of what the sampler gives."""

    _fetch: Callable[[Any], Any]
    _next: Callable[[], Any]

    def __init__(self, loader: DataLoader) -> None:
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
        self._sampler_iter = iter(self._index_sampler)
        self._next = self._next_by_index
        seed = rushlight.empty((), dtype=rushlight.int64).random_(generator=loader.generator)
        self._base_seed = seed.item()

    def __iter__(self) -> _BaseDataLoaderIter:
        return self

    def __len__(self) -> int:
        return len(self._index_sampler)

    def __next__(self) -> Any:
        return self._next()

    def _next_by_index(self) -> Any:
        return self._fetch(next(self._sampler_iter))

    def __getstate__(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        if loader.timeout != 0:
            raise AssertionError(
                f"timeout is for workers: num_workers=0 needs timeout=0, got {loader.timeout}"
            )
        if self._dataset_kind == _DatasetKind.Iterable:
            self._stream = iter(self._dataset)
            self._stream_ended = False
            self._given = 0
            self._claimed = loader._IterableDataset_len_called
            self._fetch = self._fetch_from_stream
        elif not self._auto_collation:
            self._fetch = self._fetch_sample
        else:
            self._fetch = self._fetch_batch
            self._take_rows()

    def _take_rows(self) -> None:
        """Go over to indexing whole tensors, if the dataset consists of rows of tensors."""
        if self._collate_fn is not default_collate:
            return
        if default_collate_fn_map.get(Tensor) is not _collate_tensors:
            return
        read = row_reader(self._dataset)
        if read is None:
            return
        self._sampler_iter = index_batches(self._index_sampler)
        if isinstance(self._sampler_iter, map):  # lists of a sampler, which may hold anything
            by_sample = self._fetch_batch
            self._fetch = lambda index: by_sample(index) if type(index) is list else read(index)
        else:
            self._fetch = read
            self._next = map(read, self._sampler_iter).__next__

    def _fetch_sample(self, index: Any) -> Any:
        return self._collate_fn(self._dataset[index])

    def _fetch_batch(self, indices: list[Any]) -> Any:
        dataset = self._dataset
        if getattr(dataset, "__getitems__", None):
            samples = dataset.__getitems__(indices)
        else:
            samples = [dataset[index] for index in indices]
        return self._collate_fn(samples)

    def _fetch_from_stream(self, places: Any) -> Any:
        """A sample, or as many as there are `places` in a batch."""
        if self._stream_ended:
            raise StopIteration
        if self._auto_collation:
            samples = []
            for _ in places:
                try:
                    samples.append(next(self._stream))
                except StopIteration:
                    self._stream_ended = True
                    break
            if not samples or (self._drop_last and len(samples) < len(places)):
                raise StopIteration
        else:
            samples = next(self._stream)
        batch = self._collate_fn(samples)
        self._given += 1
        if self._claimed is not None and self._given > self._claimed:
            warnings.warn(
                f"Length of IterableDataset {self._dataset} was reported to be {self._claimed} "
                f"(when accessing len(dataloader)), but {self._given} samples have been fetched.",
                stacklevel=3,
            )
        return batch
