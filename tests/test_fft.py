"""Fourier transforms of every kind of length: short, long, with large prime factors, and real."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import rushlight as t

SHORT = list(range(1, 70)) + [96, 97, 98, 100, 101, 119, 121, 127, 128, 131, 142, 194, 202, 211]
LONG = [243, 256, 500, 625, 997, 1000, 1024, 1331, 1498, 1999, 2401, 4096, 4099, 10000, 16384]
SOURCE = {"complex64": "float32", "complex128": "float64"}


def _error(found: t.Tensor, exact: np.ndarray) -> float:
    values = found.numpy()
    assert values.shape == exact.shape
    return float(np.linalg.norm(values - exact) / (np.linalg.norm(exact) or 1))


def _bound(dtype: str, n: int) -> float:
    eps = 2.0**-24 if dtype == "complex64" else 2.0**-53
    return eps * (3 + 1.5 * np.log2(n))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("rows", [1, 3, 21])
def test_lengths(dtype: str, rows: int) -> None:
    random = np.random.default_rng(0)
    for n in SHORT + (LONG if rows < 21 else LONG[:8]):
        x = (random.normal(size=(rows, n)) + 1j * random.normal(size=(rows, n))).astype(dtype)
        exact = np.fft.fft(x.astype("complex128"))
        bound = _bound(dtype, n) + (2.0**-50 if dtype == "complex128" else 0)  # NumPy's own
        assert _error(t.fft.fft(t.from_numpy(x)), exact) < bound, n
        back = np.fft.ifft(x.astype("complex128"))
        assert _error(t.fft.ifft(t.from_numpy(x)), back) < bound, n
        real = t.from_numpy(x.real.astype(SOURCE[dtype]))
        exact = np.fft.fft(x.real.astype("float64"))
        assert _error(t.fft.fft(real), exact) < bound, n
        assert _error(t.fft.rfft(real), exact[:, : n // 2 + 1]) < bound, n
        half = x[:, : n // 2 + 1]
        exact = np.fft.irfft(half.astype("complex128"), n)
        assert _error(t.fft.irfft(t.from_numpy(half), n), exact) < bound, n


def test_axes_in_front() -> None:
    random = np.random.default_rng(1)
    for shape in [(12, 1), (35, 3), (64, 16), (97, 33), (101, 20), (2500, 5), (2, 60, 17, 2)]:
        x = random.normal(size=shape) + 1j * random.normal(size=shape)
        for axis in range(len(shape)):
            found = t.fft.fft(t.from_numpy(x), dim=axis)
            assert _error(found, np.fft.fft(x, axis=axis)) < 1e-15 * 10, (shape, axis)
            real = t.fft.rfft(t.from_numpy(x.real.copy()), dim=axis)
            assert _error(real, np.fft.rfft(x.real, axis=axis)) < 1e-14, (shape, axis)
            wide = 2 * shape[axis] - 1
            back = t.fft.irfft(t.from_numpy(x), wide, dim=axis)
            assert _error(back, np.fft.irfft(x, wide, axis=axis)) < 1e-14, (shape, axis)
        everything = t.fft.fftn(t.from_numpy(x))
        assert _error(everything, np.fft.fftn(x)) < 1e-14, shape


def test_strided_inputs_give_the_same_bits() -> None:
    x = t.randn(40, 50, dtype=t.complex64)
    assert t.equal(t.fft.fft(x.mT), t.fft.fft(x.mT.contiguous()))
    assert t.equal(t.fft.fft(x[::2, 1::3]), t.fft.fft(x[::2, 1::3].contiguous()))
    assert t.equal(t.fft.fft(x[:1].expand(9, 50)), t.fft.fft(x[:1].repeat(9, 1)))


def test_rows_do_not_see_each_other() -> None:
    x = t.randn(20, 96)
    x[3, 5], x[7, 0] = float("nan"), float("inf")
    for found in (t.fft.rfft(x), t.fft.fft(x), t.fft.fft(x + 0j)):
        clean = found.isfinite().all(1)
        assert [i for i in range(20) if not clean[i]] == [3, 7]


def test_parts_that_a_real_signal_does_not_have() -> None:
    for n in (8, 9, 128, 301):
        half = t.randn(3, n // 2 + 1, dtype=t.complex128)
        other = half.clone()
        other[:, 0] += 5j
        if n % 2 == 0:
            other[:, -1] -= 3j
        assert t.equal(t.fft.irfft(half, n), t.fft.irfft(other, n))


def test_threads_do_not_change_bits() -> None:
    inputs = [t.randn(1, 1 << 17, dtype=t.complex64), t.randn(2, 1 << 17), t.randn(300, 250),
              t.randn(70, 211, 9, dtype=t.complex64), t.randn(4, 96, 40)]  # fmt: skip
    before, found = t.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 4):
            t.set_num_threads(threads)
            found.append([
                part.numpy().tobytes()
                for x in inputs
                for part in (t.fft.fft(x), t.fft.fft(x, dim=1), t.fft.fftn(x).real)
            ])  # fmt: skip
    finally:
        t.set_num_threads(before)
    assert all(part == found[0] for part in found)


def _resident() -> int:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("no /proc to read the size of the process from")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_plans_of_many_lengths_do_not_pile_up() -> None:
    sizes = []
    for _ in range(2):
        for n in range(3000, 3400):
            t.fft.fft(t.ones(n))
            t.fft.fft(t.ones(16, n, dtype=t.float64))
        sizes.append(_resident())
    assert sizes[1] - sizes[0] < 8 << 20
