"""Random numbers have the distributions that they are named after."""

import math

import pytest

import rushlight as t


@pytest.fixture(autouse=True)
def seeded():
    """The same numbers every time: a test that passes, passes."""
    with t.random.fork_rng():
        yield t.manual_seed(123)


# Mean and variance, to five standard errors.
COUNT = 40_000
MOMENTS = {
    "rand": (lambda n: t.rand(n), 1 / 2, 1 / 12),
    "uniform_": (lambda n: t.zeros(n).uniform_(-2, 4), 1.0, 3.0),
    "uniform_, float64": (lambda n: t.zeros(n, dtype=t.float64).uniform_(-2, 4), 1.0, 3.0),
    "randn": (lambda n: t.randn(n), 0.0, 1.0),
    "randn, float64": (lambda n: t.randn(n, dtype=t.float64), 0.0, 1.0),
    "randn, one by one": (lambda n: t.zeros(n // 2, 2).t().normal_(), 0.0, 1.0),
    "randn, complex": (lambda n: t.view_as_real(t.randn(n, dtype=t.complex64)), 0.0, 1 / 2),
    "normal": (lambda n: t.normal(t.full((n,), 3.0), 2.0), 3.0, 4.0),
    "exponential_": (lambda n: t.zeros(n).exponential_(2.0), 1 / 2, 1 / 4),
    "log_normal_": (
        lambda n: t.zeros(n).log_normal_(0.1, 0.3),
        math.exp(0.1 + 0.045),
        (math.exp(0.09) - 1) * math.exp(0.2 + 0.09),
    ),
    "geometric_": (lambda n: t.zeros(n).geometric_(0.25), 4.0, 12.0),
    "bernoulli_": (lambda n: t.zeros(n).bernoulli_(0.2), 0.2, 0.16),
    "bernoulli": (lambda n: t.bernoulli(t.full((n,), 0.7)), 0.7, 0.21),
    "randint": (lambda n: t.randint(0, 12, (n,)), 5.5, 143 / 12),
    "randint, wide": (lambda n: t.randint(0, 2**40, (n,)) / 2**40, 1 / 2, 1 / 12),
    "poisson, small": (lambda n: t.poisson(t.full((n,), 3.0)), 3.0, 3.0),
    "poisson, large": (lambda n: t.poisson(t.full((n,), 40.0)), 40.0, 40.0),
    "binomial, small": (lambda n: t.binomial(t.full((n,), 9.0), t.full((n,), 0.2)), 1.8, 1.44),
    "binomial, large": (lambda n: t.binomial(t.full((n,), 90.0), t.full((n,), 0.6)), 54.0, 21.6),
    "gamma, small": (lambda n: t._standard_gamma(t.full((n,), 0.4)), 0.4, 0.4),
    "gamma, large": (lambda n: t._standard_gamma(t.full((n,), 5.0)), 5.0, 5.0),
    "multinomial": (lambda n: t.multinomial(t.tensor([1.0, 2.0, 1.0]), n, True), 1.0, 0.5),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    sample, mean, variance = MOMENTS[name]
    values = sample(COUNT).reshape(-1).double()
    centred = values - mean
    n = values.numel()
    assert abs(centred.mean().item()) < 5 * math.sqrt(variance / n)
    # The error of a variance follows from the fourth moment, here that of the sample.
    squares = centred * centred
    error = math.sqrt(((squares - variance) ** 2).mean().item() / n)
    assert abs(squares.mean().item() - variance) < 5 * error


def test_cauchy_quartiles():
    values = t.zeros(COUNT).cauchy_(1.0, 2.0)
    # A quarter of the mass lies below, a quarter above, median -+ sigma.
    for bound, share in ((-1.0, 0.25), (1.0, 0.5), (3.0, 0.75)):
        below = (values < bound).double().mean().item()
        assert abs(below - share) < 5 * math.sqrt(share * (1 - share) / COUNT)


def test_dirichlet():
    alpha = t.tensor([0.5, 1.0, 3.5])
    rows = t._sample_dirichlet(alpha.expand(COUNT, 3)).double()
    assert (rows.sum(1) - 1).abs().max().item() < 1e-6
    for i, a in enumerate([0.5, 1.0, 3.5]):
        variance = a * (5 - a) / (25 * 6)
        assert abs(rows[:, i].mean().item() - a / 5) < 5 * math.sqrt(variance / COUNT)


def test_orders_are_equally_likely():
    counts = {}
    for _ in range(6000):
        order = tuple(t.randperm(3).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert max(abs(c - 1000) for c in counts.values()) < 5 * math.sqrt(1000 * 5 / 6)


def test_multinomial_without_replacement():
    rows = t.multinomial(t.rand(200, 7) + 0.1, 7)
    assert all(sorted(row) == list(range(7)) for row in rows.tolist())
    weights = t.tensor([0.0, 1.0, 0.0, 5.0])
    assert set(t.multinomial(weights, 2).tolist()) == {1, 3}
    first = [t.multinomial(weights, 2)[0].item() for _ in range(3000)]
    assert abs(first.count(3) / 3000 - 5 / 6) < 5 * math.sqrt(5 / 36 / 3000)
