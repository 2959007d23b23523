"""Samplers: the order in which samples are taken, and how they are grouped into batches."""

from __future__ import annotations

import itertools
import types
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import rushlight
from rushlight import Generator
from rushlight.tensor import Tensor

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]


class Sampler:
    """Indices of samples, or lists of them, one batch each.

    A subclass implements `__iter__()`; `__len__()` makes `len(loader)` work. There is no default
    `__len__`: without one, `list(sampler)` must be able to do without it.
    """

    __class_getitem__: Any = classmethod(types.GenericAlias)  # Sampler[int], for annotations

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must implement __iter__()")


class SequentialSampler(Sampler):
    """0, 1, 2, ...

    Args:
        data_source: anything with a length.
    """

    data_source: Sized

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """A random order, or random draws.

    Args:
        data_source: anything with a length.
        replacement: draw each index from all, instead of permuting them.
        num_samples: how many indices; by default the length. Without replacement, a larger number
            means several permutations.
        generator: the source of random numbers. By default one of its own for each pass, seeded
            from the global one: the order then does not depend on what is drawn between batches.
    """

    data_source: Sized
    replacement: bool

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                "num_samples should be a positive integer value, but got "
                f"num_samples={self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        # Asked each time: a dataset may grow.
        """How many indices one pass draws: the dataset's length unless it was given."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        for indices in self._draw():
            yield from indices.tolist()

    def _draw(self) -> Iterator[Tensor]:
        """The indices in int64 tensors, each drawn when it is asked for."""
        n = len(self.data_source)
        generator = self.generator
        if generator is None:
            seed = int(rushlight.empty((), dtype=rushlight.int64).random_().item())
            generator = rushlight.Generator()
            generator.manual_seed(seed)
        if self.replacement:
            whole, rest = divmod(self.num_samples, 32)
            for number in range(whole + 1):  # no list: 1e10 samples stand for "without end"
                size = 32 if number < whole else rest
                yield rushlight.randint(
                    high=n, size=(size,), dtype=rushlight.int64, generator=generator
                )
        else:
            whole, rest = divmod(self.num_samples, n)
            for _ in range(whole):
                yield rushlight.randperm(n, generator=generator)
            # Drawn even if rest is 0, so that a given generator ends where PyTorch leaves it.
            if rest or self.generator is not None:
                yield rushlight.randperm(n, generator=generator)[:rest]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """Given indices in random order.

    Args:
        indices: a sequence of indices.
        generator: the source of random numbers; by default the global one.
    """

    indices: Sequence[int]

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        order = rushlight.randperm(len(self.indices), generator=self.generator)
        for i in order.tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Random draws from 0, ..., len(weights) - 1 with given probabilities.

    Args:
        weights: a weight for each index; they need not sum to 1.
        num_samples: how many indices to draw.
        replacement: whether an index may be drawn again.
        generator: the source of random numbers; by default the global one.
    """

    weights: Tensor
    num_samples: int
    replacement: bool

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        _check_positive("num_samples", num_samples)
        _check_bool("replacement", replacement)
        self.weights = rushlight.as_tensor(weights, dtype=rushlight.float64)
        if self.weights.dim() != 1:
            raise ValueError(
                "weights should be a 1d sequence but given weights have shape "
                f"{tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        yield from rushlight.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        ).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """The indices of another sampler in lists.

    Args:
        sampler: an iterable of indices.
        batch_size: the length of a list.
        drop_last: leave out a last list that is shorter.

    Example:
        >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        _check_positive("batch_size", batch_size)
        _check_bool("drop_last", drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        samples = len(self.sampler)  # type: ignore[arg-type]
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)


def _check_positive(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


def _check_bool(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} should be a boolean value, but got {name}={value}")
