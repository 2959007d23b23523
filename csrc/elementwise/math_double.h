// double: the transcendental functions, in the manner of math_float.h: without branches or calls.
// pow and erfc are the exceptions: they need pairs of doubles throughout, and go through the C
// library, one element at a time.
#pragma once

#include <cstddef>

#include "elementwise/math_basic.h"

namespace rushlight::math {
namespace {

inline double erfc(double x) { return ::erfc(x); }
inline double pow(double x, double y) { return ::pow(x, y); }

// kRoundMagic + x is x rounded to a whole number, found in the low bits.
constexpr double kRoundMagic = 0x1.8p52;

// 2^n for n in [-1022, 1023], n given as kRoundMagic + n.
[[gnu::always_inline]] inline double power_of_two(double magic_plus_n) {
    return from_bits((bits_of(magic_plus_n) + 1023) << 52);
}

// 2^n p, n given as kRoundMagic + n, in two factors: 2^n alone would overflow before the result
// does, or be a denormal.
[[gnu::always_inline]] inline double scale_twice(double p, double magic_plus_n) {
    const std::uint64_t biased = bits_of(magic_plus_n) - bits_of(kRoundMagic) + 2046;
    const std::uint64_t half = biased >> 1;
    return p * from_bits(half << 52) * from_bits((biased - half) << 52);
}

// An argument of exp cut as x = n ln 2 + high + low, |high + low| <= ln(2) / 2; high is exact, and
// n is given as kRoundMagic + n.
struct ExpReducedDouble {
    double high;
    double low;
    double magic_plus_n;
};

[[gnu::always_inline]] inline ExpReducedDouble exp_reduce(double x) {
    const double shifted = mad(x, 1.4426950408889634, kRoundMagic);
    const double n = shifted - kRoundMagic;
    const double high = mad(n, -0x1.62e42fefp-1, x);  // 33 bits: n times it is exact
    return {high, n * -0x1.473de6af278edp-34, shifted};
}

// e^(high + low) - 1
[[gnu::always_inline]] inline double expm1_polynomial(const ExpReducedDouble& x) {
    const double r = x.high + x.low;
    const double q = polynomial(r, 0.5000000000000001, 0.1666666666666667, 0.0416666666666485,
                                0.008333333333328353, 0.0013888888897401917,
                                0.00019841269865958518, 2.4801571060268658e-05,
                                2.7557265517004594e-06, 2.7570512134507895e-07,
                                2.5101433167278932e-08, 1.7087416456713317e-09);
    return x.high + mad(r * r, q, x.low);
}

// e^x, within 1 ulp. As in float, the upper bound is imposed on the result.
[[gnu::always_inline]] inline double exp(double x) {
    const ExpReducedDouble reduced = exp_reduce(x < -746.0 ? -746.0 : x);
    const double result = scale_twice(1.0 + expm1_polynomial(reduced), reduced.magic_plus_n);
    return x > 709.8 ? kInfinity<double> : result;
}

// e^-|x|, within 1 ulp.
[[gnu::always_inline]] inline double exp_neg_abs(double x) {
    const double a = abs(x);
    const ExpReducedDouble reduced = exp_reduce(a > 746.0 ? -746.0 : -a);
    return scale_twice(1.0 + expm1_polynomial(reduced), reduced.magic_plus_n);
}

// 2^f for |f| <= 1/2.
[[gnu::always_inline]] inline double exp2_polynomial(double f) {
    const double p = polynomial(f, 0.6931471805599453, 0.2402265069591007, 0.055504108664823436,
                                0.009618129107630236, 0.001333355814599862, 0.00015403530389343175,
                                1.5252734220013957e-05, 1.3215490453843307e-06,
                                1.0177908793458277e-07, 7.0534990277544835e-09,
                                4.4761985098473433e-10, 2.763517887872355e-11);
    return mad(f, p, 1.0);
}

// 2^x, within 1 ulp.
[[gnu::always_inline]] inline double exp2(double x) {
    const double bounded = x < -1076.0 ? -1076.0 : x;
    const double shifted = bounded + kRoundMagic;
    const double f = bounded - (shifted - kRoundMagic);
    const double result = scale_twice(exp2_polynomial(f), shifted);
    return x >= 1024.0 ? kInfinity<double> : result;
}

// e^x - 1, within 2 ulp.
[[gnu::always_inline]] inline double expm1(double x) {
    const ExpReducedDouble reduced = exp_reduce(x < -50.0 ? -50.0 : x);
    const double scale = power_of_two(reduced.magic_plus_n - 1.0);  // half: 2^1024 would overflow
    const double half = mad(scale, expm1_polynomial(reduced), scale - 0.5);
    const double result = x > 709.8 ? kInfinity<double> : half + half;
    return abs(x) < 0x1p-54 ? x : result;
}

// The bits of a positive number as biased exponent and mantissa in [sqrt(1/2), sqrt(2)).
struct LogBits {
    std::uint64_t biased;
    double mantissa;
};

[[gnu::always_inline]] inline LogBits log_bits(double x) {
    constexpr std::uint64_t root_half = 0x3fe6a09e667f3bcd;
    const std::uint64_t u = bits_of(x) + (0x3ff0000000000000 - root_half);
    return {u >> 52, from_bits((u & 0x000fffffffffffff) + root_half)};
}

// A whole number below 2^52 as a double, less the bias of the exponent.
[[gnu::always_inline]] inline double unbiased(std::uint64_t biased) {
    return from_bits(biased | 0x4330000000000000) - (0x1p52 + 1023.0);
}

// log(1 + f) = f - (half_square - correction), for f in [sqrt(1/2) - 1, sqrt(2) - 1], by way of
// s = f / (2 + f) and correction = s (f^2 / 2 + R(s^2)), the form of fdlibm's e_log.c.
struct LogTerms {
    double half_square;
    double correction;
};

[[gnu::always_inline]] inline LogTerms log_terms(double f) {
    const double s = f / (2.0 + f);
    const double z = s * s;
    const double r = z * polynomial(z, 0.6666666666666734, 0.39999999999416397, 0.2857142874211704,
                                    0.2222219859328329, 0.18183563576008538, 0.1531406380324998,
                                    0.1479586615885121);
    const double half_square = 0.5 * f * f;
    return {half_square, s * (half_square + r)};
}

// exponent ln 2 + log(1 + f)
[[gnu::always_inline]] inline double log_sum(double exponent, double f) {
    const LogTerms terms = log_terms(f);
    const double low = mad(exponent, 0x1.473de6af278edp-34, terms.correction);
    return mad(exponent, 0x1.62e42fefp-1, f - (terms.half_square - low));
}

// A positive argument cut as x = 2^exponent (1 + f), f as above.
struct LogReducedDouble {
    double exponent;
    double f;
};

[[gnu::always_inline]] inline LogReducedDouble log_reduce(double x) {
    const bool tiny = x < 0x1p-1022;
    const LogBits bits = log_bits(tiny ? x * 0x1p54 : x);
    const double shift = above_positive(0x1p-1022, x) ? 54.0 : 0.0;
    return {unbiased(bits.biased) - shift, bits.mantissa - 1.0};
}

// What a logarithm gives outside of (0, inf): -inf at 0, inf at inf, NaN below 0 and at NaN.
[[gnu::always_inline]] inline double log_specials(double x, double result) {
    result = x < kInfinity<double> ? result : x;
    result = x == 0.0 ? -kInfinity<double> : result;
    return x < 0.0 ? kNan<double> : result;
}

// log(x), within 1 ulp.
[[gnu::always_inline]] inline double log(double x) {
    const LogReducedDouble reduced = log_reduce(x);
    return log_specials(x, log_sum(reduced.exponent, reduced.f));
}

// exponent (exponent_high + exponent_low) + log(1 + f) (scale_high + scale_low), where the high
// parts have few enough bits for exact products: the sum is kept in two doubles, so that powers of
// the base come out exact. The form of FreeBSD's e_log2.c and e_log10.c.
[[gnu::always_inline]] inline double log_scaled(const LogReducedDouble& reduced,
                                                double exponent_high, double exponent_low,
                                                double scale_high, double scale_low) {
    const LogTerms terms = log_terms(reduced.f);
    const double high =
        from_bits(bits_of(reduced.f - terms.half_square) & 0xffffffff00000000);
    const double low = ((reduced.f - high) - terms.half_square) + terms.correction;
    const double whole = reduced.exponent * exponent_high;
    const double part = high * scale_high;
    const double sum = whole + part;
    const double lost = (whole - sum) + part;
    const double rest = mad(low + high, scale_low,
                            mad(low, scale_high, reduced.exponent * exponent_low));
    return sum + (lost + rest);
}

// log2(x), log10(x): within 1 ulp, exact at the powers of two and of ten.
[[gnu::always_inline]] inline double log2(double x) {
    return log_specials(
        x, log_scaled(log_reduce(x), 1.0, 0.0, 0x1.71547652p+0, 0x1.705fc2eefa2p-33));
}
[[gnu::always_inline]] inline double log10(double x) {
    return log_specials(x, log_scaled(log_reduce(x), 0x1.34413509p-2, 0x1.ef3fde623e256p-35,
                                      0x1.bcb7b152p-2, 0x1.b9438ca9aadd5p-36));
}

// log(1 + x), within 2 ulp.
[[gnu::always_inline]] inline double log1p(double x) {
    const double sum = 1.0 + x;
    const double back = sum - 1.0;
    const double lost = (1.0 - (sum - back)) + (x - back);  // 1 + x = sum + lost, exactly
    const LogBits bits = log_bits(sum);
    const std::int64_t biased = static_cast<std::int64_t>(bits.biased);
    const std::int64_t inverse = 2046 - (biased > 2045 ? 2045 : biased);
    const double scale = from_bits(static_cast<std::uint64_t>(inverse) << 52);
    const double f = (bits.mantissa - 1.0) + lost * scale;
    double result = log_sum(unbiased(bits.biased), f);
    result = x < kInfinity<double> ? result : x;
    result = x == 0.0 ? x : result;
    result = x == -1.0 ? -kInfinity<double> : result;
    return x < -1.0 ? kNan<double> : result;
}

// log(1 + e^-|x|), in (0, log 2], within 2 ulp; see the float version.
[[gnu::always_inline]] inline double log1p_exp_neg_abs(double x) {
    const double e = exp_neg_abs(x);
    const double f = e > 0.4 ? mad(e, 0.5, -0.5) : e;
    return log_sum(above_positive(e, 0.4) ? 1.0 : 0.0, f);
}

// 1 / (1 + e^-x), within 2 ulp; see the float version.
[[gnu::always_inline]] inline double sigmoid(double x) {
    const ExpReducedDouble reduced = exp_reduce(x < -746.0 ? 746.0 : -x);
    const double t = expm1_polynomial(reduced);
    const double magic_plus_n =
        reduced.magic_plus_n < kRoundMagic - 80.0 ? kRoundMagic - 80.0 : reduced.magic_plus_n;
    const std::uint64_t biased = bits_of(magic_plus_n) - bits_of(kRoundMagic) + 2046;
    const std::uint64_t half = biased >> 1;
    const double numerator = from_bits((2046 - half) << 52);
    const double scale = from_bits((biased - half) << 52);
    const double result = numerator / (mad(scale, t, numerator) + scale);
    return x > 40.0 ? 1.0 : result;
}

// tanh(x), within 2 ulp: x + x^3 P(x^2) below 5/8, 1 - 2 / (e^2|x| + 1) above.
[[gnu::always_inline]] inline double tanh(double x) {
    const double a = abs(x) > 20.0 ? 20.0 : abs(x);
    const double square = x * x;
    const double p = polynomial(square, -0.33333333333333315, 0.1333333333332996,
                                -0.05396825396614952, 0.021869488470702986, -0.008863234338834248,
                                0.0035921142233772446, -0.0014557272165733222,
                                0.0005894566500235674, -0.000237024081470803, 9.15784831003935e-05,
                                -3.0206056161450424e-05, 6.050235410286658e-06);
    const double near = mad(x * square, p, x);
    const ExpReducedDouble reduced = exp_reduce(a + a);
    const double e = (1.0 + expm1_polynomial(reduced)) * power_of_two(reduced.magic_plus_n);
    const double far = 1.0 - 2.0 / (e + 1.0);
    return copysign(a < 0.625 ? near : far, x);
}

// erf(x), within 2 ulp: x + x P(x^2) below 0.85, 1 - 2^Q(|x| - 1) above.
[[gnu::always_inline]] inline double erf(double x) {
    const double a = abs(x) > 5.95 ? 5.95 : abs(x);
    const double near = mad(
        x, polynomial(x * x, 0.12837916709551256, -0.37612638903183254, 0.11283791670928268,
                      -0.02686617063946721, 0.0052239775639981645, -0.0008548323122800551,
                      0.00012055178030961639, -1.4921677887171122e-05, 1.6396208126727848e-06,
                      -1.5677826137477965e-07, 1.062146548092931e-08), x);
    const double q = polynomial(
        a - 1.0, -2.6684166967815997, -3.8072253458536083, -1.216346657685857,
        -0.05995999004564845, 0.014475750192804, -0.0028535108718469662, 0.00034238722242452757,
        3.789982514742853e-05, -3.915570810806799e-05, 1.3817245173631825e-05,
        -2.9151325277445333e-06, 1.5458857560573812e-07, 1.753547175727143e-07,
        -9.211795406805702e-08, 2.7568122922007134e-08, -5.6396488359792325e-09,
        7.802966470837821e-10, -6.603065734247008e-11, 2.5783803116753643e-12);
    const double shifted = q + kRoundMagic;
    const double p = exp2_polynomial(q - (shifted - kRoundMagic));
    const double far = 1.0 - p * power_of_two(shifted);
    return copysign(a < 0.85 ? near : far, x);
}

// 1 / pi in binary, after the point.
constexpr std::uint32_t kInversePiWords[] = {
    0x517cc1b7, 0x27220a94, 0xfe13abe8, 0xfa9a6ee0, 0x6db14acc, 0x9e21c820, 0xff28b1d5,
    0xef5de2b0, 0xdb92371d, 0x2126e970, 0x03249775, 0x04e8c90e, 0x7f0ef58e, 0x5894d39f,
    0x74411afa, 0x975da242, 0x74ce3813, 0x5a2fbf20, 0x9cc8eb1c, 0xc1a99cfa, 0x4e422fc5,
    0xdefc941d, 0x8ffc4bff, 0xef02cc07, 0xf79788c5, 0xad05368f, 0xb69b3f67, 0x93e584db,
    0xa7a31fb3, 0x4f2ff516, 0xba93dd63, 0xf5f2f8bd, 0x9e839cfb, 0xc5294975, 0x35fdafd8,
    0x8fc6ae84, 0x2b019823, 0x7e3db5d5};

// 52 bits of 2 / pi, those after the first 8 k + 52 piece, times 2^(8 k), by k: for an argument of
// 2^(53 + 8 k) or more, the product with the bits before the first 8 k is a multiple of 4.
struct TwoOverPi {
    double entries[122];
};

constexpr TwoOverPi two_over_pi(std::size_t piece) {
    TwoOverPi table{};
    std::size_t k = 0;
    for (double& entry : table.entries) {
        double weight = 2;
        for (std::size_t bit = 0; bit < 52 * (piece + 1); ++bit) {
            weight /= 2;
            const std::size_t place = bit + 8 * k;
            const bool set = ((kInversePiWords[place / 32] >> (31 - place % 32)) & 1) != 0;
            if (set && bit >= 52 * piece) entry += weight;
        }
        ++k;
    }
    return table;
}
constexpr TwoOverPi kTwoOverPiFirst = two_over_pi(0);
constexpr TwoOverPi kTwoOverPiSecond = two_over_pi(1);
constexpr TwoOverPi kTwoOverPiThird = two_over_pi(2);

// A sum of two doubles, and what its rounding lost.
struct DoubleSum {
    double high;
    double low;
};

[[gnu::always_inline]] inline DoubleSum two_sum(double a, double b) {
    const double sum = a + b;
    const double back = sum - a;
    return {sum, (a - (sum - back)) + (b - back)};
}

[[gnu::always_inline]] inline DoubleSum two_product(double a, double b) {
    const double product = a * b;
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return {product, __builtin_fma(a, b, -product)};
#else
    // Dekker's product over halves of 26 and 27 bits; exact if one of the factors has 52 bits only
    const double a_high = from_bits(bits_of(a) & 0xfffffffff8000000);
    const double b_high = from_bits(bits_of(b) & 0xfffffffff8000000);
    const double a_low = a - a_high;
    const double b_low = b - b_high;
    const double lost = ((product - a_high * b_high) - a_low * b_high) - a_high * b_low;
    return {product, a_low * b_low - lost};
#endif
}

// An argument cut as x = n pi / 2 + high + low, |high + low| <= pi / 4, n mod 4 in the low bits of
// quadrant: Payne and Hanek's reduction, to 2^-90.
struct QuarterTurns {
    double high;
    double low;
    std::uint64_t quadrant;
};

[[gnu::always_inline]] inline QuarterTurns quarter_turns(double x) {
    const std::int64_t biased = static_cast<std::int64_t>((bits_of(x) >> 52) & 0x7ff);
    const std::int64_t beyond = biased - (1023 + 53);
    const std::uint64_t k = static_cast<std::uint64_t>(beyond < 0 ? 0 : beyond) >> 3;
    const double scaled = from_bits(bits_of(x) - (k << 55));  // by 2^(-8 k)
    const DoubleSum first = two_product(scaled, kTwoOverPiFirst.entries[k]);
    const DoubleSum second = two_product(scaled, kTwoOverPiSecond.entries[k]);
    const double turns = first.high - 4.0 * __builtin_rint(0.25 * first.high);
    const DoubleSum rest = two_sum(first.low, second.high);
    // NaN for inf, of which scaled knows nothing
    const double third = mad(x, 0.0, rest.low + (second.low + scaled * kTwoOverPiThird.entries[k]));

    const double shifted = (turns + rest.high) + kRoundMagic;
    const DoubleSum near = two_sum(turns, kRoundMagic - shifted);
    const DoubleSum most = two_sum(near.high, rest.high);
    const DoubleSum f = two_sum(most.high, (near.low + most.low) + third);
    // times pi / 2, in two pieces
    const DoubleSum angle = two_product(f.high, 1.5707963267948966);
    const double rounding = mad(f.low, 1.5707963267948966, angle.low);
    const double low = mad(f.high, 6.123233995736766e-17, rounding);
    return {angle.high, low, bits_of(shifted)};
}

// sin and cos of high + low, in the form of fdlibm's k_sin.c and k_cos.c.
[[gnu::always_inline]] inline double sin_quarter(const QuarterTurns& x) {
    const double z = x.high * x.high;
    const double p = polynomial(z, -0.1666666666666663, 0.00833333333332184,
                                -0.00019841269829358585, 2.7557313538556785e-06,
                                -2.5050734399295313e-08, 1.5895434046960403e-10);
    return x.high + mad(x.high * z, p, mad(x.low, -0.5 * z, x.low));
}
[[gnu::always_inline]] inline double cos_quarter(const QuarterTurns& x) {
    const double z = x.high * x.high;
    const double p = polynomial(z, 0.041666666666666595, -0.0013888888888873338,
                                2.4801587288997502e-05, -2.7557314215309484e-07,
                                2.087570511658797e-09, -1.1358732847088444e-11);
    const double half = 0.5 * z;
    const double most = 1.0 - half;
    return most + (((1.0 - most) - half) + mad(z * z, p, -(x.high * x.low)));
}

// sin(x), cos(x) within 1 ulp, tan(x) within 3, for every finite x.
[[gnu::always_inline]] inline double sin(double x) {
    const QuarterTurns turns = quarter_turns(x);
    const double value = (turns.quadrant & 1) != 0 ? cos_quarter(turns) : sin_quarter(turns);
    const double result = from_bits(bits_of(value) ^ ((turns.quadrant & 2) << 62));
    return abs(x) < 0x1p-27 ? x : result;  // -0 and the denormals
}
[[gnu::always_inline]] inline double cos(double x) {
    const QuarterTurns turns = quarter_turns(x);
    const double value = (turns.quadrant & 1) != 0 ? sin_quarter(turns) : cos_quarter(turns);
    return from_bits(bits_of(value) ^ (((turns.quadrant + 1) & 2) << 62));
}
[[gnu::always_inline]] inline double tan(double x) {
    const QuarterTurns turns = quarter_turns(x);
    const double s = sin_quarter(turns);
    const double c = cos_quarter(turns);
    const bool odd = (turns.quadrant & 1) != 0;
    const double result = (odd ? -c : s) / (odd ? s : c);
    return abs(x) < 0x1p-27 ? x : result;
}

// asin(s) for s in [0, 1/2], given s and z = s^2.
[[gnu::always_inline]] inline double asin_polynomial(double s, double z) {
    const double p = polynomial(z, 0.1666666666666676, 0.0749999999997081, 0.0446428571746463,
                                0.030381942704668, 0.02237221510638075, 0.017351609436894785,
                                0.013980855878012096, 0.011398591800577658, 0.010782204289441336,
                                0.003698507001291756, 0.021727856037639076, -0.021029498736177564,
                                0.03264856907730898);
    return mad(s * z, p, s);
}

// asin(x), acos(x), within 3 ulp: above 1/2 by asin(x) = pi / 2 - 2 asin(sqrt((1 - x) / 2)).
[[gnu::always_inline]] inline double asin(double x) {
    const double a = abs(x);
    const bool far = a > 0.5;
    const double z = far ? mad(a, -0.5, 0.5) : a * a;
    const double p = asin_polynomial(far ? sqrt(z) : a, z);
    // pi / 2 in two pieces
    const double reflected = 1.5707963267948966 + mad(p, -2.0, 6.123233995736766e-17);
    return copysign(above_positive(a, 0.5) ? reflected : p, x);
}
[[gnu::always_inline]] inline double acos(double x) {
    const double a = abs(x);
    const bool far = a > 0.5;
    const double z = far ? mad(a, -0.5, 0.5) : a * a;
    const double p = asin_polynomial(far ? sqrt(z) : a, z);
    const double middle = 1.5707963267948966 - (copysign(p, x) - 6.123233995736766e-17);
    const double left = 3.141592653589793 - (p + p - 1.2246467991473532e-16);
    const double outer = x < 0.0 ? left : p + p;
    return above_positive(a, 0.5) ? outer : middle;
}

// atan(smaller / larger) for 0 <= smaller <= larger: above tan(pi / 8), pi / 4 is taken off first.
[[gnu::always_inline]] inline double atan_ratio(double smaller, double larger) {
    const bool turn = smaller > 0.4142135623730950 * larger;
    const double numerator = turn ? -(larger - smaller) : smaller;  // -0 where they are equal
    const double denominator = turn ? smaller + larger : larger;
    const double q = numerator / denominator;
    const double z = q * q;
    const double p = polynomial(z, -0.33333333333333326, 0.19999999999997098, -0.1428571428531709,
                                0.1111111108380697, -0.09090907988613924, 0.07692279272955489,
                                -0.06666175854198979, 0.058765287282602524, -0.0521526376733866,
                                0.04490909180037786, -0.03318308668925539, 0.014902067449895603);
    const bool turned = static_cast<std::int64_t>(bits_of(q)) < 0;
    const double low = turned ? 3.061616997868383e-17 : 0.0;
    return (turned ? 0.7853981633974483 : 0.0) + (q + mad(q * z, p, low));
}

// atan(x), within 2 ulp; above 1 by way of pi / 2 - atan(1 / x).
[[gnu::always_inline]] inline double atan(double x) {
    const double a = abs(x);
    const bool steep = a > 1.0;
    const double p = atan_ratio(steep ? 1.0 : a, steep ? a : 1.0);
    const double reflected = 1.5707963267948966 - (p - 6.123233995736766e-17);
    return copysign(above_positive(a, 1.0) ? reflected : p, x);
}

// The angle of the point (x, y), within 3 ulp; zeros and infinities as in C's annex F.
[[gnu::always_inline]] inline double atan2(double y, double x) {
    const double a = abs(x);
    const double b = abs(y);
    const double smaller = b > a ? a : b;
    const std::uint64_t larger = bits_of(b > a ? b : a);
    // 0 / 0 becomes 0 over the least denormal
    const double p = atan_ratio(smaller, from_bits(larger + (larger == 0)));
    const double reflected = 1.5707963267948966 - (p - 6.123233995736766e-17);
    const double right = above_positive(b, a) ? reflected : p;
    const bool left = static_cast<std::int64_t>(bits_of(x)) < 0;
    const double angle = left ? 3.141592653589793 - (right - 1.2246467991473532e-16) : right;
    const double diagonal = left ? 2.356194490192345 : 0.7853981633974483;
    const bool infinite = (a == kInfinity<double>) & (b == kInfinity<double>);
    return copysign(infinite ? diagonal : angle, y);
}

// sinh(x), cosh(x), within 3 ulp; see the float versions.
[[gnu::always_inline]] inline double sinh(double x) {
    const ExpReducedDouble reduced = exp_reduce(abs(x) > 710.6 ? 710.6 : abs(x));
    const double scale = power_of_two(reduced.magic_plus_n - 2.0);
    const double quarter = mad(scale, expm1_polynomial(reduced), scale - 0.25);
    const double h = quarter + quarter;
    const double result = copysign(h + (h < 0x1p60 ? h / (h + h + 1.0) : 0.5), x);
    return abs(x) < 0x1p-28 ? x : result;
}
[[gnu::always_inline]] inline double cosh(double x) {
    const ExpReducedDouble reduced = exp_reduce(abs(x) > 710.6 ? 710.6 : abs(x));
    const double p = 1.0 + expm1_polynomial(reduced);
    const double quarter = p * power_of_two(reduced.magic_plus_n - 2.0);
    return (quarter + quarter) + 0.125 / quarter;
}

// sqrt(x^2 + y^2), within 2 ulp, the squares kept in range by a power of two.
[[gnu::always_inline]] inline double hypot(double x, double y) {
    const double a = abs(x);
    const double b = abs(y);
    const double larger = b > a ? b : a;
    const double smaller = b > a ? a : b;
    const bool big = larger > 0x1p500;
    double scale = larger < 0x1p-400 ? 0x1p600 : 1.0;
    double inverse = larger < 0x1p-400 ? 0x1p-600 : 1.0;
    scale = big ? 0x1p-600 : scale;
    inverse = big ? 0x1p600 : inverse;
    const double p = larger * scale;
    const double q = smaller * scale;
    const double result = sqrt(mad(p, p, q * q)) * inverse;
    return (a == kInfinity<double>) | (b == kInfinity<double>) ? kInfinity<double> : result;
}

}  // namespace
}  // namespace rushlight::math
