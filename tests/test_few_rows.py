"""x @ W.T for few rows is computed as the transpose of W @ x.T: the same numbers by another way."""

import numpy as np
import pytest

import rushlight as rl

DTYPES = [rl.float32, rl.float64]


def numbers(*shape, dtype):
    rl.manual_seed(sum(shape))
    return rl.randn(*shape, dtype=dtype)


def exact(x, weight):
    return x.double().numpy() @ weight.double().numpy().T


def close(result, expected, k):
    limit = 8 * k * rl.finfo(result.dtype).eps  # k roundings of sums of about sqrt(k)
    return np.abs(result.double().numpy() - expected).max() < limit


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6, 7, 8, 13, 16, 24, 29, 31, 32, 48, 61, 64, 96])
@pytest.mark.parametrize(("outputs", "inputs"), [(512, 512), (333, 777), (1030, 129)])
def test_linear_of_few_rows(rows, outputs, inputs, dtype):
    x, weight = numbers(rows, inputs, dtype=dtype), numbers(outputs, inputs, dtype=dtype)
    bias, full = numbers(outputs, dtype=dtype), numbers(rows, outputs, dtype=dtype)
    expected = exact(x, weight)
    assert close(rl.nn.functional.linear(x, weight), expected, inputs)
    with_bias = rl.nn.functional.linear(x, weight, bias)
    assert close(with_bias, expected + bias.double().numpy(), inputs)
    scaled = rl.addmm(full, x, weight.t(), beta=0.5, alpha=2.0)
    assert close(scaled, 2 * expected + 0.5 * full.double().numpy(), 4 * inputs)
    strided = numbers(rows, 2 * inputs, dtype=dtype)[:, ::2]
    assert close(strided @ weight.t(), exact(strided, weight), inputs)


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_of_few_rows(dtype):
    x, weight = numbers(5, 16, 300, dtype=dtype), numbers(5, 400, 300, dtype=dtype)
    result = x @ weight.mT
    for item, rows, matrix in zip(result, x, weight, strict=True):
        assert close(item, exact(rows, matrix), 300)
    shared = x @ weight[2].t()
    assert close(shared[4], exact(x[4], weight[2]), 300)


def test_few_rows_have_the_same_bits_for_any_number_of_threads():
    x, weight = numbers(64, 784, dtype=rl.float32), numbers(2048, 784, dtype=rl.float32)
    before, found = rl.get_num_threads(), set()
    for threads in (1, 2, 3):
        rl.set_num_threads(threads)
        found.add(rl.nn.functional.linear(x, weight).numpy().tobytes())
    rl.set_num_threads(before)
    assert len(found) == 1


def test_broken_numbers_stay_in_their_row():
    x, weight = numbers(16, 256, dtype=rl.float32), numbers(256, 256, dtype=rl.float32)
    x[3, 5] = float("nan")
    x[9, 0] = float("inf")
    result = rl.nn.functional.linear(x, weight)
    broken = [i for i in range(16) if not result[i].isfinite().all()]
    assert broken == [3, 9] and result[3].isnan().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 16, 33, 70])
def test_products_of_few_columns(rows, dtype):
    """Sums along k, packed columns or the transpose, as the strides and sizes decide."""
    for k in (1, 2, 3, 4, 7, 8, 9, 15, 17, 40, 64, 300, 1100, 3000):
        for columns in (1, 2, 3, 4, 5):
            left, right = numbers(rows, k, dtype=dtype), numbers(k, columns, dtype=dtype)
            full = numbers(rows, columns, dtype=dtype)
            expected = left.double().numpy() @ right.double().numpy()
            for a in (left, left.t().contiguous().t()):
                for b in (right, right.t().contiguous().t()):
                    assert close(a @ b, expected, k)
                    scaled = rl.addmm(full, a, b, alpha=2.0)
                    assert close(scaled, 2 * expected + full.double().numpy(), 4 * k)
                    assert close(full.clone().addmm_(a, b), full.double().numpy() + expected, k + 4)


def test_broken_numbers_stay_in_their_row_of_few_columns():
    for columns in (1, 2, 4):
        left, right = numbers(20, 70, dtype=rl.float32), numbers(70, columns, dtype=rl.float32)
        left[3, 69] = float("nan")
        left[9, 0] = float("inf")
        for a in (left, left.t().contiguous().t()):
            broken = [i for i in range(20) if not (a @ right)[i].isfinite().all()]
            assert broken == [3, 9]
