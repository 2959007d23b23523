"""Pointwise operations of complex numbers at every length of a vector's rest, and at the ends."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import rushlight as t

BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power,
}  # fmt: skip
UNARY = {
    "neg": np.negative, "conj": np.conj, "square": np.square, "reciprocal": np.reciprocal,
    "abs": np.abs, "sgn": lambda z: z / np.abs(z), "angle": np.angle,
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_lengths(dtype: str) -> None:
    random = np.random.default_rng(0)
    bound = 1e-5 if dtype == "complex64" else 1e-13
    for n in [*range(1, 35), 255, 257, 1000, 8191, 8193, 20001]:
        a, b = (
            (random.normal(size=n) + 1j * random.normal(size=n)).astype(dtype) for _ in range(2)
        )
        wide = a.astype("complex128"), b.astype("complex128")
        x, y = t.from_numpy(a), t.from_numpy(b)
        for name, exact in BINARY.items():
            expected = exact(*wide)
            found = getattr(t, name)(x, y).numpy()
            assert (np.abs(found - expected) <= bound * (np.abs(expected) + 1e-2)).all(), (name, n)
        for name, exact in UNARY.items():
            expected = exact(wide[0])
            found = getattr(t, name)(x).numpy()
            assert (np.abs(found - expected) <= bound * (np.abs(expected) + 1e-2)).all(), (name, n)
        assert abs(x.sum().item() - wide[0].sum()) <= bound * n
        assert np.allclose((x**2).numpy(), wide[0] ** 2, bound, bound)


def test_steps() -> None:
    x = t.randn(30, 40, dtype=t.complex64)
    part = x[::2, 1::3]
    assert t.equal(part * part, part.contiguous() * part.contiguous())
    out = t.zeros(30, 40, dtype=t.complex64)
    out[::2, 1::3] = part + 1
    assert t.equal(out[::2, 1::3], part.contiguous() + 1)


def test_sizes_do_not_overflow() -> None:
    for scale in (1e-320, 1e-200, 1.0, 1e200, 1e307):
        re, im = t.tensor([3 * scale, -4 * scale], dtype=t.float64).split(1)
        z = t.complex(re, im)
        rest = 1e-3 if scale < 1e-300 else 1e-14
        assert math.isclose(z.abs().item(), 5 * scale, rel_tol=rest)
        assert abs(z.sgn().item() - (0.6 - 0.8j)) < rest
        if scale > 1e-300:
            assert abs((z / z).item() - 1) < rest


def test_infinities() -> None:
    inf, nan = math.inf, math.nan
    parts = (0.0, 1.0, -inf, inf, nan)
    for re, im in product(parts, parts):
        size = t.tensor([complex(re, im)]).abs().item()
        exact = inf if math.inf in (abs(re), abs(im)) else math.hypot(re, im)
        assert np.isclose(size, exact, equal_nan=True), (re, im)
    zero = t.tensor([0j])
    assert t.tensor([0j]).sgn().item() == 0
    quotient = (t.tensor([1 - 2j]) / zero).item()
    assert quotient.real == inf
    assert quotient.imag == -inf
    assert (t.tensor([1 + 1j]) / t.tensor([complex(inf, 0)])).item() == 0
