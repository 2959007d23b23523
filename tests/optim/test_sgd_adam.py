"""SGD, Adam and AdamW: their numbers against plain Python, on every path and layout."""

import math

import pytest

import rushlight as rl
from rushlight.optim import SGD, Adam, AdamW
from rushlight.optim.adam import adam
from rushlight.optim.adamw import adamw
from rushlight.optim.sgd import sgd

STEPS = 6

SGD_OPTIONS = [
    {},
    {"weight_decay": 0.2},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.4},
    {"momentum": 0.9, "weight_decay": 0.2, "nesterov": True},
    {"momentum": 0.5, "weight_decay": 0.2, "maximize": True},
]
ADAM_OPTIONS = [
    {},
    {"weight_decay": 0.2},
    {"weight_decay": 0.2, "decoupled_weight_decay": True},
    {"amsgrad": True},
    {"betas": (0.4, 0.3), "eps": 0.1},
    {"amsgrad": True, "weight_decay": 0.2, "maximize": True},
]


def sgd_in_python(values, grads, lr, momentum=0, dampening=0, weight_decay=0, **flags):
    """One list of floats, updated once per list of gradients."""
    p, buffer = list(values), None
    sign = -1 if flags.get("maximize") else 1
    for grad in grads:
        g = [sign * x + weight_decay * y for x, y in zip(grad, p, strict=True)]
        if momentum:
            if buffer is None:
                buffer = list(g)
            else:
                pairs = zip(buffer, g, strict=True)
                buffer = [momentum * b + (1 - dampening) * x for b, x in pairs]
            if flags.get("nesterov"):
                g = [x + momentum * b for x, b in zip(g, buffer, strict=True)]
            else:
                g = buffer
        p = [y - lr * x for x, y in zip(g, p, strict=True)]
    return p


def adam_in_python(values, grads, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, **flags):
    p = list(values)
    m, v, w = ([0.0] * len(p) for _ in range(3))
    sign = -1 if flags.get("maximize") else 1
    for t, grad in enumerate(grads, 1):
        for i, g in enumerate(grad):
            g *= sign
            if flags.get("decoupled_weight_decay"):
                p[i] -= lr * weight_decay * p[i]
            else:
                g += weight_decay * p[i]
            m[i] = betas[0] * m[i] + (1 - betas[0]) * g
            v[i] = betas[1] * v[i] + (1 - betas[1]) * g * g
            w[i] = max(w[i], v[i])
            root = math.sqrt((w if flags.get("amsgrad") else v)[i] / (1 - betas[1] ** t))
            p[i] -= lr * (m[i] / (1 - betas[0] ** t)) / (root + eps)
    return p


def numbers(seed, count):
    """Fixed numbers of several sizes, without either library's random numbers."""
    return [math.sin(1 + seed * 7.3 + i * 1.7) * 10.0 ** (i % 3 - 1) for i in range(count)]


def make_layout(values, shape, layout, dtype):
    flat = rl.tensor(values, dtype=dtype)
    if layout == "contiguous":
        return flat.reshape(shape)
    if layout == "transposed":  # dense, but in another order: element order is kept
        return flat.reshape(shape).t().contiguous().t()
    apart = rl.zeros(shape[0], shape[1] * 2, dtype=dtype)[:, ::2]  # with gaps
    apart.copy_(flat.reshape(shape))
    return apart


CASES = [(SGD, sgd_in_python, options) for options in SGD_OPTIONS]
CASES += [(Adam, adam_in_python, options) for options in ADAM_OPTIONS]


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "gaps", "grad transposed"])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize(("make", "in_python", "options"), CASES)
def test_values(make, in_python, options, dtype, layout):
    shape, lr = (3, 11), 0.1
    values = numbers(0, 33)
    grads = [numbers(1 + n, 33) for n in range(STEPS)]
    own, of_grad = layout, layout
    if layout == "grad transposed":
        own, of_grad = "contiguous", "transposed"
    p = make_layout(values, shape, own, dtype).requires_grad_()
    opt = make([p], lr=lr, **options)
    for grad in grads:
        p.grad = make_layout(grad, shape, of_grad, dtype)
        opt.step()
    expected = in_python(values, grads, lr, **options)
    tolerance = 2e-5 if dtype == rl.float32 else 1e-12
    got = p.detach().reshape(-1).tolist()
    assert got == pytest.approx(expected, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize(("make", "in_python", "options"), CASES)
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


@pytest.mark.parametrize(("make", "in_python", "options"), CASES)
@pytest.mark.parametrize("dtype", [rl.float16, rl.bfloat16])
def test_half_types(make, in_python, options, dtype):
    values = numbers(0, 40)
    grads = [numbers(1 + n, 40) for n in range(3)]
    p = rl.tensor(values, dtype=dtype).requires_grad_()
    if make is Adam:  # tiny squares vanish in float16
        options = {**options, "eps": 0.1, "betas": (0.9, 0.9)}
    opt = make([p], lr=0.01, **options)
    for grad in grads:
        p.grad = rl.tensor(grad, dtype=dtype)
        opt.step()
    expected = in_python(values, grads, 0.01, **options)
    tolerance = 0.01 if dtype == rl.float16 else 0.06
    assert p.detach().float().tolist() == pytest.approx(expected, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize(("make", "in_python", "options"), CASES)
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
        expected = in_python(values, [g[part] for g in grads], 0.1, **options)
        assert got[:, part].tolist() == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_special_values():
    """A NaN or an infinity in a gradient stays in its place."""
    nan, inf = math.nan, math.inf
    for make in (SGD, Adam):
        p = rl.nn.Parameter(rl.ones(4))
        opt = make([p], lr=0.1)
        p.grad = rl.tensor([nan, 1.0, inf, 0.0])
        opt.step()
        first, second, third, last = p.tolist()
        assert math.isnan(first) and second < 1 and not math.isfinite(third) and last == 1
    p = rl.nn.Parameter(rl.tensor([inf, nan, 1.0]))
    p.grad = rl.zeros(3)
    SGD([p], lr=0.1).step()  # no weight decay: the parameter must not be multiplied by 0
    assert p[0].item() == inf and p[2].item() == 1


# --------------------------------------------------------------------------------- state


def test_sgd_state():
    p = rl.nn.Parameter(rl.ones(3))
    p.grad = rl.ones(3)
    opt = SGD([p], lr=0.1)
    opt.step()
    assert len(opt.state) == 0
    opt.param_groups[0]["momentum"] = 0.9
    opt.step()
    buffer = opt.state[p]["momentum_buffer"]
    assert rl.equal(buffer, p.grad) and buffer is not p.grad
    opt.state[p]["momentum_buffer"] = None
    opt.step()
    assert rl.equal(opt.state[p]["momentum_buffer"], p.grad)
    opt.step()
    assert opt.state[p]["momentum_buffer"][0].item() == pytest.approx(1.9)


def test_adam_state():
    p = rl.nn.Parameter(rl.ones(3))
    p.grad = rl.ones(3)
    opt = Adam([p], lr=0.1, amsgrad=True)
    opt.step()
    state = opt.state[p]
    assert list(state) == ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    step = state["step"]
    assert step.shape == () and step.dtype == rl.float32 and step.item() == 1
    assert state["exp_avg"][0].item() == pytest.approx(0.1)
    assert state["exp_avg_sq"][0].item() == pytest.approx(0.001)
    opt.step()
    assert opt.state[p]["step"] is step and step.item() == 2


def test_adam_loads_counters_that_are_numbers():
    p = rl.nn.Parameter(rl.ones(3))
    p.grad = rl.ones(3)
    opt = Adam([p], lr=0.1)
    opt.step()
    state = opt.state_dict()
    state["state"][0]["step"] = 1
    opt.load_state_dict(state)
    assert opt.state[p]["step"].item() == 1


def test_adamw_is_adam_with_decoupled_decay():
    params = [rl.nn.Parameter(rl.tensor(numbers(0, 9))) for _ in range(2)]
    opts = [
        AdamW(params[:1], lr=0.1, weight_decay=0.3),
        Adam(params[1:], lr=0.1, weight_decay=0.3, decoupled_weight_decay=True),
    ]
    for n in range(3):
        for p, opt in zip(params, opts, strict=True):
            p.grad = rl.tensor(numbers(1 + n, 9))
            opt.step()
    assert rl.equal(params[0].detach(), params[1].detach())
    assert opts[0].defaults["weight_decay"] == 0.3
    assert AdamW(params).defaults["weight_decay"] == 0.01
    coupled = opts[1].state_dict()
    coupled["param_groups"][0]["decoupled_weight_decay"] = False
    opts[0].load_state_dict(coupled)
    assert opts[0].param_groups[0]["decoupled_weight_decay"] is True


# -------------------------------------------------------------------------------- options


@pytest.mark.parametrize("make", [SGD, Adam, AdamW])
def test_tensor_lr(make):
    params = [rl.nn.Parameter(rl.tensor(numbers(0, 9))) for _ in range(2)]
    rate = rl.tensor(0.125)
    opts = [make(params[:1], lr=rate), make(params[1:], lr=0.125)]
    for n in range(3):
        for p, opt in zip(params, opts, strict=True):
            p.grad = rl.tensor(numbers(1 + n, 9))
            opt.step()
    assert params[0].tolist() == pytest.approx(params[1].tolist(), rel=1e-6)
    before = params[0].tolist()
    rate.fill_(0.0)
    opts[0].step()
    if make is not AdamW:
        assert params[0].tolist() == before
    make(params, lr=rl.tensor([0.1]))


def test_tensor_betas():
    params = [rl.nn.Parameter(rl.tensor(numbers(0, 9))) for _ in range(2)]
    opts = [
        Adam(params[:1], lr=0.125, betas=(rl.tensor(0.5), rl.tensor([0.75]))),
        Adam(params[1:], lr=0.125, betas=(0.5, 0.75)),
    ]
    for n in range(3):
        for p, opt in zip(params, opts, strict=True):
            p.grad = rl.tensor(numbers(1 + n, 9))
            opt.step()
    assert params[0].tolist() == pytest.approx(params[1].tolist(), rel=1e-5)


@pytest.mark.parametrize("flag", ["foreach", "fused"])
@pytest.mark.parametrize("make", [SGD, Adam, AdamW])
def test_foreach_and_fused_change_nothing(make, flag):
    params = [rl.nn.Parameter(rl.tensor(numbers(0, 9))) for _ in range(2)]
    opts = [make(params[:1], lr=0.1, **{flag: True}), make(params[1:], lr=0.1)]
    for n in range(3):
        for p, opt in zip(params, opts, strict=True):
            p.grad = rl.tensor(numbers(1 + n, 9))
            opt.step()
    assert params[0].tolist() == pytest.approx(params[1].tolist(), rel=1e-6)


def test_capturable_is_for_accelerators():
    p = rl.nn.Parameter(rl.ones(1))
    opt = Adam([p], capturable=True)
    opt.step()
    p.grad = rl.ones(1)
    with pytest.raises(AssertionError, match="capturable=True"):
        opt.step()


@pytest.mark.parametrize(
    ("make", "options", "width", "tolerance"),
    [
        # Bias corrections are float32 there; in lr the steps are linear, or nearly so.
        *((Adam, o, 0.01, 1e-4) for o in ({}, {"amsgrad": True}, {"weight_decay": 0.1})),
        *((SGD, o, 1e-6, 1e-5) for o in ({}, {"momentum": 0.9}, {"weight_decay": 0.1})),
    ],
)
def test_differentiable(make, options, width, tolerance):
    """d(parameter)/d(lr) through two steps, against finite differences."""

    def final(lr):
        p = rl.tensor([1.0, -2.0], dtype=rl.float64, requires_grad=True).clone()
        opt = make([p], lr=lr, differentiable=True, **options)
        for n in range(2):
            p.grad = rl.tensor([0.5, 1.0 + n], dtype=rl.float64)
            opt.step()
        return p

    lr = rl.tensor(0.1, dtype=rl.float64, requires_grad=True)
    final(lr).sum().backward()
    ends = [final(rate).sum().item() for rate in (0.1 - width, 0.1 + width)]
    assert lr.grad.item() == pytest.approx((ends[1] - ends[0]) / (2 * width), rel=tolerance)


@pytest.mark.parametrize(
    ("make", "options", "error", "text"),
    [
        (SGD, {"lr": -1.0}, ValueError, "Invalid learning rate: -1.0"),
        (SGD, {"momentum": -0.5}, ValueError, "Invalid momentum value: -0.5"),
        (SGD, {"weight_decay": -0.5}, ValueError, "Invalid weight_decay value: -0.5"),
        (SGD, {"nesterov": True}, ValueError, "Nesterov momentum requires"),
        (SGD, {"fused": True, "foreach": True}, RuntimeError, "cannot be `True` together"),
        (SGD, {"fused": True, "differentiable": True}, RuntimeError, "differentiable"),
        (SGD, {"lr": [0.1, 0.2]}, ValueError, "Tensor lr must be 1-element"),
        (Adam, {"lr": -1.0}, ValueError, "Invalid learning rate: -1.0"),
        (Adam, {"eps": -1.0}, ValueError, "Invalid epsilon value: -1.0"),
        (Adam, {"betas": (1.0, 0.9)}, ValueError, "Invalid beta parameter at index 0: 1.0"),
        (Adam, {"betas": (0.9, -0.1)}, ValueError, "Invalid beta parameter at index 1: -0.1"),
        (Adam, {"weight_decay": -1.0}, ValueError, "Invalid weight_decay value: -1.0"),
        (Adam, {"fused": True, "foreach": True}, RuntimeError, "cannot be `True` together"),
        (Adam, {"lr": [0.1], "foreach": True}, ValueError, "lr as a Tensor"),
        (AdamW, {"lr": -1.0}, ValueError, "Invalid learning rate: -1.0"),
    ],
)
def test_option_errors(make, options, error, text):
    if isinstance(options.get("lr"), list):
        options = {**options, "lr": rl.tensor(options["lr"])}
    with pytest.raises(error, match=text):
        make([rl.nn.Parameter(rl.ones(1))], **options)


def test_fused_needs_real_parameters():
    p = rl.nn.Parameter(rl.ones(2, dtype=rl.complex64))
    p.grad = rl.ones(2, dtype=rl.complex64)
    for make in (SGD, Adam):
        with pytest.raises(RuntimeError, match="floating point"):
            make([p], lr=0.1, fused=True).step()


# ------------------------------------------------------------------------------ functional


def test_functional_forms():
    """The plain versions against the kernels."""
    for options in SGD_OPTIONS:
        p, q = (rl.nn.Parameter(rl.tensor(numbers(0, 20))) for _ in range(2))
        opt = SGD([p], lr=0.1, **options)
        full = {"momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False}
        full = {**full, "maximize": False, "lr": 0.1, **options}
        buffers = [None]
        for n in range(STEPS):
            p.grad = rl.tensor(numbers(1 + n, 20))
            opt.step()
            with rl.no_grad():
                sgd([q], [p.grad], buffers, **full)
        assert p.tolist() == pytest.approx(q.tolist(), rel=1e-5, abs=1e-7)
    for function in (adam, adamw):
        p, q = (rl.nn.Parameter(rl.tensor(numbers(0, 20))) for _ in range(2))
        opt = (Adam if function is adam else AdamW)([p], lr=0.1, weight_decay=0.1)
        m, v, step = rl.zeros(20), rl.zeros(20), rl.tensor(0.0)
        for n in range(STEPS):
            p.grad = rl.tensor(numbers(1 + n, 20))
            opt.step()
            with rl.no_grad():
                function(
                    [q], [p.grad], [m], [v], [], [step], amsgrad=False, beta1=0.9, beta2=0.999,
                    lr=0.1, weight_decay=0.1, eps=1e-8, maximize=False,
                )  # fmt: skip
        assert p.tolist() == pytest.approx(q.tolist(), rel=1e-5, abs=1e-7)
        assert step.item() == STEPS
    with pytest.raises(RuntimeError, match="singleton tensors"):
        adam(
            [q], [p.grad], [m], [v], [], [1], amsgrad=False, beta1=0.9, beta2=0.999,
            lr=0.1, weight_decay=0.1, eps=1e-8, maximize=False,
        )  # fmt: skip


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad"])
def test_a_scaler_may_leave_its_work_to_fused_optimizers(name):
    made = getattr(rl.optim, name)

    def parameter(gradient):
        p = rl.nn.Parameter(rl.ones(2))
        p.grad = rl.full((2,), gradient)
        return p

    plain, scaled, stopped = parameter(0.5), parameter(4.0), parameter(4.0)
    made([plain], lr=0.1, fused=True).step()
    optimizer = made([scaled], lr=0.1, fused=True)
    optimizer.grad_scale, optimizer.found_inf = rl.tensor(8.0), rl.tensor(0.0)
    optimizer.step()
    assert scaled.tolist() == plain.tolist() and scaled.grad.tolist() == [0.5, 0.5]
    optimizer = made([stopped], lr=0.1, fused=True)
    optimizer.grad_scale, optimizer.found_inf = rl.tensor(8.0), rl.tensor(1.0)
    optimizer.step()
    assert stopped.tolist() == [1.0, 1.0] and stopped.grad.tolist() == [4.0, 4.0]
    optimizer = made([stopped], lr=0.1)  # not fused: the attributes are not for it
    optimizer.found_inf = rl.tensor(1.0)
    optimizer.step()
    assert stopped.tolist() != [1.0, 1.0]
