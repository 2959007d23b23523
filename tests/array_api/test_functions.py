"""The functions that are not elementwise, each as NumPy has it."""

from __future__ import annotations

import numpy as np
import pytest
from array_api.compare import ALL, FLOATING, KINDS, NUMERIC, REAL, both, draw, given, same
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

import rushlight as rl
import rushlight.array_api as xp

A = draw("float64", (2, 3, 4))
M = draw("float64", (3, 3), 5)


@pytest.fixture(autouse=True)
def numpys_default_float():
    """So that results may be compared with their dtype."""
    rl.set_default_dtype(rl.float64)
    yield
    rl.set_default_dtype(rl.float32)


# One call in both namespaces per row: name, arguments, keywords.
ROWS = [
    ("concat", ([A, A],), {}),
    ("concat", ([A, A[:, :1]],), {"axis": 1}),
    ("concat", ((A, A[0], np.asarray(3.0)),), {"axis": None}),
    ("concat", ([draw("int8", (2,)), draw("int32", (1,))],), {}),
    ("expand_dims", (A,), {"axis": 1}),
    ("expand_dims", (A,), {"axis": -1}),
    ("flip", (A,), {}),
    ("flip", (A,), {"axis": 1}),
    ("flip", (A,), {"axis": (0, -1)}),
    ("flip", (np.asarray(2.0),), {}),
    ("moveaxis", (A, 0, -1), {}),
    ("moveaxis", (A, (0, 1), (2, 0)), {}),
    ("permute_dims", (A, (2, 0, 1)), {}),
    ("repeat", (A, 2), {}),
    ("repeat", (A, 2), {"axis": 1}),
    ("repeat", (A, np.array([0, 2, 1], "int8")), {"axis": 1}),
    ("repeat", (A, np.array([2], "int64")), {"axis": 0}),
    ("reshape", (A, (4, -1)), {}),
    ("reshape", (A, (6, 4)), {"copy": True}),
    ("reshape", (np.asarray(1.0), (1, 1)), {}),
    ("roll", (A, 3), {}),
    ("roll", (A, 1), {"axis": 2}),
    ("roll", (A, (1, -2)), {"axis": (0, 2)}),
    ("roll", (A, 2), {"axis": (0, 1)}),
    ("squeeze", (A[:, :1], 1), {}),
    ("squeeze", (A[:1, :, :1], (0, -1)), {}),
    ("stack", ([A, A],), {}),
    ("stack", ([A, A],), {"axis": -1}),
    ("tile", (A, (2,)), {}),
    ("tile", (A, (2, 1, 1, 2)), {}),
    ("unstack", (A,), {"axis": 1}),
    ("broadcast_to", (A[:, :1], (5, 2, 3, 4)), {}),
    ("tril", (A,), {"k": 1}),
    ("triu", (A,), {"k": -1}),
    ("take", (A, np.array([2, 0, -1, 2])), {"axis": 1}),
    ("take", (A[0, 0], np.array([1, 1])), {}),
    ("take_along_axis", (A, np.argsort(A, axis=1)), {"axis": 1}),
    ("take_along_axis", (A, np.array([[[0, -1]]], "int32")), {"axis": -1}),
    ("where", (A > 0, A, -1.0), {}),
    ("where", (A > 0, 2, A), {}),
    ("where", (A > 0, np.asarray(1, "int8"), draw("int32", (4,))), {}),
    ("nonzero", (A > 0,), {}),
    ("count_nonzero", (A > 0,), {"axis": (0, 2), "keepdims": True}),
    ("argmax", (A,), {}),
    ("argmax", (A,), {"axis": 1, "keepdims": True}),
    ("argmin", (A,), {"axis": -1}),
    ("argmin", (A,), {"keepdims": True}),
    ("searchsorted", (np.array([1.0, 2, 2, 3]), np.array([[2.0], [9]])), {}),
    ("searchsorted", (np.array([1, 2, 2, 3]), np.array([2, 0])), {"side": "right"}),
    ("searchsorted", (np.array([3, 1, 2]), np.array([2])), {"sorter": np.array([1, 2, 0])}),
    ("sort", (A,), {"axis": 1}),
    ("sort", (np.array([np.nan, 1, np.inf]),), {}),
    ("argsort", (A,), {"axis": 0}),
    ("argsort", (np.array([1, 0, 1, 0]),), {}),
    ("diff", (A,), {}),
    ("diff", (A,), {"axis": 0, "n": 1, "prepend": A[:1], "append": A[:1]}),
    ("diff", (A,), {"n": 2, "axis": 1}),
    ("matmul", (A, A[0].T), {}),
    ("matmul", (M[0], M), {}),
    ("matmul", (draw("int8", (2, 2)), draw("int32", (2, 2))), {}),
    ("matrix_transpose", (A,), {}),
    ("tensordot", (A, A), {"axes": 3}),
    ("tensordot", (A, A), {"axes": ((2, 0), (2, 0))}),
    ("tensordot", (M, M), {"axes": 1}),
    ("vecdot", (A, A), {}),
    ("vecdot", (A, A[0]), {"axis": -2}),
    ("vecdot", (draw("complex128", (3,)), draw("complex64", (3,), 1)), {}),
    ("vecdot", (draw("int8", (3,)), draw("int8", (2, 3), 1)), {}),
    ("cumulative_sum", (A,), {"axis": 1}),
    ("cumulative_sum", (A[0, 0],), {"include_initial": True}),
    ("cumulative_sum", (A,), {"axis": -1, "dtype": None, "include_initial": True}),
    ("cumulative_prod", (A,), {"axis": 0, "include_initial": True}),
    ("cumulative_prod", (draw("int8", (3,)),), {}),
    ("meshgrid", (A[0, 0], A[0, 1, :2]), {}),
    ("meshgrid", (A[0, 0], A[0, 1, :2], A[0, 2]), {"indexing": "ij"}),
    ("linalg.cross", (A[..., :3], A[..., 1:]), {}),
    ("linalg.cross", (A[0, :, 0], A[:, :, 0]), {}),
    ("linalg.cross", (A[0, :, :1], A), {"axis": -2}),
    ("linalg.det", (A[:, :, :3],), {}),
    ("linalg.diagonal", (A,), {"offset": -1}),
    ("linalg.inv", (M,), {}),
    ("linalg.matrix_norm", (A,), {}),
    ("linalg.matrix_norm", (A,), {"ord": "nuc", "keepdims": True}),
    ("linalg.matrix_norm", (A,), {"ord": -1}),
    ("linalg.matrix_power", (M, -2), {}),
    ("linalg.matrix_rank", (A,), {}),
    ("linalg.matrix_rank", (A,), {"rtol": 0.9}),
    ("linalg.outer", (A[0, 0], A[0, 1]), {}),
    ("linalg.pinv", (A,), {}),
    ("linalg.pinv", (A,), {"rtol": 0.5}),
    ("linalg.slogdet", (M,), {}),
    ("linalg.solve", (M, M[0]), {}),
    ("linalg.solve", (A[:, :, :3], M), {}),
    ("linalg.svdvals", (A,), {}),
    ("linalg.trace", (A,), {"offset": 1}),
    ("linalg.trace", (draw("int8", (3, 3)),), {}),
    ("linalg.vector_norm", (A,), {}),
    ("linalg.vector_norm", (A,), {"axis": (0, 2), "ord": 1, "keepdims": True}),
    ("linalg.vector_norm", (A,), {"axis": 1, "ord": np.inf}),
    ("linalg.eigvalsh", (M + M.T,), {}),
    ("linalg.cholesky", (M @ M.T + np.eye(3),), {}),
    ("linalg.cholesky", (M @ M.T + np.eye(3),), {"upper": True}),
    ("fft.fft", (A,), {"n": 5, "axis": 1}),
    ("fft.ifft", (A + 1j,), {"norm": "ortho"}),
    ("fft.fftn", (A,), {"axes": (0, 2)}),
    ("fft.ifftn", (A,), {"s": (2, 3), "axes": (1, 2), "norm": "forward"}),
    ("fft.rfft", (A,), {"axis": 0}),
    ("fft.irfft", (A + 1j,), {"n": 7}),
    ("fft.rfftn", (A,), {}),
    ("fft.irfftn", (A + 0j,), {"axes": (1, 2)}),
    ("fft.hfft", (A + 0j,), {"n": 6}),
    ("fft.ihfft", (A,), {}),
    ("fft.fftshift", (A,), {}),
    ("fft.ifftshift", (A,), {"axes": 1}),
    ("fft.fftfreq", (5,), {"d": 0.5}),
    ("fft.rfftfreq", (6,), {}),
    ("arange", (5,), {}),
    ("arange", (5, 1), {}),
    ("arange", (5, 0, -2), {}),
    ("arange", (0.5, 3, 0.25), {}),
    ("arange", (3, 3), {}),
    ("eye", (3,), {}),
    ("eye", (3, 4), {"k": 2}),
    ("eye", (3, 2), {"k": -1}),
    ("eye", (0,), {}),
    ("full", ((2, 3), 7), {}),
    ("full", (3, 1.5), {}),
    ("full", ((), True), {}),
    ("full", ((2,), 1j), {}),
    ("full_like", (A, 3), {}),
    ("linspace", (0, 1, 5), {}),
    ("linspace", (0, 1, 5), {"endpoint": False}),
    ("linspace", (2, -3, 1), {}),
    ("linspace", (0, 1, 0), {}),
    ("ones", ((2, 0),), {}),
    ("ones_like", (A,), {}),
    ("zeros", (3,), {}),
    ("zeros_like", (A,), {}),
]  # fmt: skip


def row_name(row):
    return row[0]


@pytest.mark.parametrize("row", ROWS, ids=row_name)
def test_as_numpy(row):
    name, args, kwargs = row
    if name == "meshgrid":
        kwargs = dict(kwargs)
    found = both(name, *args, **kwargs)
    expected = {"meshgrid": list, "unstack": tuple, "nonzero": tuple}.get(name)
    assert expected is None or type(found) is expected


def test_pivots_as_numpy():
    """eye's n_cols is positional in the standard, M in NumPy."""
    same(xp.eye(3, 4, k=1, dtype=xp.int8), np.eye(3, 4, k=1, dtype="int8"))


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "mean", "std", "var", "all", "any"])
def test_reductions(name):
    dtypes = {"mean": FLOATING, "std": KINDS["float"], "var": KINDS["float"], "all": ALL,
              "any": ALL, "max": REAL, "min": REAL}.get(name, NUMERIC)  # fmt: skip
    for dtype in dtypes:
        if dtype.startswith("u") and name in ("sum", "prod"):
            continue  # below
        values = draw(dtype, (2, 3, 4))
        for axis in (None, 0, -1, (0, 2), (1,), ()):
            if axis == () and name in ("std", "var", "mean"):
                continue  # NumPy and the standard agree, but its warnings are errors here
            for keepdims in (False, True):
                both(name, values, axis=axis, keepdims=keepdims, tolerance=1e-4)
        both(name, values[0, 0, 0].reshape(()))


def test_reductions_of_nothing():
    for name, value in (("sum", 0), ("prod", 1), ("all", True), ("any", False)):
        assert getattr(xp, name)(xp.zeros((0, 3))).item() == value
        assert getattr(xp, name)(xp.zeros((0, 3)), axis=0).tolist() == [value] * 3
    for name in ("max", "min", "argmax"):
        with pytest.raises((IndexError, RuntimeError, ValueError)):
            getattr(xp, name)(xp.zeros((0, 3)), axis=0)


def test_dtypes_of_sums():
    for dtype in KINDS["int"]:
        for name in ("sum", "prod"):
            found = getattr(xp, name)(given(draw(dtype, (3,))))
            unsigned = dtype.startswith("u")
            assert found.dtype is (xp.dtypes.DEFAULT_UINT if unsigned else xp.int64)
    for dtype in FLOATING:
        assert xp.sum(given(draw(dtype, (3,)))).dtype.name == dtype
    assert xp.sum(xp.ones(3), dtype=xp.int8).dtype is xp.int8
    both("sum", draw("float32", (3,)), dtype=None)
    same(xp.cumulative_sum(xp.ones(2), dtype=xp.int8), np.array([1, 2], "int8"))


def test_corrections():
    for correction in (0, 1, 0.5, 2.0):
        for name in ("std", "var"):
            wanted = getattr(np, name)(A, axis=1, ddof=correction)
            same(getattr(xp, name)(given(A), axis=1, correction=correction), wanted)


def test_orders():
    values = np.array([3, 1, 3, 2, 1], "int32")
    assert xp.sort(given(values), descending=True).tolist() == [3, 3, 2, 1, 1]
    assert xp.argsort(given(values), descending=True).tolist() == [0, 2, 3, 1, 4]
    assert xp.argsort(given(values)).tolist() == [1, 4, 3, 0, 2]


def test_decompositions():
    symmetric = M + M.T
    values, vectors = found = xp.linalg.eigh(given(symmetric))
    assert found.eigenvalues is values and found.eigenvectors is vectors
    same(vectors @ (values[:, None] * vectors.mT), symmetric)
    for mode, size in (("reduced", (4, 3)), ("complete", (4, 4))):
        found = xp.linalg.qr(given(draw("float64", (4, 3))), mode=mode)
        assert found.Q.shape == size
        same(found.Q @ found.R, draw("float64", (4, 3)))
    for full in (True, False):
        found = xp.linalg.svd(given(draw("float64", (4, 3))), full_matrices=full)
        assert found.U.shape == ((4, 4) if full else (4, 3))
        same(found.U[:, :3] @ (found.S[:, None] * found.Vh), draw("float64", (4, 3)))
    assert xp.linalg.slogdet(given(M)).logabsdet.shape == ()
    # one matrix for a batch of three, which are no three vectors
    batch = draw("float64", (3, 3, 3), 4)
    same(xp.linalg.solve(given(batch), given(M)), np.linalg.solve(batch, M[None]))


def test_errors():
    x = xp.ones((2, 3))
    for call, error in (
        (lambda: xp.squeeze(x, 0), ValueError),
        (lambda: xp.nonzero(xp.asarray(1.0)), ValueError),
        (lambda: xp.take(x, xp.asarray([0])), ValueError),
        (lambda: xp.cumulative_sum(x), ValueError),
        (lambda: xp.reshape(x.T, (6,), copy=False), ValueError),
        (lambda: xp.asarray([1, 2], copy=False), ValueError),
        (lambda: xp.asarray(x, dtype=xp.float32, copy=False), ValueError),
        (lambda: xp.vecdot(x, xp.ones((2, 1))), ValueError),
        (lambda: xp.expand_dims(x, axis=5), IndexError),
        (lambda: xp.flip(x, axis=5), IndexError),
        (lambda: xp.result_type(1, 2.0), ValueError),
        (lambda: xp.astype(xp.asarray(1j), xp.float64), TypeError),
        (lambda: xp.linalg.inv(xp.ones((2, 3))), RuntimeError),
        (lambda: xp.ones(2, device="cuda"), RuntimeError),
        (lambda: xp.linalg.solve(xp.zeros((2, 2)), xp.ones(2)), RuntimeError),
    ):
        with pytest.raises(error):
            call()


# ---- sets


@settings(max_examples=40, deadline=None, database=None)
@examples(st.lists(st.sampled_from([0.0, -0.0, 1.0, 2.0, np.nan, np.inf]), max_size=8))
def test_distinct_values(numbers):
    for dtype in ("float32", "complex64"):
        x = xp.asarray(numbers, dtype=getattr(xp, dtype))
        found = xp.unique_all(x)
        assert found._fields == ("values", "indices", "inverse_indices", "counts")
        finite = {n for n in numbers if n == n}
        assert found.values.shape == (len(finite) + sum(n != n for n in numbers),)
        assert {complex(v) for v in found.values.tolist() if v == v} == {complex(n) for n in finite}
        assert int(xp.sum(found.counts)) == len(numbers)
        for place, number in enumerate(numbers):
            value = found.values[found.inverse_indices[place]]
            assert value == number or (number != number and bool(xp.isnan(value)))
        for value, first, count in zip(found.values, found.indices.tolist(), found.counts.tolist()):
            if not bool(xp.isnan(value)):
                assert numbers.index(value.real) == first
                assert numbers.count(value.real) == count
            else:
                assert numbers[first] != numbers[first]
                assert count == 1
        same(xp.unique_values(x), found.values.numpy())
        same(xp.unique_counts(x).counts, found.counts.numpy())
        same(xp.unique_inverse(x).inverse_indices, found.inverse_indices.numpy())


def test_distinct_values_keep_the_shape_of_inverses():
    for dtype in ALL:
        x = draw(dtype, (3, 4))
        found, wanted = xp.unique_inverse(given(x)), np.unique_inverse(x)
        same(found.values, wanted.values)
        same(found.inverse_indices, wanted.inverse_indices)
    assert xp.unique_all(xp.asarray(3)).inverse_indices.shape == ()


# ---- creation


def test_copies_and_shared_memory():
    array = np.arange(3.0)
    shared = xp.asarray(array)
    array[0] = 5
    assert shared[0] == 5
    assert xp.asarray(array, copy=True).data_ptr() != shared.data_ptr()
    assert xp.asarray(shared) is shared
    assert xp.asarray(shared, copy=False) is shared
    assert xp.asarray(shared, copy=True).data_ptr() != shared.data_ptr()
    plain = rl.ones(2)
    made = xp.asarray(plain)
    assert type(plain) is rl.Tensor
    assert type(made) is xp.Array
    made[0] = 7
    assert plain[0] == 7
    for function in (xp.positive, xp.real, xp.conj, lambda t: xp.astype(t, t.dtype, copy=False)):
        assert type(function(plain)) is xp.Array
        assert type(plain) is rl.Tensor
    matrix = rl.eye(2)
    for function in (
        lambda t: xp.concat([t]),
        lambda t: xp.concat([t[0]], axis=None),
        lambda t: xp.tile(t, ()),
        lambda t: xp.tile(t, (1,)),
        lambda t: xp.reshape(t, (2, 2)),
        lambda t: xp.broadcast_to(t, (2, 2)),
        lambda t: xp.broadcast_arrays(t)[0],
        lambda t: xp.meshgrid(t[0])[0],
        lambda t: xp.permute_dims(t, (0, 1)),
        lambda t: xp.moveaxis(t, 0, 0),
        lambda t: xp.squeeze(t, ()),
        lambda t: xp.flip(t, axis=()),
        lambda t: xp.roll(t, 0),
        lambda t: xp.repeat(t, 1),
        lambda t: xp.floor(t.to(rl.int64)),
        lambda t: xp.linalg.matrix_power(t, 1),
        lambda t: xp.linalg.diagonal(t),
        lambda t: xp.take(t, xp.asarray([0]), axis=0),
        lambda t: xp.asarray(t)[...],
        lambda t: xp.asarray(t)[()],
        lambda t: xp.asarray(t).detach(),
        lambda t: xp.fft.fftshift(t),
    ):
        assert type(function(matrix)) is xp.Array
        assert type(matrix) is rl.Tensor  # no op gave the tensor itself to be made an Array
    assert xp.astype(shared, xp.float64, copy=False) is shared
    assert xp.astype(shared, xp.float64).data_ptr() != shared.data_ptr()
    assert xp.reshape(shared, (3, 1), copy=False).data_ptr() == shared.data_ptr()
    assert xp.reshape(shared, (3, 1), copy=True).data_ptr() != shared.data_ptr()
    assert xp.from_dlpack(array).data_ptr() == array.ctypes.data
    assert xp.from_dlpack(array, copy=True).data_ptr() != array.ctypes.data
    assert type(xp.from_dlpack(rl.ones(2), device="cpu")) is xp.Array


def test_values_of_python():
    for value, dtype in ((True, "bool"), (3, "int64"), (2.5, "float64"), (1j, "complex128")):
        for obj in (value, [value], [[value, value]], (value,)):
            same(xp.asarray(obj), np.asarray(obj))
            assert xp.asarray(obj).dtype.name == dtype
    assert xp.asarray([xp.asarray(1.0), xp.asarray(2.0)]).tolist() == [1, 2]
    assert xp.asarray([]).shape == (0,)


def test_buffers():
    """They are shared, and hold what they say they hold."""
    import array

    floats = array.array("f", [1.0, 2.0])
    for found in (xp.asarray(floats), xp.asarray(floats, copy=False)):
        found[0] = 7
        assert floats[0] == 7
        floats[0] = 1
    assert xp.asarray(floats, dtype=xp.float64).tolist() == [1, 2]
    same(xp.asarray(memoryview(bytearray(b"ab"))), np.array([97, 98], "uint8"))


def test_ranges():
    for args, kwargs in (((0, 2, 2**63 - 1), {}), ((0, -2, -(2**62)), {}), ((2.0,), {"step": 3})):
        both("arange", *args, **kwargs)
    for args in ((0.0,), (0, 0.0), (3.0, 1)):
        assert xp.arange(*args).dtype is xp.float64
        assert xp.arange(*args).shape == (0,)
    assert xp.arange(3, dtype=xp.float32).dtype is xp.float32
    with pytest.raises((RuntimeError, ValueError, ZeroDivisionError)):
        xp.arange(0, 3, 0)
