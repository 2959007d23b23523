// One operation straight from memory to memory, on types that no register has: short integers need
// no trip through int64, halves none through a block of floats, and complex64 none through one of
// doubles. Values are those of the registers; compiled once per instruction set.
#include "elementwise/isa_loops.h"
#include "elementwise/memory_lanes.h"
#include "elementwise/pointwise_loops.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

// What int64 gives, cut to the size of T.
template <class Row, class T, class... Rest>
[[gnu::always_inline]] inline auto of_integers(T a, Rest... rest) {
    using U = std::uint32_t;  // wraps around where int would overflow
    if constexpr (std::is_same_v<Row, rows::Add>) return T((U(a) + ... + U(rest)));
    else if constexpr (std::is_same_v<Row, rows::Sub>) return T((U(a) - ... - U(rest)));
    else if constexpr (std::is_same_v<Row, rows::Mul>) return T((U(a) * ... * U(rest)));
    else return Row::call(a, rest...);
}

template <class Row, class T, bool one, int... k>
void integer_loop(void* dst, const void* const* src, Index n, std::integer_sequence<int, k...>) {
    const auto loop = [=](auto... source) {
        auto* d = static_cast<decltype(of_integers<Row>(T{}, T(source[0])...))*>(dst);
        auto* a = static_cast<const T*>(src[0]);
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) d[i] = of_integers<Row>(a[i], T(source[i])...);
    };
    loop(Source<std::conditional_t<one, std::int64_t, T>, one>(src[k + 1])...);
}

// `one`: the operands but the first are one value each, of int64.
template <class Row, class T, bool one>
void integer_loop(void* dst, const void* const* src, Index n) {
    integer_loop<Row, T, one>(dst, src, n,
                              std::make_integer_sequence<int, Row::info.arity - 1>());
}

// Products of what was float are exact as doubles: fusing one with the sum changes nothing.
template <class Vec>
[[gnu::always_inline]] inline Vec exact_product(Vec a, Vec b) {
#if defined(__AVX512F__)
    const Vec across = _mm512_mul_pd(_mm512_permute_pd(a, 0xff), _mm512_permute_pd(b, 0x55));
    return _mm512_fmaddsub_pd(_mm512_movedup_pd(a), b, across);
#elif defined(__FMA__)
    const Vec across = _mm256_mul_pd(_mm256_permute_pd(a, 0xf), _mm256_permute_pd(b, 0x5));
    return _mm256_fmaddsub_pd(_mm256_movedup_pd(a), b, across);
#else
    return complex_product(a, b);
#endif
}

// In double and rounded once, as in a register. `one`: the second operand is one complex double.
template <bool one>
void complex_products(void* dst, const void* const* src, Index n) {
    constexpr int W = Vector<double>::lanes;
    auto* d = static_cast<float*>(dst);
    auto* a = static_cast<const float*>(src[0]);
    auto* b = static_cast<const float*>(src[1]);
    auto* number = static_cast<const double*>(src[1]);
    Lanes<double, W> numbers = {};
    for (int l = 0; one && l < W; ++l) numbers[l] = number[l & 1];
    Index i = 0;
    for (; i + W <= 2 * n; i += W) {
        const auto right = one ? numbers : load_as<double, W>(b + i);
        const auto found = exact_product(right, load_as<double, W>(a + i));
        store<W * 4>(d + i, __builtin_convertvector(found, Lanes<float, W>));
    }
    for (; i < 2 * n; i += 2) {
        const double are = a[i], aim = a[i + 1];
        const double bre = one ? number[0] : b[i], bim = one ? number[1] : b[i + 1];
        d[i] = float(are * bre - aim * bim);
        d[i + 1] = float(are * bim + aim * bre);
    }
}

// A sum of two floats is the same rounded from double.
template <class Row, bool one>
void complex_sums(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<float*>(dst);
    auto* a = static_cast<const float*>(src[0]);
    auto* b = static_cast<const float*>(src[1]);
    if constexpr (one) {
        auto* number = static_cast<const double*>(src[1]);
        const float re = float(number[0]), im = float(number[1]);
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) {
            d[2 * i] = Row::call(a[2 * i], re);
            d[2 * i + 1] = Row::call(a[2 * i + 1], im);
        }
    } else {
#pragma GCC ivdep
        for (Index i = 0; i < 2 * n; ++i) d[i] = Row::call(a[i], b[i]);
    }
}

template <bool equal>
void complex_compare(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<Bool*>(dst);
    auto* a = static_cast<const float*>(src[0]);
    auto* b = static_cast<const float*>(src[1]);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i)
        d[i] = ((a[2 * i] == b[2 * i]) & (a[2 * i + 1] == b[2 * i + 1])) == equal;
}

// In float and rounded once. `one`: the second operand is one float.
template <class Row, class T, bool one>
void half_loop(void* dst, const void* const* src, Index n) {
    constexpr int W = kVectorBytes / int(sizeof(float));
    auto* d = static_cast<T*>(dst);
    auto* a = static_cast<const T*>(src[0]);
    auto* b = static_cast<const T*>(src[1]);
    const float number = one ? *static_cast<const float*>(src[1]) : 0.0F;
    const auto numbers = spread<Lanes<float, W>>(number);
    Index i = 0;
    for (; i + W <= n; i += W) {
        const auto second = one ? numbers : load_as<float, W>(b + i);
        store_halves<W>(d + i, Row::call(load_as<float, W>(a + i), second));
    }
    for (; i < n; ++i) d[i] = T(Row::call(float(a[i]), one ? number : float(b[i])));
}

template <class T, class... Row>
void add_halves(LoopTable& table) {
    ((table.narrow[row_of<Row>][int(dtype_of<T>)] = &half_loop<Row, T, false>), ...);
    ((table.narrow_one_last[row_of<Row>][int(dtype_of<T>)] = &half_loop<Row, T, true>), ...);
}

template <class T, class... Row>
void add_integers(LoopTable& table) {
    ((table.narrow[row_of<Row>][int(dtype_of<T>)] = &integer_loop<Row, T, false>), ...);
    ((table.narrow_one_last[row_of<Row>][int(dtype_of<T>)] = &integer_loop<Row, T, true>), ...);
}

void add_complex(LoopTable& table) {
    constexpr int to = int(DType::C64);
    const auto add = [&]<class Row>(Row, PointwiseLoop loop, PointwiseLoop one_last) {
        table.narrow[row_of<Row>][to] = loop;
        table.narrow_one_last[row_of<Row>][to] = one_last;
    };
    add(rows::Add(), &complex_sums<rows::Add, false>, &complex_sums<rows::Add, true>);
    add(rows::Sub(), &complex_sums<rows::Sub, false>, &complex_sums<rows::Sub, true>);
    add(rows::Mul(), &complex_products<false>, &complex_products<true>);
    add(rows::Eq(), &complex_compare<true>, nullptr);
    add(rows::Ne(), &complex_compare<false>, nullptr);
}

}  // namespace

void add_narrow_loops(LoopTable& table) {
    using namespace rows;
    const auto add = [&]<class T>(T) {
        add_integers<T, Add, Sub, Mul, Maximum, Minimum, Clamp, Eq, Ne, Lt, Le, Gt, Ge, BitwiseAnd,
                     BitwiseOr, BitwiseXor>(table);
    };
    add(std::uint8_t());
    add(std::int8_t());
    add(std::int16_t());
    add(std::int32_t());
    add_halves<Half, Add, Sub, Mul, Div, Maximum, Minimum>(table);
    add_halves<BFloat16, Add, Sub, Mul, Div, Maximum, Minimum>(table);
    add_complex(table);
}

}  // namespace rushlight::RUSHLIGHT_ISA
