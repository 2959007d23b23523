"""Rows of rushlight.ops.segments."""

import math

import numpy as np

from ops.row import Row, case

EMPTY = {"sum": 0.0, "mean": math.nan, "prod": 1.0, "max": -math.inf, "min": math.inf}


def _reduce(data, reduce, *, lengths=None, offsets=None, axis=0, unsafe=False, initial=None):
    counts = np.diff(offsets, axis=-1) if lengths is None else np.asarray(lengths)
    rows = data.reshape(-1, *data.shape[axis:])
    result = []
    for row, sizes in zip(rows, counts.reshape(-1, counts.shape[-1])):
        start = 0
        for size in sizes:
            part = row[start : start + size]
            start += size
            if initial is not None:
                base = np.full((1, *part.shape[1:]), float(initial))
                total = getattr(np, "sum" if reduce == "mean" else reduce)(
                    np.concatenate([base, part]), 0
                )
                result.append(total / max(size, 1) if reduce == "mean" else total)
            elif size == 0:
                result.append(np.full(part.shape[1:], EMPTY[reduce]))
            else:
                result.append(getattr(np, reduce)(part, 0))
    return np.asarray(result).reshape(*counts.shape, *data.shape[axis + 1 :])


def _samples(make):
    lengths = np.array([2, 0, 3])
    found = [case(make.distinct(5), kind, lengths=lengths) for kind in EMPTY]
    found += [case(make.distinct(5, 2), kind, lengths=lengths, initial=2) for kind in EMPTY]
    rows = np.array([[1, 2], [3, 0]])
    found.append(case(make(2, 3, 2), "sum", lengths=rows, axis=1))
    found.append(case(make(5), "mean", offsets=np.array([0, 1, 5])))
    found.append(case(make(5), "sum", lengths=np.array([1, 2]), unsafe=True))
    return found


def _kinked(make):
    values = make.distinct(5) + 0.5
    return [case(values, kind, lengths=np.array([2, 3])) for kind in EMPTY] + [
        case(values, "mean", lengths=np.array([0, 5]), initial=1.0)
    ]


Row("segment_reduce", _samples, _reduce, dtypes=("float32", "float64"), grad_samples=_kinked,
    errors=((RuntimeError, "Either lengths or offsets",
             lambda rl: rl.segment_reduce(rl.ones(3), "sum")),
            (RuntimeError, "sum to", lambda rl: rl.segment_reduce(
                rl.ones(3), "sum", lengths=rl.tensor([1, 1]))),
            (RuntimeError, "negative", lambda rl: rl.segment_reduce(
                rl.ones(3), "sum", lengths=rl.tensor([4, -1]))),
            (RuntimeError, "must be one of", lambda rl: rl.segment_reduce(
                rl.ones(3), "median", lengths=rl.tensor([3]))),
            (NotImplementedError, "int64", lambda rl: rl.segment_reduce(
                rl.ones(3).long(), "sum", lengths=rl.tensor([3])))))  # fmt: skip
