// How draws from gamma and beta distributions depend on their parameters, by implicit
// reparametrization (Figurnov, Mohamed and Mnih 2018): dx/da = -(dF(x; a)/da) / p(x; a). The
// distribution functions are a series and continued fractions (Press et al., Numerical Recipes,
// 6.2 and 6.4), differentiated term by term with dual numbers. What F and p share cancels, so no
// power or factorial is ever computed.
#include <cmath>

#include "bind/casters.h"
#include "elementwise/math.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr double kTiny = 1e-300;
constexpr double kPrecision = 1e-15;
constexpr int kMostTerms = 1000000;

// A value and its derivative with respect to one parameter.
struct Dual {
    double value, slope = 0;

    friend Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
    friend Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.slope - b.slope}; }
    friend Dual operator*(Dual a, Dual b) {
        return {a.value * b.value, a.slope * b.value + a.value * b.slope};
    }
    friend Dual operator/(Dual a, Dual b) {
        const double ratio = a.value / b.value;
        return {ratio, (a.slope - ratio * b.slope) / b.value};
    }
};

Dual away_from_zero(Dual x) { return std::abs(x.value) < kTiny ? Dual{kTiny} : x; }

// A continued fraction by the modified method of Lentz. step(i) gives the i-th numerator and
// denominator.
template <class Step>
Dual continued_fraction(Dual first, Step&& step) {
    Dual f = away_from_zero(first), c = f, d{0};
    for (int i = 1; i < kMostTerms; ++i) {
        const auto [numerator, denominator] = step(i);
        d = Dual{1} / away_from_zero(denominator + numerator * d);
        c = away_from_zero(denominator + numerator / c);
        const Dual change = c * d;
        f = f * change;
        if (std::abs(change.value - 1) < kPrecision && std::abs(change.slope) < kPrecision) break;
    }
    return f;
}

// d x / d alpha of a draw x from the gamma distribution with shape alpha and scale 1.
double gamma_slope(double alpha, double x) {
    if (!(alpha > 0) || !(x >= 0)) return std::nan("");
    if (x == 0) return 0;
    if (x < alpha + 1) {
        // P = x^a e^-x / Gamma(a + 1) * (1 + x / (a + 1) + x^2 / ((a + 1) (a + 2)) + ...)
        const Dual a{alpha, 1};
        Dual term{1}, sum{1};
        for (int n = 1; n < kMostTerms; ++n) {
            term = term * (Dual{x} / (a + Dual{double(n)}));
            sum = sum + term;
            if (term.value < kPrecision * sum.value &&
                std::abs(term.slope) < kPrecision * (std::abs(sum.slope) + sum.value)) {
                break;
            }
        }
        const double log_slope = std::log(x) - math::digamma(alpha + 1);
        return -(x / alpha) * (log_slope * sum.value + sum.slope);
    }
    // Q = x^a e^-x / Gamma(a) / (x + 1 - a - 1 (1 - a) / (x + 3 - a - 2 (2 - a) / ...))
    const Dual a{alpha, 1};
    const Dual below = continued_fraction(Dual{x + 1} - a, [&](int i) {
        const Dual n{double(i)};
        return std::pair{n * (a - n), Dual{x + 2 * i + 1} - a};
    });
    const Dual fraction = Dual{1} / below;
    const double log_slope = std::log(x) - math::digamma(alpha);
    return x * (log_slope * fraction.value + fraction.slope);
}

// The continued fraction of the incomplete beta function.
Dual beta_fraction(Dual a, Dual b, double x) {
    const Dual whole = continued_fraction(Dual{1}, [&](int i) {
        const Dual m{double(i / 2)}, n{double(i)};
        const Dual numerator =
            i % 2 ? Dual{-x} * (a + m) * (a + b + m) / ((a + n) * (a + n - Dual{1}))
                  : Dual{x} * m * (b - m) / ((a + n - Dual{1}) * (a + n));
        return std::pair{numerator, Dual{1}};
    });
    return Dual{1} / whole;
}

// d x / d alpha of a draw from the beta distribution (alpha, beta), over 1 - x.
double dirichlet_slope(double x, double alpha, double total) {
    const double beta = total - alpha;
    if (!(alpha > 0) || !(beta > 0) || !(x >= 0) || !(x <= 1)) return std::nan("");
    if (x == 0) return 0;
    const double log_slope = std::log(x) - math::digamma(alpha) + math::digamma(total);
    if (x <= (alpha + 1) / (total + 2)) {
        const Dual fraction = beta_fraction({alpha, 1}, {beta}, x);
        return -(x / alpha) * ((log_slope - 1 / alpha) * fraction.value + fraction.slope);
    }
    const Dual fraction = beta_fraction({beta}, {alpha, 1}, 1 - x);
    return x / beta * (log_slope * fraction.value + fraction.slope);
}

// f(double, ...) on every element of arrays that broadcast.
template <class F, class... Arrays>
Array elementwise(const char* name, F&& f, const Array& first, const Arrays&... rest) {
    Dims shape = first.shape();
    ((shape = broadcast_shapes(name, shape, rest.shape())), ...);
    const auto wide = [&](const Array& x) {
        check(x.dtype() == first.dtype(), name, ": expected one dtype, got ",
              name_of(first.dtype()), " and ", name_of(x.dtype()));
        return contiguous(cast(x, DType::F64).expand(shape));
    };
    const std::array<Array, 1 + sizeof...(rest)> inputs{wide(first), wide(rest)...};
    Array result = Array::empty(shape, DType::F64);
    std::array<const double*, inputs.size()> from;
    for (std::size_t i = 0; i < inputs.size(); ++i) from[i] = inputs[i].template data<double>();
    double* to = result.data<double>();
    constexpr Index kChunk = 256;
    const Index numel = result.numel();
    parallel_for((numel + kChunk - 1) / kChunk, 1e-6 * double(kChunk), [&](Index task) {
        const Index stop = std::min(numel, (task + 1) * kChunk);
        for (Index i = task * kChunk; i < stop; ++i) {
            to[i] = std::apply([&](const auto*... x) { return f(x[i]...); }, from);
        }
    });
    return cast(result, first.dtype());
}

}  // namespace

Array standard_gamma_grad(const Array& alpha, const Array& sample) {
    return elementwise("standard_gamma_grad", gamma_slope, alpha, sample);
}

Array dirichlet_grad(const Array& sample, const Array& alpha, const Array& total) {
    return elementwise("dirichlet_grad", dirichlet_slope, sample, alpha, total);
}

void bind_implicit_gradient(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("standard_gamma_grad", &standard_gamma_grad, "alpha"_a, "sample"_a);
    m.def("dirichlet_grad", &dirichlet_grad, "sample"_a, "alpha"_a, "total"_a);
}

}  // namespace rushlight
