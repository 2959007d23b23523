"""Convolution layers, Fold and Unfold; and what the loops behind them promise."""

import math

import numpy as np
import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn import functional as F

CONVS = [(nn.Conv1d, 1), (nn.Conv2d, 2), (nn.Conv3d, 3)]
TRANSPOSED = [(nn.ConvTranspose1d, 1), (nn.ConvTranspose2d, 2), (nn.ConvTranspose3d, 3)]


@pytest.fixture(autouse=True)
def seeded():
    rl.manual_seed(0)


@pytest.mark.parametrize(("kind", "axes"), [*CONVS, *TRANSPOSED])
def test_is_the_function(kind, axes):
    m = kind(4, 6, 3, stride=2, padding=1, groups=2)
    x = rl.randn(2, 4, *(7,) * axes)
    function = getattr(F, f"conv{'_transpose' if m.transposed else ''}{axes}d")
    wanted = function(x, m.weight, m.bias, stride=2, padding=1, groups=2)
    assert rl.equal(m(x), wanted)
    assert rl.equal(m(x[0]), m(x)[0])
    assert m.kernel_size == (3,) * axes
    assert isinstance(m, nn.modules.conv._ConvNd)


@pytest.mark.parametrize(("kind", "axes"), CONVS)
@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [1, "same"])
def test_padding_modes(kind, axes, mode, padding):
    m = kind(2, 3, 4, padding=padding, padding_mode=mode)
    x = rl.randn(2, 2, *(6,) * axes)
    sides = (1, 1) if padding == 1 else (1, 2)
    plain = getattr(F, f"conv{axes}d")(F.pad(x, sides * axes, mode), m.weight, m.bias)
    assert rl.equal(m(x), plain)
    assert (m(x).shape[2:] == x.shape[2:]) == (padding == "same")


def test_padding_names():
    x = rl.randn(1, 2, 6, 7)
    assert nn.Conv2d(2, 3, (3, 4), padding="same")(x).shape == (1, 3, 6, 7)
    assert nn.Conv2d(2, 3, (3, 4), padding="valid", stride=2)(x).shape == (1, 3, 2, 2)


def test_first_values():
    m = nn.Conv2d(4, 50, (3, 5), groups=2)
    bound = 1 / math.sqrt(2 * 15)
    for parameter in (m.weight, m.bias):
        assert 0.9 * bound < float(parameter.detach().abs().max()) <= bound
    assert m.weight.shape == (50, 2, 3, 5)
    assert nn.ConvTranspose2d(4, 6, 3, groups=2).weight.shape == (4, 3, 3, 3)
    assert nn.Conv1d(1, 1, 1, bias=False).bias is None


def test_text_and_state():
    m = nn.Conv2d(2, 4, 3, padding=(1, 0), dilation=2, bias=False, padding_mode="circular")
    assert repr(m) == (
        "Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 0), dilation=(2, 2), "
        "bias=False, padding_mode=circular)"
    )
    m = nn.ConvTranspose1d(2, 4, 3, 2, output_padding=1, groups=2)
    assert repr(m) == (
        "ConvTranspose1d(2, 4, kernel_size=(3,), stride=(2,), output_padding=(1,), groups=2)"
    )
    assert list(m.state_dict()) == ["weight", "bias"]
    assert repr(nn.Fold((4, 5), 2)) == (
        "Fold(output_size=(4, 5), kernel_size=2, dilation=1, padding=0, stride=1)"
    )
    assert repr(nn.Unfold(3)) == "Unfold(kernel_size=3, dilation=1, padding=0, stride=1)"


def test_output_size():
    m = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    down = nn.Conv2d(3, 2, 3, stride=2, padding=1)
    for size in ((8, 7), (7, 8)):
        x = rl.randn(1, 3, *size)
        assert m(down(x), output_size=x.shape).shape == x.shape
        assert m(down(x), output_size=size).shape == x.shape
    with pytest.raises(ValueError, match="valid sizes range"):
        m(rl.randn(1, 2, 4, 4), output_size=(20, 20))
    with pytest.raises(ValueError, match="elements"):
        m(rl.randn(1, 2, 4, 4), output_size=(8,))


@pytest.mark.parametrize(
    ("text", "build"),
    [
        ("groups must be", lambda: nn.Conv2d(4, 4, 3, groups=0)),
        ("in_channels", lambda: nn.Conv2d(3, 4, 3, groups=2)),
        ("out_channels", lambda: nn.Conv2d(4, 3, 3, groups=2)),
        ("padding string", lambda: nn.Conv2d(4, 4, 3, padding="full")),
        ("strided", lambda: nn.Conv2d(4, 4, 3, stride=2, padding="same")),
        ("padding_mode", lambda: nn.Conv2d(4, 4, 3, padding_mode="mirror")),
        ("zeros", lambda: nn.ConvTranspose2d(4, 4, 3, padding_mode="reflect")),
    ],
)
def test_errors(text, build):
    with pytest.raises(ValueError, match=text):
        build()


def test_fold_undoes_unfold():
    x = rl.randn(2, 3, 6, 7)
    columns = nn.Unfold((2, 3), stride=(2, 2), padding=(0, 1))(x)
    again = nn.Fold((6, 7), (2, 3), stride=(2, 2), padding=(0, 1))(columns)
    ones = F.fold(F.unfold(rl.ones_like(x), (2, 3), stride=2, padding=(0, 1)), (6, 7), (2, 3),
                  stride=2, padding=(0, 1))  # fmt: skip
    assert rl.allclose(again, x * ones)
    # A convolution is a product with the columns.
    w = rl.randn(5, 3, 2, 3)
    product = (w.reshape(5, -1) @ F.unfold(x, (2, 3))).reshape(2, 5, 5, 5)
    assert rl.allclose(F.conv2d(x, w), product, atol=1e-4)


# ---- the loops

# Sizes that lead to each of them: 3x3 by tiles (even, odd, several slabs, many channels), few
# channels, one channel a group, no padding, strides, several items in a slab.
SIZES = {
    "tiles": ((5, 16, 12, 18), (20, 16, 3, 3), 1, 0, 1),
    "tiles, odd": ((3, 40, 13, 15), (40, 40, 3, 3), 1, 1, 1),
    "tiles, large": ((2, 32, 71, 50), (36, 32, 3, 3), 1, 1, 1),
    "tiles, groups": ((2, 32, 20, 21), (32, 16, 3, 3), 1, 2, 2),
    "plain": ((4, 10, 20, 30), (40, 10, 5, 3), 1, 2, 1),
    "strided": ((3, 16, 41, 30), (33, 16, 3, 3), 2, 1, 1),
    "pointwise": ((2, 70, 32, 32), (64, 70, 1, 1), 1, 0, 1),
    "small items": ((33, 12, 4, 4), (24, 12, 2, 2), 1, 0, 1),
    "one channel": ((9, 1, 28, 28), (32, 1, 3, 3), 1, 0, 1),
    "depthwise": ((3, 24, 30, 35), (24, 1, 3, 3), 1, 1, 24),
    "depthwise, strided": ((3, 24, 30, 35), (48, 1, 3, 3), 2, 1, 24),
    "to one channel": ((3, 40, 30, 35), (1, 40, 3, 3), 1, 1, 1),
}


def step(x, w, stride, padding, groups, dtype=rl.float32):
    """Result and gradients."""
    x, w = x.detach().to(dtype).requires_grad_(), w.detach().to(dtype).requires_grad_()
    b = rl.linspace(-1, 1, w.shape[0], dtype=dtype).requires_grad_()
    y = F.conv2d(x, w, b, stride, padding, 1, groups)
    y.backward(rl.linspace(-1, 1, y.numel(), dtype=dtype).cos().view(y.shape))
    return [y.detach().numpy(), x.grad.numpy(), w.grad.numpy(), b.grad.numpy()]


@pytest.mark.parametrize("name", SIZES)
def test_float32_is_float64_rounded(name):
    x_shape, w_shape, *options = SIZES[name]
    x, w = rl.randn(x_shape), rl.randn(w_shape)
    for got, wanted in zip(step(x, w, *options), step(x, w, *options, dtype=rl.float64)):
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * max(scale, 1))


@pytest.mark.parametrize("name", SIZES)
def test_same_bits_for_any_number_of_threads(name):
    x_shape, w_shape, *options = SIZES[name]
    x, w = rl.randn(x_shape), rl.randn(w_shape)
    before, found = rl.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            rl.set_num_threads(threads)
            found.append(step(x, w, *options))
    finally:
        rl.set_num_threads(before)
    for other in found[1:]:
        for one, two in zip(found[0], other):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 3e38])
@pytest.mark.parametrize("name", ["tiles", "tiles, odd", "plain", "depthwise"])
def test_not_finite(name, value):
    """One such number changes what sees it, and there as in plain arithmetic."""
    x_shape, w_shape, *options = SIZES[name]
    x, w = rl.randn(x_shape), rl.randn(w_shape)
    x[1, 0, 5, 6] = value
    with np.errstate(all="ignore"):
        wanted = [a.astype(np.float32) for a in step(x, w, *options, dtype=rl.float64)]
    for got, exact in zip(step(x, w, *options), wanted):
        np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))
        np.testing.assert_array_equal(np.isposinf(got), np.isposinf(exact))
        np.testing.assert_array_equal(np.isneginf(got), np.isneginf(exact))


def test_memory_formats():
    x, w = rl.randn(2, 6, 9, 8), rl.randn(7, 6, 3, 3)
    last = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert rl.equal(F.conv2d(last, w), F.conv2d(x, w))
    assert rl.equal(F.conv2d(x, w.transpose(2, 3)), F.conv2d(x, w.transpose(2, 3).contiguous()))
