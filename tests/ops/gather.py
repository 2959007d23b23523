"""Rows of rushlight.ops.gather: lookups along a dimension, and writes to the places looked up."""

import numpy as np

from ops.row import Row, case

ALL = {"dtypes": "fic", "grad": "fc"}


def beyond(call):
    return (IndexError, "", call)


def _along(make):
    return [
        case(make(3, 4), 0, make.index(2, 4, high=3)), case(make(3, 4), 1, make.index(3, 2, high=4)),
        case(make(3, 4), -1, make.index(2, 5, high=4)), case(make(3), 0, make.index(0, high=3)),
        case(make(), 0, np.array(0)),
    ]  # fmt: skip


def _gather(x, dim, index):
    if x.ndim == 0:
        return x
    cut = tuple(slice(n) if d != dim % x.ndim else slice(None) for d, n in enumerate(index.shape))
    return np.take_along_axis(x[cut], index, dim)


OUT = beyond(lambda rl: rl.gather(rl.ones(2), 0, rl.tensor([2])))
Row("gather", _along, _gather, errors=((RuntimeError, "", OUT[2]),), **ALL)
Row("take_along_dim", lambda make: [case(make(3, 4), make.index(1, 4, high=3), 0),
                                    case(make(3, 4), make.index(5, high=12))],
    lambda x, index, dim=None: np.take_along_axis(
        x.reshape(-1) if dim is None else x, index, 0 if dim is None else dim), **ALL)  # fmt: skip
Row("take", lambda make: [case(make(3, 4), make.index(2, 5, high=12)), case(make(3), np.array(-1))],
    np.take, **ALL)  # fmt: skip
Row("index_select", lambda make: [case(make(3, 4), d, make.index(5, high=3)) for d in (0, 1)],
    lambda x, dim, index: np.take(x, index, dim), **ALL,
    errors=(beyond(lambda rl: rl.index_select(rl.ones(2), 0, rl.tensor([2]))),
            (RuntimeError, "", lambda rl: rl.index_select(rl.ones(2), 0, rl.tensor([0.5])))),
    )  # fmt: skip

# ---- writes to places along a dimension


def _scattered(write):
    def ref(x, dim, index, src, reduce=None, include_self=True):
        made = x.copy()
        for place in np.ndindex(index.shape):
            target = list(place)
            target[dim] = index[place]
            write(made, tuple(target), src[place] if isinstance(src, np.ndarray) else src)
        return made

    return ref


def _assign(x, place, value):
    x[place] = value


def _add(x, place, value):
    x[place] += value


DISTINCT = np.array([[0, 2, 1], [1, 0, 2]])
REPEATED = np.array([[0, 0, 1], [1, 0, 0]])
Row("scatter", lambda make: [case(make(3, 3), 0, DISTINCT, make(2, 3)),
                             case(make(2, 3), 1, DISTINCT, 2)],
    _scattered(_assign), covers=("_scatter", "_scatter_value"), **ALL)  # fmt: skip
Row("scatter_add", lambda make: [case(make(3, 3), 0, REPEATED, make(2, 3)),
                                 case(make(2, 2), 1, REPEATED, make(2, 3))],
    _scattered(_add), covers=("_scatter_add",), **ALL)  # fmt: skip


def _reduce(x, dim, index, src, reduce, include_self=True):
    made = x.copy()
    taken: dict = {}
    for place in np.ndindex(index.shape):
        target = list(place)
        target[dim] = index[place]
        taken.setdefault(tuple(target), []).append(src[place])
    for target, values in taken.items():
        values = ([x[target]] if include_self else []) + values
        made[target] = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max,
                        "amin": np.min}[reduce](values)  # fmt: skip
    return made


REDUCTIONS = "sum", "prod", "mean", "amax", "amin"


def _reduced(make):
    return [case(make(3, 3), 0, REPEATED, make(2, 3), r, include_self=s)
            for r in REDUCTIONS for s in (True, False)]  # fmt: skip


Row("scatter_reduce", _reduced, _reduce, tol=3, covers=("_scatter_reduce",))


def _index_add(x, dim, index, source, *, alpha=1):
    made = x.copy()
    np.add.at(made, (slice(None),) * (dim % x.ndim) + (index,), alpha * source)
    return made


def _rows_of(make, *more, **kwargs):
    return [case(make(3, 2), 0, np.array([0, 2]), make(2, 2), *more, **kwargs),
            case(make(2, 3), 1, np.array([2, 0]), make(2, 2), *more, **kwargs)]  # fmt: skip


Row("index_add", lambda make: [*_rows_of(make), *_rows_of(make, alpha=2),
                               case(make(2), 0, np.array([1, 1]), make(2))],
    _index_add, covers=("_index_add",), **ALL)  # fmt: skip


def _index_copy(x, dim, index, source):
    made = x.copy()
    made[(slice(None),) * dim + (index,)] = source
    return made


Row("index_copy", _rows_of, _index_copy, covers=("_index_copy",), **ALL)
Row("index_fill", lambda make: [case(make(3, 2), 0, np.array([0, 2]), 2),
                                case(make(2, 3), 1, np.array([0]), make())],
    _index_copy, covers=("_index_fill",), **ALL)  # fmt: skip


def _index_reduce(x, dim, index, source, reduce, *, include_self=True):
    shape = [1] * x.ndim
    shape[dim] = -1
    return _reduce(x, dim, np.broadcast_to(index.reshape(shape), source.shape), source, reduce,
                   include_self)  # fmt: skip


Row(
    "index_reduce",
    lambda make: [case(make(3, 2), 0, np.array([0, 2, 0]), make(3, 2), r, include_self=s)
                  for r in REDUCTIONS[1:] for s in (True, False)],
    _index_reduce, tol=3,
)  # fmt: skip


def _put(x, index, source, accumulate=False):
    made = x.reshape(-1).copy()
    if accumulate:
        np.add.at(made, index, source)
    else:
        made[index] = source
    return made.reshape(x.shape)


Row("put", lambda make: [case(make(2, 3), np.array([0, 5]), make(2)),
                         case(make(2, 3), np.array([1, 1]), make(2), True)],
    _put, covers=("_put",), **ALL)  # fmt: skip


def _select_scatter(x, src, dim, index):
    made = x.copy()
    np.moveaxis(made, dim, 0)[index] = src
    return made


def _slice_scatter(x, src, dim=0, start=None, end=None, step=1):
    made = x.copy()
    np.moveaxis(made, dim, 0)[start:end:step] = np.moveaxis(src, dim, 0)
    return made


def _diagonal_scatter(x, src, offset=0, dim1=0, dim2=1):
    made = x.copy()
    i = np.arange(src.shape[-1])
    made[i + max(-offset, 0), i + max(offset, 0)] = src
    return made


Row("select_scatter", lambda make: [case(make(2, 3), make(3), 0, 1), case(make(2, 3), make(2), 1, -1)],
    _select_scatter, **ALL)  # fmt: skip
Row("slice_scatter", lambda make: [case(make(4, 2), make(2, 2), 0, 1, 3),
                                   case(make(2, 4), make(2, 2), 1, 0, 4, 2)],
    _slice_scatter, **ALL)  # fmt: skip
Row("diagonal_scatter", lambda make: [case(make(3, 3), make(3)), case(make(3, 3), make(2), 1),
                                      case(make(3, 3), make(2), -1)],
    _diagonal_scatter, **ALL)  # fmt: skip
