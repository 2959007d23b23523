"""Strides and versions beside PyTorch: copies, casts, what is made like something, gradients."""

from __future__ import annotations

import copy
import itertools

import pytest

import rushlight

torch = pytest.importorskip("torch")

FORMATS = ["contiguous_format", "preserve_format", "channels_last", "channels_last_3d"]
LIKE = ["zeros_like", "ones_like", "empty_like", "rand_like", "randn_like"]


def geometries():
    """(shape, strides): dense in every order, with gaps, expanded, with sizes of 1 and 0."""
    for shape in ((3, 4), (2, 3, 4), (2, 3, 4, 5), (2, 1, 3, 1), (1, 3, 1, 2), (2, 3, 2, 2, 3)):
        for order in itertools.islice(itertools.permutations(range(len(shape))), 0, None, 5):
            for gap in (1, 2):
                strides, step = [0] * len(shape), gap
                for axis in order:
                    strides[axis] = step
                    step *= shape[axis]
                yield shape, tuple(strides)
    yield from [((4, 3), (0, 1)), ((4, 3), (1, 0)), ((4, 3, 2), (1, 0, 4)), ((0, 3), (1, 2))]
    yield from [((3, 1), (1, 3)), ((2, 1, 3), (3, 7, 1)), ((2, 3, 1), (1, 2, 77)), ((), ())]
    yield from [((2, 3, 4, 5), (60, 1, 15, 3)), ((1, 3, 4, 5), (1, 1, 15, 3)), ((4, 1, 1, 1),) * 2]


def made(module, shape, strides):
    span = 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if 0 not in shape else 0
    return module.arange(float(span)).as_strided(shape, strides)


def outcome(function):
    """Strides, version and values of the result, or the type of the exception."""
    try:
        result = function()
    except (RuntimeError, ValueError, TypeError) as error:
        return type(error)
    if isinstance(result, bool):
        return result
    return result.stride(), result._version, result.tolist()


def same(function, shape, strides, compared=lambda outcome: outcome):
    ours, theirs = (
        compared(outcome(lambda module=module: function(module, made(module, shape, strides))))
        for module in (rushlight, torch)
    )
    assert ours == theirs, (shape, strides)


def of_several(shape):
    """Without the strides of lone elements or none: pointwise operations give other ones."""

    def compared(outcome):
        if isinstance(outcome, tuple):
            steps = [step for step, size in zip(outcome[0], shape) if size != 1]
            return steps if 0 not in shape else [], *outcome[1:]
        return outcome

    return compared


COPIES = {
    "clone": lambda module, x: x.clone(),
    "detach": lambda module, x: x.detach().clone(),
    "double": lambda module, x: x.double(),
    "to": lambda module, x: x.to(module.int64),
    "to copy": lambda module, x: x.to(x.dtype, copy=True),
    "contiguous": lambda module, x: x.contiguous(),
    "parameter": lambda module, x: copy.deepcopy(module.nn.Parameter(x)).detach(),
    "zeros_like": lambda module, x: module.zeros_like(x),
    "ones_like": lambda module, x: module.ones_like(x, dtype=module.int64),
    "full_like": lambda module, x: module.full_like(x, 3.5),
    "masked_fill": lambda module, x: x.masked_fill(x > 3, 0.0),
    "transpose_copy": lambda module, x: module.transpose_copy(x, -1, 0) if x.ndim else x,
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_lie_as_in_pytorch(name):
    for shape, strides in geometries():
        same(COPIES[name], shape, strides, of_several(shape))


@pytest.mark.parametrize("format", FORMATS)
def test_formats(format):
    for shape, strides in geometries():
        for call in (
            lambda module, x: x.clone(memory_format=getattr(module, format)),
            lambda module, x: x.contiguous(memory_format=getattr(module, format)),
            lambda module, x: x.to(memory_format=getattr(module, format)),
            lambda module, x: x.to(module.float64, memory_format=getattr(module, format)),
            lambda module, x: x.is_contiguous(memory_format=getattr(module, format)),
            lambda module, x: module.zeros_like(x, memory_format=getattr(module, format)),
            lambda module, x: module.full_like(x, 2.0, memory_format=getattr(module, format)),
            lambda module, x: module.empty(
                x.shape, memory_format=getattr(module, format)
            ).zero_(),
        ):
            same(call, shape, strides)


@pytest.mark.parametrize("name", ["rand_like", "randn_like", "randint_like"])
@pytest.mark.parametrize("format", [None, *FORMATS])
def test_draws_fill_in_the_order_of_memory(name, format):
    def draw(module, x):
        module.manual_seed(3)
        keywords = {} if format is None else {"memory_format": getattr(module, format)}
        result = getattr(module, name)(x, *((100,) if name == "randint_like" else ()), **keywords)
        return result.mul(1e4).round() if name == "randn_like" else result

    for shape, strides in geometries():
        same(draw, shape, strides, of_several(shape))


FRESH = {
    "zeros": lambda m: m.zeros(2),
    "ones": lambda m: m.ones(2),
    "full": lambda m: m.full((2,), 3),
    "rand": lambda m: m.rand(2),
    "randn": lambda m: m.randn(2),
    "randint": lambda m: m.randint(3, (2,)),
    "randperm": lambda m: m.randperm(3),
    "normal": lambda m: m.normal(m.zeros(2), m.ones(2)),
    "normal of numbers": lambda m: m.normal(0.0, 1.0, (3,)),
    "bernoulli": lambda m: m.bernoulli(m.zeros(2)),
    "new_zeros": lambda m: m.ones(1).new_zeros(2),
    "eye": lambda m: m.eye(2),
    "tril": lambda m: m.ones(2, 2).tril(),
    "index_add": lambda m: m.ones(2).index_add(0, m.tensor([0]), m.ones(1)),
    "scatter": lambda m: m.ones(2).scatter(0, m.tensor([0]), 2.0),
    "normal_": lambda m: m.empty(2).normal_(),
    "fill_": lambda m: m.ones(2).fill_(1).add_(1),
    "out": lambda m: m.rand(2, out=m.zeros(2)),
    "view": lambda m: m.ones(4).mul_(2)[1:],
    "weight": lambda m: m.nn.Linear(2, 2).weight,
}


@pytest.mark.parametrize("name", FRESH)
def test_versions(name):
    assert FRESH[name](rushlight)._version == FRESH[name](torch)._version


def test_gradients_lie_as_their_leaves():
    for shape, strides in geometries():
        if 0 in shape:
            continue
        found = []
        for module in (rushlight, torch):
            leaf = made(module, shape, strides).requires_grad_()
            (leaf * module.arange(float(leaf.numel())).reshape(shape)).sum().backward()
            once = leaf.grad.stride(), leaf.grad.tolist()
            (leaf * leaf).sum().backward()
            found.append((once, leaf.grad.stride()))
        assert found[0] == found[1], (shape, strides)


def test_a_deep_copy_has_the_memory_around_it_too():
    for shape, strides in geometries():
        ours, theirs = (
            copy.deepcopy(made(module, shape, strides)) for module in (rushlight, torch)
        )
        assert ours.stride() == theirs.stride() and ours.tolist() == theirs.tolist()
        assert ours.untyped_storage().nbytes() == theirs.untyped_storage().nbytes()


def test_copies_share_memory_where_their_originals_do():
    for module in (rushlight, torch):
        x = module.arange(6.0)
        first, whole = copy.deepcopy([x[1:4], x])
        first.fill_(9)
        assert whole.tolist() == [0, 9, 9, 9, 4, 5]
        assert x.tolist() == [0, 1, 2, 3, 4, 5]
