// Rare special functions, one element at a time in double whatever the dtype: incomplete gamma,
// Hurwitz' zeta, Bessel and Airy functions, scaled error function. Numbers such as DLMF 5.9.1 are
// formulas of the NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov.
#include <cmath>
#include <limits>
#include <numbers>

#include "bind/casters.h"
#include "elementwise/pending.h"
#include "kernels/special.h"
#include "runtime/parallel.h"

namespace rushlight {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kPi = std::numbers::pi;

// ---- error function

// exp(x^2) with the rounding error of x^2 put back.
double exp_square(double x) {
    const double high = double(float(x));
    return std::exp(high * high) * std::exp((x - high) * (x + high));
}

double erfcx(double x) {
    if (x < 0) return x < -26.7 ? kInf : 2 * exp_square(x) - erfcx(-x);
    if (x < 25) return exp_square(x) * std::erfc(x);
    const double s = 1 / (2 * x * x);  // DLMF 7.12.1
    return (1 - s * (1 - 3 * s * (1 - 5 * s * (1 - 7 * s)))) / (x * std::sqrt(kPi));
}

// ---- gamma

// log(gamma(a)) without its leading terms (a - 1/2) log(a) - a + log(2 pi) / 2, for a >= 10: DLMF
// 5.11.1.
double stirling_rest(double a) {
    const double s = 1 / (a * a);
    return (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680 - s / 1188)))) / a;
}

// x^a exp(-x) / gamma(a + 1)
double gamma_density(double a, double x) {
    if (a < 10) return std::exp(a * std::log(x) - x - std::lgamma(a + 1));
    const double d = (x - a) / a;
    const double power = std::abs(d) < 0.5 ? std::log1p(d) - d : std::log(x / a) - d;
    return std::exp(a * power - stirling_rest(a)) / std::sqrt(2 * kPi * a);
}

// The lower incomplete gamma function by its power series (DLMF 8.7.1), best for x < a + 1.
double lower_series(double a, double x) {
    double term = 1, sum = 1;
    for (int n = 1; n < 100000 && term > sum * 1e-17; ++n) sum += term *= x / (a + n);
    return sum * gamma_density(a, x);
}

// The upper one by its continued fraction (DLMF 8.9.2), best for x > a + 1; Lentz' evaluation.
double upper_fraction(double a, double x) {
    constexpr double kTiny = 1e-300;
    double b = x + 1 - a, c = 1 / kTiny, d = 1 / (std::abs(b) < kTiny ? kTiny : b), value = d;
    for (int n = 1; n < 100000; ++n) {
        const double factor = n * (a - n);
        b += 2;
        d = factor * d + b;
        c = b + factor / c;
        d = 1 / (std::abs(d) < kTiny ? kTiny : d);
        c = std::abs(c) < kTiny ? kTiny : c;
        value *= c * d;
        if (std::abs(c * d - 1) < 1e-16) break;
    }
    return value * gamma_density(a, x) * a;
}

double incomplete_gamma(double a, double x, bool upper) {
    if (!(a >= 0 && x >= 0)) return kNan;
    if (a == 0) return x > 0 ? (upper ? 0 : 1) : kNan;
    if (x == 0) return upper ? 1 : 0;
    if (std::isinf(a)) return std::isinf(x) ? kNan : (upper ? 1 : 0);
    if (std::isinf(x)) return upper ? 0 : 1;
    const bool series = x < a + 1;
    const double value = series ? lower_series(a, x) : upper_fraction(a, x);
    return series == upper ? 1 - value : value;
}

double igamma(double a, double x) { return incomplete_gamma(a, x, false); }
double igammac(double a, double x) { return incomplete_gamma(a, x, true); }

// ---- zeta

// The sum of (q + k)^-s, by Euler and Maclaurin: DLMF 25.11.5. q > 0.
double zeta_positive(double s, double q) {
    // Bernoulli numbers B(2j) over (2j)!
    constexpr double kCoefficients[] = {
        1.0 / 12,           -1.0 / 720,           1.0 / 30240,           -1.0 / 1209600,
        1.0 / 47900160,     -691.0 / 1307674368000, 1.0 / 74724249600,  -3617.0 / 10670622842880000};
    double sum = 0;
    for (int k = 0; k < 10; ++k, q += 1) {
        const double term = std::pow(q, -s);
        sum += term;
        if (term < sum * 1e-18) return sum;
    }
    const double power = std::pow(q, -s);
    sum += power * (q / (s - 1) + 0.5);
    double factor = s, scale = power / q;
    for (int j = 0; j < 8; ++j) {
        const double term = kCoefficients[j] * factor * scale;
        sum += term;
        if (std::abs(term) < std::abs(sum) * 1e-18) break;
        factor *= (s + 2 * j + 1) * (s + 2 * j + 2);
        scale /= q * q;
    }
    return sum;
}

double zeta(double s, double q) {
    if (s == 1) return kInf;
    if (!(s > 1)) return kNan;
    if (q > 0) return zeta_positive(s, q);
    if (q == std::floor(q)) return kInf;
    if (s != std::floor(s) || std::isnan(q)) return kNan;
    // The sum over all integers has period 1 in q; what lies to the left is taken off.
    const double sign = std::fmod(s, 2) == 0 ? 1 : -1, part = q - std::floor(q);
    return zeta_positive(s, part) +
           sign * (zeta_positive(s, 1 - part) - zeta_positive(s, 1 - q));
}

// ---- Bessel and Airy functions

// exp(x) K(order, x) as the integral of exp(-x (cosh t - 1)) cosh(order t): DLMF 10.32.9. The
// trapezoidal rule converges exponentially on it.
double scaled_bessel_k(double order, double x) {
    if (!(x > 0)) return x == 0 ? kInf : kNan;
    if (std::isinf(x)) return 0;
    // With x above 1 the integrand is a bell of width 1 / sqrt(x).
    const double end = std::acosh(1 + 746 / x), step = std::min(0.1, 0.35 / std::sqrt(x));
    double sum = 0.5;
    for (int n = 1; n * step < end; ++n) {
        const double half = std::sinh(n * step / 2);  // cosh(t) - 1 without cancellation
        sum += std::exp(-2 * x * half * half) * std::cosh(order * n * step);
    }
    return sum * step;
}

double bessel_k0e(double x) { return scaled_bessel_k(0, x); }
double bessel_k1e(double x) { return scaled_bessel_k(1, x); }
double bessel_k0(double x) { return scaled_bessel_k(0, x) * (x > 0 ? std::exp(-x) : 1); }
double bessel_k1(double x) { return scaled_bessel_k(1, x) * (x > 0 ? std::exp(-x) : 1); }

double bessel_j0(double x) { return ::j0(x); }
double bessel_j1(double x) { return ::j1(x); }
double bessel_y0(double x) { return x == 0 ? -kInf : x < 0 ? kNan : ::y0(x); }
double bessel_y1(double x) { return x == 0 ? -kInf : x < 0 ? kNan : ::y1(x); }

double spherical_bessel_j0(double x) {
    if (std::isinf(x)) return 0;
    const double square = x * x;
    if (square < 0.01) return 1 - square / 6 * (1 - square / 20 * (1 - square / 42));
    return std::sin(x) / x;
}

double airy_ai(double x) {
    if (std::isnan(x)) return x;
    if (std::isinf(x)) return x > 0 ? 0 : kNan;
    const double size = std::abs(x), xi = 2.0 / 3 * size * std::sqrt(size);
    if (x > 1)  // DLMF 9.6.2
        return std::sqrt(x / 3) / kPi * scaled_bessel_k(1.0 / 3, xi) * std::exp(-xi);
    if (x > -9) {  // the Maclaurin series, DLMF 9.4.1, in long double because its terms cancel
        const long double cube = static_cast<long double>(x) * x * x;
        long double f = 1, g = x, sum_f = f, sum_g = g;
        for (int k = 1; k < 200; ++k) {
            sum_f += f *= cube / ((3 * k - 1) * (3 * k));
            sum_g += g *= cube / ((3 * k) * (3 * k + 1));
            if (std::abs(f) < 1e-22L * std::abs(sum_f) && std::abs(g) < 1e-22L * std::abs(sum_g))
                break;
        }
        return double(0.355028053887817239260063186004183177L * sum_f -
                      0.258819403792806798405183560189203963L * sum_g);
    }
    // DLMF 9.7.9: sums of u(k) / xi^k with u(k) from 9.7.2, until its terms grow
    double u = 1, even = 1, odd = 0, last = kInf;
    for (int k = 1; k < 60; ++k) {
        u *= (6.0 * k - 5) * (6.0 * k - 3) * (6.0 * k - 1) / (216.0 * k * (2 * k - 1) * xi);
        if (u > last || u < 1e-18) break;
        last = u;
        const double signed_term = (k / 2) % 2 ? -u : u;
        (k % 2 ? odd : even) += signed_term;
    }
    const double angle = xi - kPi / 4;
    return (std::cos(angle) * even + std::sin(angle) * odd) /
           (std::sqrt(kPi) * std::sqrt(std::sqrt(size)));
}

// ---- applying them

constexpr Index kBlock = 1024;

DType float_result(std::span<const Operand> operands) {
    const DType dtype = result_type(operands);
    check(!is_complex(dtype), "special functions are real: not implemented for ", name_of(dtype));
    return is_floating(dtype) ? dtype : default_dtype();
}

Array operand_values(const Operand& operand, const Dims& shape) {
    if (!operand.array) return Array::full(shape, DType::F64, operand.scalar);
    return contiguous(cast(operand.array, DType::F64).expand(shape));
}

}  // namespace

Array map_double(double (*f)(double), const Array& x) {
    const Operand operands[1] = {{x, Scalar()}};
    const DType dtype = float_result(operands);
    const Array values = contiguous(cast(x, DType::F64));
    const Array result = Array::empty(x.shape(), DType::F64);
    if (result.is_meta()) return cast(result, dtype);
    const double* from = values.data<double>();
    double* to = result.data<double>();
    const Index n = values.numel();
    parallel_for((n + kBlock - 1) / kBlock, kBlock * 1e-7, [&](Index block) {
        const Index end = std::min(n, (block + 1) * kBlock);
        for (Index i = block * kBlock; i < end; ++i) to[i] = f(from[i]);
    });
    return cast(result, dtype);
}

Array map_double(double (*f)(double, double), const Operand& a, const Operand& b) {
    const Operand operands[2] = {a, b};
    const DType dtype = float_result(operands);
    Dims shape = a.array ? a.array.shape() : Dims();
    if (b.array) shape = broadcast_shapes("special function", shape, b.array.shape());
    const Array first = operand_values(a, shape), second = operand_values(b, shape);
    const Array result = Array::empty(shape, DType::F64);
    if (result.is_meta()) return cast(result, dtype);
    const double *x = first.data<double>(), *y = second.data<double>();
    double* to = result.data<double>();
    const Index n = result.numel();
    parallel_for((n + kBlock - 1) / kBlock, kBlock * 1e-7, [&](Index block) {
        const Index end = std::min(n, (block + 1) * kBlock);
        for (Index i = block * kBlock; i < end; ++i) to[i] = f(x[i], y[i]);
    });
    return cast(result, dtype);
}

namespace {

// The mantissa in [0.5, 1) and the exponent of each number.
std::pair<Array, Array> frexp(const Array& x) {
    check(is_floating(x.dtype()), "torch.frexp() only supports floating-point dtypes, got ",
          name_of(x.dtype()));
    const Array values = contiguous(x);
    const Array mantissa = Array::empty(x.shape(), x.dtype());
    const Array exponent = Array::empty(x.shape(), DType::I32);
    if (exponent.is_meta()) return {mantissa, exponent};
    dispatch(x.dtype(), [&]<class T>() {
        if constexpr (dtype_of<T> >= DType::F16 && dtype_of<T> <= DType::F64) {
            for (Index i = 0; i < values.numel(); ++i) {
                int power = 0;
                const double part = std::frexp(convert<double>(values.data<T>()[i]), &power);
                mantissa.data<T>()[i] = convert<T>(part);
                exponent.data<std::int32_t>()[i] = power;
            }
        }
    });
    return {mantissa, exponent};
}

}  // namespace

void bind_special(nanobind::module_& m) {
    using namespace nanobind::literals;
    const std::pair<const char*, double (*)(double)> one[] = {
        {"erfcx", &erfcx},         {"bessel_j0", &bessel_j0},   {"bessel_j1", &bessel_j1},
        {"bessel_y0", &bessel_y0}, {"bessel_y1", &bessel_y1},   {"bessel_k0", &bessel_k0},
        {"bessel_k1", &bessel_k1}, {"bessel_k0e", &bessel_k0e}, {"bessel_k1e", &bessel_k1e},
        {"airy_ai", &airy_ai},     {"spherical_bessel_j0", &spherical_bessel_j0}};
    for (auto [name, f] : one)
        m.def(name, [f](const Array& x) { return map_double(f, x); }, "input"_a);
    const std::pair<const char*, double (*)(double, double)> two[] = {
        {"igamma", &igamma}, {"igammac", &igammac}, {"zeta", &zeta}};
    for (auto [name, f] : two)
        m.def(name, [f](const Operand& a, const Operand& b) { return map_double(f, a, b); },
              "input"_a, "other"_a);
    bind_polynomials(m);
    m.def("frexp", &frexp, "input"_a);
}

}  // namespace rushlight
