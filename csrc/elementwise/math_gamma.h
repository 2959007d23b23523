// The family of the gamma function: lgamma, digamma, polygamma, Hurwitz's zeta and the incomplete
// gamma functions. In double whatever the type, and but for lgamma of floats element by element.
#pragma once

#include <cmath>
#include <cstdint>

#include "elementwise/math_basic.h"

namespace rushlight::math {
namespace {

// lgamma_r: the plain lgamma writes a global variable, which threads would race for.
inline double lgamma(double x) {
    int sign = 0;
    return ::lgamma_r(x, &sign);
}
// Without a branch: reflection below 1/2, eight steps of the recurrence below 8 and the asymptotic
// series (DLMF 5.5.3, 5.5.1, 5.11.1) in double, which keeps a float's digits at the zeros too.
inline float lgamma(float value) {
    const double x = value;
    const bool reflect = x < 0.5;
    const double y = reflect ? 1 - x : x;
    const bool small = y < 8;
    const double product =
        y * (y + 1) * (y + 2) * (y + 3) * ((y + 4) * (y + 5) * (y + 6) * (y + 7));
    const double z = small ? y + 8 : y;
    const double w = 1 / (z * z);
    const double series = polynomial(w, 1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188,
                                     -691.0 / 360360, 1.0 / 156) / z;
    constexpr double kHalfLog2Pi = 0.91893853320467274178;
    const double large = (z - 0.5) * log(z) - z + kHalfLog2Pi + series;
    // |sin(pi x)| by the distance to the nearest integer.
    const double turn = kPi<double> * abs(x - round(x)), square = turn * turn;
    const double sine = turn * polynomial(square, 1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040,
                                          1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800.0,
                                          -1.0 / 1307674368000.0, 1.0 / 355687428096000.0,
                                          -1.0 / 121645100408832000.0);
    const double steps = small ? product : 1.0;
    const double logarithm = log(reflect ? kPi<double> * steps / sine : steps);
    const double result = reflect ? logarithm - large : large - logarithm;
    return static_cast<float>(abs(x) == kInfinity<double> ? kInfinity<double> : result);
}

// Reflection below 0, recurrence up to 10, then the asymptotic series (DLMF 5.5.4, 5.5.2, 5.11.2).
inline double digamma(double x) {
    if (x == 0) return copysign(kInfinity<double>, -x);
    double result = 0;
    if (x < 0) {
        if (x == __builtin_floor(x)) return kNan<double>;
        // The remainder keeps the argument of tan small and exact.
        result = -kPi<double> / ::tan(kPi<double> * (x - __builtin_rint(x)));
        x = 1 - x;
    }
    while (x < 10) {
        result -= 1 / x;
        x += 1;
    }
    if (x == kInfinity<double>) return x;
    const double w = 1 / (x * x);
    const double series = w * polynomial(w, 1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132,
                                         -691.0 / 32760, 1.0 / 12);
    return result + (::log(x) - 0.5 / x - series);
}
inline float digamma(float x) { return static_cast<float>(digamma(static_cast<double>(x))); }

// Hurwitz's zeta, the sum of (q + k)^-x over k >= 0, by Euler and Maclaurin (DLMF 25.11.5).
inline double zeta(double x, double q) {
    if (x == 1) return kInfinity<double>;
    if (!(x > 1) || q != q) return kNan<double>;
    if (q <= 0) {
        if (q == __builtin_floor(q)) return kInfinity<double>;
        if (x != __builtin_floor(x)) return kNan<double>;
    }
    if (q == kInfinity<double>) return 0;
    double sum = 0;
    do {
        const double term = ::pow(q, -x);
        sum += term;
        q += 1;
        if (!(__builtin_fabs(term) > 1e-17 * __builtin_fabs(sum)) && q > 1) return sum;
    } while (q < 12 + x);  // the expansion is in powers of x / (2 pi q)
    const double power = ::pow(q, -x);
    sum += q * power / (x - 1) + 0.5 * power;
    // B_2j / (2j)!
    constexpr double kBernoulli[] = {1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600,
                                     1.0 / 47900160, -691.0 / 1307674368000.0,
                                     1.0 / 74724249600.0, -3617.0 / 10670622842880000.0,
                                     43867.0 / 5109094217170944000.0};
    double factor = x * power / q;
    double rising = x;
    for (const double coefficient : kBernoulli) {
        const double term = coefficient * factor;
        sum += term;
        if (__builtin_fabs(term) < 1e-17 * __builtin_fabs(sum)) break;
        factor *= (rising + 1) * (rising + 2) / (q * q);
        rising += 2;
    }
    return sum;
}
inline float zeta(float x, float q) {
    return static_cast<float>(zeta(static_cast<double>(x), static_cast<double>(q)));
}

// The order-th derivative of digamma: (-1)^(n+1) n! zeta(n + 1, x).
inline double polygamma(std::int64_t order, double x) {
    if (order == 0) return digamma(x);
    const double n = static_cast<double>(order);
    const double sign = (order & 1) != 0 ? 1 : -1;
    return sign * ::tgamma(n + 1) * zeta(n + 1, x);
}
inline float polygamma(std::int64_t order, float x) {
    return static_cast<float>(polygamma(order, static_cast<double>(x)));
}
template <class T>
inline T trigamma(T x) {
    return polygamma(1, x);
}

// x / a - 1 - log(x / a), accurate near x = a.
inline double excess_over_log(double x, double a) {
    const double u = (x - a) / a;
    if (__builtin_fabs(u) > 0.5) return u - ::log(x / a);
    // log(1 + u) = 2 atanh(s), and u - 2 s = u s
    const double s = u / (2 + u);
    const double z = s * s;
    double sum = 0;
    double power = s * z;
    for (int k = 3; __builtin_fabs(power) > 1e-18 * __builtin_fabs(u * s); k += 2) {
        sum += power / k;
        power *= z;
    }
    return u * s - 2 * sum;
}

// log Gamma(1 + a) / a for a in [0, 1/2]; minimax.
inline double log_gamma_1p_over(double a) {
    return polynomial(a, -0.5772156649015329, 0.8224670334241018, -0.4006856343840068,
                      0.27058080824155756, -0.20738554411783067, 0.16955702416327248,
                      -0.1440476866469957, 0.12548754236121817, -0.11117509989092972,
                      0.09925653429031532, -0.08761518127776735, 0.07336354108931128,
                      -0.05419742669828508, 0.031761634349420746, -0.012619958289854669,
                      0.00247538248161576);
}

// x^a e^-x / Gamma(a + 1), the density of Poisson: Loader, "Fast and accurate computation of
// binomial probabilities" (2000), which avoids the cancellation between its factors for large a.
inline double poisson_density(double a, double x) {
    if (a < 10) {
        if (x < 700) return ::pow(x, a) * ::exp(-x) / ::tgamma(a + 1);
        return ::exp(a * ::log(x) - x - ::log(::tgamma(a + 1)));
    }
    const double w = 1 / (a * a);
    const double stirling = polynomial(w, 1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680,
                                       1.0 / 1188, -691.0 / 360360, 1.0 / 156) / a;
    const double exponent = a * excess_over_log(x, a) + stirling;
    return ::exp(-exponent) / __builtin_sqrt(2 * kPi<double> * a);
}

// The lower function by its power series (DLMF 8.11.4), for x <= a or so.
inline double igamma_series(double a, double x) {
    double sum = 1;
    double term = 1;
    for (double n = a + 1; term > 1e-17 * sum; n += 1) {
        term *= x / n;
        sum += term;
    }
    return sum * poisson_density(a, x);
}

// The upper function by its continued fraction (DLMF 8.9.2, evaluated by Lentz), for x > a.
inline double igammac_fraction(double a, double x) {
    const double density = poisson_density(a, x);
    if (density == 0) return 0;
    double b = x + 1 - a;
    double c = 1e300;
    double d = 1 / b;
    double fraction = d;
    for (double n = 1;; n += 1) {
        const double numerator = n * (a - n);
        b += 2;
        d = 1 / (numerator * d + b);
        c = b + numerator / c;
        const double factor = c * d;
        fraction *= factor;
        if (!(__builtin_fabs(factor - 1) > 3e-16)) break;
    }
    return fraction * a * density;
}

// The upper function for small a and x, where it is close to neither 0 nor 1 - series:
// 1 - x^a / Gamma(1 + a) (1 + a sum of (-x)^n / ((a + n) n!)), the first difference by expm1.
inline double igammac_small(double a, double x) {
    double sum = 0;
    double power = 1;
    for (double n = 1; n < 60; n += 1) {
        power *= -x / n;
        const double term = power / (a + n);
        sum += term;
        if (__builtin_fabs(term) < 1e-17 * __builtin_fabs(sum)) break;
    }
    const double exponent = a * (::log(x) - log_gamma_1p_over(a));
    return -::expm1(exponent) - ::exp(exponent) * a * sum;
}

// Both for very large a: Temme's uniform expansion (DLMF 8.12.3), two terms of which are enough
// there. `side` is 1 for the upper function and -1 for the lower one.
inline double igamma_uniform(double a, double x, double side) {
    const double u = (x - a) / a;
    const double half_square = excess_over_log(x, a);
    const double eta = copysign(__builtin_sqrt(2 * half_square), u);
    const double first = __builtin_fabs(eta) > 1e-2
                             ? 1 / u - 1 / eta
                             : polynomial(eta, -1.0 / 3, 1.0 / 12, -2.0 / 135, 1.0 / 864);
    const double density = ::exp(-a * half_square) / __builtin_sqrt(2 * kPi<double> * a);
    return 0.5 * ::erfc(side * eta * __builtin_sqrt(0.5 * a)) +
           side * density * (first - 1.0 / (540 * a));
}

// Regularised incomplete gamma functions: igamma is the lower one, igammac = 1 - igamma.
inline double igammac(double a, double x);

inline double igamma(double a, double x) {
    constexpr double infinity = kInfinity<double>;
    if (!(a >= 0 && x >= 0) || (a == 0 && x == 0) || (a == infinity && x == infinity))
        return kNan<double>;
    if (a == 0 || x == infinity) return 1;
    if (x == 0 || a == infinity) return 0;
    if (a > 1e8) return igamma_uniform(a, x, -1);
    return x > 1 && x > a ? 1 - igammac(a, x) : igamma_series(a, x);
}

inline double igammac(double a, double x) {
    constexpr double infinity = kInfinity<double>;
    if (!(a >= 0 && x >= 0) || (a == 0 && x == 0) || (a == infinity && x == infinity))
        return kNan<double>;
    if (a == 0 || x == infinity) return 0;
    if (x == 0 || a == infinity) return 1;
    if (a > 1e8) return igamma_uniform(a, x, 1);
    if (a < 0.5 && x <= 1.1) return igammac_small(a, x);
    return x > 1.1 && x > a ? igammac_fraction(a, x) : 1 - igamma_series(a, x);
}
inline float igamma(float a, float x) {
    return static_cast<float>(igamma(static_cast<double>(a), static_cast<double>(x)));
}
inline float igammac(float a, float x) {
    return static_cast<float>(igammac(static_cast<double>(a), static_cast<double>(x)));
}

}  // namespace
}  // namespace rushlight::math
