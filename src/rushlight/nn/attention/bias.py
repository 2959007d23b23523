"""Causal masks by name, for attention between sequences of different lengths."""

from __future__ import annotations

import warnings
from enum import IntEnum

import rushlight
from rushlight.tensor import Tensor

__all__ = ["CausalBias", "CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(IntEnum):
    """Where the diagonal of a causal mask begins that is not square.

    UPPER_LEFT: query i sees keys 0 to i. LOWER_RIGHT: the last query sees all keys, the one before
    all but the last, and so on.
    """

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


class CausalBias(Tensor):
    """A causal mask, bool of shape (seq_len_q, seq_len_kv): True where a query sees a key.

    Args:
        variant: where the diagonal begins.
        seq_len_q: the number of queries.
        seq_len_kv: the number of keys.

    Raises TypeError if `variant` is no CausalVariant.
    """

    variant: CausalVariant
    seq_len_q: int
    seq_len_kv: int

    def __new__(cls, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> CausalBias:
        if not isinstance(variant, CausalVariant):
            raise TypeError(f"CausalBias: variant must be a CausalVariant, not {variant!r}")
        offset = seq_len_kv - seq_len_q if variant is CausalVariant.LOWER_RIGHT else 0
        if offset < 0:
            warnings.warn(
                "Lower right causal bias will produce NaNs in the output when seq_len_q > "
                "seq_len_kv!",
                stacklevel=3,
            )
        ones = rushlight.ones(seq_len_q, seq_len_kv, dtype=rushlight.bool)
        made = ones.tril(offset).as_subclass(cls)
        made.variant, made.seq_len_q, made.seq_len_kv = variant, seq_len_q, seq_len_kv
        return made

    def __init__(self, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> None:
        pass

    def _materialize(self, device: object = None) -> Tensor:
        """The mask as an ordinary tensor."""
        return self.as_subclass(Tensor)

    def __repr__(self) -> str:  # type: ignore[override]
        return repr(self._materialize())


def _sizes(name: str, size: tuple[int, ...]) -> tuple[int, int]:
    if len(size) != 2:
        raise AssertionError(f"{name} only supports 2D tensors, got {len(size)} sizes: {size}")
    return size[0], size[1]


def causal_upper_left(*size: int) -> CausalBias:
    """The mask of `size` (queries, keys) whose diagonal begins in the upper left corner."""
    return CausalBias(CausalVariant.UPPER_LEFT, *_sizes("causal_upper_left", size))


def causal_lower_right(*size: int) -> CausalBias:
    """The mask of `size` (queries, keys) whose diagonal ends in the lower right corner."""
    return CausalBias(CausalVariant.LOWER_RIGHT, *_sizes("causal_lower_right", size))
