"""Batches of tensors that are in memory: each tensor is indexed once per batch.

Taking samples one by one and stacking them gives the same numbers, a hundred times slower. This
path is taken where nobody can see the difference: rows of tensors (`TensorDataset`, a tensor, or
a `Subset` of these, all unmodified) with the default collation.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core
from rushlight.tensor import Tensor
from rushlight.utils.data.dataset import Subset, TensorDataset
from rushlight.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["index_batches", "row_reader"]


def row_reader(dataset: Any) -> Callable[[Tensor | slice], Any] | None:
    """A function that reads a batch at an index tensor or a slice.

    It gives what the default collation makes of the samples there. None if the dataset is anything
    but rows of tensors.
    """
    rows = None  # of the tensors, for each sample; None: all in order
    while type(dataset) is Subset:
        own = _int_tensor(dataset.indices)
        if own is None:
            return None
        rows = own if rows is None else own[rows]
        dataset = dataset.dataset
    if type(dataset) is TensorDataset:
        tensors = dataset.tensors
    elif type(dataset) is Tensor and dataset.dim() > 0:
        tensors = (dataset,)
    else:
        return None

    # Without a history to record, the kernels are asked directly.
    recorded = any(tensor.requires_grad for tensor in tensors)
    take: Callable[[Tensor, Any], Tensor] = operator.getitem if recorded else _take
    cut = _recorded_copy if recorded else _copy

    def read(index: Any) -> list[Tensor]:
        if rows is not None:
            index = rows[index]
        elif type(index) is slice:
            # A copy: who writes to a batch must not write to the data.
            return [cut(tensor, index) for tensor in tensors]
        return [take(tensor, index) for tensor in tensors]

    return read if type(dataset) is TensorDataset else lambda index: read(index)[0]


def _take(tensor: Tensor, index: Tensor) -> Tensor:
    return _core.index_get(tensor, [index])


def _copy(tensor: Tensor, rows: slice) -> Tensor:
    return _core.clone(_core.slice(tensor, 0, rows.start, rows.stop, 1))


def _recorded_copy(tensor: Tensor, rows: slice) -> Tensor:
    return tensor[rows].clone()


def _int_tensor(indices: Any) -> Tensor | None:
    """A list of Python ints as an int64 tensor; None for anything else."""
    if isinstance(indices, range):
        indices = list(indices)
    if type(indices) is not list or not set(map(type, indices)) <= {int}:
        return None
    return rushlight.tensor(indices, dtype=rushlight.int64)


def index_batches(batch_sampler: Iterable[Any], batches: Iterator[Any]) -> Iterator[Any]:
    """The batches of a batch sampler as slices and index tensors where possible, else as lists.

    `batches` is what `iter(batch_sampler)` gave: a sampler that draws there draws once.
    Random numbers are drawn when, and only when, the sampler itself would draw them.
    """
    if type(batch_sampler) is BatchSampler:
        sampler, size = batch_sampler.sampler, batch_sampler.batch_size
        if type(sampler) is SequentialSampler:
            return _slices(len(sampler.data_source), size, batch_sampler.drop_last)
        if type(sampler) is RandomSampler:
            return _regroup(sampler._draw(), size, batch_sampler.drop_last)
    return map(_tensor_or_list, batches)


def _tensor_or_list(batch: Any) -> Any:
    indices = _int_tensor(batch)
    return batch if indices is None else indices


def _slices(total: int, size: int, drop_last: bool) -> Iterator[slice]:
    stop = total - total % size if drop_last else total
    for start in range(0, stop, size):
        yield slice(start, min(start + size, stop))


def _regroup(pieces: Iterator[Tensor], size: int, drop_last: bool) -> Iterator[Tensor]:
    """Tensors of indices of any length cut and joined to batches of `size`."""
    parts: list[Tensor] = []  # of a batch that goes beyond one piece
    missing = size
    for piece in pieces:
        length = len(piece)
        start = 0
        if parts:
            start = min(missing, length)
            parts.append(piece[:start])
            missing -= start
            if missing:
                continue
            yield rushlight.cat(parts)
            parts, missing = [], size
        last = length - size
        while start <= last:
            stop = start + size
            yield _core.slice(piece, 0, start, stop, 1)
            start = stop
        if start < length:
            parts = [piece[start:]]
            missing = size - (length - start)
    if parts and not drop_last:
        yield rushlight.cat(parts) if len(parts) > 1 else parts[0]
