"""Rows of rushlight.ops.batch_norm."""

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
