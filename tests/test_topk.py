"""Which of equal values topk takes: those that PyTorch takes, as untrained routers need it."""

from __future__ import annotations

import math

import pytest

import rushlight as rl


@pytest.mark.parametrize(
    ("values", "k", "options", "wanted"),
    [
        ([0.0] * 4, 2, {}, [2, 3]),
        ([0.0] * 300, 3, {}, [0, 1, 2]),
        ([0.0] * 5000, 3, {"largest": False}, [0, 1, 2]),
        ([1, 3, 3, 2, 3, 0, 2], 4, {"sorted": False}, [2, 4, 1, 6]),
        ([math.nan, 1.0, math.nan, 1.0], 3, {}, [0, 2, 3]),
    ],
)
def test_equal_values(values, k, options, wanted):
    found = rl.topk(rl.tensor(values), k, **options)
    assert found.indices.tolist() == wanted
    assert rl.allclose(rl.tensor(values)[found.indices], found.values, equal_nan=True)
