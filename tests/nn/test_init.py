"""rushlight.nn.init: shapes of the distributions, exact fills, errors."""

import math
import warnings

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn import init


def within(tensor, low, high):
    assert tensor.min().item() >= low and tensor.max().item() <= high
    # and it fills the range: for 10 000 uniform values 2 % from the ends is certain
    assert tensor.min().item() < low + 0.02 * (high - low)
    assert tensor.max().item() > high - 0.02 * (high - low)


def moments(tensor):
    values = tensor.double()
    return values.mean().item(), (values * values).mean().sqrt().item()


@pytest.mark.parametrize(
    ("args", "gain"),
    [
        (("linear",), 1),
        (("conv_transpose2d",), 1),
        (("sigmoid",), 1),
        (("tanh",), 5 / 3),
        (("relu",), math.sqrt(2)),
        (("leaky_relu",), math.sqrt(2 / (1 + 0.01**2))),
        (("leaky_relu", 0.3), math.sqrt(2 / 1.09)),
        (("leaky_relu", 0), math.sqrt(2)),
        (("selu",), 0.75),
    ],
)
def test_gain(args, gain):
    assert init.calculate_gain(*args) == pytest.approx(gain, rel=1e-15)


def test_gain_errors():
    with pytest.raises(ValueError, match="Unsupported nonlinearity swish"):
        init.calculate_gain("swish")
    for bad in (True, "0.1"):
        with pytest.raises(ValueError, match="not a valid number"):
            init.calculate_gain("leaky_relu", bad)


def test_plain_fills():
    w = nn.Parameter(rl.empty(3, 4))
    assert init.constant_(w, 2.5) is w and bool((w == 2.5).all())
    assert bool((init.ones_(w) == 1).all()) and bool((init.zeros_(w) == 0).all())
    assert w.requires_grad and w.grad_fn is None
    assert init.eye_(w).tolist() == [[float(i == j) for j in range(4)] for i in range(3)]
    assert init.eye_(rl.empty(3, 2)).sum().item() == 2
    with pytest.raises(ValueError, match="Only tensors with 2 dimensions"):
        init.eye_(rl.empty(3))


@pytest.mark.parametrize("kernel", [(3,), (3, 4), (1, 2, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac(kernel, groups):
    w = init.dirac_(rl.empty(4, 3, *kernel), groups)
    assert w.sum().item() == groups * min(4 // groups, 3)
    centre = tuple(size // 2 for size in kernel)
    for group in range(groups):
        assert w[(group * 4 // groups + 1, 1, *centre)].item() == 1


def test_dirac_errors():
    with pytest.raises(ValueError, match="3, 4, or 5 dimensions"):
        init.dirac_(rl.empty(2, 2))
    with pytest.raises(ValueError, match="divisible by groups"):
        init.dirac_(rl.empty(3, 2, 1), 2)


def test_uniform_and_normal():
    rl.manual_seed(0)
    within(init.uniform_(rl.empty(100, 100), -3, 5), -3, 5)
    mean, rms = moments(init.normal_(rl.empty(100, 100), 1.0, 2.0))
    assert mean == pytest.approx(1, abs=0.1) and rms == pytest.approx(5**0.5, rel=0.05)


@pytest.mark.parametrize("shape", [(100, 80), (40, 10, 5, 5)])
def test_scaled_by_fan(shape):
    rl.manual_seed(0)
    kernel = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * kernel, shape[0] * kernel
    bound = 2 * math.sqrt(6 / (fan_in + fan_out))
    within(init.xavier_uniform_(rl.empty(shape), 2), -bound, bound)
    mean, rms = moments(init.xavier_normal_(rl.empty(shape), 2))
    assert mean == pytest.approx(0, abs=0.05 * bound)
    assert rms == pytest.approx(bound / math.sqrt(3), rel=0.05)
    for mode, fan in (("fan_in", fan_in), ("FAN_OUT", fan_out)):
        bound = math.sqrt(6 / fan)
        within(init.kaiming_uniform_(rl.empty(shape), mode=mode), -bound, bound)
        _, rms = moments(init.kaiming_normal_(rl.empty(shape), mode=mode, nonlinearity="relu"))
        assert rms == pytest.approx(math.sqrt(2 / fan), rel=0.05)


def test_fan_errors():
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init.xavier_uniform_(rl.empty(3))
    with pytest.raises(ValueError, match="Mode fan_both not supported"):
        init.kaiming_normal_(rl.empty(3, 3), mode="fan_both")
    for call in (init.kaiming_normal_, init.kaiming_uniform_):
        with pytest.warns(UserWarning, match="no-op"):
            call(rl.empty(3, 0))


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0, 1, -2, 2), (0.5, 0.1, 0.4, 0.9), (0, 1, 1.5, 4), (3, 1, -1, 1)]
)
def test_trunc_normal(mean, std, a, b):
    rl.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w = init.trunc_normal_(nn.Parameter(rl.empty(120, 100)), mean, std, a, b)
    assert w.requires_grad and w.min().item() >= a and w.max().item() <= b
    steps = 20000
    grid = [a + (b - a) * (i + 0.5) / steps for i in range(steps)]
    density = [math.exp(-0.5 * ((x - mean) / std) ** 2) for x in grid]
    expected = sum(x * d for x, d in zip(grid, density)) / sum(density)
    assert moments(w.detach())[0] == pytest.approx(expected, abs=0.02 * (b - a))


def test_trunc_normal_warns_far_from_the_mean():
    with pytest.warns(UserWarning, match="more than 2 std"):
        init.trunc_normal_(rl.empty(2), mean=9.0)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (3, 2, 4), (8, 2, 2)])
def test_orthogonal(shape):
    rl.manual_seed(0)
    w = init.orthogonal_(nn.Parameter(rl.empty(shape)), gain=2).detach().reshape(shape[0], -1)
    product = w @ w.t() if w.shape[0] <= w.shape[1] else w.t() @ w
    assert rl.allclose(product, 4 * rl.eye(product.shape[0]), atol=1e-5)
    with pytest.raises(ValueError, match="2 or more dimensions"):
        init.orthogonal_(rl.empty(3))
    assert init.orthogonal_(rl.empty(3, 0)).shape == (3, 0)


def test_sparse():
    rl.manual_seed(0)
    w = init.sparse_(rl.empty(10, 7), sparsity=0.25, std=2.0)
    assert [(column == 0).sum().item() for column in w.t()] == [3] * 7
    with pytest.raises(ValueError, match="2 dimensions"):
        init.sparse_(rl.empty(3), 0.1)


def test_a_generator_leaves_the_global_stream_alone():
    calls = [
        lambda w, g: init.uniform_(w, generator=g),
        lambda w, g: init.normal_(w, generator=g),
        lambda w, g: init.xavier_uniform_(w, generator=g),
        lambda w, g: init.kaiming_normal_(w, generator=g),
        lambda w, g: init.trunc_normal_(w, generator=g),
        lambda w, g: init.orthogonal_(w, generator=g),
    ]
    for call in calls:
        rl.manual_seed(3)
        expected = rl.rand(2).tolist()
        rl.manual_seed(3)
        drawn = [call(rl.empty(4, 5), rl.Generator().manual_seed(7)).tolist() for _ in range(2)]
        assert drawn[0] == drawn[1]
        assert rl.rand(2).tolist() == expected


def test_old_names_warn():
    for name in ("uniform", "normal", "xavier_uniform", "kaiming_normal", "eye", "orthogonal"):
        with pytest.warns(FutureWarning, match=rf"nn.init.{name}` is now deprecated"):
            getattr(init, name)(rl.empty(3, 3))
        assert getattr(init, name).__name__ == name
    with pytest.warns(FutureWarning):
        assert init.constant(rl.empty(1), 4.0).item() == 4
