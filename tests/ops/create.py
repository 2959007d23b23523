"""Rows of rushlight.ops.create."""

import numpy as np

from ops.row import Row, case

ONCE = {"dtypes": ("float32",), "result": None, "grad": "", "method": False, "out_cast": False}  # fmt: skip
LIKE = {"dtypes": "bfic", "grad": "", "method": False}


def cases(*arguments, **kwargs):
    return lambda make: [case(*args, **kwargs) for args in arguments]


def shape_only(result, input=None, *args, **kwargs):
    """Uninitialised memory: dtype and shape are all there is to check."""
    if input is not None and hasattr(input, "dtype"):
        assert result.shape == input.shape
        assert result.dtype is input.dtype


NESTED = ([1, 2], [3.5, 4]), ([],), (True,), ([[1], [2]],), (3,), ([1j, 2],), ([[[]]],)
Row("tensor", cases(*((x[0],) for x in NESTED)), np.array, **ONCE, errors=(
    (ValueError, "expected sequence of length", lambda rl: rl.tensor([[1, 2], [3]])),
    (TypeError, "str", lambda rl: rl.tensor("one")),
    (RuntimeError, "infer dtype", lambda rl: rl.tensor(None)),
    (TypeError, "", lambda rl: rl.tensor([[1], 2])),
))  # fmt: skip
Row("as_tensor", cases(([1, 2],), (2.5,)), np.array, **ONCE)
Row("asarray", cases(([1, 2],), (2.5,)), np.array, **ONCE)
Row("from_numpy", cases(), **{**ONCE, "check": shape_only}, errors=(
    (TypeError, "np.ndarray", lambda rl: rl.from_numpy([1])),
    (TypeError, "can't convert", lambda rl: rl.from_numpy(np.array(["a"]))),
    (ValueError, "negative", lambda rl: rl.from_numpy(np.ones(3)[::-1])),
))  # fmt: skip
Row("from_dlpack", lambda make: [case(make(2, 3))], lambda x: x, grad="", method=False,
    dtypes=("float32", "int64", "complex64"), covers=("to_dlpack",))  # fmt: skip
Row("resize_as_", lambda make: [case(make(2, 3), make(3, 2)), case(make(2, 3), make(6))],
    lambda x, like: x.reshape(like.shape), grad="", layouts=False, dtypes="bi")  # fmt: skip
Row("frombuffer", lambda make: [], **ONCE, check=shape_only)
Row("scalar_tensor", cases((2.5,), (3,)), np.array, **ONCE)
for _name, _value in (("zeros", 0), ("ones", 1)):
    Row(_name, cases((2, 3), ((2, 0),), ((),), (3,)),
        lambda *size, v=_value: np.full(size[0] if isinstance(size[0], tuple) else size, float(v)),
        **ONCE, covers=("zero_",),
        errors=((RuntimeError, "negative", lambda rl, n=_name: getattr(rl, n)(-1)),
                (TypeError, "", lambda rl, n=_name: getattr(rl, n)("two"))))  # fmt: skip
    Row(f"{_name}_like", lambda make: [case(make(2, 3)), case(make()), case(make(0))],
        lambda x, v=_value: np.full_like(x, v), **LIKE)  # fmt: skip
Row("full", cases(((2, 3), 1.5), ((), True), ((2,), 7), ((1,), 1j)), np.full, **ONCE)
Row("full_like", lambda make: [case(make(2, 3), 1)], np.full_like, **LIKE)
Row("empty", cases((2, 3), ((0,),)), check=lambda result, *size: None, **ONCE)
Row("empty_like", lambda make: [case(make(2, 3))], check=shape_only, **LIKE)
Row("empty_strided", cases(((2, 3), (1, 2))), check=lambda r, size, stride: _strides(r, stride),
    **ONCE)  # fmt: skip
Row("empty_permuted", cases(((2, 3, 4), (2, 0, 1))),
    check=lambda r, size, layout: _strides(r, (3, 1, 6)), **ONCE)  # fmt: skip


def _strides(result, stride):
    assert result.stride() == tuple(stride)


def _eye(n, m=None):
    return np.eye(n, m)


Row("eye", cases((3,), (2, 3), (3, 0)), _eye, **ONCE,
    errors=((RuntimeError, "greater or equal", lambda rl: rl.eye(-1)),))  # fmt: skip
Row("arange", cases((5,), (1, 4), (1, 2, 0.25), (5, 0, -2), (0,), (2.5,)), np.arange, **ONCE, errors=(
    (RuntimeError, "nonzero", lambda rl: rl.arange(0, 1, 0)),
    (RuntimeError, "inconsistent", lambda rl: rl.arange(1, 0)),
    (TypeError, "arange", lambda rl: rl.arange()),
))  # fmt: skip
Row("range", cases((1, 3), (0, 1, 0.25), (3, 1, -1)),
    lambda start, end, step=1: np.arange(start, end + step / 2, step, dtype=float), **ONCE,
    )  # fmt: skip
Row("linspace", cases((0, 1, 5), (3, -3, 7), (1, 2, 1), (0, 1, 0)), np.linspace, **ONCE,
    errors=((RuntimeError, "non-negative", lambda rl: rl.linspace(0, 1, -1)),))  # fmt: skip
Row("logspace", cases((0, 2, 5), (0, 3, 4, 2.0)),
    lambda a, b, n, base=10.0: np.logspace(a, b, n, base=base), **ONCE)  # fmt: skip
