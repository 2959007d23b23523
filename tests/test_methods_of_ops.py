"""Ops as functions, which do not bind, and as methods of tensors, which do."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import rushlight as rl
import rushlight.array_api
import rushlight.func
import rushlight.nn.functional as F
import rushlight.sparse
from rushlight import _core, nn


class _Plain:
    act = rl.tanh
    join = rl.stack


class _Net(nn.Module):
    act = F.softplus

    def forward(self, x: rl.Tensor) -> rl.Tensor:
        return self.act(x)


def test_a_function_kept_in_a_class_is_called_without_the_instance() -> None:
    x = rl.randn(3)
    assert _Plain().act(x).equal(x.tanh())
    assert _Plain().join([x, x], dim=1).shape == (3, 2)
    assert _Net()(x).equal(F.softplus(x))


def test_a_method_binds() -> None:
    x = rl.randn(3)
    bound = x.tanh
    assert bound().equal(rl.tanh(x)) and rl.Tensor.tanh(x).equal(rl.tanh(x))
    assert bound.__self__ is x and bound.__name__ == "tanh"
    assert super(nn.Parameter, nn.Parameter(x)).tanh().equal(rl.tanh(x))
    y = x.clone()
    y.tanh_().add_(1)
    y += 1
    assert y.equal(x.tanh() + 1 + 1) and (2 - y).equal(-(y - 2))


def _tensor_types(of: type = rl.Tensor) -> list[type]:
    return [of, *(found for kind in type.__subclasses__(of) for found in _tensor_types(kind))]


def test_no_function_stands_in_tensor() -> None:
    named = [
        (kind.__name__, name)
        for kind in _tensor_types()
        for name, value in vars(kind).items()
        if type(value) is _core.Op
    ]
    assert not named, "Tensor.name = op.method()"


def test_a_method_is_found_as_its_function() -> None:
    method: Any = rl.Tensor.tanh
    assert method == rl.tanh and rl.tanh == method and method != rl.sin
    assert {rl.tanh: 1}[method] == {method: 1}[rl.tanh] == 1
    assert method.__doc__ == rl.tanh.__doc__ and repr(method) == "<op tanh>"
    assert pickle.loads(pickle.dumps(method)) is method and copy.deepcopy(method) is method
    assert pickle.loads(pickle.dumps(rl.tanh)) is rl.tanh
