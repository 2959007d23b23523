"""CSR and CSC matrices: entries row by row, or column by column.

`starts` (rows + 1) says where the entries of each row begin, `others` (entries) in which column
each is; of CSC the words row and column exchange their meaning.
"""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.sparse.coo import (
    Pattern,
    coalesce,
    layout_name,
    make,
    masked_like,
    pattern_of,
    to_dense,
    values_of,
    with_values,
)
from rushlight.sparse.declare import sparse_op
from rushlight.tensor import Tensor

CSR, CSC = 2, 3  # the numbers of the layouts in the core


class Compressed:
    """What such a matrix consists of; without history."""

    __slots__ = ("_kept", "others", "starts", "values")

    def __init__(self, starts: Tensor, others: Tensor, values: Tensor) -> None:
        self.starts = starts
        self.others = others
        self.values = values
        self._kept: dict[Any, Any] = {}

    def with_values(self, values: Tensor) -> Compressed:
        """The same places with other values."""
        result = Compressed(self.starts, self.others, values)
        result._kept = self._kept
        return result

    def kept(self, what: Any, make: Any) -> Any:
        """`make()`, kept as long as nobody writes to the indices."""
        version = (self.starts._version, self.others._version)
        found = self._kept.get(what)
        if found is None or found[0] != version:
            found = self._kept[what] = (version, make())
        return found[1]

    def major(self) -> Tensor:
        """The row of each entry."""

        def make() -> Tensor:
            starts = self.starts.to(_core.int64)
            return _core.repeat_positions(starts[1:] - starts[:-1])

        return self.kept("major", make)

    def turned(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """(starts, others, places) of the entries in the order of the other axis."""

        def make() -> tuple[Tensor, Tensor, Tensor]:
            others, major = self.others.to(_core.int64), self.major()
            places = _core.sparse_order(others.unsqueeze(0), (count,))[0]
            starts = _core.row_starts(others.index_select(0, places), count)
            return starts, major.index_select(0, places), places

        return self.kept(("turned", count), make)

    def pattern(self, layout: int, shape: tuple) -> Pattern:
        """The same places as those of a COO matrix; of CSC that is not coalesced."""

        def make() -> Pattern:
            rows, columns = self.major(), self.others.to(_core.int64)
            if layout == CSC:
                rows, columns = columns, rows
            return Pattern(_core.stack([rows, columns], 0), shape, False)

        return self.kept(("pattern", layout), make)


def make_compressed(
    layout: int, starts: Tensor, others: Tensor, values: Tensor, shape: tuple
) -> Tensor:
    """The tensor of these parts, without history."""
    return _made(Compressed(starts, others, values), shape, layout)


def _made(parts: Compressed, shape: tuple, layout: int) -> Tensor:
    result = Tensor.__new__(Tensor)
    result._set_parts(parts, layout, tuple(shape), parts.values.dtype)
    return result


def empty_compressed(shape: tuple, dtype: Any, layout: Any) -> Tensor:
    """A matrix without entries."""
    names = {"torch.sparse_csr": CSR, "torch.sparse_csc": CSC}
    number = names.get(str(layout))
    if number is None or len(shape) != 2:
        raise NotImplementedError(
            f"rushlight has no tensors of layout {layout} and shape {list(shape)}"
        )
    starts = _core.full((shape[number - CSR] + 1,), 0, _core.int64)
    none = _core.full((0,), 0, _core.int64)
    return make_compressed(number, starts, none, _core.full((0,), 0, dtype), shape)


def pick_compressed(input: Tensor, mask: Tensor) -> Tensor:
    """The values of a tensor of any layout at the places of a compressed matrix."""
    if input._layout == mask._layout and input._parts._kept is mask._parts._kept:
        return compressed_values(input)
    pattern = mask._parts.pattern(mask._layout, tuple(mask.shape))
    from rushlight.sparse.coo import pick

    return pick(to_dense(input) if input._layout > 1 else input, pattern)


@sparse_op(
    "SparseCompressedTensorBackward0",
    values=lambda grad, parts, shape, layout: pick_compressed(grad, _made(parts, shape, layout)),
)
def with_compressed_values(values: Tensor, parts: Compressed, shape: tuple, layout: int) -> Tensor:
    """The matrix with those places and these values."""
    return _made(parts.with_values(values.detach()), shape, layout)


@sparse_op(
    "ValuesBackward0",
    input=lambda grad, input: with_compressed_values(
        grad, input._parts, tuple(input.shape), input._layout
    ),
)
def compressed_values(input: Tensor) -> Tensor:
    """The values, entry by entry."""
    return input._parts.values.detach()


# ---- between layouts


def masked_compressed(input: Tensor, mask: Tensor) -> Tensor:
    """A tensor of any layout at the places of a compressed matrix, in its layout."""
    return with_compressed_values(
        pick_compressed(input, mask), mask._parts, tuple(mask.shape), mask._layout
    )


@sparse_op("ToDenseBackward0", input=lambda grad, input: masked_compressed(grad, input))
def compressed_to_dense(input: Tensor) -> Tensor:
    """The strided matrix."""
    return to_dense(_as_coo(input))


def _as_coo(input: Tensor) -> Tensor:
    parts = input._parts
    return make(parts.pattern(input._layout, tuple(input.shape)), parts.values, input.shape)


def compressed_to_coo(input: Tensor) -> Tensor:
    """The COO matrix of the same entries, in the same order."""
    parts, shape = input._parts, tuple(input.shape)
    values = compressed_values(input)
    pattern = parts.pattern(input._layout, shape)
    if input._layout == CSR:  # rows are in order, and columns within them, as the layout asks for
        pattern = Pattern(pattern.indices, shape, True)
    return with_values(values, pattern, shape)


def coo_to_compressed(input: Tensor, layout: int) -> Tensor:
    """A COO matrix as CSR or CSC.

    Raises RuntimeError for another number of dimensions.
    """
    if input.ndim != 2 or len(pattern_of(input).sizes) != 2:
        raise RuntimeError(
            f"to_sparse: only matrices of two sparse dimensions become compressed ones, got shape "
            f"{list(input.shape)} with {input.dense_dim()} dense dimensions"
        )
    whole = coalesce(input)
    pattern, values = pattern_of(whole), values_of(whole)
    starts, others, places = pattern.rows() if layout == CSR else pattern.columns()
    if places is not None:
        values = values.index_select(0, places)
    parts = Compressed(starts, others, values.detach())
    return with_compressed_values(values, parts, tuple(input.shape), layout)


def add_compressed(input: Tensor, other: Tensor, alpha: Any, dtype: Any) -> Tensor:
    """The sum of two matrices, in the layout of the first."""
    both = [x if x.is_sparse else compressed_to_coo(x) for x in (input, other)]
    total = both[0].to(dtype).add(both[1], alpha=alpha)
    return total if input.is_sparse else coo_to_compressed(total, input._layout)


# ---- products and parts, without history


def compressed_rows(input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(starts, columns, values) by rows."""
    parts = input._parts
    if input._layout == CSR:
        return parts.starts, parts.others, parts.values
    starts, others, places = parts.turned(input.shape[0])
    return starts, others, parts.values.index_select(0, places)


def compressed_columns(input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same of the transposed matrix."""
    parts = input._parts
    if input._layout == CSC:
        return parts.starts, parts.others, parts.values
    starts, others, places = parts.turned(input.shape[1])
    return starts, others, parts.values.index_select(0, places)


def transpose_compressed(input: Tensor, first: int, second: int) -> Tensor:
    """Rows and columns exchanged: CSR becomes CSC, and the other way round."""
    if first == second:
        return _made(input._parts, tuple(input.shape), input._layout)
    return _made(input._parts, tuple(input.shape)[::-1], CSR + CSC - input._layout)


def select_compressed(input: Tensor, dim: int, index: int) -> Tensor:
    """One row or column, as a coalesced COO vector."""
    part = compressed_to_coo(input).select(dim, index)
    parts = part._parts
    return make(Pattern(parts.pattern.indices, parts.pattern.sizes, True), parts.values, part.shape)


def sampled_compressed(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """a @ b.T at the places of a compressed matrix."""
    from rushlight.sparse.products import sampled

    parts = mask._parts
    pattern = parts.pattern(mask._layout, tuple(mask.shape))
    return with_compressed_values(sampled(a, b, pattern), parts, tuple(mask.shape), mask._layout)


def mask_like(input: Tensor, mask: Tensor) -> Tensor:
    """A tensor of any layout at the places of a sparse one, in its layout."""
    return masked_like(input, mask) if mask.is_sparse else masked_compressed(input, mask)


def check_axis(name: str, input: Tensor, layout: int) -> None:
    """Raises RuntimeError for another layout than the one whose indices are asked for."""
    if input._layout != layout:
        kind = "row" if layout == CSR else "column"
        raise RuntimeError(
            f"{name} expected sparse {kind} compressed tensor layout but got {layout_name(input)}"
        )
