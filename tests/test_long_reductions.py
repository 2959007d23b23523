"""Reductions longer than a run, a block or a tile, of every dtype: values, accuracy, same bits."""

import numpy as np
import pytest

import rushlight as rl

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")
COMPLEX = ("complex64", "complex128")
# Around the 128 floats that are added up at once, blocks of 1024 and tiles of 32768 elements.
SHAPES = ((31,), (127,), (129,), (1025,), (70001,), (300, 2), (37, 131), (131, 37), (3, 33000),
          (2500, 40), (9, 50, 51), (2, 17, 2100), (5, 1030), (40, 2049), (2, 3, 1025))  # fmt: skip


def _made(shape: tuple[int, ...], dtype: str) -> tuple[rl.Tensor, np.ndarray]:
    rng = np.random.default_rng(sum(shape))
    if dtype in INTEGERS:
        low, high = (0, 2) if dtype == "bool" else (-100, 101)
        values = rng.integers(max(low, 0) if dtype[0] == "u" else low, high, shape)
    elif dtype in COMPLEX:
        values = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    else:
        values = rng.standard_normal(shape) / 16 + 0.25
    tensor = rl.tensor(values).to(getattr(rl, dtype))
    wide = "complex128" if dtype in COMPLEX else "int64" if dtype in INTEGERS else "float64"
    return tensor, tensor.to(getattr(rl, wide)).numpy()


def _axes(shape: tuple[int, ...]) -> list:
    return [None, *range(len(shape)), *([(0, len(shape) - 1)] if len(shape) > 2 else [])]


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS + COMPLEX)
def test_sums(dtype: str) -> None:
    steps = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-22, "complex64": 2.0**-22}
    for shape in SHAPES:
        tensor, exact = _made(shape, dtype)
        for axis in _axes(shape):
            found, wanted = rl.sum(tensor, axis), exact.sum(axis)
            if dtype in INTEGERS:
                np.testing.assert_array_equal(found.to(rl.int64).numpy(), wanted)
                continue
            wide = rl.complex128 if dtype in COMPLEX else rl.float64
            bound = steps.get(dtype, 2.0**-45) * np.abs(exact).sum(axis)
            assert np.all(np.abs(found.to(wide).numpy() - wanted) <= bound), (shape, axis)


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
def test_extremes(dtype: str) -> None:
    for shape in SHAPES:
        tensor, exact = _made(shape, dtype)
        for axis in _axes(shape):
            for name in ("amax", "amin"):
                found = getattr(rl, name)(tensor, () if axis is None else axis)
                found = found.to(rl.float64 if dtype in FLOATS else rl.int64)
                np.testing.assert_array_equal(found.numpy(), getattr(exact, name[1:])(axis))


@pytest.mark.parametrize("dtype", FLOATS)
def test_one_nan_anywhere_is_found(dtype: str) -> None:
    for at in (0, 5, 130, 1023, 1024, 2999):
        tensor = rl.ones(3000).to(getattr(rl, dtype))
        tensor[at] = float("nan")
        for name in ("sum", "amax", "amin"):
            assert getattr(rl, name)(tensor).isnan().item(), (name, at)


def test_truth_values_are_counted() -> None:
    values = rl.randn(300, 217)
    mask = values > 0
    for axis in _axes((300, 217)):
        wanted = (values.numpy() > 0).sum(axis)
        np.testing.assert_array_equal(mask.sum(axis).numpy(), wanted)
        np.testing.assert_array_equal((values > 0).sum(axis).numpy(), wanted)
    both = values > 0  # counted, and looked at
    assert (both.sum() + both.long().sum()).item() == 2 * int((values.numpy() > 0).sum())


@pytest.mark.parametrize("dtype", ("float32", "bfloat16", "complex64"))
def test_same_bits_for_any_number_of_threads(dtype: str) -> None:
    before = rl.get_num_threads()
    try:
        for shape in ((70001,), (2500, 40), (3, 33000), (9, 50, 51), (700, 700)):
            tensor, _ = _made(shape, dtype)
            for axis in _axes(shape):
                found = []
                for threads in (1, 2, 3, 4):
                    rl.set_num_threads(threads)
                    found.append(rl.sum(tensor, axis).to(rl.complex128).numpy())
                for other in found[1:]:
                    np.testing.assert_array_equal(other, found[0])
    finally:
        rl.set_num_threads(before)


@pytest.mark.parametrize("dtype", ("float32", "float16"))
def test_same_bits_inside_a_chain(dtype: str) -> None:
    for shape in SHAPES:
        tensor, _ = _made(shape, dtype)
        for axis in _axes(shape):
            chained = (tensor * 1).sum(axis).double().numpy()
            np.testing.assert_array_equal(chained, tensor.sum(axis).double().numpy())
