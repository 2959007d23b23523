"""functional_call, stack_module_state, rearrange, and what they are for."""

from __future__ import annotations

from typing import Any

import pytest

import rushlight as torch
from rushlight.func import (
    functional_call,
    functionalize,
    grad,
    rearrange,
    replace_all_batch_norm_modules_,
    stack_module_state,
    vmap,
)

nn = torch.nn


def same(found: torch.Tensor, wanted: torch.Tensor) -> None:
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted, atol=1e-5), (found, wanted)


def detached(module: Any) -> dict:
    return {name: p.detach() for name, p in module.named_parameters()}


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2, bias=False)
        self.second = nn.Linear(2, 2, bias=False)
        self.second.weight = self.first.weight
        self.register_buffer("offset", torch.zeros(2))

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        self.offset.add_(1)
        return self.second(self.first(x)) * scale + self.offset


def test_functional_call_replaces_and_puts_back() -> None:
    module = Tied()
    weight, x = torch.randn(2, 2), torch.randn(3, 2)
    before = module.first.weight
    found = functional_call(module, {"first.weight": weight}, (x,), {"scale": 2.0})
    same(found, x @ weight.t() @ weight.t() * 2 + 1)
    assert module.first.weight is before and module.second.weight is before
    same(module.offset, torch.ones(2))
    mine = torch.full((2,), 5.0)
    functional_call(module, ({"first.weight": weight}, {"offset": mine}), x)
    same(mine, torch.full((2,), 6.0))
    same(module.offset, torch.ones(2))
    untied = functional_call(module, {"first.weight": weight}, x, tie_weights=False)
    same(untied, x @ weight.t() @ before.t() + 2)


def test_functional_call_puts_back_after_an_error() -> None:
    layer = nn.Linear(2, 1)
    before = layer.weight
    with pytest.raises(RuntimeError):
        functional_call(layer, {"weight": torch.ones(1, 2)}, torch.ones(3, 5))
    assert layer.weight is before


def test_functional_call_refuses() -> None:
    module, x = Tied(), torch.ones(1, 2)
    with pytest.raises(ValueError, match="multiple values"):
        functional_call(module, {"first.weight": torch.ones(2, 2),
                                 "second.weight": torch.ones(2, 2)}, x)  # fmt: skip
    with pytest.raises(ValueError, match="multiple dictionaries"):
        functional_call(module, ({"offset": x[0]}, {"offset": x[0]}), x)
    with pytest.raises(RuntimeError, match=r"(?s)Unexpected.*Missing"):
        functional_call(module, {"nothing": x}, x, strict=True)
    with pytest.raises(TypeError):
        functional_call(module, {"offset": 3}, x)
    values = {"first.weight": torch.ones(2, 2), "offset": torch.zeros(2)}
    functional_call(module, values, x, strict=True)


def test_gradients_of_a_functional_call() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x = torch.randn(5, 3)
    found = grad(lambda p: functional_call(module, p, (x,)).pow(2).sum())(detached(module))
    module(x).pow(2).sum().backward()
    for name, p in module.named_parameters():
        same(found[name], p.grad)
    assert all(p.grad is not None for p in module.parameters())


def networks() -> list[Any]:
    return [
        (lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3)), (4,)),
        (lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.GELU(), nn.MaxPool2d(2),
                               nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(36, 3)), (2, 6, 6)),
        (lambda: nn.Sequential(nn.ConvTranspose1d(2, 3, 3), nn.AdaptiveAvgPool1d(2), nn.Flatten(),
                               nn.Linear(6, 3)), (2, 5)),
        (lambda: nn.Sequential(nn.Conv2d(4, 4, 3, groups=2, stride=2), nn.SiLU(), nn.Flatten(),
                               nn.Linear(16, 3)), (4, 5, 5)),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(4))
def test_gradients_of_single_samples(number: int) -> None:
    build, shape = networks()[number]
    module = build()
    x, y = torch.randn(6, *shape), torch.randint(0, 3, (6,))

    def loss(p: dict, one: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(functional_call(module, p, (one[None],)), label[None])

    values = detached(module)
    found = vmap(grad(loss), (None, 0, 0))(values, x, y)
    for i in range(6):
        wanted = grad(loss)(values, x[i], y[i])
        for name in values:
            same(found[name][i], wanted[name])


@pytest.mark.parametrize("number", range(4))
def test_ensembles(number: int) -> None:
    build, shape = networks()[number]
    models = [build() for _ in range(3)]
    parameters, buffers = stack_module_state(models)
    assert all(p.requires_grad and p.is_leaf for p in parameters.values())
    x = torch.randn(5, *shape)

    def call(p: dict, b: dict, one: torch.Tensor) -> torch.Tensor:
        return functional_call(models[0], (p, b), (one,))

    found = vmap(call, (0, 0, None))(parameters, buffers, x)
    same(found, torch.stack([m(x) for m in models]))
    found.pow(2).sum().backward()
    for i, model in enumerate(models):
        model(x).pow(2).sum().backward()
        for name, p in model.named_parameters():
            same(parameters[name].grad[i], p.grad)


def test_an_ensemble_with_batch_norm_and_dropout() -> None:
    models = [nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)) for _ in range(3)]
    parameters, buffers = stack_module_state(models)
    x = torch.randn(8, 3)

    def call(p: dict, b: dict, one: torch.Tensor) -> torch.Tensor:
        return functional_call(models[0], (p, b), (one,))

    found = vmap(call, (0, 0, None), randomness="different")(parameters, buffers, x)
    assert 0.2 < (found == 0).float().mean().item() < 0.8
    assert bool(((found[0] == 0) != (found[1] == 0)).any())
    for i, model in enumerate(models):
        model(x)
        for name, b in model.named_buffers():
            same(buffers[name][i].double(), b.double())
    for model in models:
        model.eval()
    parameters, buffers = stack_module_state(models)
    same(vmap(call, (0, 0, None))(parameters, buffers, x), torch.stack([m(x) for m in models]))


def test_batch_norm_with_shared_statistics() -> None:
    norm = nn.BatchNorm1d(2)
    with pytest.raises(RuntimeError, match="not batched"):
        vmap(norm)(torch.randn(4, 3, 2))
    assert replace_all_batch_norm_modules_(norm) is norm
    x = torch.randn(4, 3, 2)
    same(vmap(norm)(x), torch.stack([norm(one) for one in x]))


def test_stack_module_state_refuses() -> None:
    with pytest.raises(RuntimeError, match="at least one"):
        stack_module_state([])
    with pytest.raises(RuntimeError, match="same class"):
        stack_module_state([nn.Linear(1, 1), nn.ReLU()])
    with pytest.raises(RuntimeError, match="training/eval"):
        stack_module_state([nn.Linear(1, 1), nn.Linear(1, 1).eval()])


def test_rearrange() -> None:
    x = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    same(rearrange(x, "b c h w -> b h w c"), x.permute(0, 2, 3, 1))
    same(rearrange(x, "b c h w -> (b h) (w c)"), x.permute(0, 2, 3, 1).reshape(8, 15))
    same(rearrange(x, "b c (h k) w -> b h c k w", k=2), x.view(2, 3, 2, 2, 5).transpose(1, 2))
    same(rearrange(x, "b ... w -> w (b ...)"), x.permute(3, 0, 1, 2).reshape(5, 24))
    same(rearrange(x[0], "c h w -> 1 c 1 (h w)"), x[0].reshape(1, 3, 1, 20))
    same(rearrange([x[0], x[1]], "b c h w -> c b h w"), x.transpose(0, 1))
    for pattern, sizes in (("a b -> a", {}), ("b c h w -> b c h", {}), ("b c h w", {}),
                           ("b c (h h2) w -> b c h h2 w", {}), ("b c h w -> b b c h w", {}),
                           ("b c (h k) w -> b c h k w", {"k": 3}), ("b c h w -> b c h w", {"x": 1}),
                           ("b (c h w -> b c h w", {})):  # fmt: skip
        with pytest.raises(ValueError, match="rearrange"):
            rearrange(x, pattern, **sizes)


def test_functionalize_changes_nothing() -> None:
    f = functionalize(lambda a: a.clone().add_(1))
    same(f(torch.zeros(2)), torch.ones(2))
    with pytest.raises(RuntimeError):
        functionalize(f, remove="all")(torch.zeros(2))
