"""The distinct values of an array. Every nan is distinct; 0.0 and -0.0 are not."""

from __future__ import annotations

from typing import Any, NamedTuple

import rushlight as rl
from rushlight.array_api.arrays import gives_arrays
from rushlight.tensor import Tensor


class UniqueAll(NamedTuple):
    """What unique_all returns."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What unique_counts returns."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What unique_inverse returns."""

    values: Any
    inverse_indices: Any


def _unique(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    if not x.dtype.is_complex:
        return rl.unique(x, return_inverse=True, return_counts=True)
    parts = rl.view_as_real(x.detach().resolve_conj().flatten())
    values, inverse, counts = rl.unique(parts, return_inverse=True, return_counts=True, dim=0)
    return rl.view_as_complex(values), inverse.reshape(x.shape), counts


@gives_arrays
def unique_all(x: Tensor, /) -> UniqueAll:
    """The values, where each occurs first, which of them each element is, how often each occurs."""
    values, inverse, counts = _unique(x)
    places = rl.arange(x.numel())
    first = rl.full_like(counts, x.numel()).scatter_reduce(0, inverse.flatten(), places, "amin")
    return UniqueAll(values, first, inverse, counts)


@gives_arrays
def unique_counts(x: Tensor, /) -> UniqueCounts:
    """The values and how often each occurs."""
    values, _, counts = _unique(x)
    return UniqueCounts(values, counts)


@gives_arrays
def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """The values and which of them each element is."""
    values, inverse, _ = _unique(x)
    return UniqueInverse(values, inverse)


@gives_arrays
def unique_values(x: Tensor, /) -> Tensor:
    """The values, in rising order."""
    return _unique(x)[0]
