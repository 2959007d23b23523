"""tanh near 1: what is left of 1 must be right, since programs take its logarithm."""

import numpy as np
import pytest

import rushlight as torch


@pytest.mark.parametrize("sign", [1, -1])
def test_tanh_keeps_what_is_left_of_one(sign):
    """Above 1.3 within 1 ulp, above 3 rounded to nearest but for a hair, and without a bias.

    A squashed policy's log-density has log(1 - tanh(x)^2): an error of 2 ulp in tanh can be one of
    a fifth in it.
    """
    x = np.linspace(1.3, 9.2, 100_003, dtype=np.float32)
    got = sign * torch.tanh(torch.from_numpy(sign * x)).numpy().astype(np.float64)
    error = (got - np.tanh(x.astype(np.float64))) * 2.0**24
    assert np.abs(error).max() <= 1.0
    assert np.abs(error[x > 3]).max() <= 0.52
    assert abs(error[x > 3].mean()) < 0.02


def test_log_density_of_a_squashed_normal_does_not_drift():
    """log(1 - tanh(x)^2 + 1e-6), as actor-critic scripts write it, has no bias at saturation."""
    x = np.linspace(3, 8.5, 100_003, dtype=np.float32)
    got = torch.log(1 - torch.tanh(torch.from_numpy(x)).pow(2) + 1e-6).numpy()
    want = np.log(np.cosh(x.astype(np.float64)) ** -2 + 1e-6)
    assert abs((got - want).mean()) < 0.005


def test_tanh_at_the_ends():
    ends = [0.0, -0.0, 1e-45, -1e-45, 30.0, -30.0, np.inf, -np.inf, np.nan]
    x = torch.tensor(ends * 5)
    got = torch.tanh(x).numpy()
    want = np.tanh(x.numpy().astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))
