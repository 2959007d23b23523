"""Sequences of different lengths as one tensor: padded, or packed without the padding."""

from __future__ import annotations

from collections import namedtuple
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.padding import constant_pad_nd
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

PackedSequence_ = namedtuple(
    "PackedSequence_", ("data", "batch_sizes", "sorted_indices", "unsorted_indices")
)
PackedSequence_.__doc__ = "The fields of a :class:`PackedSequence`."


class PackedSequence(PackedSequence_):
    """Sequences of different lengths, step by step: all first elements, all second ones, ...

    Made by :func:`pack_padded_sequence` and :func:`pack_sequence`; every recurrent module takes it.

    Attributes:
        data: (sum of the lengths, *), the longest sequence first in each step.
        batch_sizes: int64, how many sequences have an element at each step.
        sorted_indices: which sequence of the batch has become the i-th longest; None if the batch
            was sorted.
        unsorted_indices: the inverse of that permutation.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:  # PackedSequence((data, batch_sizes))
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError(
                    "PackedSequence: without batch_sizes, data has to be a pair (data, batch_sizes)"
                )
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The sequences with their data converted as by ``Tensor.to``; itself if nothing changes.

        Counts and indices stay as they are.
        """
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """As :meth:`to`, on the CPU."""
        return self.to(*args, device="cpu", **kwargs)

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Fails as ``Tensor.cuda`` does."""
        return type(self)(self.data.cuda(*args, **kwargs), *self[1:])

    def pin_memory(self) -> PackedSequence:
        """The sequences with their data as from ``Tensor.pin_memory``."""
        return type(self)(self.data.pin_memory(), *self[1:])

    def double(self) -> PackedSequence:
        """The sequences with their data in float64; as :meth:`to`."""
        return self.to(dtype=rushlight.float64)

    def float(self) -> PackedSequence:
        """The sequences with their data in float32; as :meth:`to`."""
        return self.to(dtype=rushlight.float32)

    def half(self) -> PackedSequence:
        """The sequences with their data in float16; as :meth:`to`."""
        return self.to(dtype=rushlight.float16)

    def long(self) -> PackedSequence:
        """The sequences with their data in int64; as :meth:`to`."""
        return self.to(dtype=rushlight.int64)

    def int(self) -> PackedSequence:
        """The sequences with their data in int32; as :meth:`to`."""
        return self.to(dtype=rushlight.int32)

    def short(self) -> PackedSequence:
        """The sequences with their data in int16; as :meth:`to`."""
        return self.to(dtype=rushlight.int16)

    def char(self) -> PackedSequence:
        """The sequences with their data in int8; as :meth:`to`."""
        return self.to(dtype=rushlight.int8)

    def byte(self) -> PackedSequence:
        """The sequences with their data in uint8; as :meth:`to`."""
        return self.to(dtype=rushlight.uint8)

    @property
    def is_cuda(self) -> bool:
        """False: the data is on the CPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """False: there is no pinned memory."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another one, (n,) int64; None for None."""
    if permutation is None:
        return None
    places = rushlight.arange(permutation.numel(), dtype=permutation.dtype)
    return rushlight.empty_like(permutation).scatter_(0, permutation, places)


def _lengths(lengths: Tensor | Sequence[int]) -> Tensor:
    given = lengths if isinstance(lengths, Tensor) else rushlight.tensor(lengths)
    if given.ndim != 1:
        raise RuntimeError(
            "pack_padded_sequence: 'lengths' has to be one number for each sequence, got shape "
            f"{list(given.shape)}"
        )
    return given.to(dtype=rushlight.int64)


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Packs a padded batch.

    Args:
        input: (T, B, *), or (B, T, *) with `batch_first`.
        lengths: of each of the B sequences, from 1 to T.
        enforce_sorted: fail unless the lengths fall; if False, the sequences are sorted.
    """
    counts = _lengths(lengths)
    if batch_first:
        input = input.transpose(0, 1)
    sorted_indices = None
    if not enforce_sorted:
        counts, sorted_indices = rushlight.sort(counts, descending=True)
        input = input.index_select(1, sorted_indices)
    if input.numel() == 0:
        raise RuntimeError(
            f"pack_padded_sequence: cannot pack an empty tensor, got shape {list(input.shape)}"
        )
    steps, batch = input.shape[0], input.shape[1]
    sizes = counts.tolist()
    if len(sizes) != batch:
        raise RuntimeError(
            "pack_padded_sequence: expected one length for each sequence, got "
            f"{len(sizes)} lengths for a batch of {batch}"
        )
    if any(before < after for before, after in pairwise(sizes)):
        raise RuntimeError(
            "pack_padded_sequence: with enforce_sorted=True, lengths must not grow, got "
            f"{sizes}; pass enforce_sorted=False to have the sequences sorted"
        )
    if sizes[-1] <= 0 or sizes[0] > steps:
        raise RuntimeError(
            f"pack_padded_sequence: lengths must be from 1 to {steps}, the steps of the input; got "
            f"{sizes}"
        )
    if sizes[-1] == steps:
        data = input.reshape(steps * batch, *input.shape[2:])
        return PackedSequence(data, rushlight.full((steps,), batch), sorted_indices)
    there = rushlight.arange(sizes[0]).unsqueeze(1) < counts
    return PackedSequence(input[: sizes[0]][there], there.sum(1), sorted_indices)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The padded batch, in the order that it was packed in, and the lengths.

    Args:
        sequence: what was packed.
        batch_first: (B, T, *) instead of (T, B, *).
        padding_value: what the padding is filled with.
        total_length: T; by default, and at least, the longest length.
    """
    data, batch_sizes, _, unsorted_indices = sequence
    steps, batch = batch_sizes.shape[0], int(batch_sizes[0])
    there = rushlight.arange(batch) < batch_sizes.unsqueeze(1)
    lengths = there.sum(0)
    if total_length is not None and total_length != steps:
        if total_length < steps:
            raise ValueError(
                "pad_packed_sequence: Expected total_length to be at least the length of the "
                f"longest sequence, {steps}, but got {total_length}"
            )
        none = rushlight.zeros((total_length - steps, batch), dtype=rushlight.bool)
        there = rushlight.cat([there, none])
    padded = data.new_full((there.shape[0], batch, *data.shape[1:]), padding_value)
    padded[there] = data
    if unsorted_indices is not None:
        padded = padded.index_select(1, unsorted_indices)
        lengths = lengths[unsorted_indices]
    return padded.transpose(0, 1) if batch_first else padded, lengths


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (L_i, *) padded to the longest, as one tensor (T, B, *).

    Args:
        sequences: whose dimensions after the first are the same.
        batch_first: (B, T, *) instead.
        padding_value: what the padding is filled with.
        padding_side: "right", after the elements, or "left", before them.
    """
    try:
        items = tuple(sequences)
    except TypeError:
        raise RuntimeError(
            f"pad_sequence: expected an iterable of sequences, got {type(sequences)}"
        ) from None
    if not items:
        raise RuntimeError("pad_sequence: received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"pad_sequence: Expected padding_side to be one of left or right, but got "
            f"{padding_side}."
        )
    for at, item in enumerate(items):
        if not isinstance(item, Tensor):
            raise TypeError(
                f"pad_sequence: expected Tensor as element {at}, but got {type(item).__name__}"
            )
        if item.ndim == 0 or item.shape[1:] != items[0].shape[1:]:
            raise RuntimeError(
                "pad_sequence: sequences must have a first dimension, and after it the same "
                f"sizes; got shapes {list(items[0].shape)} and {list(item.shape)}"
            )
    longest = max(item.shape[0] for item in items)
    padded = []
    for item in items:
        missing = longest - item.shape[0]
        if missing:
            ends = (0, missing) if padding_side == "right" else (missing, 0)
            item = constant_pad_nd(item, (0, 0) * (item.ndim - 1) + ends, padding_value)
        padded.append(item.to(items[0].dtype))
    return rushlight.stack(padded, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch (T, B, *) one by one, each (L_i, *).

    Args:
        padded_sequences: (T, B, *), or (B, T, *) with `batch_first`.
        lengths: (B,) int64.
    """
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [
        sequence[:length]
        for sequence, length in zip(padded_sequences, lengths.tolist(), strict=True)
    ]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs sequences (L_i, *), each a tensor of its own; see :func:`pack_padded_sequence`."""
    lengths = [sequence.shape[0] for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The packed sequences one by one, in the order that they were packed in."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
