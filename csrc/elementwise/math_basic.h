// The ground that math_float.h, math_double.h and math_special.h stand on: bit views, multiply-add,
// rounding, square roots and the division remainders. Not included on its own; include math.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace rushlight::math {

// Every function of these headers lives in an unnamed namespace, on purpose: a source file that
// includes them is compiled once per instruction set. With external linkage the linker would keep
// one copy of a function for all of them, and an AVX-512 body could end up on a machine without it.
// For the same reason they call libm by its C names (::exp), never through the templates of std.
namespace {

template <class T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();
template <class T>
constexpr T kNan = std::numeric_limits<T>::quiet_NaN();
template <class T>
constexpr T kPi = static_cast<T>(3.14159265358979323846L);
template <class T>
constexpr T kLn2 = static_cast<T>(0.69314718055994530942L);
template <class T>
constexpr T kInvSqrt2 = static_cast<T>(0.70710678118654752440L);

[[gnu::always_inline]] inline std::uint32_t bits_of(float x) {
    return __builtin_bit_cast(std::uint32_t, x);
}
[[gnu::always_inline]] inline std::uint64_t bits_of(double x) {
    return __builtin_bit_cast(std::uint64_t, x);
}
[[gnu::always_inline]] inline float from_bits(std::uint32_t x) {
    return __builtin_bit_cast(float, x);
}
[[gnu::always_inline]] inline double from_bits(std::uint64_t x) {
    return __builtin_bit_cast(double, x);
}

// a > b for numbers that are not negative, by their bits; a NaN is above all. A choice repeated
// after some work is written once with > and once with this: seeing the same condition twice, the
// compiler would do the work twice, once for each outcome.
[[gnu::always_inline]] inline bool above_positive(float a, float b) {
    return static_cast<std::int32_t>(bits_of(a)) > static_cast<std::int32_t>(bits_of(b));
}
[[gnu::always_inline]] inline bool above_positive(double a, double b) {
    return static_cast<std::int64_t>(bits_of(a)) > static_cast<std::int64_t>(bits_of(b));
}

// a * b + c, fused where the target has the instruction; elsewhere a call to libm would cost more
// than the rounding it saves. The polynomials are within their bounds either way.
[[gnu::always_inline]] inline float mad(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}
[[gnu::always_inline]] inline double mad(double a, double b, double c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

// c0 + c1 x + c2 x^2 + ..., by Horner's rule.
template <class T>
[[gnu::always_inline]] inline T polynomial(T, T c0) {
    return c0;
}
template <class T, class... More>
[[gnu::always_inline]] inline T polynomial(T x, T c0, More... more) {
    return mad(polynomial(x, more...), x, c0);
}

[[gnu::always_inline]] inline float abs(float x) { return __builtin_fabsf(x); }
[[gnu::always_inline]] inline double abs(double x) { return __builtin_fabs(x); }

[[gnu::always_inline]] inline float copysign(float magnitude, float sign) {
    return __builtin_copysignf(magnitude, sign);
}
[[gnu::always_inline]] inline double copysign(double magnitude, double sign) {
    return __builtin_copysign(magnitude, sign);
}

[[gnu::always_inline]] inline float floor(float x) { return __builtin_floorf(x); }
[[gnu::always_inline]] inline double floor(double x) { return __builtin_floor(x); }
[[gnu::always_inline]] inline float ceil(float x) { return __builtin_ceilf(x); }
[[gnu::always_inline]] inline double ceil(double x) { return __builtin_ceil(x); }
[[gnu::always_inline]] inline float trunc(float x) { return __builtin_truncf(x); }
[[gnu::always_inline]] inline double trunc(double x) { return __builtin_trunc(x); }

// Half to even: the rounding mode is never changed, so that the current one is the default one.
[[gnu::always_inline]] inline float round(float x) { return __builtin_rintf(x); }
[[gnu::always_inline]] inline double round(double x) { return __builtin_rint(x); }

[[gnu::always_inline]] inline float sqrt(float x) { return __builtin_sqrtf(x); }
[[gnu::always_inline]] inline double sqrt(double x) { return __builtin_sqrt(x); }
[[gnu::always_inline]] inline float rsqrt(float x) { return 1.0F / __builtin_sqrtf(x); }
[[gnu::always_inline]] inline double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }

// C's fmod: the sign of the result is the sign of the dividend.
[[gnu::always_inline]] inline double fmod(double a, double b) { return __builtin_fmod(a, b); }

inline float fmod(float a, float b) {
    // A quotient below 2^29 times a float is exact in double, and so is the difference.
    const double dividend = __builtin_fabs(static_cast<double>(a));
    const double divisor = __builtin_fabs(static_cast<double>(b));
    const double quotient = __builtin_trunc(dividend / divisor);
    if (!(quotient < 0x1p29) || divisor == kInfinity<double>) return __builtin_fmodf(a, b);
    double rest = dividend - quotient * divisor;
    rest = rest < 0 ? rest + divisor : rest;  // the rounded quotient was the integer above
    return copysign(static_cast<float>(rest), a);
}

// fmod without a branch, for operands that are not `far` apart.
[[gnu::always_inline]] inline float fmod_near(float a, float b) {
    const double dividend = __builtin_fabs(static_cast<double>(a));
    const double divisor = __builtin_fabs(static_cast<double>(b));
    double rest = dividend - __builtin_trunc(dividend / divisor) * divisor;
    rest = rest < 0 ? rest + divisor : rest;  // the rounded quotient was the integer above
    const bool whole = (abs(b) == kInfinity<float>) & (abs(a) < kInfinity<float>);
    return whole ? a : copysign(static_cast<float>(rest), a);
}
[[gnu::always_inline]] inline bool far(float a, float b) {
    return (abs(a) >= abs(b) * 0x1p28F) & (abs(a) < kInfinity<float>) & (b != 0);
}
#if defined(__FMA__)
[[gnu::always_inline]] inline double fmod_near(double a, double b) {
    const double dividend = abs(a), divisor = abs(b);
    // The remainder, or what is missing to it, is a number without rounding.
    double rest = mad(-__builtin_trunc(dividend / divisor), divisor, dividend);
    rest = rest < 0 ? rest + divisor : rest;
    const bool whole = (divisor == kInfinity<double>) & (dividend < kInfinity<double>);
    return whole ? a : copysign(rest, a);
}
[[gnu::always_inline]] inline bool far(double a, double b) {
    return (abs(a) >= abs(b) * 0x1p51) & (abs(a) < kInfinity<double>) & (b != 0);
}
#else
[[gnu::always_inline]] inline double fmod_near(double a, double b) { return fmod(a, b); }
[[gnu::always_inline]] inline bool far(double, double) { return false; }
#endif

// Python's %, by way of the exact remainder: the sign of the result is the sign of the divisor.
template <class T>
[[gnu::always_inline]] inline T remainder(T b, T rest) {
    return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
}

// Python's //, by way of the exact remainder, as PyTorch's floor_divide defines it.
template <class T>
[[gnu::always_inline]] inline T floor_divide(T a, T b, T rest) {
    T quotient = (a - rest) / b;
    quotient = rest != 0 && (b < 0) != (rest < 0) ? quotient - 1 : quotient;
    T whole = floor(quotient);
    whole = quotient - whole > T(0.5) ? whole + 1 : whole;
    whole = quotient == 0 ? copysign(T(0), a / b) : whole;
    return b == 0 ? a / b : whole;
}

}  // namespace
}  // namespace rushlight::math
