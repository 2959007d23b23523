// Every pointwise operation, one row each: its name, its dtype rule, the registers it runs on and
// its arithmetic for one element. Everything else (enum, loops per type and instruction set,
// bindings) is made from these rows.
//
// Rows are compiled once per instruction set, so they live in an anonymous namespace: the linker
// must not merge an AVX-512 body into the baseline build.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <tuple>

#include "array/dtype.h"
#include "elementwise/math.h"
#include "elementwise/row.h"

namespace rushlight {

namespace {

using Bool = std::uint8_t;  // the element of a Reg::Bool block
template <class T>
inline constexpr bool is_bool = std::is_same_v<T, Bool>;
template <class T>
inline constexpr bool is_int = std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::uint64_t>;
// Whether a divisor is -1, by which the most negative number must not be divided.
template <class T>
bool minus_one(T value) { return std::is_signed_v<T> && value == T(-1); }
template <class T>
bool negative(T value) {
    if constexpr (std::is_signed_v<T>) return value < 0;
    else return false;
}
template <class T>
inline constexpr bool is_complex_reg = std::is_same_v<T, Complex128>;

inline std::int64_t wrap(std::uint64_t value) { return std::int64_t(value); }

namespace rows {

// ---- arithmetic

struct Add {
    static constexpr RowInfo info{"add", 2, Rule::Promote, kAll};
    template <class T>
    static T call(T a, T b) {
        if constexpr (is_bool<T>) return a | b;
        else if constexpr (is_int<T>) return wrap(std::uint64_t(a) + std::uint64_t(b));
        else return a + b;
    }
};
struct Sub {
    static constexpr RowInfo info{"sub", 2, Rule::Promote, kNumber};
    template <class T>
    static T call(T a, T b) {
        if constexpr (is_int<T>) return wrap(std::uint64_t(a) - std::uint64_t(b));
        else return a - b;
    }
};
struct Mul {
    static constexpr RowInfo info{"mul", 2, Rule::Promote, kAll, false, 1};
    template <class T>
    static T call(T a, T b) {
        if constexpr (is_bool<T>) return a & b;
        else if constexpr (is_int<T>) return wrap(std::uint64_t(a) * std::uint64_t(b));
        else return a * b;
    }
};
struct Div {
    static constexpr RowInfo info{"div", 2, Rule::Float, kFloats | kZ, false, 1};
    template <class T>
    static T call(T a, T b) { return a / b; }
};
struct FloorDivide {
    static constexpr RowInfo info{"floor_divide", 2, Rule::Promote, kReal, false, 1};
    template <class T>
    static T call(T a, T b) {
        if constexpr (is_int<T>) {
            if (b == 0) return 0;
            if (minus_one(b)) return wrap(0 - std::uint64_t(a));
            const T q = a / b;
            return q - ((a % b != 0) && (negative(a) != negative(b)));
        } else {
            return math::floor_divide(a, b, math::fmod(a, b));
        }
    }
    template <class T>
    static T near(T a, T b) { return math::floor_divide(a, b, math::fmod_near(a, b)); }
};
struct TruncDivide {
    static constexpr RowInfo info{"trunc_divide", 2, Rule::Promote, kReal};
    template <class T>
    static T call(T a, T b) {
        if constexpr (is_int<T>) return b == 0 ? 0 : minus_one(b) ? T(0 - std::uint64_t(a)) : a / b;
        else return std::trunc(a / b);
    }
};
struct Remainder {
    static constexpr RowInfo info{"remainder", 2, Rule::Promote, kReal};
    template <class T>
    static T call(T a, T b) {
        if constexpr (is_int<T>) {
            if (b == 0 || minus_one(b)) return 0;
            const T r = a % b;
            return r != 0 && (negative(r) != negative(b)) ? r + b : r;
        } else {
            return math::remainder(b, math::fmod(a, b));
        }
    }
    template <class T>
    static T near(T a, T b) { return math::remainder(b, math::fmod_near(a, b)); }
};
struct Fmod {
    static constexpr RowInfo info{"fmod", 2, Rule::Promote, kReal};
    template <class T>
    static T call(T a, T b) {
        if constexpr (is_int<T>) return b == 0 || minus_one(b) ? 0 : a % b;
        else return math::fmod(a, b);
    }
    template <class T>
    static T near(T a, T b) { return math::fmod_near(a, b); }
};
struct Pow {
    static constexpr RowInfo info{"pow", 2, Rule::Promote, kNumber, true};
    template <class T>
    static T call(T a, T b) {
        if constexpr (is_int<T>) {
            if (negative(b)) return a == 1 ? 1 : minus_one(a) ? (b % 2 ? -1 : 1) : 0;
            std::uint64_t result = 1, base = std::uint64_t(a);
            for (; b; b >>= 1, base *= base)
                if (b & 1) result *= base;
            return wrap(result);
        } else if constexpr (is_complex_reg<T>) {
            return b == T(0) ? T(1) : std::pow(a, b);
        } else {
            return math::pow(a, b);
        }
    }
};
struct Atan2 {
    static constexpr RowInfo info{"atan2", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T b) { return math::atan2(a, b); }
};
struct Hypot {
    static constexpr RowInfo info{"hypot", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T b) { return math::hypot(a, b); }
};
struct Maximum {
    static constexpr RowInfo info{"maximum", 2, Rule::Promote, kB | kReal};
    template <class T>
    static T call(T a, T b) { return (a > b) | (a != a) ? a : b; }  // nan wins
};
struct Minimum {
    static constexpr RowInfo info{"minimum", 2, Rule::Promote, kB | kReal};
    template <class T>
    static T call(T a, T b) { return (a < b) | (a != a) ? a : b; }
};
struct Fmax {
    static constexpr RowInfo info{"fmax", 2, Rule::Promote, kB | kReal};
    template <class T>
    static T call(T a, T b) { return (a > b) | (b != b) ? a : b; }  // nan loses
};
struct Fmin {
    static constexpr RowInfo info{"fmin", 2, Rule::Promote, kB | kReal};
    template <class T>
    static T call(T a, T b) { return (a < b) | (b != b) ? a : b; }
};
struct Copysign {
    static constexpr RowInfo info{"copysign", 2, Rule::Float, kFloats};
    template <class T>
    static T call(T a, T b) { return std::copysign(a, b); }
};
struct Nextafter {
    static constexpr RowInfo info{"nextafter", 2, Rule::Promote, kFloats};
    template <class T>
    static T call(T a, T b) { return std::nextafter(a, b); }
};
struct Logaddexp {
    static constexpr RowInfo info{"logaddexp", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T b) { return math::logaddexp(a, b); }
};
struct Xlogy {
    static constexpr RowInfo info{"xlogy", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T b) { return math::xlogy(a, b); }
};
struct Heaviside {
    static constexpr RowInfo info{"heaviside", 2, Rule::Promote, kB | kReal};
    template <class T>
    static T call(T a, T b) { return a == T(0) ? b : T(a > T(0)); }
};
struct Gcd {
    static constexpr RowInfo info{"gcd", 2, Rule::Promote, kI};
    template <class T>
    static T call(T a, T b) {
        while (b != 0) {
            const T r = minus_one(b) ? 0 : a % b;
            a = b;
            b = r;
        }
        return negative(a) ? T(0 - std::uint64_t(a)) : a;
    }
};

// ---- comparison and logic

struct Eq {
    static constexpr RowInfo info{"eq", 2, Rule::Compare, kAll};
    template <class T>
    static Bool call(T a, T b) { return a == b; }
};
struct Ne {
    static constexpr RowInfo info{"ne", 2, Rule::Compare, kAll};
    template <class T>
    static Bool call(T a, T b) { return a != b; }
};
struct Lt {
    static constexpr RowInfo info{"lt", 2, Rule::Compare, kB | kReal};
    template <class T>
    static Bool call(T a, T b) { return a < b; }
};
struct Le {
    static constexpr RowInfo info{"le", 2, Rule::Compare, kB | kReal};
    template <class T>
    static Bool call(T a, T b) { return a <= b; }
};
struct Gt {
    static constexpr RowInfo info{"gt", 2, Rule::Compare, kB | kReal};
    template <class T>
    static Bool call(T a, T b) { return a > b; }
};
struct Ge {
    static constexpr RowInfo info{"ge", 2, Rule::Compare, kB | kReal};
    template <class T>
    static Bool call(T a, T b) { return a >= b; }
};
struct LogicalAnd {
    static constexpr RowInfo info{"logical_and", 2, Rule::Logical, kB};
    static Bool call(Bool a, Bool b) { return a & b; }
};
struct LogicalOr {
    static constexpr RowInfo info{"logical_or", 2, Rule::Logical, kB};
    static Bool call(Bool a, Bool b) { return a | b; }
};
struct LogicalXor {
    static constexpr RowInfo info{"logical_xor", 2, Rule::Logical, kB};
    static Bool call(Bool a, Bool b) { return a ^ b; }
};
struct LogicalNot {
    static constexpr RowInfo info{"logical_not", 1, Rule::Logical, kB};
    static Bool call(Bool a) { return a ^ 1; }
};
struct BitwiseAnd {
    static constexpr RowInfo info{"bitwise_and", 2, Rule::Promote, kB | kI};
    template <class T>
    static T call(T a, T b) { return a & b; }
};
struct BitwiseOr {
    static constexpr RowInfo info{"bitwise_or", 2, Rule::Promote, kB | kI};
    template <class T>
    static T call(T a, T b) { return a | b; }
};
struct BitwiseXor {
    static constexpr RowInfo info{"bitwise_xor", 2, Rule::Promote, kB | kI};
    template <class T>
    static T call(T a, T b) { return a ^ b; }
};
struct BitwiseNot {
    static constexpr RowInfo info{"bitwise_not", 1, Rule::Promote, kB | kI};
    template <class T>
    static T call(T a) {
        if constexpr (is_bool<T>) return a ^ 1;
        else return ~a;
    }
};
struct LeftShift {
    static constexpr RowInfo info{"bitwise_left_shift", 2, Rule::Promote, kI};
    template <class T>
    static T call(T a, T b) { return negative(b) || b > 63 ? 0 : wrap(std::uint64_t(a) << b); }
};
struct RightShift {
    static constexpr RowInfo info{"bitwise_right_shift", 2, Rule::Promote, kI};
    template <class T>
    static T call(T a, T b) {
        if constexpr (std::is_signed_v<T>) return a >> (b < 0 || b > 63 ? 63 : b);
        else return b > 63 ? 0 : a >> b;
    }
};
struct Isnan {
    static constexpr RowInfo info{"isnan", 1, Rule::Test, kAll};
    template <class T>
    static Bool call(T a) { return a != a; }
};
struct Isinf {
    static constexpr RowInfo info{"isinf", 1, Rule::Test, kAll};
    template <class T>
    static Bool call(T a) {
        if constexpr (is_complex_reg<T>) return std::isinf(a.real()) || std::isinf(a.imag());
        else if constexpr (is_bool<T> || is_int<T>) return 0;
        else return std::abs(a) == std::numeric_limits<T>::infinity();
    }
};
struct Isfinite {
    static constexpr RowInfo info{"isfinite", 1, Rule::Test, kAll};
    template <class T>
    static Bool call(T a) {
        if constexpr (is_complex_reg<T>) return std::isfinite(a.real()) && std::isfinite(a.imag());
        else if constexpr (is_bool<T> || is_int<T>) return 1;
        else return std::abs(a) < std::numeric_limits<T>::infinity();
    }
};
struct Signbit {
    static constexpr RowInfo info{"signbit", 1, Rule::Test, kB | kReal};
    template <class T>
    static Bool call(T a) {
        if constexpr (is_bool<T>) return 0;
        else if constexpr (is_int<T>) return negative(a);
        else return std::signbit(a);
    }
};

// ---- one operand

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

// ---- activations whose composition would cost small tensors several passes

template <class T>
inline constexpr T kSqrtHalf = T(0.70710678118654752440);
template <class T>
inline constexpr T kInvSqrt2Pi = T(0.39894228040143267794);

struct Silu {
    static constexpr RowInfo info{"silu", 1, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a) { return a * math::sigmoid(a); }
};
struct Gelu {
    static constexpr RowInfo info{"gelu", 1, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a) { return T(0.5) * a * (T(1) + math::erf(a * kSqrtHalf<T>)); }
};
struct GeluTanh {
    static constexpr RowInfo info{"gelu_tanh", 1, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a) {
        const T inner = T(2) * kInvSqrt2Pi<T> * (a + T(0.044715) * a * a * a);
        return T(0.5) * a * (T(1) + math::tanh(inner));
    }
};

// From 0 for -3 to 6 for 3; nan stays.
template <class T>
T ramp(T a) {
    const T shifted = a + T(3), above = !(shifted <= 0) ? shifted : T(0);
    return !(above >= 6) ? above : T(6);
}
struct Hardsigmoid {
    static constexpr RowInfo info{"hardsigmoid", 1, Rule::Float, kFloats};
    template <class T>
    static T call(T a) { return ramp(a) / T(6); }
};
struct Hardswish {
    static constexpr RowInfo info{"hardswish", 1, Rule::Float, kFloats};
    template <class T>
    static T call(T a) { return a * ramp(a) / T(6); }
};
struct LeakyRelu {
    static constexpr RowInfo info{"leaky_relu", 2, Rule::Float, kFloats, false, 1};
    template <class T>
    static T call(T a, T slope) { return a > T(0) ? a : a * slope; }
};
struct Hardshrink {
    static constexpr RowInfo info{"hardshrink", 2, Rule::Float, kFloats, false, 1};
    template <class T>
    static T call(T a, T size) { return (a >= -size) & (a <= size) ? T(0) : a; }
};
struct Softshrink {
    static constexpr RowInfo info{"softshrink", 2, Rule::Float, kFloats, false, 1};
    template <class T>
    static T call(T a, T size) { return a > size ? a - size : a < -size ? a + size : a * T(0); }
};
struct Softplus {
    static constexpr RowInfo info{"softplus", 3, Rule::Float, kFloats, true, 1};
    template <class T>
    static T call(T a, T beta, T threshold) {
        const T scaled = a * beta;
        return scaled > threshold ? a : math::log1p(math::exp(scaled)) / beta;
    }
};
struct Elu {  // the factors of what is above 0 and of what is below, and the one inside of that
    static constexpr RowInfo info{"elu", 4, Rule::Float, kFloats, true, 1};
    template <class T>
    static T call(T a, T above, T below, T inside) {
        return a > T(0) ? a * above : math::expm1(a * inside) * below;
    }
};
struct ReplaceNonfinite {
    static constexpr RowInfo info{"replace_nonfinite", 4, Rule::Float, kFloats, false, 1};
    template <class T>
    static T call(T a, T nan, T infinity, T negative) {
        constexpr T kInfinity = std::numeric_limits<T>::infinity();
        const T number = a == kInfinity ? infinity : a == -kInfinity ? negative : a;
        return a == a ? number : nan;
    }
};

// Products that backward passes make of a gradient (a) and a value (b).
struct SigmoidGrad {
    static constexpr RowInfo info{"sigmoid_grad", 2, Rule::Float, kFloats | kZ};
    template <class T>
    static T call(T a, T b) {
        if constexpr (std::is_floating_point_v<T>) return a * (T(1) - b) * b;
        else return Mul::call(a, std::conj(Mul::call(T(1) - b, b)));
    }
};
struct TanhGrad {
    static constexpr RowInfo info{"tanh_grad", 2, Rule::Float, kFloats | kZ};
    template <class T>
    static T call(T a, T b) {
        if constexpr (std::is_floating_point_v<T>) return a * (T(1) - b * b);
        else return Mul::call(a, std::conj(T(1) - Mul::call(b, b)));
    }
};
struct ReluGrad {
    static constexpr RowInfo info{"relu_grad", 2, Rule::Promote, kReal};
    template <class T>
    static T call(T a, T b) { return b <= T(0) ? T(0) : a; }
};
struct SiluGrad {
    static constexpr RowInfo info{"silu_grad", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T b) {
        const T s = math::sigmoid(b);
        return a * s * (T(1) + b * (T(1) - s));
    }
};
struct GeluGrad {
    static constexpr RowInfo info{"gelu_grad", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T b) {
        const T cdf = T(0.5) * (T(1) + math::erf(b * kSqrtHalf<T>));
        return a * (cdf + b * kInvSqrt2Pi<T> * math::exp(T(-0.5) * b * b));
    }
};
struct GeluTanhGrad {
    static constexpr RowInfo info{"gelu_tanh_grad", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T b) {
        const T beta = T(2) * kInvSqrt2Pi<T>;
        const T t = math::tanh(beta * (b + T(0.044715) * b * b * b));
        const T slope = beta * (T(1) + T(3 * 0.044715) * b * b);
        return a * (T(0.5) * (T(1) + t) + T(0.5) * b * (T(1) - t * t) * slope);
    }
};

struct HardsigmoidGrad {
    static constexpr RowInfo info{"hardsigmoid_grad", 2, Rule::Float, kFloats};
    template <class T>
    static T call(T a, T b) { return (b > T(-3)) & (b < T(3)) ? a / T(6) : T(0); }
};
struct HardswishGrad {
    static constexpr RowInfo info{"hardswish_grad", 2, Rule::Float, kFloats};
    template <class T>
    static T call(T a, T b) {
        const T inside = a * (b / T(3) + T(0.5));
        return b <= T(-3) ? T(0) : b < T(3) ? inside : a;
    }
};
struct LeakyReluGrad {
    static constexpr RowInfo info{"leaky_relu_grad", 3, Rule::Float, kFloats, false, 2};
    template <class T>
    static T call(T a, T b, T slope) { return b > T(0) ? a : a * slope; }
};
struct ShrinkGrad {
    static constexpr RowInfo info{"shrink_grad", 3, Rule::Float, kFloats, false, 2};
    template <class T>
    static T call(T a, T b, T size) { return (b >= -size) & (b <= size) ? T(0) : a; }
};
struct HardtanhGrad {
    static constexpr RowInfo info{"hardtanh_grad", 4, Rule::Float, kFloats, false, 2};
    template <class T>
    static T call(T a, T b, T low, T high) { return (b <= low) | (b >= high) ? T(0) : a; }
};

// ---- several operands

struct Where {  // the condition is a Reg::Bool block
    static constexpr RowInfo info{"where", 3, Rule::Promote, kAll};
    template <class T>
    static T call(Bool condition, T a, T b) { return condition ? a : b; }
};
struct Lerp {
    static constexpr RowInfo info{"lerp", 3, Rule::Promote, kFloats | kZ, false, 2};
    template <class T>
    static T call(T a, T b, T w) {
        return std::abs(w) < 0.5 ? a + w * (b - a) : b - (b - a) * (T(1) - w);
    }
};
struct Muladd {  // a + b * c, rounded once where the instruction set can
    static constexpr RowInfo info{"muladd", 3, Rule::Promote, kNumber};
    template <class T>
    static T call(T a, T b, T c) {
        if constexpr (std::is_floating_point_v<T>) return math::mad(b, c, a);
        else return Add::call(a, Mul::call(b, c));
    }
};
struct Addcmul {
    static constexpr RowInfo info{"addcmul", 4, Rule::Promote, kReal, false, 3};
    template <class T>
    static T call(T a, T b, T c, T value) {
        return Add::call(a, Mul::call(Mul::call(b, c), value));
    }
};
struct Addcdiv {
    static constexpr RowInfo info{"addcdiv", 4, Rule::Float, kFloats, false, 3};
    template <class T>
    static T call(T a, T b, T c, T value) { return a + b / c * value; }
};

}  // namespace rows

// The order gives each row its number; it is the same in every build.
using Rows = std::tuple<
    rows::Add, rows::Sub, rows::Mul, rows::Div, rows::FloorDivide, rows::TruncDivide,
    rows::Remainder, rows::Fmod, rows::Pow, rows::Atan2, rows::Hypot, rows::Maximum, rows::Minimum,
    rows::Fmax, rows::Fmin, rows::Copysign, rows::Nextafter, rows::Logaddexp, rows::Xlogy,
    rows::Heaviside, rows::Gcd, rows::Eq, rows::Ne, rows::Lt, rows::Le, rows::Gt, rows::Ge,
    rows::LogicalAnd, rows::LogicalOr, rows::LogicalXor, rows::LogicalNot, rows::BitwiseAnd,
    rows::BitwiseOr, rows::BitwiseXor, rows::BitwiseNot, rows::LeftShift, rows::RightShift,
    rows::Isnan, rows::Isinf, rows::Isfinite, rows::Signbit, rows::Neg, rows::Abs, rows::Sign,
    rows::Sgn, rows::Square, rows::Reciprocal, rows::Conj, rows::Imag, rows::Angle, rows::Relu,
    rows::Exp, rows::Log, rows::Log10, rows::Sqrt, rows::Sin, rows::Cos, rows::Tan, rows::Asin,
    rows::Acos, rows::Atan, rows::Sinh, rows::Cosh, rows::Tanh, rows::Asinh, rows::Acosh,
    rows::Atanh, rows::Erf, rows::Erfc, rows::Erfinv, rows::Lgamma, rows::Digamma, rows::Sinc,
    rows::I0, rows::I0e, rows::I1, rows::I1e, rows::Ndtri, rows::Exp2, rows::Expm1, rows::Log2,
    rows::Log1p, rows::Rsqrt, rows::Sigmoid, rows::Floor, rows::Ceil, rows::Trunc, rows::Round,
    rows::Silu, rows::Gelu, rows::GeluTanh, rows::Hardsigmoid, rows::Hardswish, rows::LeakyRelu,
    rows::Hardshrink, rows::Softshrink, rows::Softplus, rows::Elu, rows::ReplaceNonfinite,
    rows::SigmoidGrad, rows::TanhGrad, rows::ReluGrad, rows::SiluGrad, rows::GeluGrad,
    rows::GeluTanhGrad, rows::HardsigmoidGrad, rows::HardswishGrad, rows::LeakyReluGrad,
    rows::ShrinkGrad, rows::HardtanhGrad, rows::Where, rows::Lerp, rows::Muladd, rows::Addcmul,
    rows::Addcdiv>;

template <class Row, class Tuple>
struct RowIndex;
template <class Row, class... Rest>
struct RowIndex<Row, std::tuple<Row, Rest...>> : std::integral_constant<int, 0> {};
template <class Row, class First, class... Rest>
struct RowIndex<Row, std::tuple<First, Rest...>>
    : std::integral_constant<int, 1 + RowIndex<Row, std::tuple<Rest...>>::value> {};

}  // namespace

inline constexpr int kRows = int(std::tuple_size_v<Rows>);
template <class Row>
inline constexpr int row_of = RowIndex<Row, Rows>::value;

}  // namespace rushlight
