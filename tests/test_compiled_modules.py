"""torch.compile of a module: the same module under other names, and the switches of a compiler."""

from __future__ import annotations

import copy
import io
import pickle

import pytest

import rushlight as torch
import rushlight._dynamo
import rushlight._inductor.config
from rushlight import nn


def test_names_are_those_of_compiled_models() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    compiled = torch.compile(model)
    assert compiled._orig_mod is model and not hasattr(model, "_orig_mod")
    assert isinstance(compiled, torch._dynamo.OptimizedModule)
    assert list(compiled.state_dict()) == ["_orig_mod.0.weight", "_orig_mod.0.bias"]
    file = io.BytesIO()
    torch.save(compiled.state_dict(), file)
    file.seek(0)
    compiled.load_state_dict(torch.load(file))
    assert repr(compiled).startswith("OptimizedModule(\n  (_orig_mod): Sequential(")
    assert len(compiled) == 2 and "append" in dir(compiled)
    assert hasattr(compiled, "dynamo_ctx") and not hasattr(model, "dynamo_ctx")


def test_state_is_the_models() -> None:
    model = nn.Linear(2, 2)
    compiled = torch.compile(model)
    assert compiled.training and not compiled.eval().training and not model.training
    compiled.train()
    compiled.step = 3
    assert model.training and model.step == compiled.step == 3
    del compiled.step
    assert not hasattr(model, "step")
    assert compiled.in_features == 2 and compiled.weight is model.weight
    x = torch.ones(1, 2)
    assert torch.equal(compiled(x), model(x))
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'nothing'"):
        compiled.nothing  # noqa: B018
    calls = []
    model.register_forward_hook(lambda *_: calls.append("model"))
    compiled.register_forward_hook(lambda *_: calls.append("compiled"))
    compiled(x)
    assert calls == ["model", "compiled"]


def test_copies() -> None:
    compiled = torch.compile(nn.Linear(2, 2))
    for other in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):
        assert type(other) is type(compiled) and other._orig_mod is not compiled._orig_mod
        assert torch.equal(other.weight, compiled.weight)


def test_switches_can_be_set() -> None:
    config = torch._dynamo.config
    before = config.suppress_errors
    with config.patch(suppress_errors=not before, something_new=1):
        assert config.suppress_errors is not before and config.something_new == 1
    assert config.suppress_errors is before and not hasattr(config, "something_new")
    with rushlight._inductor.config.patch("max_autotune", True):
        assert rushlight._inductor.config.max_autotune
    assert not rushlight._inductor.config.max_autotune
    torch._dynamo.mark_dynamic(torch.ones(1), 0)
    torch._dynamo.reset()
