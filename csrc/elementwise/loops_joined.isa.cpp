// Loops that spare a trip through a register: two operations at once, and an operand that is one
// value for all or for a row; compiled once per instruction set.
#include "elementwise/isa_loops.h"
#include "elementwise/pointwise_loops.h"
#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

template <Inner Kind>
float inner(float a, float b) {
    if constexpr (Kind == Inner::Add) return a + b;
    else if constexpr (Kind == Inner::Mul) return a * b;
    else return a - b;
}

template <Outer Kind>
float outer(float ab, float c) {
    if constexpr (Kind == Outer::Add) return ab + c;
    else if constexpr (Kind == Outer::Mul) return ab * c;
    else if constexpr (Kind == Outer::Sub) return ab - c;
    else return c - ab;
}

template <Outer O, Inner I>
void pair_loop(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<float*>(dst);
    auto* a = static_cast<const float*>(src[0]);
    auto* b = static_cast<const float*>(src[1]);
    auto* c = static_cast<const float*>(src[2]);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) d[i] = outer<O>(inner<I>(a[i], b[i]), c[i]);
}

template <class Row, class T, int one>
void one_loop(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<T*>(dst);
    auto* x = static_cast<const T*>(src[1 - one]);
    const T value = *static_cast<const T*>(src[one]);
    constexpr bool kMaximum = std::is_same_v<Row, rows::Maximum>;
    if constexpr (std::is_floating_point_v<T> && one == 1 &&
                  (kMaximum || std::is_same_v<Row, rows::Minimum>)) {
        if (value == value) {  // then one comparison keeps nan
#pragma GCC ivdep
            for (Index i = 0; i < n; ++i)
                d[i] = (kMaximum ? !(x[i] <= value) : !(x[i] >= value)) ? x[i] : value;
            return;
        }
    }
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) d[i] = one ? Row::call(x[i], value) : Row::call(value, x[i]);
}

// The rows of x with one value each, `step` bytes apart. The last vector of a row overlaps the one
// before it, so it is read before that is written: x may be dst.
template <class Row, class T, int one>
void one_rows_loop(void* dst, const void* x, const std::byte* ones, Index step, Index rows,
                   Index n) {
    constexpr Index W = Vector<T>::lanes;
    using V = typename Vector<T>::type;
    auto* d = static_cast<T*>(dst);
    auto* s = static_cast<const T*>(x);
    for (Index r = 0; r < rows; ++r, d += n, s += n, ones += step) {
        const T number = *reinterpret_cast<const T*>(ones);
        const V value = number - V{};  // less nothing: in every lane
        const auto apply = [&](V v) { return one ? Row::call(v, value) : Row::call(value, v); };
        if (n < W) {
            store_part(d, apply(load_part(s, int(n))), int(n));
            continue;
        }
        const V last = apply(load<T>(s + n - W));
        for (Index i = 0; i + W <= n; i += W) store(d + i, apply(load<T>(s + i)));
        store(d + n - W, last);
    }
}

void clamp_loop(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<float*>(dst);
    auto* x = static_cast<const float*>(src[0]);
    const float low = *static_cast<const float*>(src[1]);
    const float high = *static_cast<const float*>(src[2]);
    if (low <= high) {  // neither is nan
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) {
            const float above = !(x[i] <= low) ? x[i] : low;
            d[i] = !(above >= high) ? above : high;
        }
        return;
    }
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i)
        d[i] = rows::Minimum::call(rows::Maximum::call(x[i], low), high);
}

template <class Row, Reg R>
void add_one(LoopTable& table, int at) {
    using T = reg_type<R>;
    if constexpr (std::is_floating_point_v<T>) {
        table.with_one_rows[at][0][int(R)] = &one_rows_loop<Row, T, 0>;
        table.with_one_rows[at][1][int(R)] = &one_rows_loop<Row, T, 1>;
    }
    table.with_one[at][0][int(R)] = &one_loop<Row, T, 0>;
    table.with_one[at][1][int(R)] = &one_loop<Row, T, 1>;
}

template <Reg R>
void add_ones(LoopTable& table) {
    add_one<rows::Add, R>(table, 0);
    add_one<rows::Sub, R>(table, 1);
    add_one<rows::Mul, R>(table, 2);
    if constexpr (R != Reg::Int) add_one<rows::Div, R>(table, 3);
    add_one<rows::Maximum, R>(table, 4);
    add_one<rows::Minimum, R>(table, 5);
}

template <Outer O>
void add_pairs(LoopTable& table) {
    table.pair[int(O)][int(Inner::Add)] = &pair_loop<O, Inner::Add>;
    table.pair[int(O)][int(Inner::Mul)] = &pair_loop<O, Inner::Mul>;
    table.pair[int(O)][int(Inner::Sub)] = &pair_loop<O, Inner::Sub>;
}

}  // namespace

void add_joined_loops(LoopTable& table) {
    add_ones<Reg::Float>(table);
    add_ones<Reg::Double>(table);
    add_ones<Reg::Int>(table);
    table.clamp = &clamp_loop;
    add_pairs<Outer::Add>(table);
    add_pairs<Outer::Mul>(table);
    add_pairs<Outer::Sub>(table);
    add_pairs<Outer::SubFrom>(table);
}

}  // namespace rushlight::RUSHLIGHT_ISA
