"""Rows of rushlight.ops.join: tensors put together and taken apart."""

import itertools

import numpy as np

from ops.row import Row, case

ALL = {"dtypes": "fic", "grad": "fc"}


def cases(shape, *arguments):
    """Cases on one tensor, with these further arguments."""
    return lambda make: [case(make(*shape), *args) for args in arguments]


# ---- several tensors


def lists(*shapes, dims=(0,)):
    """Cases on a list of tensors."""
    return lambda make: [case([make(*s) for s in group], *([d] if d else []))
                         for group, d in zip(shapes, itertools.cycle(dims))]  # fmt: skip


PAIR = ((2, 3), (2, 3))
Row(
    "cat",
    lambda make: [case([make(2, 3), make(1, 3)]), case([make(2, 3), make(2, 1), make(2, 2)], 1),
                  case((make(2, 3), make(2, 3)), dim=-1), case([make(0, 3), make(2, 3)])],
    lambda xs, dim=0: np.concatenate(xs, dim), covers=("concat", "concatenate"), **ALL,
    errors=(
        (RuntimeError, "", lambda rl: rl.cat([rl.ones(2, 3), rl.ones(2, 2)])),
        ((RuntimeError, ValueError), "", lambda rl: rl.cat([])),
        (TypeError, "", lambda rl: rl.cat([rl.ones(2), 1])),
        (IndexError, "range", lambda rl: rl.cat([rl.ones(2)], 1)),
        (RuntimeError, "add up",
         lambda rl: rl.cat([rl.ones(1, dtype=rl.bool).expand(2**62)] * 2)),
        (TypeError, "", lambda rl: rl.cat(rl.ones(2, 2))),
    ),
)  # fmt: skip
Row("stack", lambda make: [case([make(2, 3), make(2, 3)], d) for d in (0, 1, 2, -1)]
    + [case([make(), make()])], lambda xs, dim=0: np.stack(xs, dim), **ALL,
    errors=((RuntimeError, "", lambda rl: rl.stack([rl.ones(2), rl.ones(3)])),))  # fmt: skip
for _name, _f, _shapes in (
    ("hstack", np.hstack, (PAIR, ((2,), (3,)), ((), (2,)))),
    ("vstack", np.vstack, (PAIR, ((3,), (3,)), ((3,), (2, 3)))),
    ("row_stack", np.vstack, (PAIR, ((3,), (3,)))),
    ("dstack", np.dstack, (PAIR, ((3,), (3,)), ((2, 3, 1), (2, 3, 2)))),
    ("column_stack", np.column_stack, (PAIR, ((3,), (3,)), ((3,), (3, 2)))),
):
    Row(_name, lists(*_shapes), _f, **ALL)
Row("block_diag", lambda make: [case(make(2, 3), make(2), make()), case(make(1, 1))],
    lambda *xs: _block_diag([np.atleast_2d(x) for x in xs]), **ALL,
    errors=((RuntimeError, "2 or fewer", lambda rl: rl.block_diag(rl.ones(1, 1, 1))),),
    )  # fmt: skip


def _block_diag(blocks):
    made = np.zeros(np.sum([b.shape for b in blocks], 0), blocks[0].dtype)
    row = column = 0
    for block in blocks:
        made[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return made


Row("meshgrid", lambda make: [case(make(2), make(3), indexing=i) for i in ("ij", "xy")]
    + [case(make(2), make(), make(1), indexing="ij")],
    lambda *xs, indexing: np.meshgrid(*xs, indexing=indexing), **ALL,
    errors=((RuntimeError, "indexing", lambda rl: rl.meshgrid(rl.ones(2), indexing="yx")),
            (RuntimeError, "0D or 1D", lambda rl: rl.meshgrid(rl.ones(2, 2)))))  # fmt: skip
Row("cartesian_prod", lambda make: [case(make(2), make(3)), case(make(2), make(1), make(2))],
    lambda *xs: np.array(list(itertools.product(*xs))), **ALL)  # fmt: skip


def _combinations(x, r=2, with_replacement=False):
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return np.array(list(choose(x, r))).reshape(-1, r)


Row("combinations", cases((4,), (), (3,), (2, True), (1,)), _combinations, **ALL)
for _rank in (1, 2, 3):
    Row(f"atleast_{_rank}d", cases((2, 3), ()), getattr(np, f"atleast_{_rank}d"), **ALL)

# ---- parts

SPLITS = {**ALL, "view": True}
Row("hsplit", cases((2, 6), (3,), ([1, 4],)), np.hsplit, **SPLITS)
Row("vsplit", cases((6, 2), (3,), ([1, 4],)), np.vsplit, **SPLITS)
Row("dsplit", cases((2, 1, 6), (3,), ([1, 4],)), np.dsplit, **SPLITS)
Row("unsafe_split", cases((5, 2), (2,), (1, 1)),
    lambda x, n, dim=0: np.split(x, range(n, x.shape[dim], n), dim), **SPLITS)  # fmt: skip
Row("unsafe_split_with_sizes", cases((5, 2), ([2, 3],)),
    lambda x, sizes, dim=0: np.split(x, np.cumsum(sizes)[:-1], dim), **SPLITS)  # fmt: skip
Row("unsafe_chunk", cases((4, 2), (2,), (2, 1)), np.array_split, **SPLITS)
