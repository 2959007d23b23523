"""Rows of rushlight.ops.elementary."""

import math

import numpy as np

from ops.row import Row, binary, case, unary

inf, nan = math.inf, math.nan
EDGES = ((0.0,), (-0.0,), (1.0,), (-1.0,), (inf,), (-inf,), (nan,), (1e-30,), (80.0,), (-80.0,))
FEW = ((0.0,), (-0.0,), (1.0,), (-1.0,), (inf,), (-inf,), (nan,))
EVERY = {"dtypes": "fibc", "grad": "fc"}


def complexly(f):
    """NumPy's function on integers and booleans too."""
    return lambda x: f(x if x.dtype.kind in "fc" else x.astype(float))


unary("exp", complexly(np.exp), edges=EDGES, **EVERY)
unary("exp2", complexly(lambda x: np.exp(x * math.log(2)) if x.dtype.kind == "c" else np.exp2(x)),
      edges=EDGES, **EVERY)  # fmt: skip
unary("expm1", complexly(np.expm1), edges=(*EDGES, (1e-8,)), **EVERY)
unary("log", complexly(np.log), 0.1, 4, edges=EDGES, **EVERY)
unary("log2", complexly(np.log2), 0.1, 4, edges=FEW, **EVERY)
unary("log10", complexly(np.log10), 0.1, 4, edges=FEW, **EVERY)
unary("log1p", complexly(np.log1p), 0.1, 4, edges=(*FEW, (1e-8,)), **EVERY)
unary("sqrt", complexly(np.sqrt), 0.1, 4, edges=EDGES, **EVERY)
unary("rsqrt", complexly(lambda x: 1 / np.sqrt(x)), 0.3, 4, edges=FEW, **EVERY)
unary("sin", complexly(np.sin), edges=(*FEW, (1e5,)), **EVERY)
unary("cos", complexly(np.cos), edges=(*FEW, (1e5,)), **EVERY)
unary("tan", complexly(np.tan), -1, 1, edges=FEW, **EVERY)
unary("asin", complexly(np.arcsin), -0.9, 0.9, edges=(*FEW, (1.5,)), **EVERY)
unary("acos", complexly(np.arccos), -0.9, 0.9, edges=(*FEW, (1.5,)), **EVERY)
unary("atan", complexly(np.arctan), -0.8, 0.8, edges=FEW, **EVERY)
unary("sinh", complexly(np.sinh), edges=FEW, **EVERY)
unary("cosh", complexly(np.cosh), edges=FEW, **EVERY)
unary("tanh", complexly(np.tanh), -1.4, 1.4, edges=EDGES, **EVERY)
unary("asinh", complexly(np.arcsinh), -0.8, 0.8, edges=FEW, **EVERY)
unary("acosh", complexly(np.arccosh), 1.2, 4, edges=FEW, **EVERY)
unary("atanh", complexly(np.arctanh), -0.8, 0.8, edges=FEW, **EVERY)
unary("sigmoid", complexly(lambda x: 1 / (1 + np.exp(-x))), edges=EDGES, tol=2, **EVERY)
unary("square", np.square, edges=FEW, result="same", dtypes="fic", grad="fc")

PAIRS = tuple((a, b) for a in (0.0, 1.0, -1.0, inf, -inf, nan) for b in (0.0, 1.0, -1.0, inf, -inf))
binary("atan2", lambda y, x: np.arctan2(y.astype(float), x), number=None, result="float", edges=PAIRS, dtypes="fi")
binary("hypot", np.hypot, number=None, low=0.2, edges=PAIRS)
binary("logaddexp", np.logaddexp, number=None, edges=PAIRS)
binary("logaddexp2", np.logaddexp2, number=None, edges=PAIRS)

for _name, _slope in (("sigmoid", lambda y: y * (1 - y)), ("tanh", lambda y: 1 - y * y)):
    Row(
        f"{_name}_backward",
        lambda make: [case(make(2, 3), make(2, 3)), case(make(3), make(3))],
        lambda g, y, slope=_slope: g * slope(y),
        path=f"ops.elementary.{_name}_backward",
    )
