"""The package functorch: make_functional and what came before torch.func."""

from __future__ import annotations

import pytest

import rushlight as torch
from rushlight import nn
from rushlight.func import functorch


def test_make_functional():
    model = nn.Linear(3, 2)
    x = torch.randn(4, 3)
    with pytest.warns(FutureWarning, match="torch.func"):
        function, params = functorch.make_functional(model)
    assert torch.equal(function(params, x), model(x))
    doubled = tuple(2 * p for p in params)
    torch.testing.assert_close(function(doubled, x), 2 * model(x))
    grads = functorch.grad(lambda p: function(p, x).sum())(params)
    assert grads[1].tolist() == [4.0, 4.0]
    with pytest.warns(FutureWarning), pytest.raises(RuntimeError, match="buffers"):
        functorch.make_functional(nn.BatchNorm1d(2))


def test_buffers_and_ensembles():
    models = [nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).eval() for _ in range(3)]
    x = torch.randn(5, 3)
    with pytest.warns(FutureWarning):
        function, params, buffers = functorch.make_functional_with_buffers(
            models[0], disable_autograd_tracking=True
        )
    assert not params[0].requires_grad
    torch.testing.assert_close(function(params, buffers, x), models[0](x))
    with pytest.warns(FutureWarning):
        function, params, buffers = functorch.combine_state_for_ensemble(models)
    found = functorch.vmap(function, in_dims=(0, 0, None))(params, buffers, x)
    torch.testing.assert_close(found, torch.stack([model(x) for model in models]))
    with pytest.warns(FutureWarning), pytest.raises(RuntimeError, match="at least one"):
        functorch.combine_state_for_ensemble([])
