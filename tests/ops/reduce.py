"""Rows of rushlight.ops.reduce."""

import math

import numpy as np

from ops.row import LARGE, Row, case, reduction

inf, nan = math.inf, math.nan


def _summed(f):
    return lambda x, **kw: f(x.astype("i8") if x.dtype.kind in "biu" else x, **kw)


DIM = (IndexError, "Dimension out of range", lambda rl: rl.sum(rl.ones(2), 3))
reduction(
    "sum", _summed(np.sum), dtypes="bifc", grad="fc", result="sum", tol=20,
    errors=(
        DIM,
        (RuntimeError, "multiple times", lambda rl: rl.sum(rl.ones(2, 2), (0, 0))),
        (TypeError, "sum", lambda rl: rl.sum(rl.ones(2), "one")),
    ),
)  # fmt: skip
reduction(
    "mean", np.mean, dtypes="fc", grad="fc", tol=20, exact=False,
    errors=((RuntimeError, "floating point or complex", lambda rl: rl.mean(rl.ones(2).long())),),
)  # fmt: skip


def _prod(x, axis=None, keepdims=False):
    return np.prod(x.astype("i8") if x.dtype.kind in "biu" else x, axis=axis, keepdims=keepdims)


def _with_zeros(make):
    x, y = make(2, 3), make(2, 3)
    x[0, 1] = 0
    y[0] = 0
    return [case(x), case(x, 1), case(y, 1), case(make(3), 0, True), case(make())]


Row(
    "prod",
    lambda make: [case(make(2, 3, 2, low=0.5, high=2)), case(make(2, 3, 2), 1),
                  case(make(2, 3), 0, True), case(make()), case(make(0, 3), 0)],
    lambda x, dim=None, keepdim=False: _prod(x, dim, keepdim),
    dtypes=("bool", "int64", "float32", "float64", "complex64", "complex128"), tol=10,
    result="sum", grad="fc", grad_samples=_with_zeros,
    large=lambda make: [case(make(*LARGE, low=0.99, high=1.01), dim) for dim in (0, 1)],
)  # fmt: skip
ORDER = {"dtypes": "bfi", "result": "same"}
EMPTY = (IndexError, "non-zero size", lambda rl: rl.amax(rl.ones(0, 3), 0))
reduction("amax", np.max, **ORDER, errors=(EMPTY,))
reduction("amin", np.min, **ORDER)
TRUTH = {"dtypes": ("bool", "int64", "float32", "float64", "float16", "bfloat16"), "result": "bool", "grad": ""}
reduction("any", np.any, **TRUTH)
reduction("all", np.all, **TRUTH)


def _logsumexp(x, axis=None, keepdims=False):
    x = x.astype(float) if x.dtype.kind in "biu" else x
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


def _given_dim(make):
    x = make(2, 3, 4)
    dims = 0, -1, (0, 2), (0, 1, 2)
    return [*(case(x, d) for d in dims), case(x, 1, True), case(make(), 0), case(make(3, 0), 1)]


Row(
    "logsumexp", _given_dim,
    lambda x, dim, keepdim=False: _logsumexp(x, dim if x.ndim else None, keepdim),
    dtypes="fi", result="float", tol=3, large=lambda make: [case(make(*LARGE), 1)],
    edges=(),
)  # fmt: skip


def _vector_norm(x, p=2, axis=None, keepdims=False):
    size = np.abs(x)
    if p == inf:
        return size.max(axis=axis, keepdims=keepdims)
    if p == -inf:
        return size.min(axis=axis, keepdims=keepdims)
    if p == 0:
        return (size != 0).sum(axis=axis, keepdims=keepdims).astype(size.dtype)
    return (size**p).sum(axis=axis, keepdims=keepdims) ** (1 / p)


def _norms(make, orders=(2, 1, 3, inf, -inf, 0, 0.5)):
    x = make(3, 4, low=0.2)
    found = [case(x, p, dim) for p in orders for dim in (None, 1, (0, 1))]
    return [*found, case(make(2, 3, 2, low=0.2), 2, (0, 2), True), case(make(low=0.2), 2)]


Row(
    "norm", _norms,
    lambda x, p="fro", dim=None, keepdim=False: _vector_norm(x, 2 if p == "fro" else p, dim, keepdim),
    dtypes="fc", result="real", grad="fc", tol=10, exact=False, covers=("vector_norm",),
    grad_samples=lambda make: _norms(make, (2, 1, 3, inf, 1.5)),
    errors=((RuntimeError, "floating point", lambda rl: rl.norm(rl.ones(2).long())),),
)  # fmt: skip
Row(
    "dist",
    lambda make: [case(make(2, 3), make(3), p) for p in (2, 1, 3)] + [case(make(4), make(4))],
    lambda a, b, p=2: _vector_norm(a - b, p), tol=5, exact=False,
)  # fmt: skip


def _renorm(x, p, dim, maxnorm):
    other = tuple(d for d in range(x.ndim) if d != dim)
    size = _vector_norm(x, p, other, True)
    return x * np.where(size > maxnorm, maxnorm / (size + 1e-7), 1)


Row(
    "renorm",
    lambda make: [case(make(3, 4), 2, 0, 2.0), case(make(2, 3, 2), 1, 1, 3.0)], _renorm, tol=5,
    errors=(
        (RuntimeError, "2 dimensions", lambda rl: rl.ones(3).renorm(2, 0, 1)),
        (RuntimeError, "maxnorm", lambda rl: rl.ones(3, 2).renorm(2, 0, -1)),
    ),
)  # fmt: skip


def _holes(make):
    x = make(3, 4)
    x[0, 1] = x[2] = nan if x.dtype.kind == "f" else 0
    return [case(x), case(x, 0), case(x, 1), case(x, 0, True)]


def _nanmean(x, dim=None, keepdim=False):
    present = ~np.isnan(x)
    with np.errstate(all="ignore"):
        return np.nansum(x, dim, keepdims=keepdim) / present.sum(dim, keepdims=keepdim)


Row("nansum", _holes, lambda x, dim=None, keepdim=False: np.nansum(x, dim, keepdims=keepdim),
    result="same", tol=5, grad_samples=lambda make: [case(make(2, 3)), case(make(2, 3), 1)],
    )  # fmt: skip
Row("nanmean", _holes, _nanmean, tol=5,
    grad_samples=lambda make: [case(make(2, 3)), case(make(2, 3), 1)])  # fmt: skip
Row("count_nonzero", lambda make: [case(make(3, 4)), case(make(3, 4), 1), case(make(3, 4), (0, 1))],
    lambda x, dim=None: np.count_nonzero(x, dim), dtypes="bif", result="int64",
    grad="")  # fmt: skip
