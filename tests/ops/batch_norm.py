"""Rows of rushlight.ops.batch_norm and instance_norm."""

import numpy as np

from ops.row import LARGE, Row, case


def batch_norm(x, weight, bias, mean, var, training, momentum, eps, cudnn_enabled):
    axes = (0, *range(2, x.ndim))
    across = (1, -1, *(1,) * (x.ndim - 2))
    if training:
        mean, var = x.mean(axes), x.var(axes)
    scaled = (x - mean.reshape(across)) / np.sqrt(var.reshape(across) + eps)
    scaled = scaled if weight is None else scaled * weight.reshape(across)
    return scaled if bias is None else scaled + bias.reshape(across)


def fixed(make, *shape):
    """With statistics given: evaluation."""
    c = shape[1]
    return case(make(*shape), make(c), make(c), make(c), make(c, low=0.5, high=2.0), False, 0.1,
                1e-5, False)  # fmt: skip


def training(make, *shape, affine=True):
    """With the statistics of the batch."""
    both = (make(shape[1]), make(shape[1])) if affine else (None, None)
    return case(make(*shape), *both, None, None, True, 0.1, 1e-5, False)


Row(
    "batch_norm",
    lambda make: [
        fixed(make, 4, 3), fixed(make, 2, 3, 5), fixed(make, 2, 3, 4, 5), training(make, 4, 3),
        training(make, 4, 3, affine=False), training(make, 3, 2, 5), training(make, 2, 3, 4, 5),
    ],
    batch_norm, dtypes=("float32", "float64"), tol=10, covers=("_batch_norm",), method=False,
    large=lambda make: [training(make, *LARGE)],
    grad_samples=lambda make: [
        training(make, 4, 2), training(make, 3, 2, 2),
        training(make, 3, 2, affine=False),
    ],
)  # fmt: skip


def native_batch_norm(x, weight, bias, mean, var, training, momentum, eps):
    result = batch_norm(x, weight, bias, mean, var, training, momentum, eps, False)
    axes = (0, *range(2, x.ndim))
    if not training:
        return result, np.zeros(0), np.zeros(0)
    return result, x.mean(axes), 1 / np.sqrt(x.var(axes) + eps)


def without_last(one):
    return case(*one.args[:-1])


Row(
    "native_batch_norm",
    lambda make: [
        without_last(fixed(make, 4, 3)), without_last(training(make, 4, 3)),
        without_last(training(make, 2, 3, 4, 5)), without_last(training(make, 2, 70, 3)),
        without_last(training(make, 70, 70)), without_last(training(make, 3, 2, 40_000)),
    ],
    native_batch_norm, dtypes=("float32", "float64"), tol=10, method=False,
    grad_samples=lambda make: [without_last(training(make, 3, 2, 2))],
)  # fmt: skip


def instance_norm(x, weight, bias, mean, var, use_input_stats, momentum, eps, cudnn_enabled):
    axes = tuple(range(2, x.ndim))
    across = (1, -1, *(1,) * (x.ndim - 2))
    if use_input_stats:
        center, spread = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    else:
        center, spread = mean.reshape(across), var.reshape(across)
    scaled = (x - center) / np.sqrt(spread + eps)
    scaled = scaled if weight is None else scaled * weight.reshape(across)
    return scaled if bias is None else scaled + bias.reshape(across)


Row(
    "instance_norm",
    lambda make: [
        fixed(make, 2, 3, 5), fixed(make, 2, 3, 4, 5), training(make, 2, 3, 5),
        training(make, 2, 3, 4, 5), training(make, 3, 2, 5, affine=False),
    ],
    instance_norm, dtypes=("float32", "float64"), tol=10, method=False,
    grad_samples=lambda make: [
        training(make, 2, 2, 3), training(make, 2, 2, 3, affine=False),
    ],
    errors=(
        (RuntimeError, "running_mean", lambda rl: rl.instance_norm(
            rl.ones(2, 3, 4), None, None, None, None, False, 0.1, 1e-5)),
        (RuntimeError, "should contain 6", lambda rl: rl.instance_norm(
            rl.ones(2, 3, 4), rl.ones(4), None, None, None, True, 0.1, 1e-5)),
        (NotImplementedError, "int64", lambda rl: rl.instance_norm(
            rl.ones(2, 3, 4).long(), None, None, None, None, True, 0.1, 1e-5)),
    ),
)  # fmt: skip
