"""contiguous() of arrays that lie in memory in another order than they are walked."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

import rushlight as t

SHAPES = [
    (16, 16), (64, 65), (200, 130), (17, 3, 40), (3, 70, 33), (2, 20, 5, 30), (1, 128, 16),
    (2, 3, 41, 30), (300, 2), (700, 4), (2, 7, 11, 9),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "float16", "int32", "float32", "float64", "complex64", "complex128"]
)
def test_every_order_of_axes(shape: tuple[int, ...], dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    for order in permutations(range(len(shape))):
        copied = t.from_numpy(values.copy()).permute(*order).contiguous()
        assert copied.is_contiguous()
        assert np.array_equal(copied.numpy(), values.transpose(order)), order


def test_parts_and_steps() -> None:
    values = np.random.default_rng(0).normal(size=(150, 170)).astype(np.float32)
    x = t.from_numpy(values.copy())
    parts = [((3, 150, 1), (20, 170, 1)), ((0, 150, 2), (1, 170, 1)), ((5, 99, 3), (0, 64, 1))]
    for rows, cols in parts:
        part = x[rows[0] : rows[1] : rows[2], cols[0] : cols[1] : cols[2]].t()
        expected = values[slice(*rows), slice(*cols)].T
        assert np.array_equal(part.contiguous().numpy(), expected)
        into = t.zeros(expected.shape)
        into.copy_(part)
        assert np.array_equal(into.numpy(), expected)


def test_onto_itself() -> None:
    values = np.random.default_rng(0).normal(size=(100, 100)).astype(np.float32)
    x = t.from_numpy(values.copy())
    x.copy_(x.t())
    assert np.array_equal(x.numpy(), values.T)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "int64", "complex128"])
def test_into_every_order_of_axes(dtype: str) -> None:
    for shape in [(70, 90), (600, 5), (4, 40, 33), (2, 3, 30, 31)]:
        values = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
        for order in permutations(range(len(shape))):
            memory = t.zeros(tuple(shape[axis] for axis in order), dtype=getattr(t, dtype))
            back = tuple(order.index(axis) for axis in range(len(shape)))
            memory.permute(*back).copy_(t.from_numpy(values))
            assert np.array_equal(memory.numpy(), values.transpose(order)), (shape, order)
