"""Small results whose rounding shows: the order of short sums, of dot products and of small QRs."""

import numpy as np
import pytest

import rushlight as rl

DTYPES = [np.float32, np.float64]


def vectors(n, dtype, seed=0):
    numbers = np.random.default_rng(seed)
    return [numbers.standard_normal(n).astype(dtype) for _ in range(2)]


def dot_by_hand(a, b):
    """Four sums of 16 bytes of lanes, the rest first by eight, then by 16 bytes, then singly."""
    products, dtype = a * b, a.dtype.type
    lanes = 16 // products.itemsize
    if len(a) < lanes:
        return sum(products, dtype(0))
    sums, at = np.zeros(4 * lanes, dtype), 0
    for width in (4 * lanes, 8, lanes):
        while at + width <= len(a):
            sums[:width] += products[at : at + width]
            at += width
    for product in products[at:]:
        sums[0] += product
    line = sums[:lanes] + sums[lanes : 2 * lanes]
    line = (line + sums[2 * lanes : 3 * lanes]) + sums[3 * lanes :]
    while len(line) > 1:
        line = line[: len(line) // 2] + line[len(line) // 2 :]
    return line[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 24, 31, 47, 100, 8191])
def test_dot_adds_in_this_order(n, dtype):
    a, b = vectors(n, dtype)
    assert rl.dot(rl.tensor(a), rl.tensor(b)).item() == dot_by_hand(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [8193, 100_000, 1_000_003])
def test_a_long_dot_has_the_same_bits_for_any_number_of_threads(n, dtype):
    a, b = vectors(n, dtype)
    found = set()
    before = rl.get_num_threads()
    for threads in (1, 2, 3):
        rl.set_num_threads(threads)
        found.add(rl.dot(rl.tensor(a), rl.tensor(b)).item())
    rl.set_num_threads(before)
    exact = float(np.dot(a.astype(np.longdouble), b.astype(np.longdouble)))
    assert len(found) == 1
    assert found.pop() == pytest.approx(exact, abs=n**0.5 * float(np.finfo(dtype).eps) * 8)


def test_dot_reads_strided_and_broken_numbers():
    a, b = (rl.tensor(v) for v in vectors(40, np.float32))
    assert rl.dot(a[::3], b[::3]).item() == rl.dot(a[::3].clone(), b[::3].clone()).item()
    a[7] = float("inf")
    assert abs(rl.dot(a, b).item()) == float("inf")
    b[7] = 0
    assert rl.dot(a, b).isnan()


def sum_by_hand(a):
    """Vectors of 32 bytes to four sums in turn, the rest of them to the first; then the end of the
    row and to it the lanes, one by one. Fewer values than a vector has go to the four singly."""
    lanes = 32 // a.itemsize
    if len(a) < lanes:
        return in_turn(a[:, None])[0]
    whole = len(a) // lanes * lanes
    total = a.dtype.type(0)
    for value in [*a[whole:], *in_turn(a[:whole].reshape(-1, lanes))]:
        total += value
    return total


def in_turn(vectors):
    sums = np.zeros((4, vectors.shape[1]), vectors.dtype)
    whole = len(vectors) // 4 * 4
    for i, vector in enumerate(vectors):
        sums[i % 4 if i < whole else 0] += vector
    return ((sums[0] + sums[1]) + sums[2]) + sums[3]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 9, 15, 17, 22, 31, 32, 33, 40, 64, 100, 127])
def test_short_rows_are_added_up_in_this_order(n, dtype):
    rows = np.random.default_rng(n).standard_normal((19, n)).astype(dtype)
    wanted = np.array([sum_by_hand(row) for row in rows])
    assert np.array_equal(rl.tensor(rows).sum(1).numpy(), wanted)
    assert np.array_equal((rl.tensor(rows) * 2).sum(1).numpy(), wanted * 2)
    assert np.array_equal(rl.tensor(rows).mean(1).numpy(), (wanted / n).astype(dtype))
    for row, total in zip(rows[:3], wanted):
        assert rl.tensor(row).sum().item() == total


def householder_by_hand(matrix):
    """Q and R by LAPACK's unblocked algorithm, every sum from the first row to the last."""
    one = matrix.dtype.type(1)
    a = matrix.copy()
    rows, cols = a.shape
    count = min(rows, cols)
    factors = np.zeros(count, a.dtype)
    for c in range(count):
        scale, squares = a.dtype.type(0), one
        for size in np.abs(a[c + 1 :, c]):
            if scale < size:
                ratio = scale / size
                squares, scale = one + squares * ratio * ratio, size
            else:
                squares = squares + (size / scale) * (size / scale)
        if scale == 0:
            continue
        pair = np.sort(np.abs([a[c, c], scale * np.sqrt(squares)]))
        ratio = pair[0] / pair[1]
        beta = -np.copysign(pair[1] * np.sqrt(one + ratio * ratio), a[c, c])
        factors[c] = (beta - a[c, c]) / beta
        a[c + 1 :, c] /= a[c, c] - beta
        a[c, c] = beta
        reflect(a[c:], c, factors[c], range(c + 1, cols))
    q = a[:, :count].copy()
    for c in reversed(range(count)):
        reflect(q[c:], c, factors[c], range(c + 1, count))
        q[c + 1 :, c] *= -factors[c]
        q[c, c] = one - factors[c]
        q[:c, c] = 0
    return q, np.triu(a[:count])


def reflect(a, column, factor, others):
    for j in others:
        total = a[0, j]
        for i in range(1, len(a)):
            total = total + a[i, column] * a[i, j]
        share = factor * total
        a[0, j] -= share
        a[1:, j] -= share * a[1:, column]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (6, 4), (4, 6), (5, 1), (1, 5), (13, 13), (20, 20)])
def test_a_small_qr_is_lapacks_unblocked_one(shape, dtype):
    matrix = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    q, r = rl.linalg.qr(rl.tensor(matrix))
    expected = householder_by_hand(matrix)
    assert np.array_equal(q.numpy(), expected[0])
    assert np.array_equal(r.numpy(), expected[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1, 1e-30, "tiny", "huge", 0])
@pytest.mark.parametrize("shape", [(20, 20), (21, 20), (20, 21), (7, 3), (3, 7)])
def test_qr_of_any_size_of_numbers(shape, scale, dtype):
    limits = np.finfo(dtype)
    factor = {"tiny": limits.tiny / 8, "huge": limits.max / 100}.get(scale, scale)
    matrix = (np.random.default_rng(2).uniform(-1, 1, shape) * factor).astype(dtype)
    matrix[:, 1] = 0
    for mode in ("reduced", "complete"):
        q, r = rl.linalg.qr(rl.tensor(matrix), mode)
        q, r = q.numpy().astype(np.longdouble), r.numpy().astype(np.longdouble)
        eye = np.eye(q.shape[1])
        assert np.abs(q.T @ q - eye).max() < 40 * limits.eps
        assert np.abs(q @ r - matrix).max() <= 40 * limits.eps * max(factor, limits.tiny)


def test_qr_of_broken_numbers_returns():
    for bad in (float("nan"), float("inf")):
        matrix = rl.randn(5, 4)
        matrix[2, 1] = bad
        assert rl.linalg.qr(matrix).Q.shape == (5, 4)
