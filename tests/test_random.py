"""Random numbers: recorded streams, states, generators, arguments and derivatives."""

import copy
import math
import pickle
import threading

import pytest

import rushlight as t

# What torch 2.13.0 gives after manual_seed(0) and manual_seed(2**31 + 7): the values of the tensor,
# then of rand(1). Sizes around 16 matter: normals are made in blocks of 16 from there on.
SEEDS = (0, 2**31 + 7)
RECORDED = {
    "rand(17)": (
        ([0.4962566, 0.7682218, 0.08847743, 0.13203049, 0.30742282, 0.6340787, 0.4900934,
          0.89644474, 0.45562798, 0.6323063, 0.34889346, 0.4017173, 0.022325754, 0.16885895,
          0.29388845, 0.5185218, 0.6976676], 0.8000114),
        ([0.6620981, 0.92572814, 0.35984302, 0.07404351, 0.010936081, 0.9065309, 0.40191376,
          0.34220195, 0.20451134, 0.95271105, 0.2565627, 0.24990219, 0.7354386, 0.19339919,
          0.6945556, 0.21710855, 0.73890287], 0.32681036),
    ),
    "rand(5, dtype=t.float64)": (
        ([0.9700530018065531, 0.707819864399788, 0.45938294312745087, 0.9207476841219603,
          0.6450241201227648], 0.34889346),
        ([0.2967853283988836, 0.8787444626428997, 0.08748910931224174, 0.215310378637541,
          0.6360912042720449], 0.2565627),
    ),
    "rand(5, dtype=t.float16)": (
        ([0.4963379, 0.7680664, 0.08850098, 0.13208008, 0.30737305], 0.6340787),
        ([0.6621094, 0.92578125, 0.35986328, 0.074035645, 0.010932922], 0.9065309),
    ),
    "rand(5, dtype=t.bfloat16)": (
        ([0.49609375, 0.76953125, 0.088378906, 0.13183594, 0.30664062], 0.6340787),
        ([0.66015625, 0.92578125, 0.359375, 0.07421875, 0.010925293], 0.9065309),
    ),
    "randn(15)": (
        ([1.5409961, -0.2934289, -2.1787894, 0.56843126, -1.0845224, -1.3985955, 0.40334684,
          0.83802634, -0.7192576, -0.40334353, -0.59663534, 0.18203649, -0.8566746, 1.1006042,
          -1.0711874], 0.17591017),
        ([-0.5951932, 1.9660761, 0.5937797, 0.36381277, -0.2154947, -0.24783568, 0.9485211,
          -0.85215855, 0.84735, -0.52865434, 0.15877834, -0.98089427, 1.4669005, -0.03370616,
          0.49749523], 0.5022717),
    ),
    "randn(16)": (
        ([-1.1258398, -1.1523602, -0.25057858, -0.4338788, 0.84871036, 0.69200915,
          -0.31601277, -2.1152194, 0.32227492, -1.2633348, 0.3499832, 0.30813393, 0.11984151,
          1.2376579, 1.1167772, -0.24727815], 0.6976676),
        ([0.4153208, 2.1804404, -0.03893529, 0.00024102669, -0.013549289, 0.7580704,
          -0.34611648, 0.18780845, 1.4133321, -0.6676271, 0.94369894, 0.39224485, -0.1476789,
          2.0409749, -0.95301837, 0.89579165], 0.73890287),
    ),
    "randn(17)": (
        ([-1.1258398, -1.6959312, 0.5666506, 0.79350835, 0.59883946, -1.5550951, -0.3413604,
          1.8530061, 0.4680964, -0.58549756, -0.17339675, 0.18347794, 1.3893661, 1.5863342,
          0.94629836, -0.84367675, 0.9318266], 0.26983356),
        ([0.4153208, -0.63462263, 0.6005653, 0.8707344, 0.9968632, 1.6041844, -1.5081813,
          -1.1799563, -1.3995795, 0.62346655, 2.1899045, -1.0015935, -1.2514468, 0.096386865,
          0.96505874, -1.498312, -0.01997858], 0.6774693),
    ),
    "randn(17, dtype=t.float64)": (
        ([-2.310411800234176, -0.6332746088675096, -1.2609246557194385, -0.726951062065411,
          -0.019964750907762653, 0.2102998901016947, 0.17718935139366584, -0.830510051008449,
          0.23871805816817063, -0.2426793824588577, -0.7730112772958181, -1.5951814880783068,
          -0.6870036940435463, 1.4880743158106724, -0.4484158047114511, -0.8910030351707375,
          0.6748575435940039], 0.5190908),
        ([0.7119590777292015, 0.23419125826493792, 1.8562506515805757, 0.11231855213119389,
          -0.09844081857295976, 0.27372322449981185, 0.7576421055990095, 0.8435171745803519,
          0.5383281819040512, -0.4939711469347582, 1.005266544415993, -0.27297355058377265,
          -0.18184340956014447, -0.828774935685409, 1.0567036338706526, 0.2833109265427246,
          0.8128312757383103], 0.976728),
    ),
    "randn(17, dtype=t.bfloat16)": (
        ([-1.125, -1.3515625, -1.6953125, 0.56640625, 0.79296875, 0.59765625, -1.5546875,
          -0.34179688, 1.8515625, 0.75, -0.5859375, -0.17382812, 0.18359375, 1.390625,
          1.5859375, 0.9453125, -0.84375], 0.17591017),
        ([0.41601562, -1.1640625, -0.6328125, 0.6015625, 0.87109375, 0.99609375, 1.6015625,
          -1.5078125, -1.1796875, -1.15625, 0.625, 2.1875, -1.0, -1.25, 0.096191406,
          0.96484375, -1.5], 0.5022717),
    ),
    "randn(3, dtype=t.complex64)": (
        ([(1.0896488-0.20748557j), (-1.5406368+0.4019416j), (-0.7668731-0.9889563j)], 0.022325754),
        ([(-0.42086515+1.3902258j), (0.41986564+0.25725448j), (-0.15237777-0.1752463j)], 0.7354386),
    ),
    "randint(10, (17,))": (
        ([4, 9, 3, 0, 3, 9, 7, 3, 7, 3, 1, 6, 6, 9, 8, 6, 6], 0.8000114),
        ([3, 7, 0, 0, 1, 5, 4, 2, 1, 9, 8, 5, 6, 0, 7, 1, 1], 0.32681036),
    ),
    "randint(-5, 2**40, (3,))": (
        ([741234585336, 506077272957, 291397093751], 0.4900934),
        ([291762449669, 741707950057, 781446218856], 0.40191376),
    ),
    "randperm(17)": (
        ([7, 16, 10, 5, 1, 8, 2, 6, 9, 12, 3, 13, 11, 4, 15, 14, 0], 0.6976676),
        ([16, 6, 12, 5, 13, 14, 15, 9, 3, 0, 8, 7, 4, 2, 11, 10, 1], 0.73890287),
    ),
    "normal(t.arange(4.0), t.arange(4.0))": (
        ([0.0, 0.7065711, -2.3575788, 4.7052937], 0.45562798),
        ([0.0, 2.9660761, 3.1875594, 4.0914383], 0.20451134),
    ),
    "bernoulli(t.full((17,), 0.3))": (
        ([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0,
          0.0], 0.8000114),
        ([0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0,
          0.0], 0.32681036),
    ),
    "multinomial(t.arange(1.0, 10.0), 9)": (
        ([6, 7, 8, 2, 4, 5, 1, 3, 0], 0.16102946),
        ([5, 2, 3, 7, 4, 8, 6, 0, 1], 0.92408794),
    ),
    "multinomial(t.arange(1.0, 10.0), 17, True)": (
        ([8, 7, 5, 8, 7, 7, 3, 5, 6, 4, 5, 3, 5, 6, 6, 5, 5], 0.15067977),
        ([4, 8, 2, 3, 7, 1, 8, 6, 8, 5, 7, 5, 8, 7, 8, 4, 0], 0.7673498),
    ),
    "poisson(t.arange(0.5, 40.0, 6.0))": (
        ([2.0, 8.0, 11.0, 18.0, 23.0, 33.0, 31.0], 0.13871688),
        ([0.0, 4.0, 17.0, 25.0, 29.0, 37.0, 45.0], 0.12764394),
    ),
    "binomial(t.full((6,), 50.0), t.linspace(0.1, 0.9, 6))": (
        ([8.0, 11.0, 17.0, 28.0, 38.0, 45.0], 0.81546897),
        ([3.0, 14.0, 26.0, 23.0, 34.0, 46.0], 0.7673498),
    ),
    "_standard_gamma(t.linspace(0.2, 4.0, 5))": (
        ([1.5014642e-08, 0.18101545, 1.9885279, 1.8346772, 3.1887047], 0.41940832),
        ([0.20430069, 0.57776046, 5.8675175, 3.9809926, 1.6410207], 0.6245429),
    ),
    "_sample_dirichlet(t.tensor([0.5, 1.0, 3.0]))": (
        ([0.0002582126, 0.03892161, 0.9608202], 0.6976676),
        ([0.08886715, 0.053113952, 0.8580189], 0.73890287),
    ),
    "zeros(5).exponential_(1.5)": (
        ([2.338884, 0.82025653, 0.41002938, 1.6900791, 0.6904703], 0.34889346),
        ([0.23472871, 1.4065701, 0.06103684, 0.16164468, 0.6739013], 0.2565627),
    ),
    "zeros(5).cauchy_(1.0, 2.0)": (
        ([22.19546, 2.5295346, 0.7434013, 8.866147, 1.9799778], 0.34889346),
        ([-0.4841746, 5.9937844, -6.092394, -1.4914256, 1.9113015], 0.2565627),
    ),
    "zeros(5).log_normal_(0.5, 0.8)": (
        ([5.656452, 1.3037659, 0.28850827, 2.5980082, 0.6923817], 0.022325754),
        ([1.024132, 7.9475274, 2.65123, 2.2057116, 1.3876396], 0.7354386),
    ),
    "zeros(9).geometric_(0.3)": (
        ([1.0, 1.0, 3.0, 1.0, 2.0, 1.0, 5.0, 3.0, 2.0], 0.16102946),
        ([4.0, 1.0, 7.0, 5.0, 2.0, 9.0, 1.0, 2.0, 1.0], 0.92408794),
    ),
    "zeros(4, dtype=t.int64).random_()": (
        ([900450186894289455, 3969543146641149120, 1895649597198586619, 827948490035658087],
          0.45562798),
        ([3794704090834730117, 4925845819557606532, 5837453148912357993, 1830400792194423436],
          0.20451134),
    ),
    "zeros(4).random_()": (
        ([8325664.0, 12888472.0, 1484222.0, 2214888.0], 0.30742282),
        ([11107983.0, 1.55309e+07, 6036968.0, 1242063.0], 0.010936081),
    ),
    "zeros(9).bernoulli_(0.25)": (
        ([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0], 0.16102946),
        ([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0], 0.92408794),
    ),
    "zeros(3, 2).t().normal_()": (
        ([1.5409961, -2.1787894, -1.0845224, -0.2934289, 0.56843126, -1.3985955], 0.022325754),
        ([-0.5951932, 0.5937797, -0.2154947, 1.9660761, 0.36381277, -0.24783568], 0.7354386),
    ),
}


@pytest.mark.parametrize("call", RECORDED)
def test_recorded(call):
    for seed, (values, following) in zip(SEEDS, RECORDED[call]):
        t.manual_seed(seed)
        result = eval(f"t.{call}")
        if result.dtype is not t.int64:
            values = pytest.approx(values, rel=2e-6)
        assert result.reshape(-1).tolist() == values
        assert t.rand(1).item() == pytest.approx(following, rel=1e-7)


@pytest.fixture(autouse=True)
def seeded():
    """Every test starts from the same place and leaves the default generator as it was."""
    with t.random.fork_rng():
        yield t.manual_seed(123)


def draws(generator=None):
    """A bit of everything: uniform, half a pair of normals, a block of normals, an order."""
    numbers = [t.rand(3, generator=generator), t.randn(3, generator=generator)]
    numbers += [t.randn(17, generator=generator), t.randperm(9, generator=generator)]
    return [x.tolist() for x in numbers]


# ---- seeds and states


def test_seeding():
    first = draws()
    assert t.manual_seed(123) is t.default_generator
    assert draws() == first
    assert t.initial_seed() == 123
    t.manual_seed(124)
    assert draws() != first
    t.manual_seed(-1)
    assert t.initial_seed() == 2**64 - 1
    t.manual_seed("7")
    assert t.initial_seed() == 7
    for bad in (2**64, -(2**63) - 1):
        with pytest.raises(ValueError, match="seed"):
            t.manual_seed(bad)
    with pytest.raises(TypeError):
        t.manual_seed(None)


def test_seed_from_the_system():
    seeds = {t.seed() for _ in range(4)}
    assert len(seeds) == 4 and all(0 <= seed < 2**64 for seed in seeds)
    last = t.initial_seed()
    assert last in seeds
    first = draws()
    t.manual_seed(last)
    assert draws() == first


def test_default_generator_is_not_seeded_by_us():
    assert t.Generator().initial_seed() == 67280421310721


@pytest.mark.parametrize("before", [0, 1, 2, 5, 623, 624, 625, 3000])
def test_state(before):
    t.rand(before)
    t.randn(before % 3)
    state = t.get_rng_state()
    assert state.dtype is t.uint8 and tuple(state.shape) == (5056,)
    kept = state.clone()
    first = draws()
    assert state.tolist() == kept.tolist()  # a copy, not the generator's memory
    t.set_rng_state(state)
    assert draws() == first
    other = t.Generator().set_state(state)
    assert draws(other) == first


def test_wrong_states():
    with pytest.raises(TypeError, match="uint8"):
        t.set_rng_state(3)
    with pytest.raises(TypeError, match="uint8"):
        t.set_rng_state(t.zeros(5056))
    with pytest.raises(RuntimeError, match="5056"):
        t.set_rng_state(t.zeros(5, dtype=t.uint8))
    before = t.get_rng_state().tolist()
    with pytest.raises(RuntimeError):
        t.set_rng_state(t.zeros(5056, dtype=t.uint8))
    assert t.get_rng_state().tolist() == before


def test_fork_rng():
    expected = draws()
    t.manual_seed(123)
    with t.random.fork_rng():
        assert draws() == expected
        t.manual_seed(5)
    assert draws() == expected
    t.manual_seed(123)
    with pytest.raises(KeyError), t.random.fork_rng(devices=[]):
        t.rand(3)
        raise KeyError
    assert draws() == expected
    t.manual_seed(123)
    with t.random.fork_rng(enabled=False):
        t.rand(3)
    assert draws() != expected


def test_fork_rng_decorates():
    @t.random.fork_rng()
    def inside(n):
        return t.rand(n).tolist()

    assert inside(3) == inside(3) == t.rand(3).tolist()


def test_fork_rng_knows_no_other_device():
    with pytest.raises(RuntimeError, match="no devices but the CPU"):
        t.random.fork_rng(devices=[0])
    with pytest.raises(RuntimeError):
        t.random.fork_rng(device_type="abacus")


# ---- generators


def test_generators_are_independent():
    one, two = t.Generator().manual_seed(1), t.Generator().manual_seed(1)
    expected = draws(one)
    state = t.get_rng_state().tolist()
    t.rand(7)
    assert draws(two) == expected
    t.manual_seed(123)
    draws(one)
    assert t.get_rng_state().tolist() == state
    assert one is not two and one != two


def test_every_function_takes_a_generator():
    calls = [
        lambda g: t.rand(3, generator=g),
        lambda g: t.randn(20, generator=g),
        lambda g: t.randint(9, (4,), generator=g),
        lambda g: t.randperm(9, generator=g),
        lambda g: t.rand_like(t.zeros(3), generator=g),
        lambda g: t.randn_like(t.zeros(3), generator=g),
        lambda g: t.randint_like(t.zeros(3), 9, generator=g),
        lambda g: t.normal(0.0, 1.0, (3,), generator=g),
        lambda g: t.normal(t.zeros(3), 1.0, generator=g),
        lambda g: t.bernoulli(t.full((9,), 0.5), generator=g),
        lambda g: t.bernoulli(t.full((9,), 0.5), 0.5, generator=g),
        lambda g: t.multinomial(t.ones(9), 3, generator=g),
        lambda g: t.multinomial(t.ones(9), 3, True, generator=g),
        lambda g: t.poisson(t.ones(9), generator=g),
        lambda g: t.binomial(t.full((9,), 5.0), t.full((9,), 0.5), generator=g),
        lambda g: t.zeros(3).uniform_(generator=g),
        lambda g: t.zeros(3).normal_(generator=g),
        lambda g: t.zeros(3).random_(generator=g),
        lambda g: t.zeros(9).bernoulli_(generator=g),
        lambda g: t.zeros(9).bernoulli_(t.full((9,), 0.5), generator=g),
        lambda g: t.zeros(3).exponential_(generator=g),
        lambda g: t.zeros(3).cauchy_(generator=g),
        lambda g: t.zeros(3).log_normal_(generator=g),
        lambda g: t.zeros(3).geometric_(0.2, generator=g),
    ]
    start = t.get_rng_state().tolist()
    for call in calls:
        g = t.Generator().manual_seed(9)
        before = g.get_state().tolist()
        first = call(g).tolist()
        assert g.get_state().tolist() != before
        assert t.get_rng_state().tolist() == start  # the default one was not touched
        assert call(t.Generator().manual_seed(9)).tolist() == first
        with pytest.raises(TypeError):
            call(3)


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.copy,
        copy.deepcopy,
        lambda g: pickle.loads(pickle.dumps(g)),
        lambda g: g.clone_state(),
        lambda g: t.Generator().set_state(g.get_state()),
    ],
)
def test_copies_of_generators(duplicate):
    g = t.Generator().manual_seed(77)
    t.randn(3, generator=g)
    twin = duplicate(g)
    assert twin is not g and twin.initial_seed() == 77
    expected = draws(g)
    assert draws(twin) == expected


def test_generator_device():
    for g in (t.Generator(), t.Generator("cpu"), t.Generator(device=t.device("cpu"))):
        assert g.device == t.device("cpu")
    with pytest.raises(RuntimeError, match="cuda"):
        t.Generator(device="cuda")
    with pytest.raises(RuntimeError, match="offset"):
        t.Generator().get_offset()
    with pytest.raises(RuntimeError, match="expected an int"):
        t.Generator().manual_seed(1.5)


def test_threads_with_their_own_generators():
    expected = [draws(t.Generator().manual_seed(i)) for i in range(4)]
    results = [None] * 4

    def work(i):
        for _ in range(20):
            results[i] = draws(t.Generator().manual_seed(i))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == expected


def test_threads_share_a_stream_without_loss():
    g = t.Generator().manual_seed(4)
    parts = []
    workers = [
        threading.Thread(target=lambda: parts.extend(t.rand(1000, generator=g).tolist()))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    together = t.rand(4000, generator=t.Generator().manual_seed(4)).tolist()
    assert sorted(parts) == sorted(together)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_thread_count_does_not_matter(threads):
    before = t.get_num_threads()
    try:
        t.set_num_threads(threads)
        values = t.randn(300_001)
    finally:
        t.set_num_threads(before)
    t.manual_seed(123)
    assert bool((values == t.randn(300_001)).all())


# ---- sizes, dtypes, layouts, out=


def test_sizes():
    assert t.rand(2, 3).shape == t.rand((2, 3)).shape == t.rand([2, 3]).shape == (2, 3)
    assert t.randn(size=(4,)).shape == (4,) and t.randn(()).shape == ()
    assert t.rand(2, 0).numel() == 0
    numpy = pytest.importorskip("numpy", reason="sizes that NumPy computed")
    assert t.rand(numpy.int64(3)).shape == (3,)
    assert t.randint(numpy.int64(3), (2,)).shape == (2,)
    for bad in (lambda: t.rand(), lambda: t.rand(3.0), lambda: t.rand(3, size=(3,))):
        with pytest.raises(TypeError):
            bad()
    with pytest.raises(RuntimeError, match="negative"):
        t.rand(-1)


def test_dtypes():
    assert t.rand(3).dtype is t.float32 and t.randint(3, (3,)).dtype is t.int64
    assert t.randperm(3).dtype is t.int64 and t.multinomial(t.ones(3), 1).dtype is t.int64
    t.set_default_dtype(t.float64)
    try:
        assert t.rand(3).dtype is t.float64 and t.normal(0.0, 1.0, (3,)).dtype is t.float64
    finally:
        t.set_default_dtype(t.float32)
    for dtype in (t.int64, t.bool):
        with pytest.raises(NotImplementedError, match=r"uniform_: not implemented for"):
            t.rand(3, dtype=dtype)
        with pytest.raises(NotImplementedError, match=r"normal_: not implemented for"):
            t.randn(3, dtype=dtype)
    with pytest.raises(RuntimeError, match="can require gradients"):
        t.randint(3, (3,), requires_grad=True)
    with pytest.raises(RuntimeError, match="cuda"):
        t.rand(3, device="cuda")


def test_half_precision_uniforms_stay_below_the_bound():
    for dtype in (t.float16, t.bfloat16):
        values = t.zeros(200_000, dtype=dtype).uniform_(1, 2).float()
        assert values.min().item() >= 1 and values.max().item() < 2


def test_like_keeps_the_layout():
    x = t.zeros(3, 5).t()
    for same in (t.rand_like(x), t.randn_like(x), t.randint_like(x, 9)):
        assert same.stride() == x.stride() == (1, 5)
    flat = t.rand(3, 5, generator=t.Generator().manual_seed(3))
    like = t.rand_like(x, generator=t.Generator().manual_seed(3))
    assert like.t().tolist() == flat.tolist()  # drawn in the order of memory
    assert t.rand_like(x, memory_format=t.contiguous_format).stride() == (3, 1)
    assert t.randn_like(t.zeros(1, 2, 3, 4), memory_format=t.channels_last).stride() == (
        24, 1, 8, 2,
    )  # fmt: skip
    assert t.rand_like(x, dtype=t.float64).dtype is t.float64
    assert not t.rand_like(t.zeros(3, requires_grad=True)).requires_grad


def test_views_are_written_in_place():
    base = t.zeros(4, 6)
    base[1:3, ::2].uniform_(1, 2)
    assert base[0].sum().item() == base[3].sum().item() == base[:, 1::2].sum().item() == 0
    assert bool((base[1:3, ::2] >= 1).all())
    with pytest.raises(RuntimeError, match="clone"):
        t.zeros(1).expand(3).normal_()


def test_out():
    out = t.zeros(2, 3)
    assert t.rand(2, 3, out=out) is out and out.sum().item() > 0
    address = out.data_ptr()
    assert t.randn(3, out=out) is out and out.shape == (3,) and out.data_ptr() == address
    assert t.randn(50, out=out).shape == (50,)
    turned = t.zeros(3, 2).t()
    t.randn(2, 3, out=turned)
    assert turned.stride() == (1, 2)
    wide = t.zeros(0, dtype=t.float64)
    assert t.rand(3, out=wide).dtype is t.float64
    with pytest.raises(RuntimeError, match="does not match"):
        t.rand(3, out=wide, dtype=t.float32)
    with pytest.raises(RuntimeError, match="out="):
        t.rand(3, out=t.zeros(3, requires_grad=True))
    with t.no_grad():
        leaf = t.zeros(3, requires_grad=True)
        assert t.rand(3, out=leaf).requires_grad
    with pytest.raises(RuntimeError, match="int64"):
        t.multinomial(t.ones(3), 1, out=t.zeros(1))
    counts = t.zeros(4, dtype=t.int64)
    assert t.multinomial(t.ones(3), 2, out=counts) is counts and counts.shape == (2,)
    assert t.bernoulli(t.ones(3), out=counts).tolist() == [1, 1, 1]
    assert t.normal(t.full((3,), 5.0), 0.0, out=wide).tolist() == [5.0] * 3
    assert sorted(t.randperm(4, out=wide).tolist()) == [0, 1, 2, 3]


def test_a_pending_value_is_computed_before_its_source_is_overwritten():
    x = t.ones(10)
    double = x * 2  # not computed yet
    x.uniform_()
    assert double.tolist() == [2.0] * 10
    y = t.ones(10) + 1  # drawn into while pending
    y.normal_()
    assert 2.0 not in y.tolist()


# ---- argument forms


def test_bounds():
    assert set(t.randint(2, (50,)).tolist()) == {0, 1}
    assert set(t.randint(-3, -1, (50,)).tolist()) == {-3, -2}
    assert set(t.randint(low=5, high=6, size=(5,)).tolist()) == {5}
    assert set(t.randint(5, high=6, size=(5,)).tolist()) == {5}
    x = t.zeros(60)
    assert set(x.random_(2).tolist()) == {0, 1}
    assert set(x.random_(5, 7).tolist()) == {5, 6}
    assert set(x.random_(5, to=7).tolist()) == {5, 6}
    assert set(x.random_(to=2).tolist()) == {0, 1}
    assert set(x.random_(**{"from": 5, "to": 7}).tolist()) == {5, 6}
    assert set(t.zeros(99, dtype=t.uint8).random_(254, None).tolist()) == {254, 255}
    assert -1 <= x.uniform_(**{"from": -1, "to": 0}).max().item() < 0
    for bad in (
        lambda: t.randint(5),
        lambda: t.randint(5, 6),
        lambda: t.randint(5, size=3),
        lambda: t.randint(1, 2, 3, (4,)),
        lambda: t.randint(2.5, (4,)),
        lambda: t.randint(low=2, size=(4,)),
        lambda: x.random_(2.5),
        lambda: x.random_(None),
        lambda: t.randint_like(x),
        lambda: t.normal(0.0, 1.0),
        lambda: t.bernoulli(0.5),
        lambda: t.rand_like(0.5),
        lambda: t.multinomial(t.ones(3), 1.0),
    ):
        with pytest.raises(TypeError):
            bad()
    with pytest.raises(ValueError, match="64 bits"):
        t.randint(2**63, (2,))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: t.zeros(3).uniform_(2, 1), "from=2.* > to=1"),
        (lambda: t.zeros(3).normal_(0, -1), "std >= 0, got std=-1"),
        (lambda: t.normal(0.0, t.tensor([1.0, math.nan])), "elements of std >= 0"),
        (lambda: t.zeros(3).exponential_(0), "lambd > 0"),
        (lambda: t.zeros(3).cauchy_(0, 0), "sigma > 0"),
        (lambda: t.zeros(3).log_normal_(0, 0), "std > 0"),
        (lambda: t.zeros(3).geometric_(1), r"p in \(0, 1\), got p=1"),
        (lambda: t.zeros(3).bernoulli_(1.5), r"p in \[0, 1\], got p=1.5"),
        (lambda: t.bernoulli(t.tensor([0.5, 1.5])), r"in \[0, 1\], got 1.5"),
        (lambda: t.randint(3, 3, (2,)), "from=3 >= to=3"),
        (lambda: t.randint(300, (2,), dtype=t.uint8), "out of range for uint8"),
        (lambda: t.randperm(300, dtype=t.uint8), "300 is too large for uint8"),
        (lambda: t.poisson(t.tensor([-1.0])), "rates >= 0, got -1"),
        (lambda: t.multinomial(t.ones(3), 4), "4 samples without replacement from 3"),
        (lambda: t.multinomial(t.zeros(3), 1), "sum to 0"),
        (lambda: t.multinomial(t.tensor([1.0, -1.0]), 1), ">= 0, got -1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(RuntimeError, match=message):
        call()


# ---- derivatives

FILLS = {
    "uniform_": lambda x: x.uniform_(),
    "normal_": lambda x: x.normal_(),
    "exponential_": lambda x: x.exponential_(),
    "cauchy_": lambda x: x.cauchy_(),
    "log_normal_": lambda x: x.log_normal_(),
    "geometric_": lambda x: x.geometric_(0.5),
    "random_": lambda x: x.random_(5),
    "bernoulli_": lambda x: x.bernoulli_(0.5),
}


@pytest.mark.parametrize("name", FILLS)
def test_fills_cut_the_gradient(name):
    fill = FILLS[name]
    x = t.ones(4, requires_grad=True)
    y = x * 3
    assert fill(y) is y
    assert y.requires_grad and not y.is_leaf
    stem = "".join(part.title() for part in name.split("_"))
    assert y.grad_fn.name().startswith(f"{stem}Backward")
    (x * y).sum().backward()
    assert x.grad.tolist() == y.tolist()


@pytest.mark.parametrize("name", FILLS)
def test_leaves_are_protected(name):
    fill = FILLS[name]
    x = t.ones(4, requires_grad=True)
    state = t.get_rng_state().tolist()
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        fill(x)
    with pytest.raises(RuntimeError, match="view of a leaf"):
        fill(x[1:])
    assert x.tolist() == [1.0] * 4 and t.get_rng_state().tolist() == state
    with t.no_grad():
        fill(x)
        fill(x[1:])
    assert x.is_leaf and x.requires_grad and x.grad_fn is None
    fill(x.detach())
    fill(x.data)


def test_a_fill_counts_as_a_write():
    x = t.ones(4, requires_grad=True)
    y = x * 3
    z = y * y
    version = y._version
    y.uniform_()
    assert y._version == version + 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_a_fill_of_a_view_cuts_only_that_part():
    x = t.ones(4, requires_grad=True)
    y = x * 3
    y[1:3].normal_()
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 0.0, 0.0, 3.0]


def test_samples_have_zero_gradient():
    x = t.full((4,), 0.5, requires_grad=True)
    for sample in (
        lambda: t.bernoulli(x),
        lambda: x.bernoulli(),
        lambda: t.poisson(x),
        lambda: t.normal(x, 1.0),
        lambda: t.normal(0.0, x),
        lambda: t.normal(x, x),
        lambda: t.normal(x.reshape(4, 1), t.ones(3)),
        lambda: t.zeros(4).bernoulli_(x),
        lambda: t.zeros(3, 4).bernoulli_(x),
    ):
        x.grad = None
        result = sample()
        assert result.requires_grad and result.grad_fn is not None
        (result * math.nan).sum().backward()
        assert x.grad.tolist() == [0.0] * 4
    assert not t.multinomial(x, 2).requires_grad
    with t.no_grad():
        assert not t.bernoulli(x).requires_grad


def test_samples_without_derivative():
    x = t.full((4,), 0.5, requires_grad=True)
    for sample in (
        lambda: t.bernoulli(x, 0.5),
        lambda: t.binomial(t.ones(4), x),
    ):
        result = sample()
        assert result.requires_grad
        with pytest.raises(RuntimeError, match=r"not implemented.*detach"):
            result.sum().backward()
