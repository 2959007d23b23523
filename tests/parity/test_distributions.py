"""rushlight.distributions beside torch.distributions: draws, densities, moments, divergences."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import rushlight as rl

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

RANDOM = np.random.default_rng(0)


def positive(*shape: int) -> np.ndarray:
    return RANDOM.uniform(0.3, 3, shape)


def real(*shape: int) -> np.ndarray:
    return RANDOM.uniform(-2, 2, shape)


def probs(*shape: int) -> np.ndarray:
    return RANDOM.uniform(0.05, 0.95, shape)


def simplex(*shape: int) -> np.ndarray:
    values = positive(*shape)
    return values / values.sum(-1, keepdims=True)


def definite(n: int) -> np.ndarray:
    a = real(n, n)
    return a @ a.T + n * np.eye(n)


CASES: list[tuple[str, dict[str, Any]]] = [
    ("Bernoulli", {"probs": probs(3)}),
    ("Bernoulli", {"logits": real(2, 3)}),
    ("Beta", {"concentration1": positive(3), "concentration0": positive(3)}),
    ("Binomial", {"total_count": 5, "probs": probs(3)}),
    ("Binomial", {"total_count": 5, "logits": real(3)}),
    ("Categorical", {"probs": simplex(2, 4)}),
    ("Categorical", {"logits": real(4)}),
    ("Cauchy", {"loc": real(3), "scale": positive(3)}),
    ("Chi2", {"df": positive(3)}),
    ("ContinuousBernoulli", {"probs": probs(3)}),
    ("ContinuousBernoulli", {"logits": real(3)}),
    ("Dirichlet", {"concentration": positive(2, 3)}),
    ("Exponential", {"rate": positive(3)}),
    ("FisherSnedecor", {"df1": positive(3), "df2": positive(3) + 4}),
    ("Gamma", {"concentration": positive(3), "rate": positive(3)}),
    ("GeneralizedPareto", {"loc": real(3), "scale": positive(3), "concentration": probs(3) / 3}),
    ("Geometric", {"probs": probs(3)}),
    ("Geometric", {"logits": real(3)}),
    ("Gumbel", {"loc": real(3), "scale": positive(3)}),
    ("HalfCauchy", {"scale": positive(3)}),
    ("HalfNormal", {"scale": positive(3)}),
    ("InverseGamma", {"concentration": positive(3) + 2, "rate": positive(3)}),
    ("Kumaraswamy", {"concentration1": positive(3) + 1, "concentration0": positive(3) + 1}),
    ("LKJCholesky", {"dim": 3, "concentration": positive(2)}),
    ("Laplace", {"loc": real(3), "scale": positive(3)}),
    ("LogNormal", {"loc": real(3), "scale": positive(3) / 3}),
    ("LogisticNormal", {"loc": real(3), "scale": positive(3)}),
    (
        "LowRankMultivariateNormal",
        {"loc": real(2, 3), "cov_factor": real(3, 2), "cov_diag": positive(3)},
    ),
    ("Multinomial", {"total_count": 6, "probs": simplex(2, 4)}),
    ("MultivariateNormal", {"loc": real(2, 3), "covariance_matrix": definite(3)}),
    ("MultivariateNormal", {"loc": real(3), "precision_matrix": definite(3)}),
    (
        "MultivariateNormal",
        {"loc": real(3), "scale_tril": np.linalg.cholesky(definite(3))},
    ),
    ("NegativeBinomial", {"total_count": positive(3), "probs": probs(3)}),
    ("Normal", {"loc": real(2, 3), "scale": positive(3)}),
    ("Normal", {"loc": 0.5, "scale": 2.0}),
    ("OneHotCategorical", {"probs": simplex(2, 4)}),
    ("OneHotCategoricalStraightThrough", {"logits": real(2, 4)}),
    ("Pareto", {"scale": positive(3), "alpha": positive(3) + 2}),
    ("Poisson", {"rate": positive(3) * 4}),
    ("RelaxedBernoulli", {"temperature": np.array(0.7), "probs": probs(3)}),
    ("RelaxedOneHotCategorical", {"temperature": np.array(0.7), "logits": real(2, 4)}),
    ("StudentT", {"df": positive(3) + 2, "loc": real(3), "scale": positive(3)}),
    ("Uniform", {"low": real(3), "high": real(3) + 5}),
    ("VonMises", {"loc": real(3), "concentration": positive(3)}),
    ("Weibull", {"scale": positive(3), "concentration": positive(3) + 1}),
    ("Wishart", {"df": np.array(4.5), "covariance_matrix": definite(3)}),
]
IDS = [f"{name}-{'-'.join(p)}" for name, p in CASES]


def build(lib: Any, name: str, parameters: dict[str, Any], grad: bool = False) -> Any:
    values = {}
    for key, value in parameters.items():
        if isinstance(value, np.ndarray):
            # PyTorch's GeneralizedPareto takes no float64.
            dtype = lib.float32 if name == "GeneralizedPareto" else lib.float64
            values[key] = lib.tensor(value.tolist(), dtype=dtype, requires_grad=grad)
        else:
            values[key] = value
    return getattr(lib.distributions, name)(**values), values


def assert_close(found: Any, expected: Any, tolerance: float = 1e-9, what: str = "") -> None:
    a, b = found.detach().numpy(), expected.detach().numpy()
    assert a.shape == b.shape, what
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def both(function: Any) -> tuple[Any, Any]:
    """The results of both libraries, or the exception types."""
    results = []
    for lib in (rl, torch):
        try:
            results.append(function(lib))
        except (NotImplementedError, ValueError, RuntimeError, IndexError) as error:
            results.append(type(error))
    return results[0], results[1]


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=IDS)
def test_a_distribution(name: str, parameters: dict[str, Any]) -> None:
    own, _ = build(rl, name, parameters)
    other, _ = build(torch, name, parameters)
    single = name == "GeneralizedPareto"
    dtypes: dict[Any, Any] = {lib: lib.float32 if single else lib.float64 for lib in (rl, torch)}
    slack = 1000 if single else 1
    assert repr(own) == repr(other)
    assert tuple(own.batch_shape) == tuple(other.batch_shape)
    assert tuple(own.event_shape) == tuple(other.event_shape)
    assert own.has_rsample == other.has_rsample
    assert repr(own.support) == repr(other.support)
    for size in ((), (4,), (2, 3)):
        rl.manual_seed(7)
        torch.manual_seed(7)
        drawn, expected = own.sample(size), other.sample(size)
        assert_close(drawn, expected, 2e-6, f"sample {size}")
        at = rl.tensor(expected.tolist(), dtype=dtypes[rl])
        right = other.log_prob(expected.to(dtypes[torch]))
        assert_close(own.log_prob(at), right, 1e-7 * slack, "log_prob")
    for moment in ("mean", "variance", "stddev", "mode"):
        found, right = both(
            lambda lib, moment=moment: getattr(own if lib is rl else other, moment)
        )
        if isinstance(right, type):
            assert found is right, moment
        else:
            if name == "Kumaraswamy" and moment == "mode":
                continue  # PyTorch's is NaN
            assert_close(found, right, 1e-8 * slack, moment)
    found, right = both(lambda lib: (own if lib is rl else other).entropy())
    if isinstance(right, type):
        assert found is right, "entropy"
    else:
        assert_close(found, right, 1e-7 * slack, "entropy")
    points = other.sample((5,))
    for method in ("cdf", "icdf"):
        at = points if method == "cdf" else torch.rand(5, *other.batch_shape, dtype=dtypes[torch])

        def call(lib: Any, method: str = method, at: Any = at) -> Any:
            if lib is torch:
                return getattr(other, method)(at)
            return getattr(own, method)(rl.tensor(at.tolist(), dtype=dtypes[rl]))

        found, right = both(call)
        if isinstance(right, type):
            assert found is right, method
        else:
            assert_close(found, right, 1e-7 * slack, method)
    if other.has_enumerate_support:
        assert_close(own.enumerate_support(), other.enumerate_support())


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=IDS)
def test_expand(name: str, parameters: dict[str, Any]) -> None:
    own, _ = build(rl, name, parameters)
    other, _ = build(torch, name, parameters)
    shape = (2, *other.batch_shape)
    own, other = own.expand(shape), other.expand(shape)
    assert type(own).__name__ == type(other).__name__
    assert tuple(own.batch_shape) == tuple(other.batch_shape)
    rl.manual_seed(3)
    torch.manual_seed(3)
    assert_close(own.sample((3,)), other.sample((3,)), 2e-6)


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=IDS)
def test_gradients(name: str, parameters: dict[str, Any]) -> None:
    if name == "Wishart":
        pytest.skip("PyTorch's own rsample writes to what its backward needs")
    if not any(isinstance(value, np.ndarray) for value in parameters.values()):
        pytest.skip("made of numbers: there is no gradient")
    gradients = []
    for lib in (rl, torch):
        distribution, values = build(lib, name, parameters, grad=True)
        lib.manual_seed(1)
        if distribution.has_rsample:
            drawn = distribution.rsample((4,))
            value = drawn.detach()
            weights = lib.arange(drawn.numel(), dtype=drawn.dtype).reshape(drawn.shape)
            loss = (drawn * (weights + 1)).sum()
        else:
            value, loss = distribution.sample((4,)), 0.0
        if name != "OneHotCategoricalStraightThrough":
            loss = loss + distribution.log_prob(value).sum()
        loss.backward()
        gradients.append([v.grad for v in values.values() if hasattr(v, "grad")])
    # PyTorch approximates the derivatives of gamma and beta draws.
    drawn_by_gamma = {"Beta", "Dirichlet", "Gamma", "Chi2", "FisherSnedecor", "InverseGamma",
                      "StudentT", "Wishart"}  # fmt: skip
    tolerance = 2e-3 if name in drawn_by_gamma else 1e-5
    for own, other in zip(*gradients, strict=True):
        assert (own is None) == (other is None)
        if own is not None:
            assert_close(own, other, tolerance)


def _is_runtime_error(kind: type) -> bool:
    return issubclass(kind, RuntimeError)


def _bad(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        k: -np.abs(v) - 1 if isinstance(v, np.ndarray) and k != "logits" and k != "loc" else v
        for k, v in parameters.items()
    }


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=IDS)
def test_wrong_parameters(name: str, parameters: dict[str, Any]) -> None:
    found, right = both(lambda lib: build(lib, name, _bad(name, parameters))[0])
    if isinstance(right, type):
        assert found is right or {*map(_is_runtime_error, (found, right))} == {True}


def test_divergences() -> None:
    """All pairs of which PyTorch knows the divergence."""
    count = 0
    for (name_p, p), (name_q, q) in itertools.product(CASES, CASES):
        if name_p == "Wishart" or name_q == "Wishart":
            continue

        def divergence(lib: Any, a: Any = (name_p, p), b: Any = (name_q, q)) -> Any:
            one, other = build(lib, *a)[0], build(lib, *b)[0]
            return lib.distributions.kl_divergence(one, other)

        found, right = both(divergence)
        if right is IndexError:
            continue  # PyTorch does not broadcast some pairs
        if isinstance(right, type):
            assert isinstance(found, type), (name_p, name_q)
            continue
        count += 1
        a, b = np.broadcast_arrays(found.detach().numpy(), right.numpy())
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=f"{name_p} {name_q}")
    assert count > 150


def test_compound_divergences() -> None:
    def divergence(lib: Any) -> Any:
        D = lib.distributions
        p = D.Independent(D.Normal(lib.zeros(2, 3), lib.ones(2, 3)), 1)
        q = D.Independent(D.Normal(lib.ones(2, 3), lib.ones(2, 3) * 2), 1)
        a = D.TransformedDistribution(D.Normal(0.0, 1.0), [D.ExpTransform()])
        b = D.TransformedDistribution(D.Normal(1.0, 2.0), [D.ExpTransform()])
        return lib.cat([D.kl_divergence(p, q), D.kl_divergence(a, b).reshape(1)])

    assert_close(divergence(rl), divergence(torch), 1e-6)


TRANSFORMS: list[tuple[str, Any, np.ndarray]] = [
    ("exp", lambda D: D.ExpTransform(), real(4)),
    ("power", lambda D: D.PowerTransform(2.5), positive(4)),
    ("sigmoid", lambda D: D.SigmoidTransform(), real(4)),
    ("softplus", lambda D: D.SoftplusTransform(), real(4)),
    ("tanh", lambda D: D.TanhTransform(), real(4)),
    ("affine", lambda D: D.AffineTransform(1.0, -2.0), real(4)),
    ("affine of vectors", lambda D: D.AffineTransform(1.0, -2.0, event_dim=1), real(2, 4)),
    ("stick breaking", lambda D: D.StickBreakingTransform(), real(2, 4)),
    ("softmax", lambda D: D.SoftmaxTransform(), real(2, 4)),
    ("corr cholesky", lambda D: D.CorrCholeskyTransform(), real(2, 6)),
    ("lower cholesky", lambda D: D.LowerCholeskyTransform(), real(2, 3, 3)),
    ("reshape", lambda D: D.ReshapeTransform((6,), (2, 3)), real(2, 6)),
    (
        "composed",
        lambda D: D.ComposeTransform([D.ExpTransform(), D.PowerTransform(0.5)]),
        real(4),
    ),
    ("independent", lambda D: D.IndependentTransform(D.ExpTransform(), 1), real(2, 4)),
    (
        "cat",
        lambda D: D.CatTransform([D.ExpTransform(), D.TanhTransform()], dim=-1, lengths=[1, 3]),
        real(2, 4),
    ),
    ("stack", lambda D: D.StackTransform([D.ExpTransform(), D.TanhTransform()], dim=0), real(2, 4)),
    (
        "cumulative distribution",
        lambda D: D.CumulativeDistributionTransform(D.Normal(0.0, 1.0)),
        real(4),
    ),
]


@pytest.mark.parametrize(("make", "x"), [t[1:] for t in TRANSFORMS], ids=[t[0] for t in TRANSFORMS])
def test_a_transform(make: Any, x: np.ndarray) -> None:
    own, other = make(rl.distributions), make(torch.distributions)
    a, b = rl.tensor(x.tolist(), dtype=rl.float64), torch.tensor(x)
    y, z = own(a), other(b)
    assert_close(y, z)
    assert own.bijective == other.bijective
    assert repr(own) == repr(other)
    assert_close(own.inv(y), other.inv(z), 1e-6)
    assert own.inv.inv is own
    assert tuple(own.forward_shape(x.shape)) == tuple(other.forward_shape(x.shape))
    assert tuple(own.inverse_shape(z.shape)) == tuple(other.inverse_shape(z.shape))
    assert own.domain.event_dim == other.domain.event_dim
    assert own.codomain.event_dim == other.codomain.event_dim
    arguments = {rl: (own, a, y), torch: (other, b, z)}

    def slope(lib: Any) -> Any:
        transform, before, after = arguments[lib]
        return transform.log_abs_det_jacobian(before, after)

    found, right = both(slope)
    if isinstance(right, type):
        assert found is right
    else:
        assert_close(found, right, 1e-7)


@pytest.mark.parametrize(
    "constraint",
    ["real", "positive", "unit_interval", "simplex", "real_vector", "corr_cholesky",
     "nonnegative"],
)  # fmt: skip
@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
def test_constraints_lead_to_transforms(constraint: str, registry: str) -> None:
    x = real(2, 3)
    found, right = both(
        lambda lib: getattr(lib.distributions, registry)(
            getattr(lib.distributions.constraints, constraint)
        )(lib.tensor(x.tolist(), dtype=lib.float64))
    )
    if isinstance(right, type):
        assert found is right
    else:
        assert_close(found, right)


def test_mixtures() -> None:
    def run(lib: Any) -> Any:
        D = lib.distributions
        lib.manual_seed(0)
        mixture = D.MixtureSameFamily(
            D.Categorical(lib.tensor([[0.3, 0.7], [0.5, 0.5]])),
            D.Independent(D.Normal(lib.arange(12.0).reshape(2, 2, 3), lib.ones(2, 2, 3)), 1),
        )
        x = mixture.sample((4,))
        return [x, mixture.log_prob(x), mixture.mean, mixture.variance]

    for found, right in zip(run(rl), run(torch), strict=True):
        assert_close(found, right, 1e-5)
