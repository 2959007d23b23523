// Rows of one operand.
#pragma once

#include "elementwise/rows/arithmetic.h"

namespace rushlight {
namespace {
namespace rows {

struct Neg {
    static constexpr RowInfo info{"neg", 1, Rule::Promote, kNumber};
    template <class T>
    static T call(T a) {
        if constexpr (is_int<T>) return wrap(0 - std::uint64_t(a));
        else return -a;
    }
};
struct Abs {  // of complex: the modulus, as a complex number
    static constexpr RowInfo info{"abs", 1, Rule::Promote, kAll};
    template <class T>
    static T call(T a) {
        if constexpr (is_bool<T>) return a;
        else if constexpr (is_int<T>) return negative(a) ? T(0 - std::uint64_t(a)) : a;
        else return std::abs(a);
    }
};
struct Sign {
    static constexpr RowInfo info{"sign", 1, Rule::Promote, kB | kReal};
    template <class T>
    static T call(T a) { return T(a > T(0)) - T(a < T(0)); }
};
struct Sgn {
    static constexpr RowInfo info{"sgn", 1, Rule::Promote, kAll};
    template <class T>
    static T call(T a) {
        if constexpr (is_complex_reg<T>) return a == T(0) ? T(0) : a / std::abs(a);
        else return T(a > T(0)) - T(a < T(0));
    }
};
struct Square {
    static constexpr RowInfo info{"square", 1, Rule::Promote, kNumber};
    template <class T>
    static T call(T a) { return Mul::call(a, a); }
};
struct Reciprocal {
    static constexpr RowInfo info{"reciprocal", 1, Rule::Float, kFloats | kZ};
    template <class T>
    static T call(T a) { return T(1) / a; }
};
struct Conj {
    static constexpr RowInfo info{"conj_physical", 1, Rule::Promote, kAll};
    template <class T>
    static T call(T a) {
        if constexpr (is_complex_reg<T>) return std::conj(a);
        else return a;
    }
};
struct Imag {  // the imaginary part, as a complex number with none
    static constexpr RowInfo info{"imag_part", 1, Rule::Promote, kZ};
    template <class T>
    static T call(T a) { return T(a.imag()); }
};
struct Angle {
    static constexpr RowInfo info{"angle", 1, Rule::Float, kFloats | kZ, true};
    template <class T>
    static T call(T a) {
        if constexpr (is_complex_reg<T>) return T(std::arg(a));
        else return a != a ? a : a < 0 ? T(3.14159265358979323846) : T(0);
    }
};
struct Relu {
    static constexpr RowInfo info{"relu", 1, Rule::Promote, kReal};
    template <class T>
    static T call(T a) { return (a > T(0)) | (a != a) ? a : T(0); }
};

// Rows that only pass a register through a function of math.h or of std for complex numbers.
#define RUSHLIGHT_FLOAT_ROW(Type, name)                                            \
    struct Type {                                                                  \
        static constexpr RowInfo info{#name, 1, Rule::Float, kFloats, true};       \
        template <class T>                                                         \
        static T call(T a) { return math::name(a); }                               \
    };
#define RUSHLIGHT_COMPLEX_ROW(Type, name)                                          \
    struct Type {                                                                  \
        static constexpr RowInfo info{#name, 1, Rule::Float, kFloats | kZ, true};  \
        template <class T>                                                         \
        static T call(T a) {                                                       \
            if constexpr (is_complex_reg<T>) return std::name(a);                  \
            else return math::name(a);                                             \
        }                                                                          \
    };
RUSHLIGHT_COMPLEX_ROW(Exp, exp)
RUSHLIGHT_COMPLEX_ROW(Log, log)
RUSHLIGHT_COMPLEX_ROW(Log10, log10)
RUSHLIGHT_COMPLEX_ROW(Sqrt, sqrt)
RUSHLIGHT_COMPLEX_ROW(Sin, sin)
RUSHLIGHT_COMPLEX_ROW(Cos, cos)
RUSHLIGHT_COMPLEX_ROW(Tan, tan)
RUSHLIGHT_COMPLEX_ROW(Asin, asin)
RUSHLIGHT_COMPLEX_ROW(Acos, acos)
RUSHLIGHT_COMPLEX_ROW(Atan, atan)
RUSHLIGHT_COMPLEX_ROW(Sinh, sinh)
RUSHLIGHT_COMPLEX_ROW(Cosh, cosh)
RUSHLIGHT_COMPLEX_ROW(Tanh, tanh)
RUSHLIGHT_COMPLEX_ROW(Asinh, asinh)
RUSHLIGHT_COMPLEX_ROW(Acosh, acosh)
RUSHLIGHT_COMPLEX_ROW(Atanh, atanh)
RUSHLIGHT_FLOAT_ROW(Erf, erf)
RUSHLIGHT_FLOAT_ROW(Erfc, erfc)
RUSHLIGHT_FLOAT_ROW(Erfinv, erfinv)
RUSHLIGHT_FLOAT_ROW(Lgamma, lgamma)
RUSHLIGHT_FLOAT_ROW(Digamma, digamma)
RUSHLIGHT_FLOAT_ROW(Sinc, sinc)
RUSHLIGHT_FLOAT_ROW(I0, i0)
RUSHLIGHT_FLOAT_ROW(I0e, i0e)
RUSHLIGHT_FLOAT_ROW(I1, i1)
RUSHLIGHT_FLOAT_ROW(I1e, i1e)
RUSHLIGHT_FLOAT_ROW(Ndtri, ndtri)
#undef RUSHLIGHT_FLOAT_ROW
#undef RUSHLIGHT_COMPLEX_ROW

struct Exp2 {
    static constexpr RowInfo info{"exp2", 1, Rule::Float, kFloats | kZ, true};
    template <class T>
    static T call(T a) {
        if constexpr (is_complex_reg<T>) return std::exp(a * 0.69314718055994530942);
        else return math::exp2(a);
    }
};
struct Expm1 {
    static constexpr RowInfo info{"expm1", 1, Rule::Float, kFloats | kZ, true};
    template <class T>
    static T call(T a) {
        if constexpr (is_complex_reg<T>) {  // exp(x + iy) - 1 without cancellation near 0
            const double em1 = std::expm1(a.real()), s = std::sin(a.imag() / 2);
            return {em1 * std::cos(a.imag()) - 2 * s * s, (em1 + 1) * std::sin(a.imag())};
        } else {
            return math::expm1(a);
        }
    }
};
struct Log2 {
    static constexpr RowInfo info{"log2", 1, Rule::Float, kFloats | kZ, true};
    template <class T>
    static T call(T a) {
        if constexpr (is_complex_reg<T>) return std::log(a) * 1.44269504088896340736;
        else return math::log2(a);
    }
};
struct Log1p {
    static constexpr RowInfo info{"log1p", 1, Rule::Float, kFloats | kZ, true};
    template <class T>
    static T call(T a) {
        if constexpr (is_complex_reg<T>) {
            const double x = a.real(), y = a.imag();
            // log1p saves the digits of moduli near 1; elsewhere its argument could overflow.
            const auto size = std::hypot(1 + x, y);
            const auto logarithm = size > 0.5 && size < 2 ? 0.5 * std::log1p(x * (x + 2) + y * y)
                                                          : std::log(size);
            return {logarithm, std::atan2(y, 1 + x)};
        } else {
            return math::log1p(a);
        }
    }
};
struct Rsqrt {
    static constexpr RowInfo info{"rsqrt", 1, Rule::Float, kFloats | kZ, true};
    template <class T>
    static T call(T a) {
        if constexpr (is_complex_reg<T>) return T(1) / std::sqrt(a);
        else return math::rsqrt(a);
    }
};
struct Sigmoid {
    static constexpr RowInfo info{"sigmoid", 1, Rule::Float, kFloats | kZ, true};
    template <class T>
    static T call(T a) {
        if constexpr (is_complex_reg<T>) return T(1) / (T(1) + std::exp(-a));
        else return math::sigmoid(a);
    }
};
struct Floor {
    static constexpr RowInfo info{"floor", 1, Rule::Promote, kReal};
    template <class T>
    static T call(T a) {
        if constexpr (is_int<T>) return a;
        else return std::floor(a);
    }
};
struct Ceil {
    static constexpr RowInfo info{"ceil", 1, Rule::Promote, kReal};
    template <class T>
    static T call(T a) {
        if constexpr (is_int<T>) return a;
        else return std::ceil(a);
    }
};
struct Trunc {
    static constexpr RowInfo info{"trunc", 1, Rule::Promote, kReal};
    template <class T>
    static T call(T a) {
        if constexpr (is_int<T>) return a;
        else return std::trunc(a);
    }
};
struct Round {  // half to even
    static constexpr RowInfo info{"round", 1, Rule::Promote, kReal};
    template <class T>
    static T call(T a) {
        if constexpr (is_int<T>) return a;
        else return std::nearbyint(a);
    }
};

}  // namespace rows
}  // namespace
}  // namespace rushlight
