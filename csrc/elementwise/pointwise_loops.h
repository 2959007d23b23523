// Makes the pointwise loops of the rows for some register types. Included by the files that are
// compiled per instruction set, hence the anonymous namespace.
#pragma once

#include <concepts>

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

// `ivdep`: dst is a source itself or does not overlap it; the compiler need not check.
template <class Row, class T>
void pointwise_loop(void* dst, const void* const* src, Index n) {
    if constexpr (Row::info.arity == 1) {
        using Result = decltype(Row::call(T{}));
        auto* d = static_cast<Result*>(dst);
        auto* a = static_cast<const T*>(src[0]);
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) d[i] = Row::call(a[i]);
    } else if constexpr (Row::info.arity == 2) {
        using Result = decltype(Row::call(T{}, T{}));
        auto* d = static_cast<Result*>(dst);
        auto* a = static_cast<const T*>(src[0]);
        auto* b = static_cast<const T*>(src[1]);
        if constexpr (std::is_floating_point_v<T>)
            if constexpr (HasNear<Row, T>) return near_loop<Row>(d, a, b, n);
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) d[i] = Row::call(a[i], b[i]);
    } else if constexpr (std::is_same_v<Row, rows::Where>) {
        auto* d = static_cast<T*>(dst);
        auto* c = static_cast<const Bool*>(src[0]);
        auto* a = static_cast<const T*>(src[1]);
        auto* b = static_cast<const T*>(src[2]);
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) d[i] = Row::call(c[i], a[i], b[i]);
    } else {
        auto* d = static_cast<T*>(dst);
        auto* a = static_cast<const T*>(src[0]);
        auto* b = static_cast<const T*>(src[1]);
        auto* c = static_cast<const T*>(src[2]);
        if constexpr (Row::info.arity == 3) {
#pragma GCC ivdep
            for (Index i = 0; i < n; ++i) d[i] = Row::call(a[i], b[i], c[i]);
        } else {
            auto* e = static_cast<const T*>(src[3]);
#pragma GCC ivdep
            for (Index i = 0; i < n; ++i) d[i] = Row::call(a[i], b[i], c[i], e[i]);
        }
    }
}

template <Reg R, class Row>
void add_row(LoopTable& table, int row) {
    if constexpr ((Row::info.regs >> int(R)) & 1u)
        table.pointwise[row][int(R)] = &pointwise_loop<Row, reg_type<R>>;
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
