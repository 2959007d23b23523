"""The Kullback-Leibler divergence of two distributions, and who knows it of which pair.

KL(p || q) = E_p[log p(x) - log q(x)]. Between families it is computed as -H(p) - E_p[log q(x)].
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions.bernoulli import Bernoulli
from rushlight.distributions.beta import Beta
from rushlight.distributions.binomial import Binomial
from rushlight.distributions.categorical import Categorical
from rushlight.distributions.cauchy import Cauchy
from rushlight.distributions.continuous_bernoulli import ContinuousBernoulli
from rushlight.distributions.dirichlet import Dirichlet
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.distributions.exponential import Exponential
from rushlight.distributions.gamma import Gamma
from rushlight.distributions.geometric import Geometric
from rushlight.distributions.gumbel import Gumbel
from rushlight.distributions.half_normal import HalfNormal
from rushlight.distributions.independent import Independent
from rushlight.distributions.laplace import Laplace
from rushlight.distributions.lowrank_multivariate_normal import (
    LowRankMultivariateNormal,
    log_determinant,
    mahalanobis,
)
from rushlight.distributions.multivariate_normal import MultivariateNormal, squared_mahalanobis
from rushlight.distributions.normal import Normal
from rushlight.distributions.one_hot_categorical import OneHotCategorical
from rushlight.distributions.parameters import euler_constant, sum_rightmost
from rushlight.distributions.pareto import Pareto
from rushlight.distributions.poisson import Poisson
from rushlight.distributions.transformed_distribution import TransformedDistribution
from rushlight.distributions.uniform import Uniform

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.tensor import Tensor

__all__ = ["kl_divergence", "register_kl"]

_REGISTRY: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}
_FOUND: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}  # by the very classes


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """Registers a function (p, q) -> Tensor for two classes and their subclasses; a decorator.

    A class need not derive from Distribution: libraries register bases of their own.

    Raises:
        TypeError: it is no class.
    """
    for kind in (type_p, type_q):
        if not isinstance(kind, type):
            raise TypeError(f"Expected a Distribution subclass but got {kind}")

    def decorator(function: Any) -> Any:
        _REGISTRY[type_p, type_q] = function
        _FOUND.clear()
        return function

    return decorator


def _find(type_p: type, type_q: type) -> Callable[[Any, Any], Tensor] | None:
    """The function for the closest classes; a warning where two are equally close."""
    fitting = [
        (p, q) for p, q in _REGISTRY if issubclass(type_p, p) and issubclass(type_q, q)
    ]
    if not fitting:
        return None

    def apart(pair: tuple[type, type]) -> tuple[int, int]:
        return type_p.__mro__.index(pair[0]), type_q.__mro__.index(pair[1])

    by_p = min(fitting, key=apart)
    by_q = min(fitting, key=lambda pair: apart(pair)[::-1])
    if _REGISTRY[by_p] is not _REGISTRY[by_q]:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). Please "
            f"register_kl({by_p[0].__name__}, {by_q[1].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _REGISTRY[by_p]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p || q), of the shape of the batch.

    Raises:
        NotImplementedError: nobody has registered a function for the two classes.
    """
    key = type(p), type(q)
    function = _FOUND.get(key) or _find(*key)
    if function is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
            f"{type(q).__name__}"
        )
    _FOUND[key] = function
    return function(p, q)


# ---- within a family


def _where(condition: Tensor, value: Any, other: Tensor) -> Tensor:
    return rushlight.where(condition, rushlight.full_like(other, value), other)


@register_kl(Bernoulli, Bernoulli)
def _kl_bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    softplus = rushlight.nn.functional.softplus
    yes = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    yes = _where(p.probs == 0, 0, _where(q.probs == 0, math.inf, yes))
    no = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    no = _where(p.probs == 1, 0, _where(q.probs == 1, math.inf, no))
    return yes + no


@register_kl(Beta, Beta)
def _kl_beta(p: Beta, q: Beta) -> Tensor:
    total_p = p.concentration1 + p.concentration0
    total_q = q.concentration1 + q.concentration0
    constant = (
        q.concentration1.lgamma() + q.concentration0.lgamma() + total_p.lgamma()
        - p.concentration1.lgamma() - p.concentration0.lgamma() - total_q.lgamma()
    )  # fmt: skip
    return (
        constant
        + (p.concentration1 - q.concentration1) * p.concentration1.digamma()
        + (p.concentration0 - q.concentration0) * p.concentration0.digamma()
        + (total_q - total_p) * total_p.digamma()
    )


@register_kl(Binomial, Binomial)
def _kl_binomial(p: Binomial, q: Binomial) -> Tensor:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError(
            "KL between Binomials where q.total_count > p.total_count is not implemented"
        )
    each = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return _where(p.total_count > q.total_count, math.inf, p.total_count * each)


@register_kl(Categorical, Categorical)
def _kl_categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms = _where((q.probs == 0).expand_as(terms), math.inf, terms)
    return _where((p.probs == 0).expand_as(terms), 0, terms).sum(-1)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _kl_continuous_bernoulli(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    own = p._log_constant() + (-p.probs).log1p()
    other = q._log_constant() + (-q.probs).log1p()
    return p.mean * (p.logits - q.logits) + own - other


@register_kl(Dirichlet, Dirichlet)
def _kl_dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    total_p, total_q = p.concentration.sum(-1), q.concentration.sum(-1)
    constant = total_p.lgamma() - total_q.lgamma()
    constant = constant - (p.concentration.lgamma() - q.concentration.lgamma()).sum(-1)
    mean_log = p.concentration.digamma() - total_p.digamma().unsqueeze(-1)
    return constant + ((p.concentration - q.concentration) * mean_log).sum(-1)


@register_kl(Exponential, Exponential)
def _kl_exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _kl_expfamily(p: ExponentialFamily, q: ExponentialFamily) -> Tensor:
    """By the Bregman divergence of the log normalizer (Nielsen and Nock 2010)."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot be computed "
            "using Bregman divergences"
        )
    own = [x.detach().requires_grad_() for x in p._natural_params]
    other = q._natural_params
    with rushlight.enable_grad():
        normalizer = p._log_normalizer(*own)
        slopes = rushlight.autograd.grad(normalizer.sum(), own, create_graph=True)
    result = q._log_normalizer(*other) - normalizer
    for theirs, mine, slope in zip(other, own, slopes):
        result = result - sum_rightmost((theirs - mine) * slope, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
def _kl_gamma(p: Gamma, q: Gamma) -> Tensor:
    return (
        q.concentration * (p.rate / q.rate).log()
        + q.concentration.lgamma()
        - p.concentration.lgamma()
        + (p.concentration - q.concentration) * p.concentration.digamma()
        + (q.rate - p.rate) * (p.concentration / p.rate)
    )


@register_kl(Gumbel, Gumbel)
def _kl_gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio = p.scale / q.scale
    apart = (p.loc - q.loc) / q.scale
    tail = ((ratio + 1).lgamma() - apart).exp()
    return -ratio.log() + apart + ratio * euler_constant + tail - (1 + euler_constant)


@register_kl(Geometric, Geometric)
def _kl_geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _kl_half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return _kl_normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _kl_laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio = p.scale / q.scale
    apart = (p.loc - q.loc).abs()
    return -ratio.log() + apart / q.scale + ratio * (-apart / p.scale).exp() - 1


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _kl_lowrank(p: LowRankMultivariateNormal, q: LowRankMultivariateNormal) -> Tensor:
    _same_events(p, q, "Low Rank Multivariate Normals")
    q_W, q_D = q._unbroadcasted_cov_factor, q._unbroadcasted_cov_diag
    p_W, p_D = p._unbroadcasted_cov_factor, p._unbroadcasted_cov_diag
    logs = log_determinant(q_W, q_D, q._capacitance_tril) - log_determinant(
        p_W, p_D, p._capacitance_tril
    )
    distance = mahalanobis(q_W, q_D, q.loc - p.loc, q._capacitance_tril)
    # The trace of q's precision times p's covariance, by Woodbury's identity.
    scaled = q_W.mT / q_D.unsqueeze(-2)
    A = rushlight.linalg.solve_triangular(q._capacitance_tril, scaled, upper=False)
    trace = (
        (p_D / q_D).sum(-1)
        + _squares(p_W * q_D.rsqrt().unsqueeze(-1))
        - _squares(A * p_D.sqrt().unsqueeze(-2))
        - _squares(A @ p_W)
    )
    return 0.5 * (logs + trace + distance - p.event_shape[0])


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _kl_normal_lowrank(p: MultivariateNormal, q: LowRankMultivariateNormal) -> Tensor:
    _same_events(p, q, "(Low Rank) Multivariate Normals")
    q_W, q_D = q._unbroadcasted_cov_factor, q._unbroadcasted_cov_diag
    logs = log_determinant(q_W, q_D, q._capacitance_tril) - 2 * p._half_log_det()
    distance = mahalanobis(q_W, q_D, q.loc - p.loc, q._capacitance_tril)
    scaled = q_W.mT / q_D.unsqueeze(-2)
    A = rushlight.linalg.solve_triangular(q._capacitance_tril, scaled, upper=False)
    factor = p._unbroadcasted_scale_tril
    trace = _squares(factor * q_D.rsqrt().unsqueeze(-1)) - _squares(A @ factor)
    return 0.5 * (logs + trace + distance - p.event_shape[0])


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _kl_lowrank_normal(p: LowRankMultivariateNormal, q: MultivariateNormal) -> Tensor:
    _same_events(p, q, "(Low Rank) Multivariate Normals")
    p_W, p_D = p._unbroadcasted_cov_factor, p._unbroadcasted_cov_diag
    logs = 2 * q._half_log_det() - log_determinant(p_W, p_D, p._capacitance_tril)
    distance = squared_mahalanobis(q._unbroadcasted_scale_tril, q.loc - p.loc)
    trace = _solved_squares(q._unbroadcasted_scale_tril, p_W) + _solved_squares(
        q._unbroadcasted_scale_tril, p_D.sqrt().diag_embed()
    )
    return 0.5 * (logs + trace + distance - p.event_shape[0])


@register_kl(MultivariateNormal, MultivariateNormal)
def _kl_multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    _same_events(p, q, "Multivariate Normals")
    logs = q._half_log_det() - p._half_log_det()
    trace = _solved_squares(q._unbroadcasted_scale_tril, p._unbroadcasted_scale_tril)
    distance = squared_mahalanobis(q._unbroadcasted_scale_tril, q.loc - p.loc)
    return logs + 0.5 * (trace + distance - p.event_shape[0])


def _same_events(p: Distribution, q: Distribution, names: str) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"KL-divergence between two {names} with different event shapes cannot be computed: "
            f"{p.event_shape} and {q.event_shape}"
        )


def _squares(matrix: Tensor) -> Tensor:
    return matrix.square().sum((-2, -1))


def _solved_squares(factor: Tensor, matrix: Tensor) -> Tensor:
    return _squares(rushlight.linalg.solve_triangular(factor, matrix, upper=False))


@register_kl(Normal, Normal)
def _kl_normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).square()
    apart = ((p.loc - q.loc) / q.scale).square()
    return 0.5 * (ratio + apart - 1 - ratio.log())


@register_kl(OneHotCategorical, OneHotCategorical)
def _kl_one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _kl_categorical(p._categorical, q._categorical)


@register_kl(Pareto, Pareto)
def _kl_pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    found = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return _where(p.scale < q.scale, math.inf, found)


@register_kl(Poisson, Poisson)
def _kl_poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(TransformedDistribution, TransformedDistribution)
def _kl_transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    """An invertible map, the same of both, changes nothing."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Uniform, Uniform)
def _kl_uniform(p: Uniform, q: Uniform) -> Tensor:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return _where((q.low > p.low) | (q.high < p.high), math.inf, found)


@register_kl(Cauchy, Cauchy)
def _kl_cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    """Chyzak and Nielsen 2019."""
    sums = (p.scale + q.scale).square() + (p.loc - q.loc).square()
    return sums.log() - (4 * p.scale * q.scale).log()


@register_kl(Independent, Independent)
def _kl_independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


# ---- between families


def _infinite(p: Distribution, q: Distribution) -> Tensor:
    """What p can draw, q cannot."""
    sample = p.mean
    return rushlight.full_like(sample, math.inf)


for _p, _others in {
    Beta: (Pareto,),
    ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
    Poisson: (Bernoulli, Binomial),
}.items():
    for _q in _others:
        register_kl(_p, _q)(_infinite)


@register_kl(Bernoulli, Poisson)
def _kl_bernoulli_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


# p -> Normal: only mean and variance of p count.


def _to_normal(p: Any, q: Normal) -> Tensor:
    spread = p.variance + (p.mean - q.loc).square()
    cross = 0.5 * math.log(2 * math.pi) + q.scale.log() + 0.5 * spread / q.scale.square()
    return -p.entropy() + cross


for _p in (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Uniform):
    register_kl(_p, Normal)(_to_normal)


@register_kl(Pareto, Normal)
def _kl_pareto_normal(p: Pareto, q: Normal) -> Tensor:
    return _where(p.alpha <= 2, math.inf, _to_normal(p, q))


# p -> Exponential: only the mean counts.


def _to_exponential(p: Any, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


for _p in (Beta, ContinuousBernoulli, Gamma):
    register_kl(_p, Exponential)(_to_exponential)


@register_kl(Pareto, Exponential)
def _kl_pareto_exponential(p: Pareto, q: Exponential) -> Tensor:
    return _where(p.alpha <= 1, math.inf, _to_exponential(p, q))


@register_kl(Uniform, Exponential)
def _kl_uniform_exponential(p: Uniform, q: Exponential) -> Tensor:
    return _where(p.low < 0, math.inf, _to_exponential(p, q))


# p -> Gamma: the means of x and of log x.


def _to_gamma(p: Any, q: Gamma, mean_log: Tensor) -> Tensor:
    cross = (
        q.concentration.lgamma()
        - q.concentration * q.rate.log()
        - (q.concentration - 1) * mean_log
        + q.rate * p.mean
    )
    return -p.entropy() + cross


def _mean_log_of_uniform(p: Uniform) -> Tensor:
    """E[log x]."""
    inner = rushlight.special.xlogy(p.high, p.high) - rushlight.special.xlogy(p.low, p.low)
    return inner / (p.high - p.low) - 1


@register_kl(Beta, Gamma)
def _kl_beta_gamma(p: Beta, q: Gamma) -> Tensor:
    total = p.concentration1 + p.concentration0
    return _to_gamma(p, q, p.concentration1.digamma() - total.digamma())


@register_kl(Exponential, Gamma)
def _kl_exponential_gamma(p: Exponential, q: Gamma) -> Tensor:
    return _to_gamma(p, q, -p.rate.log() - euler_constant)


@register_kl(Pareto, Gamma)
def _kl_pareto_gamma(p: Pareto, q: Gamma) -> Tensor:
    found = _to_gamma(p, q, p.scale.log() + p.alpha.reciprocal())
    return _where(p.alpha <= 1, math.inf, found)


@register_kl(Uniform, Gamma)
def _kl_uniform_gamma(p: Uniform, q: Gamma) -> Tensor:
    return _where(p.low < 0, math.inf, _to_gamma(p, q, _mean_log_of_uniform(p)))


# p -> Gumbel: the means of x and of exp(-x / scale).


def _to_gumbel(p: Any, q: Gumbel, mean_exp: Tensor) -> Tensor:
    """`mean_exp`: E[exp((loc - x) / scale)]."""
    return -p.entropy() + q.scale.log() + (p.mean - q.loc) / q.scale + mean_exp


@register_kl(Exponential, Gumbel)
def _kl_exponential_gumbel(p: Exponential, q: Gumbel) -> Tensor:
    product = p.rate * q.scale
    return _to_gumbel(p, q, (q.loc / q.scale).exp() * product / (product + 1))


@register_kl(Gamma, Gumbel)
def _kl_gamma_gumbel(p: Gamma, q: Gumbel) -> Tensor:
    shrink = (1 + (p.rate * q.scale).reciprocal()).pow(-p.concentration)
    return _to_gumbel(p, q, (q.loc / q.scale).exp() * shrink)


@register_kl(Normal, Gumbel)
def _kl_normal_gumbel(p: Normal, q: Gumbel) -> Tensor:
    shift = (q.loc - p.loc) / q.scale
    return _to_gumbel(p, q, (shift + 0.5 * (p.scale / q.scale).square()).exp())


@register_kl(Uniform, Gumbel)
def _kl_uniform_gumbel(p: Uniform, q: Gumbel) -> Tensor:
    width = (p.high - p.low) / q.scale
    ends = ((q.loc - p.low) / q.scale).exp() - ((q.loc - p.high) / q.scale).exp()
    return _to_gumbel(p, q, ends / width)


@register_kl(Normal, Laplace)
def _kl_normal_laplace(p: Normal, q: Laplace) -> Tensor:
    apart = p.loc - q.loc
    z = apart / p.scale
    mean_abs = p.scale * math.sqrt(2 / math.pi) * (-0.5 * z.square()).exp()
    mean_abs = mean_abs + apart * (z * math.sqrt(0.5)).erf()
    return -p.entropy() + (2 * q.scale).log() + mean_abs / q.scale


# p -> distributions on an interval


@register_kl(Beta, ContinuousBernoulli)
def _kl_beta_continuous_bernoulli(p: Beta, q: ContinuousBernoulli) -> Tensor:
    return -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._log_constant()


@register_kl(Beta, Uniform)
def _kl_beta_uniform(p: Beta, q: Uniform) -> Tensor:
    found = -p.entropy() + (q.high - q.low).log()
    return _where((q.low > 0) | (q.high < 1), math.inf, found)


@register_kl(ContinuousBernoulli, Uniform)
def _kl_continuous_bernoulli_uniform(p: ContinuousBernoulli, q: Uniform) -> Tensor:
    found = -p.entropy() + (q.high - q.low).log()
    return _where((q.low > 0) | (q.high < 1), math.inf, found)


@register_kl(Uniform, Beta)
def _kl_uniform_beta(p: Uniform, q: Beta) -> Tensor:
    low, high = 1 - p.high, 1 - p.low
    mean_log_other = (
        rushlight.special.xlogy(high, high) - rushlight.special.xlogy(low, low)
    ) / (p.high - p.low) - 1
    total = q.concentration1 + q.concentration0
    cross = (
        q.concentration1.lgamma() + q.concentration0.lgamma() - total.lgamma()
        - (q.concentration1 - 1) * _mean_log_of_uniform(p)
        - (q.concentration0 - 1) * mean_log_other
    )  # fmt: skip
    return _where((p.high > 1) | (p.low < 0), math.inf, cross - p.entropy())


@register_kl(Uniform, ContinuousBernoulli)
def _kl_uniform_continuous_bernoulli(p: Uniform, q: ContinuousBernoulli) -> Tensor:
    found = -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._log_constant()
    return _where((p.high > 1) | (p.low < 0), math.inf, found)


@register_kl(Uniform, Pareto)
def _kl_uniform_pareto(p: Uniform, q: Pareto) -> Tensor:
    cross = (q.alpha + 1) * _mean_log_of_uniform(p) - q.alpha.log() - q.alpha * q.scale.log()
    return _where(p.low < q.scale, math.inf, cross - p.entropy())
