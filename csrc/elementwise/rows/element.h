// What the rows of the table say of the type of an element.
//
// Rows are compiled once per instruction set, so they live in an anonymous namespace: the linker
// must not merge an AVX-512 body into the baseline build.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

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

}  // namespace
}  // namespace rushlight
