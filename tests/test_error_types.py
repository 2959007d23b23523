"""Calls that PyTorch refuses are refused with its type of exception."""

from __future__ import annotations

import pytest

import rushlight as rl

X = rl.ones(3, dtype=rl.int64)
MASK = rl.tensor([True, False, True])


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda: rl.ldexp(2, X), TypeError, "must be Tensor, not int"),
        (lambda: rl.polar(X, 2), TypeError, "'angle' must be Tensor"),
        (lambda: rl.polar(2, X), TypeError, "'abs' must be Tensor"),
        (lambda: X.masked_fill(MASK, 1j), RuntimeError, "without overflow"),
        (lambda: X.masked_fill(MASK, rl.tensor(1j)), RuntimeError, "without overflow"),
        (lambda: X.masked_fill(MASK, float("inf")), RuntimeError, "without overflow"),
        (lambda: X.clone().masked_fill_(MASK, float("nan")), RuntimeError, "without overflow"),
        (lambda: rl.narrow(X, 0, rl.tensor(True), 1), RuntimeError, "integral"),
    ],
)
def test_types(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_what_is_near_to_them_works():
    assert X.masked_fill(MASK, 2 + 0j).tolist() == [2, 1, 2]
    assert X.masked_fill(MASK, rl.tensor(2 + 0j)).tolist() == [2, 1, 2]
    assert X.bool().masked_fill(~MASK, float("inf")).tolist() == [True, True, True]
    assert rl.narrow(X, 0, rl.tensor(1), 2).tolist() == [1, 1]
