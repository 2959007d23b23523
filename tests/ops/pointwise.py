"""Rows of rushlight.ops.pointwise."""

import math

import numpy as np

from ops.row import LARGE, Row, binary, case, unary

inf, nan = math.inf, math.nan
FEW = ((0.0,), (-0.0,), (1.0,), (-1.0,), (0.5,), (-2.5,), (inf,), (-inf,), (nan,))
PAIRS = tuple((a, b) for a in (0.0, -0.0, 2.0, -3.0, inf, nan) for b in (1.0, -2.0, inf, -inf, nan))
ALL = {"dtypes": "fic", "grad": "fc"}


def _wide(f):
    """Integers as NumPy has them, but in the dtype of the operands."""
    return lambda a, b, **kw: f(np.asarray(a), b, **kw).astype(np.result_type(a, b))


# ---- arithmetic


def _scaled_samples(make):
    pairs = case(make(2, 3), make(2, 3)), case(make(3, 1), make(4)), case(make(), make(2))
    alpha = 2 if make.numpy_dtype.kind in "iu" else 0.5
    found = [*pairs, case(make(2, 3), 3), case(make(0, 3), make(3))]
    return [*found, case(make(2, 3), make(3), alpha=alpha)]


def _scaled_row(name, f, **more):
    Row(
        name, _scaled_samples,
        _wide(lambda a, b, alpha=1: f(a, b * alpha) if f else b - alpha * a),
        large=lambda make: [case(make(*LARGE), make(*LARGE)), case(make(*LARGE), make(LARGE[1]))],
        grad_samples=lambda make: [case(make(2, 1), make(1, 3), alpha=0.5), case(make(2), make())],
        dtypes="fic", grad="fc", edges=PAIRS, **more,
    )  # fmt: skip


_scaled_row("add", np.add, errors=(
    (RuntimeError, "size", lambda rl: rl.add(rl.ones(2), rl.ones(3))),
    (TypeError, "add", lambda rl: rl.add(rl.ones(2), "one")),
    (RuntimeError, "alpha", lambda rl: rl.add(rl.ones(2).int(), rl.ones(2).int(), alpha=0.5)),
    (RuntimeError, "cast", lambda rl: rl.ones(2).int().add_(0.5)),
    (RuntimeError, "broadcast", lambda rl: rl.ones(2).add_(rl.ones(3, 2))),
))  # fmt: skip
_scaled_row("sub", np.subtract, errors=(
    (RuntimeError, "bool", lambda rl: rl.tensor([True]) - rl.tensor([True])),
))  # fmt: skip
_scaled_row("rsub", None)
binary("mul", np.multiply, edges=PAIRS, dtypes="bfic", grad="fc", result="same")
binary("div", np.divide, 0.5, 4, edges=(*PAIRS, (1.0, 0.0), (-1.0, 0.0), (0.0, 0.0), (1.0, -0.0)),
       dtypes="fic", grad="fc", result="float",
       errors=((RuntimeError, "rounding_mode",
                lambda rl: rl.div(rl.ones(2), 2, rounding_mode="up")),))  # fmt: skip


def _rounded(mode):
    def ref(a, b):
        if np.asarray(a).dtype.kind in "iu":
            return a // b if mode == "floor" else (np.sign(a) * np.sign(b)) * (abs(a) // abs(b))
        return np.floor_divide(a, b) if mode == "floor" else np.trunc(a / b)

    return lambda a, b, rounding_mode=None: ref(a, b)


DIVISION = {"low": 1, "high": 5, "dtypes": ("float32", "float64", "int64", "int32", "uint8")}
FAR = ((1e30, 3.0), (-1e30, 3.0), (5.0, inf), (3.0, 2.0**-60))  # quotients that no float counts
ZERO = (RuntimeError, "ZeroDivisionError", lambda rl: rl.tensor([1]) // rl.tensor([0]))
binary("floor_divide", _rounded("floor"), grad="", errors=(ZERO,), result="same", **DIVISION,
       edges=((5.0, 2.0), (-5.0, 2.0), (5.0, -2.0), (1.0, 0.1), (0.0, 1.0), (-6.0, 3.0),
              *FAR))  # fmt: skip


MODULO = FAR + tuple((a, b) for a in (5.5, -5.5, 6.0, -6.0, 0.0, inf, nan) for b in (2.0, -2.0, 0.0, nan))


def _remainder(a, b):
    r = np.fmod(a, b)  # np.remainder differs in the sign of 0
    return np.where((r != 0) & ((r < 0) != (np.asarray(b) < 0)), r + b, r).astype(r.dtype)


binary("remainder", _remainder, edges=tuple(p for p in MODULO if p[0] not in (6.0, -6.0)),
       result="same", **DIVISION)  # fmt: skip
binary("fmod", np.fmod, edges=MODULO, result="same", **DIVISION)


def _pow(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return np.power(a, b).astype(a.dtype if a.dtype.kind in "iu" else np.result_type(a, b))


binary("pow", _pow, 0.3, 3, 0, 3, dtypes="fic", grad="fc", result="same", tol=3,
       edges=(*PAIRS, (0.0, 0.0), (nan, 0.0), (-8.0, 0.5), (2.0, -1.0), (1.0, inf), (0.0, -1.0)),
       errors=((RuntimeError, "negative integer powers", lambda rl: rl.tensor([2]) ** -1),),
       )  # fmt: skip
binary("float_power", lambda a, b: np.power(a.astype("c16" if a.dtype.kind == "c" else "f8"), b),
       0.5, 3, 0, 3, dtypes="fic", grad="fc", result=None, in_place=False,
       errors=((RuntimeError, "float64", lambda rl: rl.ones(2).float_power_(2)),))  # fmt: skip
INTEGRAL = {"dtypes": "i", "grad": "", "number": None, "result": "same"}
binary("gcd", np.gcd, -12, 30, **INTEGRAL)
binary("lcm", np.lcm, -9, 9, dtypes=("int64", "int32"), grad="", number=None, result="same")
unary("neg", np.negative, edges=FEW, result="same", **ALL)
unary("positive", lambda x: x, edges=FEW, result="same", **ALL,
      errors=((RuntimeError, "bool", lambda rl: rl.positive(rl.tensor([True]))),))  # fmt: skip
unary("abs", np.abs, 0.3, 3, edges=FEW, result="real", **ALL,
      errors=((RuntimeError, "complex", lambda rl: rl.ones(2, dtype=rl.complex64).abs_()),),
      )  # fmt: skip
unary("sign", np.sign, edges=FEW[:4] + FEW[6:8], result="same", dtypes="fi")
unary("sgn", lambda z: np.where(z == 0, 0, z / np.where(z == 0, 1, abs(z))).astype(z.dtype),
      0.3, 3, result="same", **ALL)  # fmt: skip
unary("reciprocal", lambda x: 1 / x, 0.4, 3, edges=FEW, result="float",
      dtypes="fc", grad="fc")  # fmt: skip

# ---- rounding

unary("floor", np.floor, edges=FEW, result="same", dtypes="fi")
unary("ceil", np.ceil, edges=FEW, result="same", dtypes="fi")
unary("trunc", np.trunc, edges=FEW, result="same", dtypes="fi")
unary("round", np.round, edges=(*FEW, (1.5,), (3.5,), (-0.4,)), result="same", dtypes="fi",
      grad_samples=lambda make: [case(make(2, 3)), case(make(3), decimals=2)])  # fmt: skip
unary("frac", lambda x: x - np.trunc(x), edges=((0.5,), (-2.75,), (3.0,), (nan,)), result="same")
unary("deg2rad", lambda x: x * (math.pi / 180), -360, 360, dtypes="fi", edges=FEW)
unary("rad2deg", lambda x: x * (180 / math.pi), dtypes="fi", edges=FEW)
unary("frexp", np.frexp, result="same", large=None, grad="f",
      edges=((0.0,), (1.0,), (-8.0,), (0.3,), (1e-300,)))  # fmt: skip
binary("ldexp", lambda a, b: a * 2.0**b, number=None, low2=-3, high2=3)

# ---- choosing

ORDER = {"dtypes": "bfi", "number": None, "result": "same", "edges": PAIRS}
binary("maximum", np.maximum, **ORDER)
binary("minimum", np.minimum, **ORDER)
binary("fmax", np.fmax, **ORDER)
binary("fmin", np.fmin, **ORDER)


def _clip(x, min=None, max=None):
    x = x if min is None else np.maximum(x, np.asarray(min, x.dtype))
    return x if max is None else np.minimum(x, np.asarray(max, x.dtype))


def _clamped(make):
    x = make(3, 4)
    found = [case(x, 1), case(x, None, 2), case(x, 0, 2), case(x, min=2, max=1), case(make(), 1)]
    return [*found, case(x, make(4)), case(x, make(3, 1), make(4)), case(x, max=make(3, 4))]


Row(
    "clamp", _clamped, _clip, dtypes="fi", large=lambda make: [case(make(*LARGE), -1, 1)],
    grad_samples=lambda make: [case(make(3, 2), -1.01, 1.01), case(make(3), make(3), make(3))],
    errors=((RuntimeError, "At least one", lambda rl: rl.clamp(rl.ones(2))),),
)  # fmt: skip
Row("clamp_min", lambda make: [case(make(3, 4), 1), case(make(3, 4), make(4))],
    lambda x, min: _clip(x, min), dtypes="fi")  # fmt: skip
Row("clamp_max", lambda make: [case(make(3, 4), 1), case(make(3, 4), make(4))],
    lambda x, max: _clip(x, None, max), dtypes="fi")  # fmt: skip


def _chosen(make):
    shapes = ((2, 3), (2, 3), (2, 3)), ((3, 1), (4,), ()), ((), (2,), (2,)), ((0,), (1,), (1,))
    found = [case(make.bools(*a), make(*b), make(*c)) for a, b, c in shapes]
    return [*found, case(make.bools(2, 3), make(2, 3), 1)]


Row(
    "where", _chosen,
    lambda c, a, b: np.where(c, a, np.asarray(b, np.result_type(a))), dtypes="fic", grad="fc",
    covers=("_where",), method=False,
    large=lambda make: [case(make.bools(*LARGE), make(*LARGE), make(LARGE[1]))],
    errors=((RuntimeError, "boolean", lambda rl: rl.where(rl.ones(2), 1, 2)),),
)  # fmt: skip
unary(
    "nan_to_num", lambda x: np.nan_to_num(x) if x.dtype.kind == "f" else x, dtypes="fi",
    result="same",
)  # fmt: skip


def _lerp(a, b, w):
    return a + w * (b - a)


Row(
    "lerp",
    lambda make: [case(make(2, 3), make(2, 3), 0.3), case(make(2, 3), make(3), make(2, 1)),
                  case(make(2), make(2), 0.75), case(make(), make(), make())],
    _lerp, dtypes="fc", grad="fc",
    large=lambda make: [case(make(*LARGE), make(*LARGE), 0.3)],
)  # fmt: skip


def _fused(name, f):
    def samples(make):
        kinds = ((2, 3), (2, 3), (2, 3)), ((3,), (2, 1), (3,)), ((), (2,), (2, 1)), ((0,), (0,), (1,))
        low = {"low": 1, "high": 3}
        found = [case(make(*a), make(*b), make(*c, **low)) for a, b, c in kinds]
        return [*found, case(make(2, 3), make(3), make(3, **low), value=2)]

    Row(
        name, samples, lambda x, a, b, value=1: f(x, value, a, b), grad="fc",
        dtypes="fc", tol=2,
        large=lambda make: [case(*(make(*LARGE, low=1) for _ in range(3)), value=2)],
        grad_samples=lambda make: samples(make)[1:3] + samples(make)[-1:],
    )  # fmt: skip


_fused("addcmul", lambda x, v, a, b: x + v * a * b)
_fused("addcdiv", lambda x, v, a, b: x + v * a / b)

binary("copysign", np.copysign, edges=PAIRS, result="float", dtypes="fi",
       low=0.5)  # fmt: skip
binary("heaviside", np.heaviside, number=None, grad="", dtypes="fi", result="same",
       edges=((0.0, 5.0), (1.0, 5.0), (-1.0, 5.0), (inf, 1.0), (-inf, 1.0)))  # fmt: skip
binary("nextafter", np.nextafter, number=None, dtypes=("float64",),
       grad_samples=lambda make: [case(make(2, 3), make(2, 3))])  # fmt: skip


def _filled(x, mask, value):
    return np.where(mask, np.asarray(value).astype(x.dtype), x)


Row(
    "masked_fill",
    lambda make: [case(make(2, 3), make.bools(2, 3), 2), case(make(2, 3), make.bools(3), make()),
                  case(make(), make.bools(), 1), case(make(0, 3), make.bools(3), 1)],
    _filled, dtypes="fic", grad="fc",
    large=lambda make: [case(make(*LARGE), make.bools(LARGE[1]), 2)],
    errors=(
        (RuntimeError, "boolean", lambda rl: rl.ones(2).masked_fill(rl.ones(2), 1)),
        (RuntimeError, "0-dimensional",
         lambda rl: rl.ones(2).masked_fill(rl.ones(2).bool(), rl.ones(1))),
    ),
)  # fmt: skip
