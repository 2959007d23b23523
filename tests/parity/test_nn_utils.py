"""nn.utils, lazy modules and checkpoints against PyTorch: the same calls, the same numbers."""

import math
import warnings
from importlib import import_module

import pytest

import rushlight as rl

np = pytest.importorskip("numpy", reason="the comparison goes through NumPy arrays")
torch = pytest.importorskip("torch", reason="PyTorch is what is compared with")

BOTH = (torch, rl)


def numbers(seed, shape, dtype="float64"):
    return np.random.RandomState(seed).normal(size=shape).astype(dtype)


def plain(value):
    if isinstance(value, (torch.Tensor, rl.Tensor)):
        return np.array(value.detach().numpy())
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def agree(run, rtol=1e-9):
    """run(library) gives the same in both."""
    expected, got = (plain(run(lib)) for lib in BOTH)
    _compare(expected, got, rtol)


def _compare(expected, got, rtol):
    if isinstance(expected, np.ndarray):
        assert expected.dtype == got.dtype and expected.shape == got.shape
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)
    elif isinstance(expected, dict):
        assert list(expected) == list(got)
        for key in expected:
            _compare(expected[key], got[key], rtol)
    elif isinstance(expected, list):
        assert len(expected) == len(got)
        for a, b in zip(expected, got, strict=True):
            _compare(a, b, rtol)
    else:
        assert expected == got


def linear(lib, seed=0):
    layer = lib.nn.Linear(4, 3).double()
    with lib.no_grad():
        for i, p in enumerate(layer.parameters()):
            p.copy_(lib.from_numpy(numbers(seed + i, tuple(p.shape))))
    return layer


# ------------------------------------------------------------------------------------- clipping


@pytest.mark.parametrize("order", [2, 1, 0, 0.5, 3, -2, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_grad_norm(order, dtype):
    def run(lib):
        params = []
        for i, shape in enumerate([(3, 4), (5,), ()]):
            p = lib.nn.Parameter(lib.from_numpy(np.array(numbers(i, shape, dtype))))
            p.grad = lib.from_numpy(np.array(numbers(10 + i, shape, dtype)))
            params.append(p)
        total = lib.nn.utils.clip_grad_norm_(params, 0.7, order)
        clipped = [p.grad.clone() for p in params]
        lib.nn.utils.clip_grad_value_(params, 0.1)
        return [total, clipped, [p.grad for p in params]]

    agree(run, 1e-5 if dtype == "float32" else 1e-12)


def test_clip_complex_and_special():
    def run(lib):
        p = lib.nn.Parameter(lib.from_numpy(numbers(0, 5) + 1j * numbers(1, 5)))
        p.grad = lib.from_numpy(numbers(2, 5) + 1j * numbers(3, 5))
        totals = [lib.nn.utils.clip_grad_norm_(p, 0.5, order) for order in (2, 1, math.inf)]
        q = lib.nn.Parameter(lib.zeros(3))
        q.grad = lib.tensor([math.nan, math.inf, 1.0])
        lib.nn.utils.clip_grad_value_(q, 0.5)
        return [totals, p.grad, q.grad]

    agree(run)


# ------------------------------------------------------------------- norms and parametrizations


@pytest.mark.parametrize("dim", [0, 1, -1, -2, None])
@pytest.mark.parametrize("new", [True, False])
def test_weight_norm(dim, new):
    def run(lib):
        utils = lib.nn.utils
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            norm = utils.parametrizations.weight_norm if new else utils.weight_norm
            layer = norm(linear(lib), dim=dim)
        out = layer(lib.from_numpy(numbers(5, (2, 4))))
        (out**2).sum().backward()
        return [out, layer.state_dict(), {n: p.grad for n, p in layer.named_parameters()}]

    agree(run)


@pytest.mark.parametrize("new", [True, False])
def test_spectral_norm(new):
    def run(lib):
        utils = lib.nn.utils
        lib.manual_seed(4)
        norm = utils.parametrizations.spectral_norm if new else utils.spectral_norm
        layer = norm(linear(lib), n_power_iterations=2)
        outs = []
        for n in range(3):
            out = layer(lib.from_numpy(numbers(5 + n, (2, 4))))
            (out**2).sum().backward()
            outs.append(out)
        layer.eval()
        outs.append(layer(lib.from_numpy(numbers(9, (2, 4)))))
        grads = {n: p.grad for n, p in layer.named_parameters()}
        return [outs, layer.state_dict(), grads, repr(layer)]

    agree(run)


@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3)])
def test_orthogonal(kind, shape):
    def run(lib):
        module = lib.nn.Module()
        module.weight = lib.nn.Parameter(lib.from_numpy(numbers(0, shape)))
        lib.manual_seed(7)
        lib.nn.utils.parametrizations.orthogonal(module, "weight", kind)
        own = module.parametrizations.weight
        with lib.no_grad():
            own.original.add_(lib.from_numpy(numbers(1, shape)).tril(-1) * 0.1)
        weight = module.weight
        (weight * lib.from_numpy(numbers(2, shape))).sum().backward()
        return [weight, own.original.grad, own[0].base]

    agree(run, 1e-8)


def test_parametrize_texts():
    def run(lib):
        layer = lib.nn.utils.parametrizations.weight_norm(linear(lib))
        lib.nn.utils.parametrize.register_parametrization(layer, "bias", lib.nn.Tanh())
        names = [name for name, _ in layer.named_modules()]
        lib.nn.utils.parametrize.remove_parametrizations(layer, "weight")
        before = sorted(layer.state_dict())
        return [repr(layer), names, before, type(layer).__name__]

    agree(run)


# -------------------------------------------------------------------------------------- pruning


@pytest.mark.parametrize(
    "prune",
    [
        lambda p, m: p.l1_unstructured(m, "weight", 0.4),
        lambda p, m: p.random_unstructured(m, "weight", 5),
        lambda p, m: p.random_structured(m, "weight", 2, dim=1),
        lambda p, m: p.ln_structured(m, "weight", 0.5, n=2, dim=0),
        lambda p, m: p.ln_structured(m, "weight", 1, n=float("inf"), dim=-1),
        lambda p, m: p.global_unstructured(
            [(m, "weight"), (m, "bias")], p.L1Unstructured, amount=7
        ),
        lambda p, m: p.identity(m, "weight"),
    ],
)
def test_prune(prune):
    def run(lib):
        lib.manual_seed(5)
        module, layer = import_module(f"{lib.__name__}.nn.utils.prune"), linear(lib)
        prune(module, layer)
        module.l1_unstructured(layer, "weight", 2)
        (layer(lib.from_numpy(numbers(5, (2, 4)))) ** 2).sum().backward()
        state = layer.state_dict()
        grad = layer.weight_orig.grad
        module.remove(layer, "weight")
        return [state, grad, layer.weight, sorted(layer.state_dict())]

    agree(run)


# --------------------------------------------------------------------------- fusion, state, lazy


@pytest.mark.parametrize("transposed", [False, True])
def test_fusion(transposed):
    def run(lib):
        kind = lib.nn.ConvTranspose2d if transposed else lib.nn.Conv2d
        conv, bn = kind(2, 3, 2).double().eval(), lib.nn.BatchNorm2d(3).double().eval()
        with lib.no_grad():
            tensors = [*conv.parameters(), *bn.parameters(), bn.running_mean, bn.running_var]
            for i, t in enumerate(tensors):
                t.copy_(lib.from_numpy(abs(numbers(i, tuple(t.shape)))))
        fused = lib.nn.utils.fuse_conv_bn_eval(conv, bn, transposed)
        plain_norm = lib.nn.BatchNorm1d(3, affine=False).double().eval()
        parts = [fused.weight, fused.bias, fused.weight.requires_grad, fused.bias.requires_grad]
        if not transposed:
            parts += lib.nn.utils.fuse_conv_bn_weights(
                conv.weight, None, bn.running_mean, bn.running_var, plain_norm.eps, None, None
            )
        flat = lib.nn.BatchNorm1d(3).double().eval()
        return [*parts, *lib.nn.utils.fuse_linear_bn_eval(linear(lib).eval(), flat).parameters()]

    agree(run)


def test_functional_call():
    def run(lib):
        layer = linear(lib)
        given = {"weight": lib.from_numpy(numbers(8, (3, 4)))}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = lib.nn.utils.stateless.functional_call
            return [call(layer, given, lib.from_numpy(numbers(5, (2, 4)))), layer.weight]

    agree(run)


def test_lazy_model():
    def run(lib):
        nn = lib.nn
        lib.manual_seed(2)
        model = nn.Sequential(
            nn.LazyConv2d(4, 3, padding=1),
            nn.LazyBatchNorm2d(),
            nn.LazyInstanceNorm2d(),
            nn.ReLU(),
            nn.LazyConvTranspose2d(3, 2),
            nn.Flatten(),
            nn.LazyLinear(5),
        )
        before = [repr(model), list(model.state_dict()), repr(model[0].weight)]
        out = model(lib.from_numpy(numbers(0, (2, 3, 4, 4), "float32")))
        out.sum().backward()
        return [before, repr(model), out, model.state_dict()]

    agree(run, 1e-4)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_checkpoint(use_reentrant):
    def run(lib):
        checkpoint = import_module(f"{lib.__name__}.utils.checkpoint").checkpoint
        layer = linear(lib)
        drop = lib.nn.Dropout(0.5)
        lib.manual_seed(1)
        x = lib.from_numpy(numbers(3, (6, 4))).requires_grad_()
        out = checkpoint(lambda v: drop(layer(v)).tanh(), x, use_reentrant=use_reentrant)
        out.sum().backward()
        return [out, x.grad, layer.weight.grad, lib.rand(2)]

    agree(run)
