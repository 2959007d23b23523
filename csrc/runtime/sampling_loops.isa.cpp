// The loops of sampling_loops.h, branch-free, so that the compiler vectorises them.
//
// fused() stands where PyTorch's build fuses a multiply and an add, so that results are its bits.
// Logarithm, sine and cosine use the single-precision polynomials of S. Moshier's Cephes library
// (https://www.netlib.org/cephes), which PyTorch's normals are made with; the functions of
// elementwise/math.h are as accurate, but round differently here and there.
#include "runtime/sampling_loops.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

constexpr int kWords = 624, kShift = 397;

// a * b + c, rounded once. Without the instruction: the product is exact in double, and the second
// rounding of the sum matters once in some 2^29 cases.
[[gnu::always_inline]] inline float fused(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return __builtin_fmaf(a, b, c);
#else
    return float(double(a) * double(b) + double(c));
#endif
}

[[gnu::always_inline]] inline float float_of(std::uint32_t bits) {
    return __builtin_bit_cast(float, bits);
}
[[gnu::always_inline]] inline double double_of(std::uint64_t bits) {
    return __builtin_bit_cast(double, bits);
}

[[gnu::always_inline]] inline std::uint32_t twisted(std::uint32_t other, std::uint32_t here,
                                                    std::uint32_t following) {
    const std::uint32_t mixed = (here & 0x80000000u) | (following & 0x7fffffffu);
    return other ^ (mixed >> 1) ^ ((0u - (following & 1u)) & 0x9908b0dfu);
}

void twist(std::uint32_t* words) {
    constexpr int kFirst = kWords - kShift;
    for (int i = 0; i < kFirst; ++i) words[i] = twisted(words[i + kShift], words[i], words[i + 1]);
    for (int i = kFirst; i < kWords - 1; ++i)
        words[i] = twisted(words[i - kFirst], words[i], words[i + 1]);
    words[kWords - 1] = twisted(words[kShift - 1], words[kWords - 1], words[0]);
}

void temper(const std::uint32_t* words, std::uint32_t* out, Index n) {
    for (Index i = 0; i < n; ++i) {
        std::uint32_t y = words[i];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680u;
        y ^= (y << 15) & 0xefc60000u;
        out[i] = y ^ (y >> 18);
    }
}

void uniform_float(const std::uint32_t* words, float* out, Index n, float from, float to) {
    const float range = to - from;
    for (Index i = 0; i < n; ++i) {
        const float unit = float(std::int32_t(words[i] & 0xffffffu)) * 0x1p-24f;
        const float value = fused(unit, range, from);
        out[i] = value == to ? from : value;  // rounding may reach the open end
    }
}

// The low 53 bits of the i-th pair of words, the first of the pair on top.
[[gnu::always_inline]] inline std::uint64_t bits53(const std::uint32_t* words, Index i) {
    return (std::uint64_t(words[2 * i] & 0x1fffffu) << 32) | words[2 * i + 1];
}

void uniform_double(const std::uint32_t* words, double* out, Index n, double from, double to) {
    const double range = to - from;
    for (Index i = 0; i < n; ++i) {
        // An exact conversion without a 64-bit one, which AVX2 lacks: the halves are placed in the
        // mantissas of 2^84 and 2^52.
        const std::uint64_t bits = bits53(words, i);
        const double high = double_of((bits >> 32) | 0x4530000000000000u);
        const double low = double_of((bits & 0xffffffffu) | 0x4330000000000000u);
        const double unit = ((high - (0x1p84 + 0x1p52)) + low) * 0x1p-53;
        const double value = __builtin_fma(unit, range, from);
        out[i] = value == to ? from : value;
    }
}

void bernoulli(const std::uint32_t* words, std::uint8_t* out, Index n, std::int64_t threshold) {
    for (Index i = 0; i < n; ++i) out[i] = std::int64_t(bits53(words, i)) < threshold;
}

// log(x) for normal x in (0, 1].
[[gnu::always_inline]] inline float log_unit(float x) {
    const auto bits = __builtin_bit_cast(std::uint32_t, x);
    const std::uint32_t mantissa = bits & 0x007fffffu;
    const std::uint32_t low = mantissa < 0x003504f3u ? ~0u : 0u;  // below sqrt(1/2)
    const float fraction = float_of(mantissa | 0x3f000000u);      // [0.5, 1)
    const float exponent = float(std::int32_t((bits >> 23) + low) - 126);
    const float y = (fraction - 1.0f) + float_of((mantissa | 0x3f000000u) & low);  // about 0
    float p = 7.0376836292e-2f;
    p = fused(p, y, -1.1514610310e-1f);
    p = fused(p, y, 1.1676998740e-1f);
    p = fused(p, y, -1.2420140846e-1f);
    p = fused(p, y, 1.4249322787e-1f);
    p = fused(p, y, -1.6668057665e-1f);
    p = fused(p, y, 2.0000714765e-1f);
    p = fused(p, y, -2.4999993993e-1f);
    p = fused(p, y, 3.3333331174e-1f);
    const float square = y * y;
    float tail = fused(p * y, square, exponent * -2.12194440e-4f);  // ln 2 in two parts
    tail = fused(square, -0.5f, tail);
    return fused(exponent, 0.693359375f, y + tail);
}

struct SinCos {
    float sin, cos;
};

// Sine and cosine of an angle in [0, 2 pi].
[[gnu::always_inline]] inline SinCos sin_cos(float angle) {
    const std::int32_t octant = std::int32_t(angle * 1.27323954473516f);
    const std::int32_t even = (octant + 1) & ~1;  // the nearest multiple of a quarter turn, doubled
    const float turns = float(even);
    float x = fused(turns, -0.78515625f, angle);  // pi/4 in three parts
    x = fused(turns, -2.4187564849853515625e-4f, x);
    x = fused(turns, -3.77489497744594108e-8f, x);
    const float z = x * x;
    float c = fused(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    c = fused(c, z, 4.166664568298827e-2f);
    c = fused(c * z, z, z * -0.5f) + 1.0f;
    float s = fused(-1.9515295891e-4f, z, 8.3321608736e-3f);
    s = fused(s, z, -1.6666654611e-1f);
    s = fused(s * z, x, x);
    const bool swapped = (even & 2) != 0;
    const std::uint32_t sin_sign = std::uint32_t(even & 4) << 29;
    const std::uint32_t cos_sign = std::uint32_t((even + 2) & 4) << 29;
    const auto signed_by = [](float value, std::uint32_t sign) {
        return float_of(__builtin_bit_cast(std::uint32_t, value) ^ sign);
    };
    return {signed_by(swapped ? c : s, sin_sign), signed_by(swapped ? s : c, cos_sign)};
}

void normal_float(float* data, Index blocks, float mean, float deviation) {
    constexpr auto kTurn = float(2.0 * 3.14159265358979323846);
    for (Index block = 0; block < blocks; ++block, data += 16) {
        for (int j = 0; j < 8; ++j) {
            const float radius = __builtin_sqrtf(-2.0f * log_unit(1.0f - data[j]));
            const SinCos angle = sin_cos(kTurn * data[j + 8]);
            data[j] = fused(radius * angle.cos, deviation, mean);
            data[j + 8] = fused(radius * angle.sin, deviation, mean);
        }
    }
}

constexpr SamplingLoops kTable{
    .twist = twist,
    .temper = temper,
    .uniform_float = uniform_float,
    .uniform_double = uniform_double,
    .bernoulli = bernoulli,
    .normal_float = normal_float,
};

}  // namespace

const SamplingLoops& sampling_loops() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
