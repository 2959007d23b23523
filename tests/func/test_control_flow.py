"""`torch.cond`, `while_loop`, `scan`, `map` and `associative_scan`, against loops written out."""

import itertools
from importlib import import_module

import pytest

import rushlight as torch
from rushlight import _higher_order_ops as control_flow
from rushlight._higher_order_ops import associative_scan, scan, while_loop
from rushlight.autograd import gradcheck


def linear(left, right):
    """h = a h + b, in pairs (a, b)."""
    return left[0] * right[0], left[1] * right[0] + right[1]


def prefixes(combine, slices):
    return list(itertools.accumulate(slices, combine))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 9, 31, 64])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mode", ["generic", "pointwise"])
def test_associative_scan_is_the_loop(length, reverse, mode):
    torch.manual_seed(length)
    a, b = torch.rand(3, length, 2, dtype=torch.float64), torch.randn(3, length, 2).double()
    got = associative_scan(linear, (a, b), 1, reverse=reverse, combine_mode=mode)
    slices = list(zip(a.unbind(1), b.unbind(1), strict=True))
    slices = slices[::-1] if reverse else slices
    wanted = prefixes(linear, slices)
    wanted = wanted[::-1] if reverse else wanted
    for k in range(2):
        torch.testing.assert_close(got[k], torch.stack([w[k] for w in wanted], 1))


def test_associative_scan_of_matrices():
    m = torch.randn(6, 3, 3, dtype=torch.float64)
    got = associative_scan(torch.matmul, m, 0, combine_mode="generic")
    torch.testing.assert_close(got, torch.stack(prefixes(torch.matmul, m.unbind(0))))


def test_associative_scan_calls_its_function_few_times():
    calls = []
    x = torch.arange(1024)
    got = associative_scan(lambda a, b: (calls.append(1), a + b)[1], x, 0)
    assert torch.equal(got, x.cumsum(0))
    assert len(calls) < 2 * 10


def test_gradients_go_through():
    a = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    b = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda a, b: associative_scan(linear, (a, b), 0)[1], (a, b))
    assert gradcheck(lambda a, b: scan(lambda c, x: (c * x + b[0], c.sin()), b[1], a), (a, b))
    assert gradcheck(lambda a: control_flow.map(lambda x, w: x * w, a, b), (a,))
    assert gradcheck(lambda a: torch.cond(a.sum() > 0, torch.sin, torch.cos, (a,)), (a,))
    assert gradcheck(
        lambda a: while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * a), (0, a))[1], (a,)
    )


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("reverse", [False, True])
def test_scan_stacks_where_it_took(dim, reverse):
    x = torch.arange(12.0).reshape(3, 4)
    slices = x.unbind(dim)
    carry, outputs = torch.zeros_like(slices[0]), []
    for part in slices[::-1] if reverse else slices:
        outputs.append(carry * part)
        carry = carry + part
    got, ys = scan(
        lambda c, v: (c + v, {"y": c * v}), torch.zeros_like(slices[0]), x, dim=dim, reverse=reverse
    )
    assert torch.equal(got, carry)
    assert torch.equal(ys["y"], torch.stack(outputs[::-1] if reverse else outputs, dim))


def test_cond_runs_one_branch():
    x = torch.ones(3)
    for pred in (True, 1, 2.5, torch.tensor([[True]])):
        assert torch.equal(torch.cond(pred, lambda x: x + 1, lambda x: 1 / 0, (x,)), x + 1)
    for pred in (False, 0, torch.tensor(0.0)):
        assert torch.equal(torch.cond(pred, lambda x: 1 / 0, lambda x: x - 1, [x]), x - 1)
    assert torch.cond(torch.tensor(True), lambda: "first", lambda: "second") == "first"


def test_while_loop_of_none():
    start = (torch.tensor(7), {"x": torch.ones(2)})
    assert while_loop(lambda i, d: i < 3, lambda i, d: (i + 1, d), start) == start


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: torch.cond(x > 0, torch.sin, torch.cos, (x,)), RuntimeError, r"\.any\(\)"),
        (lambda x: torch.cond("yes", torch.sin, torch.cos, (x,)), RuntimeError, "is str"),
        (lambda x: torch.cond(True, torch.sin, torch.cos, x), TypeError, r"write \(x,\)"),
        (lambda x: while_loop(3, torch.sin, (x,)), RuntimeError, "must be callable"),
        (lambda x: while_loop(torch.any, torch.sin, x), TypeError, r"write \(x,\)"),
        (lambda x: while_loop(torch.any, lambda x: x[:1], (x,)), RuntimeError, "must stay of"),
        (lambda x: while_loop(torch.any, lambda x: (x, x), (x,)), RuntimeError, "must stay of"),
        (lambda x: scan(lambda c, v: (c,), x[0], x), RuntimeError, r"a pair .* tuple of 1"),
        (lambda x: scan(lambda c, v: (c.int(), v), x[0], x), RuntimeError, "torch.int32"),
        (lambda x: scan(lambda c, v: (c, v), (), x), RuntimeError, "no tensors"),
        (lambda x: scan(3, x, x), RuntimeError, "must be callable"),
        (lambda x: scan(lambda c, v: (c, v), x, x[:0]), RuntimeError, r"not zero.*\(0,\)"),
        (lambda x: control_flow.map(torch.sin, (x, x[1:])), RuntimeError, "of one length"),
        (lambda x: control_flow.map(torch.sin, 3), RuntimeError, "a int"),
        (lambda x: associative_scan(3, x, 0), ValueError, "must be callable"),
        (lambda x: associative_scan(torch.add, x, 0, combine_mode="odd"), ValueError, "'odd'"),
        (lambda x: associative_scan(torch.add, x[:0], 0), ValueError, "not zero"),
        (lambda x: associative_scan(torch.add, x, 5), IndexError, "out of range"),
        (lambda x: associative_scan(lambda a, b: a.sum(), x, 0), ValueError, "what it gets"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.ones(3))


def test_modules_have_the_names_that_scripts_import():
    names = [
        ("associative_scan", associative_scan),
        ("cond", torch.cond),
        ("map", control_flow.map),
        ("scan", scan),
        ("while_loop", while_loop),
    ]

    for name, function in names:
        module = import_module(f"rushlight._higher_order_ops.{name}")
        assert getattr(module, name) is function
        assert getattr(control_flow, name) is function  # the import put no module in its place
