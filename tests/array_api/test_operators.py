"""Operators, brackets and attributes of Array; and that plain tensors keep PyTorch's."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from array_api.compare import ALL, KINDS, draw, given, same, tensor
from hypothesis import HealthCheck, assume, settings
from hypothesis import given as examples
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rushlight as rl
import rushlight.array_api as xp

QUICK = settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
ARITHMETIC = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"]
BITWISE = ["and_", "or_", "xor"]
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]


def operands(name, a, b, left, right):
    x1, x2 = draw(a, left, 1), draw(b, right, 2)
    if name in ("floordiv", "mod", "pow", "truediv"):
        x2 = np.where(x2 <= 0, 2, x2).astype(b)
    return x1, x2


@pytest.mark.parametrize("name", ARITHMETIC + BITWISE + COMPARISONS)
def test_zero_dimensions_count_in_promotion(name):
    kinds = ["int"] if name in BITWISE else ["int", "float"]
    function = getattr(operator, name)
    for kind in kinds:
        for a in KINDS[kind]:
            for b in KINDS[kind]:
                for left, right in (((3,), ()), ((), (3,)), ((2, 1), (3,)), ((), ())):
                    x1, x2 = operands(name, a, b, left, right)
                    if name == "truediv" and kind == "int":
                        continue
                    same(function(given(x1), given(x2)), function(x1, x2))


@pytest.mark.parametrize("name", ARITHMETIC + BITWISE + COMPARISONS)
def test_numbers_on_either_side(name):
    function = getattr(operator, name)
    for dtype in KINDS["int"] if name in BITWISE else (*KINDS["int"], *KINDS["float"]):
        if name == "truediv" and dtype in KINDS["int"]:
            continue
        values = np.abs(draw(dtype, (4,))) + np.asarray(1, dtype)
        same(function(given(values), 2), function(values, 2))
        same(function(2, given(values)), function(2, values))


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow",
                                  "iand", "ior", "ixor", "ilshift", "irshift"])  # fmt: skip
def test_in_place(name):
    function = getattr(operator, name)
    whole = name in ("iand", "ior", "ixor", "ilshift", "irshift")
    for a, b in (("int32", "int8"), ("int64", "int64")) if whole else (("float64", "float32"),):
        for right in ((), (3,), (2, 3)):
            x1 = draw(a, (2, 3), 1)
            x1, x2 = (np.abs(x) + np.asarray(1, x.dtype) for x in (x1, draw(b, right, 2)))
            mine = before = given(x1)
            mine = function(mine, given(x2))
            same(mine, function(x1.copy(), x2))
            assert mine.data_ptr() == before.data_ptr()
    with pytest.raises((RuntimeError, ValueError)):
        function(given(draw("int64", ())), given(np.ones((3,), "int64")))
    if not whole:
        with pytest.raises(RuntimeError):
            function(given(np.ones(3, "int64")), given(np.ones(3)))


def test_unary_operators_and_matmul():
    for dtype in ("int8", "float32", "complex64"):
        values = draw(dtype, (2, 2))
        for name in ("abs", "neg", "pos"):
            same(getattr(operator, name)(given(values)), getattr(operator, name)(values))
    same(~given(draw("int8", (3,))), ~draw("int8", (3,)))
    a, b = draw("float32", (2, 3)), draw("float64", (3, 2))
    same(given(a) @ given(b), a @ b)
    c = given(np.eye(2))
    c @= given(draw("float64", (2, 2)))
    same(c, draw("float64", (2, 2)))
    with pytest.raises(TypeError):
        given(a) @ 2
    with pytest.raises(TypeError):
        given(a) + "2"
    with pytest.raises(TypeError):
        given(a) @ "2"


@QUICK
@examples(st.data())
def test_brackets(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=6))
    values = np.arange(np.prod(shape, dtype=int), dtype="float64").reshape(shape)
    same(given(values)[key], values[key])
    written, mine = values.copy(), given(values)
    written[key] = 9
    mine[key] = 9
    same(mine, written)


@QUICK
@examples(st.data())
def test_masks_and_integer_arrays(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    values = np.arange(np.prod(shape, dtype=int), dtype="int32").reshape(shape)
    mask = data.draw(hnp.arrays(bool, shape))
    same(given(values)[given(mask)], values[mask])
    written, mine = values.copy(), given(values)
    written[mask] = 5
    mine[given(mask)] = 5
    same(mine, written)
    places = [np.asarray(data.draw(st.lists(st.integers(-n, n - 1), min_size=2, max_size=2)))
              for n in shape]  # fmt: skip
    same(given(values)[tuple(map(given, places))], values[tuple(places)])
    same(given(values)[::-1][given(mask)], values[::-1][mask])
    if len(shape) > 1:
        assume(shape[-1] > 1)
        same(given(values)[given(places[0]), ..., ::-2], values[places[0], ..., ::-2])


def test_masks_without_elements():
    for shape in ((0,), (2, 0), (0, 3), (0, 0)):
        x, mask = np.ones((2, 3)), np.ones(shape, bool)
        same(given(x)[given(mask)], x[mask])
    for shape in ((3,), (0, 4), (0, 3, 1), (2, 3, 0)):
        with pytest.raises(IndexError):
            xp.ones((2, 3))[xp.ones(shape, dtype=xp.bool)]


def test_writing_backwards():
    values, mine = np.zeros((3, 4)), given(np.zeros((3, 4)))
    for key in (np.s_[::-1], np.s_[..., ::-2], np.s_[2:0:-1, 1], np.s_[::2, ::-3]):
        new = draw("float64", values[key].shape, 3)
        values[key] = new
        mine[key] = given(new)
        same(mine, values)
    x = rl.zeros(3, requires_grad=True)
    y = xp.positive(x) * 1
    y[::-1] = xp.asarray([1.0, 2.0, 3.0])
    y[0] = 5
    assert y.tolist() == [5, 2, 1]


def test_attributes():
    x = given(draw("float32", (2, 3)))
    assert (x.ndim, x.shape, x.size) == (2, (2, 3), 6)
    assert isinstance(x.size, int)
    assert x.size() == (2, 3)
    assert x.size(1) == 3
    assert (x.T.shape, x.mT.shape) == ((3, 2), (3, 2))
    assert type(x.T) is type(x.mT) is type(x.detach()) is type(next(iter(x))) is xp.Array
    assert xp.ones((2, 3, 4)).mT.shape == (2, 4, 3)
    with pytest.raises(ValueError, match="2 dimensions"):
        _ = xp.ones(3).T
    assert x.device == "cpu" or x.device == rl.device("cpu")
    assert x.to_device(x.device) is x
    assert x.to_device("cpu") is x
    with pytest.raises(ValueError, match="streams"):
        x.to_device("cpu", stream=1)
    with pytest.raises(RuntimeError, match="CPU alone"):
        x.to_device("cuda")


def test_python_numbers():
    for dtype in ALL:
        assert complex(xp.ones((), dtype=getattr(xp, dtype))) == 1
    assert int(xp.asarray(3.7)) == 3
    assert float(xp.asarray(3)) == 3.0
    assert operator.index(xp.asarray(3, dtype=xp.int8)) == 3
    assert bool(xp.asarray(0.0)) is False
    with pytest.raises(TypeError, match="index"):
        operator.index(xp.asarray(3.0))
    for kind in (float, int):
        with pytest.raises(TypeError, match="complex"):
            kind(xp.asarray(1j))


def test_plain_tensors_keep_pytorchs_operators():
    x, one = tensor([1.0, 2.0]), tensor(1.0, rl.float64)
    assert (x + one).dtype is rl.float32
    assert type(x + one) is rl.Tensor
    assert x.size() == (2,)
    assert xp.add(x, one).dtype is rl.float64
    assert (x + xp.asarray(1.0, dtype=xp.float64)).dtype is rl.float64
    assert (x < xp.asarray(1.5)).tolist() == [True, False]
    assert type(xp.asarray(2.0).exp()) is rl.Tensor
