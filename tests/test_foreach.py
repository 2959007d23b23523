"""torch._foreach_*: each op over lists of tensors is the op on each."""

from __future__ import annotations

import pytest

import rushlight as torch


def lists(count: int = 2) -> list[list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(3)
    shapes = ((2, 3), (4,))
    return [
        [torch.rand(shape, generator=generator) + 0.5 for shape in shapes] for _ in range(count)
    ]


def test_unary():
    (xs,) = lists(1)
    for name in ("abs", "exp", "sqrt", "neg", "reciprocal", "sigmoid", "log1p", "sign", "rsqrt"):
        expected = [getattr(x, name)() for x in xs]
        for found, one in zip(getattr(torch, f"_foreach_{name}")(xs), expected):
            assert torch.equal(found, one)
        changed = [x.clone() for x in xs]
        assert getattr(torch, f"_foreach_{name}_")(changed)[0] is changed[0]
        assert all(map(torch.equal, changed, expected))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "maximum", "minimum"])
def test_binary(name):
    xs, ys = lists()
    op = {"maximum": "clamp_min", "minimum": "clamp_max"}.get(name, name)
    for other, single in ((ys, ys), (2.0, [2.0] * 2), ([2.0, 3.0], [2.0, 3.0])):
        expected = [getattr(x, op)(y) for x, y in zip(xs, single)]
        assert all(map(torch.equal, getattr(torch, f"_foreach_{name}")(xs, other), expected))
        changed = [x.clone() for x in xs]
        getattr(torch, f"_foreach_{name}_")(changed, other)
        assert all(map(torch.equal, changed, expected))


def test_options_and_others():
    xs, ys, zs = lists(3)
    found = torch._foreach_add(xs, ys, alpha=2)
    assert all(torch.equal(f, x.add(y, alpha=2)) for f, x, y in zip(found, xs, ys))
    found = torch._foreach_lerp(xs, ys, 0.25)
    assert all(torch.equal(f, x.lerp(y, 0.25)) for f, x, y in zip(found, xs, ys))
    for scale, single in ((0.5, (0.5, 0.5)), ([1.0, 2.0], (1.0, 2.0))):
        found = torch._foreach_addcdiv(xs, ys, zs, scale)
        expected = [x.addcdiv(y, z, value=s) for x, y, z, s in zip(xs, ys, zs, single)]
        assert all(map(torch.equal, found, expected))
    assert torch._foreach_norm(xs, 1)[0] == xs[0].abs().sum()
    assert torch.equal(torch._foreach_pow(2.0, xs)[1], 2.0 ** xs[1])
    assert torch._foreach_max(xs)[0] == xs[0].max()
    torch._foreach_copy_(xs, ys)
    assert torch.equal(xs[1], ys[1])
    torch._foreach_zero_(xs)
    assert xs[0].sum() == 0


def test_refused():
    xs, ys = lists()
    with pytest.raises(RuntimeError, match="at least one"):
        torch._foreach_add([], 1.0)
    with pytest.raises(RuntimeError, match="same number"):
        torch._foreach_add(xs, ys[:1])
    with pytest.raises(TypeError, match="list"):
        torch._foreach_copy_(xs, 1.0)
    with pytest.raises(AttributeError):
        torch._foreach_nothing  # noqa: B018


def test_gradients_pass():
    xs = [torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)]
    sum(y.sum() for y in torch._foreach_mul(xs, [2.0, 3.0])).backward()
    assert xs[1].grad.tolist() == [3.0, 3.0, 3.0]
