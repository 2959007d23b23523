"""torch.nn.grad: gradients of convolutions by themselves, against those of the tape."""

from __future__ import annotations

import pytest

import rushlight as torch
import rushlight.nn.functional as F
from rushlight.nn import grad


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "groups": 2}])
def test_convolutions(rank, options):
    torch.manual_seed(0)
    x = torch.randn(2, 4, *(7,) * rank, dtype=torch.float64, requires_grad=True)
    channels = 4 // options.get("groups", 1)
    w = torch.randn(6, channels, *(3,) * rank, dtype=torch.float64, requires_grad=True)
    y = getattr(F, f"conv{rank}d")(x, w, None, **options)
    g = torch.randn_like(y)
    expected = torch.autograd.grad(y, (x, w), g)
    found = getattr(grad, f"conv{rank}d_input")(x.shape, w, g, **options)
    torch.testing.assert_close(found, expected[0])
    found = getattr(grad, f"conv{rank}d_weight")(x, w.shape, g, **options)
    torch.testing.assert_close(found, expected[1])
    assert found.requires_grad


def test_without_a_graph():
    with torch.no_grad():
        found = grad.conv2d_input((1, 1, 4, 4), torch.ones(1, 1, 2, 2), torch.ones(1, 1, 3, 3))
    assert found.sum() == 36 and not found.requires_grad
