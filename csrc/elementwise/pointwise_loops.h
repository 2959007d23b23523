// Makes the pointwise loops of the rows for some register types. Included by the files that are
// compiled per instruction set, hence the anonymous namespace.
#pragma once

#include <concepts>
#include <utility>

#include "elementwise/loops.h"
#include "elementwise/table.h"

namespace rushlight {
namespace {

template <Reg R>
struct RegType;
template <>
struct RegType<Reg::Bool> { using type = std::uint8_t; };
template <>
struct RegType<Reg::Int> { using type = std::int64_t; };
template <>
struct RegType<Reg::Unsigned> { using type = std::uint64_t; };
template <>
struct RegType<Reg::Float> { using type = float; };
template <>
struct RegType<Reg::Double> { using type = double; };
template <>
struct RegType<Reg::Complex> { using type = Complex128; };
template <Reg R>
using reg_type = typename RegType<R>::type;

// Rows with a form without branches for operands that are near each other.
template <class Row, class T>
concept HasNear = requires(T a) {
    { Row::near(a, a) } -> std::same_as<T>;
    { math::far(a, a) } -> std::same_as<bool>;
};

template <class Row, class T>
void near_loop(T* d, const T* a, const T* b, Index n) {
    using Flags = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr Index kChunk = 256;
    T found[kChunk];  // d may be a or b
    for (Index at = 0; at < n; at += kChunk, a += kChunk, b += kChunk) {
        const Index count = std::min(kChunk, n - at);
        Flags far = 0;
        for (Index i = 0; i < count; ++i) far |= math::far(a[i], b[i]);
        if (far == 0)
            for (Index i = 0; i < count; ++i) found[i] = Row::near(a[i], b[i]);
        else
            for (Index i = 0; i < count; ++i) found[i] = Row::call(a[i], b[i]);
        std::copy_n(found, count, d + at);
    }
}

// What a loop reads an operand from: a block of values, or one for all.
template <class T, bool one>
struct Source {
    const T* values;
    explicit Source(const void* from) : values(static_cast<const T*>(from)) {}
    T operator[](Index i) const { return values[i]; }
};
template <class T>
struct Source<T, true> {
    T value;
    explicit Source(const void* from) : value(*static_cast<const T*>(from)) {}
    T operator[](Index) const { return value; }
};
template <class Row, class T, int operand>
using operand_type =
    std::conditional_t<std::is_same_v<Row, rows::Where> && operand == 0, Bool, T>;

// `ivdep`: dst is a source itself or does not overlap it; the compiler need not check.
template <class Row, class T, int ones, int... k>
void pointwise_loop(void* dst, const void* const* src, Index n, std::integer_sequence<int, k...>) {
    const auto loop = [=](auto... source) {
        auto* d = static_cast<decltype(Row::call(source[0]...))*>(dst);
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) d[i] = Row::call(source[i]...);
    };
    loop(Source<operand_type<Row, T, k>, (k >= ones)>(src[k])...);
}

// The operands from `ones` on are one value each.
template <class Row, class T, int ones = kMostOperands>
void pointwise_loop(void* dst, const void* const* src, Index n) {
    if constexpr (std::is_floating_point_v<T> && HasNear<Row, T>)
        near_loop<Row>(static_cast<T*>(dst), static_cast<const T*>(src[0]),
                       static_cast<const T*>(src[1]), n);
    else
        pointwise_loop<Row, T, ones>(dst, src, n,
                                     std::make_integer_sequence<int, Row::info.arity>());
}

template <Reg R, class Row>
void add_row(LoopTable& table, int row) {
    using T = reg_type<R>;
    if constexpr ((Row::info.regs >> int(R)) & 1u) {
        table.pointwise[row][int(R)] = &pointwise_loop<Row, T>;
        constexpr bool common = R == Reg::Float || R == Reg::Double || R == Reg::Int;
        if constexpr (common && Row::info.arity > 1 && !Row::info.expensive &&
                      !(std::is_floating_point_v<T> && HasNear<Row, T>))
            table.one_last[row][int(R)] = &pointwise_loop<Row, T, Row::info.last()>;
    }
}

template <Reg R, class... Row>
void add_rows(LoopTable& table, std::tuple<Row...>*) {
    int row = 0;
    (add_row<R, Row>(table, row++), ...);
}

template <Reg R>
void add_pointwise(LoopTable& table) {
    add_rows<R>(table, static_cast<Rows*>(nullptr));
}

}  // namespace
}  // namespace rushlight
