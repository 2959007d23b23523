"""NumPy's functions and operators over tensors, and DLPack, as PyTorch has them."""

from __future__ import annotations

import operator
import warnings

import numpy as np
import pytest

import rushlight as rl

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

CALLS = {
    "sin": lambda x, a: np.sin(x),
    "greater": lambda x, a: np.greater(x, 1),
    "isnan": lambda x, a: np.isnan(x),
    "add": lambda x, a: np.add(x, x),
    "reduce": lambda x, a: np.add.reduce(x),
    "divmod": lambda x, a: np.divmod(x, 2),
    "concatenate": lambda x, a: np.concatenate([x, x]),
    "where": lambda x, a: np.where(x > 1, 1, 0),
    "argmax": lambda x, a: np.argmax(x),
    "clip": lambda x, a: np.clip(x, 0, 2),
    "exp of 0 dimensions": lambda x, a: np.exp(x[0]),
    "scalar times": lambda x, a: np.float64(2) * x,
    "scalar power": lambda x, a: np.float64(2) ** x,
    "scalar less": lambda x, a: np.float64(2) < x,
    "index of an array": lambda x, a: np.arange(5)[x.long()],
    "array as index": lambda x, a: x[np.array([1, 0])],
    "reversed true division": lambda x, a: a / x,
} | {
    name: lambda x, a, name=name: getattr(operator, name)(x, a)
    for name in [
        "ne",
        "lt",
        "ge",
        "add",
        "sub",
        "mul",
        "truediv",
        "pow",
        "floordiv",
        "mod",
        "and_",
        "iadd",
        "imul",
    ]
}


def outcome(call, lib, dtype):
    x = lib.arange(3).to(getattr(lib, dtype))
    a = np.array([1.0, 2.0, 2.0]).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = call(x, a)
        except Exception as error:
            return type(error).__name__
    parts = result if isinstance(result, tuple) else (result,)
    return [
        (type(part).__name__, str(getattr(part, "dtype", "")), str(np.asarray(part).tolist()))
        for part in parts
    ]


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("name", CALLS)
def test_numpy(name, dtype):
    assert outcome(CALLS[name], rl, dtype) == outcome(CALLS[name], torch, dtype)


DTYPES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128"


@pytest.mark.parametrize("dtype", DTYPES.split())
def test_dlpack_both_ways(dtype):
    ours = rl.arange(6).to(getattr(rl, dtype)).reshape(2, 3).t()
    theirs = torch.from_dlpack(ours)
    assert theirs.dtype == getattr(torch, dtype)
    assert theirs.stride() == ours.stride()
    assert theirs.tolist() == ours.tolist()
    assert theirs.data_ptr() == ours.data_ptr()
    for back in (rl.from_dlpack(theirs), rl.from_dlpack(torch.utils.dlpack.to_dlpack(theirs))):
        assert back.dtype == ours.dtype
        assert back.stride() == ours.stride()
        assert back.data_ptr() == ours.data_ptr()
    assert torch.from_dlpack(ours, copy=True).data_ptr() != ours.data_ptr()


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32", "bfloat16", "complex64"])
def test_jax_both_ways(dtype):
    jax_numpy = pytest.importorskip("jax.numpy", reason="needs jax")
    ours = rl.arange(6).to(getattr(rl, dtype)).reshape(2, 3)
    theirs = jax_numpy.from_dlpack(ours)
    assert theirs.dtype.name == dtype
    assert np.asarray(theirs).tolist() == ours.tolist()
    assert rl.from_dlpack(theirs).tolist() == ours.tolist()
