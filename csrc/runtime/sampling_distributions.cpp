// The distributions that reject, search or shuffle: gamma, Dirichlet, Poisson, binomial,
// multinomial and permutations. Arithmetic is deliberately plain (no fused multiply-add), and a
// float stays a float where PyTorch keeps it one: acceptance tests must come out the same way.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "runtime/sampling.h"
#include "runtime/sampling_dispatch.h"

namespace rushlight::sampling {

namespace {

// Gamma(alpha, 1): G. Marsaglia, W. W. Tsang, "A simple method for generating gamma variables",
// ACM TOMS 26 (2000). Below alpha = 1 by Gamma(alpha) = Gamma(alpha + 1) U^(1 / alpha).
template <class T>
T gamma_sample(Generator& generator, T alpha) {
    double scale = 1.0;
    if (alpha < T(1)) {
        if (alpha == T(0)) return T(0);
        scale = std::pow(1.0 - generator.uniform_double(), double(T(1) / alpha));
        alpha += T(1);
    }
    const double d = alpha - T(1.0f / 3.0f);
    const double c = 1.0 / std::sqrt(9.0 * d);
    for (;;) {
        double x = 0, y = 0;
        do {
            x = generator.normal_double();
            y = 1.0 + c * x;
        } while (y <= 0);
        const double v = y * y * y;
        const double u = 1.0 - generator.uniform_double();
        const double xx = x * x;
        const bool squeezed = u < 1.0 - double(0.0331f) * xx * xx;
        if (squeezed || std::log(u) < 0.5 * xx + d * (1.0 - v + std::log(v)))
            return T(scale * d * v);
    }
}

// Poisson for rates from 10 on: W. Hoermann, "The transformed rejection method for generating
// Poisson random variables", Insurance: Mathematics and Economics 12 (1993), algorithm PTRS.
std::int64_t poisson_by_rejection(Generator& generator, double rate) {
    const double root = std::sqrt(rate), log_rate = std::log(rate);
    const double b = 0.931 + 2.53 * root;
    const double a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    const double bound = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        const double u = generator.uniform_double() - 0.5;
        const double v = generator.uniform_double();
        const double edge = 0.5 - std::fabs(u);
        const auto k = convert<std::int64_t>(std::floor((2 * a / edge + b) * u + rate + 0.43));
        if (edge >= 0.07 && v <= bound) return k;
        if (k < 0 || (edge < 0.013 && v > edge)) continue;
        const double left = std::log(v) + std::log(inverse_alpha) - std::log(a / (edge * edge) + b);
        if (left <= -rate + double(k) * log_rate - std::lgamma(double(k) + 1)) return k;
    }
}

std::int64_t poisson_sample(Generator& generator, double rate) {
    check(rate >= 0, "poisson: expected rates >= 0, got ", rate);
    if (rate >= 10) return poisson_by_rejection(generator, rate);
    if (rate == 0) return 0;
    // Arrivals before time 1: uniforms are multiplied until the product is below exp(-rate).
    const double floor = std::exp(-rate);
    std::int64_t count = 0;
    for (double product = generator.uniform_double(); product > floor; ++count)
        product *= generator.uniform_double();
    return count;
}

// log k! less Stirling's formula for it.
double stirling_rest(double k) {
    static constexpr std::array kRest = {
        0.0810614667953272,  0.0413406959554092,  0.0276779256849983,  0.02079067210376509,
        0.0166446911898211,  0.0138761288230707,  0.0118967099458917,  0.0104112652619720,
        0.00925546218271273, 0.00833056343336287};
    if (k < double(kRest.size())) return kRest[std::size_t(k)];
    const double square = (k + 1) * (k + 1);
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

// Few successes expected: geometric waiting times are added until they exceed the trials.
template <class T>
T binomial_by_waiting(Generator& generator, T trials, T probability) {
    const double log_failure = std::log1p(-probability);
    double waited = 0;
    T successes = 0;
    for (;;) {
        waited += std::ceil(std::log(generator.uniform_double()) / log_failure);
        if (waited > trials) return successes;
        successes += T(1);
    }
}

// Ten successes or more: W. Hoermann, "The generation of binomial random variates", J. Stat.
// Comput. Simul. 46 (1993), algorithm BTRS.
template <class T>
T binomial_by_rejection(Generator& generator, T trials, T probability) {
    const double deviation = std::sqrt(trials * probability * (1 - probability));
    const double b = 1.15 + 2.53 * deviation;
    const double a = -0.0873 + 0.0248 * b + 0.01 * probability;
    const double c = trials * probability + 0.5;
    const double bound = 0.92 - 4.2 / b;
    const double odds = probability / (1 - probability);
    const double alpha = (2.83 + 5.1 / b) * deviation;
    const double mode = std::floor((trials + 1) * probability);
    for (;;) {
        const double u = generator.uniform_double() - 0.5;
        const double v = generator.uniform_double();
        const double edge = 0.5 - std::abs(u);
        const T k = T(std::floor((2 * a / edge + b) * u + c));
        if (k < 0 || k > trials) continue;
        if (edge >= 0.07 && v <= bound) return k;
        const double left = std::log(v * alpha / (a / (edge * edge) + b));
        const double right =
            (mode + 0.5) * std::log((mode + 1) / (odds * (trials - mode + 1))) +
            (trials + 1) * std::log((trials - mode + 1) / (trials - k + 1)) +
            (k + 0.5) * std::log(odds * (trials - k + 1) / (k + 1)) + stirling_rest(mode) +
            stirling_rest(trials - mode) - stirling_rest(k) - stirling_rest(trials - k);
        if (left <= right) return k;
    }
}

template <class T>
T binomial_sample(Generator& generator, T trials, T probability) {
    if (trials <= 0 || probability <= 0) return 0;
    if (probability >= 1) return trials;
    if (std::isnan(probability)) return probability;
    const bool rare = probability <= T(0.5);
    const T p = rare ? probability : T(1.0 - probability);
    const T successes = trials * p >= T(10) ? binomial_by_rejection(generator, trials, p)
                                            : binomial_by_waiting(generator, trials, p);
    return rare ? successes : trials - successes;
}

void check_alike(std::string_view what, DType a, DType b, std::size_t count_a,
                 std::size_t count_b) {
    check(a == b && count_a == count_b, what, ": expected equal dtypes and sizes, got ", name_of(a),
          " (", count_a, ") and ", name_of(b), " (", count_b, ")");
}

template <class T>
void shuffle(Generator& generator, std::span<T> order) {
    const std::size_t n = order.size();
    const auto number = [](std::size_t i) { return convert<T>(std::int64_t(i)); };
    if (n < std::numeric_limits<std::uint32_t>::max() / 20) {
        // Fisher-Yates: place i takes one of those that are left.
        for (std::size_t i = 0; i < n; ++i) order[i] = number(i);
        for_chunks<1>(generator, n == 0 ? 0 : n - 1,
                      [&](const std::uint32_t* words, std::size_t first, std::size_t count) {
                          for (std::size_t j = 0; j < count; ++j) {
                              const std::size_t i = first + j;
                              std::swap(order[i], order[i + words[j] % std::uint32_t(n - i)]);
                          }
                      });
    } else {
        // 32 bits would favour some orders; inside-out, with 64 bits an element.
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t j = std::size_t(generator.random64() % (i + 1));
            order[i] = number(i);
            order[i] = order[j];
            order[j] = number(i);
        }
    }
}

template <class T>
using Accumulated = std::conditional_t<is_half_type<T>, float, T>;

// Class indices drawn with repeats from one row of weights, by bisection of the cumulative sums.
template <class T>
void draw_classes(Generator& generator, std::span<const T> weights,
                  std::span<Accumulated<T>> cumulative, std::span<std::int64_t> out) {
    using A = Accumulated<T>;
    A sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        sum += convert<A>(weights[i]);
        cumulative[i] = sum;
    }
    for (A& value : cumulative) value /= sum;
    cumulative.back() = 1;
    for (std::int64_t& index : out) {
        const double u = generator.uniform_double();
        const auto reaches = [](A value, double target) { return value < target; };
        index = std::lower_bound(cumulative.begin(), cumulative.end(), u, reaches) -
                cumulative.begin();
    }
}

// Indices of the `out.size()` largest values, largest first; nan is the largest. Among equal values
// the order is what the standard library's selection leaves, as in PyTorch.
template <class A>
void largest_indices(std::span<const A> values, std::span<std::int64_t> out) {
    const auto above = [](A a, A b) { return (std::isnan(a) && !std::isnan(b)) || a > b; };
    if (out.size() == 1) {
        std::size_t best = 0;
        for (std::size_t i = 1; i < values.size(); ++i)
            if (above(values[i], values[best])) best = i;
        out[0] = std::int64_t(best);
        return;
    }
    std::vector<std::pair<A, std::int64_t>> queue(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) queue[i] = {values[i], std::int64_t(i)};
    const auto before = [&](const auto& a, const auto& b) { return above(a.first, b.first); };
    const auto end = queue.begin() + std::ptrdiff_t(out.size());
    if (out.size() * 64 <= values.size()) {
        std::partial_sort(queue.begin(), end, queue.end(), before);
    } else {
        std::nth_element(queue.begin(), end - 1, queue.end(), before);
        std::sort(queue.begin(), end - 1, before);
    }
    std::transform(queue.begin(), end, out.begin(), [](const auto& item) { return item.second; });
}

}  // namespace

void standard_gamma(Generator& generator, Input alpha, Output out) {
    check_alike("standard_gamma", alpha.dtype, out.dtype, alpha.count, out.count);
    dispatch_real("standard_gamma", out.dtype, [&]<class T>() {
        std::ranges::transform(typed<T>(alpha), typed<T>(out).begin(), [&](T a) {
            return std::max(std::numeric_limits<T>::min(), gamma_sample(generator, a));
        });
    });
}

void dirichlet(Generator& generator, Input alpha, Output out, std::size_t classes) {
    check_alike("dirichlet", alpha.dtype, out.dtype, alpha.count, out.count);
    if (alpha.count == 0) return;
    dispatch_real("dirichlet", out.dtype, [&]<class T>() {
        constexpr double kTiny = std::numeric_limits<double>::min();
        const auto alphas = typed<T>(alpha);
        const auto values = typed<T>(out);
        std::vector<double> gammas(alpha.count);
        std::ranges::transform(alphas, gammas.begin(), [&](T a) {
            return std::max(kTiny, gamma_sample(generator, double(a)));
        });
        const T below_one = std::nextafter(T(1), T(0));
        for (std::size_t row = 0; row < alpha.count; row += classes) {
            const auto part = std::span(gammas).subspan(row, classes);
            const double sum = std::accumulate(part.begin(), part.end(), 0.0);
            std::ranges::transform(part, values.begin() + std::ptrdiff_t(row), [&](double g) {
                return std::clamp(T(g / sum), std::numeric_limits<T>::min(), below_one);
            });
        }
    });
}

void poisson(Generator& generator, Input rate, Output out) {
    check_alike("poisson", rate.dtype, out.dtype, rate.count, out.count);
    dispatch_floating("poisson", out.dtype, [&]<class T>() {
        std::ranges::transform(typed<T>(rate), typed<T>(out).begin(), [&](T r) {
            return convert<T>(poisson_sample(generator, convert<double>(r)));
        });
    });
}

void binomial(Generator& generator, Input trials, Input probability, Output out) {
    check_alike("binomial", trials.dtype, out.dtype, trials.count, out.count);
    check_alike("binomial", probability.dtype, out.dtype, probability.count, out.count);
    dispatch_real("binomial", out.dtype, [&]<class T>() {
        std::ranges::transform(typed<T>(trials), typed<T>(probability), typed<T>(out).begin(),
                               [&](T n, T p) { return binomial_sample(generator, n, p); });
    });
}

void permutation(Generator& generator, Output out) {
    check_as(ErrorKind::NotImplemented, out.dtype != DType::Bool,
             "randperm: not implemented for bool; expected an integer or floating point dtype");
    dispatch_modular("randperm", out.dtype,
                     [&]<class T>() { shuffle(generator, typed<T>(out)); });
}

void check_weights(Input weights, std::size_t classes) {
    dispatch_floating("multinomial", weights.dtype, [&]<class T>() {
        const auto values = typed<T>(weights);
        for (std::size_t first = 0; first < values.size(); first += classes) {
            double sum = 0;
            for (const T& entry : values.subspan(first, classes)) {
                const double weight = convert<double>(entry);
                check(weight >= 0 && std::isfinite(weight),
                      "multinomial: expected weights that are finite and >= 0, got ", weight);
                sum += weight;
            }
            check(sum > 0, "multinomial: the weights of a distribution sum to 0; at least one must "
                  "be positive");
        }
    });
}

void multinomial(Generator& generator, Input weights, std::size_t classes, std::size_t samples,
                 std::int64_t* out) {
    if (weights.count == 0 || samples == 0) return;
    dispatch_floating("multinomial", weights.dtype, [&]<class T>() {
        std::vector<Accumulated<T>> cumulative(classes);
        const auto values = typed<T>(weights);
        for (std::size_t first = 0; first < values.size(); first += classes, out += samples)
            draw_classes<T>(generator, values.subspan(first, classes), cumulative, {out, samples});
    });
}

void multinomial_race(Input weights, Input exponentials, std::size_t classes, std::size_t samples,
                      std::int64_t* out) {
    check_alike("multinomial", weights.dtype, exponentials.dtype, weights.count,
                exponentials.count);
    check(samples <= classes, "multinomial: cannot draw ", samples, " samples without replacement "
          "from ", classes, " classes");
    if (weights.count == 0 || samples == 0) return;
    dispatch_floating("multinomial", weights.dtype, [&]<class T>() {
        using A = Accumulated<T>;
        const auto values = typed<T>(weights);
        const auto rivals = typed<T>(exponentials);
        std::vector<A> ratios(classes);
        for (std::size_t first = 0; first < values.size(); first += classes, out += samples) {
            for (std::size_t i = 0; i < classes; ++i) {
                const A ratio = convert<A>(values[first + i]) / convert<A>(rivals[first + i]);
                ratios[i] = convert<A>(convert<T>(ratio));
            }
            largest_indices<A>(ratios, {out, samples});
        }
    });
}

}  // namespace rushlight::sampling
