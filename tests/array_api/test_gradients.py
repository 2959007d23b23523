"""Derivatives through the namespace: its functions are rushlight's ops, so they record."""

from __future__ import annotations

import pytest

import rushlight as rl
import rushlight.array_api as xp
from rushlight.autograd import gradcheck

A = [[0.3, -1.2, 0.8], [1.7, 0.4, -0.6]]


def leaf(values=A):
    return rl.tensor(values, dtype=rl.float64, requires_grad=True)


FUNCTIONS = {
    "add 0-dim": lambda x: xp.add(x, xp.asarray(2.0)),
    "operators": lambda x: (xp.asarray(x) * 2 - 1) / 3 + 4 - xp.asarray(x) ** 2,
    "reflected": lambda x: 2 / (3 + xp.exp(x)),
    "floor_divide": lambda x: x + xp.floor_divide(x, 0.7),
    "remainder": lambda x: xp.remainder(x, 0.7),
    "sign": lambda x: x * xp.sign(x),
    "clip": lambda x: xp.clip(x, -0.5, xp.asarray(1.0)),
    "where": lambda x: xp.where(x > 0, x, 0.5 * x),
    "sum": lambda x: xp.sum(x * x, axis=(0, 1)),
    "no axes": lambda x: xp.sum(x * x, axis=()),
    "max": lambda x: xp.max(x, axis=1),
    "std": lambda x: xp.std(x, axis=1, correction=1.0),
    "cumulative_prod": lambda x: xp.cumulative_prod(x, axis=1, include_initial=True),
    "diff": lambda x: xp.diff(x, axis=1),
    "concat": lambda x: xp.concat([x, 2 * x], axis=None),
    "take": lambda x: xp.take(x, xp.asarray([2, 0, 2]), axis=1),
    "take_along_axis": lambda x: xp.take_along_axis(x, xp.asarray([[0], [-1]]), axis=1),
    "sort": lambda x: xp.sort(x, axis=1, descending=True),
    "backwards": lambda x: xp.asarray(x)[::-1, ::-2],
    "repeat": lambda x: xp.repeat(x, xp.asarray([1, 2]), axis=0),
    "matmul": lambda x: xp.matmul(x, xp.matrix_transpose(x)),
    "in place": lambda x: xp.positive(x).clone().mul_(xp.exp(x)),
    "vecdot": lambda x: xp.vecdot(x, x),
    "inv": lambda x: xp.linalg.inv(xp.matmul(x, xp.asarray(x).T)),
    "svd": lambda x: xp.linalg.svdvals(x),
    "norm": lambda x: xp.linalg.vector_norm(x, ord=3),
    "rfft": lambda x: xp.abs(xp.fft.rfft(x)),
    "astype": lambda x: xp.astype(x, xp.float64) + xp.asarray(x, copy=True),
    "meshgrid": lambda x: xp.meshgrid(x[0], x[1])[0],
    "eigh": lambda x: xp.linalg.eigh(xp.matmul(x, xp.matrix_transpose(x))).eigenvalues,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients(name):
    x = leaf()
    y = FUNCTIONS[name](x)
    assert y.requires_grad
    assert gradcheck(lambda t: FUNCTIONS[name](t) + 0, (x,))


def test_what_is_given_back_as_it_is():
    """A view on the parameter, which stays a parameter and gets the gradient."""
    weight = rl.nn.Parameter(rl.ones(3))
    xp.sum(xp.asarray(weight) * 2).backward()
    assert weight.grad.tolist() == [2, 2, 2]
    assert type(weight) is rl.nn.Parameter
    x = leaf()
    for function in (xp.positive, xp.real, xp.conj, xp.asarray):
        x.grad = None
        y = function(x)
        assert y.data_ptr() == x.data_ptr()
        xp.sum(3 * y).backward()
        assert x.grad.tolist() == [[3.0] * 3] * 2


def test_a_gradient_at_a_remainder_of_zero():
    x = leaf([4.0, -4.0, 0.0])
    xp.sum(xp.remainder(x, 2.0)).backward()
    assert x.grad.tolist() == [1, 1, 1]
    divisor = leaf([2.0, 2.0, 2.0])
    xp.sum(xp.remainder(xp.asarray([4.0, 5.0, -5.0], dtype=xp.float64), divisor)).backward()
    assert divisor.grad.tolist() == [-2, -2, 3]


def test_a_training_step():
    """A loss written in the standard's functions trains a module of rushlight."""
    rl.manual_seed(0)
    model = rl.nn.Linear(3, 1)
    inputs = rl.randn(64, 3)
    target = xp.sum(inputs, axis=1, keepdims=True)
    optimizer = rl.optim.SGD(model.parameters(), lr=0.1)

    def loss(x, y):
        space = x.__array_namespace__()
        return space.mean(space.square(x - y))

    for _ in range(100):
        optimizer.zero_grad()
        value = loss(model(inputs), target)
        value.backward()
        optimizer.step()
    assert float(value) < 1e-4
    assert xp.all(xp.abs(model.weight - 1) < 0.1)


def test_under_vmap():
    x = rl.randn(4, 3)
    found = rl.func.vmap(lambda row: xp.sum(xp.exp(row) + 1))(x)
    assert rl.allclose(found, (x.exp() + 1).sum(1))
