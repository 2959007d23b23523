"""Attention whose scores and mask are functions of the positions: `flex_attention`.

It means what eager PyTorch means by it: the functions are evaluated for every score, by vmap, and
what a BlockMask leaves out is masked, not skipped. Gradients are there, where PyTorch's CPU form
has none.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import rushlight
from rushlight.dtypes import check_device
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    MaskMod = Callable[..., Tensor]
    Blocks = tuple[Tensor | None, Tensor | None]  # how many, which
    ScoreMod = Callable[..., Tensor]

__all__ = [
    "AuxOutput",
    "AuxRequest",
    "BlockMask",
    "FlexKernelOptions",
    "and_masks",
    "create_block_mask",
    "create_mask",
    "flex_attention",
    "noop_mask",
    "or_masks",
]


_DEFAULT_SPARSE_BLOCK_SIZE = 128


class FlexKernelOptions(TypedDict, total=False):
    """Options of PyTorch's compiled kernels; accepted, and of no effect."""

    num_warps: int
    num_stages: int
    BLOCK_M: int
    BLOCK_N: int
    PRESCALE_QK: bool
    ROWS_GUARANTEED_SAFE: bool
    BLOCKS_ARE_CONTIGUOUS: bool
    WRITE_DQ: bool
    FORCE_USE_FLEX_ATTENTION: bool
    USE_TMA: bool
    BACKEND: str


class AuxRequest(NamedTuple):
    """What `flex_attention` is to return besides its output."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """What was asked for by an AuxRequest; None for the rest."""

    lse: Tensor | None = None
    max_scores: Tensor | None = None


# ---------------------------------------------------------------------------- masks as functions


def noop_mask(batch: Tensor, head: Tensor, token_q: Tensor, token_kv: Tensor) -> Tensor:
    """A mask_mod under which every query sees every key."""
    return batch.new_ones((), dtype=rushlight.bool)


def or_masks(*mask_mods: MaskMod) -> MaskMod:
    """The mask_mod that shows what one of several shows. Raises RuntimeError for no functions."""
    return _combined(mask_mods, False)


def and_masks(*mask_mods: MaskMod) -> MaskMod:
    """The mask_mod that shows what all of several show. Raises RuntimeError for no functions."""
    return _combined(mask_mods, True)


def _combined(mask_mods: tuple[MaskMod, ...], every: bool) -> MaskMod:
    if not all(callable(mask_mod) for mask_mod in mask_mods):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mask_mods}")

    def combined(b: Tensor, h: Tensor, q_idx: Tensor, kv_idx: Tensor) -> Tensor:
        result = b.new_full((), every, dtype=rushlight.bool)
        for mask_mod in mask_mods:
            shown = mask_mod(b, h, q_idx, kv_idx)
            result = result & shown if every else result | shown
        return result

    return combined


def _over_scores(function: Callable[..., Tensor], with_score: bool) -> Callable[..., Tensor]:
    """A function of one score's position, for all scores: of (B,), (H,), (Q,) and (K,) indices."""
    from rushlight.func import vmap

    first = (0,) if with_score else ()
    for dims in ((None, None, None, 0), (None, None, 0, None), (None, 0, None, None),
                 (0, None, None, None)):  # fmt: skip
        function = vmap(function, in_dims=first + dims)
    return function


def _positions(b: int, h: int, q: int, kv: int) -> list[Tensor]:
    return [rushlight.arange(size) for size in (b, h, q, kv)]


def create_mask(
    mod_fn: MaskMod | ScoreMod,
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
) -> Tensor:
    """The mask of a mask_mod, or what a score_mod leaves above -inf: bool (B, H, Q_LEN, KV_LEN).

    Args:
        mod_fn: a function of (b, h, q_idx, kv_idx), or of (score, b, h, q_idx, kv_idx).
        B: the number of batches; None for one that stands for all.
        H: the number of heads; None for one that stands for all.
        Q_LEN: the number of queries.
        KV_LEN: the number of keys.
        device: the CPU.
    """
    sizes = (B or 1, H or 1, Q_LEN, KV_LEN)
    if _takes_score(mod_fn):
        scores = _over_scores(mod_fn, True)(rushlight.zeros(sizes), *_positions(*sizes))
        return rushlight.where(scores > float("-inf"), True, False)
    mask = _over_scores(mod_fn, False)(*_positions(*sizes))
    return mask if mask.dtype is rushlight.bool else mask != 0


def _takes_score(function: Callable[..., Any]) -> bool:
    import inspect

    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    if len(required) not in (4, 5):
        raise AssertionError(
            "create_mask: the function must take (b, h, q_idx, kv_idx) or (score, b, h, q_idx, "
            f"kv_idx), but it takes {len(required)} arguments"
        )
    return len(required) == 5


# ---------------------------------------------------------------------------- masks in blocks


class BlockMask:
    """Which blocks of queries and keys see each other, and a mask_mod for what is inside.

    Attributes:
        kv_num_blocks: (B, H, rows), how many blocks of keys each block of queries sees in part.
        kv_indices: (B, H, rows, columns), which they are: these first, the others behind them.
        full_kv_num_blocks, full_kv_indices: the same for blocks that are seen as a whole, or None.
        q_num_blocks, q_indices, full_q_num_blocks, full_q_indices: the same from the keys' side.
        BLOCK_SIZE: (queries, keys) of a block.
        mask_mod: a function of (b, h, q_idx, kv_idx).
        seq_lengths: (queries, keys).
    """

    def __init__(
        self,
        seq_lengths: tuple[int, int],
        kv_num_blocks: Tensor,
        kv_indices: Tensor,
        full_kv_num_blocks: Tensor | None,
        full_kv_indices: Tensor | None,
        q_num_blocks: Tensor | None,
        q_indices: Tensor | None,
        full_q_num_blocks: Tensor | None,
        full_q_indices: Tensor | None,
        BLOCK_SIZE: tuple[int, int] = (128, 128),
        mask_mod: MaskMod = noop_mask,
    ) -> None:
        if kv_indices.dim() < 2:
            raise RuntimeError("BlockMask must have at least 2 dimensions")
        if (full_kv_num_blocks is None) != (full_kv_indices is None):
            raise AssertionError(
                "BlockMask: give both full_kv_num_blocks and full_kv_indices, or neither"
            )
        self.seq_lengths = seq_lengths
        self.kv_num_blocks, self.kv_indices = kv_num_blocks, kv_indices
        self.full_kv_num_blocks, self.full_kv_indices = full_kv_num_blocks, full_kv_indices
        self.q_num_blocks, self.q_indices = q_num_blocks, q_indices
        self.full_q_num_blocks, self.full_q_indices = full_q_num_blocks, full_q_indices
        self.BLOCK_SIZE = BLOCK_SIZE
        self.mask_mod = mask_mod

    @classmethod
    def from_kv_blocks(
        cls,
        kv_num_blocks: Tensor,
        kv_indices: Tensor,
        full_kv_num_blocks: Tensor | None = None,
        full_kv_indices: Tensor | None = None,
        BLOCK_SIZE: int | tuple[int, int] = _DEFAULT_SPARSE_BLOCK_SIZE,
        mask_mod: MaskMod | None = None,
        seq_lengths: tuple[int, int] | None = None,
        compute_q_blocks: bool = True,
    ) -> BlockMask:
        """The mask of blocks as the queries see them.

        Args:
            kv_num_blocks, kv_indices, full_kv_num_blocks, full_kv_indices, mask_mod: attributes.
            BLOCK_SIZE: (queries, keys) of a block, or one number for both.
            seq_lengths: (queries, keys); what the blocks cover without it.
            compute_q_blocks: fill in the keys' side too.
        """
        if kv_indices.dim() < 2:
            raise RuntimeError("BlockMask must have at least 2 dimensions")
        block = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else BLOCK_SIZE
        q_blocks: Blocks = (None, None)
        full_q_blocks: Blocks = (None, None)
        if compute_q_blocks:
            q_blocks = _transposed(kv_num_blocks, kv_indices)
            if full_kv_num_blocks is not None and full_kv_indices is not None:
                full_q_blocks = _transposed(full_kv_num_blocks, full_kv_indices)
        if seq_lengths is None:
            seq_lengths = (kv_indices.shape[-2] * block[0], kv_indices.shape[-1] * block[1])
        return cls(
            seq_lengths,
            kv_num_blocks,
            kv_indices,
            full_kv_num_blocks,
            full_kv_indices,
            *q_blocks,
            *full_q_blocks,
            BLOCK_SIZE=block,
            mask_mod=mask_mod or noop_mask,
        )

    def as_tuple(self, flatten: bool = True) -> tuple:
        """Its parts: the lengths, the tensors, the size of blocks and the mask_mod."""
        lengths = self.seq_lengths if flatten else (self.seq_lengths,)
        block = self.BLOCK_SIZE if flatten else (self.BLOCK_SIZE,)
        return (*lengths, *self._tensors(), *block, self.mask_mod)

    def _tensors(self) -> tuple[Tensor | None, ...]:
        return (
            self.kv_num_blocks, self.kv_indices, self.full_kv_num_blocks, self.full_kv_indices,
            self.q_num_blocks, self.q_indices, self.full_q_num_blocks, self.full_q_indices,
        )  # fmt: skip

    @property
    def shape(self) -> tuple[int, ...]:
        """(B, H, queries, keys)."""
        return (*self.kv_indices.shape[:-2], *self.seq_lengths)

    def numel(self) -> int:
        """The number of scores that it speaks of."""
        return math.prod(self.shape)

    def sparsity(self) -> float:
        """The share of scores in blocks that nobody sees, in percent of all scores."""
        blocks = int(self.kv_num_blocks.sum().item())
        if self.full_kv_num_blocks is not None:
            blocks += int(self.full_kv_num_blocks.sum().item())
        seen = blocks * self.BLOCK_SIZE[0] * self.BLOCK_SIZE[1]
        return 100 * (1 - seen / self.numel())

    def to_dense(self) -> Tensor:
        """The blocks as 0 and 1: int32 (B, H, rows, columns)."""
        dense = _dense(self.kv_num_blocks, self.kv_indices)
        if self.full_kv_num_blocks is None or self.full_kv_indices is None:
            return dense
        return dense | _dense(self.full_kv_num_blocks, self.full_kv_indices)

    def to(self, device: Any) -> BlockMask:
        """The mask itself: the only device is the CPU."""
        check_device(device)
        return self

    def _adjust(self, new_q_len: int, new_kv_len: int) -> BlockMask:
        """The mask of the first queries and keys only."""
        lengths = new_q_len, new_kv_len
        rows, columns = (-(-n // size) for n, size in zip(lengths, self.BLOCK_SIZE, strict=True))
        full: Blocks = (None, None)
        if self.full_kv_num_blocks is not None and self.full_kv_indices is not None:
            full = _ordered(_dense(self.full_kv_num_blocks, self.full_kv_indices)[
                ..., :rows, :columns
            ])  # fmt: skip
        return BlockMask.from_kv_blocks(
            *_ordered(_dense(self.kv_num_blocks, self.kv_indices)[..., :rows, :columns]),
            *full,
            BLOCK_SIZE=self.BLOCK_SIZE,
            mask_mod=self.mask_mod,
            seq_lengths=lengths,
            compute_q_blocks=self.q_indices is not None,
        )

    def __getitem__(self, index: Any) -> BlockMask:
        """The mask of some batches, heads and rows; its mask_mod has to be set before it is used.

        Args:
            index: of (B, H, rows), integers, slices or tensors.
        """
        index = index if isinstance(index, tuple) else (index,)
        index = (*index, *(slice(None),) * (3 - len(index)))
        kept = tuple(
            slice(i + self.kv_indices.shape[at], i + self.kv_indices.shape[at] + 1)
            if isinstance(i, int) and i < 0
            else slice(i, i + 1)
            if isinstance(i, int)
            else i
            for at, i in enumerate(index[:3])
        )
        full: Blocks = (None, None)
        if self.full_kv_num_blocks is not None and self.full_kv_indices is not None:
            full = self.full_kv_num_blocks[kept], self.full_kv_indices[kept]
        return BlockMask.from_kv_blocks(
            self.kv_num_blocks[kept],
            self.kv_indices[kept],
            *full,
            BLOCK_SIZE=self.BLOCK_SIZE,
            mask_mod=_mask_of_a_slice,
            seq_lengths=self.seq_lengths,
            compute_q_blocks=self.q_indices is not None,
        )

    def to_string(self, grid_size: int | tuple[int, int] = (20, 20), limit: int = 4) -> str:
        """A picture of the blocks: full, partly seen and not seen parts of a grid.

        Args:
            grid_size: at most so many rows and columns; -1 for all.
            limit: at most so many pictures.
        """
        dense = self.to_dense()
        *batch, rows, columns = dense.shape
        most = (grid_size, grid_size) if isinstance(grid_size, int) else grid_size
        most = (rows, columns) if grid_size == -1 else most
        steps = max(1, -(-rows // most[0])), max(1, -(-columns // most[1]))
        parts = []
        for number, place in enumerate(itertools.product(*map(range, batch))):
            if number == limit:
                parts += [
                    "...",
                    "To print out more, set BlockMask.to_string(limit=N)",
                    "You can also index (BlockMask[batch, head]) to choose a specific batch or "
                    "head",
                ]
                break
            picture = f"{place}\n"
            for row in range(0, rows, steps[0]):
                for column in range(0, columns, steps[1]):
                    part = dense[place][row : row + steps[0], column : column + steps[1]]
                    share = part.float().mean().item()
                    picture += ("█" if share == 1 else " " if share == 0 else "░") * 2
                picture += "\n"
            parts.append(picture)
        return "\n".join(parts)

    def __str__(self) -> str:
        picture = self.to_string().rstrip("\n")
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%, \n{picture}\n)"

    def __repr__(self) -> str:
        names = (
            "kv_num_blocks", "kv_indices", "full_kv_num_blocks", "full_kv_indices",
            "q_num_blocks", "q_indices", "full_q_num_blocks", "full_q_indices",
        )  # fmt: skip
        lines = [
            f"    {name}={None if tensor is None else tensor.shape},\n"
            for name, tensor in zip(names, self._tensors(), strict=True)
        ]
        mask = getattr(self.mask_mod, "__name__", self.mask_mod)
        return (
            f"BlockMask(\n{''.join(lines)}    BLOCK_SIZE={self.BLOCK_SIZE},\n"
            f"    shape={self.shape},\n    sparsity={self.sparsity():.2f}%,\n    mask_mod={mask}\n)"
        )


def _mask_of_a_slice(b: Tensor, h: Tensor, q_idx: Tensor, kv_idx: Tensor) -> Tensor:
    raise RuntimeError(
        "Cannot use mask_mod from a sliced BlockMask: its rows are counted from the slice's first. "
        "Set `mask_mod` of the slice, made from the mask_mod of the whole mask, before using it"
    )


def _dense(num_blocks: Tensor, indices: Tensor) -> Tensor:
    """Blocks in order as 0 and 1: int32 (..., rows, columns)."""
    order = rushlight.arange(indices.shape[-1])
    listed = (order < num_blocks.unsqueeze(-1)).to(rushlight.int32)
    return rushlight.zeros_like(listed).scatter(-1, indices.long(), listed)


def _ordered(dense: Tensor) -> tuple[Tensor, Tensor]:
    """How many blocks of each row are 1, and all blocks, those that are 1 first."""
    dense = dense.to(rushlight.int32)
    indices = rushlight.argsort(dense, dim=-1, descending=True, stable=True)
    return dense.sum(dim=-1).to(rushlight.int32), indices.to(rushlight.int32)


def _transposed(num_blocks: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    return _ordered(_dense(num_blocks, indices).transpose(-2, -1))


def create_block_mask(
    mask_mod: MaskMod,
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
    BLOCK_SIZE: int | tuple[int, int] = _DEFAULT_SPARSE_BLOCK_SIZE,
    _compile: bool = False,
    separate_full_blocks: bool = True,
) -> BlockMask:
    """The BlockMask of a mask_mod.

    Args:
        mask_mod: a function of (b, h, q_idx, kv_idx) that says whether the query sees the key.
        B: the number of batches; None for one that stands for all.
        H: the number of heads; None for one that stands for all.
        Q_LEN: the number of queries.
        KV_LEN: the number of keys.
        device: the CPU.
        BLOCK_SIZE: (queries, keys) of a block, or one number for both.
        separate_full_blocks: list the blocks that are seen as a whole by themselves.
    """
    block = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else BLOCK_SIZE
    mask = create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device)
    padding = (0, -KV_LEN % block[1], 0, -Q_LEN % block[0])
    mask = rushlight.nn.functional.pad(mask, padding)
    rows, columns = mask.shape[-2] // block[0], mask.shape[-1] // block[1]
    tiles = mask.reshape(*mask.shape[:2], rows, block[0], columns, block[1])
    seen = tiles.to(rushlight.int32).sum(dim=(3, 5))
    whole = seen == block[0] * block[1]
    some = (seen > 0) & ~whole if separate_full_blocks else seen > 0
    full: Blocks = _ordered(whole) if separate_full_blocks else (None, None)
    return BlockMask.from_kv_blocks(
        *_ordered(some), *full, BLOCK_SIZE=block, mask_mod=mask_mod, seq_lengths=(Q_LEN, KV_LEN)
    )


# ---------------------------------------------------------------------------- attention


def _check(
    query: Tensor, key: Tensor, value: Tensor, block_mask: BlockMask | None, enable_gqa: bool
) -> None:
    if query.dim() != 4 or key.dim() != 4 or value.dim() != 4:
        raise NotImplementedError("NYI: query, key, and value must be 4D tensors")
    if query.size(-1) != key.size(-1):
        raise ValueError(
            "flex_attention: query and key/value must have the same embedding dimension, got "
            f"{query.size(-1)} and {key.size(-1)}"
        )
    heads, kv_heads = query.size(1), key.size(1)
    if not enable_gqa and heads != kv_heads:
        raise ValueError(
            "Expect query and key/value to have the same number of heads but got "
            f"Hq={heads} and Hkv={kv_heads}. Try setting enable_gqa=True for GQA."
        )
    if enable_gqa and heads % kv_heads:
        raise ValueError(
            "Expect number of query heads to be a multiple of kv heads for GQA but got "
            f"Hq={heads} and Hkv={kv_heads}."
        )
    if query.size(0) != key.size(0):
        if block_mask is None:
            raise ValueError(
                "Expect query and key/value to have the same batch size, or non-none block_mask, "
                f"but got block_mask=None, Bq={query.size(0)}, and Bkv={key.size(0)}."
            )
        if key.size(0) != 1:
            raise ValueError(
                "Expect query and key/value to have the same batch size, or Bkv=1, but got "
                f"Bq={query.size(0)}, and Bkv={key.size(0)}."
            )
    if block_mask is not None:
        lengths, mine = (query.size(2), key.size(2)), block_mask.shape[-2:]
        if lengths != mine:
            raise ValueError(
                f"block_mask was created for block_mask.shape={block_mask.shape} but got "
                f"q_len={lengths[0]} and kv_len={lengths[1]}. Make one for these lengths with "
                "create_block_mask"
            )


def flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: ScoreMod | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    kernel_options: FlexKernelOptions | None = None,
    *,
    return_aux: AuxRequest | None = None,
) -> Any:
    """softmax(score_mod(query @ key^T * scale)) @ value, over the keys that a mask shows.

    Args:
        query: (B, Hq, L, E).
        key: (B, Hkv, S, E).
        value: (B, Hkv, S, Ev).
        score_mod: a function of (score, b, h, q_idx, kv_idx), 0-dim tensors, that gives the score
            to use.
        block_mask: what each query sees; everything without one.
        scale: of the scores; 1 / sqrt(E) without one.
        enable_gqa: Hq may be a multiple of Hkv: heads of queries share those of keys.
        return_lse: return (output, lse) with the logarithm of the sum of exp(score), (B, Hq, L).
        kernel_options: accepted, and of no effect.
        return_aux: return (output, AuxOutput) with what is asked for.

    Raises NotImplementedError for inputs that are not 4-dim, and ValueError for sizes that do not
    go together.
    """
    _check(query, key, value, block_mask, enable_gqa)
    if scale is None:
        scale = 1 / math.sqrt(query.size(-1))
    groups = query.size(1) // key.size(1)
    if groups > 1:
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    working = rushlight.float64 if query.dtype is rushlight.float64 else rushlight.float32
    scores = (query.to(working) @ key.to(working).transpose(-2, -1)) * scale
    positions = _positions(*scores.shape)
    if score_mod is not None:
        scores = _over_scores(score_mod, True)(scores, *positions).to(working)
    if block_mask is not None:
        shown = _over_scores(block_mask.mask_mod, False)(*positions)
        scores = rushlight.where(shown, scores, float("-inf"))
    hidden = (scores == float("-inf")).all(dim=-1, keepdim=True)
    weights = scores.softmax(dim=-1).masked_fill(hidden, 0.0)
    output = weights.to(query.dtype) @ value.to(query.dtype)
    if not return_lse and return_aux is None:
        return output
    lse = scores.logsumexp(dim=-1) if return_lse or (return_aux and return_aux.lse) else None
    if return_aux is None:
        return output, lse
    most = scores.amax(dim=-1) if return_aux.max_scores else None
    return output, AuxOutput(lse=lse, max_scores=most)
