"""Functions of one element or two: values, dtypes, shapes and special values, as NumPy has them."""

from __future__ import annotations

import numpy as np
import pytest
from array_api.compare import ALL, EDGES, FLOATING, KINDS, NUMERIC, REAL, both, draw, given, same

import rushlight.array_api as xp

SHAPES = [(), (0,), (7,), (2, 0, 3), (3, 5)]
UNARY = {
    "floating": """acos acosh asin asinh atan atanh cos cosh exp expm1 log log10 log1p log2
        reciprocal sin sinh sqrt tan tanh""",
    "real floating": "signbit",
    "numeric": "abs conj isfinite isinf isnan negative positive real round sign square",
    "real": "ceil floor trunc",
    "complex": "imag",
    "integral": "bitwise_invert",
    "bool": "bitwise_invert logical_not",
}
BINARY = {
    "numeric": "add equal multiply not_equal subtract",
    "real": """floor_divide greater greater_equal less less_equal maximum minimum remainder""",
    "floating": "divide pow",
    "real floating": "atan2 copysign hypot logaddexp nextafter",
    "integral": "bitwise_and bitwise_or bitwise_xor",
    "bool": """bitwise_and bitwise_or bitwise_xor equal logical_and logical_or logical_xor
        not_equal""",
}
CATEGORY = {
    "floating": FLOATING,
    "real floating": KINDS["float"],
    "numeric": NUMERIC,
    "real": REAL,
    "complex": KINDS["complex"],
    "integral": KINDS["int"],
    "bool": KINDS["bool"],
}
PAIRS = [((), ()), ((), (4,)), ((4,), ()), ((2, 1), (1, 3)), ((0,), ()), ((5,), (5,))]


def rows(table):
    return [(name, category) for category, names in table.items() for name in names.split()]


def no_infinite_complex(name, values):
    """C's rules for infinite complex numbers leave signs and nan open: finite values there."""
    return values if values.dtype.kind != "c" else np.where(np.isfinite(values), values, 1 + 2j)


@pytest.mark.parametrize("name, category", rows(UNARY))
def test_functions_of_one(name, category):
    for dtype in CATEGORY[category]:
        for seed, shape in enumerate(SHAPES):
            values = no_infinite_complex(name, draw(dtype, shape, seed, edges=True))
            if dtype in KINDS["float"] and name == "square":
                values = np.clip(values, -1e3, 1e3)
            both(name, values.astype(dtype))


def test_special_values_of_one():
    values = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 1.5, 2.5, -0.5])
    for name, _ in rows({"": UNARY["floating"] + " abs ceil floor round sign trunc"}):
        both(name, values)
        both(name, values.astype("float32"))


def test_special_values_of_complex_numbers():
    inf, nan = np.inf, np.nan
    x = xp.asarray([complex(inf, 0), complex(-inf, inf), complex(inf, nan), complex(nan, 0)])
    found = xp.expm1(x).tolist()
    assert found[0] == inf
    assert found[1] == -1
    assert found[2].real == inf and np.isnan(found[2].imag)
    assert np.isnan(found[3].real) and found[3].imag == 0
    for z in (complex(-inf, nan), complex(nan, inf), 1e146 + 1.35e154j, 1e-20 + 1e-20j, -1 + 0j):
        both("log1p", np.array([z, np.conj(z)]))


def test_special_values_of_two():
    """Every pair of edge values; quotients of and by infinities are below."""
    names = [*BINARY["numeric"].split(), *BINARY["real"].split(), *BINARY["floating"].split()]
    for name in [*names, *BINARY["real floating"].split()]:
        values = [v for v in EDGES if np.isfinite(v) or name not in ("floor_divide", "remainder")]
        for dtype in KINDS["float"]:
            x1, x2 = (x.ravel() for x in np.meshgrid(values, values))
            both(name, x1.astype(dtype), x2.astype(dtype))


def promotable(category):
    """Pairs of dtypes of one kind: what the standard promotes."""
    kinds = [k for k in KINDS.values() if set(k) <= set(CATEGORY[category])]
    return [(a, b) for kind in kinds for a in kind for b in kind]


@pytest.mark.parametrize("name, category", rows(BINARY))
def test_functions_of_two(name, category):
    for a, b in promotable(category):
        if name == "nextafter" and a != b:
            continue
        for seed, (left, right) in enumerate(PAIRS):
            x1 = no_infinite_complex(name, draw(a, left, seed, edges=True)).astype(a)
            x2 = no_infinite_complex(name, draw(b, right, seed + 20, edges=True)).astype(b)
            if name in ("floor_divide", "remainder"):
                if a in KINDS["int"]:
                    x2 = np.where(x2 == 0, 3, x2).astype(b)
                else:  # NumPy's quotients by and of infinities are not the standard's
                    x1, x2 = (np.where(np.isfinite(x), x, 2).astype(x.dtype) for x in (x1, x2))
            both(name, x1, x2)


@pytest.mark.parametrize("name", ["bitwise_left_shift", "bitwise_right_shift"])
def test_shifts(name):
    for dtype in KINDS["int"]:
        values, by = draw(dtype, (9,)), np.arange(9, dtype=dtype)
        both(name, values, by)
        both(name, values, by[3].reshape(()))


def test_quotients_with_infinities():
    """As the standard has them: what rounding the exact quotient gives."""
    inf, nan = xp.inf, xp.nan
    x1 = xp.asarray([inf, inf, -inf, -inf, 1.0, -1.0, 1.0, -1.0, inf, nan, 1.0, -1.0, 0.0])
    x2 = xp.asarray([2.0, -2.0, 2.0, -2.0, inf, inf, -inf, -inf, inf, 1.0, 0.0, 0.0, 0.0])
    wanted = [inf, -inf, -inf, inf, 0.0, -0.0, -0.0, 0.0, nan, nan, inf, -inf, nan]
    for quotient in (xp.floor_divide(x1, x2), x1 // x2):
        same(quotient, np.array(wanted, "float32"))


def test_remainders_that_are_zero():
    """They have the sign of the divisor."""
    x1 = xp.asarray([0.0, 0.0, -0.0, -0.0, 4.0, -4.0, 4.0, 5.0, -5.0])
    x2 = xp.asarray([1.0, -1.0, 1.0, -1.0, 2.0, 2.0, -2.0, 3.0, 3.0])
    wanted = np.array([0.0, -0.0, 0.0, -0.0, 0.0, 0.0, -0.0, 2.0, 1.0], "float32")
    same(xp.remainder(x1, x2), wanted)
    same(x1 % x2, wanted)
    x1 %= x2
    same(x1, wanted)


@pytest.mark.parametrize("dtype", ALL)
def test_numbers_give_way(dtype):
    values = draw(dtype, (4,))
    if dtype == "bool":
        calls = [("logical_and", True), ("equal", False), ("bitwise_xor", True)]
    elif dtype in KINDS["int"]:
        calls = [("add", 3), ("multiply", 2), ("maximum", 4), ("bitwise_and", 5), ("less", 2)]
    elif dtype in KINDS["float"]:
        calls = [("add", 3), ("divide", 0.1), ("maximum", 4), ("atan2", 2.5), ("hypot", 1)]
        calls += [("copysign", -1.0), ("logaddexp", 0.5), ("greater", 0)]
    else:
        calls = [("add", 3), ("multiply", 0.5), ("subtract", 1 + 2j), ("equal", 0)]
    for name, number in calls:
        both(name, values, number)
        both(name, number, values)
        both(name, values[0].reshape(()), number)


def test_clip():
    for dtype in REAL:
        values = draw(dtype, (3, 4), edges=True)
        low, high = np.asarray(1, dtype), np.asarray([2, 3, 4, 5], dtype)
        for bounds in ((1, 3), (None, 3), (1, None), (low, high), (low, 4), (None, high)):
            both("clip", values, *bounds)
    x = xp.asarray([1.0, 2.0])
    copy = xp.clip(x)
    copy[0] = 7
    assert x.tolist() == [1, 2]
    same(xp.clip(x, min=1.5), np.array([1.5, 2], "float32"))


def test_what_is_no_operand():
    for wrong in ([1.0], "1", None, np.zeros(2)):
        with pytest.raises(TypeError, match="an array and a number"):
            xp.add(given(np.ones(2)), wrong)
    with pytest.raises(TypeError, match="two arrays"):
        xp.add(1, 2)
    with pytest.raises(TypeError, match="Tensor"):
        xp.sin(1.0)
