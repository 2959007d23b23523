"""Rows of rushlight.ops.unique."""

import numpy as np

from ops.row import Row, case

NONE = {"dtypes": ("float32", "float64", "int64", "bool"), "grad": ""}


def _unique(x, sorted=True, return_inverse=False, return_counts=False, dim=None):
    found = np.unique(x, return_inverse=return_inverse, return_counts=return_counts, axis=dim)
    if return_inverse:
        found = list(found)
        found[1] = found[1].reshape(x.shape if dim is None else -1)
    return found


def _values(make):
    x = np.asarray(make.index(4, 3, high=3), make.numpy_dtype)
    far = x * np.asarray(-(10**12) if make.dtype == "int64" else 1, make.numpy_dtype)
    return [case(far), case(far, True, True, True), case(np.asarray(x - 1, make.numpy_dtype)),
            case(x), case(x, return_inverse=True), case(x, True, True, True), case(x, dim=0),
            case(x, dim=1, return_counts=True)]  # fmt: skip


Row("unique", _values, _unique, covers=("_unique2", "_unique_dim"), **NONE)


def _runs(x, return_inverse=False, return_counts=False, dim=None):
    flat = x.reshape(-1)
    start = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    found = [flat[start]]
    if return_inverse:
        found.append(np.repeat(np.arange(len(start)), np.diff([*start, len(flat)])).reshape(x.shape))
    if return_counts:
        found.append(np.diff([*start, len(flat)]))
    return found if len(found) > 1 else found[0]


Row("unique_consecutive", lambda make: [c for c in _values(make) if "dim" not in c.kwargs
                                        and len(c.args) == 1], _runs,
    covers=("_unique_consecutive", "_unique_consecutive_dim"), **NONE)  # fmt: skip
