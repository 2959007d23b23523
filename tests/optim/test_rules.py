"""The optimizers with a rule in the core, beside SGD and Adam: their numbers against plain Python,
on every path and layout, and what their options and states are."""

import math

import pytest

import rushlight as rl
from rushlight.optim import ASGD, Adadelta, Adagrad, Adamax, NAdam, RAdam, RMSprop, Rprop

STEPS = 8


def numbers(seed, count):
    """Fixed numbers of several sizes, without either library's random numbers."""
    return [math.sin(1 + seed * 7.3 + i * 1.7) * 10.0 ** (i % 3 - 1) for i in range(count)]


# ------------------------------------------------------ one element, in plain Python
# Each is a generator: it is sent gradients (with the sign and the L2 penalty already in them by
# `slope`) and yields the parameter after the step.


def slope(grad, p, options):
    grad = -grad if options.get("maximize") else grad
    decay = 0 if options.get("decoupled_weight_decay") else options.get("weight_decay", 0)
    return grad + decay * p


def shrunk(p, options, lr):
    apart = options.get("decoupled_weight_decay")
    return p * (1 - lr * options.get("weight_decay", 0)) if apart else p


def adadelta(p, grads, lr, rho=0.9, eps=1e-6, **options):
    v = u = 0.0
    for grad in grads:
        g = slope(grad, p, options)
        v = rho * v + (1 - rho) * g * g
        delta = math.sqrt(u + eps) / math.sqrt(v + eps) * g
        u = rho * u + (1 - rho) * delta * delta
        p -= lr * delta
    return p


def adagrad(p, grads, lr, lr_decay=0, initial_accumulator_value=0, eps=1e-10, **options):
    total = initial_accumulator_value
    for t, grad in enumerate(grads):
        g = slope(grad, p, options)
        total += g * g
        p -= lr / (1 + t * lr_decay) * g / (math.sqrt(total) + eps)
    return p


def adamax(p, grads, lr, betas=(0.9, 0.999), eps=1e-8, **options):
    m = u = 0.0
    for t, grad in enumerate(grads, 1):
        g = slope(grad, p, options)
        m = betas[0] * m + (1 - betas[0]) * g
        u = max(betas[1] * u, abs(g) + eps)
        p -= lr / (1 - betas[0] ** t) * m / u
    return p


def asgd(p, grads, lr, lambd=1e-4, alpha=0.75, t0=1e6, average=False, **options):
    eta, mu, mean = lr, 1.0, 0.0
    for t, grad in enumerate(grads, 1):
        g = slope(grad, p, options)
        p = p * (1 - lambd * eta) - eta * g
        mean += mu * (p - mean)
        eta = lr / (1 + lambd * lr * t) ** alpha
        mu = 1 / max(1, t - t0)
    return mean if average else p


def nadam(p, grads, lr, betas=(0.9, 0.999), eps=1e-8, momentum_decay=4e-3, **options):
    m = v = 0.0
    product = 1.0
    for t, grad in enumerate(grads, 1):
        p = shrunk(p, options, lr)
        g = slope(grad, p, options)
        now, later = (betas[0] * (1 - 0.5 * 0.96 ** (n * momentum_decay)) for n in (t, t + 1))
        product *= now
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        ahead = later / (1 - product * later) * m + (1 - now) / (1 - product) * g
        p -= lr * ahead / (math.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p


def radam(p, grads, lr, betas=(0.9, 0.999), eps=1e-8, **options):
    m = v = 0.0
    longest = 2 / (1 - betas[1]) - 1
    for t, grad in enumerate(grads, 1):
        p = shrunk(p, options, lr)
        g = slope(grad, p, options)
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        length = longest - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
        step = lr * m / (1 - betas[0] ** t)
        if length > 5:
            step *= math.sqrt(1 - betas[1] ** t) / (math.sqrt(v) + eps)
            step *= math.sqrt((length - 4) * (length - 2) * longest)
            step /= math.sqrt((longest - 4) * (longest - 2) * length)
        p -= step
    return p


def rmsprop(p, grads, lr, alpha=0.99, eps=1e-8, momentum=0, centered=False, **options):
    v = mean = buffer = 0.0
    for grad in grads:
        g = slope(grad, p, options)
        v = alpha * v + (1 - alpha) * g * g
        mean = alpha * mean + (1 - alpha) * g
        root = math.sqrt(v - mean * mean if centered else v) + eps
        buffer = momentum * buffer + g / root
        p -= lr * buffer
    return p


def rprop(p, grads, lr, etas=(0.5, 1.2), step_sizes=(1e-6, 50), **options):
    before, size = 0.0, lr
    for grad in grads:
        g = slope(grad, p, options)
        turn = g * before
        size *= etas[1] if turn > 0 else etas[0] if turn < 0 else 1
        size = min(max(size, step_sizes[0]), step_sizes[1])
        g = 0.0 if turn < 0 else g
        p -= math.copysign(size, g) if g else 0.0
        before = g
    return p


CASES = [
    (Adadelta, adadelta, {}),
    (Adadelta, adadelta, {"rho": 0.5, "eps": 0.1, "weight_decay": 0.2, "maximize": True}),
    (Adagrad, adagrad, {"eps": 1e-3}),
    (Adagrad, adagrad, {"lr_decay": 0.3, "weight_decay": 0.2, "initial_accumulator_value": 0.5}),
    (Adagrad, adagrad, {"maximize": True, "initial_accumulator_value": 0.1}),
    (Adamax, adamax, {}),
    (Adamax, adamax, {"betas": (0.3, 0.6), "eps": 0.1, "weight_decay": 0.2, "maximize": True}),
    (ASGD, asgd, {}),
    (ASGD, asgd, {"lambd": 0.1, "alpha": 0.5, "t0": 2, "weight_decay": 0.2, "maximize": True}),
    (NAdam, nadam, {}),
    (NAdam, nadam, {"betas": (0.4, 0.6), "weight_decay": 0.2, "momentum_decay": 0.1}),
    (NAdam, nadam, {"weight_decay": 0.2, "decoupled_weight_decay": True, "maximize": True}),
    (RAdam, radam, {}),
    (RAdam, radam, {"betas": (0.4, 0.9), "eps": 0.1, "weight_decay": 0.2, "maximize": True}),
    (RAdam, radam, {"weight_decay": 0.2, "decoupled_weight_decay": True}),
    (RMSprop, rmsprop, {"eps": 1e-3}),
    (RMSprop, rmsprop, {"momentum": 0.9, "weight_decay": 0.2, "maximize": True}),
    (RMSprop, rmsprop, {"centered": True, "alpha": 0.6, "eps": 0.1}),
    (RMSprop, rmsprop, {"centered": True, "momentum": 0.5, "alpha": 0.6, "eps": 0.1}),
    (Rprop, rprop, {}),
    (Rprop, rprop, {"etas": (0.6, 2.0), "step_sizes": (0.03, 0.2), "maximize": True}),
]
IDS = [f"{make.__name__}-{options}" for make, _, options in CASES]


def expected_of(in_python, values, grads, lr, options):
    return [
        in_python(value, [grad[i] for grad in grads], lr, **options)
        for i, value in enumerate(values)
    ]


def make_layout(values, shape, layout, dtype):
    flat = rl.tensor(values, dtype=dtype)
    if layout == "contiguous":
        return flat.reshape(shape)
    if layout == "transposed":  # dense, but in another order: element order is kept
        return flat.reshape(shape).t().contiguous().t()
    apart = rl.zeros(shape[0], shape[1] * 2, dtype=dtype)[:, ::2]  # with gaps: by tensor ops
    apart.copy_(flat.reshape(shape))
    return apart


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "gaps"])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize(("make", "in_python", "options"), CASES, ids=IDS)
def test_values(make, in_python, options, dtype, layout):
    shape, lr = (3, 11), 0.05
    values = numbers(0, 33)
    grads = [numbers(1 + n, 33) for n in range(STEPS)]
    p = make_layout(values, shape, layout, dtype).requires_grad_()
    opt = make([p], lr=lr, **options)
    for grad in grads:
        p.grad = make_layout(grad, shape, layout, dtype)
        opt.step()
    tolerance = 1e-4 if dtype == rl.float32 else 1e-7  # counters of ASGD and NAdam are float32
    if make not in (ASGD, NAdam) and dtype == rl.float64:
        tolerance = 1e-12
    expected = expected_of(in_python, values, grads, lr, options)
    got = p.detach().reshape(-1).tolist()
    assert got == pytest.approx(expected, rel=tolerance, abs=tolerance)
    assert opt.state[p]["step"].item() == STEPS


@pytest.mark.parametrize(("make", "in_python", "options"), CASES, ids=IDS)
def test_by_ops_is_the_same(make, in_python, options):
    """The recorded step, in tensor operations, against the rule in the core."""
    start, grads = numbers(0, 20), [numbers(1 + n, 20) for n in range(STEPS)]
    p = rl.tensor(start, dtype=rl.float64, requires_grad=True)
    q = rl.tensor(start, dtype=rl.float64, requires_grad=True).clone()
    opts = [make([p], lr=0.05, **options), make([q], lr=0.05, differentiable=True, **options)]
    for grad in grads:
        p.grad, q.grad = (rl.tensor(grad, dtype=rl.float64) for _ in range(2))
        for opt in opts:
            opt.step()
    assert q.grad_fn is not None
    assert p.tolist() == pytest.approx(q.tolist(), rel=1e-11, abs=1e-12)
    states = [opt.state_dict()["state"][0] for opt in opts]
    assert list(states[0]) == list(states[1])
    for key, value in states[0].items():
        got = states[1][key].reshape(-1).tolist()
        assert value.reshape(-1).tolist() == pytest.approx(got, rel=1e-6, abs=1e-12), key


# The step of Rprop depends on the sign of the gradient only.
@pytest.mark.parametrize(("make", "in_python", "options"), CASES[:-2], ids=IDS[:-2])
def test_gradients_reach_the_parameter(make, in_python, options):
    """d(parameter after two steps) / d(gradient), against finite differences."""

    def final(value):
        p = rl.tensor([1.5], dtype=rl.float64, requires_grad=True).clone()
        opt = make([p], lr=0.05, differentiable=True, **options)
        for factor in (1.0, -0.7):
            p.grad = value * factor + 0.1
            opt.step()
        return p

    value = rl.tensor([0.8], dtype=rl.float64, requires_grad=True)
    final(value).sum().backward()
    step = 1e-6
    ends = [final(rl.tensor([0.8 + d], dtype=rl.float64)).item() for d in (-step, step)]
    assert value.grad.item() == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(("make", "in_python", "options"), CASES, ids=IDS)
def test_large_parameters_and_many_small_ones(make, in_python, options):
    """Large ones are cut into tasks, small ones put together; bits must not depend on it."""
    sizes = [40_000, 7, 16_384, 1, 300, 16_385, 0, 5]
    rl.manual_seed(1)
    starts = [rl.randn(n) for n in sizes]
    together = [rl.nn.Parameter(s.clone()) for s in starts]
    alone = [rl.nn.Parameter(s.clone()) for s in starts]
    opts = [make(together, lr=0.1, **options), *(make([p], lr=0.1, **options) for p in alone)]
    for _ in range(3):
        for a, b in zip(together, alone, strict=True):
            a.grad = rl.randn(*a.shape)
            b.grad = a.grad.clone()
        for opt in opts:
            opt.step()
    for a, b in zip(together, alone, strict=True):
        assert rl.equal(a.detach(), b.detach())


@pytest.mark.parametrize(("make", "in_python", "options"), CASES, ids=IDS)
def test_half_types(make, in_python, options):
    values, grads = numbers(0, 12), [numbers(1 + n, 12) for n in range(3)]
    options = {**options, "eps": 0.1} if "etas" not in options and make is not ASGD else options
    if make is Rprop:
        options.pop("eps", None)
    p = rl.tensor(values, dtype=rl.bfloat16).requires_grad_()
    opt = make([p], lr=0.02, **options)
    for grad in grads:
        p.grad = rl.tensor(grad, dtype=rl.bfloat16)
        opt.step()
    assert p.dtype == rl.bfloat16
    expected = expected_of(in_python, values, grads, 0.02, options)
    assert p.detach().float().tolist() == pytest.approx(expected, rel=0.08, abs=0.08)


@pytest.mark.parametrize(("make", "in_python", "options"), CASES, ids=IDS)
def test_complex_is_two_real_parameters(make, in_python, options):
    real, imaginary = numbers(0, 5), numbers(9, 5)
    grads = [(numbers(1 + n, 5), numbers(20 + n, 5)) for n in range(3)]

    def joined(a, b):
        return rl.complex(rl.tensor(a, dtype=rl.float64), rl.tensor(b, dtype=rl.float64))

    p = joined(real, imaginary).requires_grad_()
    opt = make([p], lr=0.1, **options)
    for a, b in grads:
        p.grad = joined(a, b)
        opt.step()
    got = rl.view_as_real(p.detach())
    for part, values in enumerate((real, imaginary)):
        expected = expected_of(in_python, values, [g[part] for g in grads], 0.1, options)
        assert got[:, part].tolist() == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("make", "in_python", "options"), CASES, ids=IDS)
def test_resumed(make, in_python, options):
    params = [rl.nn.Parameter(rl.tensor(numbers(0, 9))) for _ in range(2)]
    opts = [make([p], lr=0.05, **options) for p in params]
    for n in range(6):
        if n == 3:
            saved = opts[1].state_dict()
            opts[1] = make(params[1:], lr=9.0)
            opts[1].load_state_dict(saved)
        for p, opt in zip(params, opts, strict=True):
            p.grad = rl.tensor(numbers(1 + n, 9))
            opt.step()
    assert params[0].tolist() == params[1].tolist()


@pytest.mark.parametrize("make", [Adadelta, Adagrad, Adamax, ASGD, NAdam, RAdam, RMSprop, Rprop])
def test_tensor_lr_and_numbers_of_old_checkpoints(make):
    params = [rl.nn.Parameter(rl.tensor(numbers(0, 9))) for _ in range(2)]
    opts = [make(params[:1], lr=rl.tensor([0.125])), make(params[1:], lr=0.125)]
    for n in range(4):
        if n == 2:
            saved = opts[1].state_dict()
            for key in type(opts[1])._counters:
                saved["state"][0][key] = saved["state"][0][key].item()
            opts[1].load_state_dict(saved)
        for p, opt in zip(params, opts, strict=True):
            p.grad = rl.tensor(numbers(1 + n, 9))
            opt.step()
    assert params[0].tolist() == pytest.approx(params[1].tolist(), rel=1e-6)
    assert opts[1].state[params[1]]["step"].item() == 4
    with pytest.raises(ValueError, match="1-element"):
        make(params, lr=rl.ones(2))
    with pytest.raises(ValueError, match=r"Invalid learning rate: -1\.0"):
        make(params, lr=-1.0)


@pytest.mark.parametrize("make", [Adadelta, Adamax, ASGD, NAdam, RAdam, RMSprop, Rprop])
def test_capturable_is_for_accelerators(make):
    p = rl.nn.Parameter(rl.ones(1))
    opt = make([p], capturable=True)
    opt.step()
    p.grad = rl.ones(1)
    with pytest.raises(AssertionError, match="capturable=True"):
        opt.step()


def test_states():
    layouts = {
        Adadelta: ["step", "square_avg", "acc_delta"],
        Adagrad: ["step", "sum"],
        Adamax: ["step", "exp_avg", "exp_inf"],
        ASGD: ["step", "eta", "mu", "ax"],
        NAdam: ["step", "mu_product", "exp_avg", "exp_avg_sq"],
        RAdam: ["step", "exp_avg", "exp_avg_sq"],
        RMSprop: ["step", "square_avg"],
        Rprop: ["step", "prev", "step_size"],
    }
    for make, keys in layouts.items():
        p = rl.nn.Parameter(rl.ones(3))
        opt = make([p])
        assert list(opt.state) == ([p] if make is Adagrad else [])
        p.grad = rl.ones(3)
        opt.step()
        assert list(opt.state[p]) == keys
        step = opt.state[p]["step"]
        assert step.shape == () and step.dtype == rl.float32
    p = rl.nn.Parameter(rl.ones(3))
    p.grad = rl.ones(3)
    opt = RMSprop([p], momentum=0.9, centered=True)
    opt.step()
    assert list(opt.state[p]) == ["step", "square_avg", "momentum_buffer", "grad_avg"]


def test_average_of_asgd():
    values, grads = [1.0], [[0.5], [1.0], [-2.0], [0.7], [0.1]]
    p = rl.tensor(values, dtype=rl.float64, requires_grad=True)
    opt = ASGD([p], lr=0.1, t0=1)
    for grad in grads:
        p.grad = rl.tensor(grad, dtype=rl.float64)
        opt.step()
    expected = asgd(1.0, [g for (g,) in grads], 0.1, t0=1, average=True)
    assert opt.state[p]["ax"].item() == pytest.approx(expected, rel=1e-6)


def test_special_values():
    """A NaN or an infinity in a gradient stays in its place; infinite parameters stay."""
    nan, inf = math.nan, math.inf
    for make, _, options in CASES:
        p = rl.nn.Parameter(rl.tensor([1.0, 1.0, 1.0, inf]))
        opt = make([p], lr=0.1, **options)
        p.grad = rl.tensor([nan, 1.0, 0.0, 0.0])
        opt.step()
        first, second, third, last = p.tolist()
        assert math.isnan(first) or make is Rprop, make
        assert math.isfinite(second) and math.isfinite(third), make
        assert last == inf or options.get("weight_decay"), make
        if make is Rprop:  # the sign of a NaN is 0, as in PyTorch
            assert first == 1


def test_unusual_state_is_left_to_tensor_operations():
    p = rl.nn.Parameter(rl.ones(4, 3))
    p.grad = rl.ones(4, 3)
    opt = Adadelta([p])
    opt.step()
    state = opt.state[p]
    state["square_avg"] = state["square_avg"].t().contiguous().t()
    opt.step()
    q = rl.nn.Parameter(rl.ones(4, 3))
    q.grad = rl.ones(4, 3)
    opt = Adadelta([q])
    for _ in range(2):
        opt.step()
    assert p.tolist() == [pytest.approx(row, rel=1e-6) for row in q.tolist()]


@pytest.mark.parametrize(
    ("make", "options", "text"),
    [
        (Adadelta, {"rho": 1.1}, r"Invalid rho value: 1\.1"),
        (Adadelta, {"eps": -1.0}, r"Invalid epsilon value: -1\.0"),
        (Adagrad, {"lr_decay": -0.5}, r"Invalid lr_decay value: -0\.5"),
        (Adagrad, {"initial_accumulator_value": -1}, "Invalid initial_accumulator_value value"),
        (Adamax, {"betas": (0.0, 1.0)}, r"Invalid beta parameter at index 1: 1\.0"),
        (ASGD, {"weight_decay": -0.5}, "Invalid weight_decay value"),
        (NAdam, {"momentum_decay": -0.2}, r"Invalid momentum_decay value: -0\.2"),
        (RAdam, {"betas": (1.0, 0.9)}, r"Invalid beta parameter at index 0: 1\.0"),
        (RMSprop, {"momentum": -1.0}, r"Invalid momentum value: -1\.0"),
        (RMSprop, {"alpha": -1.0}, r"Invalid alpha value: -1\.0"),
        (Rprop, {"etas": (1.0, 0.5)}, r"Invalid eta values: 1\.0, 0\.5"),
    ],
)
def test_option_errors(make, options, text):
    with pytest.raises(ValueError, match=text):
        make([rl.nn.Parameter(rl.ones(1))], **options)


def test_functions_ask_for_tensors_as_counters():
    from rushlight.optim.adadelta import adadelta as function

    p = rl.ones(1)
    with pytest.raises(RuntimeError, match="singleton tensors"):
        function(
            [p], [p], [p], [p], [1], lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, maximize=False
        )
