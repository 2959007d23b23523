"""Rows of rushlight.ops.linalg."""

import numpy as np

from ops.row import Row, case

ALL = {"dtypes": ("float32", "float64", "int64", "complex64", "complex128"), "grad": "fc",
       "tol": 20, "exact": False}  # fmt: skip


def shapes(*pairs):
    return lambda make: [case(*(make(*shape) for shape in pair)) for pair in pairs]


def mismatch(call):
    return (RuntimeError, "", call)


Row(
    "matmul",
    shapes(((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3, 4)),
           ((5, 2, 3), (5, 3, 4)), ((2, 1, 2, 3), (4, 3, 2)), ((5, 2, 3), (3,)), ((3,), (5, 3, 2)),
           ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((4, 3), (5, 3, 1)), ((4, 3), (5, 3, 2)),
           ((1, 4, 3), (2, 5, 3, 1)), ((3,), (5, 3, 1)), ((0, 3), (5, 3, 1))),
    np.matmul, covers=(), **ALL, large=lambda make: [case(make(100, 30), make(30, 100))],
    errors=(
        (RuntimeError, "2x3", lambda rl: rl.ones(2, 3) @ rl.ones(2, 3)),
        (RuntimeError, "matmul", lambda rl: rl.ones(()) @ rl.ones(2)),
        (RuntimeError, "dtype", lambda rl: rl.ones(2, 2) @ rl.ones(2, 2).double()),
    ),
)  # fmt: skip
Row("mm", shapes(((2, 3), (3, 4)), ((0, 3), (3, 2)), ((2, 0), (0, 2)), ((7, 300), (300, 37))),
    np.matmul, **ALL, grad_samples=shapes(((2, 3), (3, 4)), ((0, 3), (3, 2))),
    errors=(mismatch(lambda rl: rl.mm(rl.ones(2), rl.ones(2))),
            (RuntimeError, "2x3", lambda rl: rl.mm(rl.ones(2, 3), rl.ones(2, 3)))))  # fmt: skip
Row("bmm", shapes(((5, 2, 3), (5, 3, 4)), ((0, 2, 3), (0, 3, 2))), np.matmul, **ALL,
    errors=(mismatch(lambda rl: rl.bmm(rl.ones(2, 2, 2), rl.ones(3, 2, 2))),))  # fmt: skip
Row("mv", shapes(((2, 3), (3,)), ((0, 3), (3,))), np.matmul, **ALL,
    errors=(mismatch(lambda rl: rl.mv(rl.ones(2, 3), rl.ones(2))),))  # fmt: skip
Row("dot", shapes(((3,), (3,)), ((0,), (0,))), np.dot, **ALL,
    errors=(mismatch(lambda rl: rl.dot(rl.ones(2, 2), rl.ones(2))),
            mismatch(lambda rl: rl.dot(rl.ones(2), rl.ones(3)))))  # fmt: skip
Row("vdot", shapes(((3,), (3,))), np.vdot, **ALL)
Row("inner", shapes(((3,), (3,)), ((2, 3), (4, 3)), ((), (2, 3))), np.inner, **ALL,
    errors=((RuntimeError, "last dimension", lambda rl: rl.inner(rl.ones(2), rl.ones(3))),),
    )  # fmt: skip
Row("outer", shapes(((2,), (3,)), ((0,), (2,))), np.outer, **ALL,
    errors=((RuntimeError, "1-D", lambda rl: rl.outer(rl.ones(2, 2), rl.ones(3))),))  # fmt: skip
Row("kron", shapes(((2, 3), (3, 2)), ((2,), (2, 2)), ((), (3,)), ((2, 1, 2), (3, 2))),
    np.kron, **ALL)  # fmt: skip


def _cross(a, b, dim=None):
    axis = a.shape.index(3) if dim is None else dim
    return np.cross(a, b, axis=axis)


Row(
    "cross",
    lambda make: [case(make(2, 3), make(2, 3)), case(make(3, 2), make(3, 2)),
                  case(make(3, 3, 2), make(3, 3, 2), 1)],
    _cross, **ALL,
    errors=((RuntimeError, "size 3", lambda rl: rl.cross(rl.ones(2), rl.ones(2))),
            (RuntimeError, "length 3", lambda rl: rl.cross(rl.ones(3, 2), rl.ones(3, 2), 1))),
)  # fmt: skip


def _added(name, product, *kinds, **more):
    """beta * input + alpha * product(a, b)."""

    def samples(make):
        scale = {"beta": 2, "alpha": 3} if make.numpy_dtype.kind in "iu" else {"beta": 0.5, "alpha": 2}
        found = [case(*(make(*s) for s in kind)) for kind in kinds]
        return [*found, case(*(make(*s) for s in kinds[0]), **scale)]

    Row(
        name, samples, lambda x, a, b, beta=1, alpha=1: beta * x + alpha * product(a, b),
        in_place=name != "addbmm", **{**ALL, **more},
    )  # fmt: skip


_added("addmm", np.matmul, ((2, 4), (2, 3), (3, 4)), ((4,), (2, 3), (3, 4)), ((), (2, 3), (3, 4)))
_added("addmv", np.matmul, ((2,), (2, 3), (3,)), ((), (2, 3), (3,)))
_added("addr", np.outer, ((2, 3), (2,), (3,)), ((3,), (2,), (3,)))
_added("addbmm", lambda a, b: (a @ b).sum(0), ((2, 4), (5, 2, 3), (5, 3, 4)))
_added("baddbmm", np.matmul, ((5, 2, 4), (5, 2, 3), (5, 3, 4)), ((4,), (5, 2, 3), (5, 3, 4)))


def _linear(make):
    return [
        case(make(4, 3), make(2, 3), make(2)), case(make(3), make(2, 3), make(2)),
        case(make(2, 5, 3), make(4, 3), make(4)), case(make(4, 3), make(2, 3)),
        case(make(0, 3), make(2, 3), make(2)),
    ]  # fmt: skip


Row(
    "nn.functional.linear", _linear,
    lambda x, w, b=None: x @ w.T + (0 if b is None else b), covers=("linear",),
    dtypes=("float32", "float64", "complex64", "complex128"), grad="fc", tol=20, exact=False,
    errors=((RuntimeError, "4x2", lambda rl: rl.nn.functional.linear(rl.ones(4, 2),
                                                                       rl.ones(2, 3))),),
)  # fmt: skip


def _tensordot(make):
    a, b = make(2, 3, 4), make(3, 4, 5)
    return [case(a, b), case(a, b, ([1, 2], [0, 1])), case(a, make(4, 2, 3), ([0, 2], [1, 0])),
            case(a, make(2), 0)]  # fmt: skip


Row("tensordot", _tensordot, lambda a, b, dims=2: np.tensordot(a, b, dims), **ALL, method=False,
    errors=((RuntimeError, "match", lambda rl: rl.tensordot(rl.ones(2, 3), rl.ones(2, 3), 1)),
            (RuntimeError, "fewest", lambda rl: rl.tensordot(rl.ones(2), rl.ones(2), 2**40))),
    )  # fmt: skip
Row("chain_matmul", shapes(((2, 3), (3, 4), (4, 2)), ((2, 3), (3, 4))),
    lambda *xs: np.linalg.multi_dot(xs), **{**ALL, "dtypes": ("float32", "float64")})  # fmt: skip
