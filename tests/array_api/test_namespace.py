"""What the namespace says of itself, its dtypes, signatures, and that it comes from a tensor."""

from __future__ import annotations

import inspect
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
from array_api.compare import ALL, KINDS

import rushlight as rl
import rushlight.array_api as xp


def test_a_tensor_has_it():
    for x in (rl.ones(2), xp.ones(2), rl.nn.Parameter(rl.ones(2))):
        assert x.__array_namespace__() is xp
        for version in ("2021.12", "2022.12", "2023.12", "2024.12", None):
            assert x.__array_namespace__(api_version=version) is xp
        with pytest.raises(ValueError, match="version"):
            x.__array_namespace__(api_version="1999.12")
    assert xp.__array_api_version__ == "2024.12"
    assert rl.array_api is xp


def test_it_is_loaded_when_touched():
    code = "import sys, rushlight; print('rushlight.array_api' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False"]


def test_information():
    info = xp.__array_namespace_info__()
    assert info.capabilities()["boolean indexing"] is True
    assert info.capabilities()["data-dependent shapes"] is True
    assert info.default_device() == rl.device("cpu") == rl.ones(1).device
    assert info.devices() == [info.default_device()]
    assert info.default_dtypes() == {
        "real floating": xp.float32,
        "complex floating": xp.complex64,
        "integral": xp.int64,
        "indexing": xp.int64,
    }
    rl.set_default_dtype(rl.float64)
    try:
        assert info.default_dtypes(device="cpu")["real floating"] is xp.float64
        assert xp.asarray(1.5).dtype is xp.zeros(1).dtype is xp.float64
        assert info.default_dtypes()["complex floating"] is xp.asarray(1j).dtype
    finally:
        rl.set_default_dtype(rl.float32)
    every = info.dtypes()
    assert set(ALL) <= set(every)
    assert all(getattr(xp, name) is dtype for name, dtype in every.items())
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"}
    assert set(info.dtypes(kind="integral")) == {
        *info.dtypes(kind=("signed integer", "unsigned integer"))
    }
    assert info.dtypes(kind=("bool", "numeric")).keys() == every.keys()
    with pytest.raises(ValueError, match="kind"):
        info.dtypes(kind="whole")


def test_kinds_and_limits():
    kinds = {"bool": "bool", "signed integer": "int8", "unsigned integer": "uint8",
             "real floating": "float32", "complex floating": "complex128"}  # fmt: skip
    for kind, dtype in kinds.items():
        for other, name in kinds.items():
            assert xp.isdtype(getattr(xp, name), kind) is (kind == other), dtype
    assert xp.isdtype(xp.uint8, "integral") and xp.isdtype(xp.complex64, "numeric")
    assert not xp.isdtype(xp.bool, "numeric")
    assert xp.isdtype(rl.bfloat16, "real floating")
    assert xp.isdtype(xp.int8, (xp.int16, "bool", "integral"))
    assert xp.isdtype(xp.int8, xp.int8) and not xp.isdtype(xp.int8, xp.int16)
    with pytest.raises(ValueError, match="kind"):
        xp.isdtype(xp.int8, "whole")
    with pytest.raises(TypeError, match="kind"):
        xp.isdtype(xp.int8, 3)
    for name in KINDS["float"] + KINDS["complex"]:
        mine, wanted = xp.finfo(getattr(xp, name)), np.finfo(name)
        for field in ("bits", "eps", "max", "min", "smallest_normal"):
            assert getattr(mine, field) == getattr(wanted, field), (name, field)
        assert mine.dtype.name == wanted.dtype.name
    for name in KINDS["int"]:
        mine, wanted = xp.iinfo(xp.zeros(1, dtype=getattr(xp, name))), np.iinfo(name)
        assert (mine.bits, mine.min, mine.max) == (wanted.bits, wanted.min, wanted.max)
        assert mine.dtype.name == name


def test_promotion_and_casts():
    for kind in KINDS.values():
        for a in kind:
            for b in kind:
                wanted = np.result_type(a, b).name
                assert xp.result_type(getattr(xp, a), getattr(xp, b)).name == wanted
                assert xp.can_cast(getattr(xp, a), getattr(xp, b)) is (wanted == b)
    assert not xp.can_cast(xp.int8, xp.float32)
    assert not xp.can_cast(xp.bool, xp.int8)
    assert xp.can_cast(xp.float32, xp.complex64)
    assert xp.can_cast(xp.zeros((), dtype=xp.int8), xp.int16)
    zero = xp.asarray(0.0, dtype=xp.float64)
    assert xp.result_type(xp.ones(2), zero) is xp.float64
    assert xp.result_type(zero, xp.float32, xp.int8) is xp.float64
    assert xp.result_type(xp.ones(2), 1, 2.0) is xp.float32
    assert xp.result_type(xp.ones(2), 1j) is xp.complex64
    assert xp.result_type(xp.int8, 5) is xp.int8
    for a in ALL:
        for b in ALL:
            if a in KINDS["complex"] and b not in KINDS["complex"]:
                continue
            x = xp.astype(xp.asarray([0, 1], dtype=getattr(xp, a)), getattr(xp, b))
            assert (x.dtype.name, x.tolist()) == (b, [0, 1])


def test_arrays_are_pickled_and_copied():
    import copy

    x = xp.asarray([1.0, 2.0])
    for other in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), copy.copy(x)):
        assert type(other) is xp.Array
        assert other.tolist() == [1, 2]
    assert isinstance(rl.nn.Parameter(x), rl.nn.Parameter)
    file = io.BytesIO()
    rl.save({"x": x}, file)
    file.seek(0)
    saved = rl.load(file)["x"]
    assert type(saved) is rl.Tensor  # as PyTorch would read it
    assert saved.tolist() == [1, 2]


def test_text():
    assert repr(xp.asarray([1.0, 2.0])) == "Array([1., 2.])"
    assert f"{xp.asarray(2.5):.2f}" == "2.50"
    assert f"{xp.asarray([1])}" == "Array([1])"


# ---- signatures


def names():
    extensions = [(f"{e}.{n}", getattr(getattr(xp, e), n))
                  for e in ("linalg", "fft") for n in getattr(xp, e).__all__]  # fmt: skip
    own = [(n, getattr(xp, n)) for n in xp.__all__]
    return {n: f for n, f in own + extensions if inspect.isfunction(f)}


def parameters(function):
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def test_functions_are_named_and_described():
    assert len(names()) > 160
    for name, function in names().items():
        assert function.__name__ == name.rpartition(".")[2]
        assert function.__doc__, name
        for parameter in inspect.signature(function).parameters.values():
            positional = parameter.name in ("x", "x1", "x2", "arrays", "obj")
            assert not positional or parameter.kind in (
                parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL
            ), name  # fmt: skip


def test_signatures_of_array_api_strict():
    strict = pytest.importorskip("array_api_strict")
    strict.set_array_api_strict_flags(api_version="2024.12")
    missing = [n for n in strict.__all__ if not hasattr(xp, n)]
    later = {"Device", "broadcast_shapes", "isin", "uint16", "uint32", "uint64"}
    flags = {n for n in missing if "strict" in n.lower() or n == "__version__"}
    assert set(missing) - flags - later == set()
    for name, function in names().items():
        theirs = strict
        for part in name.split("."):
            theirs = getattr(theirs, part)
        mine, wanted = parameters(function), parameters(theirs)
        if "undef" in str(wanted).lower():  # its mark for None
            wanted = [(n, k, None if "undef" in str(d).lower() else d) for n, k, d in wanted]
        if name == "expand_dims":  # the standard's axis: keyword, 0
            continue
        assert mine == wanted, name


def test_positional_and_keyword_arguments():
    x = xp.ones((2, 2))
    for call in (
        lambda: xp.sum(x, 0),
        lambda: xp.sin(x=x),
        lambda: xp.add(x1=x, x2=x),
        lambda: xp.concat([x], 0),
        lambda: xp.zeros((2,), xp.int8),
        lambda: xp.astype(x, dtype=xp.int8),
        lambda: xp.linalg.matrix_norm(x, True),
        lambda: xp.fft.fft(x, 2),
        lambda: xp.eye(n_rows=2),
        lambda: xp.sort(x, 0),
    ):
        with pytest.raises(TypeError):
            call()
    assert xp.clip(x, min=0, max=1).shape == (2, 2)
    assert xp.reshape(x, shape=(4,)).shape == (4,)
    assert xp.zeros(shape=(2,)).shape == (2,)
