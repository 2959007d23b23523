// Reductions of registers; compiled once per instruction set. Running values stand side by side in
// vectors and are joined in an order that follows from the length alone.
#include <algorithm>
#include <limits>

#include "elementwise/isa_loops.h"
#include "elementwise/pointwise_loops.h"
#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

// float sums and products accumulate in double.
template <Reduction Kind, class T>
using accumulator = std::conditional_t<std::is_same_v<T, float> && (Kind == Reduction::Sum ||
                                                                    Kind == Reduction::Prod),
                                       double, T>;

template <Reduction Kind, class T>
[[gnu::always_inline]] inline T combine(T a, T b) {
    if constexpr (Kind == Reduction::Sum) return rows::Add::call(a, b);
    else if constexpr (Kind == Reduction::Prod) return rows::Mul::call(a, b);
    else if constexpr (Kind == Reduction::Max) return rows::Maximum::call(a, b);
    else return rows::Minimum::call(a, b);
}

template <Reduction Kind, class T>
constexpr T identity_of() {
    if constexpr (Kind == Reduction::Sum) return T(0);
    else if constexpr (Kind == Reduction::Prod) return T(1);
    else if constexpr (std::is_floating_point_v<T>)
        return Kind == Reduction::Max ? -std::numeric_limits<T>::infinity()
                                      : std::numeric_limits<T>::infinity();
    else return Kind == Reduction::Max ? std::numeric_limits<T>::min()
                                       : T(is_bool<T> ? 1 : std::numeric_limits<T>::max());
}

// ---- vectors of running values

template <class T>
constexpr bool has_vectors = std::is_same_v<T, float> || std::is_same_v<T, double> ||
                             std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::uint64_t>;

template <class T>
constexpr int kWidth = kVectorBytes / int(sizeof(T));

// The next values of memory as a vector of W running values.
template <class A, int W, class T>
[[gnu::always_inline]] inline auto load_as(const T* from) {
    const auto values = load<T, W * int(sizeof(T))>(from);
    if constexpr (std::is_same_v<A, T>) return values;
    else return __builtin_convertvector(values, typename Vector<A, W * int(sizeof(A))>::type);
}

template <Reduction Kind, class T, class V>
[[gnu::always_inline]] inline V combine_lanes(V a, V b) {
    if constexpr (Kind == Reduction::Max || Kind == Reduction::Min) {
        const V better = Kind == Reduction::Max ? (a > b ? a : b) : (a < b ? a : b);
        if constexpr (std::is_floating_point_v<T>) return a != a ? a : better;  // nan wins
        else return better;
    } else if constexpr (std::is_integral_v<T>) {  // wraps around
        using U = typename Vector<std::uint64_t, sizeof(V)>::type;
        return V(Kind == Reduction::Sum ? U(a) + U(b) : U(a) * U(b));
    } else {
        return Kind == Reduction::Sum ? a + b : a * b;
    }
}

// The vectors are joined, then the lower half of the lanes with the upper half.
template <Reduction Kind, class T, int vectors, class V>
[[gnu::always_inline]] inline T fold(V* lanes) {
    constexpr int W = int(sizeof(V) / sizeof(T));
#pragma GCC unroll 4
    for (int half = vectors / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
        for (int v = 0; v < half; ++v)
            lanes[v] = combine_lanes<Kind, T>(lanes[v], lanes[v + half]);
    }
    T values[W];
    store<sizeof(V)>(values, lanes[0]);
    for (int width = W / 2; width > 0; width /= 2)
        for (int l = 0; l < width; ++l)
            values[l] = combine<Kind, T>(values[l], values[l + width]);
    return values[0];
}

// ---- one row

template <Reduction Kind, class T>
void reduce_row(void* acc, const void* src, Index n) {
    using A = accumulator<Kind, T>;
    auto* s = static_cast<const T*>(src);
    A total = *static_cast<A*>(acc);
    Index i = 0;
    if constexpr (has_vectors<A>) {
        constexpr int kVectors = kVectorBytes < 32 ? 4 : 8, W = kWidth<A>;
        typename Vector<A>::type lanes[kVectors];
        if (n >= kVectors * W) {
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) lanes[v] = load_as<A, W>(s + v * W);
            for (i = kVectors * W; i + kVectors * W <= n; i += kVectors * W) {
#pragma GCC unroll 8
                for (int v = 0; v < kVectors; ++v)
                    lanes[v] = combine_lanes<Kind, A>(lanes[v], load_as<A, W>(s + i + v * W));
            }
            total = combine<Kind, A>(total, fold<Kind, A, kVectors>(lanes));
        }
        if (n - i >= 2 * W) {
            lanes[0] = load_as<A, W>(s + i);
            for (i += W; i + W <= n; i += W)
                lanes[0] = combine_lanes<Kind, A>(lanes[0], load_as<A, W>(s + i));
            total = combine<Kind, A>(total, fold<Kind, A, 1>(lanes));
        }
    } else {
        constexpr Index kLanes = 32;
        if (n >= kLanes) {
            A lanes[kLanes];
            for (Index l = 0; l < kLanes; ++l) lanes[l] = identity_of<Kind, A>();
            for (; i + kLanes <= n; i += kLanes)
                for (Index l = 0; l < kLanes; ++l)
                    lanes[l] = combine<Kind, A>(lanes[l], A(s[i + l]));
            for (Index width = kLanes / 2; width > 0; width /= 2)
                for (Index l = 0; l < width; ++l)
                    lanes[l] = combine<Kind, A>(lanes[l], lanes[l + width]);
            total = combine<Kind, A>(total, lanes[0]);
        }
    }
    for (; i < n; ++i) total = combine<Kind, A>(total, A(s[i]));
    *static_cast<A*>(acc) = total;
}

template <Reduction Kind, class T>
void reduce_columns(void* acc, const void* src, Index n) {
    using A = accumulator<Kind, T>;
    auto* a = static_cast<A*>(acc);
    auto* s = static_cast<const T*>(src);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) a[i] = combine<Kind, A>(a[i], A(s[i]));
}

// ---- many short rows

template <Reduction Kind, class T, int n>
[[gnu::always_inline]] inline accumulator<Kind, T> shortest_row(const T* s) {
    using A = accumulator<Kind, T>;
    A value = A(s[0]);
#pragma GCC unroll 4
    for (int k = 1; k < n; ++k) value = combine<Kind, A>(value, A(s[k]));
    return value;
}

// Rows of a few elements.
template <Reduction Kind, class T, int n>
void reduce_shortest_rows(accumulator<Kind, T>* a, Index step, const T* s, Index rows) {
    using A = accumulator<Kind, T>;
    if (step == 1) {
#pragma GCC ivdep
        for (Index r = 0; r < rows; ++r)
            a[r] = combine<Kind, A>(a[r], shortest_row<Kind, T, n>(s + r * n));
    } else {
        for (Index r = 0; r < rows; ++r)
            a[r * step] = combine<Kind, A>(a[r * step], shortest_row<Kind, T, n>(s + r * n));
    }
}

// The first half of the vectors with the other: of each vector half the lanes are joined with those
// of its other half, and one vector holds what comes of two. In the end lane r is that of row r.
template <Reduction Kind, class T, int W, int half = W / 2, class V>
[[gnu::always_inline]] inline void join_rows(V* lanes) {
    if constexpr (half > 0) {
#pragma GCC unroll 8
        for (int r = 0; r < half; ++r) {
            exchange<half>(lanes[r], lanes[r + half], std::make_integer_sequence<int, W>());
            lanes[r] = combine_lanes<Kind, T>(lanes[r], lanes[r + half]);
        }
        join_rows<Kind, T, W, half / 2>(lanes);
    }
}

// As many rows at once as a vector has lanes. n is at least that width.
template <Reduction Kind, class T, int W>
void reduce_short_rows(accumulator<Kind, T>* a, Index step, const T* s, Index rows, Index n) {
    using A = accumulator<Kind, T>;
    constexpr int kBytes = W * int(sizeof(A));
    using V = typename Vector<A, kBytes>::type;
    const Index whole = n / W * W;
    V place, fill;  // the last vector of a row repeats what others have
    for (int l = 0; l < W; ++l) {
        place[l] = A(l);
        fill[l] = identity_of<Kind, A>();
    }
    const auto repeated = place < A(W - (n - whole));
    for (Index first = 0; first < rows; first += W) {
        const T* row[W];
        for (int r = 0; r < W; ++r) row[r] = s + std::min(first + r, rows - 1) * n;
        V lanes[W];
#pragma GCC unroll 16
        for (int r = 0; r < W; ++r) lanes[r] = load_as<A, W>(row[r]);
        for (Index i = W; i < whole; i += W) {
#pragma GCC unroll 16
            for (int r = 0; r < W; ++r)
                lanes[r] = combine_lanes<Kind, A>(lanes[r], load_as<A, W>(row[r] + i));
        }
        if (whole < n) {
#pragma GCC unroll 16
            for (int r = 0; r < W; ++r) {
                const V last = load_as<A, W>(row[r] + n - W);
                lanes[r] = combine_lanes<Kind, A>(lanes[r], repeated ? fill : last);
            }
        }
        join_rows<Kind, A, W>(lanes);
        A results[W];
        store<kBytes>(results, lanes[0]);
        if (step == 1 && first + W <= rows) {
            for (int r = 0; r < W; ++r) a[first + r] = combine<Kind, A>(a[first + r], results[r]);
        } else {
            for (int r = 0; r < int(std::min<Index>(W, rows - first)); ++r) {
                A& at = a[(first + r) * step];
                at = combine<Kind, A>(at, results[r]);
            }
        }
    }
}

template <Reduction Kind, class T, int W>
bool reduce_by_width(accumulator<Kind, T>* a, Index step, const T* s, Index rows, Index n) {
    if constexpr (W < 4) {
        return false;
    } else {
        if (n < W) return reduce_by_width<Kind, T, W / 2>(a, step, s, rows, n);
        reduce_short_rows<Kind, T, W>(a, step, s, rows, n);
        return true;
    }
}

template <Reduction Kind, class T>
void reduce_rows(void* acc, Index step, const void* src, Index rows, Index n) {
    using A = accumulator<Kind, T>;
    auto* a = static_cast<A*>(acc);
    auto* s = static_cast<const T*>(src);
    if constexpr (has_vectors<A> && Kind != Reduction::Prod) {
        constexpr Index kLongest = 512;  // columns up to which several rows are read at once
        if (step != 0 && n < 4) {
            if (n == 1) return reduce_shortest_rows<Kind, T, 1>(a, step, s, rows);
            if (n == 2) return reduce_shortest_rows<Kind, T, 2>(a, step, s, rows);
            return reduce_shortest_rows<Kind, T, 3>(a, step, s, rows);
        }
        if (step != 0 && n <= kLongest &&
            reduce_by_width<Kind, T, kWidth<A>>(a, step, s, rows, n))
            return;
    }
    for (Index r = 0; r < rows; ++r) reduce_row<Kind, T>(a + r * step, s + r * n, n);
}

// ---- down the columns of rows that lie side by side

// Some vectors of columns, their running values in registers all the way down; without the first
// `skip` columns.
template <Reduction Kind, class T, int vectors>
[[gnu::always_inline]] inline void reduce_strip(accumulator<Kind, T>* a, const T* s, Index rows,
                                                Index n, int skip) {
    using A = accumulator<Kind, T>;
    constexpr int W = kWidth<A>;
    typename Vector<A>::type lanes[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) lanes[v] = load_as<A, W>(s + v * W);
    for (Index r = 1; r < rows; ++r) {
        s += n;
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v)
            lanes[v] = combine_lanes<Kind, A>(lanes[v], load_as<A, W>(s + v * W));
    }
    A values[vectors * W];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) store(values + v * W, lanes[v]);
    for (int l = skip; l < vectors * W; ++l) a[l] = combine<Kind, A>(a[l], values[l]);
}

template <Reduction Kind, class T>
void reduce_rows_columns(void* acc, Index, const void* src, Index rows, Index n) {
    using A = accumulator<Kind, T>;
    auto* a = static_cast<A*>(acc);
    auto* s = static_cast<const T*>(src);
    if constexpr (has_vectors<A> && Kind != Reduction::Prod) {
        constexpr int W = kWidth<A>;
        if (n >= W) {
            Index c = 0;
            for (; c + 4 * W <= n; c += 4 * W)
                reduce_strip<Kind, T, 4>(a + c, s + c, rows, n, 0);
            for (; c + W <= n; c += W) reduce_strip<Kind, T, 1>(a + c, s + c, rows, n, 0);
            if (c < n)
                reduce_strip<Kind, T, 1>(a + n - W, s + n - W, rows, n, int(W - (n - c)));
            return;
        }
    }
    // As many rows at once as make a long one, joined by halves in the end.
    constexpr Index kLanes = 128;
    Index together = 1;
    while (2 * together * n <= kLanes && 8 * together <= rows) together *= 2;
    if (together > 1) {
        const Index width = together * n;
        A lanes[kLanes];
        for (Index l = 0; l < width; ++l) lanes[l] = A(s[l]);
        for (rows -= together, s += width; rows >= together; rows -= together, s += width) {
#pragma GCC ivdep
            for (Index l = 0; l < width; ++l) lanes[l] = combine<Kind, A>(lanes[l], A(s[l]));
        }
        for (Index half = width / 2; half >= n; half /= 2)
            for (Index l = 0; l < half; ++l)
                lanes[l] = combine<Kind, A>(lanes[l], lanes[l + half]);
        for (Index i = 0; i < n; ++i) a[i] = combine<Kind, A>(a[i], lanes[i]);
    }
    for (; rows > 0; --rows, s += n) {
        for (Index i = 0; i < n; ++i) a[i] = combine<Kind, A>(a[i], A(s[i]));
    }
}

// ---- sums of complex numbers: the two parts are lanes that do not meet

void sum_complex_row(void* acc, const void* src, Index n) {
    constexpr int kVectors = 8, W = kWidth<double>;
    auto* s = static_cast<const double*>(src);
    auto* total = static_cast<double*>(acc);
    Index i = 0;
    if (2 * n >= kVectors * W) {
        Vector<double>::type lanes[kVectors] = {};
        for (; i + kVectors * W <= 2 * n; i += kVectors * W) {
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) lanes[v] += load<double>(s + i + v * W);
        }
#pragma GCC unroll 4
        for (int half = kVectors / 2; half > 0; half /= 2) {
#pragma GCC unroll 4
            for (int v = 0; v < half; ++v) lanes[v] += lanes[v + half];
        }
        for (int l = 0; l < W; ++l) total[l % 2] += lanes[0][l];
    }
    for (; i < 2 * n; i += 2) {
        total[0] += s[i];
        total[1] += s[i + 1];
    }
}

void sum_complex_columns(void* acc, const void* src, Index n) {
    reduce_columns<Reduction::Sum, double>(acc, src, 2 * n);
}

template <Reduction Kind, class T>
void add_reduction(LoopTable& table, Reg reg) {
    table.reduce_row[int(Kind)][int(reg)] = &reduce_row<Kind, T>;
    table.reduce_columns[int(Kind)][int(reg)] = &reduce_columns<Kind, T>;
    table.reduce_rows[int(Kind)][int(reg)] = &reduce_rows<Kind, T>;
    table.reduce_rows_columns[int(Kind)][int(reg)] = &reduce_rows_columns<Kind, T>;
}

void copy_reduction(LoopTable& table, Reduction kind) {
    constexpr int from = int(Reg::Int), to = int(Reg::Unsigned);
    table.reduce_row[int(kind)][to] = table.reduce_row[int(kind)][from];
    table.reduce_columns[int(kind)][to] = table.reduce_columns[int(kind)][from];
    table.reduce_rows[int(kind)][to] = table.reduce_rows[int(kind)][from];
    table.reduce_rows_columns[int(kind)][to] = table.reduce_rows_columns[int(kind)][from];
}

template <class T>
void add_reductions(LoopTable& table, Reg reg) {
    add_reduction<Reduction::Sum, T>(table, reg);
    add_reduction<Reduction::Prod, T>(table, reg);
    if constexpr (!std::is_same_v<T, Complex128>) {
        add_reduction<Reduction::Max, T>(table, reg);
        add_reduction<Reduction::Min, T>(table, reg);
    }
}

}  // namespace

void add_reduce_loops(LoopTable& table) {
    add_reductions<std::uint8_t>(table, Reg::Bool);
    add_reductions<std::int64_t>(table, Reg::Int);
    // uint64 has an order of its own; all else is as with int64.
    for (const Reduction kind : {Reduction::Sum, Reduction::Prod}) copy_reduction(table, kind);
    add_reduction<Reduction::Max, std::uint64_t>(table, Reg::Unsigned);
    add_reduction<Reduction::Min, std::uint64_t>(table, Reg::Unsigned);
    add_reductions<float>(table, Reg::Float);
    add_reductions<double>(table, Reg::Double);
    add_reductions<Complex128>(table, Reg::Complex);
    table.reduce_row[int(Reduction::Sum)][int(Reg::Complex)] = sum_complex_row;
    table.reduce_columns[int(Reduction::Sum)][int(Reg::Complex)] = sum_complex_columns;
}

}  // namespace rushlight::RUSHLIGHT_ISA
