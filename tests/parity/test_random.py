"""Random numbers against PyTorch: the same values, layout and next draw from the same seed, the
same exceptions, the same gradients."""

import pytest

import rushlight

torch = pytest.importorskip("torch", reason="PyTorch is what is compared with")

SEEDS = [0, 42, 2**31 + 7]
SIZES = [0, 1, 2, 15, 16, 17, 31, 32, 33, 700, 2049]


def leaf(t):
    return t.linspace(0.1, 0.9, 3).requires_grad_()


def computed(t):
    return leaf(t) * 1


def generator(t, seed=5):
    return t.Generator().manual_seed(seed)


def described(x):
    """What must be equal, in terms that both libraries share; the values of tensors apart."""
    if isinstance(x, (tuple, list)):
        parts = [described(item) for item in x]
        return [part[0] for part in parts], [part[1] for part in parts]
    if not hasattr(x, "requires_grad"):
        return x, None
    values = x.detach().reshape(-1).tolist()
    strides = [step for step, size in zip(x.stride(), x.shape) if size > 1]
    return [str(x.dtype), tuple(x.shape), strides, x.requires_grad], values


def outcome(t, expression, seed=0):
    """The result and the next draws, or the exception."""
    names = {"t": t, "leaf": leaf, "computed": computed, "generator": generator}
    t.manual_seed(seed)
    try:
        result = eval(expression, {**names, "nan": float("nan"), "inf": float("inf")})
    except Exception as error:
        return error
    return described([result, t.rand(2), t.randn(1)])


def same(expected, got):
    """Floats to a few units in the last place of float32, everything else exactly."""
    if isinstance(expected, list):
        return len(expected) == len(got) and all(same(a, b) for a, b in zip(expected, got))
    if isinstance(expected, (float, complex)):
        return got == pytest.approx(expected, rel=2e-6, abs=1e-30, nan_ok=True)
    return expected == got


def check(expression, seed=0):
    expected, got = outcome(torch, expression, seed), outcome(rushlight, expression, seed)
    if isinstance(expected, Exception):
        kind = next(c for c in type(expected).__mro__ if c.__module__ == "builtins")
        assert type(got) is kind, f"{expression}: PyTorch raises {expected!r}, here {got!r}"
    else:
        assert not isinstance(got, Exception), f"{expression}: {got!r}"
        assert expected[0] == got[0], expression
        assert same(expected[1], got[1]), f"{expression}: {expected[1][0]}, here {got[1][0]}"


# ---- the streams


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("name", ["rand", "randn"])
def test_fresh(name, dtype, seed):
    for n in SIZES:
        check(f"t.{name}({n}, dtype=t.{dtype})", seed)


FILLS = [
    "uniform_(-2, 5)",
    "normal_(2, 3)",
    "exponential_(1.5)",
    "cauchy_(1, 2)",
    "log_normal_(0.5, 0.8)",
    "geometric_(0.3)",
    "bernoulli_(0.25)",
    "random_()",
    "random_(200)",
    "random_(3, 20)",
    "random_(3, None)",
]
REAL = ["float16", "bfloat16", "float32", "float64"]
WHOLE = ["bool", "uint8", "int8", "int16", "int32", "int64"]


@pytest.mark.parametrize("dtype", [*REAL, *WHOLE, "complex64", "complex128"])
@pytest.mark.parametrize("fill", FILLS)
def test_fill(fill, dtype):
    if fill.startswith("geometric") and dtype in ("uint8", "int8"):
        return  # it may leave the range of the type, which then has no defined value
    for size in (1, 15, 16, 17, 40):
        check(f"t.zeros({size}, dtype=t.{dtype}).{fill}", SEEDS[size % 3])


@pytest.mark.parametrize("fill", FILLS)
def test_fill_nothing(fill):
    check(f"t.zeros(0).{fill}")


LAYOUTS = [
    "t.zeros(6, 8).t()",
    "t.zeros(3, 4, 5).permute(2, 0, 1)",
    "t.zeros(6, 8)[:, ::2]",
    "t.zeros(6, 8)[::2].t()",
    "t.zeros(40)[3:20]",
    "t.zeros(2, 3, 4, 5).permute(0, 3, 1, 2)",
    "t.zeros(1, 20).t()",
    "t.zeros(4, 6, dtype=t.complex64).t()",
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    for fill in ("uniform_()", "normal_()", "bernoulli_(0.4)", "exponential_()", "random_(9)"):
        check(f"{layout}.{fill}")
    for name in ("rand_like", "randn_like"):
        check(f"t.{name}({layout})")
    check(f"t.randint_like({layout}, 50)")
    check(f"{layout}.bernoulli_(t.full({layout}.shape[-1:], 0.3))")


EXPRESSIONS = """
t.rand(3, 5)
t.rand((2, 0, 3))
t.rand([t.tensor(2), 3])
t.rand(size=(2,))
t.rand(())
t.rand(3, requires_grad=True)
t.rand(3, device="cpu")
t.rand(3, generator=generator(t))
t.rand(3, generator=None)
t.rand()
t.rand(3.0)
t.rand(-1)
t.rand("3")
t.rand((2,), (3,))
t.rand(3, dtype=t.int64)
t.rand(3, generator=5)
t.rand(3, out=t.zeros(2))
t.rand(3, out=t.zeros(2, dtype=t.float64))
t.rand(3, out=t.zeros(2, dtype=t.float64), dtype=t.float32)
t.rand(3, out=t.zeros(3, dtype=t.int64))
t.rand(3, out=leaf(t))
t.rand(3, out=t.zeros(3), requires_grad=True)
t.rand(2, 3, out=t.zeros(3, 2).t())
t.randn(2, 3, out=t.zeros(3, 2).t())
t.randn(3, dtype=t.bool)
t.randint(10, (3,))
t.randint(2, 10, (3, 4))
t.randint(high=10, size=(3,))
t.randint(low=2, high=10, size=(3,))
t.randint(2, high=10, size=(3,))
t.randint(10, size=(3,))
t.randint(t.tensor(5), (3,))
t.randint(10, ())
t.randint(10, [2, 2])
t.randint(10, 3)
t.randint(10)
t.randint()
t.randint(2, 10, 3)
t.randint(low=2, size=(3,))
t.randint(1, 2, 3, (4,))
t.randint(5.5, (3,))
t.randint(True, (3,))
t.randint(5, 5, (3,))
t.randint(0, (3,))
t.randint(0, 300, (3,), dtype=t.uint8)
t.randint(0, 256, (3,), dtype=t.uint8)
t.randint(0, 2, (5,), dtype=t.bool)
t.randint(0, 3, (5,), dtype=t.bool)
t.randint(0, 10, (5,), dtype=t.float16, requires_grad=True)
t.randint(0, 10, (5,), requires_grad=True)
t.randint(0, 10, (5,), dtype=t.complex64)
t.randint(0, 2**63, (5,))
t.randint(0, 2**28, (5,))
t.randint(0, 2**28 - 1, (5,))
t.randint(0, 2**32, (5,))
t.randint(-2**63, 2**63 - 1, (5,))
t.randint(10, (3,), out=t.zeros(2))
t.randint(10, (3,), generator=generator(t))
t.randperm(0)
t.randperm(1)
t.randperm(17)
t.randperm(n=5, dtype=t.float32, requires_grad=True)
t.randperm(5, requires_grad=True)
t.randperm(5, out=t.zeros(3, dtype=t.int32))
t.randperm(5, out=t.zeros(3))
t.randperm(5, dtype=t.int64, out=t.zeros(3))
t.randperm(5, generator=generator(t))
t.randperm(t.tensor(5))
t.randperm(-1)
t.randperm(300, dtype=t.uint8)
t.randperm(5, dtype=t.bool)
t.randperm(5, dtype=t.complex64)
t.randperm(5.0)
t.randn_like(t.zeros(4, 1).expand(4, 5))
t.randn_like(t.zeros(2, 3, 4, 5), memory_format=t.channels_last)
t.randn_like(t.zeros(2, 3, 2, 4, 5), memory_format=t.channels_last_3d)
t.randn_like(t.zeros(2, 3, 4), memory_format=t.channels_last)
t.randn_like(t.zeros(2, 3).t(), memory_format=t.contiguous_format)
t.randn_like(t.zeros(2, 3, dtype=t.int64))
t.rand_like(t.zeros(2, 3, dtype=t.int64), dtype=t.float64)
t.rand_like(leaf(t), requires_grad=True)
t.rand_like(computed(t))
t.rand_like(t.zeros(3), generator=generator(t))
t.rand_like(3.0)
t.randint_like(t.zeros(3), 2, 5)
t.randint_like(t.zeros(3), low=2, high=5)
t.randint_like(t.zeros(3), 2, high=5)
t.randint_like(t.zeros(3), high=5)
t.randint_like(t.zeros(3), t.tensor(5))
t.randint_like(t.zeros(3), t.tensor(5.5))
t.randint_like(t.zeros(3), t.tensor([5]))
t.randint_like(t.zeros(3), 5, dtype=t.int64)
t.zeros(3).uniform_(to=2)
t.zeros(3).uniform_(**{"from": -1})
t.zeros(3).uniform_(t.tensor(1.0), t.tensor(2))
t.zeros(3).uniform_(1, 1)
t.zeros(3).uniform_(2, 1)
t.zeros(0).uniform_(2, 1)
t.zeros(3).uniform_(0, inf)
t.zeros(3).uniform_(0, nan)
t.zeros(3, dtype=t.float16).uniform_(0, 1e5)
t.zeros(3).uniform_(-3e38, 3e38)
t.zeros(3).uniform_(1j)
t.zeros(3).uniform_("1")
t.zeros(3).uniform_(generator=3)
t.zeros(3).uniform_(generator=generator(t))
t.zeros(3).uniform_(a=3)
t.zeros(1).expand(3).uniform_()
t.zeros(1).expand(3).normal_()
t.zeros(1).expand(3).random_()
t.zeros(1).expand(3).bernoulli_()
t.zeros(3).normal_(std=2)
t.zeros(3).normal_(nan, 1)
t.zeros(3).normal_(0, 0)
t.zeros(3).normal_(0, -1)
t.zeros(0).normal_(0, -1)
t.zeros(3).normal_(0, nan)
t.zeros(3, dtype=t.complex64).normal_(1 + 1j, 2)
t.zeros(3).random_(to=5)
t.zeros(3).random_(**{"from": 2, "to": 5})
t.zeros(3).random_(2, to=5)
t.zeros(3).random_(t.tensor(5))
t.zeros(3).random_(5, generator=generator(t))
t.zeros(3, dtype=t.int64).random_(-2**63, None)
t.zeros(3).random_(-2**63, None)
t.zeros(3).random_(None)
t.zeros(3).random_(5.5)
t.zeros(3).random_(True)
t.zeros(3).random_(0)
t.zeros(3).random_(5, 2)
t.zeros(3, dtype=t.uint8).random_(-1, 5)
t.zeros(3, dtype=t.float16).random_(2**20)
t.zeros(3).bernoulli_(2)
t.zeros(0).bernoulli_(2)
t.zeros(3).bernoulli_(nan)
t.zeros(3).bernoulli_(t.tensor([0.5, 0.5, 1]))
t.zeros(2, 3).bernoulli_(t.tensor([0.5, 0.5, 1]))
t.zeros(3).bernoulli_(t.tensor(0.5))
t.zeros(3).bernoulli_(t.tensor([[0.5, 0.5, 1]]))
t.zeros(3).bernoulli_(t.tensor([0.5, 0.5, 1.5]))
t.zeros(3).bernoulli_(t.tensor([0.5, 0.5, nan]))
t.zeros(3).bernoulli_(t.tensor([0, 1, 1]))
t.zeros(20).bernoulli_(t.full((20,), 0.5, dtype=t.float64))
t.zeros(20, dtype=t.int64).bernoulli_(t.full((20,), 0.5, dtype=t.float16))
t.zeros(3).exponential_(0)
t.zeros(3).exponential_(inf)
t.zeros(3).exponential_(lambd=2, generator=generator(t))
t.zeros(3).cauchy_(1, 0)
t.zeros(3).log_normal_(0, 0)
t.zeros(3).geometric_()
t.zeros(3).geometric_(p=0.5)
t.zeros(3).geometric_(0)
t.zeros(3).geometric_(1)
leaf(t).uniform_()
leaf(t)[:2].uniform_()
leaf(t).detach().uniform_()
leaf(t).data.normal_()
computed(t).uniform_()
computed(t).normal_()
computed(t).random_(5)
computed(t).bernoulli_()
computed(t).bernoulli_(t.full((3,), 0.5))
t.zeros(3).bernoulli_(leaf(t))
computed(t).exponential_()
computed(t).cauchy_()
computed(t).log_normal_()
computed(t).geometric_(0.5)
t.bernoulli(computed(t))
t.bernoulli(computed(t), 0.5)
computed(t).bernoulli()
computed(t).bernoulli(p=0.5)
t.bernoulli(t.tensor([1, 0]))
t.bernoulli(t.tensor([1, 0]), 0.5)
t.bernoulli(t.tensor([1.5]))
t.bernoulli(t.full((3, 4), 0.5).t())
t.bernoulli(t.full((3, 1), 0.5).expand(3, 4))
t.bernoulli(t.full((3,), 0.5), generator=generator(t))
t.bernoulli(t.full((3,), 0.5), out=t.zeros(2, dtype=t.int64))
t.bernoulli(t.full((3,), 0.5), 0.5, out=t.zeros(3))
t.bernoulli(computed(t), out=t.zeros(3))
t.bernoulli(t.full((3,), 0.5), out=leaf(t))
t.bernoulli(0.5)
t.bernoulli(t.full((3,), 0.5), t.full((3,), 0.5))
t.normal(0.0, 1.0, (3,))
t.normal(mean=0, std=1, size=(3, 6))
t.normal(0.0, 1.0)
t.normal(t.zeros(3))
t.normal(mean=t.zeros(3), std=2)
t.normal(t.arange(20.0), t.arange(20.0))
t.normal(1.0, t.arange(20.0))
t.normal(t.arange(20.0), 0.3)
t.normal(std=t.ones(3))
t.normal(t.zeros(2, 1), t.ones(3))
t.normal(t.zeros(2), t.ones(3))
t.normal(t.tensor(0.0), t.tensor(1.0), (3,))
t.normal(t.zeros(2), 1.0, (3,))
t.normal(0.0, -1.0, (3,))
t.normal(t.zeros(3), -1.0)
t.normal(0.0, -t.ones(3))
t.normal(0.0, t.tensor([1.0, nan]))
t.normal(0.0, t.ones(3, dtype=t.int64))
t.normal(t.zeros(3), t.ones(3, dtype=t.int64))
t.normal(t.zeros(3), t.ones(3, dtype=t.float64))
t.normal(t.zeros(3, dtype=t.float64), t.ones(3))
t.normal(t.zeros(30, dtype=t.float16), t.full((30,), 0.3))
t.normal(t.zeros(3, dtype=t.complex64), t.ones(3))
t.normal(0.0, t.ones(3, dtype=t.complex64))
t.normal(t.zeros(20, 2).t(), 1.0)
t.normal(t.zeros(0), 1.0)
t.normal(computed(t), 1.0)
t.normal(0.0, computed(t))
t.normal(computed(t), computed(t))
t.normal(t.zeros(3), 1.0, out=t.zeros(3, dtype=t.float64))
t.normal(t.zeros(3), t.ones(3), out=t.zeros(3, dtype=t.int64))
t.normal(0.0, 1.0, (3,), out=t.zeros(2, dtype=t.float64))
t.normal(t.zeros(3), 1.0, out=leaf(t))
t.normal(computed(t), 1.0, out=t.zeros(3))
t.normal(0.0, 1.0, (3,), dtype=t.float64, requires_grad=True)
t.normal(0.0, 1.0, (3,), dtype=t.int64)
t.normal(1.0, 2.0, (3,), generator=generator(t))
t.normal(t.zeros(3), 1.0, generator=generator(t))
t.multinomial(t.ones(3), 2)
t.multinomial(t.arange(1.0, 30.0), 29)
t.multinomial(t.arange(1.0, 3000.0), 7)
t.multinomial(t.ones(3), num_samples=4, replacement=True)
t.multinomial(t.rand(4, 6), 3)
t.multinomial(t.rand(4, 6).t(), 3)
t.multinomial(t.rand(4, 6, dtype=t.float64).t(), 9, True)
t.multinomial(t.ones(3, dtype=t.float16), 2)
t.multinomial(t.ones(3, dtype=t.bfloat16), 2, True)
t.multinomial(t.tensor([1.0, 0.0, 0.0]), 2)
t.multinomial(t.ones(0, 3), 1)
t.multinomial(computed(t), 2)
t.multinomial(t.ones(3), 2, out=t.zeros(1, dtype=t.int64))
t.multinomial(t.ones(3), 2, generator=generator(t))
t.ones(3).multinomial(2, True, generator=generator(t))
t.multinomial(t.ones(3), 4)
t.multinomial(t.ones(3), 0)
t.multinomial(t.ones(2, 2, 3), 2)
t.multinomial(t.tensor(1.0), 1)
t.multinomial(t.ones(3, dtype=t.int64), 2)
t.multinomial(t.zeros(3), 2)
t.multinomial(t.tensor([1.0, -1.0]), 1)
t.multinomial(t.tensor([1.0, inf]), 1)
t.multinomial(t.tensor([1.0, nan]), 1)
t.multinomial(t.ones(2, 0), 1, True)
t.multinomial(t.ones(3), 2, out=t.zeros(2))
t.multinomial(t.ones(3), 2.0)
t.poisson(t.arange(0.5, 60.0, 1.5))
t.poisson(t.arange(0.5, 60.0, 1.5, dtype=t.float64).reshape(5, 8).t())
t.poisson(t.full((9,), 4.5, dtype=t.float16), generator(t))
t.poisson(computed(t), generator=generator(t))
t.poisson(-t.ones(3))
t.poisson(t.ones(3, dtype=t.int64))
t.poisson(t.tensor([nan]))
t.poisson(3.0)
t.binomial(t.full((20,), 12.0), t.full((20,), 0.4))
t.binomial(t.full((20,), 90.0), t.linspace(0, 1, 20))
t.binomial(t.full((4, 3), 5.0).t(), t.full((3, 4), 0.5))
t.binomial(t.full((3,), 5.0), t.tensor(0.5), generator=generator(t))
t.binomial(t.full((3,), 5.0), t.full((3,), nan))
t.binomial(computed(t), computed(t))
t.binomial(t.full((3,), 5), t.full((3,), 0.5))
t.binomial(t.full((3,), 5.0), t.full((3,), 0.5, dtype=t.float64))
t.binomial(t.ones(3, dtype=t.float16), t.ones(3, dtype=t.float16))
t.binomial(5.0, t.ones(3))
t._standard_gamma(t.linspace(0.1, 9, 20))
t._standard_gamma(t.linspace(0.1, 9, 20, dtype=t.float64), generator(t))
t._sample_dirichlet(t.linspace(0.1, 9, 20).reshape(4, 5))
t._sample_dirichlet(t.tensor(1.0))
t.manual_seed(-1).initial_seed()
t.manual_seed(2**64 - 1).initial_seed()
t.manual_seed(-2**63).initial_seed()
t.manual_seed(1.7).initial_seed()
t.manual_seed("3").initial_seed()
t.manual_seed(t.tensor(5)).initial_seed()
t.manual_seed(2**64)
t.manual_seed(-2**63 - 1)
t.manual_seed(None)
t.Generator().initial_seed()
t.Generator(None).manual_seed(4).initial_seed()
str(t.Generator("cpu").device)
str(t.Generator(device=t.device("cpu:0")).device)
t.Generator(device="cuda")
t.Generator().manual_seed(1.7)
t.Generator().manual_seed(True)
t.Generator().manual_seed("3")
t.Generator().manual_seed(2**64)
t.Generator().get_offset()
t.Generator().set_offset(3)
t.Generator().graphsafe_get_state()
t.Generator().set_state(t.zeros(5056, dtype=t.uint8))
t.Generator().set_state(t.zeros(5, dtype=t.uint8))
t.Generator().set_state(t.zeros(5056))
t.Generator().set_state(5)
t.set_rng_state(3)
t.get_rng_state()
generator(t).get_state()
t.default_generator is t.manual_seed(0)
t.random.default_generator is t.default_generator
t.thread_safe_generator()
t.random.fork_rng(devices=[], device_type="foo").__enter__()
t.random.fork_rng(enabled=False).__enter__()
""".strip().split("\n")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression(expression):
    check(expression)


# ---- states


def test_states_are_exchangeable():
    for draws in (0, 1, 7, 623, 624, 625, 2000):
        for normals in (0, 1, 2):
            theirs, mine = generator(torch, draws), generator(rushlight, draws)
            for t, g in ((torch, theirs), (rushlight, mine)):
                t.rand(draws, generator=g)
                t.randn(normals, generator=g)  # an odd number leaves half a pair behind
            state = theirs.get_state().numpy()
            assert state.tolist() == mine.get_state().tolist()
            fresh = rushlight.Generator().set_state(rushlight.from_numpy(state))
            expected = torch.randn(3, generator=theirs).tolist()
            assert expected == pytest.approx(
                rushlight.randn(3, generator=fresh).tolist(), rel=1e-6
            )


# ---- gradients


def gradients(t, run, *values):
    t.manual_seed(0)
    inputs = [t.tensor(v, dtype=t.float64, requires_grad=True) for v in values]
    result = run(t, *inputs)
    result.backward(t.arange(1.0, result.numel() + 1, dtype=t.float64).reshape(result.shape))
    return [None if x.grad is None else x.grad.tolist() for x in inputs]


def into_view(t, x):
    y = x * 2
    y[1:].uniform_()
    return y * y


def into_base(t, x):
    y = x * 2
    view = y[1:]
    y.normal_()
    return view * 3


GRADIENTS = {
    "bernoulli": lambda t, x: t.bernoulli(x) * x,
    "poisson": lambda t, x: t.poisson(x) * x,
    "normal, mean": lambda t, x: t.normal(x, 1.0) * 2 + x,
    "normal, both": lambda t, x: t.normal(x, x) * x,
    "bernoulli_": lambda t, x: (x * 2).bernoulli_(x) + x,
    "uniform_": lambda t, x: (x * 2).uniform_() * x,
    "random_": lambda t, x: (x * 2).random_(4) * x,
    "a view": into_view,
    "a base": into_base,
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    expected, got = (gradients(t, GRADIENTS[name], [0.2, 0.5, 0.9]) for t in (torch, rushlight))
    assert expected == [pytest.approx(g, rel=1e-12) for g in got]


@pytest.mark.parametrize(
    "sample",
    [
        lambda t, x: t.bernoulli(x, 0.5),
        lambda t, x: t.binomial(t.ones_like(x), x),
    ],
)
def test_no_derivative(sample):
    for t in (torch, rushlight):
        result = sample(t, leaf(t))
        assert result.requires_grad
        with pytest.raises(RuntimeError, match="not implemented"):
            result.sum().backward()
