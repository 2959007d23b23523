// What is built from the elementary functions (logaddexp, gelu, ...), vectorised like them; and the
// rarer special functions (inverse error functions, Bessel), computed one by one in double whatever
// the type.
#pragma once

#include <cstddef>
#include <cstdint>

#include "elementwise/math_basic.h"
#include "elementwise/math_double.h"
#include "elementwise/math_float.h"

namespace rushlight::math {
namespace {

// Inverse hyperbolic functions, within 3 ulp, through log1p; where squares would overflow or no
// longer count, asinh(x) = acosh(x) = log(2 x).
template <class T>
constexpr T kSquareLimit = sizeof(T) == sizeof(float) ? T(0x1p30) : T(0x1p60);

template <class T>
[[gnu::always_inline]] inline T asinh(T x) {
    const T a = abs(x);
    const T square = a * a;
    const T moderate = a + square / (T(1) + sqrt(square + T(1)));
    const T logarithm = log1p(a > kSquareLimit<T> ? a : moderate);
    return copysign(logarithm + (above_positive(a, kSquareLimit<T>) ? kLn2<T> : T(0)), x);
}
template <class T>
[[gnu::always_inline]] inline T acosh(T x) {
    const T t = x - T(1);
    const T moderate = t + sqrt(mad(t, t, t + t));
    const T logarithm = log1p(x > kSquareLimit<T> ? t : moderate);
    const T result = logarithm + (above_positive(x, kSquareLimit<T>) ? kLn2<T> : T(0));
    return x < 1 ? kNan<T> : result;
}
template <class T>
[[gnu::always_inline]] inline T atanh(T x) {
    const T a = abs(x);
    return copysign(T(0.5) * log1p((a + a) / (T(1) - a)), x);
}

template <class T>
[[gnu::always_inline]] inline T log_sigmoid(T x) {
    return (x < 0 ? x : T(0)) - log1p_exp_neg_abs(x);
}

template <class T>
[[gnu::always_inline]] inline T logaddexp(T a, T b) {
    const T larger = a < b ? b : a;
    const T result = larger + log1p_exp_neg_abs(a - b);
    return a == b ? a + kLn2<T> : result;  // also where the difference of two infinities is NaN
}

template <class T>
[[gnu::always_inline]] inline T logaddexp2(T a, T b) {
    const T larger = a < b ? b : a;
    const T result = larger + log1p(exp2(-abs(a - b))) * T(1.44269504088896340736);
    return a == b ? a + 1 : result;
}

// x log(y), and 0 where x is 0 and y is a number.
template <class T>
[[gnu::always_inline]] inline T xlogy(T x, T y) {
    const T result = x * log(y);
    return (x == 0) & (y == y) ? T(0) : result;
}
template <class T>
[[gnu::always_inline]] inline T xlog1py(T x, T y) {
    const T result = x * log1p(y);
    return (x == 0) & (y == y) ? T(0) : result;
}

// sin(pi x) / (pi x)
template <class T>
[[gnu::always_inline]] inline T sinc(T x) {
    const T angle = kPi<T> * x;
    const T result = sin(angle) / angle;
    return x == 0 ? T(1) : result;
}

// The density and the distribution of the standard normal, and gelu(x) = x cdf(x).
template <class T>
[[gnu::always_inline]] inline T normal_pdf(T x) {
    return T(0.39894228040143267794) * exp(T(-0.5) * x * x);
}
template <class T>
[[gnu::always_inline]] inline T normal_cdf(T x) {
    return T(0.5) * (T(1) + erf(x * kInvSqrt2<T>));
}
template <class T>
[[gnu::always_inline]] inline T gelu(T x) {
    return x * normal_cdf(x);
}
template <class T>
[[gnu::always_inline]] inline T gelu_derivative(T x) {
    return normal_cdf(x) + x * normal_pdf(x);
}

// gelu by way of tanh: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
template <class T>
[[gnu::always_inline]] inline T gelu_tanh(T x) {
    const T inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
    return T(0.5) * x * (T(1) + tanh(inner));
}
template <class T>
[[gnu::always_inline]] inline T gelu_tanh_derivative(T x) {
    constexpr T scale = T(0.79788456080286535588);
    const T t = tanh(scale * (x + T(0.044715) * x * x * x));
    const T inner_derivative = scale * (T(1) + T(3 * 0.044715) * x * x);
    return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * inner_derivative;
}

// The normal quantile of 1/2 + q, where tail = 1/2 - |q| is given beside q because the difference
// would have lost it. Wichura, "Algorithm AS 241: the percentage points of the normal
// distribution", Applied Statistics 37 (1988); relative error 1e-16.
inline double normal_quantile(double q, double tail) {
    if (__builtin_fabs(q) <= 0.425) {
        const double r = 0.180625 - q * q;
        return q *
               polynomial(r, 3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427,
                          13731.693765509461125, 45921.953931549871457, 67265.770927008700853,
                          33430.575583588128105, 2509.0809287301226727) /
               polynomial(r, 1.0, 42.313330701600911252, 687.18700749205790830,
                          5394.1960214247511077, 21213.794301586595867, 39307.895800092710610,
                          28729.085735721942674, 5226.4952788528545610);
    }
    double r = __builtin_sqrt(-::log(tail));
    double result;
    if (r <= 5) {
        r -= 1.6;
        result = polynomial(r, 1.42343711074968357734, 4.63033784615654529590,
                            5.76949722146069140550, 3.64784832476320460504, 1.27045825245236838258,
                            0.241780725177450611770, 0.0227238449892691845833,
                            7.74545014278341407640e-4) /
                 polynomial(r, 1.0, 2.05319162663775882187, 1.67638483018380384940,
                            0.689767334985100004550, 0.148103976427480074590,
                            0.0151986665636164571966, 5.47593808499534494600e-4,
                            1.05075007164441684324e-9);
    } else {
        r -= 5;
        result = polynomial(r, 6.65790464350110377720, 5.46378491116411436990,
                            1.78482653991729133580, 0.296560571828504891230,
                            0.0265321895265761230930, 1.24266094738807843860e-3,
                            2.71155556874348757815e-5, 2.01033439929228813265e-7) /
                 polynomial(r, 1.0, 0.599832206555887937690, 0.136929880922735805310,
                            0.0148753612908506148525, 7.86869131145613259100e-4,
                            1.84631831751005468180e-5, 1.42151175831644588870e-7,
                            2.04426310338993978564e-15);
    }
    return copysign(result, q);
}

// The inverse of the standard normal's distribution: -inf at 0, inf at 1, NaN outside of [0, 1].
inline double ndtri(double p) {
    if (!(p >= 0 && p <= 1)) return kNan<double>;
    if (p == 0) return -kInfinity<double>;
    if (p == 1) return kInfinity<double>;
    return normal_quantile(p - 0.5, p < 0.5 ? p : 1 - p);
}
inline float ndtri(float p) { return static_cast<float>(ndtri(static_cast<double>(p))); }

// The inverse of erf: the normal quantile of (1 + x) / 2, over sqrt(2).
inline double erfinv(double x) {
    const double a = abs(x);
    if (!(a < 1)) return a == 1 ? copysign(kInfinity<double>, x) : kNan<double>;
    return kInvSqrt2<double> * normal_quantile(0.5 * x, 0.5 * (1 - a));
}
inline float erfinv(float x) { return static_cast<float>(erfinv(static_cast<double>(x))); }

// Chebyshev expansions: e^-x I0(x) and e^-x I1(x) / x on [0, 8] in x / 4 - 1; beyond, sqrt(x) e^-x
// times I0(x) and I1(x) in 16 / x - 1. Sums by Clenshaw's recurrence.
constexpr double kI0Near[] = {
    0.33839763720473803, -0.3046826723431984, 0.17162090152220877, -0.09490109704804764,
    0.04930528423967071, -0.02373741480589947, 0.010546460394594998, -0.004324309995050576,
    0.0016394756169413357, -0.0005763755745385824, 0.00018850288509584165, -5.754195010082104e-05,
    1.6448448070728896e-05, -4.4167383584587505e-06, 1.1173875391201037e-06,
    -2.670793853940612e-07, 6.046995022541919e-08, -1.300025009986248e-08, 2.6598237246823866e-09,
    -5.189795601635263e-10, 9.675809035373237e-11, -1.726826291441556e-11, 2.95505266312964e-12,
    -4.856446783111929e-13, 7.676185498604936e-14, -1.1685332877993451e-14, 1.715391285555133e-15,
    -2.431279846547955e-16, 3.3307945188222384e-17, -4.4153416464793395e-18};
constexpr double kI0Far[] = {
    0.4022452055070544, 0.0033691164782556943, 6.889758346916825e-05, 2.8913705208347567e-06,
    2.0489185894690638e-07, 2.266668990498178e-08, 3.3962320257083865e-09, 4.94060238822497e-10,
    1.1889147107846439e-11, -3.1499165279632416e-11, -1.3215811840447713e-11,
    -1.7941785315068062e-12, 7.180124451383666e-13, 3.8527783827421426e-13, 1.54008621752141e-14,
    -4.150569347287222e-14, -9.554846698828307e-15, 3.8116806693526224e-15,
    1.7725601330565263e-15, -3.425485619677219e-16, -2.8276239805165836e-16,
    3.461222867697461e-17, 4.46562142029676e-17, -4.830504485944182e-18, -7.233180487874754e-18};
constexpr double kI1Near[] = {
    0.12629359322181682, -0.17641651835783406, 0.1026436586898471, -0.05294598120809499,
    0.024726449030626516, -0.010564084894626197, 0.004156422944312888, -0.0015135724506312532,
    0.0005122859561685758, -0.00016176081582589674, 4.781565107550054e-05,
    -1.3273163656039436e-05, 3.4702513081376785e-06, -8.568720264695455e-07,
    2.0032947535521353e-07, -4.445059128796328e-08, 9.381537386495773e-09,
    -1.8872497517228294e-09, 3.625590281552117e-10, -6.663489723502027e-11,
    1.1736186298890901e-11, -1.9839743977649436e-12, 3.223793365945575e-13,
    -5.042185504727912e-14, 7.600684294735408e-15, -1.1055969477353862e-15,
    1.5536319577362005e-16, -2.111421214358166e-17, 2.7779141127610464e-18};
constexpr double kI1Far[] = {
    0.38928811750914005, -0.009761097491361469, -0.00011058893876262371, -3.882564808877691e-06,
    -2.512236237870209e-07, -2.6314688468895196e-08, -3.835380385964237e-09,
    -5.589743462196584e-10, -1.8974958123505413e-11, 3.2526035830154884e-11,
    1.4125807436613782e-11, 2.0356285441470896e-12, -7.198551776245908e-13,
    -4.0835511110921974e-13, -2.1015418427726643e-14, 4.272440016711951e-14,
    1.0420276984128802e-14, -3.8144030724370075e-15, -1.8803547755107825e-15,
    3.3082023109209285e-16, 2.96262899764595e-16, -3.209525921993424e-17, -4.6503053684893586e-17,
    4.414348323071708e-18, 7.517296310842105e-18};

template <std::size_t Terms>
inline double chebyshev(const double (&coefficients)[Terms], double t) {
    double next = 0;
    double after = 0;
    for (std::size_t k = Terms - 1; k > 0; --k) {
        const double current = 2 * t * next - after + coefficients[k];
        after = next;
        next = current;
    }
    return t * next - after + coefficients[0];
}

// Modified Bessel functions of the first kind; i0e and i1e are scaled by e^-|x|.
inline double i0e(double x) {
    const double a = abs(x);
    if (a <= 8) return chebyshev(kI0Near, 0.25 * a - 1);
    return chebyshev(kI0Far, 16 / a - 1) / __builtin_sqrt(a);
}
inline double i1e(double x) {
    const double a = abs(x);
    if (a <= 8) return x * chebyshev(kI1Near, 0.25 * a - 1);
    return copysign(chebyshev(kI1Far, 16 / a - 1) / __builtin_sqrt(a), x);
}
inline double i0(double x) {
    const double root = ::exp(0.5 * abs(x));  // in two factors, for the last values below inf
    return root * i0e(x) * root;
}
inline double i1(double x) {
    const double root = ::exp(0.5 * abs(x));
    return root * i1e(x) * root;
}
inline float i0(float x) { return static_cast<float>(i0(static_cast<double>(x))); }
inline float i0e(float x) { return static_cast<float>(i0e(static_cast<double>(x))); }
inline float i1(float x) { return static_cast<float>(i1(static_cast<double>(x))); }
inline float i1e(float x) { return static_cast<float>(i1e(static_cast<double>(x))); }

}  // namespace
}  // namespace rushlight::math
