"""BatchNorm1d, 2d and 3d: values, running statistics, gradients, state, errors."""

import copy
import math

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.autograd import gradcheck, gradgradcheck

SHAPES = {
    nn.BatchNorm1d: [(5, 3), (4, 3, 6)],
    nn.BatchNorm2d: [(3, 3, 2, 4)],
    nn.BatchNorm3d: [(2, 3, 2, 2, 3)],
}
CASES = [(kind, shape) for kind, shapes in SHAPES.items() for shape in shapes]


def stirred(module):
    """With weight, bias and running values that are not 1 and 0."""
    rl.manual_seed(1)
    with rl.no_grad():
        for tensor in (*module.parameters(), module.running_mean, module.running_var):
            tensor.uniform_(0.5, 2)
    return module


def by_rows(x):
    """(C, N * ...): each channel as a row."""
    return x.transpose(0, 1).reshape(x.shape[1], -1)


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_training(kind, shape):
    m = stirred(kind(3, eps=1e-3, momentum=0.25, dtype=rl.float64))
    before = copy.deepcopy(m)
    x = rl.randn(shape, dtype=rl.float64) * 3 + 1
    rows = by_rows(x)
    mean, n = rows.mean(1, keepdim=True), rows.shape[1]
    variance = (rows - mean).square().sum(1, keepdim=True) / n
    expected = (rows - mean) / (variance + 1e-3).sqrt() * m.weight[:, None] + m.bias[:, None]
    assert rl.allclose(by_rows(m(x)), expected)
    moved = 0.75 * before.running_mean + 0.25 * mean[:, 0]
    assert rl.allclose(m.running_mean, moved)
    moved = 0.75 * before.running_var + 0.25 * variance[:, 0] * n / (n - 1)
    assert rl.allclose(m.running_var, moved)
    assert m.num_batches_tracked.item() == 1


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_evaluation(kind, shape):
    m = stirred(kind(3, dtype=rl.float64)).eval()
    state = copy.deepcopy(m.state_dict())
    x = rl.randn(shape, dtype=rl.float64)
    scale = m.weight / (m.running_var + 1e-5).sqrt()
    expected = (by_rows(x) - m.running_mean[:, None]) * scale[:, None] + m.bias[:, None]
    assert rl.allclose(by_rows(m(x)), expected)
    assert all((state[key] == value).all() for key, value in m.state_dict().items())


def test_mean_over_all_batches():
    m = nn.BatchNorm1d(2, momentum=None)
    batches = [rl.randn(4, 2) for _ in range(3)]
    for batch in batches:
        m(batch)
    mean = rl.stack([batch.mean(0) for batch in batches]).mean(0)
    assert rl.allclose(m.running_mean, mean, atol=1e-6)
    variance = rl.stack([batch.var(0) for batch in batches]).mean(0)
    assert rl.allclose(m.running_var, variance, atol=1e-6)
    m.reset_running_stats()
    assert m.running_mean.tolist() == [0, 0] and m.running_var.tolist() == [1, 1]
    assert m.num_batches_tracked.item() == 0


def test_without_running_values():
    m = nn.BatchNorm1d(2, track_running_stats=False)
    x = rl.randn(4, 2)
    assert (m(x) == m.eval()(x)).all()
    assert list(m.state_dict()) == ["weight", "bias"] and m.running_mean is None


@pytest.mark.parametrize("training", [True, False])
def test_gradients(training):
    x, w, b = (rl.randn(s, dtype=rl.float64, requires_grad=True) for s in ((3, 2, 4), (2,), (2,)))
    mean, variance = rl.randn(2, dtype=rl.float64), rl.rand(2, dtype=rl.float64) + 0.5

    def norm(x, w=None, b=None):
        # momentum 0: the running values stay as they are
        return nn.functional.batch_norm(x, mean, variance, w, b, training, 0.0, 1e-2)

    assert gradcheck(norm, (x, w, b)) and gradcheck(norm, (x,))
    assert gradgradcheck(norm, (x, w, b))


def test_half_precision_keeps_statistics_in_float():
    m = nn.BatchNorm1d(3)
    x = rl.randn(6, 3)
    expected = copy.deepcopy(m)(x)
    y = m(x.bfloat16())
    assert y.dtype == rl.bfloat16 and m.running_mean.dtype == rl.float32
    assert rl.allclose(y.float(), expected, atol=0.05)
    y.sum().backward()
    assert m.weight.grad.dtype == rl.float32


def test_empty_batch():
    m = nn.BatchNorm1d(3)
    x = rl.zeros(0, 3, requires_grad=True)
    assert m(x).shape == (0, 3) and m.running_mean.tolist() == [0, 0, 0]
    m(x).sum().backward()
    assert x.grad.shape == (0, 3)


def test_state_without_a_count_is_read():
    m = stirred(nn.BatchNorm1d(2))
    state = m.state_dict()
    del state["num_batches_tracked"]
    state._metadata[""]["version"] = 1
    fresh = nn.BatchNorm1d(2)
    fresh.load_state_dict(state)
    assert (fresh.running_var == m.running_var).all() and fresh.num_batches_tracked.item() == 0
    state._metadata[""]["version"] = 2
    with pytest.raises(RuntimeError, match="num_batches_tracked"):
        fresh.load_state_dict(state)


def test_text():
    assert repr(nn.BatchNorm2d(3, affine=False)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, "
        "track_running_stats=True)"
    )
    assert "bias=False" in repr(nn.BatchNorm1d(3, bias=False))
    assert repr(nn.BatchNorm1d(2)(rl.ones(2, 2)).grad_fn).startswith("<NativeBatchNormBackward0")


def test_errors():
    m = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="expected 2D or 3D input"):
        m(rl.ones(3))
    with pytest.raises(ValueError, match="expected 4D input"):
        nn.BatchNorm2d(3)(rl.ones(2, 3))
    with pytest.raises(ValueError, match="expected 5D input"):
        nn.BatchNorm3d(3)(rl.ones(2, 3))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        m(rl.ones(1, 3))
    with pytest.raises(RuntimeError, match=r"running_mean should contain 4 elements.*\[2, 4\]"):
        m(rl.ones(2, 4))
    with pytest.raises(RuntimeError, match="mixed dtype"):
        m(rl.ones(2, 3, dtype=rl.float64))
    norm = nn.functional.batch_norm
    with pytest.raises(NotImplementedError, match="float"):
        norm(rl.ones(2, 3, dtype=rl.int64), None, None, training=True)
    with pytest.raises(RuntimeError, match="running_mean must be defined"):
        norm(rl.ones(2, 3), None, None)
    with pytest.raises(ValueError, match="either both be None or neither"):
        norm(rl.ones(2, 3), rl.zeros(3), None, training=True)
    assert math.isfinite(m(rl.randn(2, 3)).sum().item())
