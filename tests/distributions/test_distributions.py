"""Distributions against SciPy's, their draws against their moments, transforms against autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

import rushlight as rl

D = rl.distributions


def t(*values: float) -> Any:
    return rl.tensor(values, dtype=rl.float64)


# (ours, SciPy's, whether it is discrete)
FAMILIES: dict[str, tuple[Any, Any, bool]] = {
    "Bernoulli": (D.Bernoulli(t(0.3)), stats.bernoulli(0.3), True),
    "Beta": (D.Beta(t(1.5), t(2.5)), stats.beta(1.5, 2.5), False),
    "Binomial": (D.Binomial(6, t(0.3)), stats.binom(6, 0.3), True),
    "Cauchy": (D.Cauchy(t(0.5), t(2.0)), stats.cauchy(0.5, 2), False),
    "Chi2": (D.Chi2(t(3.0)), stats.chi2(3), False),
    "Exponential": (D.Exponential(t(1.5)), stats.expon(scale=1 / 1.5), False),
    "FisherSnedecor": (D.FisherSnedecor(t(5.0), t(7.0)), stats.f(5, 7), False),
    "Gamma": (D.Gamma(t(2.5), t(1.5)), stats.gamma(2.5, scale=1 / 1.5), False),
    "GeneralizedPareto": (
        D.GeneralizedPareto(t(1.0), t(2.0), t(0.2)), stats.genpareto(0.2, 1, 2), False,
    ),
    "Geometric": (D.Geometric(t(0.3)), stats.geom(0.3, loc=-1), True),
    "Gumbel": (D.Gumbel(t(0.5), t(2.0)), stats.gumbel_r(0.5, 2), False),
    "HalfCauchy": (D.HalfCauchy(t(2.0)), stats.halfcauchy(scale=2), False),
    "HalfNormal": (D.HalfNormal(t(2.0)), stats.halfnorm(scale=2), False),
    "InverseGamma": (D.InverseGamma(t(3.5), t(2.0)), stats.invgamma(3.5, scale=2), False),
    "Laplace": (D.Laplace(t(0.5), t(2.0)), stats.laplace(0.5, 2), False),
    "LogNormal": (D.LogNormal(t(0.5), t(0.4)), stats.lognorm(0.4, scale=math.exp(0.5)), False),
    "NegativeBinomial": (D.NegativeBinomial(t(4.0), t(0.3)), stats.nbinom(4, 0.7), True),
    "Normal": (D.Normal(t(0.5), t(2.0)), stats.norm(0.5, 2), False),
    "Pareto": (D.Pareto(t(2.0), t(3.0)), stats.pareto(3, scale=2), False),
    "Poisson": (D.Poisson(t(3.0)), stats.poisson(3), True),
    "StudentT": (D.StudentT(t(5.0), t(0.5), t(2.0)), stats.t(5, 0.5, 2), False),
    "Uniform": (D.Uniform(t(-1.0), t(2.0)), stats.uniform(-1, 3), False),
    "VonMises": (D.VonMises(t(0.5), t(2.0)), stats.vonmises(2, 0.5), False),
    "Weibull": (D.Weibull(t(2.0), t(1.5)), stats.weibull_min(1.5, scale=2), False),
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_against_scipy(name: str) -> None:
    own, other, discrete = FAMILIES[name]
    rl.manual_seed(0)
    points = own.sample((50,))
    x = points.numpy()
    log_density = other.logpmf(x) if discrete else other.logpdf(x)
    np.testing.assert_allclose(own.log_prob(points).numpy(), log_density, rtol=2e-6, atol=2e-6)
    for method in ("cdf", "icdf"):
        if discrete:
            continue
        at = points if method == "cdf" else rl.linspace(0.05, 0.95, 7, dtype=rl.float64)
        try:
            found = getattr(own, method)(at).numpy()
        except NotImplementedError:
            continue
        right = getattr(other, {"cdf": "cdf", "icdf": "ppf"}[method])(at.numpy())
        np.testing.assert_allclose(found.ravel(), right.ravel(), rtol=1e-6, atol=1e-9)
    if name == "VonMises":  # its variance is the circular one
        return
    for moment, right in zip(("mean", "variance"), other.stats("mv")):
        if np.isfinite(right):
            np.testing.assert_allclose(getattr(own, moment).numpy().ravel(), right, rtol=1e-6)
    try:
        entropy = own.entropy().item()
    except NotImplementedError:
        return
    assert entropy == pytest.approx(float(other.entropy()), rel=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_draws_follow_the_distribution(name: str) -> None:
    """The Kolmogorov-Smirnov distance of 4000 draws; of counts, a chi-squared test's."""
    own, other, discrete = FAMILIES[name]
    rl.manual_seed(1)
    x = own.sample((4000,)).numpy().ravel()
    if discrete:
        values = np.arange(x.max() + 1)
        distance = np.abs(np.cumsum([(x == v).mean() for v in values]) - other.cdf(values)).max()
        assert distance < 0.03
    else:
        assert stats.kstest(x, other.cdf).pvalue > 1e-3


# A draw of these is made of two.
COMPOUND = ("FisherSnedecor", "StudentT")
SINGLE = [n for n, (own, _, _) in FAMILIES.items() if own.has_rsample and n not in COMPOUND]


@pytest.mark.parametrize("name", SINGLE)
def test_gradients_of_draws(name: str) -> None:
    """A draw is a quantile: with its probability held, it moves as the quantile does."""
    own, _, _ = FAMILIES[name]
    names = [n for n in own.arg_constraints if n != "logits"]
    values = [float(getattr(own, n).reshape(-1)[0]) for n in names]

    def make(numbers: Any) -> Any:
        return type(own)(**{n: v for n, v in zip(names, numbers)})

    leaves = [t(v).requires_grad_() for v in values]
    rl.manual_seed(2)
    drawn = make(leaves).rsample((3,))
    slopes = [[s.item() for s in rl.autograd.grad(d, leaves, retain_graph=True)] for d in drawn]
    for x, found in zip(drawn.detach().numpy().ravel(), slopes):
        for i, slope in enumerate(found):
            step = 1e-5 * max(abs(values[i]), 1)
            density = np.exp(make([t(v) for v in values]).log_prob(t(float(x))).item())
            ends = []
            for sign in (-1, 1):
                moved = [v + sign * step * (i == k) for k, v in enumerate(values)]
                ends.append(_cdf(name, moved, float(x)))
            right = -(ends[1] - ends[0]) / (2 * step) / density
            assert slope == pytest.approx(right, rel=1e-4, abs=1e-6), (names[i], x)


def _cdf(name: str, numbers: list[float], x: float) -> float:
    a, b, c = (*numbers, 0.0, 0.0)[:3]
    return float({
        "Beta": lambda: special.betainc(a, b, x),
        "Cauchy": lambda: stats.cauchy.cdf(x, a, b),
        "Chi2": lambda: stats.chi2.cdf(x, a),
        "Exponential": lambda: 1 - math.exp(-a * x),
        "Gamma": lambda: special.gammainc(a, b * x),
        "GeneralizedPareto": lambda: stats.genpareto.cdf(x, c, a, b),
        "Gumbel": lambda: stats.gumbel_r.cdf(x, a, b),
        "HalfCauchy": lambda: stats.halfcauchy.cdf(x, scale=a),
        "HalfNormal": lambda: stats.halfnorm.cdf(x, scale=a),
        "InverseGamma": lambda: stats.invgamma.cdf(x, a, scale=b),
        "Laplace": lambda: stats.laplace.cdf(x, a, b),
        "LogNormal": lambda: stats.lognorm.cdf(x, b, scale=math.exp(a)),
        "Normal": lambda: stats.norm.cdf(x, a, b),
        "Pareto": lambda: stats.pareto.cdf(x, a, scale=b),
        "Uniform": lambda: (x - a) / (b - a),
        "Weibull": lambda: stats.weibull_min.cdf(x, b, scale=a),
    }[name]())  # fmt: skip


@pytest.mark.parametrize("size", [3])
def test_multivariate_normals_agree(size: int) -> None:
    rl.manual_seed(0)
    W = rl.randn(size, 2, dtype=rl.float64)
    diagonal = rl.rand(size, dtype=rl.float64) + 0.5
    covariance = W @ W.T + diagonal.diag()
    loc, x = rl.randn(size, dtype=rl.float64), rl.randn(5, size, dtype=rl.float64)
    right = stats.multivariate_normal(loc.numpy(), covariance.numpy())
    for made in (
        D.MultivariateNormal(loc, covariance),
        D.MultivariateNormal(loc, precision_matrix=rl.linalg.inv(covariance)),
        D.MultivariateNormal(loc, scale_tril=rl.linalg.cholesky(covariance)),
        D.LowRankMultivariateNormal(loc, W, diagonal),
    ):
        np.testing.assert_allclose(made.log_prob(x).numpy(), right.logpdf(x.numpy()), rtol=1e-9)
        assert made.entropy().item() == pytest.approx(float(right.entropy()))
        drawn = made.sample((20000,)).numpy()
        np.testing.assert_allclose(np.cov(drawn.T), covariance.numpy(), atol=0.15)


PAIRS = [
    ("Normal", "Laplace"), ("Gamma", "Normal"), ("Uniform", "Normal"), ("Beta", "Normal"),
    ("Exponential", "Gamma"), ("Gamma", "Gumbel"), ("Normal", "Gumbel"), ("Pareto", "Exponential"),
    ("Gumbel", "Gumbel"), ("Gamma", "Gamma"), ("Laplace", "Laplace"), ("Poisson", "Poisson"),
    ("Cauchy", "Cauchy"), ("Geometric", "Geometric"), ("Beta", "Beta"), ("Exponential", "Normal"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_divergence_is_its_integral(first: str, second: str) -> None:
    p, q = FAMILIES[first][0], FAMILIES[second][0]
    if first == second:  # not the same one
        names = [n for n in q.arg_constraints if n != "logits"]
        q = type(q)(**{n: getattr(q, n) * 0.8 for n in names})
    if FAMILIES[first][2]:
        x = rl.arange(0, 200, dtype=rl.float64)
        width: Any = 1.0
    else:
        ends = FAMILIES[first][1].ppf(np.concatenate([np.linspace(1e-12, 1 - 1e-12, 400001)]))
        x = rl.tensor((ends[1:] + ends[:-1]) / 2, dtype=rl.float64)
        width = rl.tensor(np.diff(ends), dtype=rl.float64)
    log_p = p.log_prob(x)
    total = (log_p.exp() * (log_p - q.log_prob(x)) * width).sum().item()
    assert D.kl_divergence(p, q).item() == pytest.approx(total, rel=2e-3, abs=2e-4)


def test_divergence_between_strangers() -> None:
    with pytest.raises(NotImplementedError, match="VonMises"):
        D.kl_divergence(D.VonMises(t(0.0), t(1.0)), D.Normal(t(0.0), t(1.0)))
    with pytest.raises(TypeError, match="Distribution subclass"):
        D.register_kl("Normal", D.Normal)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "transform",
    [
        D.ExpTransform(), D.SigmoidTransform(), D.SoftplusTransform(), D.TanhTransform(),
        D.AffineTransform(1.0, -2.0), D.StickBreakingTransform(), D.CorrCholeskyTransform(),
        D.ComposeTransform([D.AffineTransform(0.5, 2.0), D.TanhTransform()]),
    ],
    ids=lambda transform: type(transform).__name__,
)  # fmt: skip
def test_jacobians_of_transforms(transform: Any) -> None:
    rl.manual_seed(0)
    x = rl.randn(3, dtype=rl.float64)
    y = transform(x)
    np.testing.assert_allclose(transform.inv(y).numpy(), x.numpy(), rtol=1e-6)

    def coordinates(x: Any) -> Any:
        """As many as x has."""
        y = transform(x)
        if isinstance(transform, D.StickBreakingTransform):
            return y[:-1]
        if isinstance(transform, D.CorrCholeskyTransform):
            return rl.stack([y[1, 0], y[2, 0], y[2, 1]])
        return y

    jacobian = rl.autograd.functional.jacobian(coordinates, x)
    right = rl.linalg.slogdet(jacobian).logabsdet.item()
    assert transform.log_abs_det_jacobian(x, y).sum().item() == pytest.approx(right, rel=1e-6)


def test_caches_keep_the_argument() -> None:
    transform = D.TanhTransform(cache_size=1)
    x = rl.tensor([20.0])  # tanh rounds it to 1
    assert transform.inv(transform(x)) is x
    assert transform.inv.inv is transform


def test_errors_name_the_parameter() -> None:
    with pytest.raises(ValueError, match="scale.*GreaterThan"):
        D.Normal(0.0, -1.0)
    with pytest.raises(ValueError, match="support"):
        D.Exponential(t(1.0)).log_prob(t(-1.0))
    with pytest.raises(ValueError, match="event_shape"):
        D.Dirichlet(t(1.0, 2.0)).log_prob(t(0.2, 0.3, 0.5))
    with pytest.raises(ValueError, match="probs.*logits"):
        D.Categorical()
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1


def test_a_policy_gradient_step() -> None:
    """The loop of reinforcement learning: sample an action, weigh its log-probability."""
    rl.manual_seed(0)
    logits = rl.zeros(3, requires_grad=True)
    optimizer = rl.optim.SGD([logits], lr=0.5)
    for _ in range(200):
        policy = D.Categorical(logits=logits)
        action = policy.sample()
        reward = 1.0 if action.item() == 2 else 0.0
        loss = -policy.log_prob(action) * reward
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert logits.softmax(0)[2].item() > 0.9
