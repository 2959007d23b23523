// Orthogonal polynomials of degree n at x, by their recurrences (DLMF 18.9) and, for Chebyshev's
// of high degree inside (-1, 1), by their cosines (DLMF 18.5.1 to 18.5.4).
#include <cmath>
#include <cstdint>

#include "bind/casters.h"
#include "kernels/special.h"
#include "runtime/parallel.h"

namespace rushlight {

namespace {

// p(n) from p(0) = 1, p(1) and p(k + 1) = next(k, p(k), p(k - 1)); 0 below degree 0.
template <class Next>
double recur(double degree, double first, Next&& next) {
    if (std::isnan(degree)) return degree;
    const auto n = std::int64_t(degree);
    if (n < 0) return 0;
    if (n == 0) return 1;
    double before = 1, here = first;
    for (std::int64_t k = 1; k < n && !std::isnan(here); ++k) {
        const double after = next(double(k), here, before);
        before = here;
        here = after;
        if ((k & 0xfffff) == 0) pass_or_stop();
    }
    return here;
}

bool even(double n) { return std::int64_t(n) % 2 == 0; }

// Degrees from which the trigonometric form is both faster and more accurate.
bool high(double x, double n) { return n > 8 && std::abs(x) < 1; }

double chebyshev(double x, double n, double first) {
    return recur(n, first, [x](double, double p, double q) { return 2 * x * p - q; });
}

double chebyshev_t(double x, double n) {
    if (std::abs(x) == 1 && n >= 0) return x > 0 || even(n) ? 1 : -1;
    if (high(x, n)) return std::cos(std::trunc(n) * std::acos(x));
    return chebyshev(x, n, x);
}
double chebyshev_u(double x, double n) {
    const double m = std::trunc(n) + 1;
    if (std::abs(x) == 1 && n >= 0) return x > 0 || even(n) ? m : -m;
    if (high(x, n)) return std::sin(m * std::acos(x)) / std::sin(std::acos(x));
    return chebyshev(x, n, 2 * x);
}
double chebyshev_v(double x, double n) {
    const double m = std::trunc(n) + 0.5;
    if (std::abs(x) == 1 && n >= 0) return x > 0 ? 1 : even(n) ? 2 * m : -2 * m;
    if (high(x, n)) return std::cos(m * std::acos(x)) / std::cos(std::acos(x) / 2);
    return chebyshev(x, n, 2 * x - 1);
}
double chebyshev_w(double x, double n) {
    const double m = std::trunc(n) + 0.5;
    if (std::abs(x) == 1 && n >= 0) return x > 0 ? 2 * m : even(n) ? 1 : -1;
    if (high(x, n)) return std::sin(m * std::acos(x)) / std::sin(std::acos(x) / 2);
    return chebyshev(x, n, 2 * x + 1);
}

double shifted_chebyshev_t(double x, double n) { return chebyshev_t(2 * x - 1, n); }
double shifted_chebyshev_u(double x, double n) { return chebyshev_u(2 * x - 1, n); }
double shifted_chebyshev_v(double x, double n) { return chebyshev_v(2 * x - 1, n); }
double shifted_chebyshev_w(double x, double n) { return chebyshev_w(2 * x - 1, n); }

double hermite_h(double x, double n) {
    return recur(n, 2 * x, [x](double k, double p, double q) { return 2 * (x * p - k * q); });
}
double hermite_he(double x, double n) {
    return recur(n, x, [x](double k, double p, double q) { return x * p - k * q; });
}
double laguerre_l(double x, double n) {
    return recur(n, 1 - x, [x](double k, double p, double q) {
        return ((2 * k + 1 - x) * p - k * q) / (k + 1);
    });
}
double legendre_p(double x, double n) {
    if (std::abs(x) == 1 && n >= 0) return x > 0 || even(n) ? 1 : -1;
    return recur(n, x, [x](double k, double p, double q) {
        return ((2 * k + 1) * x * p - k * q) / (k + 1);
    });
}

}  // namespace

void bind_polynomials(nanobind::module_& m) {
    using namespace nanobind::literals;
    const std::pair<const char*, double (*)(double, double)> all[] = {
        {"chebyshev_polynomial_t", &chebyshev_t},
        {"chebyshev_polynomial_u", &chebyshev_u},
        {"chebyshev_polynomial_v", &chebyshev_v},
        {"chebyshev_polynomial_w", &chebyshev_w},
        {"shifted_chebyshev_polynomial_t", &shifted_chebyshev_t},
        {"shifted_chebyshev_polynomial_u", &shifted_chebyshev_u},
        {"shifted_chebyshev_polynomial_v", &shifted_chebyshev_v},
        {"shifted_chebyshev_polynomial_w", &shifted_chebyshev_w},
        {"hermite_polynomial_h", &hermite_h},
        {"hermite_polynomial_he", &hermite_he},
        {"laguerre_polynomial_l", &laguerre_l},
        {"legendre_polynomial_p", &legendre_p}};
    for (auto [name, f] : all)
        m.def(name, [f](const Operand& x, const Operand& n) { return map_double(f, x, n); },
              "input"_a, "n"_a);
}

}  // namespace rushlight
