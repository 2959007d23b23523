"""Rows of rushlight.ops.norm."""

import numpy as np

from ops.row import LARGE, Row, case

SHAPES = ((5,), (5,)), ((2, 3), (3,)), ((4, 3, 7), (3, 7)), ((3, 70), (70,)), ((0, 3), (3,))


def _axes(shape):
    return tuple(range(-len(shape), 0))


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    axes = _axes(normalized_shape)
    scaled = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
    scaled = scaled if weight is None else scaled * weight
    return scaled if bias is None else scaled + bias


def rms_norm(x, normalized_shape, weight=None, eps=0):  # the default of each dtype is tiny
    scaled = x / np.sqrt((x * x).mean(_axes(normalized_shape), keepdims=True) + eps)
    return scaled if weight is None else scaled * weight


def layer_samples(make):
    found = [case(make(*s), n) for s, n in SHAPES]
    found += [case(make(*s), n, make(*n), make(*n)) for s, n in SHAPES]
    found += [case(make(2, 3), (3,), None, make(3))]
    return [*found, case(make(2, 3), (3,), make(3), None, 0.1)]


def rms_samples(make):
    found = [case(make(*s), n) for s, n in SHAPES]
    found += [case(make(*s), n, make(*n)) for s, n in SHAPES]
    return [*found, case(make(2, 3), (3,), make(3), 0.1)]


FITTING = "expected input with shape [*, 4]"
Row(
    "layer_norm", layer_samples, layer_norm, tol=5, covers=("_layer_norm",),
    large=lambda make: [case(make(*LARGE), LARGE[1:], make(LARGE[1]), make(LARGE[1]))],
    grad_samples=lambda make: [
        case(make(2, 3), (3,)), case(make(3, 2, 2), (2, 2), make(2, 2), make(2, 2)),
        case(make(2, 3), (3,), None, make(3)),
    ],
    errors=(
        (RuntimeError, FITTING, lambda rl: rl.layer_norm(rl.ones(3, 5), (4,))),
        (RuntimeError, "weight", lambda rl: rl.layer_norm(rl.ones(3, 5), (5,), rl.ones(4))),
        (RuntimeError, "mixed", lambda rl: rl.layer_norm(rl.ones(5), (5,), rl.ones(5).double())),
        (NotImplementedError, "int64", lambda rl: rl.layer_norm(rl.ones(5).long(), (5,))),
    ),
)  # fmt: skip
Row(
    "rms_norm", rms_samples, rms_norm, tol=5, covers=("_rms_norm",),
    large=lambda make: [case(make(*LARGE), LARGE[1:], make(LARGE[1]))],
    grad_samples=lambda make: [
        case(make(2, 3), (3,)), case(make(3, 2, 2), (2, 2), make(2, 2)),
        case(make(4), (4,), None, 0.1),
    ],
    errors=((RuntimeError, FITTING, lambda rl: rl.rms_norm(rl.ones(3, 5), (4,))),),
)  # fmt: skip


def group_norm(x, groups, weight=None, bias=None, eps=1e-5):
    rows = x.reshape(x.shape[0], groups, -1)
    scaled = layer_norm(rows, rows.shape[2:], eps=eps) if x.size else rows
    shape = (1, -1) + (1,) * (x.ndim - 2)
    scaled = scaled.reshape(x.shape)
    scaled = scaled if weight is None else scaled * weight.reshape(shape)
    return scaled if bias is None else scaled + bias.reshape(shape)


Row(
    "group_norm",
    lambda make: [case(make(2, 6, 5), 3), case(make(3, 4), 2, make(4), make(4)),
                  case(make(2, 4, 3, 3), 1, make(4)), case(make(2, 4, 3), 4, None, make(4))],
    group_norm, tol=5,
    grad_samples=lambda make: [case(make(2, 4, 2), 2, make(4), make(4)), case(make(2, 4), 2)],
    errors=((RuntimeError, "divisible", lambda rl: rl.group_norm(rl.ones(2, 5), 2)),),
)  # fmt: skip


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    padded = np.zeros((x.shape[0], x.shape[1] + size - 1, *x.shape[2:]))
    padded[:, size // 2 : size // 2 + x.shape[1]] = x * x
    total = sum(padded[:, i : i + x.shape[1]] for i in range(size))
    return x / (k + alpha / size * total) ** beta


Row(
    "nn.functional.local_response_norm",
    lambda make: [case(make(2, 6, 3), 3), case(make(2, 5, 2, 2), 2, 0.5, 0.6, 2.0),
                  case(make(1, 3, 4), 5, alpha=1.0)],
    local_response_norm, tol=3,
    grad_samples=lambda make: [case(make(1, 4, 2), 3, 0.5), case(make(1, 3, 2), 2, 1.0, 0.5, 2.0)],
    errors=((ValueError, "3D", lambda rl: rl.nn.functional.local_response_norm(rl.ones(2, 2), 2)),),
)  # fmt: skip


def _with_statistics(result, rows, eps):
    return result, rows.mean(-1), 1 / np.sqrt(rows.var(-1) + eps)


def native_layer_norm(x, normalized_shape, weight, bias, eps):
    lead = x.shape[: x.ndim - len(normalized_shape)]
    result, mean, rstd = _with_statistics(
        layer_norm(x, normalized_shape, weight, bias, eps), x.reshape(*lead, -1), eps
    )
    kept = lead + (1,) * len(normalized_shape)
    return result, mean.reshape(kept), rstd.reshape(kept)


Row(
    "native_layer_norm",
    lambda make: [case(make(2, 3, 4), (4,), make(4), make(4), 1e-5),
                  case(make(2, 3, 4), (3, 4), None, None, 0.1)],
    native_layer_norm, tol=5, dtypes=("float32", "float64"),
    grad_samples=lambda make: [case(make(2, 3), (3,), make(3), make(3), 1e-5)],
)  # fmt: skip


def native_group_norm(x, weight, bias, n, c, size, groups, eps):
    rows = x.reshape(n, groups, -1)
    return _with_statistics(group_norm(x, groups, weight, bias, eps), rows, eps)


Row(
    "native_group_norm",
    lambda make: [case(make(2, 4, 3), make(4), make(4), 2, 4, 3, 2, 1e-5),
                  case(make(2, 4, 3), None, None, 2, 4, 3, 4, 0.1)],
    native_group_norm, tol=5, dtypes=("float32", "float64"),
    grad_samples=lambda make: [case(make(2, 4, 2), make(4), make(4), 2, 4, 2, 2, 1e-5)],
)  # fmt: skip
