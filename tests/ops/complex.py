"""Rows of rushlight.ops.complex."""

import math

import numpy as np

from ops.row import Row, case, unary


def _pairs(z):
    return np.stack((z.real, z.imag), -1)


ALL = {"dtypes": "cf", "result": "same", "grad": "fc"}
unary("conj_physical", np.conj, **ALL)
unary("conj", np.conj, **ALL)
unary("resolve_conj", lambda x: x, **ALL)
unary("resolve_neg", lambda x: x, **ALL)
unary("is_conj", lambda x: False, dtypes="fc", result=None, grad="", large=None)
unary("is_neg", lambda x: False, dtypes="fc", result=None, grad="", large=None)
unary("real", np.real, dtypes="cf", result="real", grad="fc", view=True, method=False)
unary(
    "imag", np.imag, dtypes="c", result="real", grad="c", view=True, method=False,
    errors=((RuntimeError, "non-complex", lambda rl: rl.imag(rl.ones(2))),),
)  # fmt: skip
unary("angle", np.angle, dtypes="cf", result="real", grad="c",
      edges=((0.0,), (-1.0,), (2.0,), (math.inf,), (-math.inf,), (math.nan,)))  # fmt: skip
Row(
    "view_as_real", lambda make: [case(make(2, 3)), case(make()), case(make(0, 2))], _pairs,
    dtypes="c", result="real", grad="c", view=True,
    errors=((RuntimeError, "complex tensors", lambda rl: rl.view_as_real(rl.ones(2))),),
)  # fmt: skip


def _join(x):
    return x[..., 0] + 1j * x[..., 1]


Row(
    "view_as_complex",
    lambda make: [case(make(3, 2)), case(make(2)), case(make(0, 2))], _join,
    dtypes=("float32", "float64"), result=None, grad="f", view=True, layouts=False,
    errors=(
        (RuntimeError, "size 2", lambda rl: rl.view_as_complex(rl.ones(3))),
        (RuntimeError, "one or more", lambda rl: rl.view_as_complex(rl.ones(()))),
        (RuntimeError, "stride 1", lambda rl: rl.view_as_complex(rl.ones(2, 3).t())),
        (RuntimeError, "floating point", lambda rl: rl.view_as_complex(rl.ones(2).long())),
    ),
)  # fmt: skip


def _two(make):
    return [case(make(2, 3), make(2, 3)), case(make(3, 1), make(1, 4)), case(make(), make(0)),
            case(make(9, 17), make(9, 17))]  # fmt: skip


Row(
    "complex", _two, lambda a, b: a + 1j * b, result=None, grad="f", method=False,
    errors=(
        (RuntimeError, "scalar type", lambda rl: rl.complex(rl.ones(2), rl.ones(2).double())),
        (RuntimeError, "Float or Double", lambda rl: rl.complex(rl.ones(2).int(), rl.ones(2))),
    ),
    dtypes=("float32", "float64"),
)  # fmt: skip
Row(
    "polar",
    lambda make: [case(np.abs(make(2, 3)) + np.asarray(0.5, make.numpy_dtype), make(2, 3))],
    lambda r, phi: r * np.exp(1j * phi), result=None, grad="f", method=False,
    dtypes=("float32", "float64"),
)  # fmt: skip
