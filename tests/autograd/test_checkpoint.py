"""Activation checkpointing: the same gradients, with less kept and the same random numbers."""

import functools

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.utils import checkpoint as module
from rushlight.utils.checkpoint import (
    CheckpointError,
    checkpoint,
    checkpoint_sequential,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)

BOTH = pytest.mark.parametrize("use_reentrant", [False, True])


@pytest.fixture
def model():
    rl.manual_seed(0)
    parts = [nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 8), nn.Tanh()]
    return nn.Sequential(*parts, nn.Linear(8, 1))


def gradients(model, run):
    rl.manual_seed(3)
    x = rl.linspace(-1, 1, 20).reshape(5, 4).requires_grad_()
    model.zero_grad()
    out = run(x)
    out.sum().backward()
    drawn = rl.rand(1)  # the generator goes on as without a checkpoint
    return [out.detach(), x.grad, drawn, *(p.grad for p in model.parameters())]


def same(expected, got):
    return all(rl.equal(a, b) for a, b in zip(expected, got, strict=True))


@BOTH
def test_gradients(model, use_reentrant):
    expected = gradients(model, model)
    kwargs = {"use_reentrant": use_reentrant}
    assert same(expected, gradients(model, lambda x: checkpoint(model, x, **kwargs)))
    for segments in (1, 2, 3, 6):
        run = functools.partial(checkpoint_sequential, model, segments, **kwargs)
        assert same(expected, gradients(model, run))
    functions = list(model)
    got = gradients(model, lambda x: checkpoint_sequential(functions, 2, x, **kwargs))
    assert same(expected, got)


@BOTH
def test_without_the_random_state(model, use_reentrant):
    expected = gradients(model, model)
    kwargs = {"use_reentrant": use_reentrant, "preserve_rng_state": False}
    got = gradients(model, lambda x: checkpoint(model, x, **kwargs))
    assert rl.equal(expected[0], got[0]) and not rl.equal(expected[1], got[1])


@BOTH
def test_nested(model, use_reentrant):
    kwargs = {"use_reentrant": use_reentrant}

    def outer(x):
        return model[3:](checkpoint(model[:3], x, **kwargs))

    expected = gradients(model, model)
    assert same(expected, gradients(model, lambda x: checkpoint(outer, x, **kwargs)))


@BOTH
def test_several_inputs_and_outputs(use_reentrant):
    def function(a, flag, b, none):
        assert flag is True and none is None
        return a * b, b.exp(), 5

    a, b = rl.ones(2).requires_grad_(), rl.zeros(2).requires_grad_()
    first, second, five = checkpoint(function, a, True, b, None, use_reentrant=use_reentrant)
    assert five == 5
    (first + 2 * second).sum().backward()
    assert a.grad.tolist() == [0, 0] and b.grad.tolist() == [3, 3]


def test_nothing_is_kept():
    """What the function saves is a number each; its tensors are there again in backward only."""
    kept = []
    x = rl.ones(3).requires_grad_()
    hooks = rl.autograd.graph.saved_tensors_hooks
    with hooks(lambda t: kept.append(tuple(t.shape)) or t, lambda t: t):
        y = checkpoint(lambda v: (v.exp().sin() * v).sum(), x, use_reentrant=False)
    assert kept == [(3,)]  # the input
    y.backward()
    z = rl.ones(3).requires_grad_()
    (z.exp().sin() * z).sum().backward()
    assert rl.equal(x.grad, z.grad)


def counting(calls, added=0):
    def function(x):
        calls.append("begins")
        x = x.exp().exp()
        calls.append("ends")
        return x + added

    return function


def test_early_stop():
    x = rl.ones(1).requires_grad_()
    for how, expected in (({}, 1), ({"early_stop": False}, 2)):
        calls = []
        checkpoint(counting(calls, 1), x, use_reentrant=False, **how).backward()
        assert calls.count("begins") == 2 and calls.count("ends") == expected
    calls = []
    with set_checkpoint_early_stop(False):
        y = checkpoint(counting(calls), x, use_reentrant=False)
    y.backward()
    assert calls.count("ends") == 2


def test_backward_twice_and_grad():
    x = rl.ones(2).requires_grad_()
    y = checkpoint(lambda v: v.exp().sum(), x, use_reentrant=False)
    y.backward(retain_graph=True)
    first = x.grad.clone()
    y.backward(retain_graph=True)
    assert rl.equal(x.grad, 2 * first)
    (g,) = rl.autograd.grad(y, x)
    assert rl.equal(g, first)


def test_keyword_arguments_and_contexts():
    log = []

    class Logged:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            log.append(self.name)

        def __exit__(self, *exc):
            log.append(self.name + " left")

    x = rl.ones(2).requires_grad_()
    y = checkpoint(
        lambda v, *, factor: (v * factor).exp(),
        x,
        use_reentrant=False,
        context_fn=lambda: (Logged("forward"), Logged("again")),
        factor=2.0,
    )
    y.sum().backward()
    assert log == ["forward", "forward left", "again", "again left"]
    with rl.no_grad():
        assert not checkpoint(lambda v: v.exp(), x, use_reentrant=False).requires_grad


def test_recomputation_must_do_the_same():
    x = rl.ones(2).requires_grad_()

    def changing(*forms):
        remaining = list(forms)
        return lambda v: remaining.pop(0)(v)

    cases = [
        (lambda v: v.exp().exp(), lambda v: v + 1, "A different number of tensors"),
        (lambda v: v.exp(), lambda v: v.double().exp(), "different metadata"),
    ]
    for first, second, text in cases:
        with pytest.raises(CheckpointError, match=text):
            checkpoint(changing(first, second), x, use_reentrant=False).sum().backward()
    y = checkpoint(
        changing(lambda v: v.exp(), lambda v: v.exp().exp()),
        x,
        use_reentrant=False,
        early_stop=False,
    )
    with pytest.raises(CheckpointError, match="trying to save more tensors"):
        y.sum().backward()
    with set_checkpoint_debug_enabled(True):
        y = checkpoint(changing(lambda v: v.exp(), lambda v: v), x, use_reentrant=False)
    with pytest.raises(CheckpointError, match="(?s)The checkpoint:.*test_checkpoint.py"):
        y.sum().backward()
    y = checkpoint(
        changing(lambda v: v.exp(), lambda v: v.double().exp()),
        x,
        use_reentrant=False,
        determinism_check="none",
    )
    y.sum().backward()


def test_errors_in_the_function_pass():
    x = rl.ones(2).requires_grad_()
    for use_reentrant in (False, True):
        with pytest.raises(ZeroDivisionError):
            checkpoint(lambda v: 1 // 0, x, use_reentrant=use_reentrant)
    assert x.exp().sum().requires_grad  # no hook is left over


def test_arguments():
    x = rl.ones(2).requires_grad_()
    with pytest.warns(UserWarning, match="use_reentrant explicitly"):
        checkpoint(lambda v: v * 1, x)
    with pytest.warns(UserWarning, match="use_reentrant explicitly"):
        checkpoint_sequential([lambda v: v * 1] * 2, 2, x)
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        checkpoint(lambda v: v * 1, rl.ones(2), use_reentrant=True)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: factor"):
        checkpoint(lambda v: v, x, use_reentrant=True, factor=2)
    with pytest.raises(ValueError, match="`context_fn` or `debug`"):
        checkpoint(lambda v: v, x, use_reentrant=True, debug=True)
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        checkpoint(lambda v: v, x, use_reentrant=False, determinism_check="often")
    with pytest.raises(RuntimeError, match="Only tuple of tensors"):
        module.detach_variable([x])


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_recomputation_is_under_the_autocast_of_the_forward(use_reentrant: bool) -> None:
    model = rl.nn.Sequential(rl.nn.Linear(6, 6), rl.nn.GELU(), rl.nn.Linear(6, 6))
    inputs = rl.randn(4, 6, requires_grad=True)
    grads = []
    for again in (False, True):
        inputs.grad = None
        with rl.autocast("cpu", dtype=rl.bfloat16):
            if again:
                out = checkpoint(model, inputs, use_reentrant=use_reentrant)
            else:
                out = model(inputs)
        assert out.dtype is rl.bfloat16
        out.float().square().sum().backward()
        grads.append((inputs.grad.clone(), *(p.grad.clone() for p in model.parameters())))
        model.zero_grad()
    assert all(rl.equal(a, b) for a, b in zip(*grads, strict=True))
