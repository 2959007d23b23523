"""autograd.Function under vmap: rules that are written and rules that are made."""

from __future__ import annotations

from typing import Any

import pytest

import rushlight as torch
from rushlight.func import grad, hessian, jacrev, jvp, vmap


def same(found: torch.Tensor, wanted: torch.Tensor) -> None:
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted), (found, wanted)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


class Scale(torch.autograd.Function):
    """(x^2 * w, x), by a rule that is made."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor, w: torch.Tensor) -> tuple:
        return x**2 * w, x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        ctx.save_for_backward(*inputs)
        ctx.factor = 2.0

    @staticmethod
    def backward(ctx: Any, one: torch.Tensor, two: torch.Tensor) -> tuple:
        x, w = ctx.saved_tensors
        return ctx.factor * x * w * one + two, (x**2 * one).sum_to_size(w.shape)


def plain(x: torch.Tensor, w: torch.Tensor) -> tuple:
    return x**2 * w, x * 1


class Sort(torch.autograd.Function):
    """Sorted through NumPy, by a rule that is written."""

    @staticmethod
    def forward(x: torch.Tensor, dim: int) -> tuple:
        import numpy

        values = x.detach().numpy()
        order = numpy.argsort(values, dim)
        return torch.from_numpy(numpy.take_along_axis(values, order, dim)), torch.tensor(order)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])
        ctx.dim = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor, _: Any) -> tuple:
        (order,) = ctx.saved_tensors
        return torch.zeros_like(grad).scatter(ctx.dim, order, grad), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, x: torch.Tensor, dim: int) -> tuple:
        assert info.randomness == "error" and in_dims[1] is None
        x = x.movedim(in_dims[0], 0)
        assert x.shape[0] == info.batch_size
        return Sort.apply(x, dim if dim < 0 else dim + 1), (0, 0)


@pytest.mark.parametrize("dims", [(0, None), (0, 0), (None, 0)])
def test_a_made_rule(dims: tuple) -> None:
    x = draw(4, 3) if dims[0] == 0 else draw(3)
    w = draw(4, 3) if dims[1] == 0 else draw(3)
    for of in (
        lambda f: vmap(f, dims)(x, w)[0],
        lambda f: vmap(grad(lambda a, b: (f(a, b)[0] * f(a, b)[1]).sum(), (0, 1)), dims)(x, w)[0],
        lambda f: vmap(grad(lambda a, b: (f(a, b)[0] ** 2).sum(), (0, 1)), dims)(x, w)[1],
        lambda f: grad(lambda a: (vmap(f, dims)(a, w)[0] ** 2).sum())(x),
        lambda f: grad(lambda b: (vmap(f, dims)(x, b)[0] ** 2).sum())(w),
        lambda f: vmap(hessian(lambda a, b: f(a, b)[0].sum()), dims)(x, w),
        lambda f: vmap(jacrev(f, 1), dims)(x, w)[0],
        lambda f: jvp(lambda a: vmap(f, dims)(a, w)[0], (x,), (x,))[1],
    ):
        same(of(Scale.apply), of(plain))


def test_a_written_rule() -> None:
    x = draw(4, 3, 2)
    found, order = vmap(Sort.apply, in_dims=(1, None))(x, 0)
    same(found, x.transpose(0, 1).sort(1)[0])
    assert order.dtype is torch.int64
    f = lambda v: (Sort.apply(v, 0)[0] * torch.arange(4.0).double()[:, None]).sum()  # noqa: E731
    same(vmap(grad(f), in_dims=1)(x), torch.stack([grad(f)(x[:, i]) for i in range(3)]))
    same(grad(lambda a: vmap(f, 1)(a).sum())(x), vmap(grad(f), 1, 1)(x))


def test_missing_rules() -> None:
    class Nothing(torch.autograd.Function):
        @staticmethod
        def forward(x: torch.Tensor) -> torch.Tensor:
            return x * 2

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple, output: Any) -> None: ...

    class Old(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    class Both(Nothing):
        generate_vmap_rule = True

        @staticmethod
        def vmap(info: Any, in_dims: tuple, x: torch.Tensor) -> tuple:
            return x, 0

    for cls, what in ((Nothing, "vmap support"), (Old, "setup_context"), (Both, "both")):
        with pytest.raises(RuntimeError, match=what):
            vmap(cls.apply)(torch.ones(2))


def test_the_gradient_of_what_items_share() -> None:
    class Shared(Scale):
        @staticmethod
        def backward(ctx: Any, one: torch.Tensor, two: torch.Tensor) -> tuple:
            x, w = ctx.saved_tensors
            return 2 * x * w * one + two, torch.ones_like(w)

    x, w = draw(4, 3), draw(3).requires_grad_()
    vmap(Shared.apply, (0, None))(x, w)[0].sum().backward()
    same(w.grad, torch.full((3,), 4.0).double())
