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

template <class Row, class T>
void one_first_loop(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<T*>(dst);
    const T value = *static_cast<const T*>(src[0]);
    auto* x = static_cast<const T*>(src[1]);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) d[i] = Row::call(value, x[i]);
}

// The larger or smaller of x and a number: one comparison keeps nan, unless the number is nan.
template <class Row, class T>
void extreme_loop(void* dst, const void* const* src, Index n) {
    constexpr bool kMaximum = std::is_same_v<Row, rows::Maximum>;
    auto* d = static_cast<T*>(dst);
    auto* x = static_cast<const T*>(src[0]);
    const T value = *static_cast<const T*>(src[1]);
    if (value != value) return pointwise_loop<Row, T, 1>(dst, src, n);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i)
        d[i] = (kMaximum ? !(x[i] <= value) : !(x[i] >= value)) ? x[i] : value;
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

template <class T>
void clamp_loop(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<T*>(dst);
    auto* x = static_cast<const T*>(src[0]);
    const T low = *static_cast<const T*>(src[1]), high = *static_cast<const T*>(src[2]);
    if (!(low <= high)) return pointwise_loop<rows::Clamp, T, 1>(dst, src, n);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {
        const T above = !(x[i] <= low) ? x[i] : low;
        d[i] = !(above >= high) ? above : high;
    }
}

template <Reg R, class Row>
void add_one(LoopTable& table) {
    using T = reg_type<R>;
    constexpr int row = row_of<Row>, reg = int(R);
    table.one_first[row][reg] = &one_first_loop<Row, T>;
    if constexpr (std::is_floating_point_v<T>) {
        table.with_one_rows[row][0][reg] = &one_rows_loop<Row, T, 0>;
        table.with_one_rows[row][1][reg] = &one_rows_loop<Row, T, 1>;
        if constexpr (std::is_same_v<Row, rows::Maximum> || std::is_same_v<Row, rows::Minimum>)
            table.one_last[row][reg] = &extreme_loop<Row, T>;
    }
}

template <Reg R>
void add_ones(LoopTable& table) {
    add_one<R, rows::Add>(table);
    add_one<R, rows::Sub>(table);
    add_one<R, rows::Mul>(table);
    if constexpr (R != Reg::Int) add_one<R, rows::Div>(table);
    add_one<R, rows::Maximum>(table);
    add_one<R, rows::Minimum>(table);
    if constexpr (R != Reg::Int)
        table.one_last[row_of<rows::Clamp>][int(R)] = &clamp_loop<reg_type<R>>;
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
    add_pairs<Outer::Add>(table);
    add_pairs<Outer::Mul>(table);
    add_pairs<Outer::Sub>(table);
    add_pairs<Outer::SubFrom>(table);
}

}  // namespace rushlight::RUSHLIGHT_ISA
