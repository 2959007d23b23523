"""Dual tensors, and the modes of gradcheck and autograd.functional that need forward mode."""

from __future__ import annotations

from typing import Any

import pytest

import rushlight as torch
from rushlight.autograd import forward_ad, gradcheck
from rushlight.autograd.gradcheck import GradcheckError
from rushlight.func import grad, jvp, vmap


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def same(found: torch.Tensor, wanted: torch.Tensor) -> None:
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted), (found, wanted)


def test_tangents() -> None:
    x, v = draw(3), draw(3)
    with forward_ad.dual_level() as level:
        assert level == 0
        dual = forward_ad.make_dual(x, v)
        primal, tangent = forward_ad.unpack_dual((dual * dual).sin())
        same(primal, (x * x).sin())
        same(tangent, 2 * x * v * (x * x).cos())
        same(forward_ad.unpack_dual(dual).tangent, v)
        assert forward_ad.unpack_dual(x).tangent is None
        assert forward_ad.unpack_dual(dual > 0).tangent is None
        assert not primal.requires_grad and not tangent.requires_grad
    assert forward_ad.unpack_dual(dual).tangent is None


def test_two_duals_and_writes_in_place() -> None:
    x, y, v, w = draw(3), draw(3), draw(3), draw(3)
    with forward_ad.dual_level():
        a, b = forward_ad.make_dual(x.clone(), v), forward_ad.make_dual(y, w)
        a.mul_(b)
        out = a.clone()
        out[0] = b[1]
        tangent = forward_ad.unpack_dual(out).tangent
    wanted = v * y + x * w
    wanted[0] = w[1]
    same(tangent, wanted)


def test_with_a_module() -> None:
    layer = torch.nn.Linear(3, 2).double()
    x = draw(4, 3)
    values = {name: (p, torch.randn_like(p)) for name, p in layer.named_parameters()}
    with forward_ad.dual_level():
        for name, (p, t) in values.items():
            delattr(layer, name)
            setattr(layer, name, forward_ad.make_dual(p, t))
        out = forward_ad.unpack_dual(layer(x))
    same(out.tangent.detach(), x @ values["weight"][1].t() + values["bias"][1])
    # The parameters require grad, so the tangent can be differentiated by them.
    assert out.primal.requires_grad


def test_inside_and_around_other_transforms() -> None:
    x, v = draw(3), draw(3)
    f = lambda a: (a**3).sum()  # noqa: E731
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, v)
        same(forward_ad.unpack_dual(grad(f)(dual)).tangent, 6 * x * v)
        same(forward_ad.unpack_dual(vmap(lambda a: a**2)(dual)).tangent, 2 * x * v)
        inner = jvp(lambda a: a**2, (dual,), (v,))[1]
        same(forward_ad.unpack_dual(inner).tangent, 2 * v * v)

    def push(t: torch.Tensor) -> torch.Tensor:
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(forward_ad.make_dual(x, t) ** 2).tangent

    same(vmap(push)(torch.eye(3, dtype=torch.float64)), torch.diag(2 * x))


def test_no_grad_around_a_level() -> None:
    x = draw(2).requires_grad_()
    with torch.no_grad(), forward_ad.dual_level():
        out = forward_ad.unpack_dual(forward_ad.make_dual(x, torch.ones(2).double()).exp())
    same(out.tangent, x.exp().detach())
    assert not out.tangent.requires_grad and not out.primal.requires_grad
    assert torch.is_grad_enabled()


def test_wrong_use() -> None:
    x = draw(2)
    with pytest.raises(RuntimeError, match="no level"):
        forward_ad.make_dual(x, x)
    with pytest.raises(RuntimeError, match="no level"):
        forward_ad.exit_dual_level()
    with forward_ad.dual_level():
        with pytest.raises(RuntimeError, match="Nested"):
            forward_ad.enter_dual_level()
        with pytest.raises(RuntimeError, match="size"):
            forward_ad.make_dual(x, draw(3))
        with pytest.raises(ValueError, match="floating"):
            forward_ad.make_dual(torch.arange(2), torch.arange(2))
        with pytest.raises(TypeError):
            forward_ad.make_dual(x, 1.0)


class Square(torch.autograd.Function):
    slope = 2.0

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return x * x

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return 2 * ctx.saved_tensors[0] * gradient

    @staticmethod
    def jvp(ctx: Any, tangent: torch.Tensor) -> torch.Tensor:
        return Square.slope * ctx.saved_tensors[0] * tangent


def test_a_function_with_its_own_jvp() -> None:
    x, v = draw(3), draw(3)
    same(jvp(Square.apply, (x,), (v,))[1], 2 * x * v)
    Square.slope = 5.0
    try:
        same(jvp(Square.apply, (x,), (v,))[1], 5 * x * v)  # jvp is asked, not backward twice
        same(grad(lambda a: Square.apply(a).sum())(x), 2 * x)
    finally:
        Square.slope = 2.0


def test_gradcheck_finds_a_wrong_tangent() -> None:
    x = draw(3).requires_grad_()
    assert gradcheck(Square.apply, (x,), check_forward_ad=True)
    Square.slope = 2.01
    try:
        assert gradcheck(Square.apply, (x,))
        with pytest.raises(GradcheckError, match="forward mode"):
            gradcheck(Square.apply, (x,), check_forward_ad=True)
        assert not gradcheck(Square.apply, (x,), check_forward_ad=True, raise_exception=False)
    finally:
        Square.slope = 2.0


def test_gradcheck_of_batches() -> None:
    x = draw(3, 2).requires_grad_()
    f = lambda a: (a.softmax(1).log(), a.sum() * a)  # noqa: E731
    assert gradcheck(f, (x,), check_forward_ad=True, check_batched_grad=True,
                     check_batched_forward_grad=True)  # fmt: skip
    assert gradcheck(f, (x,), check_forward_ad=True, check_backward_ad=False)
    z = torch.complex(draw(2), draw(2)).requires_grad_()
    assert gradcheck(lambda a: (a * a.conj() + a.exp()).sum(), (z,), check_forward_ad=True,
                     check_batched_grad=True)  # fmt: skip


def test_vectorized_jacobians() -> None:
    functional = torch.autograd.functional
    x, y = draw(3), draw(2)
    f = lambda a, b: (a[:2] * b.exp(), a.sum(), torch.ones(2).double())  # noqa: E731
    one_by_one = functional.jacobian(f, (x, y))
    for options in ({}, {"strategy": "forward-mode"}):
        found = functional.jacobian(f, (x, y), vectorize=True, **options)
        for row, wanted in zip(found, one_by_one, strict=True):
            for block, expected in zip(row, wanted, strict=True):
                same(block, expected)
    x.requires_grad_()
    kept = functional.jacobian(lambda a: a**3, x, vectorize=True, create_graph=True)
    same(torch.autograd.grad(kept.sum(), x)[0], (6 * x).detach())


def test_a_tangent_of_another_dtype_is_converted():
    x = torch.arange(3, dtype=torch.float64)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones(3))
        tangent = forward_ad.unpack_dual(dual * 2).tangent
        assert tangent.dtype is torch.float64 and tangent.tolist() == [2.0, 2.0, 2.0]
        with pytest.raises(RuntimeError, match="different size"):
            forward_ad.make_dual(x, torch.ones(4))
        with pytest.raises(RuntimeError, match="complex"):
            forward_ad.make_dual(x, torch.ones(3, dtype=torch.complex64))
