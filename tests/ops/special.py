"""Rows of rushlight.ops.special; the reference is SciPy, an independent implementation."""

import math

import numpy as np
import pytest

from ops.row import Row, binary, case, unary

special = pytest.importorskip("scipy.special", reason="the reference of the special functions")

inf, nan = math.inf, math.nan
FEW = ((0.0,), (1.0,), (-1.0,), (0.5,), (-0.5,), (3.0,), (inf,), (-inf,), (nan,))


def real(f):
    """The function of SciPy on integers too; it must not see half precision."""
    return lambda x: f(x.astype(float) if x.dtype.kind in "iub" else x)


def row(name, f, low=-3, high=3, path="", **more):
    more.setdefault("dtypes", "fi")
    more.setdefault("tol", 3)
    unary(name, real(f), low, high, path=path, **more)


row("erf", special.erf, edges=FEW)
row("erfc", special.erfc, edges=(*FEW, (10.0,)))
row("erfinv", special.erfinv, -0.9, 0.9, edges=FEW)
row("special.erfcx", special.erfcx, edges=(*FEW, (30.0,), (1e10,), (-20.0,)))
row("special.ndtr", special.ndtr, edges=(*FEW, (-10.0,)))
row("special.log_ndtr", special.log_ndtr, edges=(*FEW, (-30.0,)))
row("special.ndtri", special.ndtri, 0.1, 0.9, dtypes="f", edges=((0.0,), (1.0,), (0.5,), (1e-9,), (2.0,)))  # fmt: skip
row("lgamma", special.gammaln, 0.3, 6,
    edges=(*FEW[:7], (-0.5,), (-2.0,), (100.0,), (1e30,), (-3.75,), (1.0001,), (2.0001,)))
row("digamma", special.digamma, 0.3, 6, edges=((1.0,), (0.5,), (-0.5,), (100.0,), (inf,), (nan,)))
Row(
    "polygamma",
    lambda make: [case(n, make(2, 3, low=0.5, high=5)) for n in (0, 1, 2, 5)],
    lambda n, x: special.polygamma(n, x.astype(float)), dtypes="fi", result="float", tol=5,
    method=False, in_place=False, covers=("_polygamma_method",),
    errors=((RuntimeError, "negative", lambda rl: rl.polygamma(-1, rl.ones(2))),),
)  # fmt: skip
Row(
    "mvlgamma", lambda make: [case(make(2, 3, low=3, high=8), p) for p in (1, 2, 4)],
    lambda x, p: special.multigammaln(x.astype(float), p), tol=3, result="float",
    errors=((RuntimeError, "p has to be", lambda rl: rl.mvlgamma(rl.ones(2), 0)),),
)  # fmt: skip

GAMMA = tuple((a, x) for a in (0.5, 3.0, 50.0, 1e4) for x in (0.0, 0.1, 3.0, 49.0, 1.01e4, inf))
INCOMPLETE = {"low": 0.3, "high": 8, "number": None, "tol": 5, "grad": "f", "result": "float"}


def _second_only(make):
    """The derivative for the order does not exist: it is given as integers."""
    return [case(np.array([1, 2, 5]), make(2, 3, low=0.5, high=4))]


for _name, _f in (("igamma", special.gammainc), ("igammac", special.gammaincc)):
    binary(_name, _f, edges=GAMMA, grad_samples=_second_only, large=None,
           **INCOMPLETE)  # fmt: skip
ZETA = tuple((s, q) for s in (1.5, 2.0, 3.0, 20.0) for q in (0.1, 1.0, 3.5, 100.0))
binary("special.zeta", special.zeta, 1.5, 6, number=1.0, edges=(*ZETA, (1.0, 1.0)), tol=5,
       grad_samples=lambda make: [case(3.0, make(2, 3, low=0.5, high=4))], large=None)  # fmt: skip

XLOGY = tuple((x, y) for x in (0.0, 1.0, -2.0, nan) for y in (0.0, 1.0, -1.0, inf, nan))
binary("xlogy", special.xlogy, 0.2, 4, edges=XLOGY, result="float")
binary("special.xlog1py", special.xlog1py, 0.2, 4, edges=XLOGY, result="float")
row("special.entr", special.entr, 0.2, 4, edges=FEW)
row("logit", special.logit, 0.1, 0.9, dtypes="f", edges=((0.0,), (1.0,), (0.5,), (2.0,), (nan,)))
row("sinc", np.sinc, edges=((0.0,), (1.0,), (0.5,), (1e-5,), (nan,)), dtypes="fi")
row("i0", special.i0, edges=(*FEW, (20.0,)))
row("special.i0e", special.i0e, edges=FEW)
row("special.i1", special.i1, edges=((0.0,), (1.0,), (-1.0,), (20.0,), (nan,)))
row("special.i1e", special.i1e, edges=((0.0,), (1.0,), (-1.0,), (20.0,), (nan,)))

PLAIN = {"grad": "", "large": None, "tol": 20}
ANY = ((0.0,), (1.0,), (-1.0,), (0.3,), (5.5,), (20.0,), (nan,))
POSITIVE = ((1.0,), (0.3,), (5.5,), (20.0,), (1e-3,), (nan,))
row("special.bessel_j0", special.j0, edges=ANY, **PLAIN)
row("special.bessel_j1", special.j1, edges=ANY, **PLAIN)
row("special.bessel_y0", special.y0, 0.5, 9, edges=POSITIVE, **PLAIN)
row("special.bessel_y1", special.y1, 0.5, 9, edges=POSITIVE, **PLAIN)
row("special.modified_bessel_i0", special.i0, edges=ANY, **PLAIN)
row("special.modified_bessel_i1", special.i1, edges=ANY, **PLAIN)
row("special.modified_bessel_k0", special.k0, 0.5, 9, edges=POSITIVE, **PLAIN)
row("special.modified_bessel_k1", special.k1, 0.5, 9, edges=POSITIVE, **PLAIN)
row("special.scaled_modified_bessel_k0", special.k0e, 0.5, 9, edges=POSITIVE, **PLAIN)
row("special.scaled_modified_bessel_k1", special.k1e, 0.5, 9, edges=POSITIVE, **PLAIN)
row("special.spherical_bessel_j0", lambda x: special.spherical_jn(0, x), 0.5, 9,
    edges=((0.0,), (1.0,), (0.05,), (0.2,), (5.5,)), **PLAIN)  # fmt: skip
row("special.airy_ai", lambda x: special.airy(x)[0], -8, 8, tol=20, grad="", large=None,
    edges=((0.0,), (1.0,), (-5.0,), (-8.9,), (-20.0,), (9.0,), (1.01,)))  # fmt: skip


def _shifted(f):
    return lambda n, x: f(n, 2 * x - 1)


def _third(n, x):  # V(n) and W(n) from U: DLMF 18.7.5 and 18.7.6
    return special.eval_chebyu(n, x) - np.where(n > 0, special.eval_chebyu(n - 1, x), 0)


def _fourth(n, x):
    return special.eval_chebyu(n, x) + np.where(n > 0, special.eval_chebyu(n - 1, x), 0)


for _name, _f in {
    "chebyshev_polynomial_t": special.eval_chebyt, "chebyshev_polynomial_u": special.eval_chebyu,
    "chebyshev_polynomial_v": _third, "chebyshev_polynomial_w": _fourth,
    "shifted_chebyshev_polynomial_t": _shifted(special.eval_chebyt),
    "shifted_chebyshev_polynomial_u": _shifted(special.eval_chebyu),
    "shifted_chebyshev_polynomial_v": _shifted(_third),
    "shifted_chebyshev_polynomial_w": _shifted(_fourth),
    "hermite_polynomial_h": special.eval_hermite, "hermite_polynomial_he": special.eval_hermitenorm,
    "laguerre_polynomial_l": special.eval_laguerre, "legendre_polynomial_p": special.eval_legendre,
}.items():  # fmt: skip
    Row(
        f"special.{_name}",
        lambda make: [case(make(2, 3, low=-1.5, high=1.5), np.array([0, 1, 4])),
                      case(make(2, 1, low=-0.9, high=0.9), np.array([9, 12, 20]))],
        lambda x, n, f=_f: f(n, x.astype(float)),
        dtypes=("float32", "float64"), grad="", tol=300,
    )  # fmt: skip
