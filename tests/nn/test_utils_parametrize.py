"""Parametrizations: the mechanism, and the three that are there."""

import copy
import pickle

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn.utils import parametrizations, parametrize
from rushlight.nn.utils.parametrize import (
    cached,
    is_parametrized,
    register_parametrization,
    remove_parametrizations,
    transfer_parametrizations_and_params,
    type_before_parametrizations,
)


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).T


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x

    def right_inverse(self, x):
        return x / 2


class Product(nn.Module):
    """A matrix of rank 1, from two tensors."""

    def forward(self, a, b):
        return a[:, None] * b[None, :]

    def right_inverse(self, x):
        return x[:, 0].clone(), rl.ones(x.size(1))


class Counting(nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return x + 0


# ----------------------------------------------------------------------------------- mechanism


def test_register_and_remove():
    layer = nn.Linear(3, 3)
    weight, values = layer.weight, layer.weight.detach().clone()
    assert register_parametrization(layer, "weight", Symmetric()) is layer
    assert type(layer).__name__ == "ParametrizedLinear" and isinstance(layer, nn.Linear)
    assert type_before_parametrizations(layer) is nn.Linear
    assert layer.parametrizations.weight.original is weight
    assert rl.equal(layer.weight, layer.weight.T)
    assert sorted(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert "(0): Symmetric()" in repr(layer)
    layer(rl.ones(3)).sum().backward()
    assert weight.grad is not None
    symmetric = layer.weight.detach()
    register_parametrization(layer, "bias", Doubled())
    assert is_parametrized(layer, "bias") and is_parametrized(layer)
    remove_parametrizations(layer, "weight")
    assert layer.weight is weight and rl.equal(weight.detach(), symmetric)
    assert is_parametrized(layer) and not is_parametrized(layer, "weight")
    remove_parametrizations(layer, "bias", leave_parametrized=False)
    assert type(layer) is nn.Linear and not hasattr(layer, "parametrizations")
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    register_parametrization(layer, "weight", Symmetric())
    with rl.no_grad():
        layer.parametrizations.weight.original.copy_(values)
    remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert rl.equal(layer.weight.detach(), values)
    with pytest.raises(ValueError, match="does not have a parametrization on weight"):
        remove_parametrizations(layer, "weight")


def test_right_inverse_and_assignment():
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    register_parametrization(layer, "weight", Doubled())
    assert rl.allclose(layer.weight, before)
    layer.weight = rl.eye(2)
    assert layer.parametrizations.weight.original.tolist() == [[0.5, 0], [0, 0.5]]
    register_parametrization(layer, "weight", Doubled())  # after the first one
    assert layer.weight.tolist() == [[2, 0], [0, 2]]
    register_parametrization(layer, "bias", Symmetric(), unsafe=True)
    with pytest.raises(RuntimeError, match="Symmetric does not implement right_inverse"):
        layer.bias = rl.ones(2)


def test_several_originals():
    layer = nn.Linear(3, 2)
    register_parametrization(layer, "weight", Product())
    own = layer.parametrizations.weight
    assert own.ntensors == 2 and not own.is_tensor
    assert isinstance(own.original0, nn.Parameter) and own.original1.shape == (3,)
    layer.weight = rl.tensor([[2.0, 0, 0], [3.0, 0, 0]])
    assert layer.weight.tolist() == [[2, 2, 2], [3, 3, 3]]
    with pytest.raises(ValueError, match="sequence of tensors"):
        remove_parametrizations(layer, "weight", leave_parametrized=False)
    remove_parametrizations(layer, "weight")
    assert isinstance(layer.weight, nn.Parameter) and layer.weight.tolist()[1] == [3, 3, 3]


def test_buffers():
    module = nn.Module()
    module.register_buffer("b", rl.ones(2))
    register_parametrization(module, "b", Doubled())
    assert module.b.tolist() == [1, 1] and list(module.state_dict()) == [
        "parametrizations.b.original"
    ]
    remove_parametrizations(module, "b")
    assert list(module.state_dict()) == ["b"]


def test_cached():
    layer = nn.Linear(2, 2)
    counting = Counting()
    register_parametrization(layer, "weight", counting)
    counting.calls = 0
    assert layer.weight is not layer.weight
    with cached():
        with cached():
            first = layer.weight
        assert layer.weight is first
    assert counting.calls == 3
    assert layer.weight is not first


def test_copies_and_state():
    layer = register_parametrization(nn.Linear(2, 2), "weight", Doubled())
    twin = copy.deepcopy(layer)
    assert rl.equal(twin.weight, layer.weight)
    assert twin.parametrizations.weight.original is not layer.parametrizations.weight.original
    with rl.no_grad():
        twin.parametrizations.weight.original.zero_()
    assert layer.weight.abs().sum().item() > 0
    twin.load_state_dict(layer.state_dict())
    assert rl.equal(twin.weight, layer.weight)
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(layer)
    assert next(layer.train(False).modules()).parametrizations.weight[0].training is False


def test_transfer():
    source = register_parametrization(nn.Linear(2, 2), "weight", Doubled())
    target = transfer_parametrizations_and_params(source, nn.Linear(2, 2))
    assert rl.equal(target.weight, source.weight)
    assert target.parametrizations.weight.original is source.parametrizations.weight.original
    plain = nn.Linear(2, 2)
    assert transfer_parametrizations_and_params(nn.Linear(2, 2), plain) is plain
    assert not is_parametrized(plain)


class Bad(nn.Module):
    def __init__(self, forward=lambda x: x, back=None):
        super().__init__()
        self.forward = forward
        if back is not None:
            self.right_inverse = back


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (Bad(lambda x: x.double()), "may not change the dtype"),
        (Bad(lambda x: x[0]), "may not change the shape"),
        (Bad(lambda x: 3), "must return a tensor. Got int"),
        (Bad(back=lambda x: 3), "must return a Tensor or a Sequence"),
        (Bad(lambda a, b: a, lambda x: (x, 3)), "Got element 1 of the sequence with type int"),
        (Bad(back=lambda x: x.double()), "it may not change the dtype"),
    ],
)
def test_registration_errors(bad, text):
    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=text):
        register_parametrization(layer, "weight", bad)
    assert type(layer) is nn.Linear
    register_parametrization(layer, "weight", Doubled())
    if "sequence" not in text:
        with pytest.raises(ValueError, match="must"):
            register_parametrization(layer, "weight", Bad(lambda x: 3))
    with pytest.raises(ValueError, match="does not have a parameter"):
        register_parametrization(layer, "nothing", Doubled())


def test_unsafe():
    layer = register_parametrization(
        nn.Linear(2, 2), "weight", Bad(lambda x: x[0].double()), unsafe=True
    )
    assert layer.weight.shape == (2,) and layer.weight.dtype == rl.float64
    with pytest.raises(ValueError, match="one or more modules"):
        parametrize.ParametrizationList([], rl.ones(1))


# ------------------------------------------------------------------------------ parametrizations


@pytest.mark.parametrize("dim", [0, 1, -2, None])
def test_weight_norm(dim):
    layer = nn.Linear(4, 3)
    before = layer.weight.detach().clone()
    parametrizations.weight_norm(layer, dim=dim)
    assert rl.allclose(layer.weight, before, atol=1e-6)
    with rl.no_grad():
        layer.parametrizations.weight.original0.mul_(3)
        layer.parametrizations.weight.original1.mul_(7)
    assert rl.allclose(layer.weight, before * 3, atol=1e-5)
    layer.weight.sum().backward()
    assert all(p.grad is not None for p in layer.parametrizations.weight.parameters())


def test_weight_norm_reads_the_older_form():
    old, new = nn.Linear(4, 3), parametrizations.weight_norm(nn.Linear(4, 3))
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(old)
    new.load_state_dict(old.state_dict())
    assert rl.equal(new(rl.ones(4)), old(rl.ones(4)))


def test_spectral_norm():
    rl.manual_seed(0)
    layer = parametrizations.spectral_norm(nn.Linear(5, 4), n_power_iterations=20)
    weight = layer.weight.detach()
    v = rl.randn(5)
    for _ in range(100):
        v = weight.T @ (weight @ v)
        v = v / v.norm()
    assert (weight @ v).norm().item() == pytest.approx(1, rel=1e-4)
    layer.eval()
    assert rl.equal(layer.weight, layer.weight)
    layer.train()
    (layer(rl.ones(5)) - layer(rl.ones(5) * 2)).sum().backward()
    vector = nn.Module()
    vector.weight = nn.Parameter(rl.tensor([3.0, 4.0]))
    parametrizations.spectral_norm(vector)
    assert vector.weight.tolist() == pytest.approx([0.6, 0.8])
    for options, error in ((({"dim": 2}), IndexError), ({"n_power_iterations": 0}, ValueError)):
        with pytest.raises(error):
            parametrizations.spectral_norm(nn.Linear(2, 2), **options)
    with pytest.raises(ValueError, match="no parameter or buffer with name 'w'"):
        parametrizations.spectral_norm(nn.Linear(2, 2), "w")


def is_orthogonal(weight):
    weight = weight.detach()
    small = weight.mT @ weight if weight.size(-2) >= weight.size(-1) else weight @ weight.mT
    eye = rl.eye(small.size(-1), dtype=weight.dtype)
    return rl.allclose(small, eye.expand_as(small), atol=1e-5)


@pytest.mark.parametrize("trivialized", [True, False])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder", None])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
def test_orthogonal(shape, kind, trivialized):
    rl.manual_seed(0)
    layer = nn.Linear(shape[1], shape[0], bias=False)
    start = layer.weight.detach().clone()
    parametrizations.orthogonal(layer, "weight", kind, use_trivialization=trivialized)
    assert is_orthogonal(layer.weight)
    own = layer.parametrizations.weight.original
    opt = rl.optim.SGD([own], lr=0.2)
    target = rl.randn(*shape)
    losses = []
    for _ in range(5):
        opt.zero_grad()
        loss = ((layer.weight - target) ** 2).sum()
        loss.backward()
        losses.append(loss.item())
        opt.step()
    assert is_orthogonal(layer.weight) and losses[-1] < losses[0]
    by_reflections = kind == "householder" or (kind is None and shape[0] != shape[1])
    if trivialized or by_reflections:
        layer.weight = start
        assert is_orthogonal(layer.weight)
        # A matrix that is orthogonal already stays as it is.
        found = layer.weight.detach().clone()
        layer.weight = found
        assert rl.allclose(layer.weight, found, atol=1e-5)
    else:
        with pytest.raises(NotImplementedError, match="not possible to assign"):
            layer.weight = start


def test_orthogonal_stacks_and_errors():
    module = nn.Module()
    module.weight = nn.Parameter(rl.randn(2, 4, 3))
    assert is_orthogonal(parametrizations.orthogonal(module).weight)
    with pytest.raises(ValueError, match="no parameter or buffer with name 'nothing'"):
        parametrizations.orthogonal(nn.Linear(2, 2), "nothing")
    with pytest.raises(ValueError, match="tensor of 1 dimensions"):
        parametrizations.orthogonal(nn.Linear(2, 2), "bias")
    with pytest.raises(ValueError, match="Got: polar"):
        parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="polar")
    with pytest.raises(ValueError, match=r"Expected a matrix or batch of matrices of shape"):
        module.weight = rl.ones(2, 2)
