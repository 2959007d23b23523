"""Which of equal values topk takes, and in which order, against PyTorch itself."""

from __future__ import annotations

import pytest

import rushlight as rl

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int64", "uint8"])
@pytest.mark.parametrize("different", [2, 10, 1000])
def test_the_same_of_equal_values(dtype, different):
    made = torch.Generator().manual_seed(different)
    for length, k in ((1, 1), (8, 2), (70, 1), (300, 20), (300, 299), (2100, 7), (5000, 100)):
        x = torch.randint(0, different, (3, length), generator=made).to(getattr(torch, dtype))
        if x.is_floating_point():
            x[1, ::7] = float("nan")
            x[2] *= -0.0
        ours = rl.tensor(x.double().tolist()).to(getattr(rl, dtype))
        for options in ({}, {"largest": False}, {"sorted": False}):
            wanted = torch.topk(x, k, **options).indices
            assert rl.topk(ours, k, **options).indices.tolist() == wanted.tolist(), (length, k)
