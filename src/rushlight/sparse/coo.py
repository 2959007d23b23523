"""Coordinate format: a tensor as the places of its entries and their values.

`indices` (sparse dimensions, entries) name the places, `values` (entries, *dense dimensions) say
what is there. Entries of one place add up; coalesced tensors have one entry to a place, in
lexicographic order. What a tensor consists of has no history: that is the tensor's own.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.sparse.declare import sparse_op
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

COO = 1  # the number of the layout in the core


class Pattern:
    """The places of entries: indices (dims, entries) of int64 in a space of `sizes`.

    Tensors with the same places share one, and with it the orders that products need.
    """

    __slots__ = ("_indices", "_orders", "_turned", "coalesced", "sizes")

    def __init__(
        self,
        indices: Tensor | None,
        sizes: Sequence[int],
        coalesced: bool,
        turned: Pattern | None = None,
    ) -> None:
        self._indices = indices
        self.sizes = tuple(sizes)
        self._turned = turned  # the matrix that this one is the transposed of
        self._orders: dict[str, tuple] = {}
        self.coalesced = coalesced or self.count < 2  # one entry is in order

    @property
    def indices(self) -> Tensor:
        """(dims, entries), int64."""
        if self._indices is None and self._turned is not None:
            self._indices = _core.stack([self._turned.row(1), self._turned.row(0)], 0)
        return self._indices  # type: ignore[return-value]

    def transposed(self) -> Pattern:
        """Of a matrix: the same entries with rows and columns exchanged."""
        return Pattern(None, self.sizes[::-1], False, self)

    @property
    def count(self) -> int:
        """The number of entries."""
        return self._turned.count if self._turned is not None else self.indices.shape[1]

    def kept(self, what: str, make: Any) -> Any:
        """`make()`, kept as long as nobody writes to the indices."""
        version = self.indices._version
        found = self._orders.get(what)
        if found is None or found[0] != version:
            found = self._orders[what] = (version, make())
        return found[1]

    def order(self) -> tuple[Tensor, Tensor]:
        """The entries in order, and where each group of equal places starts."""
        return self.kept("order", lambda: _core.sparse_order(self.indices, self.sizes))

    def keys(self) -> Tensor:
        """Each place as one number, that of the element in a dense tensor of `sizes`."""
        return self.kept("keys", lambda: keys_of(self.indices, self.sizes))

    def unique(self) -> Pattern:
        """The pattern of the coalesced tensor."""
        if self.coalesced:
            return self

        def make() -> Pattern:
            places, starts = self.order()
            first = _core.index_select(places, 0, _core.slice(starts, 0, 0, -1, 1))
            return Pattern(_core.index_select(self.indices, 1, first), self.sizes, True)

        return self.kept("unique", make)

    def numbers(self) -> Tensor | None:
        """For each entry that of `unique()` at its place; None where they are the same entries."""
        if self.coalesced:
            return None

        def make() -> Tensor | None:
            places, starts = self.order()
            everyone = _core.arange(0, self.count, 1, _core.int64)
            if starts.shape[0] - 1 == self.count and bool((places == everyone).all().item()):
                return None
            groups = _core.repeat_positions(starts[1:] - starts[:-1])
            return _core.full((self.count,), 0, _core.int64).index_copy_(0, places, groups)

        return self.kept("numbers", make)

    def rows(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Of a matrix, by rows: (starts, columns, places of the entries; None: as they are)."""
        if self._turned is not None:
            return self._turned.columns()
        return self.kept("rows", lambda: self._compressed(0))

    def columns(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """The same of the transposed matrix."""
        if self._turned is not None:
            return self._turned.rows()
        return self.kept("columns", lambda: self._compressed(1))

    def _compressed(self, axis: int) -> tuple[Tensor, Tensor, Tensor | None]:
        if axis == 0 and self.coalesced:
            return _core.row_starts(self.row(0), self.sizes[0]), self.row(1), None
        major, minor = self.row(axis), self.row(1 - axis)
        # Entries of a row keep their order: products add them up in it.
        places = _core.sparse_order(_core.unsqueeze(major, 0), (self.sizes[axis],))[0]
        starts = _core.row_starts(_core.index_select(major, 0, places), self.sizes[axis])
        return starts, _core.index_select(minor, 0, places), places

    def row(self, dim: int) -> Tensor:
        """The indices in one dimension."""
        return _core.select(self.indices, 0, dim)

    def same(self, other: Pattern) -> bool:
        """Whether the places are known to be the same, entry by entry."""
        if self is other:
            return True
        if self.sizes != other.sizes:
            return False
        if self._turned is not None and other._turned is not None:
            return self._turned.same(other._turned)
        ours, theirs = self._indices, other._indices
        if ours is None or theirs is None:
            return False
        return ours is theirs or ours.is_set_to(theirs)


class Coo:
    """What a COO tensor consists of. It does not change: writing to a tensor gives it another."""

    __slots__ = ("pattern", "values")

    def __init__(self, pattern: Pattern, values: Tensor) -> None:
        self.pattern = pattern
        self.values = values


def make(pattern: Pattern, values: Tensor, shape: Sequence[int]) -> Tensor:
    """The tensor of these parts, without history."""
    result = Tensor.__new__(Tensor)
    result._set_parts(Coo(pattern, values), COO, tuple(shape), values.dtype)
    return result


def pattern_of(input: Tensor) -> Pattern:
    """The places of a COO tensor's entries."""
    return input._parts.pattern


def keys_of(indices: Tensor, sizes: Sequence[int]) -> Tensor:
    """The number of each place (dims, entries) among those of a dense tensor of these sizes."""
    keys = _core.full((indices.shape[1],), 0, _core.int64)
    for dim, size in enumerate(sizes):
        keys = _core.add(_core.mul(keys, size), _core.select(indices, 0, dim))
    return keys


def check_coo(name: str, input: Tensor) -> None:
    """Raises RuntimeError for another layout."""
    if not input.is_sparse:
        raise RuntimeError(
            f"{name} expected sparse coordinate tensor layout but got {layout_name(input)}"
        )


def layout_name(input: Tensor) -> str:
    """The layout as PyTorch's errors call it: Strided, Sparse, SparseCsr."""
    name = str(input.layout).partition(".")[2]
    words = "sparse" if name == "sparse_coo" else name
    return "".join(part.capitalize() for part in words.split("_"))


# ---- between a tensor and its values


def _rows_at(input: Tensor, pattern: Pattern) -> Tensor:
    """The values of a dense tensor at the places of a pattern, by ops."""
    rest = tuple(input.shape[len(pattern.sizes) :])
    return input.reshape((prod(pattern.sizes), *rest)).index_select(0, pattern.keys())


def pick(input: Tensor, pattern: Pattern) -> Tensor:
    """The values (entries, *dense) of a tensor of any layout at the places of a pattern."""
    if not input._layout:
        return _rows_at(input, pattern)
    if not input.is_sparse:
        return pick(input.to_sparse(), pattern)
    if pattern_of(input).coalesced and pattern_of(input).same(pattern.unique()):
        numbers, values = pattern.numbers(), values_of(input)
        return values if numbers is None else values.index_select(0, numbers)
    return _pick(coalesce(input), pattern)


@sparse_op(
    "SparseMaskBackward0",
    input=lambda grad, input, pattern: with_values(grad, pattern, tuple(input.shape)),
)
def _pick(input: Tensor, pattern: Pattern) -> Tensor:
    """The values of a coalesced tensor at the places of a pattern; 0 where it has no entry."""
    parts = input._parts
    known, count = parts.pattern.keys(), parts.pattern.count
    if count == 0 or pattern.count == 0:
        return _core.full((pattern.count, *parts.values.shape[1:]), 0, input.dtype)
    at = _core.searchsorted(known, pattern.keys()).clamp(max=count - 1)
    found = known.index_select(0, at) == pattern.keys()
    values = parts.values.index_select(0, at)
    if found.all().item():
        return values
    found = found.view((pattern.count,) + (1,) * (values.ndim - 1))
    return _core.where(found, values, _core.full((), 0, values.dtype))


@sparse_op(
    "SparseCooTensorWithDimsAndTensorsBackward0",
    values=lambda grad, pattern: pick(grad, pattern),
)
def with_values(values: Tensor, pattern: Pattern, shape: tuple) -> Tensor:
    """The tensor of that pattern and shape with these values."""
    return make(pattern, values.detach(), shape)


@sparse_op(
    "ValuesBackward0",
    input=lambda grad, input: with_values(grad, pattern_of(input), tuple(input.shape)),
)
def values_of(input: Tensor) -> Tensor:
    """The values, entry by entry, coalesced or not."""
    return input._parts.values.detach()


@sparse_op("CoalesceBackward0", input=lambda grad: grad)
def _coalesced(input: Tensor) -> Tensor:
    parts = input._parts
    pattern = parts.pattern
    return make(pattern.unique(), group_sums(parts.values, *pattern.order()), input.shape)


def group_sums(values: Tensor, places: Tensor, starts: Tensor) -> Tensor:
    """The sums of values[places] from each start to the next, one after the other."""
    width = prod(values.shape[1:])
    sums = _core.sparse_product(starts, places, None, _core.reshape(values, (-1, width)) if width
                                else _core.full((values.shape[0], 0), 0, values.dtype))
    return _core.reshape(sums, (starts.shape[0] - 1, *values.shape[1:]))


def coalesce(input: Tensor) -> Tensor:
    """The tensor with one entry to a place, in order; itself if it is so already.

    Raises RuntimeError for another layout.
    """
    check_coo("coalesce", input)
    return input if pattern_of(input).coalesced else _coalesced(input)


# ---- other layouts


def _to_dense_gradient(grad: Tensor, input: Tensor, masked: Any) -> Tensor:
    if masked is False:
        return grad
    return masked_like(grad, input)


@sparse_op("ToDenseBackward0", input=_to_dense_gradient)
def to_dense_coo(input: Tensor, masked: Any = None) -> Tensor:
    """The strided tensor: entries of one place are added up."""
    parts = input._parts
    pattern, values = parts.pattern, parts.values
    rest = tuple(values.shape[1:])
    flat = _core.full((prod(pattern.sizes), *rest), 0, input.dtype)
    if pattern.count and values.numel():
        add_at(flat, pattern, values)
    return _core.reshape(flat, tuple(input.shape))


def add_at(flat: Tensor, pattern: Pattern, values: Tensor, alpha: Any = 1) -> None:
    """flat[place] += alpha * value, in the order of the entries; flat (places, *dense)."""
    if flat.dtype is _core.bool:
        at = _core.index_select(pattern.keys(), 0, _core.select(_core.nonzero(values), 1, 0))
        if values.ndim == 1:
            _core.index_put_(flat, [at], _core.full((), True, _core.bool))
            return
        places, starts = pattern.order()
        sums = group_sums(values, places, starts)
        _core.index_put_(flat, [pattern.unique().keys()], sums)
        return
    _core.index_add_(flat, 0, pattern.keys(), values, alpha)


def masked_like(input: Tensor, mask: Tensor) -> Tensor:
    """A tensor of any layout at the places where `mask` has entries, coalesced."""
    pattern = pattern_of(mask).unique()
    if input.is_sparse and pattern.same(pattern_of(input)) and pattern_of(input).coalesced:
        return input
    return with_values(pick(input, pattern), pattern, tuple(input.shape))


@sparse_op("ToSparseBackward0", input=lambda grad: to_dense(grad))
def dense_to_coo(input: Tensor, sparse_dim: int) -> Tensor:
    """The places of a strided tensor that are not 0, with the last dimensions dense."""
    shape = tuple(input.shape)
    if input.ndim == 0:
        count = 1 if bool(_core.ne(input, 0).item()) or input.dtype is not _core.bool else 0
        indices = _core.full((0, count), 0, _core.int64)
        return make(Pattern(indices, (), True), _core.reshape(input, (1,)), ())
    rest = shape[sparse_dim:]
    flat = _core.reshape(input, (prod(shape[:sparse_dim]), prod(rest)))
    filled = _core.any(_core.ne(flat, 0), [1], False) if rest else _core.ne(
        _core.select(flat, 1, 0), 0
    )
    keys = _core.select(_core.nonzero(filled), 1, 0)
    indices = unravelled(keys, shape[:sparse_dim])
    values = _core.reshape(_core.index_select(flat, 0, keys), (keys.shape[0], *rest))
    return make(Pattern(indices, shape[:sparse_dim], True), values, shape)


def unravelled(keys: Tensor, sizes: Sequence[int]) -> Tensor:
    """The indices (dims, entries) of numbered places."""
    columns: list[Tensor] = []
    for size in reversed(sizes):
        columns.insert(0, _core.remainder(keys, max(size, 1)))
        keys = _core.floor_divide(keys, max(size, 1))
    if not columns:
        return _core.full((0, keys.shape[0]), 0, _core.int64)
    return _core.stack(columns, 0)


def to_dense(input: Tensor, dtype: Any = None, masked_grad: Any = None) -> Tensor:
    """The strided tensor of the same values."""
    if input.is_sparse:
        input = to_dense_coo(input, masked_grad)
    elif input._layout:
        from rushlight.sparse.compressed import compressed_to_dense

        input = compressed_to_dense(input)
    return input if dtype is None else input.to(dtype)
