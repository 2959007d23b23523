"""Rows of rushlight.ops.select: extremes with their places, and elements that a mask picks."""

import math

import numpy as np

from ops.row import Row, case

ORDERED = ("float32", "float64", "int64", "int32")
NAN = ((1.0,), (math.nan,), (3.0,), (math.inf,))


def _extreme(largest, place):
    def ref(x, *args, **kwargs):
        other = args[0] if args else None
        if isinstance(other, np.ndarray):
            return (np.maximum if largest is np.max else np.minimum)(x, other)
        dim = args[0] if args else kwargs.get("dim")
        if dim is None:
            return largest(x)
        keepdim = args[1] if len(args) > 1 else kwargs.get("keepdim", False)
        if x.ndim == 0:
            return x, np.array(0)
        return largest(x, axis=dim, keepdims=keepdim), place(x, axis=dim, keepdims=keepdim)

    return ref


def _samples(make):
    x = make.distinct(3, 4)
    return [case(x), case(x, 0), case(x, 1, True), case(x, dim=-1), case(make.distinct(), 0),
            case(make.distinct(2, 3), make.distinct(2, 3))]  # fmt: skip


EMPTY = (IndexError, "", lambda rl: rl.max(rl.ones(0, 3), 0))
Row("max", _samples, _extreme(np.max, np.argmax), dtypes=ORDERED, edges=NAN,
    covers=("_max_dim", "_max_all"),
    errors=(EMPTY, (RuntimeError, "", lambda rl: rl.max(rl.ones(0)))))  # fmt: skip
Row("min", _samples, _extreme(np.min, np.argmin), dtypes=ORDERED, edges=NAN,
    covers=("_min_dim", "_min_all"))  # fmt: skip


def _place(f):
    return lambda x, dim=None, keepdim=False: f(x, axis=dim, keepdims=keepdim and dim is not None)


def _reduced(make):
    x = make.distinct(3, 4)
    return [case(x), case(x, 0), case(x, -1, True), case(make.distinct())]


Row("argmax", _reduced, _place(np.argmax), dtypes=ORDERED, result="int64", grad="", edges=NAN)
Row("argmin", _reduced, _place(np.argmin), dtypes=ORDERED, result="int64", grad="", edges=NAN)
Row(
    "aminmax",
    lambda make: [case(make.distinct(3, 4)), case(make.distinct(3, 4), dim=1),
                  case(make.distinct(3, 4), dim=0, keepdim=True)],
    lambda x, dim=None, keepdim=False: (np.min(x, axis=dim, keepdims=keepdim),
                                        np.max(x, axis=dim, keepdims=keepdim)),
    dtypes=ORDERED,
)  # fmt: skip


def _sparse(make):
    x = make(3, 4)
    x[make.bools(3, 4)] = 0
    return [case(x), case(make(0, 2)), case(make())]


def _nonzero(x):
    return np.argwhere(x).astype(np.int64)


INDICES = {"dtypes": "bif", "result": "int64", "grad": ""}
Row("nonzero", _sparse, _nonzero, **INDICES)
Row("argwhere", _sparse, _nonzero, **INDICES)


def _nonzero_static(x, *, size, fill_value=-1):
    found = _nonzero(x)[:size]
    return np.concatenate((found, np.full((size - len(found), x.ndim), fill_value)))


Row("nonzero_static", lambda make: [case(make(2, 3), size=n) for n in (1, 8)], _nonzero_static,
    **INDICES)  # fmt: skip
Row("unravel_index", lambda make: [case(make.index(4, high=12), (3, 4))],
    lambda i, shape: [np.asarray(c) for c in np.unravel_index(i, shape)], dtypes=("int64",),
    grad="")  # fmt: skip
def _members(make):
    """Few members of many elements; many that lie close, and far apart."""
    many = make(40, 50, low=-90, high=90), make(30, low=-90, high=90)
    far = [x * (10**12 if make.dtype == "int64" else 1) for x in many]
    return [case(make(3, 4), make(2)), case(make(3), make(2, 2), invert=True),
            case(many[0], make(3)), case(*many), case(*far), case(make(3), make(0))]  # fmt: skip


Row("isin", _members, np.isin, dtypes="if", result="bool", grad="")
Row("masked_select", lambda make: [case(make(2, 3), make.bools(2, 3)),
                                   case(make(2, 3), make.bools(3)), case(make(3), make.bools(2, 1))],
    lambda x, mask: np.broadcast_arrays(x, mask)[0][np.broadcast_arrays(x, mask)[1]],
    dtypes="fic", grad="fc",
    errors=((RuntimeError, "bool", lambda rl: rl.masked_select(rl.ones(2), rl.ones(2))),),
    )  # fmt: skip


def _masked_scatter(x, mask, source):
    made = x.copy()
    mask = np.broadcast_to(mask, x.shape)
    made[mask] = source.reshape(-1)[: mask.sum()]
    return made


Row("masked_scatter", lambda make: [case(make(2, 3), make.bools(2, 3), make(6)),
                                    case(make(2, 3), make.bools(3), make(2, 3))],
    _masked_scatter, dtypes="fic", grad="fc", covers=("_masked_scatter",),
    errors=((RuntimeError, "", lambda rl: rl.ones(3).masked_scatter(rl.ones(3).bool(), rl.ones(2))),
            ))  # fmt: skip
