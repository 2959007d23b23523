"""Rows of rushlight.ops.loss and rushlight.ops.ctc, by their names in rushlight.nn.functional."""

import itertools

import numpy as np

import rushlight as rl
from ops.row import Row, case

FLOATS = ("float32", "float64")


def _columns(x):
    """(items, classes), and the shape of the items."""
    axis = 0 if x.ndim == 1 else 1
    moved = np.moveaxis(x, axis, -1)
    return moved.reshape(-1, x.shape[axis]), moved.shape[:-1]


def _log_softmax(rows):
    shifted = rows - rows.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def _weighed(logs, target, weight, reduction, ignore_index, smoothing, shape):
    """The loss of log-probabilities (items, classes), class by class."""
    items, classes = logs.shape
    weight = np.ones(classes) if weight is None else weight
    if target.dtype.kind == "f":
        shares, total, counts = _columns(target)[0], items, np.ones(items, bool)
    else:
        index = target.reshape(-1)
        counts = index != ignore_index
        shares = np.eye(classes)[np.where(counts, index, 0)]
        total = weight[index[counts]].sum()
    shares = (shares * (1 - smoothing) + smoothing / classes) * weight
    each = np.where(counts, -(shares * logs).sum(1), 0)
    if reduction == "none":
        return each.reshape(shape)
    return each.sum() / total if reduction == "mean" else each.sum()


def cross_entropy(
    x, target, weight=None, reduction="mean", ignore_index=-100, label_smoothing=0.0
):
    rows, shape = _columns(x)
    logs = _log_softmax(rows)
    return _weighed(logs, target, weight, reduction, ignore_index, label_smoothing, shape)


def nll_loss(x, target, weight=None, reduction="mean", ignore_index=-100):
    rows, shape = _columns(x)
    return _weighed(rows, target, weight, reduction, ignore_index, 0, shape)


SHAPES = (5,), (2,), (4, 3), (2, 3, 5), (2, 3, 2, 4), (40, 2), (3, 70), (2, 3, 33)
REDUCTIONS = "none", "mean", "sum"


def _indices(make, shape):
    classes = shape[0] if len(shape) == 1 else shape[1]
    items = () if len(shape) == 1 else (shape[0], *shape[2:])
    return make.index(*items, high=classes), classes


def _shares(make, *shape):
    return make(*shape, low=0.1, high=1)


def _class_samples(make):
    found = []
    for shape in SHAPES:
        target, classes = _indices(make, shape)
        for reduction in REDUCTIONS:
            found.append(case(make(*shape), target, reduction=reduction))
            weight = _shares(make, classes)
            found.append(case(make(*shape), target, weight, reduction=reduction, ignore_index=1))
    return found


def _samples(make):
    found = _class_samples(make)
    for shape, reduction, smoothing in itertools.product(SHAPES, REDUCTIONS, (0.0, 0.2)):
        target, classes = _indices(make, shape)
        more = {"reduction": reduction, "label_smoothing": smoothing}
        found.append(case(make(*shape), _shares(make, *shape), **more))
        found.append(case(make(*shape), target, **more, ignore_index=0))
        found.append(case(make(*shape), target, _shares(make, classes), **more))
        found.append(case(make(*shape), _shares(make, *shape), _shares(make, classes), **more))
    return [*found, case(make(3, 4, low=900, high=999), make.index(3, high=4))]


def _grad_samples(make):
    target = np.array([0, 2, 1])
    found = [case(make(3), np.array(1))]
    for reduction in REDUCTIONS:
        more = {"reduction": reduction}
        found.append(case(make(3, 3), target, **more, ignore_index=2))
        found.append(case(make(2, 3, 2), make.index(2, 2, high=3), label_smoothing=0.2, **more))
        found.append(case(make(3, 3), _shares(make, 3, 3), **more))
        found.append(case(make(3, 3), _shares(make, 3, 3), label_smoothing=0.2, **more))
    return found


def _loss(name, *args, **more):
    return lambda rl: getattr(rl.nn.functional, name)(*(make(rl) for make in args), **more)


def _classes(*numbers):
    return lambda rl: rl.tensor(numbers)


def _class_errors(name):
    def x(rl):
        return rl.ones(3, 5)

    good = _classes(1, 2, 3)
    return (
        (IndexError, "Target 7 is out of bounds.", _loss(name, x, _classes(1, 7, 0))),
        (IndexError, "Target -1", _loss(name, x, _classes(1, -1, 0))),
        (ValueError, "batch_size (3)", _loss(name, x, _classes(1, 2))),
        (ValueError, "average", _loss(name, x, good, reduction="average")),
        (RuntimeError, "target.long()", _loss(name, x, lambda rl: good(rl).int())),
        (RuntimeError, "all 5 classes", _loss(name, x, good, lambda rl: rl.ones(4))),
        (NotImplementedError, "int64", _loss(name, lambda rl: x(rl).long(), good)),
    )


Row(
    "nn.functional.cross_entropy", _samples, cross_entropy, dtypes=FLOATS, tol=10,
    covers=("_cross_entropy",), grad_samples=_grad_samples,
    errors=(
        *_class_errors("cross_entropy"),
        (RuntimeError, "label_smoothing", _loss(
            "cross_entropy", lambda rl: rl.ones(2, 2), lambda rl: rl.tensor([0, 1]),
            label_smoothing=1.5)),
        (RuntimeError, "ignore_index", _loss(
            "cross_entropy", lambda rl: rl.ones(2, 2), lambda rl: rl.ones(2, 2), ignore_index=1)),
    ),
)  # fmt: skip
Row(
    "nn.functional.nll_loss", _class_samples, nll_loss, dtypes=FLOATS, tol=10,
    covers=("_nll_loss", "_nll_loss_backward"), errors=_class_errors("nll_loss"),
    grad_samples=lambda make: [
        case(make(3, 3), np.array([0, 2, 1]), reduction=r) for r in REDUCTIONS
    ],
)  # fmt: skip


def _linear_cross_entropy(x, weight, target, linear_bias=None, **more):
    logits = x @ weight.T + (0 if linear_bias is None else linear_bias)
    return cross_entropy(logits, target, **more)


Row(
    "nn.functional.linear_cross_entropy",
    lambda make: [
        case(make(4, 3), make(5, 3), make.index(4, high=5)),
        case(make(4, 3), make(5, 3), make.index(4, high=5), linear_bias=make(5), reduction="sum"),
        case(make(3), make(5, 3), np.array(2)),
    ],
    _linear_cross_entropy, dtypes=FLOATS, tol=20, layouts=False,
    grad_samples=lambda make: [
        case(make(2, 3), make(4, 3), np.array([0, 3]), linear_bias=make(4), label_smoothing=0.1)
    ],
    errors=((RuntimeError, "in_features", _loss(
        "linear_cross_entropy", lambda rl: rl.ones(2, 3), lambda rl: rl.ones(4, 2),
        lambda rl: rl.tensor([0, 1]))),),
)  # fmt: skip


def _alignments(steps, labels):
    """All ways to stretch the labels over the steps, blanks (0) between and around them."""
    for path in itertools.product(range(max([0, *labels]) + 1), repeat=steps):
        merged = [k for k, _ in itertools.groupby(path)]
        if [k for k in merged if k] == list(labels):
            yield path


def ctc_loss(logs, targets, steps, labels, reduction="mean", zero_infinity=False):
    losses = []
    for i, (length, count) in enumerate(zip(steps, labels)):
        ways = [sum(logs[t, i, k] for t, k in enumerate(path))
                for path in _alignments(length, targets[i][:count])]  # fmt: skip
        loss = -np.logaddexp.reduce(ways) if ways else (0.0 if zero_infinity else np.inf)
        losses.append(loss)
    if reduction == "mean":
        return np.mean([loss / max(count, 1) for loss, count in zip(losses, labels)])
    return np.sum(losses) if reduction == "sum" else np.array(losses)


def _sequences(make):
    targets = np.array([[1, 2], [2, 2], [1, 0]])
    logs = make(4, 3, 3) - 2
    found = [case(logs, targets, (4, 4, 2), (2, 2, 1), reduction=r) for r in REDUCTIONS]
    found.append(case(logs, targets, (4, 2, 3), (2, 2, 0), reduction="none"))  # no room for 2 _ 2
    return [*found, case(logs, targets, (4, 2, 3), (2, 2, 0), zero_infinity=True)]


Row(
    "nn.functional.ctc_loss", _sequences, ctc_loss, dtypes=FLOATS, tol=10,
    # Its gradient is that of the logits.
    grad_of=lambda x, *a, **k: rl.nn.functional.ctc_loss(rl.log_softmax(x, -1), *a, **k),
    grad_samples=lambda make: [*_sequences(make)[:3], _sequences(make)[4]],
    covers=("_ctc_loss", "_ctc_loss_backward", "_ctc_loss_second"), layouts=False,
    errors=((RuntimeError, "blank", lambda rl: rl.nn.functional.ctc_loss(
        rl.ones(2, 1, 3), rl.tensor([[1]]), (2,), (1,), blank=3)),),
)  # fmt: skip
