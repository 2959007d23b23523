"""Rows of rushlight.ops.compare."""

import math

import numpy as np

from ops.row import Row, binary, case, unary

inf, nan = math.inf, math.nan
PAIRS = tuple((a, b) for a in (0.0, -0.0, 1.0, inf, -inf, nan) for b in (0.0, 1.0, inf, nan))
ORDER = {"result": "bool", "grad": "", "dtypes": "fib", "edges": PAIRS}

binary("eq", np.equal, **{**ORDER, "dtypes": "fibc"})
binary("ne", np.not_equal, **{**ORDER, "dtypes": "fibc"})
binary("lt", np.less, **ORDER)
binary("le", np.less_equal, **ORDER)
binary("gt", np.greater, **ORDER)
binary("ge", np.greater_equal, **ORDER)

LOGIC = {"result": "bool", "grad": "", "dtypes": "bific", "number": None}
binary("logical_and", np.logical_and, **{**LOGIC, "dtypes": "bif"})
binary("logical_or", np.logical_or, **{**LOGIC, "dtypes": "bif"})
binary("logical_xor", np.logical_xor, **{**LOGIC, "dtypes": "bif"})
unary("logical_not", np.logical_not, result="bool", grad="", dtypes="bifc")

BITS = {"result": "same", "grad": "", "dtypes": "bi"}
binary("bitwise_and", np.bitwise_and, **BITS)
binary("bitwise_or", np.bitwise_or, **BITS)
binary("bitwise_xor", np.bitwise_xor, **BITS)
unary("bitwise_not", np.invert, **BITS)
SHIFT = {"result": "same", "grad": "", "dtypes": "i", "low2": 0, "high2": 7}
binary("bitwise_left_shift", lambda a, b: (a << b).astype(a.dtype), **SHIFT)
binary("bitwise_right_shift", np.right_shift, **SHIFT)

SPECIAL = tuple((x,) for x in (0.0, 1.0, -1.0, inf, -inf, nan))
TEST = {"result": "bool", "grad": "", "edges": SPECIAL}
unary("isnan", np.isnan, dtypes="fic", **TEST)
unary("isinf", np.isinf, dtypes="fic", **TEST)
unary("isfinite", np.isfinite, dtypes="fic", **TEST)
unary("signbit", lambda x: x < 0 if x.dtype.kind in "iub" else np.signbit(x), dtypes="fi",
      **{**TEST, "edges": (*SPECIAL, (-0.0,))})  # fmt: skip
unary("isposinf", np.isposinf, dtypes="fi", **TEST)
unary("isneginf", np.isneginf, dtypes="fi", **TEST)
unary("isreal", np.isreal, dtypes="fic", **TEST)


def _near(make):
    x = make(4, 5)
    y = np.where(make.bools(4, 5), x, x + np.asarray(1, x.dtype)).astype(x.dtype)
    return [case(x, y), case(x, x), case(x, y, rtol=0, atol=1.5), case(x, y, 0.0, 0.0)]


Row(
    "isclose", _near, np.isclose, result="bool", dtypes="fi", grad="",
    edges=((1.0, 1.0), (inf, inf), (inf, -inf), (nan, nan), (nan, 1.0), (inf, 1.0), (1.0, 1.00001)),
    errors=(
        (RuntimeError, "did not match", lambda rl: rl.isclose(rl.ones(2), rl.ones(2).long())),
        (RuntimeError, "rtol", lambda rl: rl.isclose(rl.ones(2), rl.ones(2), rtol=-1)),
    ),
)  # fmt: skip
Row("allclose", _near, np.allclose, result=None, dtypes="fi", grad="")
def _long_pairs(make):
    """The same; and but for one of the first and one of the last elements."""
    x = make.distinct(1100) if make.dtype != "bool" else make(1100)
    first, last = x.copy(), x.copy()
    first[3], last[-1] = x[4] if make.dtype != "bool" else ~x[3], ~x[-1] if x.dtype == bool else x[0]
    return [case(x, x.copy()), case(x, first), case(x, last)]


Row(
    "equal",
    lambda make: [*_near(make)[:2], case(make(2, 3), make(3)), case(make(0), make(0)),
                  *_long_pairs(make)],
    np.array_equal, result=None, dtypes="fibc", grad="",
)  # fmt: skip
Row(
    "is_same_size",
    lambda make: [case(make(2, 3), make(2, 3)), case(make(2, 3), make(3, 2))],
    lambda a, b: a.shape == b.shape, result=None, dtypes="fib", grad="",
)  # fmt: skip
