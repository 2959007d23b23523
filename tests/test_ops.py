"""Every op against its row (tests/ops): values, dtypes, layouts, deferred = eager, gradients.

The rows hold what is particular to an op; the checks here are the same for all of them.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from ops.row import Case, Make, Row, load_rows

import rushlight as rl
from rushlight import _core
from rushlight.autograd import gradcheck, gradgradcheck

ROWS = load_rows()
TOLERANCE = {  # relative and absolute
    "float64": (1e-9, 1e-11),
    "complex128": (1e-9, 1e-11),
    "float32": (3e-6, 3e-6),
    "complex64": (5e-6, 5e-6),
    "float16": (4e-3, 4e-3),
    "bfloat16": (3e-2, 3e-2),
}


@pytest.fixture(autouse=True)
def quiet() -> Any:
    rl.manual_seed(0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def rows(select: Any = lambda row: True) -> Any:
    chosen = [row for row in ROWS.values() if select(row)]
    return pytest.mark.parametrize("row", chosen, ids=lambda row: row.name)


def function_of(row: Row) -> Any:
    found: Any = rl
    for part in (row.path or row.name).split("."):
        found = getattr(found, part)
    return found


# ---- from NumPy and back


def converted(value: Any, change: Any) -> Any:
    """The arguments with each array changed."""
    if isinstance(value, np.ndarray):
        return change(value)
    if isinstance(value, (list, tuple)) and not isinstance(value, rl.Size):
        return type(value)(converted(v, change) for v in value)
    if isinstance(value, dict):
        return {k: converted(v, change) for k, v in value.items()}
    return value


def tensor(array: np.ndarray, dtype: str) -> rl.Tensor:
    made = rl.tensor(array)
    return made.bfloat16() if dtype == "bfloat16" and array.dtype == np.float32 else made


def in_double(array: np.ndarray) -> np.ndarray:
    wide = {"f": np.float64, "c": np.complex128}.get(array.dtype.kind)
    return array.astype(wide) if wide else array


def arguments(case: Case, change: Any) -> tuple[tuple, dict]:
    return converted(case.args, change), converted(case.kwargs, change)


def call(row: Row, case: Case, dtype: str, change: Any = None) -> Any:
    args, kwargs = arguments(case, change or (lambda a: tensor(a, dtype)))
    return function_of(row)(*args, **kwargs)


def expected(row: Row, case: Case, dtype: str) -> Any:
    """What the reference makes of the values that the tensors have."""
    args, kwargs = arguments(case, lambda a: in_double(values(tensor(a, dtype))))
    return row.ref(*args, **kwargs)


def values(result: Any) -> Any:
    if isinstance(result, rl.Tensor):
        result = result.detach()
        return (result.float() if result.dtype is rl.bfloat16 else result).numpy()
    return result


def parts(result: Any) -> list:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def assert_close(result: Any, reference: Any, dtype: str, tol: float, what: Any) -> None:
    got, want = parts(result), parts(reference)
    assert len(got) == len(want), f"{what}: {len(got)} results, expected {len(want)}"
    for one, other in zip(got, want):
        a, b = np.asarray(values(one)), np.asarray(other)
        assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
        if a.dtype.kind in "biu" and b.dtype.kind in "biu":
            np.testing.assert_array_equal(a, b, err_msg=str(what))
            continue
        rtol, atol = TOLERANCE.get(dtype, TOLERANCE["float32"])
        limit = TOLERANCE.get(a.dtype.name, (rtol, atol))
        rtol, atol = max(rtol, limit[0]) * tol, max(atol, limit[1]) * tol
        if a.dtype.kind in "biu":
            rtol = atol = 0
        if b.dtype.kind in "fc":  # what does not fit the dtype is infinite in both
            b = b.astype(a.dtype if a.dtype.kind in "fc" else b.dtype)
        np.testing.assert_allclose(a, b, rtol, atol, err_msg=str(what))


def expected_dtype(row: Row, case: Case, dtype: str) -> Any:
    """The result's dtype by the rule of the row, or None."""
    given = getattr(rl, dtype)
    integral = not (given.is_floating_point or given.is_complex)
    rules = {
        "same": given,
        "promoted": given,
        "bool": rl.bool,
        "int64": rl.int64,
        "float": rl.float32 if integral else given,
        "sum": rl.int64 if integral else given,
        "real": given.to_real() if given.is_complex else given,
    }
    return rules.get(row.result)


# ---- values


@pytest.mark.parametrize(
    ("row", "dtype"),
    [pytest.param(row, d, id=f"{row.name}-{d}") for row in ROWS.values() for d in row.dtype_names],
)
def test_values(row: Row, dtype: str) -> None:
    for case in row.samples(Make(dtype, row.name)):
        result = call(row, case, dtype)
        wanted = expected_dtype(row, case, dtype)
        for part in parts(result)[:1]:
            if wanted is not None and isinstance(part, rl.Tensor):
                assert part.dtype is wanted, f"{case}: {part.dtype}, expected {wanted}"
        if row.check is not None:
            args, kwargs = arguments(case, lambda a: tensor(a, dtype))
            row.check(result, *args, **kwargs)
        else:
            assert_close(result, expected(row, case, dtype), dtype, row.tol, case)


@rows(lambda row: row.edges)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_edges(row: Row, dtype: str) -> None:
    """Infinities, nan, signed zeros and the ends of the domain, one by one and among others."""
    columns = [np.array(column, dtype) for column in zip(*row.edges)]
    many = [Case(*(np.resize(column, 8 * len(column) + 3) for column in columns))]
    for case in [Case(*columns), *many, *(Case(*map(np.array, row_)) for row_ in zip(*columns))]:
        result, reference = call(row, case, dtype), expected(row, case, dtype)
        assert_close(result, reference, dtype, row.tol, case.args)
        for one, other in zip(parts(result), parts(reference)):
            a, b = np.asarray(values(one)), np.asarray(other)
            if a.dtype.kind == "f" and b.dtype.kind == "f":
                zeros = (a == 0) & (b == 0)
                np.testing.assert_array_equal(
                    np.signbit(a[zeros]), np.signbit(b[zeros]), err_msg=f"sign of 0: {case.args}"
                )


# ---- layouts


def transposed(x: rl.Tensor) -> rl.Tensor:
    """The same values, column by column in memory."""
    return x.mT.contiguous().mT if x.ndim > 1 else strided(x)


def strided(x: rl.Tensor) -> rl.Tensor:
    """The same values, every other element of something larger, from its second element on."""
    if x.ndim == 0:
        return rl.stack((x, x, x))[1]
    room = rl.stack((x, x), -1).flatten(-2)
    return room.narrow(-1, 1, room.shape[-1] - 1)[..., ::2] if x.shape[-1] else x


@rows(lambda row: row.layouts and row.ref is not None)
@pytest.mark.parametrize("layout", [transposed, strided])
def test_layouts(row: Row, layout: Any) -> None:
    dtype = row.dtype_names[0]
    for case in row.samples(Make(dtype, row.name)):
        plain = call(row, case, dtype)
        other = call(row, case, dtype, lambda a: layout(tensor(a, dtype)))
        for one, two in zip(parts(plain), parts(other)):
            if isinstance(one, rl.Tensor) and not row.exact:
                assert_close(two, values(one), dtype, row.tol, case)
            elif isinstance(one, rl.Tensor):
                np.testing.assert_array_equal(values(two), values(one), err_msg=str(case))
            else:
                assert one == two


# ---- deferred and eager


def in_both_modes(run: Any) -> tuple:
    found = []
    before = _core.is_eager()
    for eager in (False, True):
        _core.set_eager(eager)
        try:
            found.append(run())
        finally:
            _core.set_eager(before)
    return tuple(found)


@rows(lambda row: row.large is not None)
def test_deferred_is_eager(row: Row) -> None:
    """A large tensor's operation inside a chain, forward and backward: the same bits both ways."""
    for dtype in [d for d in row.dtype_names if d in ("float32", "int64", "bool", "complex64")]:
        floating = dtype in ("float32", "complex64")
        for case in row.large(Make(dtype, row.name)):

            def run(case: Case = case, floating: bool = floating, dtype: str = dtype) -> list:
                leaves = []

                def leaf(array: np.ndarray) -> rl.Tensor:
                    made = tensor(array, dtype)
                    if floating and array.dtype.kind in "fc":
                        leaves.append(made.requires_grad_(bool(row.grad)))
                        made = made * 1
                    return made

                args, kwargs = arguments(case, leaf)
                results = [p for p in parts(function_of(row)(*args, **kwargs))
                           if isinstance(p, rl.Tensor)]  # fmt: skip
                found = [values(p) for p in results]
                if row.grad:
                    total = [(p * p.detach()).sum().abs() for p in results if p.requires_grad]
                    for part in total:
                        part.backward(retain_graph=True)
                    found += [values(x.grad) for x in leaves if x.grad is not None]
                return found

            deferred, eager = in_both_modes(run)
            for one, two in zip(deferred, eager):
                np.testing.assert_array_equal(one, two, err_msg=f"{row.name} {dtype} {case}")


# ---- forms: method, in place, out=


@rows(lambda row: row.method and "." not in row.name and hasattr(rl.Tensor, row.name))
def test_method(row: Row) -> None:
    dtype = row.dtype_names[0]
    for case in row.samples(Make(dtype, row.name)):
        if not isinstance(case.args[0], np.ndarray):
            continue
        args, kwargs = arguments(case, lambda a: tensor(a, dtype))
        rl.manual_seed(1)
        one = function_of(row)(*args, **kwargs)
        rl.manual_seed(1)
        two = getattr(args[0], row.name)(*args[1:], **kwargs)
        if row.check is None:
            for a, b in zip(parts(one), parts(two)):
                np.testing.assert_array_equal(values(b), values(a), err_msg=str(case))


@rows(lambda row: row.in_place and hasattr(rl.Tensor, row.name + "_") and row.ref is not None)
def test_in_place(row: Row) -> None:
    dtype = row.dtype_names[0]
    written = getattr(rl.Tensor, row.name + "_")
    for case in row.samples(Make(dtype, row.name)):
        if not isinstance(case.args[0], np.ndarray):
            continue
        args, kwargs = arguments(case, lambda a: tensor(a, dtype))
        result = function_of(row)(*args, **kwargs)
        target = args[0].clone()
        place, version = target.data_ptr(), target._version
        if row.view:
            assert written(target, *args[1:], **kwargs) is target
            np.testing.assert_array_equal(values(target), values(result), err_msg=str(case))
            continue
        fits = result.shape == target.shape and rl.can_cast(result.dtype, target.dtype)
        if not fits:
            with pytest.raises(RuntimeError):
                written(target, *args[1:], **kwargs)
            continue
        assert written(target, *args[1:], **kwargs) is target
        np.testing.assert_array_equal(
            values(target), values(result.to(target.dtype)), err_msg=str(case)
        )
        assert target.data_ptr() == place
        assert target._version > version
        seen = args[0].clone()
        if seen.ndim:  # through a view, the base changes
            base = rl.stack((seen, seen))
            written(base[1], *args[1:], **kwargs)
            np.testing.assert_array_equal(values(base[1]), values(target), err_msg=str(case))
            np.testing.assert_array_equal(values(base[0]), values(seen), err_msg=str(case))


def takes_out(row: Row) -> bool:
    try:
        function = function_of(row)
    except AttributeError:
        return False
    if isinstance(function, _core.Op):
        return function.takes_out
    return "out" in function.__code__.co_varnames[: function.__code__.co_argcount
                                                 + function.__code__.co_kwonlyargcount]  # fmt: skip


@rows(lambda row: takes_out(row) and row.ref is not None)
def test_out(row: Row) -> None:
    dtype = row.dtype_names[0]
    for case in row.samples(Make(dtype, row.name)):
        args, kwargs = arguments(case, lambda a: tensor(a, dtype))
        result = function_of(row)(*args, **kwargs)
        several = isinstance(result, (tuple, list))
        fitting = [rl.empty(p.shape, dtype=p.dtype) for p in parts(result)]
        place = fitting[0].data_ptr()
        out = tuple(fitting) if several else fitting[0]
        returned = function_of(row)(*args, **kwargs, out=out)
        assert parts(returned)[0] is fitting[0]
        assert fitting[0].data_ptr() == place
        for a, b in zip(fitting, parts(result)):
            np.testing.assert_array_equal(values(a), values(b), err_msg=str(case))
        if several:
            continue
        other = rl.empty(7, dtype=result.dtype)
        function_of(row)(*args, **kwargs, out=other)
        np.testing.assert_array_equal(values(other), values(result), err_msg=f"resized: {case}")
    if several:
        return
    if result.dtype.is_floating_point and row.out_cast:
        with pytest.raises(RuntimeError, match=r"can't be cast|dtype"):
            function_of(row)(*args, **kwargs, out=rl.empty(result.shape, dtype=rl.int64))
    if row.grad:
        leaf = [a for a in args if isinstance(a, rl.Tensor) and a.dtype.is_floating_point]
        if leaf:
            leaf[0].requires_grad_()
            with pytest.raises(RuntimeError, match="differentiation"):
                function_of(row)(*args, **kwargs, out=rl.empty_like(result))


# ---- errors


@rows(lambda row: row.errors)
def test_errors(row: Row) -> None:
    for exception, text, failing in row.errors:
        with pytest.raises(exception) as caught:
            failing(rl)
        assert text in str(caught.value), f"{caught.value} does not say {text!r}"


# ---- gradients


def checked_leaves(case: Case, dtype: str) -> tuple[Any, list]:
    leaves: list[rl.Tensor] = []

    def leaf(array: np.ndarray) -> rl.Tensor:
        made = rl.tensor(array)
        if array.dtype.kind in "fc":
            leaves.append(made.requires_grad_())
        return made

    return arguments(case, leaf), leaves


def gradient_cases(select: Any) -> Any:
    wide = {"f": "float64", "c": "complex128"}
    chosen = [
        pytest.param(row, wide[kind], id=f"{row.name}-{wide[kind]}")
        for row in ROWS.values()
        for kind in row.grad
        if select(row)
    ]
    return pytest.mark.parametrize(("row", "dtype"), chosen)


def differentiable_calls(row: Row, dtype: str) -> Any:
    """(function of the leaves alone, leaves) of each sample."""
    for case in (row.grad_samples or row.samples)(Make(dtype, row.name)):
        (args, kwargs), leaves = checked_leaves(case, dtype)
        if not leaves or not any(leaf.numel() for leaf in leaves):
            continue

        def run(*given: rl.Tensor, args: Any = args, kwargs: Any = kwargs, at: Any = leaves) -> Any:
            swap = {id(old): new for old, new in zip(at, given)}

            def put(value: Any) -> Any:
                if isinstance(value, rl.Tensor):
                    return swap.get(id(value), value)
                if isinstance(value, (list, tuple)):
                    return type(value)(put(v) for v in value)
                return value

            rl.manual_seed(0)
            function = row.grad_of or function_of(row)
            result = function(*put(args), **{k: put(v) for k, v in kwargs.items()})
            found = [p for p in parts(result) if isinstance(p, rl.Tensor) and p.requires_grad]
            return tuple(found)

        yield case, run, leaves


@gradient_cases(lambda row: True)
def test_gradient(row: Row, dtype: str) -> None:
    ran = False
    for case, run, leaves in differentiable_calls(row, dtype):
        ran = True
        assert run(*leaves), f"{case}: no result requires grad"
        assert gradcheck(run, tuple(leaves), atol=1e-6, rtol=1e-4), case
    assert ran, "no sample has a tensor to differentiate"


@gradient_cases(lambda row: True)
def test_gradient_of_one_input(row: Row, dtype: str) -> None:
    """A node keeps what the gradients that are wanted need: one input's is as that of all."""
    for case, run, leaves in differentiable_calls(row, dtype):
        if len(leaves) < 2:
            continue

        def gradients(given: list[rl.Tensor], run: Any = run) -> tuple:
            loss = sum((p * p.detach()).sum().abs() for p in run(*given))
            wanted = [x for x in given if x.requires_grad]
            return rl.autograd.grad(loss, wanted, allow_unused=True) if wanted else ()

        together = gradients(leaves)
        for at, whole in enumerate(together):
            given = [leaf.detach().requires_grad_(i == at) for i, leaf in enumerate(leaves)]
            if whole is None or not run(*given):
                continue
            (alone,) = gradients(given)
            np.testing.assert_allclose(
                values(alone), values(whole), 1e-9, 1e-11, err_msg=f"{case}: input {at}"
            )


@gradient_cases(lambda row: row.gradgrad)
def test_second_gradient(row: Row, dtype: str) -> None:
    for case, run, leaves in differentiable_calls(row, dtype):
        assert gradgradcheck(run, tuple(leaves), atol=1e-5, rtol=1e-3), case


@rows(lambda row: not row.grad and row.ref is not None and "f" in row.dtypes)
def test_not_differentiable(row: Row) -> None:
    """Ops without a derivative: their results do not require grad, or backward says so."""
    for case in row.samples(Make("float64", row.name)):
        (args, kwargs), leaves = checked_leaves(case, "float64")
        if not leaves:
            continue
        for part in parts(function_of(row)(*args, **kwargs)):
            if isinstance(part, rl.Tensor) and part.requires_grad:
                with pytest.raises(RuntimeError, match="derivative for .* is not implemented"):
                    part.sum().backward()


@rows(lambda row: row.view)
def test_view(row: Row) -> None:
    """Views share memory with their first argument, and history with what is written to it."""
    dtype = row.dtype_names[0]
    for case in row.samples(Make(dtype, row.name)):
        args, kwargs = arguments(case, lambda a: tensor(a, dtype))
        for part in parts(function_of(row)(*args, **kwargs)):
            if part.numel():
                assert _core.same_storage(part, args[0]), case
