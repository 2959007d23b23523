"""Rows of rushlight.masked: against NumPy's masked arrays."""

import numpy as np

from ops.row import Row, case


def _values(x, mask):
    return np.ma.masked_array(x, ~np.broadcast_to(mask, x.shape))


def _filled(found, identity):
    return np.ma.filled(found, identity)


def _reduction(function, identity, needs_some=False):
    def ref(x, dim=None, mask=None, keepdim=False, **rest):
        axis = tuple(range(x.ndim)) if dim is None else dim
        found = function(_values(x, True if mask is None else mask), axis, keepdim, **rest)
        return np.asarray(_filled(found, np.nan if needs_some else identity), dtype=x.dtype)

    return ref


def _samples(make):
    some = np.array([[True, False, True], [False, True, True]])
    return [
        case(make(2, 3)),
        case(make(2, 3), mask=some),
        case(make(2, 3), 1, mask=some),
        case(make(2, 3), (0, 1), mask=some, keepdim=True),
        case(make(4, 2, 3), -1, mask=some),
        case(make(2, 3), 1, mask=np.zeros((2, 3), bool)),
    ]


def _along(make):
    return [item for item in _samples(make) if item.args[1:] and isinstance(item.args[1], int)]


def _without_empty(samples):
    """Gradients are not defined where no element takes part."""
    return lambda make: samples(make)[:-1]


TOO_WIDE = (
    (IndexError, "mask", lambda rl: rl.masked.sum(rl.ones(3), mask=rl.ones(2, 3).bool())),
    (TypeError, "must be a Tensor", lambda rl: rl.masked.sum([1.0], dtype=rl.float32)),
)

Row(
    "masked.sum", _samples, _reduction(lambda m, a, k: m.sum(a, keepdims=k), 0),
    errors=TOO_WIDE, layouts=False,
)  # fmt: skip
Row(
    "masked.prod", _samples, _reduction(lambda m, a, k: m.prod(a, keepdims=k), 1), tol=4,
)  # fmt: skip
Row(
    "masked.amax", _samples, _reduction(lambda m, a, k: m.max(a, keepdims=k), -np.inf),
    grad_samples=_without_empty(_samples),
)  # fmt: skip
Row(
    "masked.amin", _samples, _reduction(lambda m, a, k: m.min(a, keepdims=k), np.inf),
    grad_samples=_without_empty(_samples),
)  # fmt: skip
Row(
    "masked.mean", _samples, _reduction(lambda m, a, k: m.mean(a, keepdims=k), 0, True),
    exact=False,
    grad_samples=_without_empty(_samples),
    errors=((ValueError, "integer dtype", lambda rl: rl.masked.mean(rl.ones(3).long())),),
)  # fmt: skip


def _variance(m, axis, keepdims, correction=1):
    count = m.count(axis, keepdims=keepdims)
    apart = m - m.mean(axis, keepdims=True)
    return np.ma.masked_array((apart * apart).sum(axis, keepdims=keepdims)) / np.where(
        count > correction, count - correction, np.nan
    )


def _moments(make):
    some = np.array([[True, False, True], [True, True, True]])
    return [
        case(make(2, 3)),
        case(make(2, 3), mask=some),
        case(make(2, 3), 1, mask=some),
        case(make(4, 2, 3), (0, 1), mask=some, keepdim=True, correction=0),
    ]


Row(
    "masked.var", _moments, _reduction(_variance, 0, True), tol=4,
    errors=(
        (ValueError, "only one", lambda rl: rl.masked.var(rl.ones(3), 0, True, correction=1)),
    ),
)  # fmt: skip
Row("masked.std", _moments, _reduction(lambda *a, **k: np.ma.sqrt(_variance(*a, **k)), 0, True),
    tol=4)  # fmt: skip
Row(
    "masked.argmax", _along, _reduction(lambda m, a, k: m.argmax(a, keepdims=k), 0), grad="",
)  # fmt: skip
Row(
    "masked.argmin", _along, _reduction(lambda m, a, k: m.argmin(a, keepdims=k), 0), grad="",
)  # fmt: skip
Row(
    "masked.median",
    lambda make: _along(make)[:-1],
    lambda x, dim, mask: np.asarray(
        np.nanquantile(np.where(np.broadcast_to(mask, x.shape), x, np.nan), 0.5, dim,
                       method="lower"),
        x.dtype,
    ),
)  # fmt: skip
Row("masked.cumsum", _along, lambda x, dim, mask: np.where(mask, x, 0).cumsum(dim))
Row("masked.cumprod", _along, lambda x, dim, mask: np.where(mask, x, 1).cumprod(dim), tol=4)


def _norms(make):
    return [item for order in (1.0, 2.0, float("inf"), -float("inf"), 3.0) for item in [
        case(make(2, 3), order, 1, mask=np.array([[True, False, True], [False, True, True]])),
    ]]  # fmt: skip


def _norm(x, order, dim, mask):
    kept = [row[keep] for row, keep in zip(x, mask)]
    return np.array([np.linalg.norm(row, order) for row in kept])


Row("masked.norm", _norms, _norm, tol=4)
Row(
    "masked.normalize", _norms,
    lambda x, order, dim, mask: np.where(mask, x, 0) / _norm(x, order, dim, mask)[:, None],
    tol=4,
)  # fmt: skip


def _softmax(x, dim, mask):
    with np.errstate(all="ignore"):
        shifted = np.where(mask, x, -np.inf)
        power = np.exp(shifted - shifted.max(dim, keepdims=True))
        return power / power.sum(dim, keepdims=True)


def _log(x):
    with np.errstate(divide="ignore"):
        return np.log(x)


def _partly(make):
    return _along(make)[:-1]


Row("masked.softmax", _partly, _softmax, tol=4)
Row("masked.softmin", _partly, lambda x, dim, mask: _softmax(-x, dim, mask), tol=4)
Row("masked.log_softmax", _partly, lambda x, dim, mask: _log(_softmax(x, dim, mask)), tol=4,
    grad_samples=lambda make: [case(make(2, 3), 1)])  # fmt: skip
Row(
    "masked.logsumexp", _partly,
    lambda x, dim, mask: _log((np.exp(x) * np.broadcast_to(mask, x.shape)).sum(dim)), tol=4,
)  # fmt: skip
Row(
    "masked.logaddexp",
    lambda make: [
        case(make(2, 3), make(2, 3)),
        case(make(2, 3), make(3), input_mask=np.array([True, False, True]),
             other_mask=np.array([True, True, False])),
    ],
    lambda x, y, input_mask=True, other_mask=True: _log(np.exp(x) * input_mask
                                                       + np.exp(y) * other_mask),
    tol=4,
)  # fmt: skip
