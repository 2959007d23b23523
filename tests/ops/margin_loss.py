"""Rows of rushlight.ops.margin_loss, by their names in rushlight.nn.functional."""

import numpy as np

from ops.difference_loss import REDUCTIONS, reduced
from ops.row import Row, case

FLOATS = ("float32", "float64")
EACH = tuple({"reduction": r} for r in REDUCTIONS)


def _signs(make, *shape):
    return np.where(make.bools(*shape), 1, -1).astype(make.numpy_dtype)


def loss(name, ref, samples, grad_samples, **more):
    more = {"dtypes": FLOATS, "tol": 5, "exact": False, **more}
    errors = ((ValueError, "average", lambda rl: getattr(rl.nn.functional, name)(
        rl.ones(2, 2), *more_args(rl), reduction="average")),)  # fmt: skip
    more_args = more.pop("args", lambda rl: (rl.ones(2, 2),))
    Row(f"nn.functional.{name}", samples, ref, grad_samples=grad_samples,
        errors=(*errors, *more.pop("errors", ())), **more)  # fmt: skip


INT_SIGNS = np.array([[1, -1, 1], [-1, -1, 1]])

loss(
    "soft_margin_loss",
    lambda x, y, reduction="mean": reduced(np.logaddexp(0, -y * x), reduction),
    lambda make: [case(make(2, 3, low=-60, high=60), _signs(make, 2, 3), **r) for r in EACH],
    lambda make: [case(make(2, 3), INT_SIGNS, **r) for r in EACH],
    covers=("_soft_margin_loss",),
)


def hinge(x, y, margin=1.0, reduction="mean"):
    return reduced(np.where(y == 1, x, np.maximum(0, margin - x)), reduction)


loss(
    "hinge_embedding_loss", hinge,
    lambda make: [case(make(2, 3), _signs(make, 2, 3), m, **r) for r in EACH for m in (1.0, 0.3)],
    lambda make: [case(make(2, 3), INT_SIGNS, **r) for r in EACH],
)  # fmt: skip


def ranking(x1, x2, y, margin=0, reduction="mean"):
    return reduced(np.maximum(0, margin - y * (x1 - x2)), reduction)


loss(
    "margin_ranking_loss", ranking,
    lambda make: [case(make(2, 3), make(2, 3), _signs(make, 2, 3), m, **r)
                  for r in EACH for m in (0, 0.7)],
    lambda make: [case(make(2, 3), make(2, 3), INT_SIGNS, 0.2)],
    args=lambda rl: (rl.ones(2, 2), rl.ones(2, 2)),
    errors=((RuntimeError, "same dimension", lambda rl: rl.nn.functional.margin_ranking_loss(
        rl.ones(2), rl.ones(2), rl.ones(2, 2))),),
)  # fmt: skip


def cosine_embedding(x1, x2, y, margin=0, reduction="mean"):
    cosine = (x1 * x2).sum(-1) / np.sqrt((x1 * x1).sum(-1) * (x2 * x2).sum(-1))
    return reduced(np.where(y == 1, 1 - cosine, np.maximum(0, cosine - margin)), reduction)


loss(
    "cosine_embedding_loss", cosine_embedding,
    lambda make: [case(make(4, 3), make(4, 3), np.array([1, -1, 1, -1]), m, **r)
                  for r in EACH for m in (0, -0.5)] + [case(make(3), make(3), np.array(1))],
    lambda make: [case(make(2, 3), make(2, 3), np.array([1, -1]), -0.9)],
    args=lambda rl: (rl.ones(2, 2), rl.ones(2)),
    errors=((RuntimeError, "2D", lambda rl: rl.nn.functional.cosine_embedding_loss(
        rl.ones(2), rl.ones(2), rl.ones(2))),),
)  # fmt: skip


def multi_margin(x, y, p=1, margin=1.0, weight=None, reduction="mean"):
    rows, index = np.atleast_2d(x), np.atleast_1d(y)
    each = []
    for row, target in zip(rows, index):
        z = np.maximum(0, margin - row[target] + row) ** p
        z[target] = 0
        each.append(z.sum() / len(row) * (1 if weight is None else weight[target]))
    return reduced(np.array(each).reshape(np.shape(y)), reduction)


loss(
    "multi_margin_loss", multi_margin,
    lambda make: [case(make(4, 3), make.index(4, high=3), p, **r) for r in EACH for p in (1, 2)]
    + [case(make(4, 3), make.index(4, high=3), 1, 0.4, make(3, low=0.1, high=1)),
       case(make(3), np.array(1))],
    lambda make: [case(make(2, 3), np.array([0, 2]), p) for p in (1, 2)],
    args=lambda rl: (rl.tensor([0, 1]),),
    errors=(
        (ValueError, "p == 1", lambda rl: rl.nn.functional.multi_margin_loss(
            rl.ones(2, 2), rl.tensor([0, 1]), p=3)),
        (RuntimeError, "out of range", lambda rl: rl.nn.functional.multi_margin_loss(
            rl.ones(2, 2), rl.tensor([0, 2]))),
    ),
)  # fmt: skip


def multilabel_margin(x, y, reduction="mean"):
    each = []
    for row, labels in zip(np.atleast_2d(x), np.atleast_2d(y)):
        ended = list(labels) + [-1]
        targets = ended[: ended.index(-1)]
        others = [i for i in range(len(row)) if i not in targets]
        pairs = [max(0, 1 - row[t] + row[i]) for t in targets for i in others]
        each.append(sum(pairs) / len(row))
    return reduced(np.array(each).reshape(x.shape[:-1]), reduction)


LABELS = np.array([[1, 2, -1, 0], [0, 1, 2, 3], [-1, 1, 2, 3], [3, -1, -1, -1]])
loss(
    "multilabel_margin_loss", multilabel_margin,
    lambda make: [case(make(4, 4), LABELS, **r) for r in EACH] + [case(make(4), LABELS[0])],
    lambda make: [case(make(2, 4), LABELS[:2], **r) for r in EACH],
    args=lambda rl: (rl.zeros(2, 2).long(),),
    errors=((RuntimeError, "range", lambda rl: rl.nn.functional.multilabel_margin_loss(
        rl.ones(2), rl.tensor([0, 2]))),),
)  # fmt: skip


def multilabel_soft(x, y, weight=None, reduction="mean"):
    each = y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)
    return reduced((each if weight is None else each * weight).mean(-1), reduction)


loss(
    "multilabel_soft_margin_loss", multilabel_soft,
    lambda make: [case(make(4, 3), make.index(4, 3, high=2), **r) for r in EACH]
    + [case(make(4, 3), make.index(4, 3, high=2), make(3, low=0.1, high=1))],
    lambda make: [case(make(2, 3), np.array([[0, 1, 1], [1, 0, 0]]), **r) for r in EACH],
)  # fmt: skip


def triplet(a, p, n, margin=1.0, norm=2, eps=1e-6, swap=False, reduction="mean", distance=None):
    distance = distance or (lambda x, y: np.linalg.norm(x - y + eps, norm, -1))
    far = np.minimum(distance(a, n), distance(p, n)) if swap else distance(a, n)
    return reduced(np.maximum(0, margin + distance(a, p) - far), reduction)


def _three(make, *shape):
    return make(*shape), make(*shape), make(*shape)


POSITIVE = (ValueError, "greater than 0")
loss(
    "triplet_margin_loss", triplet,
    lambda make: [case(*_three(make, 4, 3), swap=s, **r) for r in EACH for s in (False, True)]
    + [case(*_three(make, 3)), case(*_three(make, 4, 3), 0.5, 1)],
    lambda make: [case(*_three(make, 3, 2), 4.0), case(*_three(make, 3, 2), 4.0, swap=True)],
    args=lambda rl: (rl.ones(2, 2), rl.ones(2, 2)),
    errors=((*POSITIVE, lambda rl: rl.nn.functional.triplet_margin_loss(
        *[rl.ones(2, 2)] * 3, margin=0)),),
)  # fmt: skip


def _steps(x, y):
    return abs(x - y).sum(-1)


Row(
    "nn.functional.triplet_margin_with_distance_loss",
    lambda make: [case(*_three(make, 4, 3), distance_function=_steps, swap=s, **r)
                  for r in EACH for s in (False, True)],
    lambda a, p, n, distance_function, **more: triplet(a, p, n, distance=distance_function, **more),
    dtypes=FLOATS, tol=5,
    grad_samples=lambda make: [case(*_three(make, 3, 2), margin=5.0)],
    errors=((*POSITIVE, lambda rl: rl.nn.functional.triplet_margin_with_distance_loss(
        *[rl.ones(2, 2)] * 3, margin=0)),),
)  # fmt: skip
