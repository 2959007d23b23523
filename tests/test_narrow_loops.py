"""Loops that read memory as it lies, of types that no register has: the same values as through one.

Arrays are longer than a block, and odd, so that whole vectors, tails and several tiles take part.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rushlight as rl

SIZES = (7, 1000, 9001, 70003)
INTEGERS = ("uint8", "int8", "int16", "int32")
COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)


def _integers(dtype: str, n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(n)
    info = np.iinfo(dtype)
    return [rng.integers(info.min, info.max, n, dtype=dtype, endpoint=True) for _ in "ab"]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_wrap_around(dtype: str) -> None:
    calls: tuple[Callable[[Any, Any], Any], ...] = (
        operator.add, operator.sub, operator.mul, operator.and_, operator.or_, operator.xor,
        *COMPARISONS,
    )  # fmt: skip
    for n in SIZES:
        a, b = _integers(dtype, n)
        x, y = rl.from_numpy(a.copy()), rl.from_numpy(b.copy())
        for call in calls:
            np.testing.assert_array_equal(call(x, y).numpy(), call(a, b))
        np.testing.assert_array_equal(rl.maximum(x, y).numpy(), np.maximum(a, b))
        np.testing.assert_array_equal(rl.minimum(x, y).numpy(), np.minimum(a, b))


@pytest.mark.parametrize("dtype", (rl.float16, rl.bfloat16))
def test_halves_round_once(dtype: rl.dtype) -> None:
    special = rl.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 6e4, 1e-7, 1.0])
    calls = (rl.add, rl.sub, rl.mul, rl.div, rl.maximum, rl.minimum)
    for n in SIZES:
        rl.manual_seed(n)
        x, y = (rl.randn(n) * 40).to(dtype), (rl.randn(n) * 40).to(dtype)
        x = rl.cat([x, special.repeat_interleave(8).to(dtype)])
        y = rl.cat([y, special.repeat(8).to(dtype)])
        for call in calls:
            wanted = call(x.float(), y.float()).to(dtype).float().numpy()
            np.testing.assert_array_equal(call(x, y).float().numpy(), wanted)


def test_complex_products_round_once() -> None:
    for n in SIZES:
        rl.manual_seed(n)
        x, y = rl.randn(n, dtype=rl.complex64), rl.randn(n, dtype=rl.complex64)
        for call in (rl.add, rl.sub, rl.mul):
            wide = call(x.to(rl.complex128), y.to(rl.complex128)).to(rl.complex64)
            np.testing.assert_array_equal(call(x, y).numpy(), wide.numpy())


@pytest.mark.parametrize("dtype", ("bool", *INTEGERS))
def test_short_integers_as_floats(dtype: str) -> None:
    for shape in ((9001,), (100, 131)):
        values = _integers("uint8", int(np.prod(shape)))[0].reshape(shape).astype(dtype)
        x = rl.from_numpy(values)
        floats = values.astype("f4")
        np.testing.assert_array_equal(x.float().numpy(), floats)
        np.testing.assert_array_equal((x.float() / 255).numpy(), floats / np.float32(255))
        np.testing.assert_array_equal((x * 0.5).numpy(), floats * np.float32(0.5))
        both = x.float() + x.float().sum() + x.sum()  # read as floats and as integers
        np.testing.assert_allclose(both.numpy(), floats + 2 * floats.sum(dtype="f8"), rtol=1e-6)
        np.testing.assert_allclose(x.float().mean(0).numpy(), floats.mean(0, dtype="f8"), rtol=1e-6)
        if len(shape) == 2:
            np.testing.assert_array_equal(x.t().float().numpy(), floats.T)
            np.testing.assert_array_equal((x[:, :1].float() + floats[:, 0].size).numpy(),
                                          floats[:, :1] + np.float32(shape[0]))  # fmt: skip


def test_clamp_keeps_nan_and_order() -> None:
    for n in SIZES:
        values = np.random.default_rng(n).standard_normal(n).astype("f4")
        values[::5], values[1::7], values[2::11] = np.nan, np.inf, -np.inf
        x = rl.from_numpy(values)
        for low, high in ((-0.5, 0.5), (0.0, 6.0), (2.0, -2.0), (-np.inf, 1.0), (np.nan, 1.0)):
            wanted = np.minimum(np.maximum(values, np.float32(low)), np.float32(high))
            np.testing.assert_array_equal(rl.clamp(x, low, high).numpy(), wanted)
            np.testing.assert_array_equal((x * 1).clamp(low, high).mul(1).numpy(), wanted)
        end = np.float32(0.25)
        np.testing.assert_array_equal(x.clamp_min(0.25).numpy(), np.maximum(values, end))
        np.testing.assert_array_equal(x.clamp_max(0.25).numpy(), np.minimum(values, end))


@pytest.mark.parametrize("dtype", ("uint8", "int16", "float32", "float64", "complex128"))
def test_turned_round(dtype: str) -> None:
    for shape in ((1,), (33,), (100003,), (40, 257), (3, 70, 129)):
        values = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
        x = rl.from_numpy(values)
        for axes in (*((axis,) for axis in range(len(shape))), tuple(range(len(shape)))):
            np.testing.assert_array_equal(x.flip(axes).numpy(), np.flip(values, axes))
            shifts = tuple(7 * axis - 5 for axis in axes)
            np.testing.assert_array_equal(x.roll(shifts, axes).numpy(),
                                          np.roll(values, shifts, axes))  # fmt: skip


def test_filled() -> None:
    for n in (0, 1, 15, 16, 17, 1000, 300001):
        for dtype in (rl.bool, rl.uint8, rl.bfloat16, rl.float32, rl.float64, rl.complex128):
            x = rl.ones(n + 3).to(dtype)
            inner = x[1 : n + 1]
            inner.zero_()
            assert x.to(rl.complex128).real.sum().item() == 3
            inner.fill_(1)
            assert bool((x == rl.ones(n + 3).to(dtype)).all())
    rows = rl.zeros(5, 6)
    rows.t()[1].fill_(2.5)
    assert rows.sum().item() == 12.5 and rows[:, 1].tolist() == [2.5] * 5
