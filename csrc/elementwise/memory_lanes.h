// Memory of any real dtype as vectors of a type to compute in. For *.isa.cpp files: everything is in
// an unnamed namespace on purpose, since it differs between instruction sets.
#pragma once

#include <cstdint>
#include <type_traits>

#include "array/dtype.h"
#include "runtime/vectors.h"

namespace rushlight {
namespace {

template <class L, int W>
using Lanes = typename Vector<L, W * int(sizeof(L))>::type;

template <int W>
[[gnu::always_inline]] inline Lanes<float, W> halves(const Half* from) {
#if defined(__AVX512F__)
    if constexpr (W == 16)
        return _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256((const __m256i*)from));
#endif
#if defined(__F16C__)
    if constexpr (W == 8) return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)from));
    if constexpr (W == 4) return _mm_cvtph_ps(_mm_loadl_epi64((const __m128i*)from));
#endif
    Lanes<float, W> values;
    for (int l = 0; l < W; ++l) values[l] = float(from[l]);
    return values;
}

// Lanes of a wider type, in steps of twice the size: the compiler takes longer ones apart.
template <class L, class T, int W, class V>
[[gnu::always_inline]] inline Lanes<L, W> widen(V values) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float> && std::is_same_v<L, double> && W == 8)
        return _mm512_maskz_cvtps_pd(0xff, values);
#endif
#if defined(__AVX2__)
    if constexpr (std::is_same_v<T, float> && std::is_same_v<L, double> && W == 4)
        return _mm256_cvtps_pd(values);
#endif
    if constexpr (std::is_same_v<L, T>) {
        return values;
    } else if constexpr (std::is_integral_v<T> && sizeof(T) < 4 && sizeof(L) > 2 * sizeof(T)) {
        using Signed = std::conditional_t<sizeof(T) == 1, std::int16_t, std::int32_t>;
        using Next = std::conditional_t<std::is_signed_v<T>, Signed, std::make_unsigned_t<Signed>>;
        return widen<L, Next, W>(__builtin_convertvector(values, Lanes<Next, W>));
    } else {
        return __builtin_convertvector(values, Lanes<L, W>);
    }
}

// The next values of memory as W lanes.
template <class L, int W, class T>
[[gnu::always_inline]] inline Lanes<L, W> load_as(const T* from) {
    if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
        Lanes<float, W> values;
        if constexpr (std::is_same_v<T, Half>) {
            values = halves<W>(from);
        } else {  // the upper half of a float
            const auto bits = load<std::uint16_t, W * 2>(&from->bits);
            values = Lanes<float, W>(__builtin_convertvector(bits, Lanes<std::uint32_t, W>) << 16);
        }
        return widen<L, float, W>(values);
    } else {
        return widen<L, T, W>(load<T, W * int(sizeof(T))>(from));
    }
}

// W floats rounded to half precision, as the scalar conversions round.
template <int W>
[[gnu::always_inline]] inline void store_halves(Half* to, Lanes<float, W> values) {
#if defined(__AVX512F__)
    if constexpr (W == 16)
        return _mm256_storeu_si256((__m256i*)to, _mm512_maskz_cvtps_ph(0xffff, values, 0));
#endif
#if defined(__F16C__)
    if constexpr (W == 8) return _mm_storeu_si128((__m128i*)to, _mm256_cvtps_ph(values, 0));
#endif
    for (int l = 0; l < W; ++l) to[l] = Half(values[l]);
}

template <int W>
[[gnu::always_inline]] inline void store_halves(BFloat16* to, Lanes<float, W> values) {
    using Bits = Lanes<std::uint32_t, W>;
    const Bits bits = Bits(values), even = (bits >> 16) & 1u;
    const Bits rounded = values == values ? (bits + 0x7fffu + even) >> 16 : Bits{} + 0x7fc0u;
    store<W * 2>(&to->bits, __builtin_convertvector(rounded, Lanes<std::uint16_t, W>));
}

}  // namespace
}  // namespace rushlight
