// Reductions of memory of each dtype, which a register is too; compiled once per instruction set.
// Running values stand side by side in vectors and are joined in an order that follows from the
// length alone.
#include <algorithm>
#include <limits>

#include "elementwise/isa_loops.h"
#include "elementwise/memory_lanes.h"
#include "elementwise/pointwise_loops.h"
#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

// The types of a reduction: of what is read, and of the running value as a register has it. Sums and
// products of float and half types run in double.
template <Reduction Kind_, class Value_, class Total_>
struct Types {
    static constexpr Reduction Kind = Kind_;
    using Value = Value_;
    using Total = Total_;
    static constexpr bool kAdds = Kind == Reduction::Sum || Kind == Reduction::Prod;
    static constexpr bool kHalf = std::is_same_v<Value, Half> || std::is_same_v<Value, BFloat16>;
    // Of the lanes: maxima need no wider type than the values have, and as many short integers as
    // a call has, 2^15 or less, add up to an int.
    static constexpr bool kShort = std::is_integral_v<Value> && sizeof(Value) <= 2;
    using Lane = std::conditional_t<
        kAdds, std::conditional_t<Kind == Reduction::Sum && kShort, std::int32_t, Total>,
        std::conditional_t<kHalf, float, Value>>;
    static constexpr bool kVectors = std::is_arithmetic_v<Lane>;
    // Sums of floats: in long rows some are added up as floats before they go to double.
    static constexpr bool kFloats = Kind == Reduction::Sum && std::is_same_v<Total, double>;
    static constexpr bool kNear = kFloats && !std::is_same_v<Value, double>;
};

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
                                       : std::numeric_limits<T>::max();
}

// ---- vectors of running values

template <class T>
constexpr int kWidth = kVectorBytes / int(sizeof(T));
template <Reduction Kind, class T, class V>
[[gnu::always_inline]] inline V combine_lanes(V a, V b) {
    if constexpr (Kind == Reduction::Max || Kind == Reduction::Min) {
        const V better = Kind == Reduction::Max ? (a > b ? a : b) : (a < b ? a : b);
        if constexpr (std::is_floating_point_v<T>) return a != a ? a : better;  // nan wins
        else return better;
    } else if constexpr (std::is_integral_v<T>) {  // wraps around
        using U = typename Vector<std::make_unsigned_t<T>, sizeof(V)>::type;
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

// The end of a row that does not fill a vector, as one that repeats what others have.
template <Reduction Kind, class L, int W, class T>
[[gnu::always_inline]] inline Lanes<L, W> last_lanes(const T* end, int count) {
    Lanes<L, W> place, fill;
    for (int l = 0; l < W; ++l) {
        place[l] = L(l);
        fill[l] = identity_of<Kind, L>();
    }
    return place < L(W - count) ? fill : load_as<L, W>(end - W);
}

// ---- sums of a few floats

// Up to so many are added up in the order that PyTorch has on x86-64, for the same bits: vectors of
// 32 bytes go to four sums in turn, those that do not make a whole turn to the first; the end of the
// row that does not fill a vector is added up, and to it the lanes, one after the other.
constexpr Index kNearRun = 128;
template <class R>
using NearSum = std::conditional_t<R::kNear, float, double>;
template <class R>
constexpr int kSumLanes = 32 / int(sizeof(NearSum<R>));

// The sums of the four, and of single values just so.
template <class V, class Load>
[[gnu::always_inline]] inline V add_in_turn(Index count, const Load& value) {
    V sums[4] = {};
    Index i = 0;
    for (; i + 4 <= count; i += 4) {
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) sums[v] += value(i + v);
    }
    for (; i < count; ++i) sums[0] += value(i);
    return sums[0] + sums[1] + sums[2] + sums[3];
}

template <class R>
[[gnu::always_inline]] inline auto add_vectors(const typename R::Value* s, Index n) {
    using S = NearSum<R>;
    constexpr int W = kSumLanes<R>;
    return add_in_turn<Lanes<S, W>>(n / W, [s](Index i) { return load_as<S, W>(s + i * W); });
}

template <class R>
[[gnu::always_inline]] inline NearSum<R> add_few(const typename R::Value* s, Index n) {
    using S = NearSum<R>;
    constexpr int W = kSumLanes<R>;
    if (n < W) return add_in_turn<S>(n, [s](Index i) { return convert<S>(s[i]); });
    S lanes[W], sum = 0;
    store<32>(lanes, add_vectors<R>(s, n));
    for (Index i = n / W * W; i < n; ++i) sum += convert<S>(s[i]);
    for (const S lane : lanes) sum += lane;
    return sum;
}

// ---- one row

// A few vectors' worth. More than one such row at once: reduce_short_rows(), with the same bits.
template <class R, class L, int W>
[[gnu::always_inline]] inline L reduce_short_row(const typename R::Value* s, Index n) {
    constexpr Reduction Kind = R::Kind;
    if (n < W) {
        if constexpr (W > 4) {
            return reduce_short_row<R, L, W / 2>(s, n);
        } else {
            L value = convert<L>(s[0]);
            for (Index k = 1; k < n; ++k) value = combine<Kind, L>(value, convert<L>(s[k]));
            return value;
        }
    }
    const Index whole = n / W * W;
    Lanes<L, W> lanes = load_as<L, W>(s);
    for (Index i = W; i < whole; i += W)
        lanes = combine_lanes<Kind, L>(lanes, load_as<L, W>(s + i));
    if (whole < n)
        lanes = combine_lanes<Kind, L>(lanes, last_lanes<Kind, L, W>(s + n, int(n - whole)));
    return fold<Kind, L, 1>(&lanes);
}

template <int vectors, class T>
[[gnu::always_inline]] inline Lanes<float, kWidth<float>> add_near(const T* s) {
    constexpr int W = kWidth<float>;
    if constexpr (vectors == 1) return load_as<float, W>(s);
    else return add_near<vectors / 2>(s) + add_near<vectors / 2>(s + vectors / 2 * W);
}

// Adds up all whole runs, in two vectors of doubles; returns how many values these have.
template <class T>
[[gnu::always_inline]] inline Index add_runs(Lanes<double, kWidth<double>>* lanes, const T* s,
                                             Index n) {
    constexpr int W = kWidth<float>;
    Index i = 0;
    for (; i + kNearRun <= n; i += kNearRun) {
        float sums[W];
        store(sums, add_near<int(kNearRun) / W>(s + i));
        lanes[0] += load_as<double, W / 2>(sums);
        lanes[1] += load_as<double, W / 2>(sums + W / 2);
    }
    return i;
}

template <class R>
void reduce_row(typename R::Total* acc, const typename R::Value* s, Index n) {
    constexpr Reduction Kind = R::Kind;
    using A = typename R::Total;
    using L = typename R::Lane;
    A total = *acc;
    Index i = 0;
    if constexpr (R::kFloats) {
        if (n < kNearRun) {
            *acc = total + A(add_few<R>(s, n));
            return;
        }
    }
    if constexpr (R::kNear) {
        Lanes<double, kWidth<double>> lanes[2] = {};
        i = add_runs(lanes, s, n);
        if (i > 0) total += fold<Kind, double, 2>(lanes);
        if (i < n) total += A(add_few<R>(s + i, n - i));
    } else if constexpr (R::kVectors) {
        constexpr int kVectors = kVectorBytes < 32 ? 4 : 8, W = kWidth<L>;
        Lanes<L, W> lanes[kVectors];
        if (n >= kVectors * W) {
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) lanes[v] = load_as<L, W>(s + v * W);
            for (i = kVectors * W; i + kVectors * W <= n; i += kVectors * W) {
#pragma GCC unroll 8
                for (int v = 0; v < kVectors; ++v)
                    lanes[v] = combine_lanes<Kind, L>(lanes[v], load_as<L, W>(s + i + v * W));
            }
            total = combine<Kind, A>(total, A(fold<Kind, L, kVectors>(lanes)));
        }
        if (i < n)
            total = combine<Kind, A>(total, A(reduce_short_row<R, L, W>(s + i, n - i)));
    } else {
        constexpr Index kLanes = 32;
        if (n >= kLanes) {
            A lanes[kLanes];
            for (Index l = 0; l < kLanes; ++l) lanes[l] = identity_of<Kind, A>();
            for (; i + kLanes <= n; i += kLanes)
                for (Index l = 0; l < kLanes; ++l)
                    lanes[l] = combine<Kind, A>(lanes[l], convert<A>(s[i + l]));
            for (Index width = kLanes / 2; width > 0; width /= 2)
                for (Index l = 0; l < width; ++l)
                    lanes[l] = combine<Kind, A>(lanes[l], lanes[l + width]);
            total = combine<Kind, A>(total, lanes[0]);
        }
        for (; i < n; ++i) total = combine<Kind, A>(total, convert<A>(s[i]));
    }
    *acc = total;
}

template <class R>
void reduce_columns(void* acc, const void* src, Index n) {
    using A = typename R::Total;
    auto* a = static_cast<A*>(acc);
    auto* s = static_cast<const typename R::Value*>(src);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) a[i] = combine<R::Kind, A>(a[i], convert<A>(s[i]));
}

// ---- many short rows

// Rows of a few elements.
template <class R, int n>
void reduce_shortest_rows(typename R::Total* a, Index step, const typename R::Value* s,
                          Index rows) {
    using A = typename R::Total;
    const auto row = [s](Index r) {
        if constexpr (R::kFloats) {
            return A(add_few<R>(s + r * n, n));
        } else {
            using L = typename R::Lane;
            L value = convert<L>(s[r * n]);
#pragma GCC unroll 4
            for (int k = 1; k < n; ++k)
                value = combine<R::Kind, L>(value, convert<L>(s[r * n + k]));
            return A(value);
        }
    };
    if (step == 1) {
#pragma GCC ivdep
        for (Index r = 0; r < rows; ++r) a[r] = combine<R::Kind, A>(a[r], row(r));
    } else {
        for (Index r = 0; r < rows; ++r) a[r * step] = combine<R::Kind, A>(a[r * step], row(r));
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
template <class R, int W>
void reduce_short_rows(typename R::Total* a, Index step, const typename R::Value* s, Index rows,
                       Index n) {
    constexpr Reduction Kind = R::Kind;
    using A = typename R::Total;
    using L = typename R::Lane;
    const Index whole = n / W * W;
    for (Index first = 0; first < rows; first += W) {
        const typename R::Value* row[W];
        for (int r = 0; r < W; ++r) row[r] = s + std::min(first + r, rows - 1) * n;
        Lanes<L, W> lanes[W];
#pragma GCC unroll 16
        for (int r = 0; r < W; ++r) lanes[r] = load_as<L, W>(row[r]);
        for (Index i = W; i < whole; i += W) {
#pragma GCC unroll 16
            for (int r = 0; r < W; ++r)
                lanes[r] = combine_lanes<Kind, L>(lanes[r], load_as<L, W>(row[r] + i));
        }
        if (whole < n) {
#pragma GCC unroll 16
            for (int r = 0; r < W; ++r)
                lanes[r] = combine_lanes<Kind, L>(
                    lanes[r], last_lanes<Kind, L, W>(row[r] + n, int(n - whole)));
        }
        join_rows<Kind, L, W>(lanes);
        L results[W];
        store<sizeof results>(results, lanes[0]);
        if (step == 1 && first + W <= rows) {
            for (int r = 0; r < W; ++r)
                a[first + r] = combine<Kind, A>(a[first + r], A(results[r]));
        } else {
            for (int r = 0; r < int(std::min<Index>(W, rows - first)); ++r) {
                A& at = a[(first + r) * step];
                at = combine<Kind, A>(at, A(results[r]));
            }
        }
    }
}

// The same for sums of floats, in the order of add_few(): in the end vector k holds lane k of all.
template <class R>
void add_short_rows(typename R::Total* a, Index step, const typename R::Value* s, Index rows,
                    Index n) {
    using A = typename R::Total;
    using S = NearSum<R>;
    constexpr int W = kSumLanes<R>;
    const Index vectors = n / W;
    const int rest = int(n % W);
    for (Index first = 0; first < rows; first += W) {
        const Index count = std::min<Index>(W, rows - first);
        const typename R::Value* row[W];
        for (int r = 0; r < W; ++r) row[r] = s + (first + std::min<Index>(r, count - 1)) * n;
        Lanes<S, W> sum = {}, lanes[W];
        if (rest > 0) {  // the last vectors, of which the end was in no other
#pragma GCC unroll 8
            for (int r = 0; r < W; ++r) lanes[r] = load_as<S, W>(row[r] + n - W);
            transpose<W>(lanes);
#pragma GCC unroll 8
            for (int k = 1; k < W; ++k)
                if (k >= W - rest) sum += lanes[k];
        }
        if (vectors < 4) {  // not a whole turn
#pragma GCC unroll 8
            for (int r = 0; r < W; ++r) lanes[r] = load_as<S, W>(row[r]);
            for (Index i = 1; i < vectors; ++i) {
#pragma GCC unroll 8
                for (int r = 0; r < W; ++r) lanes[r] += load_as<S, W>(row[r] + i * W);
            }
        } else {
            for (int r = 0; r < W; ++r) lanes[r] = add_vectors<R>(row[r], n);
        }
        transpose<W>(lanes);
#pragma GCC unroll 8
        for (int k = 0; k < W; ++k) sum += lanes[k];
        S sums[W];
        store<32>(sums, sum);
        if (step == 1 && count == W) {
            for (int r = 0; r < W; ++r) a[first + r] += A(sums[r]);
        } else {
            for (Index r = 0; r < count; ++r) a[(first + r) * step] += A(sums[r]);
        }
    }
}

template <class R, int W>
bool reduce_by_width(typename R::Total* a, Index step, const typename R::Value* s, Index rows,
                     Index n) {
    if constexpr (W < 4) {
        return false;
    } else {
        if (n < W) return reduce_by_width<R, W / 2>(a, step, s, rows, n);
        reduce_short_rows<R, W>(a, step, s, rows, n);
        return true;
    }
}

template <class R>
void reduce_rows(void* acc, Index step, const void* src, Index rows, Index n) {
    auto* a = static_cast<typename R::Total*>(acc);
    auto* s = static_cast<const typename R::Value*>(src);
    if constexpr (R::kVectors && R::Kind != Reduction::Prod) {
        if constexpr (R::kFloats) {
            if (step != 0 && rows > 1 && n < kNearRun) {
                if (n >= kSumLanes<R>) return add_short_rows<R>(a, step, s, rows, n);
                switch (n) {
                    case 1: return reduce_shortest_rows<R, 1>(a, step, s, rows);
                    case 2: return reduce_shortest_rows<R, 2>(a, step, s, rows);
                    case 3: return reduce_shortest_rows<R, 3>(a, step, s, rows);
                    case 4: return reduce_shortest_rows<R, 4>(a, step, s, rows);
                    case 5: return reduce_shortest_rows<R, 5>(a, step, s, rows);
                    case 6: return reduce_shortest_rows<R, 6>(a, step, s, rows);
                    case 7: return reduce_shortest_rows<R, 7>(a, step, s, rows);
                    default: break;
                }
            }
        } else if (step != 0 && rows > 1 && n < 4) {
            if (n == 1) return reduce_shortest_rows<R, 1>(a, step, s, rows);
            if (n == 2) return reduce_shortest_rows<R, 2>(a, step, s, rows);
            return reduce_shortest_rows<R, 3>(a, step, s, rows);
        }
        constexpr int W = kWidth<typename R::Lane>;
        if constexpr (!R::kFloats && W <= 16)
            if (step != 0 && rows > 1 && n < kNearRun &&
                reduce_by_width<R, W>(a, step, s, rows, n))
                return;
    }
    for (Index r = 0; r < rows; ++r) reduce_row<R>(a + r * step, s + r * n, n);
}

// ---- down the columns of rows that lie side by side

// Some vectors of columns, their running values in registers all the way down; without the first
// `skip` columns.
template <class R, int vectors>
[[gnu::always_inline]] inline void reduce_strip(typename R::Total* a, const typename R::Value* s,
                                                Index rows, Index n, int skip) {
    using A = typename R::Total;
    using L = typename R::Lane;
    constexpr int W = kWidth<L>;
    Lanes<L, W> lanes[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) lanes[v] = load_as<L, W>(s + v * W);
    for (Index r = 1; r < rows; ++r) {
        s += n;
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v)
            lanes[v] = combine_lanes<R::Kind, L>(lanes[v], load_as<L, W>(s + v * W));
    }
    L values[vectors * W];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) store(values + v * W, lanes[v]);
    for (int l = skip; l < vectors * W; ++l) a[l] = combine<R::Kind, A>(a[l], A(values[l]));
}

template <class R>
void reduce_rows_columns(void* acc, Index, const void* src, Index rows, Index n) {
    using A = typename R::Total;
    auto* a = static_cast<A*>(acc);
    auto* s = static_cast<const typename R::Value*>(src);
    if constexpr (R::kVectors && R::Kind != Reduction::Prod) {
        constexpr int W = kWidth<typename R::Lane>;
        if (n >= W) {
            Index c = 0;
            for (; c + 4 * W <= n; c += 4 * W) reduce_strip<R, 4>(a + c, s + c, rows, n, 0);
            for (; c + W <= n; c += W) reduce_strip<R, 1>(a + c, s + c, rows, n, 0);
            if (c < n) reduce_strip<R, 1>(a + n - W, s + n - W, rows, n, int(W - (n - c)));
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
        for (Index l = 0; l < width; ++l) lanes[l] = convert<A>(s[l]);
        for (rows -= together, s += width; rows >= together; rows -= together, s += width)
            reduce_columns<R>(lanes, s, width);
        for (Index half = width / 2; half >= n; half /= 2)
            for (Index l = 0; l < half; ++l)
                lanes[l] = combine<R::Kind, A>(lanes[l], lanes[l + half]);
        for (Index i = 0; i < n; ++i) a[i] = combine<R::Kind, A>(a[i], lanes[i]);
    }
    for (; rows > 0; --rows, s += n) {
        for (Index i = 0; i < n; ++i) a[i] = combine<R::Kind, A>(a[i], convert<A>(s[i]));
    }
}

// Rows one after the other onto floats.
template <int vectors, class T>
[[gnu::always_inline]] inline void add_strip(float* a, const T* s, Index rows, Index n) {
    constexpr int W = kWidth<float>;
    Lanes<float, W> lanes[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) lanes[v] = load<float>(a + v * W);
    for (Index r = 0; r < rows; ++r, s += n) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) lanes[v] += load_as<float, W>(s + v * W);
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) store(a + v * W, lanes[v]);
}

template <class T>
void add_rows(void* sums, Index, const void* src, Index rows, Index n) {
    constexpr int W = kWidth<float>;
    auto* a = static_cast<float*>(sums);
    auto* s = static_cast<const T*>(src);
    if (n < W) {
        for (Index r = 0; r < rows; ++r, s += n)
            for (Index i = 0; i < n; ++i) a[i] += convert<float>(s[i]);
        return;
    }
    Index c = 0;
    for (; c + 4 * W <= n; c += 4 * W) add_strip<4>(a + c, s + c, rows, n);
    switch ((n - c) / W) {
        case 3: add_strip<3>(a + c, s + c, rows, n); break;
        case 2: add_strip<2>(a + c, s + c, rows, n); break;
        case 1: add_strip<1>(a + c, s + c, rows, n); break;
        default: break;
    }
    const int rest = int(n % W);
    if (rest == 0) return;
    a += n - W;  // the last vector repeats what is done
    float before[W];
    store(before, load<float>(a));
    add_strip<1>(a, s + n - W, rows, n);
    for (int l = 0; l < W - rest; ++l) a[l] = before[l];
}

// ---- sums of complex numbers: the two parts are lanes that do not meet

template <class T>
void sum_complex_row(double* total, const T* s, Index n) {
    constexpr int W = kWidth<double>, kVectors = 8;
    Lanes<double, W> lanes[kVectors] = {};
    Index i = 0;
    for (; i + kVectors * W <= 2 * n; i += kVectors * W) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) lanes[v] += load_as<double, W>(s + i + v * W);
    }
    for (; i + W <= 2 * n; i += W) lanes[0] += load_as<double, W>(s + i);
#pragma GCC unroll 4
    for (int half = kVectors / 2; half > 0; half /= 2) {
#pragma GCC unroll 4
        for (int v = 0; v < half; ++v) lanes[v] += lanes[v + half];
    }
    for (int l = 0; l < W; ++l) total[l % 2] += lanes[0][l];
    for (; i < 2 * n; ++i) total[i % 2] += double(s[i]);
}

template <class T>
void sum_complex_rows(void* acc, Index step, const void* src, Index rows, Index n) {
    for (Index r = 0; r < rows; ++r)
        sum_complex_row(static_cast<double*>(acc) + 2 * r * step,
                        static_cast<const T*>(src) + 2 * r * n, n);
}

template <class T>
void sum_complex_columns(void* acc, const void* src, Index n) {
    reduce_columns<Types<Reduction::Sum, T, double>>(acc, src, 2 * n);
}

template <class T>
void sum_complex_rows_columns(void* acc, Index, const void* src, Index rows, Index n) {
    reduce_rows_columns<Types<Reduction::Sum, T, double>>(acc, 0, src, rows, 2 * n);
}

template <Reduction Kind, class T, class A>
void add_reduction(LoopTable& table, int dtype, Reduction name = Kind) {
    using R = Types<Kind, T, A>;
    table.reduce_columns[int(name)][dtype] = &reduce_columns<R>;
    table.reduce_rows[int(name)][dtype] = &reduce_rows<R>;
    table.reduce_rows_columns[int(name)][dtype] = &reduce_rows_columns<R>;
}

template <class T>
void add_complex_sum(LoopTable& table, DType dtype) {
    constexpr int kSum = int(Reduction::Sum);
    table.reduce_columns[kSum][int(dtype)] = &sum_complex_columns<T>;
    table.reduce_rows[kSum][int(dtype)] = &sum_complex_rows<T>;
    table.reduce_rows_columns[kSum][int(dtype)] = &sum_complex_rows_columns<T>;
}

template <class T>
void add_reductions(LoopTable& table, int dtype) {
    using Register = reg_type<reg_of(dtype_of<T>)>;
    using Wide = std::conditional_t<std::is_same_v<Register, float>, double, Register>;
    if constexpr (std::is_same_v<T, bool>) {  // as bytes 0 and 1
        for (const Reduction kind : {Reduction::Sum, Reduction::Max})
            add_reduction<Reduction::Max, Bool, Bool>(table, dtype, kind);
        for (const Reduction kind : {Reduction::Prod, Reduction::Min})
            add_reduction<Reduction::Min, Bool, Bool>(table, dtype, kind);
    } else {
        add_reduction<Reduction::Sum, T, Wide>(table, dtype);
        add_reduction<Reduction::Prod, T, Wide>(table, dtype);
        if constexpr (!is_complex(dtype_of<T>)) {
            add_reduction<Reduction::Max, T, Register>(table, dtype);
            add_reduction<Reduction::Min, T, Register>(table, dtype);
        }
        if constexpr (std::is_same_v<Register, float>) table.add_rows[dtype] = &add_rows<T>;
    }
}

}  // namespace

void add_reduce_loops(LoopTable& table) {
    for (int d = 0; d < kDTypes; ++d)
        dispatch(DType(d), [&]<class T>() { add_reductions<T>(table, d); });
    add_complex_sum<float>(table, DType::C64);
    add_complex_sum<double>(table, DType::C128);
}

}  // namespace rushlight::RUSHLIGHT_ISA
