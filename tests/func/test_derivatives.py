"""grad, vjp, jvp, jacrev, jacfwd, hessian, linearize: closed forms, finite differences, nesting."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import pytest

import rushlight as torch
from rushlight.func import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
    vmap,
)


def same(found: torch.Tensor, wanted: torch.Tensor, tol: float = 1e-9) -> None:
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted, atol=tol, rtol=tol), (found, wanted)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def differences(f: Any, x: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """The Jacobian by central differences, output shape first."""
    columns = []
    for i in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        step[i] = eps
        step = step.view(x.shape)
        columns.append((f(x + step) - f(x - step)) / (2 * eps))
    stacked = torch.stack(columns, -1)
    return stacked.view(*columns[0].shape, *x.shape)


A, B = draw(4, 3), draw(2, 4)


def net(x: torch.Tensor) -> torch.Tensor:
    return B @ torch.tanh(A @ x) + x[:2] ** 3 * x[2].exp()


def test_against_finite_differences() -> None:
    x = draw(3)
    scalar = lambda v: net(v).pow(2).sum()  # noqa: E731
    same(grad(scalar)(x), differences(scalar, x), 1e-6)
    same(jacrev(net)(x), differences(net, x), 1e-6)
    same(jacfwd(net)(x), differences(net, x), 1e-6)
    same(hessian(scalar)(x), differences(grad(scalar), x), 1e-5)
    same(hessian(net)(x), differences(jacrev(net), x), 1e-5)
    v = draw(3)
    same(jvp(net, (x,), (v,))[1], differences(net, x) @ v, 1e-6)
    w = draw(2)
    same(vjp(net, x)[1](w)[0], w @ differences(net, x), 1e-6)


def test_every_way_to_a_hessian_is_the_same() -> None:
    x = draw(3)
    f = lambda v: net(v).sin().sum()  # noqa: E731
    wanted = hessian(f)(x)
    for outer in (jacrev, jacfwd):
        for inner in (jacrev, jacfwd, grad):
            same(outer(inner(f))(x), wanted)
    v = draw(3)
    same(jvp(grad(f), (x,), (v,))[1], wanted @ v)
    same(vjp(grad(f), x)[1](v)[0], wanted @ v)
    same(grad(lambda a: jvp(f, (a,), (v,))[1])(x), wanted @ v)
    same(linearize(grad(f), x)[1](v), wanted @ v)
    same(torch.autograd.functional.hessian(f, x), wanted)


def test_higher_orders() -> None:
    f, x = torch.sin, torch.tensor(0.3, dtype=torch.float64)
    for wanted in (x.cos(), -x.sin(), -x.cos(), x.sin(), x.cos()):
        f = grad(f)
        same(f(x), wanted)


def test_what_is_around_is_told_from_what_is_inside() -> None:
    x = torch.tensor(2.0)
    # d/dx (x * d/dy (x + y)) = 1, not 2
    assert grad(lambda x: x * grad(lambda y: x + y)(torch.tensor(1.0)))(x).item() == 1.0
    assert grad(lambda x: x * jvp(lambda y: x * y, (x,), (torch.tensor(1.0),))[1])(x).item() == 4.0
    assert jvp(lambda x: x * grad(lambda y: x * y)(x), (x,), (torch.tensor(1.0),))[1].item() == 4.0
    w = torch.tensor(3.0, requires_grad=True)
    slope = grad(lambda y: w**2 * y)(x)
    assert torch.autograd.grad(slope, w)[0].item() == 6.0


def test_results_are_as_free_as_the_inputs() -> None:
    x, w = draw(3), draw(3).requires_grad_()
    f = lambda v: (v**2).sum()  # noqa: E731
    (value, aux), *_ = [grad_and_value(lambda v: (f(v), v * 2), has_aux=True)(x)[1]]
    out, pull = vjp(torch.sin, x)
    for leaf in (grad(f)(x), value, aux, out, pull(x)[0], jvp(torch.sin, (x,), (x,))[1],
                 jacrev(torch.sin)(x), jacfwd(torch.sin)(x), hessian(f)(x),
                 grad(lambda v: grad(lambda u: (u * v).sum() ** 2)(x).sum())(x),
                 grad(lambda v: vjp(torch.sin, v)[1](v)[0].sum())(x),
                 grad(lambda v: jvp(torch.sin, (v,), (v,))[1].sum())(x)):  # fmt: skip
        assert not leaf.requires_grad
    g = lambda v: (v * w).sum() ** 2  # noqa: E731
    for leaf in (grad(g)(x), vjp(g, x)[0], vjp(g, x)[1](torch.tensor(1.0).double())[0],
                 jvp(g, (x,), (x,))[1], jacrev(g)(x), hessian(g)(x)):  # fmt: skip
        assert leaf.requires_grad
        assert torch.autograd.grad(leaf.sum(), w, retain_graph=True)[0].shape == (3,)
    assert w.grad is None


def test_a_tensor_that_requires_grad_is_followed_outwards() -> None:
    x = draw(3).requires_grad_()
    found = torch.autograd.grad(grad(lambda v: (v**3).sum())(x).sum(), x)[0]
    same(found, (6 * x).detach())
    with torch.no_grad():
        inner = grad(lambda v: (v**3).sum())(x)
        assert not inner.requires_grad
    same(inner, (3 * x**2).detach())


def test_no_grad_inside_makes_a_constant() -> None:
    def f(v: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            fixed = v**2
        return (v * fixed).sum()

    x = draw(3)
    same(grad(f)(x), x**2)
    same(vmap(grad(f))(x[None].expand(2, 3))[1], x**2)


def test_nests() -> None:
    Pair = namedtuple("Pair", "a b")
    inputs = {"p": Pair(draw(2), [draw(3), (draw(1)[0],)]), "q": OrderedDict(z=draw(2))}

    def f(t: Any) -> torch.Tensor:
        return (t["p"].a * t["q"]["z"]).sum() * t["p"].b[0].sum() + t["p"].b[1][0] ** 2

    found = grad(f)(inputs)
    assert type(found["p"]) is Pair and type(found["q"]) is OrderedDict
    same(found["p"].b[1][0], 2 * inputs["p"].b[1][0])
    same(found["q"]["z"], inputs["p"].a * inputs["p"].b[0].sum())


def test_arguments_and_aux() -> None:
    x, y = draw(2), draw(2)
    f = lambda a, b, scale=1.0: (a * b**2).sum() * scale  # noqa: E731
    same(grad(f)(x, y, scale=3.0), 3 * y**2)
    same(grad(f, -1)(x, y), 2 * x * y)
    both = grad(f, (1, 0))(x, y)
    same(both[0], 2 * x * y)
    same(both[1], y**2)
    slope, (value, aux) = grad_and_value(lambda a: ((a**2).sum(), {"a": a}), has_aux=True)(x)
    same(slope, 2 * x)
    same(value, (x**2).sum())
    same(aux["a"], x)
    _, pull, extra = vjp(lambda a: (a * 2, "text"), x, has_aux=True)
    assert extra == "text" and pull(x)[0].shape == (2,)


def test_an_input_without_influence_gets_zeros() -> None:
    x, y = draw(2), draw(3)
    same(grad(lambda a, b: a.sum(), 1)(x, y), torch.zeros(3, dtype=torch.float64))
    same(jacrev(lambda a: torch.ones(2, dtype=torch.float64))(y), torch.zeros(2, 3).double())
    same(jacfwd(lambda a: torch.ones(2, dtype=torch.float64))(y), torch.zeros(2, 3).double())
    same(jvp(lambda a: x, (y,), (y,))[1], torch.zeros(2).double())
    with pytest.raises(RuntimeError, match="independent"):
        jvp(lambda a: x, (y,), (y,), strict=True)
    same(hessian(lambda a: a.sum())(y), torch.zeros(3, 3).double())


def test_complex_inputs() -> None:
    z = torch.complex(draw(3), draw(3))
    slope = grad(lambda a: (a * a.conj()).real.sum())(z)
    same(torch.view_as_real(slope), torch.view_as_real(2 * z))
    v = torch.complex(draw(3), draw(3))
    moved = jvp(lambda a: a.exp() * a.conj(), (z,), (v,))[1]
    wanted = z.exp() * v * z.conj() + z.exp() * v.conj()
    same(torch.view_as_real(moved), torch.view_as_real(wanted))


def test_in_place_and_random_inside() -> None:
    def f(v: torch.Tensor) -> torch.Tensor:
        a = v.clone()
        a[0] = v[1] ** 2
        a.mul_(v)
        return a.sum()

    x = draw(3)
    same(grad(f)(x), torch.stack([x[1] ** 2, 2 * x[0] * x[1] + 2 * x[1], 2 * x[2]]))
    torch.manual_seed(0)
    noise = torch.randn(3, dtype=torch.float64)
    torch.manual_seed(0)
    same(grad(lambda v: (v * torch.randn(3, dtype=torch.float64)).sum())(x), noise)


def test_chunks_and_unused_memory() -> None:
    x = draw(4)
    for chunk in (1, 2, 3, 9):
        same(jacrev(net_of_four, chunk_size=chunk)(x), jacrev(net_of_four)(x))


def net_of_four(x: torch.Tensor) -> torch.Tensor:
    return torch.outer(x, x.sin()).flatten()


def test_vmap_of_everything() -> None:
    x, v = draw(5, 3), draw(5, 3)
    f = lambda a: net(a).sum()  # noqa: E731

    def loop(of: Any, *more: Any) -> torch.Tensor:
        return torch.stack([of(*items) for items in zip(x, *more, strict=True)])

    for of in (grad(f), jacrev(net), jacfwd(net), hessian(f), hessian(net), grad(grad_of_norm),
               jacfwd(grad(f)), jacrev(jacfwd(net))):  # fmt: skip
        same(vmap(of)(x), loop(of), 1e-8)
        same(vmap(vmap(of))(x[None]), loop(of)[None], 1e-8)
    push = lambda a, t: jvp(net, (a,), (t,))[1]  # noqa: E731
    same(vmap(push)(x, v), loop(push, v))
    pull = lambda a, t: vjp(net, a)[1](t)[0]  # noqa: E731
    same(vmap(pull)(x, v[:, :2]), loop(pull, v[:, :2]))
    outer = lambda a: vmap(f)(a).pow(2).sum()  # noqa: E731
    same(grad(outer)(x), torch.stack([2 * f(a) * grad(f)(a) for a in x]))
    second = hessian(lambda a: vmap(grad(f))(a).sum())(x[:2])  # (2, 3, 2, 3), 0 between items
    for i in range(2):
        same(second[i, :, i], hessian(lambda a: grad(f)(a).sum())(x[i]), 1e-7)
        same(second[i, :, 1 - i], torch.zeros(3, 3).double())


def grad_of_norm(a: torch.Tensor) -> torch.Tensor:
    return grad(lambda b: net(b).norm())(a).norm()


def test_batched_gradients_of_autograd() -> None:
    x = draw(3, 2).requires_grad_()
    y = torch.softmax(x * 2, 1)
    rows = draw(4, 3, 2)
    found = torch.autograd.grad(y, x, rows, is_grads_batched=True, create_graph=True)[0]
    wanted = torch.stack([torch.autograd.grad(y, x, r, create_graph=True)[0] for r in rows])
    same(found.detach(), wanted.detach())
    same(*(torch.autograd.grad(g.pow(2).sum(), x, retain_graph=True)[0] for g in (found, wanted)))
    with pytest.raises(RuntimeError, match="first dimension"):
        torch.autograd.grad(y, x, rows[0], is_grads_batched=True)
