"""Rows of rushlight.ops.difference_loss, by their names in rushlight.nn.functional."""

import numpy as np

from ops.row import LARGE, Row, case

REDUCTIONS = "none", "mean", "sum"


def reduced(loss, reduction, weight=None):
    if weight is not None:
        loss = loss * weight
        if reduction == "mean":
            return loss.sum() / weight.sum()
    return {"none": loss, "mean": loss.mean(), "sum": loss.sum()}[reduction]


def smooth_l1(d, beta=1.0):
    return np.where(d < beta, d * d / (2 * beta or 1), d - beta / 2)


def huber(d, delta=1.0):
    return np.where(d <= delta, d * d / 2, delta * (d - delta / 2))


def difference(name, ref, widths=({},), weighted=True, **more):
    def loss(x, y, reduction="mean", weight=None, **width):
        values = ref(abs(x - y), **width)
        if name == "huber_loss" and weight is not None:
            return reduced(values * weight, reduction)
        return reduced(values, reduction, weight)

    def samples(make):
        found = []
        for reduction in REDUCTIONS:
            for shape in ((), (5,), (2, 3), (30, 40)):
                more = {"reduction": reduction}
                found += [case(make(*shape), make(*shape), **more, **w) for w in widths]
            if weighted:
                found.append(case(make(2, 3), make(2, 3), reduction=reduction,
                                  weight=make(2, 3, low=0.1, high=1)))  # fmt: skip
        return [*found, case(make(2, 3), make(3)), case(make(2, 1), make(2, 3))]

    def grad_samples(make):
        return [case(make(2, 3), make(2, 3), reduction=r, **w) for r in REDUCTIONS for w in widths]

    Row(
        f"nn.functional.{name}", samples, loss, grad_samples=grad_samples, tol=3, exact=False,
        dtypes=("float32", "float64", "bfloat16"),
        large=lambda make: [case(make(*LARGE), make(*LARGE), reduction=r) for r in REDUCTIONS],
        errors=(
            (ValueError, "average", lambda rl: getattr(rl.nn.functional, name)(
                rl.ones(2), rl.ones(2), reduction="average")),
            *more.pop("errors", ()),
        ),
        **more,
    )  # fmt: skip


difference("mse_loss", lambda d: d * d, covers=("_squared_loss",), errors=(
    (ValueError, "same size", lambda rl: rl.nn.functional.mse_loss(
        rl.ones(2), rl.ones(2), weight=rl.ones(3))),
    (NotImplementedError, "int64", lambda rl: rl.nn.functional.mse_loss(
        rl.arange(2), rl.arange(2))),
))  # fmt: skip
difference("l1_loss", lambda d: d, covers=("_absolute_loss",))
difference("smooth_l1_loss", smooth_l1, ({}, {"beta": 0.3}, {"beta": 0.0}), weighted=False,
           covers=("_smooth_l1_loss",), errors=(
               (RuntimeError, "beta", lambda rl: rl.nn.functional.smooth_l1_loss(
                   rl.ones(2), rl.ones(2), beta=-1)),
           ))  # fmt: skip
difference("huber_loss", huber, ({}, {"delta": 0.3}), covers=("_huber_loss",),
           errors=((RuntimeError, "delta", lambda rl: rl.nn.functional.huber_loss(
               rl.ones(2), rl.ones(2), delta=0)),))  # fmt: skip
