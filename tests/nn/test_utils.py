"""nn.utils beside clipping, parametrizations and pruning."""

import importlib

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn import utils


def test_names_and_paths():
    for name in utils.__all__:
        assert getattr(utils, name) is not None
    for path in ("clip_grad", "convert_parameters", "fusion", "init", "memory_format", "prune"):
        assert importlib.import_module(f"rushlight.nn.utils.{path}") is getattr(utils, path)
    # Files of the same name as a function do not hide it.
    from rushlight.nn.utils.spectral_norm import spectral_norm
    from rushlight.nn.utils.weight_norm import weight_norm

    assert utils.weight_norm is weight_norm and utils.spectral_norm is spectral_norm
    with pytest.raises(AttributeError, match=r"torch\.nn\.utils\.nothing"):
        utils.nothing  # noqa: B018


def test_vectors():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    vector = utils.parameters_to_vector(model.parameters())
    assert vector.shape == (13,) and vector.requires_grad
    utils.vector_to_parameters(rl.arange(13.0), model.parameters())
    assert model[0].weight.tolist() == [[0, 1], [2, 3], [4, 5]] and model[1].bias.item() == 12
    with pytest.raises(TypeError, match="but got"):
        utils.vector_to_parameters([1.0], model.parameters())


def stirred(bn):
    bn.running_mean.copy_(rl.randn(bn.num_features))
    bn.running_var.copy_(rl.rand(bn.num_features) + 0.5)
    with rl.no_grad():
        bn.weight.copy_(rl.randn(bn.num_features))
        bn.bias.copy_(rl.randn(bn.num_features))
    return bn.eval()


@pytest.mark.parametrize("bias", [True, False])
def test_fusion(bias):
    rl.manual_seed(0)
    linear, bn = nn.Linear(4, 5, bias=bias).eval(), stirred(nn.BatchNorm1d(5))
    x = rl.randn(7, 4)
    fused = utils.fuse_linear_bn_eval(linear, bn)
    assert rl.allclose(fused(x), bn(linear(x)), atol=1e-5) and fused is not linear
    conv, bn2 = nn.Conv2d(2, 5, 3, bias=bias).eval(), stirred(nn.BatchNorm2d(5))
    image = rl.randn(2, 2, 6, 6)
    assert rl.allclose(utils.fuse_conv_bn_eval(conv, bn2)(image), bn2(conv(image)), atol=1e-5)
    turned = nn.ConvTranspose2d(2, 5, 3, bias=bias).eval()
    fused = utils.fuse_conv_bn_eval(turned, bn2, transpose=True)
    assert rl.allclose(fused(image), bn2(turned(image)), atol=1e-5)
    with pytest.raises(AssertionError, match="only for eval"):
        utils.fuse_linear_bn_eval(linear.train(), bn)
    with pytest.raises(AssertionError, match=r"linear\.out_features == bn\.num_features"):
        utils.fuse_linear_bn_eval(linear.eval(), nn.BatchNorm1d(3).eval())


def test_skip_init_leaves_the_generator_alone():
    rl.manual_seed(3)
    expected = rl.rand(2)
    rl.manual_seed(3)
    layer = utils.skip_init(nn.Linear, 3, out_features=2)
    assert layer.weight.shape == (2, 3) and rl.equal(rl.rand(2), expected)
    with pytest.raises(RuntimeError, match="Expected a Module"):
        utils.skip_init(int)
    with pytest.raises(RuntimeError, match="'device'"):
        utils.skip_init(nn.ReLU)


def test_memory_format_is_accepted():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv3d(2, 3, 3), nn.Linear(2, 2))
    before = [p.detach().clone() for p in model.parameters()]
    assert utils.convert_conv2d_weight_memory_format(model, rl.channels_last) is model
    assert utils.convert_conv3d_weight_memory_format(model, rl.channels_last_3d) is model
    for p, b in zip(model.parameters(), before, strict=True):
        assert rl.equal(p.detach(), b)


# ------------------------------------------------------------------------------- the older hooks


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm(dim):
    layer = nn.Linear(3, 2)
    before, x = layer.weight.detach().clone(), rl.randn(4, 3)
    expected = layer(x)
    with pytest.warns(FutureWarning, match="parametrizations"):
        utils.weight_norm(layer, dim=dim)
    assert layer.weight_g.shape == {0: (2, 1), 1: (1, 3), None: ()}[dim]
    assert sorted(layer.state_dict()) == ["bias", "weight_g", "weight_v"]
    assert rl.allclose(layer(x), expected, atol=1e-6)
    layer(x).sum().backward()
    assert layer.weight_g.grad is not None and layer.weight_v.grad.shape == (2, 3)
    with rl.no_grad():
        layer.weight_g.mul_(2)
    assert rl.allclose(layer(x) - layer.bias, 2 * (expected - layer.bias), atol=1e-5)
    with pytest.raises(RuntimeError, match="two weight_norm hooks"), pytest.warns(FutureWarning):
        utils.weight_norm(layer)
    utils.remove_weight_norm(layer)
    assert isinstance(layer.weight, nn.Parameter)
    assert rl.allclose(layer.weight, before * 2, atol=1e-5)
    with pytest.raises(ValueError, match="not found"):
        utils.remove_weight_norm(layer)


def largest_singular_value(matrix):
    v = rl.ones(matrix.size(1), dtype=matrix.dtype)
    for _ in range(200):
        v = matrix.T @ (matrix @ v)
        v = v / v.norm()
    return (matrix @ v).norm().item()


def test_spectral_norm():
    rl.manual_seed(0)
    layer = utils.spectral_norm(nn.Linear(4, 6), n_power_iterations=30)
    x = rl.randn(3, 4)
    layer(x).sum().backward()
    assert layer.weight_orig.grad is not None
    assert largest_singular_value(layer.weight.detach()) == pytest.approx(1, rel=1e-4)
    assert set(layer.state_dict()) == {"bias", "weight_orig", "weight_u", "weight_v"}
    assert layer.state_dict()._metadata[""]["spectral_norm"] == {"weight.version": 1}
    other = utils.spectral_norm(nn.Linear(4, 6))
    other.load_state_dict(layer.state_dict())
    assert rl.allclose(other.eval()(x), layer.eval()(x), atol=1e-6)
    u = layer.weight_u.clone()
    layer(x)  # evaluation does not improve the estimate
    assert rl.equal(layer.weight_u, u)
    (layer.train()(x) - layer(x)).sum().backward()  # two forwards, one backward
    with pytest.raises(RuntimeError, match="two spectral_norm hooks"):
        utils.spectral_norm(layer)
    with pytest.raises(ValueError, match="n_power_iterations=0"):
        utils.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)
    utils.remove_spectral_norm(layer)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert not layer._state_dict_hooks and not layer._load_state_dict_pre_hooks
    with pytest.raises(ValueError, match="not found"):
        utils.remove_spectral_norm(layer)


def test_spectral_norm_of_transposed_convolutions():
    layer = utils.spectral_norm(nn.ConvTranspose2d(3, 5, 2))
    assert layer.weight_u.shape == (5,) and layer.weight_v.shape == (12,)
    assert layer(rl.randn(1, 3, 4, 4)).shape == (1, 5, 5, 5)


# ------------------------------------------------------------------------------------ stateless


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(2, 2, bias=False)
        self.two = nn.Linear(2, 2, bias=False)
        self.two.weight = self.one.weight
        self.register_buffer("count", rl.zeros(()))

    def forward(self, x, *, scale=1.0):
        self.count = self.count + 1
        return self.two(self.one(x)) * scale


def call(*args, **kwargs):
    with pytest.warns(FutureWarning, match=r"torch\.func\.functional_call"):
        return utils.stateless.functional_call(*args, **kwargs)


def test_functional_call():
    model, x = Tied(), rl.ones(2)
    own = model.one.weight
    weight = rl.tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
    given = {"one.weight": weight, "count": rl.tensor(5.0)}
    out = call(model, given, x, {"scale": 3.0})
    assert out.tolist() == [3, 12]
    assert model.one.weight is own and model.two.weight is own and model.count.item() == 0
    assert given["count"].item() == 6  # what the call assigned
    out.sum().backward()
    assert weight.grad is not None and own.grad is None
    apart = call(model, {"one.weight": weight}, (x,), tie_weights=False)
    assert rl.allclose(apart, rl.nn.functional.linear(rl.tensor([1.0, 2.0]), own))


def test_functional_call_errors():
    model, weight = Tied(), rl.eye(2)
    with pytest.raises(ValueError, match=r"one\.weight.*two\.weight.*tied"):
        call(model, {"one.weight": weight, "two.weight": rl.eye(2)}, rl.ones(2))
    with pytest.raises(RuntimeError, match=r"(?s)Unexpected key\(s\): 'three'.*Missing key"):
        call(model, {"three": weight}, rl.ones(2), strict=True)
    own = model.one.weight
    with pytest.raises(RuntimeError):
        call(model, {"one.weight": rl.eye(3)}, rl.ones(2))
    assert model.one.weight is own and model.two.weight is own


def test_functional_call_of_a_parametrized_module():
    layer = utils.parametrizations.weight_norm(nn.Linear(2, 2, bias=False))
    assert call(layer, {"weight": rl.eye(2) * 3}, rl.ones(2)).tolist() == [3, 3]
    assert utils.parametrize.is_parametrized(layer, "weight")
    length = {"parametrizations.weight.original0": rl.zeros(2, 1)}
    assert call(layer, length, rl.ones(2)).tolist() == [0, 0]
