"""Rows of rushlight.ops.embedding, by their forms in rushlight.nn.functional."""

import numpy as np

from ops.row import Row, case


def _embedding(index, weight, padding_idx=None):
    return weight[index]


def _lookup(make):
    weight = make(7, 3)
    return [case(make.index(2, 4, high=7), weight), case(make.index(high=7), weight),
            case(make.index(0, 2, high=7), weight), case(make.index(5, high=7), weight, 2),
            case(make.index(5, high=7).astype("int32"), weight, -1)]  # fmt: skip


def _look_up(rl, number, **more):
    return rl.nn.functional.embedding(rl.tensor([number]), rl.ones(3, 2), **more)


Row(
    "nn.functional.embedding", _lookup, _embedding,
    covers=("embedding", "_embedding", "embedding_backward", "embedding_renorm_"),
    result=None, layouts=False,
    grad_samples=lambda make: [case(np.array([0, 2, 2, 1]), make(3, 2))],
    errors=(
        (IndexError, "out of range", lambda rl: _look_up(rl, 9)),
        (AssertionError, "Padding_idx", lambda rl: _look_up(rl, 0, padding_idx=5)),
    ),
)  # fmt: skip


def _bags(index, weight, offsets=None, mode="mean", per_sample_weights=None, padding_idx=None,
          include_last_offset=False):  # fmt: skip
    if index.ndim == 2:
        offsets = np.arange(index.shape[0]) * index.shape[1]
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
        index = index.reshape(-1)
    elif include_last_offset:
        offsets = offsets[:-1]
    stops = [*offsets[1:], len(index)]
    result = np.zeros((len(offsets), weight.shape[1]))
    for bag, (start, stop) in enumerate(zip(offsets, stops)):
        used = [i for i in range(start, stop) if index[i] != padding_idx]
        if not used:
            continue
        rows = weight[index[used]]
        if per_sample_weights is not None:
            rows = rows * per_sample_weights[used][:, None]
        result[bag] = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode](rows, axis=0)
    return result


def _bag_samples(make):
    weight, table = make(7, 3), make.index(3, 4, high=7)
    flat, offsets = table.reshape(-1), np.array([0, 3, 3, 7])
    found = []
    for mode in ("sum", "mean", "max"):
        found += [case(table, weight, mode=mode), case(flat, weight, offsets, mode=mode),
                  case(flat, weight, offsets, mode=mode, padding_idx=int(flat[0]))]  # fmt: skip
    last = np.array([0, 3, 3, 7, 12])
    return [*found, case(flat, weight, last, mode="sum", include_last_offset=True),
            case(table, weight, mode="sum", per_sample_weights=make(3, 4))]  # fmt: skip


def _bag_of(rl, index, **more):
    return rl.nn.functional.embedding_bag(index, rl.ones(2, 2), **more)


Row(
    "nn.functional.embedding_bag", _bag_samples, _bags, result=None, layouts=False,
    covers=("_embedding_bag",),
    dtypes=("float32", "float64"),
    grad_samples=lambda make: [
        case(np.array([[0, 2], [2, 1]]), make(3, 2), mode=mode) for mode in ("sum", "mean", "max")
    ] + [case(np.array([[0, 2], [2, 1]]), make(3, 2), mode="sum", per_sample_weights=make(2, 2))],
    errors=(
        (ValueError, "mode", lambda rl: _bag_of(rl, rl.ones(1, 1).long(), mode="min")),
        (ValueError, "offsets", lambda rl: _bag_of(rl, rl.ones(1).long())),
        (RuntimeError, "offset 1 is 3", lambda rl: _bag_of(rl, rl.ones(2).long(),
                                                           offsets=rl.tensor([0, 3]))),
        (IndexError, "index 2 into", lambda rl: _bag_of(rl, rl.full((1, 2), 2))),
    ),
)  # fmt: skip


def _one_hot(index, num_classes=-1):
    classes = num_classes if num_classes >= 0 else index.max() + 1
    return (index[..., None] == np.arange(classes)).astype(np.int64)


Row(
    "nn.functional.one_hot",
    lambda make: [case(make.index(4, high=5)), case(make.index(2, 3, high=5), 9),
                  case(np.array(2))],
    _one_hot, dtypes=("int64",), result="int64", grad="",
    errors=(
        (RuntimeError, "non-negative", lambda rl: rl.nn.functional.one_hot(rl.tensor([-1]))),
        (RuntimeError, "smaller", lambda rl: rl.nn.functional.one_hot(rl.tensor([3]), 3)),
        (RuntimeError, "infer", lambda rl: rl.nn.functional.one_hot(rl.empty(0, dtype=rl.int64))),
    ),
)  # fmt: skip
