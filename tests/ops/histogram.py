"""Rows of rushlight.ops.histogram and rushlight.ops.hashing."""

import numpy as np

from ops.row import Row, case

NONE = {"grad": "", "result": None}


def _bincount(x, weights=None, minlength=0):
    return np.bincount(x, weights, minlength)


Row("bincount", lambda make: [case(make.index(9, high=5)), case(make.index(9, high=5), minlength=8),
                              case(make.index(4, high=3), np.array([0.5, 1.0, 2.0, 4.0]))],
    _bincount, dtypes=("int64",), **NONE)  # fmt: skip


def _histc(x, bins=100, min=0, max=0):
    low, high = (min, max) if min != max else (x.min(), x.max())
    return np.histogram(x, bins, (low, high))[0].astype(float)


Row("histc", lambda make: [case(make(40), 5, -2, 2), case(make(40), 4)], _histc,
    dtypes=("float64",), **NONE)  # fmt: skip
Row("histogram", lambda make: [case(make(40), 5, range=(-2.0, 2.0)), case(make(40), 4)],
    lambda x, bins, range=None: [v.astype(float) for v in np.histogram(x, bins, range)],
    dtypes=("float64",), **NONE)  # fmt: skip


def _sorted(make):
    edges = np.sort(make(6))
    return [case(edges, make(3, 4)), case(edges, edges, right=True), case(edges, 1)]


def _search(edges, values, *, right=False, **kwargs):
    return np.asarray(np.searchsorted(edges, values, "right" if right else "left"))


SEARCH = {"dtypes": ("float32", "float64", "int64"), "result": "int64", "grad": ""}
Row("searchsorted", _sorted, _search, method=False, **SEARCH)
Row("bucketize", lambda make: [case(make(3, 4), np.sort(make(6))),
                               case(make(4), np.sort(make(6)), right=True)],
    lambda x, edges, **kw: _search(edges, x, **kw), method=False, **SEARCH)  # fmt: skip


def _check_cells(result, x, bins, *, range=None, density=False):
    ends = None if range is None else np.reshape(range, (-1, 2))
    x = x.numpy().astype(float)
    hist, edges = np.histogramdd(x.reshape(-1, x.shape[-1]), bins, ends, density)
    np.testing.assert_allclose(result.hist.numpy(), hist, rtol=1e-5)
    for own, wanted in zip(result.bin_edges, edges):
        np.testing.assert_allclose(own.numpy(), wanted, rtol=1e-5, atol=1e-6)


Row("histogramdd",
    lambda make: [case(make(40, 2), [3, 4]), case(make(5, 6, 3), 2, range=[-2.0, 2.0] * 3),
                  case(make(30, 1), [4], density=True)],
    check=_check_cells, dtypes=("float64", "float32"), **NONE,
    errors=((RuntimeError, "at least 2 dimensions", lambda rl: rl.histogramdd(rl.ones(3), [2])),
            (RuntimeError, "one entry for each", lambda rl: rl.histogramdd(rl.ones(3, 2), [2])),
            ))  # fmt: skip


def _hash(x, dim=(), keepdim=False):
    wide = np.float64 if x.dtype.kind == "f" else np.int64
    bits = x.astype(wide, order="C").view(np.uint64)
    axes = tuple(range(x.ndim)) if dim == () else dim
    return np.bitwise_xor.reduce(bits, axis=axes, keepdims=keepdim)


Row("hash_tensor",
    lambda make: [case(make(3, 4)), case(make(3, 4), 1), case(make(2, 3, 4), (0, -1), keepdim=True),
                  case(make()), case(make(3, 0), 0)],
    _hash, dtypes=("float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool"),
    result="uint64", grad="",
    errors=((RuntimeError, "mode: 1", lambda rl: rl.hash_tensor(rl.ones(2), mode=1)),
            (RuntimeError, "to be specified", lambda rl: rl.hash_tensor(rl.ones(0))),
            (IndexError, "non-zero size", lambda rl: rl.hash_tensor(rl.ones(0, 2), 0)),
            (IndexError, "out of range", lambda rl: rl.hash_tensor(rl.ones(2), 4)),
            (NotImplementedError, "complex64", lambda rl: rl.hash_tensor(rl.ones(2) * 1j))),
)  # fmt: skip
