"""What a node keeps: what the gradients that are wanted need, and nothing else."""

from __future__ import annotations

import gc
import weakref

import pytest

import rushlight as rl
from rushlight.nn import functional as F


def leaf(*shape: int, wanted: bool = True) -> rl.Tensor:
    return rl.randn(*shape).requires_grad_(wanted)


PRODUCTS = {
    "mul": (lambda a, b: a * b, (3, 3), (3, 3)),
    "div": (lambda a, b: a / b, (3, 3), (3, 3)),
    "matmul": (lambda a, b: a @ b, (3, 3), (3, 3)),
    "bmm": (rl.bmm, (2, 3, 3), (2, 3, 3)),
    "linear": (F.linear, (4, 3), (2, 3)),
    "conv2d": (F.conv2d, (1, 2, 5, 5), (3, 2, 3, 3)),
    "conv_transpose2d": (F.conv_transpose2d, (1, 2, 5, 5), (2, 3, 3, 3)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_an_input_may_be_written_to_where_no_gradient_needs_it(name: str) -> None:
    product, *shapes = PRODUCTS[name]
    a, b = leaf(*shapes[0]), leaf(*shapes[1], wanted=False)
    x = a * 1
    y = product(x, b)
    expected = rl.autograd.grad(y.sum(), a, retain_graph=True)[0]
    x.mul_(2)  # the gradient of x needs b alone
    assert rl.autograd.grad(y.sum(), a, retain_graph=True)[0].equal(expected)
    b.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("name", PRODUCTS)
def test_an_input_that_no_gradient_needs_is_let_go(name: str) -> None:
    product, *shapes = PRODUCTS[name]
    a, b = leaf(*shapes[0]), leaf(*shapes[1], wanted=False)
    x = rl.ones_like(a, requires_grad=False)
    alive = weakref.ref(x)
    y = product(x, b.requires_grad_())  # only b has a gradient, which needs x
    del x
    gc.collect()
    assert alive() is not None
    del y
    x = a.relu()  # saves its result, not as this object
    alive = weakref.ref(x)
    y = product(x, b.detach())
    del x
    gc.collect()
    assert alive() is None
    y.sum().backward()
    assert a.grad is not None


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_the_gradient_of_one_input_is_that_of_all(name: str, create_graph: bool) -> None:
    product, *shapes = PRODUCTS[name]
    a, b = leaf(*shapes[0]), leaf(*shapes[1])
    both = rl.autograd.grad(product(a, b).square().sum(), (a, b))
    for at in range(2):
        given = [a.detach(), b.detach()]
        given[at].requires_grad_()
        loss = product(*given).square().sum()
        found = rl.autograd.grad(loss, given[at], create_graph=create_graph)[0]
        assert found.requires_grad == create_graph
        rl.testing.assert_close(found.detach(), both[at])


def test_in_place_ops_keep_no_copy_that_nobody_needs() -> None:
    a, factor = leaf(3), rl.tensor([2.0, 3.0, 4.0])
    x = a * 1
    x.mul_(factor)
    assert x.grad_fn._saved_self is None
    x.sum().backward()
    assert a.grad.tolist() == [2, 3, 4]
    b = leaf(3)
    x = a.detach() * 1
    before = x.clone()
    x.mul_(b)
    x.sum().backward()
    assert b.grad.equal(before)


def test_hooks_see_what_is_kept() -> None:
    packed = []
    a, b = leaf(3), leaf(3, wanted=False)
    with rl.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        y = a * b
    assert len(packed) == 1 and packed[0].equal(b)
    y.sum().backward()
    assert a.grad.equal(b)


def test_hooks_see_the_tensors_themselves() -> None:
    """So a hook can leave parameters alone; of results it sees the values, without the node."""
    packed: list = []
    parameter = rl.nn.Parameter(rl.ones(3))

    class Product(rl.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, grad):
            a, b = ctx.saved_tensors
            return grad * b, grad * a

    for multiply in (lambda a, b: a * b, Product.apply):
        packed.clear()
        hidden = leaf(3) * 2
        with rl.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
            y = multiply(hidden, parameter)
        assert any(t is parameter for t in packed)
        assert any(t is hidden and t.grad_fn is not None for t in packed)
        parameter.grad = None
        y.sum().backward()
        assert parameter.grad.equal(hidden)
    packed.clear()
    with rl.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        leaf(3).exp()
    assert len(packed) == 1 and packed[0].grad_fn is None


def test_saved_values_by_name() -> None:
    x = leaf(3)
    y = x.exp()
    assert y.grad_fn._saved_result.equal(y) and y.grad_fn._saved_result.grad_fn is y.grad_fn
    z = x * y
    assert z.grad_fn._saved_self is x and z.grad_fn._saved_other is y
    assert (x**2).grad_fn._saved_exponent == 2
    with pytest.raises(AttributeError):
        z.grad_fn._saved_result  # noqa: B018
    assert (x * y.detach()).grad_fn._saved_self is None
    z.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        z.grad_fn._saved_self  # noqa: B018


def test_history_of_what_hooks_unpack() -> None:
    """Double backward goes through saved leaves, results and intermediate values."""

    class Cube(rl.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale):
            result = x**3 * scale
            ctx.save_for_backward(x, result)
            return result

        @staticmethod
        def backward(ctx, grad):
            x, result = ctx.saved_tensors
            return grad * 3 * result / x, None

    x = rl.tensor([2.0, 3.0], requires_grad=True)
    for source in (lambda: x, lambda: x * 1):
        with rl.autograd.graph.saved_tensors_hooks(lambda t: t.numpy(), rl.from_numpy):
            y = Cube.apply(source(), 2.0)
        (first,) = rl.autograd.grad(y.sum(), x, create_graph=True)
        (second,) = rl.autograd.grad(first.sum(), x)
        assert first.tolist() == [24, 54] and second.tolist() == [24, 36]
