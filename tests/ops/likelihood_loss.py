"""Rows of rushlight.ops.likelihood_loss, by their names in rushlight.nn.functional."""

import math

import numpy as np

from ops.difference_loss import REDUCTIONS, reduced
from ops.row import Row, case

FLOATS = ("float32", "float64")


def _probability(make, *shape):
    return make(*shape, low=0.05, high=0.95)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def _log(x):
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), -100)


def binary_cross_entropy(x, y, weight=None, reduction="mean"):
    loss = -(y * _log(x) + (1 - y) * _log(1 - x))
    return reduced(loss if weight is None else loss * weight, reduction)


def _bce_samples(make):
    found = [case(_probability(make, *s), _probability(make, *s), reduction=r)
             for r in REDUCTIONS for s in ((4,), (2, 3))]  # fmt: skip
    found.append(case(_probability(make, 2, 3), _probability(make, 2, 3), _probability(make, 3)))
    ends = np.array([0.0, 1.0, 0.0, 1.0]).astype(make.numpy_dtype)
    return [*found, case(ends, ends[::-1].copy(), reduction="none"), case(ends, ends)]


Row(
    "nn.functional.binary_cross_entropy", _bce_samples, binary_cross_entropy, dtypes=FLOATS, tol=3, exact=False,
    covers=("_binary_cross_entropy",),
    grad_samples=lambda make: [case(_probability(make, 2, 2), _probability(make, 2, 2), reduction=r)
                               for r in REDUCTIONS],
    errors=(
        (RuntimeError, "between 0 and 1",
         lambda rl: rl.nn.functional.binary_cross_entropy(rl.tensor([1.5]), rl.ones(1))),
        (RuntimeError, "between 0 and 1",
         lambda rl: rl.nn.functional.binary_cross_entropy(rl.tensor([math.nan]), rl.ones(1))),
        (ValueError, "size",
         lambda rl: rl.nn.functional.binary_cross_entropy(rl.ones(2), rl.ones(2, 1))),
    ),
)  # fmt: skip


def with_logits(x, y, weight=None, reduction="mean", pos_weight=None):
    factor = 1 if pos_weight is None else pos_weight
    loss = factor * y * softplus(-x) + (1 - y) * softplus(x)
    return reduced(loss if weight is None else loss * weight, reduction)


def _logits_samples(make):
    found = [case(make(*s, low=-30, high=30), _probability(make, *s), reduction=r)
             for r in REDUCTIONS for s in ((), (4,), (2, 3), (40, 30))]  # fmt: skip
    for more in ({"weight": 3}, {"pos_weight": 3}, {"weight": 3, "pos_weight": 3}):
        given = {k: _probability(make, n) for k, n in more.items()}
        found.append(case(make(2, 3), _probability(make, 2, 3), **given))
    return found


Row(
    "nn.functional.binary_cross_entropy_with_logits", _logits_samples, with_logits, dtypes=FLOATS,
    tol=5, exact=False, covers=("_logits_loss", "_weighted_logits_loss"),
    grad_samples=lambda make: [case(make(2, 2), _probability(make, 2, 2), reduction=r)
                               for r in REDUCTIONS]
    + [case(make(2, 2), _probability(make, 2, 2), _probability(make, 2),
            pos_weight=_probability(make, 2))],
    errors=((ValueError, "same as input size", lambda rl: (
        rl.nn.functional.binary_cross_entropy_with_logits(rl.ones(2), rl.ones(3)))),),
)  # fmt: skip


def kl_div(x, y, reduction="mean", log_target=False):
    if log_target:
        loss = np.exp(y) * (y - x)
    else:
        loss = np.where(y == 0, 0, y * np.log(np.where(y == 0, 1, y))) - y * x
    return loss.sum() / len(x) if reduction == "batchmean" else reduced(loss, reduction)


ALL = *REDUCTIONS, "batchmean"
Row(
    "nn.functional.kl_div",
    lambda make: [case(make(3, 4), _probability(make, 3, 4), reduction=r) for r in ALL]
    + [case(make(3, 4), make(3, 4), reduction=r, log_target=True) for r in ALL]
    + [case(make(3), _probability(make, 3) * 0, reduction="sum")],
    kl_div, dtypes=FLOATS, tol=5, exact=False, covers=("_kl_div",),
    grad_samples=lambda make: [case(make(2, 3), _probability(make, 2, 3), reduction=r) for r in ALL]
    + [case(make(2, 3), make(2, 3), log_target=True)],
)  # fmt: skip


def poisson_nll_loss(x, y, log_input=True, full=False, eps=1e-8, reduction="mean"):
    loss = np.exp(x) - y * x if log_input else x - y * np.log(x + eps)
    if full:
        large = np.maximum(y, 1)
        stirling = large * np.log(large) - large + 0.5 * np.log(2 * math.pi * large)
        loss = loss + np.where(y > 1, stirling, 0)
    return reduced(loss, reduction)


def _counts(make):
    found = [case(make(3, 4), make(3, 4, low=0, high=9), reduction=r, full=f)
             for r in REDUCTIONS for f in (False, True)]  # fmt: skip
    return [*found, case(_probability(make, 5), make(5, low=0, high=9), log_input=False)]


Row(
    "nn.functional.poisson_nll_loss", _counts, poisson_nll_loss, dtypes=FLOATS, tol=10, exact=False,
    grad_samples=lambda make: [case(make(2, 2), make(2, 2, low=1.5, high=9), full=True),
                               case(_probability(make, 3), make(3), log_input=False)],
)  # fmt: skip


def gaussian_nll_loss(x, y, var, full=False, eps=1e-6, reduction="mean"):
    var = np.maximum(var[..., None] if np.ndim(var) == x.ndim - 1 and np.ndim(var) else var, eps)
    loss = 0.5 * (np.log(var) + (x - y) ** 2 / var) + (0.5 * math.log(2 * math.pi) if full else 0)
    return reduced(np.broadcast_to(loss, x.shape), reduction)


Row(
    "nn.functional.gaussian_nll_loss",
    lambda make: [case(make(3, 4), make(3, 4), _probability(make, *s), reduction=r)
                  for r in REDUCTIONS for s in ((3, 4), (3, 1), (3,))]
    + [case(make(3, 4), make(3, 4), 2.0, full=True),
       case(make(3), make(3), _probability(make, 3), eps=0.5)],
    gaussian_nll_loss, dtypes=FLOATS, tol=10, exact=False,
    grad_samples=lambda make: [case(make(2, 2), make(2, 2), _probability(make, 2, 2), reduction=r)
                               for r in REDUCTIONS],
    errors=(
        (ValueError, "negative",
         lambda rl: rl.nn.functional.gaussian_nll_loss(rl.ones(2), rl.ones(2), -1.0)),
        (ValueError, "incorrect size", lambda rl: rl.nn.functional.gaussian_nll_loss(
            rl.ones(2, 3), rl.ones(2, 3), rl.ones(2, 2))),
    ),
)  # fmt: skip
