"""uint16, uint32 and uint64: arithmetic modulo 2^n with all its corners, against NumPy."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

import rushlight as rl

NAMES = ("uint16", "uint32", "uint64")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of casts that overflow


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def corners(name):
    """Numbers around 0, the middle and the end of the dtype."""
    end = int(np.iinfo(name).max)
    middle = end // 2
    return [0, 1, 2, 3, 7, 10, middle - 1, middle, middle + 1, middle + 2, end - 2, end - 1, end]


def pairs(name):
    """All pairs of corners, as two tensors and two arrays."""
    values = np.array(corners(name), name)
    a, b = np.repeat(values, len(values)), np.tile(values, len(values))
    return rl.from_numpy(a), rl.from_numpy(b), a, b


def same(result, expected):
    expected = np.asarray(expected)
    assert str(result.dtype) == f"torch.{expected.dtype}"
    np.testing.assert_array_equal(result.numpy(), expected)


# ---- what the dtype is


def test_describes_itself(name):
    dtype = getattr(rl, name)
    limits = rl.iinfo(dtype)
    assert (limits.min, limits.max, limits.bits) == (0, np.iinfo(name).max, np.iinfo(name).bits)
    assert dtype.itemsize == np.dtype(name).itemsize
    assert not dtype.is_signed and not dtype.is_floating_point and not dtype.is_complex
    assert repr(dtype) == f"torch.{name}"
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert rl.ones(1, dtype=dtype).type() == f"torch.UInt{limits.bits}Tensor"
    assert rl.ones(1).type(f"torch.UInt{limits.bits}Tensor").dtype is dtype
    with pytest.raises(RuntimeError, match="floating point"):
        rl.ones(1, dtype=dtype, requires_grad=True)


def test_numbers_come_and_go_whole(name):
    dtype, values = getattr(rl, name), corners(name)
    tensor = rl.tensor(values, dtype=dtype)
    assert tensor.tolist() == values
    assert [tensor[i].item() for i in range(len(values))] == values
    assert [int(x) for x in tensor] == values
    assert float(tensor[-1]) == float(values[-1])
    assert rl.full((2,), values[-1], dtype=dtype).tolist() == [values[-1]] * 2
    assert rl.full((10_000,), values[-1], dtype=dtype)[-1].item() == values[-1]
    assert rl.tensor(values[-1], dtype=dtype).item() == values[-1]
    assert rl.tensor(np.array(values, name)[-1]).dtype is dtype
    assert rl.tensor([np.array(values, name)[-1]]).tolist() == values[-1:]
    tensor[0] = values[-1]
    assert tensor[0].item() == values[-1]
    assert rl.arange(5, dtype=dtype).tolist() == [0, 1, 2, 3, 4]
    assert rl.arange(values[-3] - 1, values[-1], dtype=dtype).tolist() == [
        *range(values[-3] - 1, values[-1])
    ]
    assert rl.empty(0, dtype=dtype).tolist() == []


def test_numbers_that_do_not_fit(name):
    dtype, end = getattr(rl, name), int(np.iinfo(name).max)
    kind = OverflowError if name == "uint64" else RuntimeError
    for number in (end + 1, -end - 1):
        with pytest.raises(kind, match="overflow"):
            rl.tensor([number], dtype=dtype)
    if name != "uint64":
        assert rl.tensor([-1, -end], dtype=dtype).tolist() == [end, 1]
    assert (rl.ones(2, dtype=dtype) * -1).tolist() == [end, end]
    with pytest.raises(ValueError, match="overflow"):
        rl.tensor([2**63])
    assert (rl.tensor([1.0], dtype=rl.float64) + 2**63).item() == 2.0**63


def test_print(name):
    end = int(np.iinfo(name).max)
    text = repr(rl.tensor([5, end], dtype=getattr(rl, name)))
    assert text == f"tensor([{5:{len(str(end))}}, {end}], dtype=torch.{name})"


# ---- arithmetic

BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "maximum": np.maximum,
    "minimum": np.minimum, "fmax": np.fmax, "fmin": np.fmin, "eq": np.equal, "ne": np.not_equal,
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
    "gcd": np.gcd,
}  # fmt: skip
DIVISIONS = {
    "floor_divide": np.floor_divide, "remainder": np.remainder, "fmod": np.fmod,
}  # fmt: skip
UNARY = {
    "neg": np.negative, "bitwise_not": np.invert, "square": np.square, "abs": np.abs,
    "sign": np.sign, "logical_not": np.logical_not, "positive": np.positive,
    "signbit": lambda x: np.zeros(x.shape, bool), "isfinite": np.isfinite, "isnan": np.isnan,
    "floor": np.array, "ceil": np.array, "trunc": np.array, "round": np.array, "relu": np.array,
}  # fmt: skip


@pytest.mark.parametrize("op", BINARY)
def test_binary(op, name):
    x, y, a, b = pairs(name)
    same(getattr(rl, op)(x, y), BINARY[op](a, b))


@pytest.mark.parametrize("op", DIVISIONS)
def test_divisions(op, name):
    x, y, a, b = pairs(name)
    x, y, a, b = x[y != 0], y[y != 0], a[b != 0], b[b != 0]
    same(getattr(rl, op)(x, y), DIVISIONS[op](a, b))
    same(rl.div(x, y, rounding_mode="trunc"), a // b)
    same(rl.div(x, y, rounding_mode="floor"), a // b)
    with pytest.raises(RuntimeError, match="by zero"):
        getattr(rl, op)(x, 0)


@pytest.mark.parametrize("op", UNARY)
def test_unary(op, name):
    array = np.array(corners(name), name)
    same(getattr(rl, op)(rl.from_numpy(array)), UNARY[op](array))


def test_true_division_and_functions_become_floats(name):
    x, y, a, b = pairs(name)
    result = x / y
    assert result.dtype is rl.float32
    expected = a.astype(np.float32) / b.astype(np.float32)
    np.testing.assert_array_equal(result.numpy(), expected)
    small = rl.tensor([1, 2, 9], dtype=getattr(rl, name))
    np.testing.assert_allclose(small.sqrt().numpy(), [1, 2**0.5, 3], rtol=1e-6)
    assert small.double().mean().item() == 4.0
    with pytest.raises(RuntimeError, match="floating point"):
        small.mean()


def test_shifts_and_powers(name):
    bits = np.iinfo(name).bits
    array = np.array(corners(name), name)
    x = rl.from_numpy(array)
    for count in range(bits):
        same(x << count, array << np.array(count, name))
        same(x >> count, array >> np.array(count, name))
    for count in (bits, bits + 1, 64, 100):
        assert (x << count).tolist() == (x >> count).tolist() == [0] * len(array)
    for exponent in (0, 1, 2, 3, 5, 31):
        same(x**exponent, array ** np.array(exponent, name))


def test_numbers_take_the_dtype_of_the_tensor(name):
    dtype, end = getattr(rl, name), int(np.iinfo(name).max)
    x = rl.tensor([1, end], dtype=dtype)
    assert (x + 1).tolist() == [2, 0] and (x + 1).dtype is dtype
    assert (x - 2).tolist() == [end, end - 2]
    assert (x * True).tolist() == [1, end]
    assert (x == end).tolist() == [False, True]
    assert (x < end).tolist() == [True, False]
    assert rl.where(x == 1, end, x).tolist() == [end, end]
    assert x.clamp(2, end - 1).tolist() == [2, end - 1]
    assert x.masked_fill(x == 1, end).tolist() == [end, end]
    assert (x * 2.5).dtype is rl.float32
    assert (2 - x).tolist() == [1, 3]
    x += 1
    assert x.tolist() == [2, 0]
    assert x.add(x, alpha=3).tolist() == [8, 0]
    assert rl.lerp(x.double(), x.double(), 0.5).tolist() == [2.0, 0.0]


@pytest.mark.parametrize("large", [False, True])
def test_layouts_and_sizes(name, large):
    """Strided, broadcast, empty and 0-dim operands; small ones and ones that are deferred."""
    shape = (130, 131) if large else (6, 7)
    random = np.random.default_rng(0)
    a = random.integers(0, np.iinfo(name).max, shape, name, endpoint=True)
    b = random.integers(1, np.iinfo(name).max, shape, name, endpoint=True)
    x, y = rl.from_numpy(a), rl.from_numpy(b)
    same(x * y + x // y, a * b + a // b)
    same((x.t() - y.t())[::2], (a.T - b.T)[::2])
    same(x[::3, 1::2] ^ y[::3, 1::2], a[::3, 1::2] ^ b[::3, 1::2])
    same(x[0] * y[:, :1], a[0] * b[:, :1])
    same(x[1, 1] * y, a[1, 1] * b)
    same(x.t().contiguous(), a.T.copy())
    same(x.t().reshape(-1), a.T.reshape(-1))
    same(x[:0] + y[:0], a[:0])
    same(rl.maximum(x, y) - rl.minimum(x, y), np.maximum(a, b) - np.minimum(a, b))
    same((x > y).sum(), (a > b).sum())


# ---- casts

REAL = ("bool", "uint8", "int8", "int16", "int32", "int64", *NAMES, "float32", "float64")


@pytest.mark.parametrize("to", REAL)
def test_cast_to(name, to):
    array = np.array(corners(name), name)
    same(rl.from_numpy(array).to(getattr(rl, to)), array.astype(to))
    large = np.resize(array, 20_000)
    same(rl.from_numpy(large).to(getattr(rl, to)), large.astype(to))


@pytest.mark.parametrize("source", REAL[:-2])
def test_cast_from_integers(name, source):
    limits = np.iinfo(source) if source != "bool" else None
    array = np.array([0, 1] if limits is None else [limits.min, -1 % (limits.max + 1), limits.max])
    array = array.astype(source)
    same(rl.from_numpy(array).to(getattr(rl, name)), array.astype(name))


@pytest.mark.parametrize("source", ["float32", "float64"])
def test_cast_from_floats(name, source):
    end, most = int(np.iinfo(name).max), np.finfo(source)
    below = float(np.nextafter(np.array(float(end) + 1, source), np.array(0, source)))
    values = [0.0, 0.99, 1.5, 2.5, end // 2, below, float(end // 2 + 1)]
    array = np.array([v for v in values if v <= below], source)
    expected = [int(v) for v in array.tolist()]
    assert rl.from_numpy(array).to(getattr(rl, name)).tolist() == expected
    large = rl.from_numpy(np.resize(array, 20_000)).to(getattr(rl, name))
    assert large[: len(expected)].tolist() == expected
    assert rl.tensor([-1.0], dtype=getattr(rl, source)).to(getattr(rl, name)).item() == end
    assert most.max > end
    half = rl.tensor([3.0, 100.0], dtype=rl.float16)
    assert half.to(getattr(rl, name)).half().tolist() == [3, 100]
    assert rl.tensor([3 + 2j]).to(getattr(rl, name)).item() == 3


# ---- dtypes that meet


def test_promotion(name):
    dtype = getattr(rl, name)
    for other in (rl.float16, rl.bfloat16, rl.float32, rl.float64):
        assert rl.promote_types(dtype, other) is rl.promote_types(other, dtype) is other
        assert rl.can_cast(dtype, other) and not rl.can_cast(other, dtype)
    assert rl.promote_types(dtype, dtype) is dtype
    assert rl.can_cast(dtype, rl.int8) and not rl.can_cast(dtype, rl.bool)
    x = rl.ones(2, dtype=dtype)
    others = [rl.bool, rl.uint8, rl.int8, rl.int16, rl.int32, rl.int64, rl.complex64]
    others += [getattr(rl, other) for other in NAMES if other != name]
    for other in others:
        with pytest.raises(RuntimeError, match="Promotion for uint16, uint32, uint64"):
            rl.promote_types(dtype, other)
        with pytest.raises(RuntimeError, match="Promotion for uint16, uint32, uint64"):
            x * rl.ones(2, dtype=other)
        with pytest.raises(RuntimeError, match="Promotion for uint16, uint32, uint64"):
            rl.cat([x, rl.ones(2, dtype=other)])
    assert rl.result_type(x, 1) is dtype
    assert rl.result_type(x, 1.0) is rl.float32
    assert (x * rl.tensor(3)).dtype is dtype
    assert (rl.ones(2, dtype=rl.int64) * x[0]).dtype is rl.int64
    assert (rl.ones(2) * x).dtype is rl.float32


# ---- reductions and scans


def test_reductions(name):
    array = np.array(corners(name), name)
    array = np.concatenate([array, array[::-1], np.full(10_000, array[-1])])
    for a in (array[:13], array, array[:10_010].reshape(10, 1001)):
        x = rl.from_numpy(a)
        assert x.sum().dtype is x.prod().dtype is rl.int64
        assert x.sum().item() == int(a.astype(np.uint64).sum().astype(np.int64))
        assert x.sum(dtype=x.dtype).item() == int(a.sum(dtype=name))
        assert x.prod().item() == int(np.prod(a.astype(np.uint64)).astype(np.int64))
        same(x.sum(0, dtype=x.dtype), a.sum(0, dtype=name))
        same(x.amax(0), a.max(0))
        same(x.amin(-1), a.min(-1))
        assert x.max().item() == a.max() and x.min().item() == a.min()
        assert x.argmax().item() == a.argmax() and x.argmin().item() == a.argmin()
        assert x.any().item() and not x.all().item() and x.any(0).dtype is rl.bool
        same(x.cumsum(-1), np.cumsum(a.astype(np.uint64), -1).astype(np.int64))
        same(x.cumsum(-1, dtype=x.dtype), np.cumsum(a, -1, dtype=name))
        same(x.cummax(-1).values, np.maximum.accumulate(a, -1))
        same(x.cummin(-1).values, np.minimum.accumulate(a, -1))
        assert x.count_nonzero().item() == np.count_nonzero(a)
        same(x.max(-1).values, a.max(-1))
        assert x.aminmax().max.item() == a.max()
    empty = rl.empty(0, dtype=getattr(rl, name))
    assert empty.sum().item() == 0 and empty.prod().item() == 1 and empty.all().item()


# ---- moving, ordering, searching


def test_movement(name):
    array = np.array(corners(name)[:12], name).reshape(3, 4)
    x = rl.from_numpy(array)
    same(rl.cat([x, x], 1), np.concatenate([array, array], 1))
    same(rl.stack([x, x]), np.stack([array, array]))
    same(x.flip(0), array[::-1].copy())
    same(x.roll(1, 1), np.roll(array, 1, 1))
    same(x.repeat(2, 1), np.tile(array, (2, 1)))
    same(x[rl.tensor([2, 0])], array[[2, 0]])
    same(x[x > 5], array[array > 5])
    same(x.index_select(1, rl.tensor([3, 1])), array[:, [3, 1]])
    same(x.gather(1, rl.tensor([[3], [0], [1]])), array[[0, 1, 2], [3, 0, 1]][:, None])
    same(x.take(rl.tensor([5, 11])), array.reshape(-1)[[5, 11]])
    same(x.tril(), np.tril(array))
    same(x.masked_select(x > 5), array[array > 5])
    same(x.nonzero(), np.argwhere(array))
    same(rl.eye(3, dtype=x.dtype), np.eye(3, dtype=name))
    assert x.view(rl.uint8).shape == (3, 4 * x.element_size())
    signed = getattr(rl, name[1:])
    same(x.view(signed), array.view(name[1:]))
    same(x.view(signed).view(x.dtype), array)
    places = rl.tensor([0, 0, 2])
    for reduce in ("sum", "prod", "amax", "amin"):
        target = rl.ones(3, dtype=x.dtype)
        source = rl.tensor(corners(name)[-3:], dtype=x.dtype)
        target.scatter_reduce_(0, places, source, reduce)
        function = {"sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}
        expected = np.ones(3, name)
        function[reduce].at(expected, places.numpy(), source.numpy())
        same(target, expected)
    mean = rl.zeros(1, dtype=x.dtype).scatter_reduce_(
        0, rl.tensor([0, 0]), rl.tensor([0, corners(name)[-1]], dtype=x.dtype), "mean",
        include_self=False,
    )  # fmt: skip
    assert mean.item() == corners(name)[-1] // 2
    put = x.clone().index_put_((rl.tensor([0, 0]),), x[1:3], accumulate=True)
    same(put[0], array[0] + array[1] + array[2])
    assert rl.arange(20)[rl.tensor(7, dtype=x.dtype)].item() == 7
    with pytest.raises(IndexError, match="indices must be long"):
        rl.arange(20)[rl.tensor([7], dtype=x.dtype)]


def test_order(name):
    random = np.random.default_rng(1)
    array = random.permutation(np.array(corners(name) * 3, name))
    large = random.integers(0, np.iinfo(name).max, 20_000, name, endpoint=True)
    for a in (array, large):
        x = rl.from_numpy(a)
        ordered, places = x.sort(stable=True)
        same(ordered, np.sort(a))
        same(places, np.argsort(a, kind="stable"))
        same(x.sort(descending=True).values, np.sort(a)[::-1].copy())
        values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
        for mine, other in zip(
            (values, inverse, counts), np.unique(a, return_inverse=True, return_counts=True)
        ):
            same(mine, other.reshape(-1))
        same(x.topk(5).values, np.sort(a)[::-1][:5].copy())
        assert x.kthvalue(4).values.item() == np.sort(a)[3]
        assert x.median().item() == np.sort(a)[(len(a) - 1) // 2]
        same(rl.searchsorted(ordered, x), np.searchsorted(np.sort(a), a))
        assert rl.isin(x, x[:3]).numpy().tolist() == np.isin(a, a[:3]).tolist()
        assert rl.isin(x, int(a[0])).numpy().tolist() == (a == a[0]).tolist()
    assert rl.from_numpy(array).mode().values.item() == 0
    same(rl.bincount(rl.tensor([1, 3, 1], dtype=getattr(rl, name))), [0, 2, 0, 1])


def test_layers(name):
    dtype, functional = getattr(rl, name), rl.nn.functional
    x = rl.tensor([[corners(name)[:6]]], dtype=dtype)
    assert functional.pad(x, (1, 0)).tolist() == [[[0, *corners(name)[:6]]]]
    assert functional.conv1d(x, rl.ones(1, 1, 2, dtype=dtype)).tolist() == [[[1, 3, 5, 10, 17]]]
    table = rl.tensor([[1], [corners(name)[-1]]], dtype=dtype)
    assert functional.embedding(rl.tensor([1, 0]), table).tolist() == [[corners(name)[-1]], [1]]
    if name == "uint64":
        with pytest.raises(NotImplementedError, match="uint64"):
            functional.max_pool1d(x, 2)
    else:
        assert functional.max_pool1d(x, 2).tolist() == [[[1, 3, 10]]]
    assert rl.special.log_ndtr(x).max().item() <= 0
    assert rl.linalg.vander(x[0, 0, :3]).tolist() == [[1, 0, 0], [1, 1, 1], [1, 2, 4]]


def test_products(name):
    random = np.random.default_rng(2)
    a = random.integers(0, np.iinfo(name).max, (5, 7), name, endpoint=True)
    b = random.integers(0, np.iinfo(name).max, (7, 3), name, endpoint=True)
    same(rl.from_numpy(a) @ rl.from_numpy(b), a @ b)
    same(rl.from_numpy(a[0]) @ rl.from_numpy(b), a[0] @ b)
    same(rl.outer(rl.from_numpy(a[0]), rl.from_numpy(b[0])), np.outer(a[0], b[0]))


# ---- random numbers, files, other libraries


def test_random_numbers(name):
    dtype = getattr(rl, name)
    rl.manual_seed(3)
    expected = rl.randint(0, 50_000, (9,))
    rl.manual_seed(3)
    assert rl.randint(0, 50_000, (9,), dtype=dtype).tolist() == expected.tolist()
    drawn = rl.empty(1000, dtype=dtype).random_()
    assert drawn.max().item() > rl.iinfo(dtype).max // 2
    assert sorted(rl.randperm(9, dtype=dtype).tolist()) == list(range(9))
    assert set(rl.empty(50, dtype=dtype).bernoulli_().tolist()) == {0, 1}
    with pytest.raises(RuntimeError, match="out of range|out of bounds"):
        rl.randint(-1, 5, (2,), dtype=dtype)
    if name == "uint64":
        assert rl.randint(2**62, 2**63 - 1, (50,), dtype=dtype).min().item() >= 2**62
    else:
        with pytest.raises(RuntimeError, match="out of range|out of bounds"):
            rl.randint(0, 2**40, (2,), dtype=dtype)


def test_files(name, tmp_path):
    x = rl.tensor(corners(name)[:12], dtype=getattr(rl, name)).view(3, 4)
    parameter = rl.nn.Parameter(x.clone(), requires_grad=False)
    rl.save(
        {"x": x, "t": x.t(), "row": x[1], "none": x[:0], "parameter": parameter}, tmp_path / "f"
    )
    for options in ({}, {"mmap": True}, {"weights_only": False}):
        loaded = rl.load(tmp_path / "f", **options)
        assert loaded["x"].dtype is x.dtype and loaded["x"].tolist() == x.tolist()
        assert loaded["t"].stride() == (1, 4) and loaded["none"].shape == (0, 4)
        assert type(loaded["parameter"]) is rl.nn.Parameter
        loaded["x"][1, 1] = 9
        assert loaded["row"][1].item() == loaded["t"][1, 1].item() == 9
    file = io.BytesIO()
    with pytest.raises(RuntimeError, match="share one storage"):
        rl.save([x, x.view(getattr(rl, name[1:]))], file)
    x.tag = 3
    rl.save(x, file)
    assert rl.load(file).tag == 3
    assert pickle.loads(pickle.dumps(x)).tolist() == x.tolist()


def test_other_libraries(name):
    array = np.array(corners(name), name)
    x = rl.from_numpy(array)
    assert x.dtype is getattr(rl, name) and x.numpy().dtype == array.dtype
    x[0] = 5
    assert array[0] == 5
    same(rl.as_tensor(array), array)
    same(rl.tensor(array), array)
    same(rl.from_dlpack(array), array)
    assert np.from_dlpack(x).tolist() == array.tolist()
    assert np.asarray(x).dtype == array.dtype
    same(rl.frombuffer(array.tobytes(), dtype=x.dtype), array)
    same(rl.tensor([x, x]), np.stack([array, array]))
    rl.testing.assert_close(x, rl.from_numpy(array.copy()))
    assert rl.equal(x, rl.from_numpy(array.copy()))
    assert rl.testing.make_tensor(50, dtype=x.dtype, device="cpu").max() < 10
