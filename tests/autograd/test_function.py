"""autograd.Function: operations with a derivative written by the user."""

import pytest

import rushlight as torch
from rushlight.autograd import Function
from rushlight.autograd.function import once_differentiable


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 3 * x * x


def test_forward_backward_and_twice():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = Cube.apply(x)
    assert y.grad_fn.name() == "CubeBackward"
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [3.0, 12.0]
    g.sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_gradcheck():
    x = torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Cube.apply, (x,))
    assert torch.autograd.gradgradcheck(Cube.apply, (x,))


def test_needs_input_grad_and_none():
    class Scale(Function):
        @staticmethod
        def forward(ctx, x, factor, other):
            ctx.factor = factor
            return x * factor + other

        @staticmethod
        def backward(ctx, grad):
            assert ctx.needs_input_grad == (True, False, False)
            return grad * ctx.factor, None, None

    x = torch.ones(2, requires_grad=True)
    Scale.apply(x, 3.0, torch.ones(2)).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_wrong_number_of_gradients():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="expected 2, got 1"):
        Wrong.apply(x, x).sum().backward()


def test_setup_context():
    class Exp(Function):
        @staticmethod
        def forward(x):
            return x.exp()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(output)

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.saved_tensors[0]

    x = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Exp.apply, (x,))
    assert torch.autograd.gradgradcheck(Exp.apply, (x,))


def test_mark_dirty():
    class AddOne(Function):
        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 5

    x = torch.ones(2, requires_grad=True)
    y = x * 1
    z = AddOne.apply(y)
    assert z is y and y.tolist() == [2.0, 2.0]
    z.sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]


def test_non_differentiable_output_and_missing_gradients():
    seen = []

    class Two(Function):
        @staticmethod
        def forward(ctx, x):
            index = (x > 0).to(torch.float32)
            ctx.mark_non_differentiable(index)
            return x * 2, index, x * 3

        @staticmethod
        def backward(ctx, a, b, c):
            seen.append((a.tolist(), c.tolist()))
            return a * 2 + c * 3

    x = torch.ones(2, requires_grad=True)
    a, index, _ = Two.apply(x)
    assert not index.requires_grad
    a.sum().backward()
    assert seen == [([1.0, 1.0], [0.0, 0.0])] and x.grad.tolist() == [2.0, 2.0]


def test_saved_tensor_is_checked_and_freed():
    x = torch.ones(2, requires_grad=True)
    y = x * 1
    z = Cube.apply(y)
    y.add_(1)
    with pytest.raises(RuntimeError, match="inplace operation.*CubeBackward"):
        z.sum().backward()
    z = Cube.apply(x)
    z.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        z.sum().backward()


def test_once_differentiable():
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        @once_differentiable
        def backward(ctx, grad):
            return grad * 2

    x = torch.ones(1, requires_grad=True)
    Once.apply(x).backward()
    assert x.grad.item() == 2.0
    (g,) = torch.autograd.grad(Once.apply(x), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.backward()


def test_functions_are_not_instantiated():
    with pytest.raises(RuntimeError, match="apply"):
        Cube()
