"""repr, str and format of tensors: texts recorded from PyTorch 2.13, and the options."""

from math import inf, nan

import pytest

import rushlight as rl
from rushlight.printing import printoptions

# an expression: its text
TEXTS = [
    ("rl.tensor(1.5)", "tensor(1.5000)"),
    ("rl.tensor(3.0)", "tensor(3.)"),
    ("rl.tensor(-7)", "tensor(-7)"),
    ("rl.tensor(True)", "tensor(True)"),
    ("rl.tensor(nan)", "tensor(nan)"),
    ("rl.tensor(1.2345e-10)", "tensor(1.2345e-10)"),
    ("rl.tensor(123456789.0)", "tensor(1.2346e+08)"),
    (
        "rl.tensor(0.1, dtype=rl.float64)",
        "tensor(0.1000, dtype=torch.float64)",
    ),
    ("rl.tensor(1.5 - 2j)", "tensor(1.5000-2.j)"),
    ("rl.tensor([])", "tensor([])"),
    ("rl.tensor([], dtype=rl.int64)", "tensor([], dtype=torch.int64)"),
    ("rl.zeros(0, 3)", "tensor([], size=(0, 3))"),
    (
        "rl.zeros(2, 0, requires_grad=True)",
        "tensor([], size=(2, 0), requires_grad=True)",
    ),
    ("rl.tensor([1.0, 2.5, -3.25])", "tensor([ 1.0000,  2.5000, -3.2500])"),
    ("rl.tensor([1.0, 2.0, 300.0])", "tensor([  1.,   2., 300.])"),
    (
        "rl.tensor([[0.0, 0.37], [0.74, 1.11]])",
        "tensor([[0.0000, 0.3700],\n        [0.7400, 1.1100]])",
    ),
    (
        "rl.arange(12).reshape(2, 2, 3)",
        "tensor([[[ 0,  1,  2],\n"
        "         [ 3,  4,  5]],\n"
        "\n"
        "        [[ 6,  7,  8],\n"
        "         [ 9, 10, 11]]])",
    ),
    ("rl.tensor([1e-5, 1.0, 1e5])", "tensor([1.0000e-05, 1.0000e+00, 1.0000e+05])"),
    ("rl.tensor([1e-3, 1.0])", "tensor([0.0010, 1.0000])"),
    ("rl.tensor([1e9, 2.5e10])", "tensor([1.0000e+09, 2.5000e+10])"),
    ("rl.tensor([1e10, 2e10])", "tensor([1.0000e+10, 2.0000e+10])"),
    (
        "rl.tensor([1e-30, 2e-38, 1e-42])",
        "tensor([1.0000e-30, 2.0000e-38, 1.0005e-42])",
    ),
    ("rl.tensor([nan, inf, -inf, 1.0])", "tensor([nan, inf, -inf, 1.])"),
    ("rl.tensor([nan, nan])", "tensor([nan, nan])"),
    (
        "rl.tensor([1e-8, nan, 3.0])",
        "tensor([1.0000e-08,        nan, 3.0000e+00])",
    ),
    ("rl.tensor([-0.0, 0.0, 1.0])", "tensor([-0., 0., 1.])"),
    (
        "rl.tensor([0.99995, 0.00005, 1.00005])",
        "tensor([9.9995e-01, 5.0000e-05, 1.0000e+00])",
    ),
    (
        "rl.tensor([0.1, 2.0], dtype=rl.float16)",
        "tensor([0.1000, 2.0000], dtype=torch.float16)",
    ),
    (
        "rl.tensor([0.1, 300.0], dtype=rl.bfloat16)",
        "tensor([1.0010e-01, 3.0000e+02], dtype=torch.bfloat16)",
    ),
    ("rl.tensor([0, 255], dtype=rl.uint8)", "tensor([  0, 255], dtype=torch.uint8)"),
    (
        "rl.tensor([[True, False], [False, False]])",
        "tensor([[ True, False],\n        [False, False]])",
    ),
    (
        "rl.tensor([[1, -20], [300, 4]])",
        "tensor([[  1, -20],\n        [300,   4]])",
    ),
    (
        "rl.tensor([1 + 2j, -3.5 + 0j, 0.25 - 1e-3j])",
        "tensor([ 1.0000+2.0000e+00j, -3.5000+0.0000e+00j,  0.2500-1.0000e-03j])",
    ),
    (
        "rl.tensor([1 + 2j, 1e6 - 1e-6j], dtype=rl.complex128)",
        "tensor([1.0000e+00+2.0000e+00j, 1.0000e+06-1.0000e-06j],\n       dtype=torch.complex128)",
    ),
    (
        "rl.arange(30) * 1.5",
        "tensor([ 0.0000,  1.5000,  3.0000,  4.5000,  6.0000,  7.5000,  9.0000, 10.5000,\n"
        "        12.0000, 13.5000, 15.0000, 16.5000, 18.0000, 19.5000, 21.0000, 22.5000,\n"
        "        24.0000, 25.5000, 27.0000, 28.5000, 30.0000, 31.5000, 33.0000, 34.5000,\n"
        "        36.0000, 37.5000, 39.0000, 40.5000, 42.0000, 43.5000])",
    ),
    ("rl.arange(1001)", "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    (
        "rl.arange(2000).reshape(40, 50)",
        "tensor([[   0,    1,    2,  ...,   47,   48,   49],\n"
        "        [  50,   51,   52,  ...,   97,   98,   99],\n"
        "        [ 100,  101,  102,  ...,  147,  148,  149],\n"
        "        ...,\n"
        "        [1850, 1851, 1852,  ..., 1897, 1898, 1899],\n"
        "        [1900, 1901, 1902,  ..., 1947, 1948, 1949],\n"
        "        [1950, 1951, 1952,  ..., 1997, 1998, 1999]])",
    ),
    (
        "rl.zeros(11, 10, 10)",
        "tensor([[[0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         ...,\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.]],\n"
        "\n"
        "        [[0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         ...,\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.]],\n"
        "\n"
        "        [[0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         ...,\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.]],\n"
        "\n"
        "        ...,\n"
        "\n"
        "        [[0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         ...,\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.]],\n"
        "\n"
        "        [[0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         ...,\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.]],\n"
        "\n"
        "        [[0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         ...,\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "         [0., 0., 0.,  ..., 0., 0., 0.]]])",
    ),
    (
        "rl.arange(2002).reshape(2, 1001)",
        "tensor([[   0,    1,    2,  ...,  998,  999, 1000],\n"
        "        [1001, 1002, 1003,  ..., 1999, 2000, 2001]])",
    ),
    ("rl.ones(2, requires_grad=True)", "tensor([1., 1.], requires_grad=True)"),
    (
        "rl.ones(2, dtype=rl.float64, requires_grad=True)",
        "tensor([1., 1.], dtype=torch.float64, requires_grad=True)",
    ),
    (
        "rl.ones(2, requires_grad=True) * 2",
        "tensor([2., 2.], grad_fn=<MulBackward0>)",
    ),
    (
        "rl.ones(12, dtype=rl.float64, requires_grad=True)",
        "tensor([1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.], dtype=torch.float64,\n"
        "       requires_grad=True)",
    ),
    (
        "rl.arange(6).reshape(2, 3).t()",
        "tensor([[0, 3],\n        [1, 4],\n        [2, 5]])",
    ),
    (
        "rl.tensor([[1.0], [2.0]]).expand(2, 3)",
        "tensor([[1., 1., 1.],\n        [2., 2., 2.]])",
    ),
]


@pytest.fixture(autouse=True)
def default_options():
    rl.set_printoptions(profile="default")
    yield
    rl.set_printoptions(profile="default")


@pytest.mark.parametrize(("expression", "text"), TEXTS, ids=[row[0] for row in TEXTS])
def test_text(expression, text):
    tensor = eval(expression, {"rl": rl, "nan": nan, "inf": inf})
    assert repr(tensor) == text
    assert str(tensor) == text
    assert "%s" % (tensor,) == text  # noqa: UP031
    if tensor.dim():
        assert f"{tensor}" == text


def test_parameter_has_a_heading():
    parameter = rl.nn.Parameter(rl.ones(2))
    expected = "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert repr(parameter) == expected


def test_subclass_names_itself():
    class Distance(rl.Tensor):
        pass

    assert repr(rl.ones(2).as_subclass(Distance)) == "Distance([1., 1.])"


def test_tensor_contents_stand_in_for_the_numbers():
    tensor = rl.ones(2, dtype=rl.float64)
    assert tensor.__repr__(tensor_contents="...") == "tensor(..., dtype=torch.float64)"


def test_printing_leaves_no_trace_in_the_graph():
    x = rl.ones(3, requires_grad=True)
    y = x * 2
    repr(y)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [(3.14159, ".3f", "3.142"), (7, "04d", "0007"), (1.5, "", "1.5"), (True, "", "True")],
)
def test_format_of_a_number(value, spec, text):
    assert format(rl.tensor(value), spec) == text


def test_format_of_a_tracked_number():
    assert f"{rl.tensor(2.0, requires_grad=True):.1f}" == "2.0"


@pytest.mark.parametrize("shape", [(2,), (1,), (1, 1)])
def test_format_of_more_than_a_number_says_what_to_do(shape):
    with pytest.raises(TypeError, match=r"unsupported format string.*tolist"):
        format(rl.ones(shape), ".3f")


def test_precision():
    rl.set_printoptions(precision=2)
    assert repr(rl.tensor([1 / 3, 2 / 3])) == "tensor([0.33, 0.67])"


def test_sci_mode_is_set_by_every_call():
    rl.set_printoptions(sci_mode=True)
    assert repr(rl.tensor([1.5])) == "tensor([1.5000e+00])"
    rl.set_printoptions(precision=2)
    assert repr(rl.tensor([1.5])) == "tensor([1.50])"
    rl.set_printoptions(sci_mode=False)
    assert repr(rl.tensor([1e-6, 1e6])) == "tensor([      0.00, 1000000.00])"


def test_threshold_and_edgeitems():
    rl.set_printoptions(threshold=10, edgeitems=2)
    assert repr(rl.arange(11)) == "tensor([ 0,  1,  ...,  9, 10])"
    rows = "tensor([[ 0,  1,  ...,  3,  4],\n        [ 5,  6,  ...,  8,  9],\n        ...,\n"
    assert repr(rl.arange(40).reshape(8, 5)).startswith(rows)


def test_no_edgeitems_shows_the_size():
    rl.set_printoptions(threshold=2, edgeitems=0)
    assert repr(rl.arange(6).reshape(2, 3)) == "tensor([...], size=(2, 3))"
    assert repr(rl.arange(2)) == "tensor([0, 1], size=(2,))"


def test_linewidth():
    rl.set_printoptions(linewidth=30)
    text = "tensor([0, 1, 2, 3, 4, 5, 6,\n        7, 8, 9])"
    assert repr(rl.arange(10)) == text


def test_profiles():
    rl.set_printoptions(profile="short")
    assert rl.get_printoptions() == {
        "precision": 2,
        "threshold": 1000,
        "edgeitems": 2,
        "linewidth": 80,
        "sci_mode": None,
    }
    rl.set_printoptions(profile="full")
    assert "..." not in repr(rl.zeros(2000))


def test_context_manager_restores_also_after_an_error():
    before = rl.get_printoptions()
    with pytest.raises(KeyError), printoptions(precision=1, sci_mode=True):
        assert repr(rl.tensor([0.25])) == "tensor([2.5e-01])"
        raise KeyError
    assert rl.get_printoptions() == before


def test_options_round_trip():
    rl.set_printoptions(precision=3, linewidth=50, sci_mode=False)
    options = rl.get_printoptions()
    rl.set_printoptions(profile="default")
    rl.set_printoptions(**options)
    assert rl.get_printoptions() == options


def test_default_dtype_is_not_named():
    rl.set_default_dtype(rl.float64)
    try:
        assert repr(rl.ones(1, dtype=rl.float64)) == "tensor([1.])"
        assert repr(rl.ones(1, dtype=rl.float32)) == "tensor([1.], dtype=torch.float32)"
        assert repr(rl.ones(1, dtype=rl.complex128)) == "tensor([1.+0.j])"
    finally:
        rl.set_default_dtype(rl.float32)
