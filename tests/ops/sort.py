"""Rows of rushlight.ops.sort."""

import numpy as np

from ops.row import Row, case

DTYPES = ("float32", "float64", "int64", "int32")


def _order(x, dim=-1, descending=False, **kwargs):
    order = np.argsort(-x if descending else x, axis=dim, kind="stable")
    return order if x.ndim else np.array(0)


def _sort(x, dim=-1, descending=False, **kwargs):
    order = _order(x, dim, descending)
    return (np.take_along_axis(x, order, dim) if x.ndim else x), order


def distinct(*arguments, shape=(3, 5), **kwargs):
    return lambda make: [case(make.distinct(*shape), *args, **kwargs) for args in arguments]


SORTED = distinct((), (0,), (1, True), (-1, False))
Row("sort", SORTED, _sort, dtypes=DTYPES)
Row("argsort", SORTED, _order, dtypes=DTYPES, result="int64", grad="")
Row("msort", distinct(()), lambda x: np.sort(x, 0), dtypes=DTYPES)


def _topk(x, k, dim=-1, largest=True, sorted=True):
    values, order = _sort(x, dim, largest)
    return np.take(values, range(k), dim), np.take(order, range(k), dim)


def _tops(make):
    """Of short rows, and of rows that are long beside what is taken; with equal ones and nan."""
    long = make(3, 333)
    if make.dtype.startswith("float"):
        long[1, 200:210] = np.nan
    shorts = distinct((2,), (3, 0), (2, 1, False), (0,))(make)
    return [*shorts, *(case(long, k, -1, largest) for k in (1, 7) for largest in (True, False))]


def _check_topk(result, x, k, dim=-1, largest=True):
    values, order = (part.numpy() for part in result)
    np.testing.assert_array_equal(np.take_along_axis(x.numpy(), order, dim), values)
    number = np.where(np.isnan(x.numpy()), np.inf, x.numpy())  # nan is above all numbers
    wanted = _topk(number, k, dim, largest)[0]
    np.testing.assert_array_equal(np.where(np.isnan(values), np.inf, values), wanted)


Row("topk", _tops, check=_check_topk, dtypes=DTYPES, grad_samples=distinct((2,), (3, 0), (0,)),
    errors=((RuntimeError, "range", lambda rl: rl.topk(rl.ones(2), 3)),))  # fmt: skip


def _kth(x, k, dim=-1, keepdim=False):
    values, order = _sort(x, dim)
    pick = np.take(values, [k - 1], dim), np.take(order, [k - 1], dim)
    return pick if keepdim else tuple(p.squeeze(dim) for p in pick)


Row("kthvalue", distinct((2,), (1, 0), (3, 1, True)), _kth, dtypes=DTYPES,
    errors=(((RuntimeError, IndexError), "range", lambda rl: rl.kthvalue(rl.ones(2), 3)),),
    )  # fmt: skip


def _median(x, dim=None, keepdim=False):
    if dim is None:
        return np.sort(x, None)[(x.size - 1) // 2]
    return _kth(x, (x.shape[dim] - 1) // 2 + 1, dim, keepdim)


MEDIAN = {"dtypes": DTYPES}
Row("median", distinct((), (0,), (1, True), shape=(4, 5)), _median, **MEDIAN,
    covers=("_median_dim", "_median_all"))  # fmt: skip
Row("nanmedian", distinct((), (0,), (1, True), shape=(4, 5)), _median, **MEDIAN,
    covers=("_nanmedian_dim", "_nanmedian_all"))  # fmt: skip


def _often(make):
    x = make.distinct(2, 5)
    x[:, 3] = x[:, 1]
    return [case(x), case(x, 1, True)]


def _mode(x, dim=-1, keepdim=False):
    pick = x[:, 3:4], np.full((len(x), 1), 3)
    return pick if keepdim else tuple(p[:, 0] for p in pick)


Row("mode", _often, _mode, dtypes=DTYPES, grad_samples=distinct((), (0,), (1, True)))


def _quantiles(make):
    x, q = make(3, 5), np.asarray([0.0, 0.3, 1.0], make.numpy_dtype)
    found = [case(x, 0.3), case(x, q), case(x, q, 1), case(x, 0.5, 0, True)]
    return found + [case(x, 0.3, interpolation=i) for i in ("lower", "higher", "midpoint")]


def _quantile(f):
    return lambda x, q, dim=None, keepdim=False, interpolation="linear": f(
        x, q, axis=dim, keepdims=keepdim, method=interpolation
    )


QUANTILE = {"dtypes": ("float32", "float64"), "tol": 5}


def _fixed_q(make):
    return [case(make(3, 4), q, d) for q in (0.3, 0.5) for d in (None, 1)]


Row("quantile", _quantiles, _quantile(np.quantile), grad_samples=_fixed_q, **QUANTILE)
Row("nanquantile", _quantiles, _quantile(np.nanquantile), grad_samples=_fixed_q, **QUANTILE)
