// The compiler's vector types as the hand-blocked loops use them. For *.isa.cpp files: everything is
// in an unnamed namespace on purpose, since it differs between instruction sets.
#pragma once

#include <type_traits>
#include <utility>

#if defined(__FMA__)
#include <immintrin.h>
#endif

namespace rushlight {
namespace {

// The widest vector.
#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T, int Bytes = kVectorBytes>
struct Vector {
    typedef T type __attribute__((vector_size(Bytes)));
    typedef T loose __attribute__((vector_size(Bytes), aligned(alignof(T)), may_alias));
    static constexpr int lanes = Bytes / int(sizeof(T));
};

template <class T, int Bytes = kVectorBytes>
inline typename Vector<T, Bytes>::type load(const T* from) {
    return *reinterpret_cast<const typename Vector<T, Bytes>::loose*>(from);
}

template <int Bytes = kVectorBytes, class T>
inline void store(T* to, typename Vector<T, Bytes>::type value) {
    *reinterpret_cast<typename Vector<T, Bytes>::loose*>(to) = value;
}

// The first `count` lanes, zeros after them; nothing beyond is read.
template <class T, int Bytes = kVectorBytes>
inline typename Vector<T, Bytes>::type load_part(const T* from, int count) {
    constexpr int W = Vector<T, Bytes>::lanes;
    if (count >= W) return load<T, Bytes>(from);
    if (count < 0) __builtin_unreachable();
#if defined(__AVX512VL__)
    const auto mask = (1u << count) - 1;
    if constexpr (std::is_same_v<T, float> && Bytes == 64) return _mm512_maskz_loadu_ps(mask, from);
    if constexpr (std::is_same_v<T, float> && Bytes == 32) return _mm256_maskz_loadu_ps(mask, from);
    if constexpr (std::is_same_v<T, double> && Bytes == 64) return _mm512_maskz_loadu_pd(mask, from);
#endif
    typename Vector<T, Bytes>::type value = {};
    __builtin_memcpy(&value, from, std::size_t(count) * sizeof(T));
    return value;
}

// The first `count` lanes, and nothing beyond.
template <int Bytes = kVectorBytes, class T>
inline void store_part(T* to, typename Vector<T, Bytes>::type value, int count) {
    constexpr int W = Vector<T, Bytes>::lanes;
    if (count >= W) return store<Bytes>(to, value);
    if (count < 0) __builtin_unreachable();
#if defined(__AVX512VL__)
    const auto mask = (1u << count) - 1;
    if constexpr (std::is_same_v<T, float> && Bytes == 64) {
        return _mm512_mask_storeu_ps(to, mask, value);
    }
    if constexpr (std::is_same_v<T, float> && Bytes == 32) {
        return _mm256_mask_storeu_ps(to, mask, value);
    }
    if constexpr (std::is_same_v<T, double> && Bytes == 64) {
        return _mm512_mask_storeu_pd(to, mask, value);
    }
#endif
    __builtin_memcpy(to, &value, std::size_t(count) * sizeof(T));
}

// The value in every lane; x - 0 is x for every x.
template <class Vec, class T>
inline Vec spread(T value) {
    return value - Vec{};
}

// c + a * b, in one rounding where the instruction set has it (the build forbids the compiler to
// contract by itself).
template <class Vec>
inline Vec fma(Vec a, Vec b, Vec c) {
#if defined(__FMA__)
    using T = std::remove_reference_t<decltype(a[0])>;
    if constexpr (std::is_same_v<T, float>) {
        if constexpr (sizeof(Vec) == 16) return _mm_fmadd_ps(a, b, c);
        if constexpr (sizeof(Vec) == 32) return _mm256_fmadd_ps(a, b, c);
    } else if constexpr (std::is_same_v<T, double>) {
        if constexpr (sizeof(Vec) == 16) return _mm_fmadd_pd(a, b, c);
        if constexpr (sizeof(Vec) == 32) return _mm256_fmadd_pd(a, b, c);
    }
#if defined(__AVX512F__)
    if constexpr (sizeof(Vec) == 64 && std::is_same_v<T, float>) return _mm512_fmadd_ps(a, b, c);
    if constexpr (sizeof(Vec) == 64 && std::is_same_v<T, double>) return _mm512_fmadd_pd(a, b, c);
#endif
#endif
    return c + a * b;
}

// Products of complex numbers, whose parts lie side by side.
template <class Vec, int... i>
inline Vec complex_product(Vec a, Vec b, std::integer_sequence<int, i...>) {
    constexpr int W = int(sizeof...(i));
    const Vec real = __builtin_shufflevector(a, a, (i & ~1)...);
    const Vec imag = __builtin_shufflevector(a, a, (i | 1)...);
    const Vec straight = real * b, across = imag * __builtin_shufflevector(b, b, (i ^ 1)...);
    return __builtin_shufflevector(straight - across, straight + across, (i & 1 ? i + W : i)...);
}
template <class Vec>
inline Vec complex_product(Vec a, Vec b) {
    constexpr int W = int(sizeof(Vec) / sizeof(a[0]));
    return complex_product(a, b, std::make_integer_sequence<int, W>());
}

// One step of a transposition: in each group of 2 * `Run` lanes, the second half of a changes places
// with the first half of b.
template <int Run, class Vec, int... i>
inline void exchange(Vec& a, Vec& b, std::integer_sequence<int, i...>) {
    constexpr int W = int(sizeof...(i));
    const Vec low = __builtin_shufflevector(a, b, (i & Run ? i - Run + W : i)...);
    b = __builtin_shufflevector(a, b, (i & Run ? i + W : i + Run)...);
    a = low;
}

// The rows of a square, one vector each, become its columns.
template <int W, int Run = W / 2, class Vec>
inline void transpose(Vec* rows) {
    if constexpr (Run > 0) {
#pragma GCC unroll 8
        for (int r = 0; r < W; ++r) {
            if (r & Run) continue;
            exchange<Run>(rows[r], rows[r + Run], std::make_integer_sequence<int, W>());
        }
        transpose<W, Run / 2>(rows);
    }
}

// Squares up to this width transpose in registers without spilling.
constexpr int kSquareBytes = kVectorBytes < 32 ? kVectorBytes : 32;

}  // namespace
}  // namespace rushlight
