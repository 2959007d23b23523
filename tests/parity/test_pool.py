"""Pooling and instance norm against PyTorch: shapes at random, random streams, node names."""

import numpy as np
import pytest

import rushlight as rl
from rushlight.nn import functional as F

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

TF = torch.nn.functional


def pair(array):
    return rl.from_numpy(array).requires_grad_(), torch.from_numpy(array).requires_grad_()


def both(function, array, tolerance=2e-6):
    """function(tensor, nn.functional) in both: values, indices, gradients."""
    here, there = pair(array)
    found, expected = function(here, F), function(there, TF)
    several = isinstance(found, tuple)
    for one, other in zip(found if several else (found,), expected if several else (expected,)):
        np.testing.assert_allclose(
            one.detach().numpy(), other.detach().numpy(), rtol=tolerance, atol=tolerance
        )
    value, wanted = (found[0], expected[0]) if several else (found, expected)
    upstream = np.random.default_rng(1).standard_normal(tuple(wanted.shape)).astype(array.dtype)
    value.backward(rl.from_numpy(upstream))
    wanted.backward(torch.from_numpy(upstream))
    np.testing.assert_allclose(
        here.grad.numpy(), there.grad.numpy(), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_random_windows(rank, seed):
    draw = np.random.default_rng(100 * rank + seed)
    kernel = tuple(int(k) for k in draw.integers(1, 5, rank))
    stride = tuple(int(s) for s in draw.integers(1, 4, rank))
    padding = tuple(int(draw.integers(0, k // 2 + 1)) for k in kernel)
    dilation = tuple(int(d) for d in draw.integers(1, 3, rank))
    sizes = [
        int(draw.integers(d * (k - 1) + 1, 40 if rank < 3 else 14))
        for k, d in zip(kernel, dilation)
    ]
    ceil_mode, include = bool(draw.integers(2)), bool(draw.integers(2))
    x = draw.standard_normal((2, 3, *sizes)).astype("float32")
    x[draw.random(x.shape) < 0.02] = np.nan if seed % 3 == 0 else -np.inf if seed % 3 == 1 else 0
    both(
        lambda t, f: getattr(f, f"max_pool{rank}d")(
            t, kernel, stride, padding, dilation, ceil_mode, return_indices=True
        ),
        x,
    )
    both(
        lambda t, f: getattr(f, f"avg_pool{rank}d")(
            t, kernel, stride, padding, ceil_mode, include
        ),
        draw.standard_normal((2, 3, *sizes)).astype("float32"),
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_random_output_sizes(rank, seed):
    draw = np.random.default_rng(100 * rank + seed)
    sizes, out = draw.integers(1, 12, rank), tuple(int(n) for n in draw.integers(1, 14, rank))
    x = draw.standard_normal((2, 3, *sizes)).astype("float32")
    both(lambda t, f: getattr(f, f"adaptive_avg_pool{rank}d")(t, out), x)
    both(
        lambda t, f: getattr(f, f"adaptive_max_pool{rank}d")(t, out, return_indices=True), x
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_windows_in_random_places(dtype):
    def drawn(library, *options):
        def call(t, f):
            (rl if isinstance(t, rl.Tensor) else torch).manual_seed(3)
            return getattr(f, library)(t, *options, return_indices=True)

        return call

    x = np.random.default_rng(0).standard_normal((3, 4, 13, 17)).astype(dtype)
    both(drawn("fractional_max_pool2d", 3, (5, 7)), x)
    both(drawn("fractional_max_pool2d", (2, 3), None, (0.5, 0.3)), x[0])
    both(drawn("fractional_max_pool3d", 2, (3, 6, 9)), x[:, None].repeat(5, 2)[:, :, :5])


def test_batch_norm_far_from_zero():
    """A large mean costs no digits of the variance."""
    x = (np.random.default_rng(0).standard_normal((64, 8, 40)) + 1000).astype("float32")
    exact = x.astype("float64")
    mean = exact.mean((0, 2), keepdims=True)
    exact = (exact - mean) / np.sqrt(exact.var((0, 2), keepdims=True) + 1e-5)
    here = F.batch_norm(rl.from_numpy(x), None, None, training=True).numpy()
    there = TF.batch_norm(torch.from_numpy(x), None, None, training=True).numpy()
    assert abs(here - exact).max() <= 1.5 * abs(there - exact).max()


def test_node_names():
    def names(t, f):
        image, signal = t, t[0]
        indices = f.max_pool2d(image, 2, return_indices=True)
        return [
            type(y.grad_fn).__name__ if t.__class__ is torch.Tensor else y.grad_fn.name()
            for y in (
                f.max_pool1d(signal, 2), f.max_pool2d(image, 2), f.max_pool3d(image, 2),
                f.avg_pool1d(signal, 2), f.avg_pool2d(image, 2), f.avg_pool3d(image, 2),
                f.adaptive_avg_pool1d(signal, 2), f.adaptive_avg_pool2d(image, 2),
                f.adaptive_avg_pool2d(image, 1), f.adaptive_avg_pool3d(image, 2),
                f.adaptive_max_pool1d(signal, 2), f.adaptive_max_pool2d(image, 2),
                f.adaptive_max_pool3d(image, 2), f.fractional_max_pool2d(image, 2, 3),
                f.max_unpool2d(*indices, 2), f.batch_norm(image, None, None, training=True),
            )
        ]  # fmt: skip

    here, there = pair(np.ones((2, 3, 8, 8), "float32"))
    assert names(here, F) == names(there, TF)
