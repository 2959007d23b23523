"""Arguments of ops: what is given by name only, and which tensors out= takes."""

from __future__ import annotations

import pytest

import rushlight as rl
from rushlight import _core


@pytest.mark.parametrize(
    "call",
    [
        lambda x: rl.add(x, x, 2),
        lambda x: x.add(x, 2),
        lambda x: x.sub_(x, 2),
        lambda x: rl.addmm(x, x, x, 1, 1),
        lambda x: rl.addcmul(x, x, x, 2),
        lambda x: rl.div(x, x, "floor"),
        lambda x: rl.round(x, 1),
        lambda x: rl.sum(x, 0, False, rl.float64),
        lambda x: x.clone(rl.preserve_format),
        lambda x: x.uniform_(0, 1, None),
        lambda x: rl.sort(x, 0, True, True),
        lambda x: rl.nn.functional.gelu(x, "tanh"),
    ],
)
def test_arguments_by_name_only(call):
    with pytest.raises(TypeError, match="too many"):
        call(rl.ones(2, 2))


def test_the_error_shows_the_signature():
    with pytest.raises(TypeError, match=r"\(input, other, \*, alpha\)"):
        rl.add(rl.ones(2), rl.ones(2), 2)


@pytest.mark.filterwarnings("ignore")
def test_older_forms_stay():
    assert rl.add(rl.ones(2), 2, rl.ones(2)).tolist() == [3.0, 3.0]


def test_rules_for_items_pass_every_argument():
    x = rl.randn(3, 4)
    doubled = rl.vmap(lambda row: rl.add(row, row, alpha=3).sum(0, dtype=rl.float64))(x)
    assert doubled.dtype is rl.float64
    rl.testing.assert_close(doubled, (4 * x).double().sum(1))
    assert rl.vmap(lambda row: row.clone().add_(row, alpha=2))(x).equal(x + 2 * x)
    assert rl.vmap(lambda row: rl.sort(row, stable=True).values)(x).equal(x.sort(1).values)
    sparse = rl.eye(2).to_sparse()
    assert rl.add(sparse, sparse, alpha=2).to_dense().equal(3 * rl.eye(2))


def test_out_says_what_is_computed_in():
    x = rl.tensor([1.7, 2.6, -4.2])
    whole = rl.empty((), dtype=rl.int64)
    assert rl.sum(x, 0, out=whole) is whole
    assert whole.item() == -1  # 1 + 2 - 4
    double = rl.empty(0, dtype=rl.float64)
    rl.cumsum(x, 0, out=double)
    assert double.equal(x.double().cumsum(0))
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype float64"):
        rl.sum(x, 0, dtype=rl.float64, out=rl.empty(()))
    with pytest.raises(RuntimeError, match="dtype"):
        rl.mean(x, 0, out=whole)


def test_out_of_the_dtype_of_the_result_only():
    x = rl.tensor([1.7, 2.6])
    for call in (rl.floor, rl.abs, lambda x, out: rl.amax(x, 0, out=out)):
        with pytest.raises(RuntimeError, match="Expected out tensor to have dtype float32"):
            call(x, out=rl.empty(0, dtype=rl.float64))
    assert rl.sqrt(x, out=rl.empty(0, dtype=rl.float64)).dtype is rl.float64


def test_an_op_that_computes_in_the_dtype_of_out_has_such_an_argument():
    with pytest.raises(ValueError, match="no argument dtype"):
        _core.Op("f", abs, ("input",), (), -1, False, False, 3, "F", 0)
