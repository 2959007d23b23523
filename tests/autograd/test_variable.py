"""torch.autograd.Variable, as scripts from before PyTorch 0.4 call it."""

from __future__ import annotations

import pytest

import rushlight as torch
from rushlight import nn
from rushlight.autograd import Variable


def test_a_call_makes_a_tensor_that_wants_a_gradient():
    data = torch.ones(2)
    x = Variable(data, requires_grad=True)
    assert type(x) is torch.Tensor and x.requires_grad and x is not data and x.grad_fn is None
    assert x.data_ptr() == data.data_ptr() and not data.requires_grad
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0] and data.grad is None
    assert Variable(data, True).requires_grad and Variable(data=data, requires_grad=True).is_leaf


def test_history_ends_there():
    x = torch.ones(2, requires_grad=True)
    for made in (Variable(x * 2), Variable(x), Variable(x * 2, requires_grad=False)):
        assert not made.requires_grad and made.grad_fn is None
    assert Variable(x * 2, requires_grad=True).is_leaf


def test_what_it_takes():
    assert Variable().shape == (0,) and Variable(torch.ones(1), name="x").shape == (1,)
    with pytest.warns(UserWarning, match="volatile was removed"):
        assert not Variable(torch.ones(1), volatile=True).requires_grad
    for wrong in ([1, 2], 3.0):
        with pytest.raises(TypeError, match="has to be a tensor"):
            Variable(wrong)
    with pytest.raises(RuntimeError, match="floating point"):
        Variable(torch.ones(1, dtype=torch.int64), requires_grad=True)


def test_every_tensor_is_one():
    for value in (torch.ones(1), nn.Parameter(torch.ones(1))):
        assert isinstance(value, Variable)
    assert not isinstance(1, Variable) and not isinstance([torch.ones(1)], Variable)
