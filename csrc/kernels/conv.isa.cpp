// The loops of conv_loops.h, over the compiler's vector types.
#include "kernels/conv_loops.h"

#include "kernels/vectors.h"

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

template <class T, int Bytes, int V, int L>
[[gnu::always_inline]] inline void run_block(const RunProduct<T>& g, Index at, Index count) {
    using Vec = typename Vector<T, Bytes>::type;
    constexpr int W = Vector<T, Bytes>::lanes;
    Vec acc[L][V];
    for (int l = 0; l < L; ++l) {
        for (int v = 0; v < V; ++v) acc[l][v] = spread<Vec>(g.bias ? g.bias[l] : T(0));
    }
    const T* w = g.w;
    for (Index k = 0; k < g.depth_count; ++k, w += L) {
        const T* x = g.x + at + g.depth[k];
        Vec right[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) right[v] = load<T, Bytes>(x + v * W);
#pragma GCC unroll 4
        for (int l = 0; l < L; ++l) {
            const Vec left = spread<Vec>(w[l]);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) acc[l][v] = fma(left, right[v], acc[l][v]);
        }
    }
    for (int l = 0; l < L; ++l) {
        T* to = g.c + l * g.c_row + at;
        if (count >= V * W) {
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) store<Bytes>(to + v * W, acc[l][v]);
        } else {
            T values[V * W];
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) store<Bytes>(values + v * W, acc[l][v]);
            __builtin_memcpy(to, values, std::size_t(count) * sizeof(T));
        }
    }
}

template <class T, int L>
void run_of_lanes(const RunProduct<T>& g) {
    constexpr int W = Vector<T, kVectorBytes>::lanes;
    constexpr int V = kVectorBytes == 64 ? 4 : 2;
    Index at = 0;
    for (; at + (V - 1) * W < g.n; at += V * W) {
        run_block<T, kVectorBytes, V, L>(g, at, g.n - at);
    }
    for (; at < g.n; at += W) {
        if (kVectorBytes == 64 && g.n - at <= W / 2) {
            return run_block<T, kHalfBytes, 1, L>(g, at, g.n - at);
        }
        run_block<T, kVectorBytes, 1, L>(g, at, g.n - at);
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
    using Lane = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    typedef Lane Lanes __attribute__((vector_size(kVectorBytes)));
    Lanes place;
    for (int lane = 0; lane < W; ++lane) place[lane] = Lane(lane);
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
        T rest[W] = {};
        __builtin_memcpy(rest, other + i, std::size_t(g.n - i) * sizeof(T));
        const Vec right = load<T, kVectorBytes>(rest);
        const Lanes inside = place < Lane(g.n - i);
#pragma GCC unroll 9
        for (int k = 0; k < K; ++k) {  // what lies behind the run may be infinite
            const Vec left = load<T, kVectorBytes>(x + g.depth[first + k] + i);
            acc[k] = fma(inside ? left : Vec{}, right, acc[k]);
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
        } else {
            for (; i < g.count; ++i) to[i] = from[i];
        }
        for (Index k = 0; k < g.after; ++k) to[g.count + k] = T(0);
    }
}

template <class T>
constexpr ConvLoops<T> loops_of() {
    return {16 / int(sizeof(T)), 2 * kVectorBytes / int(sizeof(T)), product<T>, run_product<T>,
            run_dots<T>, turn_squares<T>, pad_rows<T>};
}

constexpr ConvTable kTable{loops_of<float>(), loops_of<double>(), loops_of<std::uint64_t>()};

}  // namespace

const ConvTable& conv_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
