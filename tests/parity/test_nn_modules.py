"""Modules of rushlight.nn against PyTorch's: text, state, first weights, signatures, errors."""

import inspect
import re
from collections import OrderedDict

import pytest

import rushlight as rl

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

LIBRARIES = (torch, rl)

BUILDS = {
    "Linear": lambda nn: nn.Linear(5, 3),
    "Linear, no bias": lambda nn: nn.Linear(5, 3, bias=False),
    "Bilinear": lambda nn: nn.Bilinear(3, 4, 2),
    "Identity": lambda nn: nn.Identity(1, x=2),
    "Embedding": lambda nn: nn.Embedding(6, 3, padding_idx=-2, max_norm=2, norm_type=1.0),
    "Embedding, by frequency": lambda nn: nn.Embedding(6, 3, scale_grad_by_freq=True),
    "EmbeddingBag": lambda nn: nn.EmbeddingBag(6, 3, max_norm=1.0, mode="max", padding_idx=1),
    "EmbeddingBag, by frequency": lambda nn: nn.EmbeddingBag(6, 3, 1, 3.0, True, "sum"),
    "Dropout": lambda nn: nn.Sequential(
        nn.Dropout(),
        nn.Dropout1d(0.1),
        nn.Dropout2d(inplace=True),
        nn.Dropout3d(),
        nn.AlphaDropout(),
        nn.FeatureAlphaDropout(0),
    ),
    "LayerNorm": lambda nn: nn.Sequential(
        nn.LayerNorm(3),
        nn.LayerNorm([2, 3], 1e-3),
        nn.LayerNorm((2,), bias=False),
        nn.LayerNorm(2, elementwise_affine=False),
    ),
    "RMSNorm": lambda nn: nn.Sequential(nn.RMSNorm(3), nn.RMSNorm((2, 2), 0.1, False)),
    "GroupNorm": lambda nn: nn.Sequential(
        nn.GroupNorm(2, 4), nn.GroupNorm(1, 3, affine=False), nn.GroupNorm(1, 2, bias=False)
    ),
    "LocalResponseNorm": lambda nn: nn.LocalResponseNorm(3, k=2),
    "Flatten": lambda nn: nn.Sequential(nn.Flatten(), nn.Unflatten(-1, (2, -1))),
    "distances": lambda nn: nn.Sequential(nn.PairwiseDistance(), nn.CosineSimilarity(dim=-1)),
    "activations": lambda nn: nn.ModuleList(
        [
            nn.CELU(),
            nn.ELU(2),
            nn.GELU(),
            nn.GELU("tanh"),
            nn.GLU(),
            nn.Hardshrink(),
            nn.Hardsigmoid(),
            nn.Hardswish(),
            nn.Hardtanh(),
            nn.LeakyReLU(),
            nn.LogSigmoid(),
            nn.LogSoftmax(1),
            nn.Mish(),
            nn.PReLU(2),
            nn.RReLU(),
            nn.ReLU(),
            nn.ReLU6(),
            nn.SELU(),
            nn.SiLU(),
            nn.Sigmoid(),
            nn.Softmax(),
            nn.Softmax2d(),
            nn.Softmin(),
            nn.Softplus(),
            nn.Softshrink(),
            nn.Softsign(),
            nn.Tanh(),
            nn.Tanhshrink(),
            nn.Threshold(0.1, 20),
        ]
    ),
    "activations in place": lambda nn: nn.ModuleList(
        [
            nn.CELU(inplace=True),
            nn.ELU(inplace=True),
            nn.Hardsigmoid(True),
            nn.Hardswish(True),
            nn.Hardtanh(inplace=True),
            nn.LeakyReLU(inplace=True),
            nn.Mish(True),
            nn.RReLU(inplace=True),
            nn.ReLU(True),
            nn.ReLU6(True),
            nn.SELU(True),
            nn.SiLU(True),
            nn.Threshold(0, 1, True),
        ]
    ),
    "losses": lambda nn: nn.ModuleList(
        [
            nn.BCELoss(),
            nn.BCEWithLogitsLoss(),
            nn.CTCLoss(),
            nn.CosineEmbeddingLoss(),
            nn.CrossEntropyLoss(),
            nn.GaussianNLLLoss(),
            nn.HingeEmbeddingLoss(),
            nn.HuberLoss(),
            nn.KLDivLoss(),
            nn.L1Loss(),
            nn.MSELoss(),
            nn.MarginRankingLoss(),
            nn.MultiLabelMarginLoss(),
            nn.MultiLabelSoftMarginLoss(),
            nn.MultiMarginLoss(),
            nn.NLLLoss(),
            nn.PoissonNLLLoss(),
            nn.SmoothL1Loss(),
            nn.SoftMarginLoss(),
            nn.TripletMarginLoss(),
            nn.TripletMarginWithDistanceLoss(),
        ]
    ),
    "LinearCrossEntropyLoss": lambda nn: nn.LinearCrossEntropyLoss(
        4, 3, out_features=(2,), bias=True, options=nn.LinearCrossEntropyOptions()
    ),
    "ModuleList": lambda nn: nn.ModuleList(
        [nn.ReLU(), nn.ReLU(), nn.Linear(2, 2), nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())]
    ),
    "ModuleDict": lambda nn: nn.ModuleDict({"b": nn.ReLU(), "a": nn.ModuleList()}),
    "named Sequential": lambda nn: nn.Sequential(OrderedDict(x=nn.ReLU(), y=nn.Sequential())),
    "ParameterList": lambda nn: nn.ParameterList([nn.Linear(2, 3).weight, "text"]),
    "one parameter": lambda nn: nn.ParameterList([nn.Linear(2, 3).bias]),
    "ParameterDict": lambda nn: nn.ParameterDict({"b": nn.Linear(2, 3).weight, "a": 3}),
    "nested parameters": lambda nn: nn.ModuleDict(
        {"p": nn.ParameterList([nn.Linear(2, 3).bias, nn.Linear(1, 1).weight])}
    ),
}


@pytest.fixture(autouse=True)
def same_seed():
    for lib in LIBRARIES:
        lib.manual_seed(11)


def in_both(run):
    """What `run(lib)` gives in torch and here, or the exception it raises."""
    found = []
    for lib in LIBRARIES:
        lib.manual_seed(5)
        try:
            found.append(run(lib))
        except Exception as error:
            found.append(error)
    return found


@pytest.mark.parametrize("name", BUILDS)
def test_text_and_state(name):
    theirs, ours = in_both(lambda lib: BUILDS[name](lib.nn))
    assert repr(ours) == repr(theirs)
    a, b = theirs.state_dict(), ours.state_dict()
    assert list(a) == list(b) and dict(a._metadata) == dict(b._metadata)
    for key in a:
        assert a[key].shape == b[key].shape and str(a[key].dtype) == str(b[key].dtype)
        expected = a[key].flatten().tolist()
        assert b[key].flatten().tolist() == pytest.approx(expected, rel=1e-6, abs=1e-8)
    for method in ("named_modules", "named_children", "named_parameters", "named_buffers"):
        assert [n for n, _ in getattr(theirs, method)()] == [n for n, _ in getattr(ours, method)()]


def public(obj):
    return {name for name in dir(obj) if not name.startswith("_")}


NOT_HERE = {"T_destination"}  # a type variable
WRAPPED = ("Container", "NLLLoss2d")  # a decorator hides their signature in torch
CLASSES = [
    "Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "Linear",
    "Bilinear", "Identity", "Embedding", "EmbeddingBag", "LayerNorm", "RMSNorm", "GroupNorm",
    "LocalResponseNorm", "Flatten", "Unflatten", "PairwiseDistance", "CosineSimilarity",
    "Container", *torch.nn.modules.dropout.__all__, *torch.nn.modules.loss.__all__,
    *(n for n in torch.nn.modules.activation.__all__ if n != "MultiheadAttention"),
]  # fmt: skip


@pytest.mark.parametrize("name", dict.fromkeys(CLASSES))
def test_members_and_signatures(name):
    theirs, ours = getattr(torch.nn, name), getattr(rl.nn, name)
    assert public(theirs) - public(ours) <= NOT_HERE
    if name not in WRAPPED:
        a, b = inspect.signature(theirs).parameters, inspect.signature(ours).parameters
        assert [(p.name, p.default) for p in a.values()] == [
            (p.name, p.default) for p in b.values()
        ]
    for method in public(theirs) & set(vars(theirs)) - NOT_HERE:
        a, b = getattr(theirs, method), getattr(ours, method)
        if inspect.isfunction(a) and method not in ("forward", "compile", "__init__"):
            mine = inspect.signature(b).parameters
            for key, parameter in inspect.signature(a).parameters.items():
                assert key in mine, f"{name}.{method} lacks {key}"
                if parameter.default is not inspect.Parameter.empty:
                    assert mine[key].default == parameter.default


@pytest.mark.parametrize("name", sorted(torch.nn.modules.module.__all__))
def test_names_of_the_module_file(name):
    assert hasattr(rl.nn.modules.module, name)


@pytest.mark.parametrize("name", torch.nn.init.__all__)
def test_init_signatures(name):
    theirs, ours = getattr(torch.nn.init, name), getattr(rl.nn.init, name)
    a, b = inspect.signature(theirs).parameters, inspect.signature(ours).parameters
    assert [(p.name, p.default) for p in a.values()] == [(p.name, p.default) for p in b.values()]


INITS = {
    "uniform_": ((4, 5), {"a": -1, "b": 3}),
    "normal_": ((4, 5), {"mean": 1, "std": 3}),
    "xavier_uniform_": ((6, 9), {"gain": 2}),
    "xavier_normal_": ((6, 3, 2, 2), {}),
    "kaiming_uniform_": ((6, 9), {"a": 5**0.5}),
    "kaiming_normal_": ((6, 9, 3), {"mode": "fan_out", "nonlinearity": "relu"}),
    "trunc_normal_": ((30, 9), {"std": 0.7}),
    "orthogonal_": ((6, 4), {"gain": 3}),
    "sparse_": ((8, 5), {"sparsity": 0.4}),
    "dirac_": ((6, 2, 3, 3), {"groups": 2}),
    "eye_": ((4, 6), {}),
}


FILLS = ("dirac_", "eye_")  # these draw nothing


@pytest.mark.parametrize(
    ("name", "generator"),
    [(name, False) for name in INITS] + [(name, True) for name in INITS if name not in FILLS],
)
def test_init_draws_the_same(name, generator):
    shape, kwargs = INITS[name]

    def run(lib):
        if generator:
            kwargs["generator"] = lib.Generator().manual_seed(3)
        drawn = getattr(lib.nn.init, name)(lib.nn.Parameter(lib.empty(shape)), **kwargs)
        kwargs.pop("generator", None)
        return drawn.detach().flatten().tolist() + lib.rand(3).tolist()

    theirs, ours = in_both(run)
    assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("args", [(0, 1, -2, 2), (0, 1, 1.5, 4), (3, 1, -1, 1), (0, 1, -0.1, 0.1)])
def test_trunc_normal_draws_the_same(args, dtype):
    def run(lib):
        w = lib.empty(40, 50, dtype=getattr(lib, dtype))
        return lib.nn.init.trunc_normal_(w, *args).flatten().tolist() + lib.rand(3).tolist()

    theirs, ours = in_both(run)
    assert ours == pytest.approx(theirs, rel=1e-5)


# ------------------------------------------------------------------ errors


def changed_state(lib):
    net = lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.Linear(3, 1))
    state = net.state_dict()
    state["0.weight"] = lib.zeros(5)
    state["2.weight"] = state.pop("1.bias")
    state["0.weight.more"] = lib.zeros(1)
    net.load_state_dict(state)


ERRORS = {
    "load": changed_state,
    "load a list": lambda lib: lib.nn.ReLU().load_state_dict([1]),
    "no attribute": lambda lib: lib.nn.ReLU().weight,
    "plain tensor": lambda lib: setattr(lib.nn.Linear(1, 1), "weight", lib.zeros(1)),
    "number as child": lambda lib: setattr(lib.nn.Sequential(lib.nn.ReLU()), "0", 3),
    "taken name": lambda lib: lib.nn.Linear(1, 1).register_buffer("weight", None),
    "dotted parameter": lambda lib: lib.nn.Module().register_parameter("a.b", None),
    "dotted module": lambda lib: lib.nn.Module().add_module("a.b", None),
    "empty buffer": lambda lib: lib.nn.Module().register_buffer("", None),
    "module of a number": lambda lib: lib.nn.Module().add_module("a", 3),
    "buffer of a number": lambda lib: lib.nn.Module().register_buffer("a", 3),
    "argument": lambda lib: lib.nn.Tanh(1, 2),
    "keyword": lambda lib: lib.nn.Tanh(inplace=True),
    "get_submodule": lambda lib: lib.nn.Sequential(lib.nn.ReLU()).get_submodule("0.x"),
    "get_parameter": lambda lib: lib.nn.Linear(1, 1).get_parameter("training"),
    "get_buffer": lambda lib: lib.nn.Linear(1, 1).get_buffer("weight"),
    "set_submodule": lambda lib: lib.nn.Module().set_submodule("a.b", lib.nn.ReLU()),
    "train(1)": lambda lib: lib.nn.ReLU().train(1),
    "to(int32)": lambda lib: lib.nn.ReLU().to(lib.int32),
    "dropout": lambda lib: lib.nn.Dropout(2),
    "groups": lambda lib: lib.nn.GroupNorm(2, 3),
    "index": lambda lib: lib.nn.Sequential()[0],
    "index of a list": lambda lib: lib.nn.ModuleList()[0],
    "ModuleList(3)": lambda lib: lib.nn.ModuleList(3),
    "ModuleDict(3)": lambda lib: lib.nn.ModuleDict(3),
    "ParameterDict([(1,)])": lambda lib: lib.nn.ParameterDict([(1,)]),
    "call a ParameterList": lambda lib: lib.nn.ParameterList()(),
    "gain": lambda lib: lib.nn.init.calculate_gain("x"),
    "fan": lambda lib: lib.nn.init.xavier_normal_(lib.zeros(3)),
    "mode": lambda lib: lib.nn.init.kaiming_normal_(lib.zeros(3, 3), mode="x"),
    "huber": lambda lib: lib.nn.HuberLoss(delta="x"),
    "factory": lambda lib: lib.nn.factory_kwargs({"x": 1}),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    theirs, ours = in_both(ERRORS[name])
    assert isinstance(theirs, Exception), f"torch gives {theirs}"
    assert type(ours) is type(theirs)
    assert re.sub("rushlight", "torch", str(ours)) == str(theirs)


# ------------------------------------------------------------------ hooks


def trace(lib):
    """The order in which hooks of every kind run, and what they see."""
    seen = []

    def note(name):
        def hook(module, *rest):
            shapes = [shape_of(value) for value in rest]
            seen.append((name, type(module).__name__, shapes))

        return hook

    def shape_of(value):
        if isinstance(value, lib.Tensor):
            return tuple(value.shape)
        if isinstance(value, tuple):
            return tuple(shape_of(v) for v in value)
        return value

    table = lib.nn.modules.module
    handles = [
        table.register_module_forward_pre_hook(note("global pre")),
        table.register_module_forward_hook(note("global")),
        table.register_module_full_backward_pre_hook(note("global backward pre")),
        table.register_module_full_backward_hook(note("global backward")),
    ]
    net = lib.nn.Sequential(lib.nn.Linear(3, 2), lib.nn.Tanh())
    for module in (net, net[0], net[1]):
        module.register_forward_pre_hook(note("pre"))
        module.register_forward_pre_hook(note("pre first"), prepend=True)
        module.register_forward_hook(note("forward"), with_kwargs=True)
        module.register_forward_hook(note("forward first"), prepend=True, always_call=True)
        module.register_full_backward_pre_hook(note("backward pre"))
        module.register_full_backward_hook(note("backward"))
    try:
        net(lib.ones(4, 3, requires_grad=True)).sum().backward()
    finally:
        for handle in handles:
            handle.remove()
    return seen


def test_hooks_run_in_the_same_order():
    theirs, ours = in_both(trace)
    assert not isinstance(theirs, Exception)
    assert ours == theirs


def mixed_arguments(lib):
    class Mixed(lib.nn.Module):
        def forward(self, n, x, y):
            return n * x, y

    seen = []
    m = Mixed()

    def note(module, *grads):
        seen.append([[None if g is None else g.tolist() for g in gs] for gs in grads])

    m.register_full_backward_hook(note)
    m(2.0, lib.ones(2, requires_grad=True), lib.ones(2))[0].sum().backward()
    return seen


def test_gradients_that_backward_hooks_see():
    theirs, ours = in_both(mixed_arguments)
    assert ours == theirs


def state_dict_trace(lib):
    seen = []
    net = lib.nn.Sequential(lib.nn.Linear(1, 1))
    for m in (net, net[0]):
        m.register_state_dict_pre_hook(lambda mod, *rest: seen.append(("pre", *rest)))
        m.register_state_dict_post_hook(
            lambda mod, state, prefix, meta: seen.append(("post", list(state), prefix, meta))
        )
        m.register_load_state_dict_pre_hook(
            lambda mod, state, *rest: seen.append(("load pre", list(state), *rest[:-3]))
        )
        m.register_load_state_dict_post_hook(
            lambda mod, keys: seen.append(("load post", list(keys.missing_keys)))
        )
    state = net.state_dict()
    state.pop("0.bias")
    net.load_state_dict(state, strict=False)
    return seen


def test_state_dict_hooks_see_the_same():
    theirs, ours = in_both(state_dict_trace)
    assert not isinstance(theirs, Exception)
    assert ours == theirs
