// Between memory and registers, and between register types; compiled once per instruction set.
#include <algorithm>
#include <cstring>

#include "elementwise/pointwise_loops.h"
#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

template <class T>
using register_of = reg_type<reg_of(dtype_of<T>)>;

// How many of n half-precision numbers were converted by the machine's own instructions.
#if defined(__F16C__)
inline Index load_halves(float* dst, const Half* src, Index n) {
    Index i = 0;
    for (; i + 8 <= n; i += 8) {
        const auto bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(src + i));
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(bits));
    }
    return i;
}
inline __m128i rounded_to_half(const float* src) {
    return _mm256_cvtps_ph(_mm256_loadu_ps(src), _MM_FROUND_TO_NEAREST_INT);
}
inline Index store_halves(Half* dst, const float* src, Index n) {
    Index i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + i), rounded_to_half(src + i));
    return i;
}
inline Index round_halves(float* dst, const float* src, Index n) {
    Index i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(rounded_to_half(src + i)));
    return i;
}
#else
inline Index load_halves(float*, const Half*, Index) { return 0; }
inline Index store_halves(Half*, const float*, Index) { return 0; }
inline Index round_halves(float*, const float*, Index) { return 0; }
#endif

template <class T, class R = register_of<T>>
[[gnu::always_inline]] inline void load(void* dst, const std::byte* src, Index stride, Index n) {
    auto* d = static_cast<R*>(dst);
    if (stride == Index(sizeof(T))) {
        auto* s = reinterpret_cast<const T*>(src);
        Index i = 0;
        if constexpr (std::is_same_v<T, Half>) i = load_halves(d, s, n);
#pragma GCC ivdep
        for (; i < n; ++i) d[i] = convert<R>(s[i]);
    } else if (stride == 0) {
        const R value = convert<R>(*reinterpret_cast<const T*>(src));
        for (Index i = 0; i < n; ++i) d[i] = value;
    } else {
        for (Index i = 0; i < n; ++i) d[i] = convert<R>(*reinterpret_cast<const T*>(src + i * stride));
    }
}

template <class T>
[[gnu::always_inline]] inline void store(std::byte* dst, Index stride, const void* src, Index n) {
    using R = register_of<T>;
    auto* s = static_cast<const R*>(src);
    if (stride == Index(sizeof(T))) {
        auto* d = reinterpret_cast<T*>(dst);
        Index i = 0;
        if constexpr (std::is_same_v<T, Half>) i = store_halves(d, s, n);
#pragma GCC ivdep
        for (; i < n; ++i) {
            if constexpr (std::is_same_v<T, bool>) reinterpret_cast<Bool&>(d[i]) = s[i];
            else d[i] = convert<T>(s[i]);
        }
    } else {
        for (Index i = 0; i < n; ++i)
            *reinterpret_cast<T*>(dst + i * stride) = convert<T>(s[i]);
    }
}

// Each row is full of one value. Whole vectors are written; what is too much of one, the next row
// overwrites.
template <class T>
void spread_rows(T* dst, const std::byte* src, Index row, Index rows, Index n) {
    constexpr Index W = Vector<T>::lanes;
    const T* const end = dst + rows * n;
    for (Index r = 0; r < rows; ++r, dst += n) {
        const T value = *reinterpret_cast<const T*>(src + r * row);
        if (dst + (n + W - 1) / W * W <= end) {
            const auto lanes = value - typename Vector<T>::type{};  // less nothing: in every lane
            for (Index i = 0; i < n; i += W) rushlight::store(dst + i, lanes);
        } else {
            std::fill_n(dst, n, value);
        }
    }
}

template <class T>
void load_rows(void* dst, const std::byte* src, Index row, Index rows, Index stride, Index n) {
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double> ||
                  std::is_same_v<T, std::int64_t>)
        if (stride == 0) return spread_rows(static_cast<T*>(dst), src, row, rows, n);
    for (Index r = 0; r < rows; ++r)
        load<T>(static_cast<register_of<T>*>(dst) + r * n, src + r * row, stride, n);
}

template <class T>
void store_rows(std::byte* dst, Index row, Index rows, Index stride, const void* src, Index n) {
    for (Index r = 0; r < rows; ++r)
        store<T>(dst + r * row, stride, static_cast<const register_of<T>*>(src) + r * n, n);
}

// Rows of a cache's line; what does not fill one is written byte by byte.
void fill(std::byte* dst, Index bytes, const std::byte* pattern) {
    typename Vector<std::uint8_t>::type lanes[kPattern / kVectorBytes];
    std::memcpy(lanes, pattern, kPattern);
    Index i = 0;
    for (; i + kPattern <= bytes; i += kPattern) {
#pragma GCC unroll 4
        for (int v = 0; v < kPattern / kVectorBytes; ++v)
            rushlight::store(reinterpret_cast<std::uint8_t*>(dst + i) + v * kVectorBytes, lanes[v]);
    }
    for (; i < bytes; ++i) dst[i] = pattern[i % kPattern];
}

template <class From, class To>
void convert_loop(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<To*>(dst);
    auto* s = static_cast<const From*>(src[0]);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {
        if constexpr (is_bool<To>) d[i] = s[i] != From(0);
        else d[i] = convert<To>(s[i]);
    }
}

template <class T>
void round_loop(void* dst, const void* const* src, Index n) {
    if constexpr (std::is_same_v<T, Complex64>) {
        // Part by part: GCC 12 loses the rounding of the last element of a loop over pairs.
        auto* d = static_cast<double*>(dst);
        auto* s = static_cast<const double*>(src[0]);
#pragma GCC ivdep
        for (Index i = 0; i < 2 * n; ++i) d[i] = double(float(s[i]));
    } else {
        using R = register_of<T>;
        auto* d = static_cast<R*>(dst);
        auto* s = static_cast<const R*>(src[0]);
        Index i = 0;
        if constexpr (std::is_same_v<T, Half>) i = round_halves(d, s, n);
#pragma GCC ivdep
        for (; i < n; ++i) d[i] = convert<R>(convert<T>(s[i]));
    }
}

template <Reg R>
void add_register(LoopTable& table) {
    using T = reg_type<R>;
    auto& to = table.convert[int(R)];
    to[int(Reg::Bool)] = &convert_loop<T, std::uint8_t>;
    to[int(Reg::Int)] = &convert_loop<T, std::int64_t>;
    to[int(Reg::Float)] = &convert_loop<T, float>;
    to[int(Reg::Double)] = &convert_loop<T, double>;
    to[int(Reg::Complex)] = &convert_loop<T, Complex128>;
}

// uint64 has its own way from and to numbers with a point; all else is as with int64.
void add_unsigned(LoopTable& table) {
    using T = std::uint64_t;
    constexpr int kInt = int(Reg::Int), kUnsigned = int(Reg::Unsigned);
    for (auto& to : table.convert) to[kUnsigned] = to[kInt];
    auto& to = table.convert[kUnsigned];
    std::ranges::copy(table.convert[kInt], to);
    to[int(Reg::Float)] = &convert_loop<T, float>;
    to[int(Reg::Double)] = &convert_loop<T, double>;
    to[int(Reg::Complex)] = &convert_loop<T, Complex128>;
    table.convert[int(Reg::Float)][kUnsigned] = &convert_loop<float, T>;
    table.convert[int(Reg::Double)][kUnsigned] = &convert_loop<double, T>;
    table.convert[int(Reg::Complex)][kUnsigned] = &convert_loop<Complex128, T>;
}

// The type whose loop stores the same bytes.
template <class T>
struct AsStored {
    using type = T;
};
template <class T>
    requires(std::is_unsigned_v<T> && !std::is_same_v<T, bool>)
struct AsStored<T> {
    using type = std::make_signed_t<T>;
};
template <class T>
using as_stored = typename AsStored<T>::type;

}  // namespace

void add_memory_loops(LoopTable& table) {
    add_register<Reg::Bool>(table);
    add_register<Reg::Int>(table);
    add_register<Reg::Float>(table);
    add_register<Reg::Double>(table);
    add_register<Reg::Complex>(table);
    add_unsigned(table);
    table.fill = &fill;
    for (int d = 0; d < kDTypes; ++d)
        dispatch(DType(d), [&]<class T>() {
            using Stored = as_stored<T>;
            using Loaded = std::conditional_t<sizeof(T) == 8, Stored, T>;
            table.load[d] = &load<Loaded>;
            if constexpr (std::is_integral_v<T> && sizeof(T) <= 4) {
                using Byte = std::conditional_t<std::is_same_v<T, bool>, Bool, T>;
                table.load_float[d] = &load<Byte, float>;
            }
            table.store[d] = &store<Stored>;
            table.load_rows[d] = &load_rows<Loaded>;
            table.store_rows[d] = &store_rows<Stored>;
            if constexpr (sizeof(T) != sizeof(register_of<T>)) table.round[d] = &round_loop<T>;
        });
}

}  // namespace rushlight::RUSHLIGHT_ISA
