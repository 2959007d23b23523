// Rows that compare, test and work on bits.
#pragma once

#include "elementwise/rows/element.h"

namespace rushlight {
namespace {
namespace rows {

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

}  // namespace rows
}  // namespace
}  // namespace rushlight
