"""Optimizers and schedules against PyTorch: parameters, state, learning rates, step by step."""

import os

import pytest

import rushlight as rl
from rushlight.optim import LBFGS, SGD, Adafactor, Adam, AdamW, Muon

np = pytest.importorskip("numpy", reason="the comparison goes through NumPy arrays")
torch = pytest.importorskip("torch", reason="PyTorch is what is compared with")

STEPS = 10
SHAPES = [(3, 4), (4,), (2, 1, 3), (), (37,)]

SGD_OPTIONS = [
    {},
    {"weight_decay": 0.5},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.5},
    {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    {"momentum": 0.9, "maximize": True, "weight_decay": 0.1},
    {"momentum": 0.9, "foreach": True},
    {"momentum": 0.9, "fused": True},
]
ADAM_OPTIONS = [
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "maximize": True},
    {"weight_decay": 0.1, "amsgrad": True},
    {"betas": (0.4, 0.3), "eps": 0.01},
    {"foreach": True},
    {"fused": True},
    {"fused": True, "amsgrad": True},
]
NADAM_OPTIONS = [
    {},
    {"weight_decay": 0.1, "momentum_decay": 0.1},
    {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    {"betas": (0.4, 0.3), "eps": 0.01},
    {"foreach": True},
]
RADAM_OPTIONS = [options for options in NADAM_OPTIONS if "momentum_decay" not in options]
OTHER_OPTIONS = {
    "Adadelta": [{}, {"rho": 0.5, "eps": 0.01}, {"weight_decay": 0.1, "maximize": True}],
    "Adagrad": [
        {},
        {"lr_decay": 0.1, "weight_decay": 0.1, "maximize": True},
        {"initial_accumulator_value": 0.5, "eps": 0.01},
        {"fused": True},
    ],
    "Adamax": [{}, {"betas": (0.4, 0.3), "eps": 0.01}, {"weight_decay": 0.1, "maximize": True}],
    "ASGD": [{}, {"lambd": 0.1, "t0": 2}, {"weight_decay": 0.1, "maximize": True}],
    "NAdam": NADAM_OPTIONS,
    "RAdam": [*RADAM_OPTIONS, {"betas": (0.5, 0.95), "weight_decay": 0.1}],
    "RMSprop": [
        {},
        {"momentum": 0.9},
        {"centered": True},
        {"centered": True, "momentum": 0.9, "alpha": 0.5, "weight_decay": 0.1},
        {"maximize": True, "eps": 0.01},
    ],
    "Rprop": [{}, {"etas": (0.6, 1.5), "step_sizes": (0.01, 0.1)}, {"maximize": True}],
}

CASES = [(SGD, torch.optim.SGD, options) for options in SGD_OPTIONS]
CASES += [(Adam, torch.optim.Adam, options) for options in ADAM_OPTIONS]
CASES += [(AdamW, torch.optim.AdamW, options) for options in ADAM_OPTIONS]
CASES += [
    (getattr(rl.optim, name), getattr(torch.optim, name), options)
    for name, several in OTHER_OPTIONS.items()
    for options in several
]
IDS = [f"{own.__name__}-{options}" for own, _, options in CASES]


def numbers(seed, shape):
    return np.random.RandomState(seed).normal(size=shape) * 10.0 ** (seed % 3 - 1)


def parameters(lib, dtype):
    arrays = [np.array(numbers(i, shape), dtype) for i, shape in enumerate(SHAPES)]
    return [lib.nn.Parameter(lib.from_numpy(array)) for array in arrays]


def set_gradients(lib, params, n):
    for i, p in enumerate(params):
        array = np.array(numbers(100 * (n + 1) + i, tuple(p.shape)), p.detach().numpy().dtype)
        p.grad = lib.from_numpy(array)
    params[1].grad = None if n == 4 else params[1].grad


def plain(value):
    """A value of either library as Python and NumPy objects."""
    if isinstance(value, (rl.Tensor, torch.Tensor)):
        return np.array(value.detach().numpy())
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def agree(expected, got, rtol):
    expected, got = plain(expected), plain(got)
    if isinstance(expected, np.ndarray):
        assert got.dtype == expected.dtype and got.shape == expected.shape
        scale = np.abs(expected).max(initial=0.0)
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * scale)
    elif isinstance(expected, dict):
        assert list(expected) == list(got)
        for key in expected:
            agree(expected[key], got[key], rtol)
    elif isinstance(expected, list):
        assert len(expected) == len(got)
        for a, b in zip(expected, got, strict=True):
            agree(a, b, rtol)
    elif isinstance(expected, float):
        assert got == pytest.approx(expected, rel=rtol)
    else:
        assert expected == got and type(expected) is type(got)


@pytest.mark.parametrize(("own", "reference", "options"), CASES, ids=IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps(own, reference, options, dtype):
    rtol = 2e-6 if dtype == "float32" else 1e-12
    if options.get("fused"):  # PyTorch's fused kernels round in other places
        rtol *= 4
    if own not in (SGD, Adam, AdamW):  # ours round less often
        rtol *= 10
    if own.__name__ in ("ASGD", "NAdam"):  # with counters in float32
        rtol = max(rtol, 2e-6)
    params, expected = parameters(rl, dtype), parameters(torch, dtype)
    opt, ref = own(params, lr=0.05, **options), reference(expected, lr=0.05, **options)
    for n in range(STEPS):
        set_gradients(rl, params, n)
        set_gradients(torch, expected, n)
        assert opt.step() is ref.step() is None
        agree(list(expected), list(params), rtol)
        agree(ref.state_dict(), opt.state_dict(), rtol)
    assert repr(opt) == repr(ref)


@pytest.mark.skipif(
    os.environ.get("RUSHLIGHT_ISA") == "v2"
    or torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="without fused multiply-add in both libraries they round differently",
)
def test_bits():
    """In whole vectors SGD and the averages of Adam have PyTorch's very bits."""
    for own, reference, options in CASES:
        if "fused" in options or "foreach" in options or own not in (SGD, Adam, AdamW):
            continue
        arrays = [np.array(numbers(n, 64), "float32") for n in range(STEPS + 1)]
        p = rl.nn.Parameter(rl.from_numpy(arrays[0].copy()))
        q = torch.nn.Parameter(torch.from_numpy(arrays[0].copy()))
        opt, ref = own([p], lr=0.05, **options), reference([q], lr=0.05, **options)
        for array in arrays[1:]:
            p.grad, q.grad = rl.from_numpy(array.copy()), torch.from_numpy(array.copy())
            opt.step()
            ref.step()
        if own is SGD:
            assert np.array_equal(p.detach().numpy(), q.detach().numpy()), options
        if not options.get("weight_decay"):
            for key, value in ref.state[q].items():
                assert np.array_equal(opt.state[p][key].numpy(), value.numpy()), (options, key)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adafactor", *OTHER_OPTIONS])
def test_state_dicts_are_exchanged(name):
    """Training begun by PyTorch, continued here, and the other way round."""
    own = getattr(rl.optim, name)
    options = {"lr": 0.05, "momentum": 0.9} if own is SGD else {"lr": 0.05}
    rtol = 1e-6 if name in ("ASGD", "NAdam") else 1e-11
    reference = getattr(torch.optim, own.__name__)

    def train(lib, opt, params, steps):
        for n in steps:
            set_gradients(lib, params, n)
            opt.step()

    def convert(lib, value):
        if isinstance(value, (rl.Tensor, torch.Tensor)):
            return lib.from_numpy(np.array(value.detach().numpy()))
        if isinstance(value, dict):
            return {key: convert(lib, entry) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(convert(lib, entry) for entry in value)
        return value

    def handed_over(first, first_make, second, second_make):
        params = parameters(first, "float64")
        opt = first_make(params, **options)
        train(first, opt, params, range(4))
        others = [second.nn.Parameter(convert(second, p)) for p in params]
        other = second_make(others, **options)
        other.load_state_dict(convert(second, opt.state_dict()))
        train(second, other, others, range(4, 8))
        return others

    expected = handed_over(torch, reference, torch, reference)
    agree(expected, handed_over(torch, reference, rl, own), rtol)
    agree(expected, handed_over(rl, own, torch, reference), rtol)


@pytest.mark.parametrize("name", ["SGD", "Adam", *OTHER_OPTIONS])
def test_complex(name):
    def train(lib):
        p = lib.nn.Parameter(lib.from_numpy(numbers(0, 7) + 1j * numbers(1, 7)))
        opt = getattr(lib.optim, name)([p], lr=0.05)
        for n in range(STEPS):
            p.grad = lib.from_numpy(numbers(10 + n, 7) + 1j * numbers(50 + n, 7))
            opt.step()
        return [p.detach(), opt.state_dict()]

    agree(train(torch), train(rl), 1e-6 if name in ("ASGD", "NAdam") else 1e-11)


MATRIX_CASES = [
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.5, "d": 1.5, "weight_decay": 0.1, "eps": (1e-2, 0.1)}),
    ("Adafactor", {"maximize": True, "beta2_decay": -0.4}),
    ("Adafactor", {"foreach": True}),
    ("Muon", {}),
    ("Muon", {"nesterov": False, "momentum": 0.5, "weight_decay": 0.0}),
    ("Muon", {"adjust_lr_fn": "match_rms_adamw", "ns_steps": 3}),
]


@pytest.mark.parametrize(("name", "options"), MATRIX_CASES)
def test_matrix_optimizers(name, options):
    shapes = [(3, 4), (5, 2), (6, 6)] if name == "Muon" else SHAPES
    runs = []
    for lib in (torch, rl):
        params = [
            lib.nn.Parameter(lib.from_numpy(np.array(numbers(i, shape), "float32")))
            for i, shape in enumerate(shapes)
        ]
        opt = getattr(lib.optim, name)(params, **options)
        for n in range(STEPS):
            for i, p in enumerate(params):
                grad = np.array(numbers(100 * (n + 1) + i, tuple(p.shape)), "float32")
                p.grad = lib.from_numpy(grad)
            opt.step()
        runs.append([list(params), opt.state_dict()])
    assert isinstance(opt, (Adafactor, Muon))
    # Muon's directions are rounded to bfloat16 where both libraries do it.
    agree(*runs, 1e-3 if name == "Muon" else 2e-5)


@pytest.mark.parametrize("options", [{}, {"line_search_fn": "strong_wolfe"}, {"history_size": 3}])
def test_lbfgs(options):
    """On Rosenbrock's function, up to where rounding decides."""

    def train(lib):
        p = lib.nn.Parameter(lib.tensor([-1.2, 1.0, 0.5], dtype=lib.float64))
        opt = lib.optim.LBFGS([p], lr=0.05 if not options else 1, max_iter=4, **options)
        losses = []

        def closure():
            opt.zero_grad()
            first, second = 1 - p[:-1], p[1:] - p[:-1] ** 2
            loss = (first**2 + 100 * second**2).sum()
            loss.backward()
            return loss

        for _ in range(4):
            losses.append(opt.step(closure).item())
        return [losses, p.detach(), opt.state_dict()]

    expected, got = train(torch), train(rl)
    assert rl.optim.LBFGS is LBFGS
    agree(expected, got, 1e-7)


SCHEDULES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, [lambda n: 0.95**n, lambda n: 1 / (n + 1)]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda n: 0.9),
    "StepLR": lambda s, o: s.StepLR(o, 4, 0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [3, 8, 8], 0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.25, 6),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.1, 0.8, 9),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 12, 2.0),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 7, 0.001),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 2, 0.001),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.001, 0.1, 4, 3),
    "CyclicLR exp_range": lambda s, o: s.CyclicLR(o, 0.01, [0.1, 0.2], 5, mode="exp_range"),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=31),
    "OneCycleLR three_phase": lambda s, o: s.OneCycleLR(o, 0.5, 31, three_phase=True),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9), s.StepLR(o, 3)], [5, 12]
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.1, 4), s.CosineAnnealingLR(o, 9)]
    ),
    "ReduceLROnPlateau": lambda s, o: s.ReduceLROnPlateau(o, factor=0.5, patience=2, cooldown=1),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    runs = []
    for lib in (torch, rl):
        params = [lib.nn.Parameter(lib.zeros(1)) for _ in range(2)]
        groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.05}]
        opt = lib.optim.SGD(groups, lr=0.1, momentum=0.9)
        scheduler = SCHEDULES[name](lib.optim.lr_scheduler, opt)
        run = [[group["lr"] for group in opt.param_groups]]
        for n in range(30):
            opt.step()
            scheduler.step(*([5.0 - n % 3] if "Plateau" in name else []))
            run.append([(group["lr"], group["momentum"]) for group in opt.param_groups])
            run.append(list(scheduler.get_last_lr()))
        runs.append([run, sorted(scheduler.state_dict())])
    agree(*runs, 1e-12)
