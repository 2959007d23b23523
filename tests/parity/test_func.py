"""torch.func, torch.vmap and forward mode: the same programs on rushlight and on PyTorch.

A program takes the module and a maker of tensors; what it returns must agree.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight.func.tree import tree_flatten

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

PROGRAMS: list[Any] = []


def program(function: Any) -> Any:
    PROGRAMS.append(function)
    return function


class Make:
    """Tensors of float64 from a stream that both libraries read alike."""

    def __init__(self, t: Any) -> None:
        self.t, self.random = t, np.random.default_rng(0)

    def __call__(self, *shape: int) -> Any:
        return self.t.tensor(self.random.standard_normal(shape))

    def index(self, *shape: int, high: int) -> Any:
        return self.t.tensor(self.random.integers(0, high, shape))


def values(result: Any) -> list[Any]:
    found = []
    for leaf in tree_flatten(result)[0]:
        if isinstance(leaf, (rushlight.Tensor, torch.Tensor)):
            found.append(leaf.detach().numpy())
        else:
            found.append(leaf)
    return found


# ---- products and Jacobians


@program
def gradients(t: Any, make: Any) -> Any:
    x, y = make(3), make(3)
    f = lambda a, b: (a.sin() * b).sum() + (a * b).prod()  # noqa: E731
    return (
        t.func.grad(f)(x, y),
        t.func.grad(f, argnums=(0, 1))(x, y),
        t.func.grad_and_value(f, argnums=1)(x, y),
        t.func.grad(lambda a: (f(a, y), a * 2), has_aux=True)(x),
    )


@program
def nested_gradients(t: Any, make: Any) -> Any:
    x = make()
    first = t.func.grad(lambda a: a.sin() * a.exp())
    return [f(x) for f in (first, t.func.grad(first), t.func.grad(t.func.grad(first)))]


@program
def perturbations_are_kept_apart(t: Any, make: Any) -> Any:
    grad, x = t.func.grad, make()
    inner = lambda a: grad(lambda b: a * b + a**2 * b**3)(x)  # noqa: E731
    return grad(inner)(x), grad(lambda a: a * grad(lambda b: a + b)(x))(x)


@program
def nests_of_parameters(t: Any, make: Any) -> Any:
    parameters = {"a": make(2, 3), "b": [make(3), (make(),)]}

    def f(p: Any) -> Any:
        return (p["a"] @ p["b"][0]).sum() * p["b"][1][0]

    found = t.func.grad(f)(parameters)
    return found["a"], found["b"][0], found["b"][1][0]


@program
def products(t: Any, make: Any) -> Any:
    x, v, w = make(4), make(4), make(3)
    matrix = make(3, 4)
    f = lambda a: (matrix @ a).tanh()  # noqa: E731
    value, pull = t.func.vjp(f, x)
    moved, push = t.func.linearize(f, x)
    return (
        value, pull(w), t.func.jvp(f, (x,), (v,)), moved, push(v),
        t.func.vmap(pull)(make(5, 3)), t.func.vmap(push)(make(5, 4)),
        t.func.jvp(lambda a: t.func.vjp(f, a)[1](w)[0], (x,), (v,)),
        t.func.jvp(lambda a: t.func.jvp(f, (a,), (v,))[1], (x,), (v,)),
    )  # fmt: skip


@program
def nested_outputs(t: Any, make: Any) -> Any:
    x, y = make(3), make(2)

    def f(a: Any, b: Any) -> Any:
        return {"one": a * b.sum(), "two": (b.exp(), a.sum() * b)}

    _, pull = t.func.vjp(f, x, y)
    jacobian = t.func.jacrev(f, argnums=(0, 1))(x, y)
    forward = t.func.jacfwd(f, argnums=1)(x, y)
    return (
        pull({"one": make(3), "two": (make(2), make(2))}),
        jacobian["one"], jacobian["two"], forward["one"], forward["two"],
    )  # fmt: skip


@program
def jacobians(t: Any, make: Any) -> Any:
    x, matrix = make(4), make(3, 4)
    f = lambda a: (matrix @ a).sin()  # noqa: E731
    scalar = lambda a: f(a).pow(2).sum()  # noqa: E731
    func = t.func
    return (
        func.jacrev(f)(x), func.jacfwd(f)(x), func.jacrev(f, chunk_size=2)(x),
        func.jacrev(lambda a: (f(a), a), has_aux=True)(x), func.hessian(scalar)(x),
        func.jacfwd(func.jacrev(scalar))(x), func.jacrev(func.jacfwd(scalar))(x),
        func.jacfwd(func.jacfwd(scalar))(x), func.jacrev(func.jacrev(f))(x),
        func.hessian(f)(x), func.jacrev(func.hessian(scalar))(x),
    )  # fmt: skip


@program
def hessian_of_two_arguments(t: Any, make: Any) -> Any:
    x, y = make(2), make(3)
    f = lambda a, b: (a.sum() * b).pow(3).sum()  # noqa: E731
    return t.func.hessian(f, argnums=(0, 1))(x, y)


@program
def batches_of_derivatives(t: Any, make: Any) -> Any:
    x, w = make(5, 3), make(3)
    f = lambda a, b: (a * b).sum().tanh() * a.prod()  # noqa: E731
    func, vmap = t.func, t.vmap
    return (
        vmap(func.grad(f), (0, None))(x, w), vmap(func.grad(f, 1), (0, None))(x, w),
        vmap(func.grad(f, (0, 1)), (0, None))(x, w), vmap(func.hessian(f), (0, None))(x, w),
        vmap(func.jacfwd(func.grad(f)), (0, None))(x, w), vmap(func.jacrev(f), (0, None))(x, w),
        func.grad(lambda b: vmap(func.grad(f), (0, None))(x, b).pow(2).sum())(w),
        func.jacrev(lambda b: vmap(func.grad(f), (0, None))(x, b))(w),
        func.jacfwd(lambda b: vmap(f, (0, None))(x, b))(w),
        func.hessian(lambda b: vmap(f, (0, None))(x, b).sum())(w),
        vmap(lambda a: func.jvp(lambda b: f(a, b), (w,), (a,)))(x),
        vmap(lambda a: func.vjp(lambda b: f(a, b), w)[1](a.sum()))(x),
    )  # fmt: skip


# ---- vmap


@program
def dimensions(t: Any, make: Any) -> Any:
    x, y = make(3, 4), make(4, 3)
    vmap = t.vmap
    return (
        vmap(t.dot, in_dims=(0, 1))(x, y), vmap(t.mul, in_dims=(1, 0), out_dims=1)(x, y),
        vmap(lambda d: d["a"] * d["b"], in_dims=({"a": 0, "b": None},))({"a": x, "b": y[0, 0]}),
        vmap(lambda a: (a, a.sum()), out_dims=(1, 0))(x), vmap(lambda a: {"r": a}, out_dims=-1)(x),
        vmap(vmap(t.mul))(x, x), vmap(vmap(t.mul, (0, None)), (None, 0))(x[0], y[:, 0]),
        vmap(lambda a: a * 2, chunk_size=2)(x), vmap(lambda a, b: b, in_dims=(0, None))(x, y),
        vmap(lambda a, s: a * s, in_dims=(0, None))(x, 2.0),
    )  # fmt: skip


@program
def views_and_writes(t: Any, make: Any) -> Any:
    def f(a: Any) -> Any:
        made = t.zeros_like(a)
        made[0] = a[1] * 2
        made[1:].add_(a[:-1])
        made.t().mul_(a.sum())
        made[:, 0] = 1.0
        return made

    x = make(4, 3, 3)
    return (
        t.vmap(f)(x),
        t.vmap(t.func.grad(lambda a: (f(a) * a).sum()))(x),
        t.func.grad(lambda a: (t.vmap(f)(a) * a).sum())(x),
    )


@program
def types_of_scalars(t: Any, make: Any) -> Any:
    x, half = make(4), make(4).float()
    return [
        (str(r.dtype).rpartition(".")[2], r)
        for r in (
            t.vmap(lambda a, b: a * b)(half, x), t.vmap(lambda a, b: a + b[None])(x, half),
            t.vmap(lambda a: a * 2.5)(t.arange(4)), t.vmap(lambda a, b: a[None] * b)(half, x),
            t.vmap(lambda a: t.where(a > 0, a, 0.0))(half), t.vmap(lambda a: a / 2)(t.arange(4)),
        )
    ]  # fmt: skip


@program
def indexing(t: Any, make: Any) -> Any:
    x, places = make(4, 5, 3), make.index(4, 2, high=3)
    vmap = t.vmap
    return (
        vmap(lambda a, i: a[i])(x, places), vmap(lambda a, i: a[:, i])(x, places),
        vmap(lambda a, i: a[i, i])(x, places), vmap(lambda a: a[t.tensor([2, 0]), :, None])(x),
        vmap(lambda a, i: a.index_select(0, i))(x, places),
        vmap(lambda a, i: a.gather(0, i[:, None]))(x, places),
        vmap(lambda a, i: a.index_add(0, i, a[:2]))(x, places),
        vmap(lambda a, i: t.nn.functional.embedding(i, a))(x, places),
        vmap(lambda i: t.nn.functional.embedding(i, x[0]))(places),
        vmap(lambda a: a[..., -1])(x), vmap(lambda a: a[1:4:2, ::2])(x), vmap(t.diag)(x[:, :3]),
    )  # fmt: skip


@program
def random_streams(t: Any, make: Any) -> Any:
    x = make(4, 3)
    found = []
    for randomness in ("same", "different"):
        for f in (
            lambda a: a + t.randn(3), lambda a: a * t.rand_like(a), lambda a: a[0] + t.rand(2),
            lambda a: t.nn.functional.dropout(a, 0.4), lambda a: a + t.randint(0, 9, (3,)),
        ):  # fmt: skip
            t.manual_seed(7)
            found.append(t.vmap(f, randomness=randomness)(x))
    return found


# ---- modules


def _mlp(t: Any, make: Any) -> Any:
    # No LayerNorm: PyTorch's second derivative of it is wrong under vmap, its third everywhere.
    net = t.nn.Sequential(t.nn.Linear(3, 5), t.nn.GELU(), t.nn.Linear(5, 2)).double()
    return net, {name: make(*p.shape) for name, p in net.named_parameters()}


@program
def samples_of_an_mlp(t: Any, make: Any) -> Any:
    net, parameters = _mlp(t, make)
    x, y = make(6, 3), make.index(6, high=2)

    def loss(p: Any, one: Any, label: Any) -> Any:
        logits = t.func.functional_call(net, p, (one[None],))
        return t.nn.functional.cross_entropy(logits, label[None])

    found = t.vmap(t.func.grad(loss), (None, 0, 0))(parameters, x, y)
    return [found[name] for name in parameters]


@program
def samples_of_a_small_cnn(t: Any, make: Any) -> Any:
    nn = t.nn
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.GroupNorm(3, 3),
        nn.AvgPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(12, 4),
    ).double()  # fmt: skip
    parameters = {name: make(*p.shape) for name, p in net.named_parameters()}
    x, y = make(5, 1, 8, 8), make.index(5, high=4)

    def loss(p: Any, one: Any, label: Any) -> Any:
        logits = t.func.functional_call(net, p, (one[None],))
        return nn.functional.cross_entropy(logits, label[None], label_smoothing=0.1)

    found = t.vmap(t.func.grad(loss), (None, 0, 0))(parameters, x, y)
    return [found[name] for name in parameters]


@program
def ensembles(t: Any, make: Any) -> Any:
    nn = t.nn
    found = []
    for build, shape in (
        (lambda: nn.Linear(3, 2), (4, 3)),
        (lambda: nn.Sequential(nn.Conv1d(2, 3, 2), nn.Tanh()), (4, 2, 5)),
        (lambda: nn.Sequential(nn.ConvTranspose2d(2, 3, 2, stride=2), nn.ReLU()), (2, 2, 3, 3)),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.SiLU()), (4, 3)),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), (4, 3)),
        (lambda: nn.Embedding(5, 2), None),
    ):
        models = [build().double() for _ in range(3)]
        with t.no_grad():
            for model in models:
                for p in model.parameters():
                    p.copy_(make(*p.shape))
        parameters, buffers = t.func.stack_module_state(models)
        x = make(*shape) if shape else make.index(4, high=5)

        def call(p: Any, b: Any, one: Any, base: Any = models[0]) -> Any:
            return t.func.functional_call(base, (p, b), (one,))

        found.append(t.vmap(call, (0, 0, None))(parameters, buffers, x))
        if shape:
            found.append(t.vmap(call)(parameters, buffers, make(3, *shape)))
            weights = {name: p.detach() for name, p in parameters.items()}

            def total(p: Any, b: Any = buffers, call: Any = call, x: Any = x) -> Any:
                b = {name: value.clone() for name, value in b.items()}
                return t.vmap(call, (0, 0, None))(p, b, x).pow(3).sum()

            slopes = t.func.grad(total)(weights)
            found.append([slopes[name] for name in weights])
        found.append([buffers[name] for name in buffers])
    return found


@program
def tangent_kernel(t: Any, make: Any) -> Any:
    net, parameters = _mlp(t, make)
    one, two = make(3, 3), make(2, 3)

    def f(p: Any, x: Any) -> Any:
        return t.func.functional_call(net, p, (x[None],)).squeeze(0)

    left = t.vmap(t.func.jacrev(f), (None, 0))(parameters, one)
    right = t.vmap(t.func.jacrev(f), (None, 0))(parameters, two)
    kernel = sum(
        t.einsum("naf,mbf->nmab", left[name].flatten(2), right[name].flatten(2)) for name in left
    )

    def entry(x1: Any, x2: Any) -> Any:
        def product(v: Any) -> Any:
            _, pull = t.func.vjp(lambda p: f(p, x2), parameters)
            return t.func.jvp(lambda p: f(p, x1), (parameters,), pull(v))[1]

        return t.vmap(product)(t.eye(2, dtype=one.dtype))

    products = t.vmap(t.vmap(entry, (None, 0)), (0, None))(one, two)
    return kernel, products


@program
def learning_to_learn(t: Any, make: Any) -> Any:
    net, parameters = _mlp(t, make)
    tasks, targets = make(4, 5, 3), make(4, 5, 2)

    def loss(p: Any, x: Any, y: Any) -> Any:
        return ((t.func.functional_call(net, p, (x,)) - y) ** 2).mean()

    def after_a_step(p: Any, x: Any, y: Any) -> Any:
        slopes = t.func.grad(loss)(p, x, y)
        return loss({name: p[name] - 0.1 * slopes[name] for name in p}, x, y)

    def total(p: Any) -> Any:
        return t.vmap(after_a_step, (None, 0, 0))(p, tasks, targets).sum()

    found = t.func.grad(total)(parameters)
    return total(parameters), [found[name] for name in parameters]


@program
def physics(t: Any, make: Any) -> Any:
    net, parameters = _mlp(t, make)
    points = make(6, 3)

    def u(p: Any, x: Any) -> Any:
        return t.func.functional_call(net, p, (x,))[0]

    def residual(p: Any, x: Any) -> Any:
        slope = t.func.grad(u, 1)(p, x)
        curve = t.func.hessian(u, 1)(p, x)
        return slope[0] - curve.diagonal().sum() + slope[1] ** 2

    def loss(p: Any) -> Any:
        return (t.vmap(residual, (None, 0))(p, points) ** 2).mean()

    found = t.func.grad(loss)(parameters)
    return loss(parameters), [found[name] for name in parameters]


# ---- forward mode, batches of gradients


@program
def dual_tensors(t: Any, make: Any) -> Any:
    fad = t.autograd.forward_ad
    x, v = make(3), make(3)
    w = make(3).requires_grad_()
    with fad.dual_level():
        dual = fad.make_dual(x, v)
        one = fad.unpack_dual((dual * w).sin())
        two = fad.unpack_dual(w * 2)
        three = fad.unpack_dual(dual.clone().mul_(dual)[1:])
        weight = fad.make_dual(w, v)
        four = fad.unpack_dual((weight**3).sum())
    slope = t.autograd.grad(four.tangent, w)
    return (one.primal, one.tangent, two.primal, two.tangent, three, four.primal, four.tangent,
            slope, fad.unpack_dual(x))  # fmt: skip


@program
def batched_gradients(t: Any, make: Any) -> Any:
    x = make(3, 4).requires_grad_()
    y = t.softmax(x @ x.mT, 1)
    rows = make(5, 3, 3)
    found = t.autograd.grad(y, x, rows, is_grads_batched=True, create_graph=True)[0]
    return found, t.autograd.grad(found.pow(2).sum(), x)


@program
def vectorized(t: Any, make: Any) -> Any:
    functional = t.autograd.functional
    x, y = make(3), make(2)
    f = lambda a, b: (a[:2] * b.exp(), a.sum())  # noqa: E731
    g = lambda a, b: (a.sum() * b).pow(3).sum()  # noqa: E731
    return (
        functional.jacobian(f, (x, y), vectorize=True),
        functional.jacobian(f, (x, y), vectorize=True, strategy="forward-mode"),
        functional.hessian(g, (x, y), vectorize=True),
        functional.hessian(g, (x, y), vectorize=True, outer_jacobian_strategy="forward-mode"),
    )


# ---- Functions


@program
def functions(t: Any, make: Any) -> Any:
    class Cube(t.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x: Any, w: Any) -> Any:
            return x**3 * w, x * 2

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx: Any, one: Any, two: Any) -> Any:
            x, w = ctx.saved_tensors
            return 3 * x**2 * w * one + 2 * two, x**3 * one

        @staticmethod
        def jvp(ctx: Any, dx: Any, dw: Any) -> Any:
            x, w = ctx.saved_tensors
            return 3 * x**2 * w * dx + x**3 * dw, 2 * dx

    class Own(t.autograd.Function):
        @staticmethod
        def forward(x: Any, factor: float) -> Any:
            return x * factor

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.factor = inputs[1]

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * ctx.factor, None

        @staticmethod
        def vmap(info: Any, in_dims: Any, x: Any, factor: float) -> Any:
            assert info.batch_size == 4 and in_dims[1] is None
            return Own.apply(x.movedim(in_dims[0], 0), factor), 0

    x, w = make(4, 3), make(3)
    f = lambda a, b: sum(Cube.apply(a, b)).sum()  # noqa: E731
    return (
        t.vmap(Cube.apply, (0, None))(x, w), t.vmap(t.func.grad(f, (0, 1)), (0, None))(x, w),
        t.func.grad(lambda b: t.vmap(Cube.apply, (0, None))(x, b)[0].sum())(w),
        t.func.jvp(lambda b: Cube.apply(x[0], b)[0], (w,), (w,)), t.func.jacrev(Cube.apply)(w, w),
        t.func.jacfwd(Cube.apply)(w, w), t.func.hessian(f)(x[0], w),
        t.vmap(lambda a: Own.apply(a, 2.5), in_dims=1)(make(3, 4)),
        t.vmap(t.func.grad(lambda a: Own.apply(a, 2.5).sum()))(x),
    )  # fmt: skip


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_program(function: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = values(function(torch, Make(torch)))
        found = values(function(rushlight, Make(rushlight)))
    assert len(found) == len(wanted)
    for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if isinstance(other, np.ndarray):
            assert one.shape == other.shape and one.dtype == other.dtype, place
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9, err_msg=str(place))
        else:
            assert one == other, place


ERRORS = {
    "item": lambda t: t.vmap(lambda a: a.item())(t.ones(2)),
    "branch": lambda t: t.vmap(lambda a: a if a > 0 else -a)(t.ones(2)),
    "nothing batched": lambda t: t.vmap(t.sin, in_dims=None)(t.ones(2)),
    "no inputs": lambda t: t.vmap(lambda: 1)(),
    "sizes differ": lambda t: t.vmap(t.add)(t.ones(2), t.ones(3)),
    "in_dims too far": lambda t: t.vmap(t.sin, in_dims=3)(t.ones(2)),
    "in_dims of a number": lambda t: t.vmap(t.mul)(t.ones(2), 2.0),
    "in_dims of another nest": lambda t: t.vmap(t.mul, in_dims=(0, (0, 0)))(t.ones(2), t.ones(2)),
    "in_dims of a kind": lambda t: t.vmap(t.sin, in_dims="0")(t.ones(2)),
    "out_dims": lambda t: t.vmap(t.sin, out_dims=(0, 0))(t.ones(2)),
    "out_dims None": lambda t: t.vmap(t.sin, out_dims=None)(t.ones(2)),
    "returns a number": lambda t: t.vmap(lambda a: 3)(t.ones(2)),
    "randomness": lambda t: t.vmap(lambda a: a + t.randn(1))(t.ones(2)),
    "randomness unknown": lambda t: t.vmap(t.sin, randomness="x"),
    "chunk_size": lambda t: t.vmap(t.sin, chunk_size=0),
    "write to shared": lambda t: t.vmap(lambda a: t.zeros(3).add_(a))(t.ones(2, 3)),
    "grad of a vector": lambda t: t.func.grad(t.sin)(t.ones(2)),
    "grad of no tensor": lambda t: t.func.grad(lambda a: 1.0)(t.ones(())),
    "grad argnums": lambda t: t.func.grad(t.sum, argnums=1)(t.ones(2)),
    "grad aux": lambda t: t.func.grad(t.sum, has_aux=True)(t.ones(2)),
    "vjp nest": lambda t: t.func.vjp(t.sin, t.ones(2))[1]((t.ones(2), t.ones(2))),
    "jvp primals": lambda t: t.func.jvp(t.sin, t.ones(2), t.ones(2)),
    "jvp shapes": lambda t: t.func.jvp(t.sin, (t.ones(2),), (t.ones(3),)),
    "mask": lambda t: t.vmap(lambda a: a[a > 0])(t.ones(2, 3)),
    "stack nothing": lambda t: t.func.stack_module_state([]),
    "stack different": lambda t: t.func.stack_module_state([t.nn.Linear(1, 1), t.nn.ReLU()]),
    "functional_call twice": lambda t: t.func.functional_call(
        t.nn.Linear(1, 1), ({"weight": t.ones(1, 1)}, {"weight": t.ones(1, 1)}), (t.ones(1),)
    ),
    "functional_call strict": lambda t: t.func.functional_call(
        t.nn.Linear(1, 1), {"weight": t.ones(1, 1)}, (t.ones(1),), strict=True
    ),
    "dual without level": lambda t: t.autograd.forward_ad.make_dual(t.ones(2), t.ones(2)),
    "jacfwd randomness": lambda t: t.func.jacfwd(lambda a: a + t.randn(2))(t.ones(2)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    with pytest.raises(Exception) as wanted:
        ERRORS[name](torch)
    with pytest.raises(Exception) as found:
        ERRORS[name](rushlight)
    assert type(found.value) is type(wanted.value), f"{found.value!r}, expected {wanted.value!r}"


def test_every_name_is_there() -> None:
    assert set(torch.func.__all__) == set(rushlight.func.__all__)
    assert rushlight.vmap is rushlight.func.vmap
