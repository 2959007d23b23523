// Rows of two and more operands: arithmetic, powers, extremes, choices and sums of products.
#pragma once

#include "elementwise/rows/element.h"

namespace rushlight {
namespace {
namespace rows {

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
struct Clamp {  // min(max(a, low), high), in words that the compiler vectorises
    static constexpr RowInfo info{"clamp", 3, Rule::Promote, kB | kReal, false, 1};
    template <class T>
    static T call(T a, T low, T high) {
        const T above = !(a <= low) ? a : low, inside = !(above >= high) ? above : high;
        const bool no_end = (low != low) | (high != high);
        return no_end & (a == a) ? (low != low ? low : high) : inside;
    }
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
}  // namespace
}  // namespace rushlight
