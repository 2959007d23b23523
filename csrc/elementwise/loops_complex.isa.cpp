// Common rows on blocks of complex numbers, in place of those of loops_plain.cpp: part by part, so
// that the compiler vectorises them. Products and quotients are the plain formulas; infinite
// operands give what these give, as in PyTorch.
#include "elementwise/pointwise_loops.h"
#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

// Real and imaginary part.
struct Parts {
    double re, im;
};

template <class F>
[[gnu::always_inline]] inline void each(void* dst, const void* const* src, Index n, F f) {
    auto* d = static_cast<double*>(dst);
    auto* a = static_cast<const double*>(src[0]);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {
        const Parts r = f(Parts{a[2 * i], a[2 * i + 1]});
        d[2 * i] = r.re;
        d[2 * i + 1] = r.im;
    }
}

// `one`: the second operand is one value.
template <bool one = false, class F>
[[gnu::always_inline]] inline void each_pair(void* dst, const void* const* src, Index n, F f) {
    auto* d = static_cast<double*>(dst);
    auto* a = static_cast<const double*>(src[0]);
    auto* b = static_cast<const double*>(src[1]);
    const Parts number{b[0], b[1]};
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {
        const Parts other = one ? number : Parts{b[2 * i], b[2 * i + 1]};
        const Parts r = f(Parts{a[2 * i], a[2 * i + 1]}, other);
        d[2 * i] = r.re;
        d[2 * i + 1] = r.im;
    }
}

// Smith's division (1962): by the larger part first, so that nothing overflows on the way.
inline Parts quotient(Parts a, Parts b) {
    const bool real = std::abs(b.re) >= std::abs(b.im);
    const double large = real ? b.re : b.im, small = real ? b.im : b.re;
    const double ratio = small / large, scale = 1 / (large + small * ratio);
    const double one = real ? a.re : a.im, two = real ? a.im : a.re;
    const double re = (one + two * ratio) * scale, im = (two - one * ratio) * scale;
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const bool zero = (b.re == 0) & (b.im == 0);
    return {zero ? a.re * kInfinity : re, zero ? a.im * kInfinity : real ? im : -im};
}

// A power of two with which the squares of both parts are in range, and what undoes it.
struct Scale {
    double down, up;
};
inline Scale scale_of(Parts a) {
    constexpr double kLarge = 0x1p500, kSmall = 0x1p-500, kUp = 0x1p600, kDown = 0x1p-600;
    const double re = std::abs(a.re), im = std::abs(a.im), most = re > im ? re : im;
    const bool large = most > kLarge, small = most < kSmall;
    return {large ? kDown : small ? kUp : 1.0, large ? kUp : small ? kDown : 1.0};
}
inline double scaled_size(Parts a, double scale) {
    const double re = a.re * scale, im = a.im * scale;
    return math::sqrt(re * re + im * im);
}
inline double size_of(Parts a) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const Scale scale = scale_of(a);
    const double size = scaled_size(a, scale.down) * scale.up;
    const bool infinite = (std::abs(a.re) == kInfinity) | (std::abs(a.im) == kInfinity);
    return infinite ? kInfinity : size;
}

template <bool one>
void add(void* d, const void* const* s, Index n) {
    each_pair<one>(d, s, n, [](Parts a, Parts b) { return Parts{a.re + b.re, a.im + b.im}; });
}
template <bool one>
void sub(void* d, const void* const* s, Index n) {
    each_pair<one>(d, s, n, [](Parts a, Parts b) { return Parts{a.re - b.re, a.im - b.im}; });
}
template <bool one>
void mul(void* dst, const void* const* src, Index n) {
    constexpr Index W = Vector<double>::lanes;
    auto* d = static_cast<double*>(dst);
    auto* a = static_cast<const double*>(src[0]);
    auto* b = static_cast<const double*>(src[1]);
    typename Vector<double>::type number = {};
    for (int l = 0; one && l < W; ++l) number[l] = b[l & 1];
    Index i = 0;
    for (; i + W <= 2 * n; i += W) {
        const auto left = rushlight::load<double>(a + i);
        store(d + i, complex_product(one ? number : rushlight::load<double>(b + i), left));
    }
    const int rest = int(2 * n - i);
    if (rest > 0) {
        const auto right = one ? number : load_part(b + i, rest);
        store_part(d + i, complex_product(right, load_part(a + i, rest)), rest);
    }
}
template <bool equal>
void compare(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<Bool*>(dst);
    auto* a = static_cast<const double*>(src[0]);
    auto* b = static_cast<const double*>(src[1]);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i)
        d[i] = ((a[2 * i] == b[2 * i]) & (a[2 * i + 1] == b[2 * i + 1])) == equal;
}
void div(void* d, const void* const* s, Index n) { each_pair(d, s, n, quotient); }
void neg(void* d, const void* const* s, Index n) {
    each(d, s, n, [](Parts a) { return Parts{-a.re, -a.im}; });
}
void conj(void* d, const void* const* s, Index n) {
    each(d, s, n, [](Parts a) { return Parts{a.re, -a.im}; });
}
void imag(void* d, const void* const* s, Index n) {
    each(d, s, n, [](Parts a) { return Parts{a.im, 0.0}; });
}
void square(void* d, const void* const* s, Index n) {
    const void* const both[2] = {s[0], s[0]};
    mul<false>(d, both, n);
}
void reciprocal(void* d, const void* const* s, Index n) {
    each(d, s, n, [](Parts a) { return quotient({1.0, 0.0}, a); });
}
void abs(void* d, const void* const* s, Index n) {
    each(d, s, n, [](Parts a) { return Parts{size_of(a), 0.0}; });
}
void sgn(void* d, const void* const* s, Index n) {
    each(d, s, n, [](Parts a) {
        const double down = scale_of(a).down, size = scaled_size(a, down);
        const bool zero = size == 0;
        return Parts{zero ? 0.0 : a.re * down / size, zero ? 0.0 : a.im * down / size};
    });
}
void angle(void* d, const void* const* s, Index n) {
    each(d, s, n, [](Parts a) { return Parts{math::atan2(a.im, a.re), 0.0}; });
}
void pow(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<Complex128*>(dst);
    auto* a = static_cast<const Complex128*>(src[0]);
    auto* b = static_cast<const Complex128*>(src[1]);
    bool squares = true;  // the one power that is common
    for (Index i = 0; i < n && squares; ++i) squares = b[i] == 2.0;
    if (squares) return square(dst, src, n);
    for (Index i = 0; i < n; ++i) d[i] = rows::Pow::call(a[i], b[i]);
}

void load_pairs(void* dst, const std::byte* src, Index stride, Index n) {
    auto* d = static_cast<double*>(dst);
    if (stride == Index(sizeof(Complex64))) {
        auto* s = reinterpret_cast<const float*>(src);
#pragma GCC ivdep
        for (Index i = 0; i < 2 * n; ++i) d[i] = double(s[i]);
    } else {
        for (Index i = 0; i < n; ++i) {
            auto* s = reinterpret_cast<const float*>(src + i * stride);
            d[2 * i] = double(s[0]);
            d[2 * i + 1] = double(s[1]);
        }
    }
}

void store_pairs(std::byte* dst, Index stride, const void* src, Index n) {
    auto* s = static_cast<const double*>(src);
    if (stride == Index(sizeof(Complex64))) {
        auto* d = reinterpret_cast<float*>(dst);
#pragma GCC ivdep
        for (Index i = 0; i < 2 * n; ++i) d[i] = float(s[i]);
    } else {
        for (Index i = 0; i < n; ++i) {
            auto* d = reinterpret_cast<float*>(dst + i * stride);
            d[0] = float(s[2 * i]);
            d[1] = float(s[2 * i + 1]);
        }
    }
}

void load_pair_rows(void* dst, const std::byte* src, Index row, Index rows, Index stride, Index n) {
    for (Index r = 0; r < rows; ++r) {
        load_pairs(static_cast<Complex128*>(dst) + r * n, src + r * row, stride, n);
    }
}

void store_pair_rows(std::byte* dst, Index row, Index rows, Index stride, const void* src,
                     Index n) {
    for (Index r = 0; r < rows; ++r) {
        store_pairs(dst + r * row, stride, static_cast<const Complex128*>(src) + r * n, n);
    }
}

template <class Row>
void set(LoopTable& table, PointwiseLoop loop, PointwiseLoop one_last = nullptr) {
    table.pointwise[row_of<Row>][int(Reg::Complex)] = loop;
    table.one_last[row_of<Row>][int(Reg::Complex)] = one_last;
}

}  // namespace

void add_complex_loops(LoopTable& table) {
    set<rows::Add>(table, add<false>, add<true>);
    set<rows::Sub>(table, sub<false>, sub<true>);
    set<rows::Mul>(table, mul<false>, mul<true>);
    set<rows::Eq>(table, compare<true>);
    set<rows::Ne>(table, compare<false>);
    set<rows::Div>(table, div);
    set<rows::Neg>(table, neg);
    set<rows::Conj>(table, conj);
    set<rows::Imag>(table, imag);
    set<rows::Square>(table, square);
    set<rows::Reciprocal>(table, reciprocal);
    set<rows::Abs>(table, abs);
    set<rows::Sgn>(table, sgn);
    set<rows::Angle>(table, angle);
    set<rows::Pow>(table, pow);
    table.load[int(DType::C64)] = load_pairs;
    table.store[int(DType::C64)] = store_pairs;
    table.load_rows[int(DType::C64)] = load_pair_rows;
    table.store_rows[int(DType::C64)] = store_pair_rows;
}

}  // namespace rushlight::RUSHLIGHT_ISA
