"""Rows of rushlight.ops.variance."""

import numpy as np

from ops.row import LARGE, Row, case

ALL = {"dtypes": ("float32", "float64", "complex64", "complex128"), "grad": "fc", "tol": 20,
       "result": "real"}  # fmt: skip


def _samples(make):
    x = make(3, 4, 2)
    found = [case(x), case(x, 1), case(x, (0, 2), correction=0), case(x, 0, keepdim=True)]
    return [*found, case(x, False), case(x, 1, False, True), case(x, dim=-1, unbiased=True)]


def _moments(root, with_mean):
    def ref(x, dim=None, unbiased=None, keepdim=False, *, correction=None):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        ddof = correction if correction is not None else 0 if unbiased is False else 1
        spread = (np.std if root else np.var)(x, axis=dim, ddof=ddof, keepdims=keepdim)
        return (spread, np.mean(x, axis=dim, keepdims=keepdim)) if with_mean else spread

    return ref


def _large(make):
    return [case(make(*LARGE), dim) for dim in (None, 0, 1)]


def _integers(name):
    return ((RuntimeError, "floating point", lambda rl: getattr(rl, name)(rl.ones(3).long())),)


for _name in ("var", "std"):
    Row(_name, _samples, _moments(_name == "std", False), covers=(f"_{_name}",), large=_large,
        errors=_integers(_name), **ALL)  # fmt: skip
    Row(f"{_name}_mean", _samples, _moments(_name == "std", True), method=False,
        errors=_integers(f"{_name}_mean"), **ALL)  # fmt: skip


def _cov(x, *, correction=1, fweights=None, aweights=None):
    return np.cov(x, ddof=correction, fweights=fweights, aweights=aweights)


def _observations(make):
    x = make(3, 5)
    return [
        case(x), case(x, correction=0), case(make(5)), case(x, fweights=np.array([1, 2, 0, 1, 3])),
        case(x, aweights=np.asarray([0.5, 1, 2, 1, 1], make(0).real.dtype)),
    ]  # fmt: skip


Row("cov", _observations, _cov,
    **{**ALL, "result": "same", "grad": "f"},
    grad_samples=lambda make: _observations(make)[:4])  # fmt: skip
Row("corrcoef", lambda make: [case(make(3, 5)), case(make(5))], np.corrcoef, **{**ALL, "result": "same",
    "grad": "f"}, grad_samples=lambda make: [case(make(2, 5))])  # fmt: skip
