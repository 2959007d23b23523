"""Lazy modules and tensors without a shape."""

import copy
import pickle

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn.modules.lazy import LazyModuleMixin
from rushlight.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy

FULL = {"affine": True, "track_running_stats": True}
LAYERS = [
    (lambda: nn.LazyLinear(5), lambda: nn.Linear(4, 5), (3, 4)),
    (lambda: nn.LazyLinear(5, bias=False), lambda: nn.Linear(4, 5, bias=False), (4,)),
    (lambda: nn.LazyConv1d(6, 3, padding=1), lambda: nn.Conv1d(4, 6, 3, padding=1), (2, 4, 9)),
    (lambda: nn.LazyConv2d(6, 3, groups=2), lambda: nn.Conv2d(4, 6, 3, groups=2), (4, 5, 5)),
    (
        lambda: nn.LazyConv3d(2, 2, bias=False),
        lambda: nn.Conv3d(3, 2, 2, bias=False),
        (1, 3, 3, 3, 3),
    ),
    (lambda: nn.LazyConvTranspose1d(6, 3), lambda: nn.ConvTranspose1d(4, 6, 3), (2, 4, 5)),
    (
        lambda: nn.LazyConvTranspose2d(6, 3, stride=2, output_padding=1, groups=2),
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1, groups=2),
        (2, 4, 5, 5),
    ),
    (lambda: nn.LazyConvTranspose3d(2, 2), lambda: nn.ConvTranspose3d(3, 2, 2), (3, 2, 2, 2)),
    (lambda: nn.LazyBatchNorm1d(), lambda: nn.BatchNorm1d(4), (3, 4)),
    (lambda: nn.LazyBatchNorm2d(0.1, 0.5), lambda: nn.BatchNorm2d(4, 0.1, 0.5), (3, 4, 2, 2)),
    (
        lambda: nn.LazyBatchNorm3d(affine=False),
        lambda: nn.BatchNorm3d(4, affine=False),
        (2, 4, 1, 2, 2),
    ),
    (
        lambda: nn.LazyBatchNorm1d(track_running_stats=False, bias=False),
        lambda: nn.BatchNorm1d(4, track_running_stats=False, bias=False),
        (3, 4),
    ),
    (lambda: nn.LazyInstanceNorm1d(), lambda: nn.InstanceNorm1d(4, **FULL), (3, 4, 5)),
    (lambda: nn.LazyInstanceNorm2d(0.1), lambda: nn.InstanceNorm2d(4, 0.1, **FULL), (2, 4, 3, 2)),
    (
        lambda: nn.LazyInstanceNorm3d(affine=False, track_running_stats=False),
        lambda: nn.InstanceNorm3d(4),
        (2, 4, 2, 2, 3),
    ),
]


@pytest.mark.parametrize(("lazy", "ordinary", "shape"), LAYERS)
def test_becomes_the_ordinary_module(lazy, ordinary, shape):
    x = rl.linspace(-1, 1, 2 * rl.Size(shape).numel())[::2].reshape(shape)
    rl.manual_seed(3)
    expected_module = ordinary()
    expected = expected_module(x)
    rl.manual_seed(3)
    module = lazy()
    assert rl.equal(module(x), expected)
    assert type(module) is type(expected_module) and repr(module) == repr(expected_module)
    for (name, own), (other, value) in zip(
        module.state_dict().items(), expected_module.state_dict().items(), strict=True
    ):
        assert name == other and type(own) is rl.Tensor and rl.equal(own, value)
    assert not module._forward_pre_hooks and not module._load_state_dict_pre_hooks
    assert all(type(p) is nn.Parameter for p in module.parameters())
    assert rl.equal(module.eval()(x), expected_module.eval()(x))


@pytest.mark.parametrize(("lazy", "ordinary", "shape"), LAYERS)
def test_state_dicts(lazy, ordinary, shape):
    module, other, full = lazy(), lazy(), ordinary()
    x = rl.randn(shape)
    full(x)
    empty = module.state_dict()
    other.load_state_dict(empty)  # nothing to take over
    assert other.has_uninitialized_params() == module.has_uninitialized_params()
    module.load_state_dict(full.state_dict())
    assert not module.has_uninitialized_params() and type(module) is not type(full)
    assert rl.equal(module.eval()(x), full.eval()(x))
    assert type(module) is type(full) and repr(module) == repr(full)
    if any(map(is_lazy, empty.values())):
        with pytest.raises(RuntimeError, match="uninitialized parameter or buffer"):
            full.load_state_dict(empty)


def test_model():
    model = nn.Sequential(nn.LazyConv2d(3, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    twin = copy.deepcopy(model).double()
    assert twin[0].weight.dtype == twin[1].running_mean.dtype == rl.float64
    assert is_lazy(twin[0].weight) and is_lazy(twin[1].running_mean)
    assert "LazyLinear(in_features=0, out_features=2, bias=True)" in repr(twin)
    assert twin(rl.ones(2, 1, 4, 4, dtype=rl.float64)).shape == (2, 2)
    assert twin[3].in_features == 12 and twin[0].in_channels == 1
    assert model[3].has_uninitialized_params()
    assert not pickle.loads(pickle.dumps(twin))[3].weight.isnan().any().item()
    model(rl.ones(1, 1, 4, 4)).sum().backward()
    assert model[0].weight.grad.shape == (3, 1, 3, 3)


def test_errors():
    with pytest.raises(RuntimeError, match=r"Expected 3D \(unbatched\) or 4D \(batched\) input"):
        nn.LazyConv2d(3, 3)(rl.ones(2, 2))
    with pytest.raises(ValueError, match=r"in_channels \(3\) must be divisible by groups \(2\)"):
        nn.LazyConv2d(4, 1, groups=2)(rl.ones(1, 3, 2, 2))
    layer = nn.LazyLinear(2)
    layer.load_state_dict(nn.Linear(3, 2).state_dict())
    with pytest.raises(AssertionError, match="inferred from input: 4"):
        layer(rl.ones(4))
    with pytest.raises(ValueError, match="uninitialized"):
        nn.LazyLinear(2).weight + 1
    with pytest.raises(RuntimeError, match="DataParallel"):
        nn.LazyLinear(2)._replicate_for_data_parallel()
    with pytest.raises(ValueError, match="can't have uninitialized parameters"):
        nn.utils.spectral_norm(nn.LazyLinear(2))


def test_own_lazy_module():
    class Scale(nn.Module):
        def __init__(self, size=0):
            super().__init__()
            self.size = size

        def forward(self, x, *, shift=0):
            return x * self.factor + shift

    class LazyScale(LazyModuleMixin, Scale):
        cls_to_become = Scale

        def __init__(self):
            super().__init__()
            self.factor = UninitializedParameter()

        def initialize_parameters(self, x, *, shift=0):
            self.factor.materialize(x.shape[-1:])
            nn.init.ones_(self.factor)

    module = LazyScale()
    assert module(rl.ones(2, 3), shift=1).tolist() == [[2] * 3] * 2
    assert type(module) is Scale

    class Forgetful(LazyScale):
        def initialize_parameters(self, *args, **kwargs):
            pass

    with pytest.raises(RuntimeError, match="Forgetful has not been fully initialized"):
        Forgetful()(rl.ones(1))

    class Abstract(LazyModuleMixin):
        pass

    with pytest.raises(NotImplementedError, match="not implemented for Abstract"):
        Abstract()(rl.ones(1))


# ------------------------------------------------------------------------------------- tensors


def test_uninitialized_parameter():
    p = UninitializedParameter(dtype=rl.float64)
    assert isinstance(p, nn.Parameter) and p.requires_grad and p.dtype == rl.float64
    assert repr(p) == "<UninitializedParameter>" and is_lazy(p) and not is_lazy(nn.Parameter())
    for use in (lambda: p.shape, lambda: p.share_memory_()):
        with pytest.raises(RuntimeError, match="uninitialized"):
            use()
    uses = (
        lambda: p + 1, lambda: 1 - p, lambda: p @ p, lambda: -p, lambda: p[0], lambda: p < 1,
        lambda: p.sum(), lambda: p.detach(), lambda: p.view(-1), lambda: p.numel(),
    )  # fmt: skip
    for use in uses:
        with pytest.raises(ValueError, match="uninitialized parameter"):
            use()
    assert is_lazy(p.float()) and p.float().dtype == rl.float32 and p.double() is p
    assert is_lazy(copy.deepcopy(p)) and is_lazy(pickle.loads(pickle.dumps(p)))
    module = nn.Module()
    module.w = p
    assert dict(module.named_parameters()) == {"w": p}
    p.materialize((2, 3))
    assert type(p) is nn.Parameter and p.shape == (2, 3) and p.dtype == rl.float64
    assert p.requires_grad and module.w is p
    assert not UninitializedParameter(requires_grad=False).requires_grad


def test_uninitialized_buffer():
    b = UninitializedBuffer()
    assert isinstance(b, nn.Buffer) and not b.requires_grad and b.persistent
    assert repr(b) == "<UninitializedBuffer>" and is_lazy(copy.deepcopy(b).to(rl.float64))
    module = nn.Module()
    module.b = b
    module.c = UninitializedBuffer(persistent=False)
    assert list(dict(module.named_buffers())) == ["b", "c"]
    b.materialize((4,), dtype=rl.int64)
    assert type(b) is rl.Tensor and b.shape == (4,) and b.dtype == rl.int64
