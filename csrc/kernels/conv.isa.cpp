// The loops of conv_loops.h, over the compiler's vector types.
#include "kernels/conv_loops.h"

#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

// How many rows of two vectors the registers hold beside the operands.
constexpr int kRows = kVectorBytes == 64 ? 8 : kVectorBytes == 32 ? 6 : 4;
constexpr int kHalfBytes = kVectorBytes == 64 ? 32 : 16;
static_assert(kSlack * 4 >= kVectorBytes);

// ---- products through lists of places

// `left` rows of c, at most R of them, V vectors wide.
template <class T, int Bytes, int V, int R>
void block(const IndirectProduct<T>& g, const Index* rows, Index left, T* c) {
    using Vec = typename Vector<T, Bytes>::type;
    constexpr int W = Vector<T, Bytes>::lanes;
    Vec acc[R][V] = {};
    const T* from[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) from[r] = g.x + rows[r < left ? r : left - 1];
    const T* b = g.b;
    for (Index k = 0; k < g.depth_count; ++k) {
        Vec right[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) right[v] = load<T, Bytes>(b + v * W);
        b += V * W;
        const Index at = g.depth[k];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const Vec value = spread<Vec>(from[r][at]);
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) acc[r][v] = fma(value, right[v], acc[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
        if (r >= left) break;
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) {
            T* to = c + r * V * W + v * W;
            store<Bytes>(to, g.add ? load<T, Bytes>(to) + acc[r][v] : acc[r][v]);
        }
    }
}

template <class T, int Bytes, int V>
void product_of_width(const IndirectProduct<T>& g) {
    constexpr Index kLanes = V * Vector<T, Bytes>::lanes;
    for (Index r = 0; r < g.row_count;) {
        const Index left = g.row_count - r;
        T* c = g.c + r * kLanes;
        if (left > 4) {
            block<T, Bytes, V, kRows>(g, g.rows + r, left, c);
            r += kRows;
        } else if (left > 2) {
            block<T, Bytes, V, 4>(g, g.rows + r, left, c);
            r += 4;
        } else {
            block<T, Bytes, V, 2>(g, g.rows + r, left, c);
            r += 2;
        }
    }
}

template <class T>
void product(const IndirectProduct<T>& g) {
    const Index bytes = g.lanes * Index(sizeof(T));
    if (bytes == 2 * kVectorBytes) return product_of_width<T, kVectorBytes, 2>(g);
    if (bytes == kVectorBytes) return product_of_width<T, kVectorBytes, 1>(g);
    if (bytes > 16) return product_of_width<T, kHalfBytes, 1>(g);
    product_of_width<T, 16, 1>(g);
}

// ---- few lanes: adjacent elements side by side

// R rows of L lanes by `count` columns from column `at` on, at most V vectors.
template <class T, int Bytes, int V, int L, int R>
[[gnu::always_inline]] inline void run_block(const RunProduct<T>& g, Index row, Index at) {
    using Vec = typename Vector<T, Bytes>::type;
    constexpr int W = Vector<T, Bytes>::lanes;
    Vec acc[R][L][V];
    for (int r = 0; r < R; ++r) {
        for (int l = 0; l < L; ++l) {
            for (int v = 0; v < V; ++v) acc[r][l][v] = spread<Vec>(g.bias ? g.bias[l] : T(0));
        }
    }
    const T* w = g.w;
    const T* start = g.x + row * g.x_row + at;
    for (Index k = 0; k < g.depth_count; ++k, w += L) {
        const T* x = start + g.depth[k];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            Vec right[V];
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) right[v] = load<T, Bytes>(x + r * g.x_row + v * W);
#pragma GCC unroll 4
            for (int l = 0; l < L; ++l) {
                const Vec left = spread<Vec>(w[l]);
#pragma GCC unroll 4
                for (int v = 0; v < V; ++v) acc[r][l][v] = fma(left, right[v], acc[r][l][v]);
            }
        }
    }
    // What is written beyond a row, the next row overwrites, if it begins there and comes later.
    const bool spills = g.c_row == g.n && at == 0;
    const Index count = g.n - at;
    for (int l = 0; l < L; ++l) {
        T* to = g.c + l * g.c_lane + row * g.c_row + at;
        const T* end = g.c + l * g.c_lane + (g.rows - 1) * g.c_row + g.n;
        for (int r = 0; r < R; ++r, to += g.c_row) {
            if (count >= V * W || (spills && end - to >= V * W)) {
#pragma GCC unroll 4
                for (int v = 0; v < V; ++v) store<Bytes>(to + v * W, acc[r][l][v]);
            } else {
                for (int v = 0; v < V && v * W < count; ++v) {
                    store_part<Bytes>(to + v * W, acc[r][l][v], int(count - v * W));
                }
            }
        }
    }
}

// All rows from column `at` on. Sums of one row each would wait for one another, so several go
// together; the last of them may be made twice.
template <class T, int Bytes, int V, int L>
void run_columns(const RunProduct<T>& g, Index at) {
    constexpr int R = L == 1 && std::is_floating_point_v<T> ? 8 / V : 1;
    if (R == 1 || g.rows < R) {
        for (Index row = 0; row < g.rows; ++row) run_block<T, Bytes, V, L, 1>(g, row, at);
        return;
    }
    for (Index row = 0; row < g.rows; row += R) {
        run_block<T, Bytes, V, L, R>(g, row + R > g.rows ? g.rows - R : row, at);
    }
}

template <class T, int L>
void run_of_lanes(const RunProduct<T>& g) {
    constexpr int W = Vector<T, kVectorBytes>::lanes;
    constexpr int V = kVectorBytes == 64 ? 4 : 2;
    Index at = 0;
    for (; at + (V - 1) * W < g.n; at += V * W) run_columns<T, kVectorBytes, V, L>(g, at);
    if (V == 4 && at + W < g.n) {
        run_columns<T, kVectorBytes, 2, L>(g, at);
        at += 2 * W;
    }
    for (; at < g.n; at += W) {
        if (kVectorBytes == 64 && g.n - at <= W / 2) return run_columns<T, kHalfBytes, 1, L>(g, at);
        run_columns<T, kVectorBytes, 1, L>(g, at);
    }
}

template <class T>
void run_product(const RunProduct<T>& g) {
    switch (g.lanes) {
        case 1: return run_of_lanes<T, 1>(g);
        case 2: return run_of_lanes<T, 2>(g);
        case 3: return run_of_lanes<T, 3>(g);
        default: return run_of_lanes<T, 4>(g);
    }
}

template <class T, int K>
void dots(const RunDots<T>& g, Index first) {
    using Vec = typename Vector<T, kVectorBytes>::type;
    constexpr int W = Vector<T, kVectorBytes>::lanes;
    Vec acc[K] = {};
    for (Index run = 0; run < g.runs; ++run) {
        const T* x = g.x + g.starts[run * g.n];
        const T* other = g.g + run * g.n;
        Index i = 0;
        for (; i + W <= g.n; i += W) {
            const Vec right = load<T, kVectorBytes>(other + i);
#pragma GCC unroll 9
            for (int k = 0; k < K; ++k) {
                acc[k] = fma(load<T, kVectorBytes>(x + g.depth[first + k] + i), right, acc[k]);
            }
        }
        if (i == g.n) continue;
        const int count = int(g.n - i);
        const Vec right = load_part<T, kVectorBytes>(other + i, count);
#pragma GCC unroll 9
        for (int k = 0; k < K; ++k) {  // what lies behind the run may be infinite
            const Vec left = load_part<T, kVectorBytes>(x + g.depth[first + k] + i, count);
            acc[k] = fma(left, right, acc[k]);
        }
    }
    for (int k = 0; k < K; ++k) {
        T total = 0;
        for (int lane = 0; lane < W; ++lane) total += acc[k][lane];
        g.sums[first + k] += total;
    }
}

template <class T>
void run_dots(const RunDots<T>& g) {
    Index k = 0;
    for (; k + 9 <= g.depth_count; k += 9) dots<T, 9>(g, k);
    for (; k + 3 <= g.depth_count; k += 3) dots<T, 3>(g, k);
    for (; k < g.depth_count; ++k) dots<T, 1>(g, k);
}

// ---- transposing

template <class T>
void turn_plain(const Turn<T>& g, Index row0, Index col0) {
    for (Index j = col0; j < g.cols; ++j) {
        const T add = g.bias ? g.bias[j] : T(0);
        for (Index i = row0; i < g.rows; ++i) {
            const T value = g.from[i * g.from_row + j];
            g.to[j * g.to_row + i] = g.bias ? value + add : value;
        }
    }
}

// Squares that fit registers; 16 rows at a time, for whole cache lines of the result.
template <class T>
void turn_squares(const Turn<T>& g) {
    constexpr int W = Vector<T, kSquareBytes>::lanes;
    using Vec = typename Vector<T, kSquareBytes>::type;
    const Index rows = g.rows / W * W, cols = g.cols / W * W;
    for (Index i0 = 0; i0 < rows; i0 += 16) {
        const Index stop = i0 + 16 < rows ? i0 + 16 : rows;
        for (Index j = 0; j < cols; j += W) {
            for (Index i = i0; i < stop; i += W) {
                Vec square[W];
#pragma GCC unroll 8
                for (int k = 0; k < W; ++k) {
                    square[k] = load<T, kSquareBytes>(g.from + (i + k) * g.from_row + j);
                }
                transpose<W>(square);
#pragma GCC unroll 8
                for (int k = 0; k < W; ++k) {
                    if (g.bias) square[k] += spread<Vec>(g.bias[j + k]);
                    store<kSquareBytes>(g.to + (j + k) * g.to_row + i, square[k]);
                }
            }
        }
    }
    if (cols < g.cols) turn_plain(g, 0, cols);
    if (rows < g.rows) {
        Turn<T> rest = g;
        rest.cols = cols;
        turn_plain(rest, rows, 0);
    }
}

template <class T>
void pad_rows(const PadRows<T>& g) {
    constexpr Index W = Vector<T, kVectorBytes>::lanes;
    for (Index row = 0; row < g.rows; ++row) {
        const T* from = g.from + row * g.from_row;
        T* to = g.to + row * g.to_row;
        for (Index i = 0; i < g.before; ++i) to[i] = T(0);
        to += g.before;
        Index i = 0;
        for (; i + W <= g.count; i += W) {
            store<kVectorBytes>(to + i, load<T, kVectorBytes>(from + i));
        }
        if (i < g.count && g.count >= W) {  // the last vector overlaps the one before
            i = g.count - W;
            store<kVectorBytes>(to + i, load<T, kVectorBytes>(from + i));
        } else if (i < g.count) {
            store_part(to, load_part(from, int(g.count)), int(g.count));
        }
        for (Index k = 0; k < g.after; ++k) to[g.count + k] = T(0);
    }
}

template <class T, int... i>
inline void split_vectors(const SplitRow<T>& g, std::integer_sequence<int, i...>) {
    constexpr Index W = sizeof...(i);
    Index at = 0;
    for (; at + 2 * W <= g.count; at += 2 * W) {
        const auto a = load(g.from + at), b = load(g.from + at + W);
        store(g.even + at / 2, __builtin_shufflevector(a, b, 2 * i...));
        store(g.odd + at / 2, __builtin_shufflevector(a, b, 2 * i + 1 ...));
    }
    if (const int left = int(g.count - at); left > 0) {
        const auto a = load_part(g.from + at, left);
        const auto b = left > W ? load_part(g.from + at + W, int(left - W)) : decltype(a){};
        store_part(g.even + at / 2, __builtin_shufflevector(a, b, 2 * i...), (left + 1) / 2);
        store_part(g.odd + at / 2, __builtin_shufflevector(a, b, 2 * i + 1 ...), left / 2);
    }
}

template <class T>
void split_row(const SplitRow<T>& g) {
    split_vectors(g, std::make_integer_sequence<int, Vector<T>::lanes>());
}

template <class T>
double sum(const T* from, Index count) {
    constexpr int kLanes = 16;
    double lanes[kLanes] = {};
    Index i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += double(from[i + lane]);
    }
    double total = 0;
    for (; i < count; ++i) total += double(from[i]);
    for (double lane : lanes) total += lane;
    return total;
}

template <class T>
constexpr ConvLoops<T> loops_of() {
    return {16 / int(sizeof(T)), 2 * kVectorBytes / int(sizeof(T)), product<T>, run_product<T>,
            run_dots<T>, turn_squares<T>, pad_rows<T>, split_row<T>, sum<T>};
}

constexpr ConvTable kTable{loops_of<float>(), loops_of<double>(), loops_of<std::uint64_t>()};

}  // namespace

const ConvTable& conv_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
