"""Loops that depend on how arrays lie in memory, against NumPy: masks, rows and columns, axes in
another order, and what is written straight to its place."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement, permutations

import numpy as np
import pytest

import rushlight as t

DTYPES = ("bool", "uint8", "float16", "int32", "float32", "int64", "float64", "complex128")
MASKED = [(7,), (3, 5), (300, 257), (70000,), (5, 1, 9)]


def _values(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    if dtype == "bool":
        return random.random(shape) < 0.5
    return (random.normal(size=shape) * 20).astype(dtype)


def _mask(shape: tuple[int, ...], share: float) -> np.ndarray:
    return np.random.default_rng(1).random(shape) < share


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", MASKED)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_masks_read_and_write(shape: tuple[int, ...], dtype: str, share: float) -> None:
    values, flags = _values(shape, dtype), _mask(shape, share)
    mask = t.from_numpy(flags)
    assert np.array_equal(t.from_numpy(values)[mask].numpy(), values[flags])
    one, written = _values((), dtype, 2)[()], values.copy()
    x = t.from_numpy(values.copy())
    x[mask] = one.item()
    written[flags] = one
    assert np.array_equal(x.numpy(), written)
    several = _values((int(flags.sum()),), dtype, 3)
    x[mask] = t.from_numpy(several)
    written[flags] = several
    assert np.array_equal(x.numpy(), written)
    assert np.array_equal(mask.nonzero().numpy(), np.argwhere(flags))


@pytest.mark.parametrize("shape", [(6, 8), (200, 90)])
def test_masks_of_what_does_not_lie_side_by_side(shape: tuple[int, int]) -> None:
    values, flags = _values(shape, "float32"), _mask(shape, 0.4)
    parts = {"transposed": (slice(None),), "steps": (slice(None), slice(1, None, 2))}
    for name, key in parts.items():
        whole = values.copy()
        x, expected = t.from_numpy(whole.copy()), whole.copy()
        if name == "transposed":
            view, there, chosen = x.t(), expected.T, flags.T
        else:
            view, there, chosen = x[:, 1::2], expected[key], flags[key]
        mask = t.from_numpy(flags)
        mask = mask.t() if name == "transposed" else mask[:, 1::2]
        assert np.array_equal(view[mask].numpy(), there[chosen])
        view[mask] = 7.0
        there[chosen] = 7
        assert np.array_equal(x.numpy(), expected), name
        several = np.arange(chosen.sum(), dtype=np.float32)
        view[mask] = t.from_numpy(several)
        there[chosen] = several
        assert np.array_equal(x.numpy(), expected), name


def test_a_mask_that_is_the_tensor() -> None:
    flags = _mask((40, 41), 0.5)
    x = t.from_numpy(flags.copy())
    x[x] = False
    assert not x.any()
    x = t.from_numpy(flags.copy())
    x[:-1][x[1:]] = True  # reads next to where it writes
    expected = flags.copy()
    expected[:-1][flags[1:]] = True
    assert np.array_equal(x.numpy(), expected)


def test_gradient_of_a_mask() -> None:
    flags = _mask((300, 200), 0.3)
    for x in (t.randn(300, 200), t.randn(200, 300).t()):
        x.requires_grad_()
        weights = t.randn(int(flags.sum()))
        (x[t.from_numpy(flags)] * weights).sum().backward()
        expected = np.zeros(flags.shape, np.float32)
        expected[flags] = weights.numpy()
        assert np.array_equal(x.grad.numpy(), expected)


WIDTHS = [1, 2, 3, 5, 16, 31, 64, 100, 191, 192, 200, 256, 600, 1000, 1023, 1024, 1500]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "float16"])
def test_rows_and_columns(width: int, dtype: str) -> None:
    for height in (2, 37, max(9, 40000 // width)):
        x, row = _values((height, width), dtype), _values((width,), dtype, 1)
        column, wide = _values((height, 1), dtype, 2), _values((height, width + 3), dtype, 3)
        a, b, c, d = (t.from_numpy(v) for v in (x, row, column, wide))
        part, slices = wide[:, 2:-1], d[:, 2:-1]
        with np.errstate(over="ignore"):
            for got, expected in (
                (a + b, x + row), (a - c, x - column), (c - a, column - x), (a * c, x * column),
                ((a - c) * b, (x - column) * row), (a * slices + b, x * part + row),
                (slices + 1, part + 1), (slices * c, part * column),
                (t.maximum(slices, c), np.maximum(part, column)), (c + b, column + row),
            ):  # fmt: skip
                assert np.array_equal(got.numpy(), expected), (height, width)
        assert np.array_equal(slices.contiguous().numpy(), part)
        d[:, 2:-1] = a
        wide[:, 2:-1] = x
        assert np.array_equal(d.numpy(), wide)


@pytest.mark.parametrize("width", WIDTHS)
def test_reductions_of_rows_and_columns(width: int) -> None:
    for height in (2, 37, max(9, 40000 // width)):
        x = _values((height, width), "float32")
        a = t.from_numpy(x)
        for axis in (0, 1):
            expected = x.sum(axis, dtype=np.float64)
            bound = np.abs(x).sum(axis) * 1e-6
            assert (np.abs(a.sum(axis).numpy() - expected) <= bound).all(), (height, axis)
            assert np.array_equal(a.amax(axis).numpy(), x.max(axis))
            whole = x.astype(np.int64)
            assert np.array_equal(t.from_numpy(whole).sum(axis).numpy(), whole.sum(axis))
        assert np.allclose((a - a.mean(1, keepdim=True)).numpy(), x - x.mean(1, keepdims=True),
                           atol=1e-4)  # fmt: skip


@pytest.mark.parametrize("shape", [(70, 130), (9, 33, 50), (3, 17, 20, 30), (1, 70, 1, 130)])
def test_axes_in_another_order(shape: tuple[int, ...]) -> None:
    x = _values(shape, "float32")
    for order in permutations(range(len(shape))):
        there, a = x.transpose(order), t.from_numpy(x).permute(*order)
        other = np.ascontiguousarray(there) * 2
        for got, expected in (
            (a + 1, there + 1), (a * t.from_numpy(other), there * other), (-a, -there),
            (a > 0, there > 0), (a.double(), there.astype(np.float64)), (a.amax(), there.max()),
        ):  # fmt: skip
            assert np.array_equal(got.numpy(), expected), order
        for axis in range(len(shape)):
            assert np.array_equal(a.amax(axis).numpy(), there.max(axis))
            assert np.allclose(a.sum(axis).numpy(), there.sum(axis), atol=1e-3, rtol=1e-5)
            rest = tuple(d for d in range(len(shape)) if d != axis)
            assert np.allclose(a.mean(rest).numpy(), there.mean(rest), atol=1e-4)
        into = t.from_numpy(x.copy())
        into.permute(*order).add_(a).mul_(2)
        assert np.array_equal(into.numpy(), x * 4)


def test_half_types_round_once_at_the_store() -> None:
    for dtype in (t.float16, t.bfloat16):
        x = t.randn(20000).to(dtype)
        one = (x.float() * 3).to(dtype)
        assert t.equal(x * 3, one)
        assert t.equal(-x.abs(), -(x.float().abs()).to(dtype))
        y = x * 3
        assert t.equal(y + x, (one.float() + x.float()).to(dtype))  # y is rounded before it is read


def test_small_powers_are_products() -> None:
    for dtype in (t.float32, t.float64, t.bfloat16, t.int64):
        x = (t.randn(3000) * 9).to(dtype)
        assert t.equal(x**2, x * x)
        assert t.equal(x**3, x * x * x)
    assert (t.ones(2, dtype=t.int64) ** 2.0).dtype is t.float32


def test_cat_and_stack_write_to_their_place() -> None:
    x = _values((60, 70), "float32")
    a = t.from_numpy(x)
    parts = [a.t(), a.double().t(), a[:10, :60], a.t()[::2]]
    whole = [x.T, x.T.astype(np.float64), x[:10, :60], x.T[::2]]
    assert np.array_equal(t.cat(parts, 0).numpy(), np.concatenate(whole, 0))
    assert np.array_equal(t.cat(parts[:2], 1).numpy(), np.concatenate(whole[:2], 1))
    for dim in (0, 1, 2):
        stacked = t.stack([a.t(), a.t() + 1, a.half().t()], dim)
        expected = np.stack([x.T, x.T + 1, x.T.astype(np.float16).astype(np.float32)], dim)
        assert np.array_equal(stacked.numpy(), expected)
    grids = t.stack(t.meshgrid(t.arange(200), t.arange(90), indexing="ij"))
    expected = np.stack(np.meshgrid(np.arange(200), np.arange(90), indexing="ij"))
    assert np.array_equal(grids.numpy(), expected)


@pytest.mark.parametrize("count", [1, 5, 40000, 100001])
@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "float16", "float32", "float64"])
def test_sequences(count: int, dtype: str) -> None:
    made = getattr(t, dtype)
    if dtype not in ("int16", "float16") or count < 100:
        assert np.array_equal(t.arange(count, dtype=made).numpy(), np.arange(count).astype(dtype))
        stepped = t.arange(5, 5 - 3 * count, -3, dtype=made).numpy()
        assert np.array_equal(stepped, np.arange(5, 5 - 3 * count, -3).astype(dtype))
    if dtype == "int64":
        return  # takes whole steps alone
    half = t.arange(0.5, 0.5 + count * 0.25, 0.25, dtype=made).numpy()
    with np.errstate(over="ignore"):
        assert np.array_equal(half, (0.5 + np.arange(count) * 0.25).astype(dtype))
    if dtype.startswith("float"):
        spaced = t.linspace(-3, 4, count, dtype=made).numpy()
        tolerance = {"float16": 4e-3, "float32": 1e-6, "float64": 1e-14}[dtype]
        assert np.allclose(spaced, np.linspace(-3, 4, count), rtol=0, atol=tolerance)
        assert spaced[-1] == (4 if count > 1 else -3)


def test_large_whole_numbers() -> None:
    for first in (2**31 - 20000, -(2**31) - 20000, 2**53, 2**62):
        assert np.array_equal(t.arange(first, first + 50000).numpy(),
                              np.arange(first, first + 50000))  # fmt: skip


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("rows", [0, 3])
def test_searches_side_by_side(right: bool, rows: int) -> None:
    random = np.random.default_rng(0)
    side = "right" if right else "left"
    for length in (0, 1, 2, 7, 100):
        for count in (1, 7, 8, 9, 5000):
            edges = np.sort(random.integers(0, 50, (max(rows, 1), length)).astype(np.float32), -1)
            values = random.integers(-2, 52, (max(rows, 1), count)).astype(np.float32)
            expected = np.stack([np.searchsorted(e, v, side) for e, v in zip(edges, values)])
            if not rows:
                edges, values, expected = edges[0], values[0], expected[0]
            order = np.argsort(-edges, -1, kind="stable")  # sorted by way of a sorter
            mixed = np.take_along_axis(edges, order, -1)
            sorter = np.argsort(mixed, -1, kind="stable")
            for int32 in (False, True):
                found = t.searchsorted(t.from_numpy(edges), t.from_numpy(values), right=right,
                                       out_int32=int32)  # fmt: skip
                assert np.array_equal(found.numpy(), expected)
            by_way = t.searchsorted(t.from_numpy(mixed), t.from_numpy(values), right=right,
                                    sorter=t.from_numpy(sorter))  # fmt: skip
            assert np.array_equal(by_way.numpy(), expected)


def test_counts_of_many_numbers() -> None:
    for bins in (1, 100, 5000):
        numbers = np.random.default_rng(0).integers(0, bins, 200000)
        assert np.array_equal(t.bincount(t.from_numpy(numbers)).numpy(), np.bincount(numbers))


@pytest.mark.parametrize("size", [0, 1, 4, 7])
@pytest.mark.parametrize("taken", [1, 2, 3, 5, 8])
def test_combinations(size: int, taken: int) -> None:
    for again, choose in ((False, combinations), (True, combinations_with_replacement)):
        expected = np.array(list(choose(range(size), taken)), np.int64).reshape(-1, taken)
        found = t.combinations(t.arange(size), taken, again).numpy()
        assert np.array_equal(found, expected)


def test_writes_of_long_rows() -> None:
    random = np.random.default_rng(0)
    for dtype in ("float32", "float64", "int64", "int32", "float16", "complex128"):
        x, index = _values((50, 40), dtype), random.integers(0, 50, 300)
        source = _values((300, 40), dtype, 1)
        expected = x.copy()
        wide = expected.astype(np.float64) if dtype == "float16" else expected
        np.add.at(wide, index, source)
        got = t.from_numpy(x.copy()).index_add_(0, t.from_numpy(index), t.from_numpy(source))
        assert np.allclose(got.numpy(), wide, rtol=0.1 if dtype == "float16" else 1e-4, atol=0.5)
        filled, x[index] = t.from_numpy(x.copy()), 3
        filled[t.from_numpy(index)] = 3
        assert np.array_equal(filled.numpy(), x)
        columns = t.from_numpy(_values((20, 50), dtype)).index_add(
            1, t.from_numpy(index), t.from_numpy(_values((20, 300), dtype, 1))
        )
        assert columns.shape == (20, 50)


@pytest.mark.parametrize("scale", [1, 12])
def test_results_keep_the_order_of_axes(scale: int) -> None:
    shape = (2 * scale, 3, 5 * scale, 7)
    for order in permutations(range(4)):
        memory = t.from_numpy(_values(tuple(shape[axis] for axis in order), "float32"))
        x = memory.permute(*(order.index(axis) for axis in range(4)))
        y = t.from_numpy(_values(shape, "float32", 1))
        kept = [-x, x + x, x * 2, x > 0, x.double(), t.where(x > 0, x, y), x * y[:1, :, :1, :1]]
        rows = [y + x, y * y, t.maximum(y, x)]
        assert all(r.stride() == x.stride() for r in kept), order
        assert all(r.stride() == y.stride() for r in rows), order
        a, b = x.numpy(), y.numpy()
        expected = [-a, a + a, a * 2, a > 0, a.astype("float64"), np.where(a > 0, a, b)]
        assert all(np.array_equal(r.numpy(), e) for r, e in zip(kept, expected))
        assert np.array_equal(rows[0].numpy(), a + b)
        assert all(r.stride() == x.stride() for r in kept), "once computed"
        assert np.array_equal((x + y).contiguous().flatten().numpy(), (a + b).ravel())


@pytest.mark.parametrize("length", [*range(1, 36), 63, 64, 65, 100, 127, 300, 511, 513, 1025])
def test_reductions_of_all_lengths(length: int) -> None:
    for dtype in ("float32", "float64", "int64", "float16", "uint8"):
        values = _values((37, length), dtype)
        if dtype == "float32":
            values[5, length // 2] = np.nan
            values[9, length - 1] = np.inf
        wide = values.astype(np.float64) if dtype.startswith("float") else values
        for x, axis in [(values, 1), (np.ascontiguousarray(values.T), 0)]:
            given, array = t.from_numpy(x), wide if axis else wide.T
            total = given.sum(axis).numpy()
            tolerance = {"float16": 2e-3, "float32": 1e-6}.get(dtype, 1e-12)
            assert np.allclose(total, array.sum(axis), tolerance, 0.02, True), dtype
            assert np.array_equal(given.amax(axis).numpy(), x.max(axis), True), dtype
            assert np.array_equal(given.amin(axis).numpy(), x.min(axis), True), dtype
            assert np.array_equal(given.argmax(axis).numpy(), x.argmax(axis)), dtype
        block = t.from_numpy(np.ascontiguousarray(np.broadcast_to(values, (3, *values.shape))))
        assert np.allclose(block.sum(1).numpy(), wide.sum(0), tolerance, 0.02, True), dtype


def test_extremes_of_half_precision() -> None:
    numbers = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 6e-8, -6e-8, 65504.0]
    random = np.random.default_rng(0)
    for length in (1, 2, 63, 64, 65, 5000):
        for chosen in (numbers, numbers[:6], numbers[:2], numbers[7:]):
            values = random.choice(np.array(chosen, dtype=np.float16), (4, length))
            x = t.from_numpy(values)
            assert np.array_equal(x.argmax(1).numpy(), values.argmax(1))
            assert np.array_equal(x.argmin(1).numpy(), values.argmin(1))
            wide = x.bfloat16().float().numpy()
            assert np.array_equal(x.bfloat16().argmax(1).numpy(), wide.argmax(1))
            assert np.array_equal(x.max(1).values.numpy(), values.max(1), True)


@pytest.mark.parametrize("columns", [1, 3, 7, 8, 9, 16, 33, 100, 200, 1500])
def test_one_value_for_a_row(columns: int) -> None:
    for dtype in ("float32", "float64", "int64"):
        x, row = _values((90, columns), dtype), np.abs(_values((90, 1), dtype, 1)) + 1
        one = _values((1, 1), dtype, 2)
        a, b, c = (t.from_numpy(array) for array in (x, row, one))
        pairs = [
            (a + b, x + row), (b - a, row - x), (a * b - c, x * row - one), (a + c, x + one),
            ((a - b) * b + a, (x - row) * row + x), (a.view(9, 10, -1) * b.view(9, 10, 1)[:, :1],
            x.reshape(9, 10, -1) * row.reshape(9, 10, 1)[:, :1]),
        ]  # fmt: skip
        if dtype.startswith("float"):
            pairs += [(a / b, x / row), (b / (a * a + 1), row / (x * x + 1))]
        for found, expected in pairs:
            assert np.array_equal(found.numpy(), expected)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_bits_do_not_depend_on_threads(threads: int) -> None:
    before = t.get_num_threads()
    x = t.from_numpy(_values((700, 301), "float32"))

    def results() -> list:
        rows = x.view(-1, 7)
        return [
            x.t().sum(), x.sum(0), x.t().sum(1), rows.sum(0), rows.sum(1), x[x > 0].sum(),
            x - x.mean(1, keepdim=True), t.linspace(0, 1, 100000).sum(),
        ]  # fmt: skip

    try:
        t.set_num_threads(1)
        expected = [r.clone() for r in results()]
        t.set_num_threads(threads)
        assert all(t.equal(a, b) for a, b in zip(results(), expected))
    finally:
        t.set_num_threads(before)
