"""Rows of rushlight.ops.softmax."""

import numpy as np

from ops.row import LARGE, Row, case

inf, nan = np.inf, np.nan
ALONG = ((5,), 0), ((2, 3), 0), ((2, 3), -1), ((3, 4, 5), 1), ((2, 70), 1), ((3, 1025), 1)
MORE = ((), 0), ((1, 1), 1), ((0, 3), 1), ((4, 2, 33), 1), ((300, 2), 1), ((2, 1200, 3), 1)


def samples(make):
    found = [case(make(*shape, low=-9, high=9), dim) for shape, dim in (*ALONG, *MORE)]
    return [*found, case(make(4, 6, low=900, high=910), 1)]


def softmax(x, dim, dtype=None):
    if x.size == 0:
        return x
    shifted = np.exp(x - x.max(dim, keepdims=True)) if x.ndim else np.ones(())
    return shifted / shifted.sum(dim, keepdims=True) if x.ndim else shifted


def log_softmax(x, dim, dtype=None):
    if x.size == 0:
        return x
    if x.ndim == 0:
        return np.zeros(())
    shifted = x - x.max(dim, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(dim, keepdims=True))


GRAD = {
    "grad_samples": lambda make: [case(make(5), 0), case(make(2, 3), 0), case(make(2, 3, 2), 1)],
    "large": lambda make: [case(make(*LARGE), 1), case(make(*LARGE), 0)],
}
for _name, _ref in (("softmax", softmax), ("log_softmax", log_softmax)):
    Row(
        _name, samples, _ref, tol=10, **GRAD,
        errors=(
            (IndexError, "out of range", lambda rl, f=_name: getattr(rl, f)(rl.ones(2), 1)),
            (NotImplementedError, "int64", lambda rl, f=_name: getattr(rl, f)(rl.arange(2), 0)),
        ),
    )  # fmt: skip
    Row(f"nn.functional.{_name}", samples, _ref, tol=10, **GRAD)
Row("nn.functional.softmin", samples, lambda x, dim: softmax(-x, dim), tol=10, **GRAD)


def pairs(make):
    return [case(make(2, 3), make(2, 3), 1), case(make(4, 2, 3), make(4, 2, 3), 1),
            case(make(2, 1500), make(2, 1500), 1), case(make(40, 3), make(40, 3), 0)]  # fmt: skip


def _softmax_backward(grad, y, dim):
    return y * (grad - (grad * y).sum(dim, keepdims=True))


def _log_softmax_backward(grad, y, dim):
    return grad - np.exp(y) * grad.sum(dim, keepdims=True)


for _name, _ref in (
    ("softmax_backward", _softmax_backward), ("log_softmax_backward", _log_softmax_backward),
):  # fmt: skip
    Row(
        _name, pairs, _ref, path=f"ops.softmax.{_name}", dtypes=("float32", "float64"), tol=200,
        grad_samples=lambda make: [case(make(2, 3), make(2, 3), 1)],
    )  # fmt: skip


def _is_sample(result, logits, tau=1, hard=False, dim=-1):
    values = result.detach().numpy()
    np.testing.assert_allclose(values.sum(dim), 1, rtol=1e-5)
    if hard:
        assert set(np.unique(values.round(5))) <= {0.0, 1.0}


Row(
    "nn.functional.gumbel_softmax",
    lambda make: [case(make(4, 5)), case(make(4, 5), hard=True), case(make(4, 5), 0.1, dim=0)],
    check=_is_sample, dtypes=("float32", "float64"),
    grad_samples=lambda make: [case(make(2, 3)), case(make(2, 3), 2.0, dim=0)],
)  # fmt: skip
