"""From what a sampler gives to a batch: the same in this process and in a worker."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING, Any

from rushlight.tensor import Tensor
from rushlight.utils.data.collate import _collate_tensors, default_collate, default_collate_fn_map
from rushlight.utils.data.in_memory import _int_tensor, row_reader

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["make_fetch", "whole_batch_reader"]


def make_fetch(
    dataset: Any, *, stream: bool, batched: bool, collate_fn: Callable[[Any], Any], drop_last: bool
) -> Callable[[Any], Any]:
    """The function from what the sampler gives (an index, or a list of them) to a batch.

    Args:
        dataset: where samples come from.
        stream: it is an `IterableDataset`: of a list only the length counts, and the function
            raises StopIteration at the end.
        batched: lists of indices, or single ones.
        collate_fn: makes a batch of a list of samples; without batches, of one sample.
        drop_last: of a stream: leave out a last batch that is smaller.
    """
    if stream:
        return _Stream(dataset, batched, collate_fn, drop_last)
    if not batched:
        return lambda index: collate_fn(dataset[index])

    def by_sample(indices: Any) -> Any:
        if getattr(dataset, "__getitems__", None):
            samples = dataset.__getitems__(indices)
        else:
            samples = [dataset[index] for index in indices]
        return collate_fn(samples)

    read = whole_batch_reader(dataset, collate_fn)
    if read is None:
        return by_sample

    def at_once(indices: Any) -> Any:
        index = _int_tensor(indices)
        return by_sample(indices) if index is None else read(index)

    return at_once


def whole_batch_reader(dataset: Any, collate_fn: Any) -> Callable[[Any], Any] | None:
    """Reads a batch with one index per tensor, where the dataset is rows of tensors; else None."""
    if collate_fn is not default_collate:
        return None
    if default_collate_fn_map.get(Tensor) is not _collate_tensors:
        return None
    return row_reader(dataset)


class _Stream:
    """A sample of a stream, or as many as there are places in a batch."""

    def __init__(
        self, dataset: Any, batched: bool, collate_fn: Callable[[Any], Any], drop_last: bool
    ) -> None:
        self._samples = iter(dataset)
        self._batched = batched
        self._collate_fn = collate_fn
        self._drop_last = drop_last
        self.ended = False

    def skip(self, samples: int) -> None:
        """Reads samples that no batch is made of."""
        deque(itertools.islice(self._samples, samples), maxlen=0)

    def __call__(self, places: Any) -> Any:
        if self.ended:
            raise StopIteration
        if not self._batched:
            return self._collate_fn(next(self._samples))
        samples = []
        for _ in places:
            try:
                samples.append(next(self._samples))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self._drop_last and len(samples) < len(places)):
            raise StopIteration
        return self._collate_fn(samples)
