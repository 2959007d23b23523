"""Rows of rushlight.ops.dropout."""

import numpy as np

from ops.row import Row, case

ALPHA = 1.7580993408473766
FLOATS = ("float32", "float64", "bfloat16")


def _dropped(result, x, p=0.5, training=True, channels=False):
    x, y = x.double().numpy(), result.detach().double().numpy()
    assert x.shape == y.shape
    if not training or p == 0:
        return np.testing.assert_array_equal(y, x)
    kept = y != 0
    if p < 1:
        np.testing.assert_allclose(y[kept], x[kept] / (1 - p), rtol=2e-2)
    share = 1 - kept.mean()
    assert abs(share - p) < 0.2
    if channels and 0 < p < 1:  # all or nothing
        whole = kept.reshape(*x.shape[:2], -1)
        assert (whole.all(-1) | ~whole.any(-1)).all()
    return None


def _samples(*shape, flag="training"):
    def samples(make):
        x = make(*shape, low=0.5, high=3)
        return [case(x, 0.3), case(x, 0.5), case(x, 0.0), case(x, 1.0), case(x, 0.5, False)]

    return samples


def F(name, shape, check, **more):
    Row(
        f"nn.functional.{name}", _samples(*shape), check=check, dtypes=FLOATS,
        grad_samples=lambda make: [case(make(2, 3, *shape[2:3], *shape[3:4]), 0.4, True)],
        errors=((ValueError, "between 0 and 1",
                 lambda rl: getattr(rl.nn.functional, name)(rl.ones(shape), 1.5)),),
        **more,
    )  # fmt: skip


def _channels(result, x, p=0.5, training=True):
    _dropped(result, x, p, training, channels=True)


F("dropout", (40, 30), _dropped, covers=("dropout", "dropout_"))
F("dropout1d", (20, 30, 3), _channels, covers=("feature_dropout", "feature_dropout_"))
F("dropout2d", (20, 30, 3, 2), _channels)
Row(
    "nn.functional.dropout3d", _samples(20, 30, 2, 2, 2), check=_channels, dtypes=FLOATS,
    grad_samples=lambda make: [case(make(2, 3, 1, 2, 1), 0.4)],
)  # fmt: skip


def _to_limit(result, x, p=0.5, training=False):
    """Two values are possible for each element, and what SELU keeps is kept."""
    x, y = x.double().numpy(), result.detach().double().numpy()
    if not training or p == 0:
        return np.testing.assert_array_equal(y, x)
    scale = 1 / np.sqrt((ALPHA**2 * p + 1) * (1 - p)) if p < 1 else 0
    kept = scale * (x + ALPHA * p)
    low = scale * (ALPHA * p - ALPHA)
    near = np.isclose(y, kept, rtol=2e-2, atol=2e-2) | np.isclose(y, low, rtol=2e-2, atol=2e-2)
    assert near.all()
    return None


def _alpha_samples(make):
    x = make(20, 30, 2)
    return [case(x, 0.3, True), case(x, 0.5, True), case(x, 1.0, True), case(x, 0.5)]


for _name in ("alpha_dropout", "feature_alpha_dropout"):
    Row(
        f"nn.functional.{_name}", _alpha_samples, check=_to_limit, dtypes=FLOATS,
        covers=(_name, _name + "_"), grad_samples=lambda make: [case(make(2, 3, 2), 0.4, True)],
    )  # fmt: skip


def _native(result, x, p, train):
    values, kept = result
    _dropped(values, x, p, train)
    np.testing.assert_array_equal(values.numpy() != 0, kept.numpy())


Row(
    "native_dropout",
    lambda make: [case(make(20, 30, low=0.5), p, t) for p, t in ((0.3, True), (1.0, True),
                                                                 (0.5, False))],
    check=_native, dtypes=("float32", "float64"), result=None, grad="", method=False,
    layouts=False,
)  # fmt: skip
