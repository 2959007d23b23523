"""The same call in NumPy, which implements the standard, and in rushlight.array_api."""

from __future__ import annotations

from typing import Any

import numpy as np

import rushlight as rl
import rushlight.array_api as xp

KINDS = {
    "bool": ("bool",),
    # uint64 is left out: what NumPy promotes it to with signed integers is not the standard's
    "int": tuple(name for name in xp.dtypes.dtypes_of("integral") if name != "uint64"),
    "float": ("float32", "float64"),
    "complex": ("complex64", "complex128"),
}
REAL = KINDS["int"] + KINDS["float"]
NUMERIC = REAL + KINDS["complex"]
ALL = KINDS["bool"] + NUMERIC
FLOATING = KINDS["float"] + KINDS["complex"]
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.5, 700.0, -1e-30, np.inf, -np.inf, np.nan]


def draw(dtype: str, shape: tuple[int, ...], seed: int = 0, edges: bool = False) -> np.ndarray:
    """Random values of a dtype; with `edges`, also infinities, nan and zeros of both signs."""
    random = np.random.default_rng(seed)
    if dtype == "bool":
        return random.random(shape) < 0.5
    if dtype in KINDS["int"]:
        return random.integers(0 if dtype.startswith("u") else -9, 10, shape).astype(dtype)
    values = random.normal(size=shape) * 3
    if edges:
        values = random.choice([*EDGES, *random.normal(size=6)], shape)
    if dtype in KINDS["complex"]:
        values = values + 1j * random.normal(size=shape)
    return np.asarray(values).astype(dtype)


def given(values: Any) -> Any:
    """NumPy's arrays as arrays of the namespace; the rest as it is."""
    if isinstance(values, (np.ndarray, np.generic)):
        return xp.asarray(np.array(values))
    if isinstance(values, (list, tuple)):
        return type(values)([given(v) for v in values])
    return values


def same(found: Any, wanted: Any, tolerance: float | None = None, dtype: bool = True) -> None:
    """The same type of result, dtypes, shapes and values; zeros have the same sign."""
    if isinstance(wanted, (tuple, list)):
        assert len(found) == len(wanted)
        assert getattr(found, "_fields", None) == getattr(wanted, "_fields", None)
        for one, other in zip(found, wanted):
            same(one, other, tolerance, dtype)
        return
    assert isinstance(found, xp.Array), type(found)
    assert not found.requires_grad
    wanted = np.asarray(wanted)
    assert tuple(found.shape) == wanted.shape
    if dtype:
        assert found.dtype.name == wanted.dtype.name, (found.dtype, wanted.dtype)
    have = found.numpy().astype(wanted.dtype)
    if tolerance is None:
        single = wanted.dtype.name in ("float32", "complex64")
        tolerance = 2e-5 if single else 1e-12
    np.testing.assert_allclose(have, wanted, rtol=tolerance, atol=tolerance)
    if wanted.dtype.kind == "f":
        zero = wanted == 0
        np.testing.assert_array_equal(np.signbit(have[zero]), np.signbit(wanted[zero]))


def both(name: str, *args: Any, tolerance: float | None = None, **kwargs: Any) -> Any:
    """Compares a function, named with its module if it is in an extension, in both namespaces."""
    theirs, ours = np, xp
    for part in name.split("."):
        theirs, ours = getattr(theirs, part), getattr(ours, part)
    with np.errstate(all="ignore"):
        wanted = theirs(*args, **kwargs)
    found = ours(*given(args), **{k: given(v) for k, v in kwargs.items()})
    same(found, wanted, tolerance)
    return found


def tensor(values: Any, dtype: Any = None, requires_grad: bool = False) -> rl.Tensor:
    return rl.tensor(values, dtype=dtype, requires_grad=requires_grad)
