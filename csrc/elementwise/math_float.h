// float: the transcendental functions. Without branches, memory or calls, so that a plain loop over
// them is vectorised by the compiler, and a value does not depend on its place in the loop.
//
// The polynomials are minimax fits (Remez), their coefficients rounded one after the other. Where
// float arithmetic would need pairs of numbers (sin, pow, hypot), the work is done in double: half
// the lanes, but a single rounding at the end. Error bounds in units in the last place (ulp).
#pragma once

#include "elementwise/math_basic.h"
#include "elementwise/math_double.h"

namespace rushlight::math {
namespace {

// 2^(n + bias - 127), for exponents in [-126, 127]. Other n give some number, without overflowing:
// the result is not used then.
[[gnu::always_inline]] inline float power_of_two(std::int32_t n, std::uint32_t bias = 127) {
    return from_bits((static_cast<std::uint32_t>(n) + bias) << 23);
}

// An argument of exp cut as x = n ln 2 + high + low, |high + low| <= ln(2) / 2; high is exact.
struct ExpReduced {
    float high;
    float low;
    std::int32_t n;
};

[[gnu::always_inline]] inline ExpReduced exp_reduce(float x) {
    constexpr float magic = 0x1.8p23F;
    const float shifted = mad(x, 1.44269504F, magic);
    const float n = shifted - magic;
    const float high = mad(n, -0.693145752F, x);  // 15 bits: n times it is exact
    const std::int32_t whole = static_cast<std::int32_t>(bits_of(shifted) - bits_of(magic));
    return {high, n * -1.42860677e-6F, whole};
}

// The smaller of x and high; NaN stays.
[[gnu::always_inline]] inline float at_most(float x, float high) { return x > high ? high : x; }

// The smaller and the larger of x and a positive bound, by their bits: one instruction, where the
// choice that keeps NaN takes a comparison. A NaN of clear sign bit stays in at_least_bits alone,
// one of set sign bit in at_most_bits alone, so that a NaN needs a second way through a formula.
// The named integer lets the compiler see a minimum instead of a choice between two floats.
[[gnu::always_inline]] inline float at_most_bits(float x, float bound) {
    const std::int32_t a = static_cast<std::int32_t>(bits_of(x));
    const std::int32_t b = static_cast<std::int32_t>(bits_of(bound));
    const std::int32_t smaller = a < b ? a : b;
    return from_bits(static_cast<std::uint32_t>(smaller));
}
[[gnu::always_inline]] inline float at_least_bits(float x, float bound) {
    const std::int32_t a = static_cast<std::int32_t>(bits_of(x));
    const std::int32_t b = static_cast<std::int32_t>(bits_of(bound));
    const std::int32_t larger = a > b ? a : b;
    return from_bits(static_cast<std::uint32_t>(larger));
}

// e^(high + low)
[[gnu::always_inline]] inline float exp_polynomial(const ExpReduced& x) {
    const float r = x.high + x.low;
    const float q = polynomial(r, 0.49999994F, 0.166665152F, 0.0416680835F, 0.00836935081F,
                               0.00138404639F);
    return 1.0F + (x.high + mad(r * r, q, x.low));
}

// e^(high + low) - 1
[[gnu::always_inline]] inline float expm1_polynomial(const ExpReduced& x) {
    const float r = x.high + x.low;
    const float q = polynomial(r, 0.5F, 0.166666657F, 0.0416664667F, 0.00833364297F, 0.00139350467F,
                               0.000196645327F);
    return x.high + mad(r * r, q, x.low);
}

// 2^n p in two factors: 2^n alone would overflow before the result does, or be a denormal.
[[gnu::always_inline]] inline float scale_twice(float p, std::int32_t n) {
    const std::uint32_t biased = static_cast<std::uint32_t>(n) + 254;
    const std::uint32_t half = biased >> 1;
    return p * from_bits(half << 23) * from_bits((biased - half) << 23);
}

// 1.5 2^23 + 254: added to a number near n, it leaves n + 254 in the low bits of the sum.
constexpr float kExpMagic = 0x1.8p23F + 254.0F;

// e^(x - n ln 2) 2^n, where shifted = kExpMagic + n. Twice 2^(n / 2), as in scale_twice; the shifts
// push the bits of the magic number out. The polynomial is a fit in double by least squares on
// Chebyshev nodes, with the weights of Lawson's iteration (so minimax, in relative error) and the
// first two coefficients held at 1: within 0.06 * 2^-24.
[[gnu::always_inline]] inline float exp_shifted(float x, float shifted) {
    const float n = shifted - kExpMagic;
    const float r = mad(n, -1.42860677e-6F, mad(n, -0.693145752F, x));
    const float p = polynomial(r, 1.0F, 1.0F, 0.49999994F, 0.166665211F, 0.0416682735F,
                               0.00836868398F, 0.00138200796F);
    const std::uint32_t biased = bits_of(shifted);
    const std::uint32_t half = (biased >> 1) << 23;
    return p * from_bits(half) * from_bits((biased << 23) - half);
}

// e^x, within 1 ulp (1.2 without FMA). Above 89 only n is bounded: the polynomial goes on growing,
// to infinity.
[[gnu::always_inline]] inline float exp(float x) {
    const float shifted = mad(at_most_bits(x, 89.0F), 1.44269504F, kExpMagic);
    const float result = exp_shifted(x, shifted);
    return x < -104.0F ? 0.0F : result;
}

// e^-|x|, within 1 ulp (1.2 without FMA). A NaN comes by way of shifted.
[[gnu::always_inline]] inline float exp_neg_abs(float x) {
    const float a = abs(x);
    const float shifted = at_least_bits(mad(a, -1.44269504F, kExpMagic), kExpMagic - 150.0F);
    return exp_shifted(-at_most_bits(a, 104.0F), shifted);
}

// 2^f for |f| <= 1/2.
[[gnu::always_inline]] inline float exp2_polynomial(float f) {
    return mad(f, polynomial(f, 0.693147242F, 0.240226552F, 0.0555027276F, 0.00961706508F,
                             0.00134177844F, 0.000158248571F), 1.0F);
}

// 2^x, within 2 ulp.
[[gnu::always_inline]] inline float exp2(float x) {
    constexpr float magic = 0x1.8p23F;
    const float bounded = x < -151.0F ? -151.0F : x;
    const float shifted = bounded + magic;
    const float f = bounded - (shifted - magic);
    const std::int32_t n = static_cast<std::int32_t>(bits_of(shifted) - bits_of(magic));
    const float result = scale_twice(exp2_polynomial(f), n);
    return x >= 128.0F ? kInfinity<float> : result;
}

// e^x - 1, within 2 ulp.
[[gnu::always_inline]] inline float expm1(float x) {
    const ExpReduced reduced = exp_reduce(x < -25.0F ? -25.0F : x);
    const float scale = power_of_two(reduced.n, 126);  // half, so that n = 128 does not overflow
    const float half = mad(scale, expm1_polynomial(reduced), scale - 0.5F);
    const float result = x > 88.8F ? kInfinity<float> : half + half;
    return abs(x) < 0x1p-25F ? x : result;
}

// A positive argument of log cut as x = 2^exponent (1 + f), f in [-1/3, 1/3].
struct LogReduced {
    float f;
    float exponent;
};

[[gnu::always_inline]] inline LogReduced log_reduce(float x) {
    const bool tiny = x < 0x1p-126F;
    const std::uint32_t u = bits_of(tiny ? x * 0x1p24F : x);
    constexpr std::uint32_t two_thirds = 0x3f2aaaab;
    const std::int32_t exponent = static_cast<std::int32_t>(u - two_thirds) >> 23;
    const float mantissa = from_bits(u - (static_cast<std::uint32_t>(exponent) << 23));
    const float shift = above_positive(0x1p-126F, x) ? 24.0F : 0.0F;
    return {mantissa - 1.0F, static_cast<float>(exponent) - shift};
}

// log(1 + f) = f + this, f in [-1/3, 1/3].
[[gnu::always_inline]] inline float log_tail(float f) {
    const float p = polynomial(f, 0.333332151F, -0.249997839F, 0.200104773F, -0.166812062F,
                               0.140044332F, -0.121729173F, 0.139923453F, -0.129462436F);
    const float square = f * f;
    return mad(square, -0.5F, square * f * p);
}

// What log gives outside of (0, inf): -inf at 0, inf at inf, NaN below 0 and at NaN.
[[gnu::always_inline]] inline float log_specials(float x, float result) {
    result = x < kInfinity<float> ? result : x;
    result = x == 0.0F ? -kInfinity<float> : result;
    return x < 0.0F ? kNan<float> : result;
}

// log(x), within 1 ulp.
[[gnu::always_inline]] inline float log(float x) {
    const LogReduced reduced = log_reduce(x);
    const float low = mad(reduced.exponent, 1.42860677e-6F, log_tail(reduced.f));
    const float result = mad(reduced.exponent, 0.693145752F, reduced.f + low);
    return log_specials(x, result);
}

// log2(x) of a positive finite double that came from a float, to 2^-37.
[[gnu::always_inline]] inline double log2_of_float(double x) {
    constexpr std::uint64_t one = 0x3ff0000000000000;
    constexpr std::uint64_t root_half = 0x3fe6a09e667f3bcd;
    const std::uint64_t u = bits_of(x) + (one - root_half);
    // The biased exponent becomes a number by way of the low bits of 2^52.
    const double exponent = from_bits((u >> 52) | 0x4330000000000000) - (0x1p52 + 1023.0);
    const double m = from_bits((u & 0x000fffffffffffff) + root_half);
    const double s = (m - 1.0) / (m + 1.0);
    const double p = polynomial(s * s, 2.885390081790091, 0.9617966733349728, 0.5770835866730206,
                                0.4116725969771067, 0.3407326554095874);
    return mad(s, p, exponent);
}

// log2(x), log10(x): within 1 ulp, exact at the powers of two and of ten.
[[gnu::always_inline]] inline float log2(float x) {
    return log_specials(x, static_cast<float>(log2_of_float(x)));
}
[[gnu::always_inline]] inline float log10(float x) {
    const double result = log2_of_float(x) * 0.30102999566398119521;
    return log_specials(x, static_cast<float>(result));
}

// log(1 + x), within 2 ulp.
[[gnu::always_inline]] inline float log1p(float x) {
    const float sum = 1.0F + x;
    const float back = sum - 1.0F;
    const float lost = (1.0F - (sum - back)) + (x - back);  // 1 + x = sum + lost, exactly
    const std::uint32_t u = bits_of(sum);
    constexpr std::uint32_t two_thirds = 0x3f2aaaab;
    const std::int32_t exponent = static_cast<std::int32_t>(u - two_thirds) >> 23;
    const float mantissa = from_bits(u - (static_cast<std::uint32_t>(exponent) << 23));
    const std::int32_t inverse = exponent > 126 ? 126 : exponent;
    const float f = (mantissa - 1.0F) + lost * power_of_two(-inverse);
    const float e = static_cast<float>(exponent);
    const float low = mad(e, 1.42860677e-6F, log_tail(f));
    float result = mad(e, 0.693145752F, f + low);
    result = x < kInfinity<float> ? result : x;
    result = x == 0.0F ? x : result;
    result = x == -1.0F ? -kInfinity<float> : result;
    return x < -1.0F ? kNan<float> : result;
}

// log(1 + e^-|x|), in (0, log 2], within 2.1 ulp: the part that softplus, log_sigmoid and logaddexp
// share. Above 1/3, 1 + e = 2 (1 + (e - 1) / 2) brings it to the range of log_tail, exactly.
[[gnu::always_inline]] inline float log1p_exp_neg_abs(float x) {
    const float e = exp_neg_abs(x);
    const float f = e > 0.333333343F ? mad(e, 0.5F, -0.5F) : e;
    const bool above = above_positive(e, 0.333333343F);
    const float low = (above ? 1.42860677e-6F : 0.0F) + log_tail(f);
    return (above ? 0.693145752F : 0.0F) + (f + low);
}

// 1 / (1 + e^-x), within 3 ulp: e^-x = 2^n (1 - t) / (1 + t) for t = tanh(r / 2) and the r that is
// left of x, so (1 + t) / ((1 + t) + 2^n (1 - t)). All of it times 2^-64, lest 2^n overflow: a
// denormal result is rounded once. A NaN of clear sign comes by way of n, another by way of r.
// tanh(r / 2) / r is fitted as the polynomial of exp is, t within 0.08 * 2^-24.
[[gnu::always_inline]] inline float sigmoid(float x) {
    constexpr float magic = 0x1.8p23F + 63.0F;  // the exponent of 2^(n - 64) in the low bits
    const float shifted = at_least_bits(mad(x, -1.44269504F, magic), magic - 30.0F);
    const float n = shifted - magic;
    const float r = mad(n, 1.42860677e-6F, mad(n, 0.693145752F, at_most_bits(x, 20.7F)));
    const float t = r * polynomial(r * r, 0.499999911F, -0.0416609608F, 0.00407540705F);
    const float above = mad(t, 0x1p-64F, 0x1p-64F);
    const float scale = from_bits(bits_of(shifted) << 23);
    const float result = above / mad(scale, 1.0F - t, above);
    return x < -104.0F ? 0.0F : result;
}

// tanh(x), within 3 ulp: e^-2|x| = s (1 - t) / (1 + t) for s = 2^n and t = tanh(r), where |r| is at
// most ln(2) / 4; so ((1 - s) + t (1 + s)) / ((1 + s) + t (1 - s)). For n = 0 that is t itself,
// down to the least denormal. From s = 1/8 on it is 1 less a small quotient: that keeps what is left
// of 1, 1 - tanh(x)^2, as exact as a float can hold it. A NaN comes by way of n. t = r + r^3 P(r^2)
// is fitted as the polynomial of exp is, within 0.93 * 2^-24 of itself.
[[gnu::always_inline]] inline float tanh(float x) {
    constexpr float magic = 0x1.8p23F + 127.0F;  // the exponent of 2^n in the low bits
    const float a = abs(x);
    const float shifted = at_least_bits(mad(a, -2.88539008F, magic), magic - 29.0F);
    const float n = shifted - magic;
    const float r = mad(n, 0.34657359F, at_most_bits(a, 10.0F));
    const float square = r * r;
    const float t = mad(r * square, mad(square, 0.131104037F, -0.33331269F), r);
    const float s = from_bits(bits_of(shifted) << 23);
    const float above = 1.0F + s;
    const float below = 1.0F - s;
    const float twice = s + s;
    const bool near_one = n < -2.5F;
    const float numerator = mad(t, near_one ? twice : above, near_one ? -twice : below);
    const float quotient = numerator / mad(t, below, above);
    return copysign(near_one ? 1.0F + quotient : quotient, x);
}

// erf(x), within 2 ulp: x + x P(x^2) below 0.85, 1 - 2^-Q(|x|) above.
[[gnu::always_inline]] inline float erf(float x) {
    constexpr float magic = 0x1.8p23F;
    const float a = at_most(abs(x), 3.95F);
    const float square = x * x;
    const float near = mad(x, polynomial(square, 0.128379166F, -0.376125902F, 0.11282865F,
                                         -0.0268072877F, 0.0050577037F, -0.000634851865F), x);
    const float q = polynomial(a, -0.00015084054F, -1.62744784F, -0.918302953F, -0.150798932F,
                               0.0324881636F, -0.00449815905F, 0.000293854362F);
    const float shifted = q + magic;
    const float p = exp2_polynomial(q - (shifted - magic));
    const float far = 1.0F - p * from_bits((bits_of(shifted) + 127) << 23);
    return copysign(a < 0.85F ? near : far, x);
}

// |x| / pi as a sum, less a multiple of 2: the angle in half turns.
struct HalfTurns {
    double high;
    double middle;
    double low;
};

// Payne and Hanek's reduction, for every finite float. 1 / pi is held in pieces of 27 bits or so:
// a float times a piece is exact in double, and pieces whose products are multiples of 2 are left
// out. Of the three pieces in use the last has full length: the sum is within 2^-56.
[[gnu::always_inline]] inline HalfTurns half_turns(double x) {
    const double a = __builtin_fabs(x);
    double first = 0x1.45f306cp-2;
    double second = 0x1.c9c8828p-30;
    double third = 0x1.29fc2757d1f53p-57;
    first = a >= 0x1p53 ? 0x1.c9c8828p-30 : first;
    second = a >= 0x1p53 ? 0x1.29fc274p-57 : second;
    third = a >= 0x1p53 ? 0x1.7d1f534ddc0dbp-85 : third;
    first = a >= 0x1p81 ? 0x1.29fc274p-57 : first;
    second = a >= 0x1p81 ? 0x1.7d1f534p-85 : second;
    third = a >= 0x1p81 ? 0x1.bb81b6c52b328p-114 : third;
    first = a >= 0x1p109 ? 0x1.7d1f534p-85 : first;
    second = a >= 0x1p109 ? 0x1.bb81b6cp-114 : second;
    third = a >= 0x1p109 ? 0x1.4acc9e21c821p-144 : third;
    const double high = x * first;
    return {high - 2.0 * __builtin_rint(0.5 * high), x * second, x * third};
}

// sin(pi (turns + offset)), to 2^-27: sin(pi f) for the distance f to the nearest whole number n,
// with the sign of (-1)^n. An offset of 1/2 makes it the cosine.
[[gnu::always_inline]] inline double sin_half_turns(const HalfTurns& turns, double offset) {
    const double sum = (turns.high + offset) + (turns.middle + turns.low);
    const double shifted = sum + kRoundMagic;
    const double n = shifted - kRoundMagic;
    const double f = (((turns.high + offset) - n) + turns.middle) + turns.low;
    const double value = f * polynomial(f * f, 3.141592636893248, -5.167709684452247,
                                        2.5500697177940443, -0.5982420623166786,
                                        0.07756024114391023);
    return from_bits(bits_of(value) ^ (bits_of(shifted) << 63));
}

// sin(x), cos(x), tan(x): within 1 ulp for every finite x.
[[gnu::always_inline]] inline float sin(float x) {
    const float result = static_cast<float>(sin_half_turns(half_turns(x), 0.0));
    return abs(x) < 0x1p-12F ? x : result;  // -0 and the denormals
}
[[gnu::always_inline]] inline float cos(float x) {
    return static_cast<float>(sin_half_turns(half_turns(x), 0.5));
}
[[gnu::always_inline]] inline float tan(float x) {
    const HalfTurns turns = half_turns(x);
    const double ratio = sin_half_turns(turns, 0.0) / sin_half_turns(turns, 0.5);
    return abs(x) < 0x1p-12F ? x : static_cast<float>(ratio);
}

// 2^z to 2^-29, |z| <= 1000.
[[gnu::always_inline]] inline double exp2_to_float(double z) {
    const double shifted = z + kRoundMagic;
    const double f = z - (shifted - kRoundMagic);
    const double p = polynomial(f, 1.0000000005539635, 0.6931472057381831, 0.24022646892120997,
                                0.05550328776118767, 0.009618488812516023, 0.001339993129816381,
                                0.00015345846965237925);
    return p * power_of_two(shifted);
}

// x^y, within 1 ulp, with the special values of IEEE 754 (and C's annex F): by way of
// 2^(y log2|x|) in double. What does not come out of that is put right in float, in more lanes.
[[gnu::always_inline]] inline float pow(float x, float y) {
    constexpr float infinity = kInfinity<float>;
    const float a = abs(x);
    const double z = static_cast<double>(y) * log2_of_float(static_cast<double>(a));
    const double magnitude = exp2_to_float(z < -160.0 ? -160.0 : z);
    float result = static_cast<float>(z > 160.0 ? kInfinity<double> : magnitude);
    const float limit = (a > 1.0F) != (y < 0.0F) ? infinity : 0.0F;
    result = (a > 0.0F) & (a < infinity) ? result : limit;
    result = (y == 0.0F) | (a == 1.0F) ? 1.0F : result;
    const bool whole = round(y) == y;
    const bool odd = whole & (round(0.5F * y) != 0.5F * y);
    const std::uint32_t sign = odd ? bits_of(x) & 0x80000000 : 0;
    result = from_bits(bits_of(result) | sign);
    result = (x < 0.0F) & (x > -infinity) & !whole ? kNan<float> : result;
    const bool one = (x == 1.0F) | (y == 0.0F);
    return (x != x || y != y) && !one ? kNan<float> : result;
}

// sqrt(x^2 + y^2), within 1 ulp: no float squared leaves the range of double.
[[gnu::always_inline]] inline float hypot(float x, float y) {
    const double a = x;
    const double b = y;
    const float result = static_cast<float>(__builtin_sqrt(a * a + b * b));
    return (abs(x) == kInfinity<float>) | (abs(y) == kInfinity<float>) ? kInfinity<float> : result;
}

// asin(s) for s in [0, 1/2], given s and z = s^2.
[[gnu::always_inline]] inline float asin_polynomial(float s, float z) {
    return mad(s * z, polynomial(z, 0.166666597F, 0.0750052184F, 0.0445133522F, 0.0318395235F,
                                 0.0143121732F, 0.0377021208F), s);
}

// asin(x), acos(x), within 3 ulp: above 1/2 by asin(x) = pi / 2 - 2 asin(sqrt((1 - x) / 2)).
[[gnu::always_inline]] inline float asin(float x) {
    const float a = abs(x);
    const bool far = a > 0.5F;
    const float z = far ? mad(a, -0.5F, 0.5F) : a * a;
    const float p = asin_polynomial(far ? sqrt(z) : a, z);
    // pi / 2 in two pieces
    const float reflected = 1.57079637F + mad(p, -2.0F, -4.37113883e-8F);
    return copysign(above_positive(a, 0.5F) ? reflected : p, x);
}
[[gnu::always_inline]] inline float acos(float x) {
    const float a = abs(x);
    const bool far = a > 0.5F;
    const float z = far ? mad(a, -0.5F, 0.5F) : a * a;
    const float p = asin_polynomial(far ? sqrt(z) : a, z);
    const float middle = 1.57079637F - (copysign(p, x) + 4.37113883e-8F);
    const float left = 3.14159274F - (p + p + 8.74227766e-8F);
    const float outer = x < 0.0F ? left : p + p;
    return above_positive(a, 0.5F) ? outer : middle;
}

// atan(q) for q in [0, 1].
[[gnu::always_inline]] inline float atan_polynomial(float q) {
    const float z = q * q;
    return mad(q * z, polynomial(z, -0.333333284F, 0.199997157F, -0.142803431F, 0.110612333F,
                                 -0.0882146209F, 0.0676364899F, -0.0449832566F, 0.022777617F,
                                 -0.00742536318F, 0.00113452214F), q);
}

// atan(x), within 2 ulp; above 1 by way of pi / 2 - atan(1 / x).
[[gnu::always_inline]] inline float atan(float x) {
    const float a = abs(x);
    const bool steep = a > 1.0F;
    const float p = atan_polynomial((steep ? 1.0F : a) / (steep ? a : 1.0F));
    const float reflected = 1.57079637F - (p + 4.37113883e-8F);
    return copysign(above_positive(a, 1.0F) ? reflected : p, x);
}

// The angle of the point (x, y), within 3 ulp; zeros and infinities as in C's annex F.
[[gnu::always_inline]] inline float atan2(float y, float x) {
    const float a = abs(x);
    const float b = abs(y);
    const float smaller = b > a ? a : b;
    const std::uint32_t larger = bits_of(b > a ? b : a);
    // 0 / 0 becomes 0 over the least denormal
    const float p = atan_polynomial(smaller / from_bits(larger + (larger == 0)));
    const float reflected = 1.57079637F - (p + 4.37113883e-8F);
    const float right = above_positive(b, a) ? reflected : p;
    const bool left = static_cast<std::int32_t>(bits_of(x)) < 0;
    const float angle = left ? 3.14159274F - (right + 8.74227766e-8F) : right;
    const float diagonal = left ? 2.35619449F : 0.785398163F;
    const bool infinite = (a == kInfinity<float>) & (b == kInfinity<float>);
    return copysign(infinite ? diagonal : angle, y);
}

// sinh(x), cosh(x), within 3 ulp, through h = (e^|x| - 1) / 2 and h = e^|x| / 2. A quarter of the
// exponential is formed first, as it overflows later than they do.
[[gnu::always_inline]] inline float sinh(float x) {
    const ExpReduced reduced = exp_reduce(at_most(abs(x), 89.6F));
    const float scale = power_of_two(reduced.n, 125);
    const float quarter = mad(scale, expm1_polynomial(reduced), scale - 0.25F);
    const float h = quarter + quarter;
    const float result = copysign(h + (h < 0x1p30F ? h / (h + h + 1.0F) : 0.5F), x);
    return abs(x) < 0x1p-13F ? x : result;
}
[[gnu::always_inline]] inline float cosh(float x) {
    const ExpReduced reduced = exp_reduce(at_most(abs(x), 89.6F));
    const float quarter = exp_polynomial(reduced) * power_of_two(reduced.n, 125);
    return (quarter + quarter) + 0.125F / quarter;
}

// erfc(x), within 1 ulp: e^(-x^2) P(1 / (1 + |x| / 2)), in double so as to be accurate far out.
[[gnu::always_inline]] inline float erfc(float x) {
    const double y = x;
    double a = __builtin_fabs(y);
    a = a > 10.2 ? 10.2 : a;
    const double p = polynomial(1.0 / (1.0 + 0.5 * a), 3.211411790270791e-06, 0.2819981232328493,
                                0.28336014291338113, 0.237377120042484, 0.22071901149680115,
                                -0.05140182529345814, 0.2563748036452492, -0.33831252277141144,
                                0.016727710676932826, 0.18993140856503, -0.12132559832756991,
                                0.024548416119468418);
    const double tail = p * exp2_to_float(a * a * -1.4426950408889634);
    return static_cast<float>(y < 0.0 ? 2.0 - tail : tail);
}

}  // namespace
}  // namespace rushlight::math
