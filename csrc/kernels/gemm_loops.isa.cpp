// Register-blocked product loops over the compiler's vector types.
#include "kernels/gemm_loops.h"

#include <functional>

#include "kernels/lanes.h"
#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

// Rows of C held in registers beside two vectors per row.
constexpr int kRows = kVectorBytes == 64 ? 8 : kVectorBytes == 32 ? 6 : 4;

// R rows of C by `cols` columns, at most V vectors; B's rows are `b_row` apart and can be read to
// the full V vectors.
template <class T, int Bytes, int V, int R>
void block(const GemmArgs<T>& g, Index k, const T* a, const T* b, Index b_row, T* c, Index cols,
           const T* from) {
    using Vec = typename Vector<T, Bytes>::type;
    constexpr int W = Vector<T, Bytes>::lanes;
    Vec acc[R][V] = {};
    for (Index p = 0; p < k; ++p) {
        Vec right[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) right[v] = load<T, Bytes>(b + p * b_row + v * W);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const Vec left = spread<Vec>(a[r * g.a_row + p * g.a_col]);
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) acc[r][v] = fma(left, right[v], acc[r][v]);
        }
    }
    const T alpha = g.alpha;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
        T* row = c + r * g.c_row;
        const T* begin = from ? from + r * g.from_row : nullptr;
        if (cols == V * W) {
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) {
                Vec value = acc[r][v] * alpha;
                if (from) value += load<T, Bytes>(begin + v * W);
                store<Bytes>(row + v * W, value);
            }
        } else {
            T values[V * W];
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) store<Bytes>(values + v * W, acc[r][v] * alpha);
            for (Index j = 0; j < cols; ++j) row[j] = from ? begin[j] + values[j] : values[j];
        }
    }
}

template <class T, int Bytes, int V, int R>
void rows_left(const GemmArgs<T>& g, Index rows, Index k, const T* a, const T* b, Index b_row,
               T* c, Index cols, const T* from) {
    if (rows == R) {
        block<T, Bytes, V, R>(g, k, a, b, b_row, c, cols, from);
    } else if constexpr (R > 1) {
        rows_left<T, Bytes, V, R - 1>(g, rows, k, a, b, b_row, c, cols, from);
    }
}

template <class T, int Bytes, int V>
void panel_product(const GemmArgs<T>& g, Index k, const T* a, const T* b, Index b_row, T* c,
                   Index cols, const T* from, Index from_row) {
    GemmArgs<T> args = g;
    args.from_row = from_row;
    for (Index i = 0; i < g.m; i += kRows) {
        const Index rows = g.m - i < kRows ? g.m - i : kRows;
        rows_left<T, Bytes, V, kRows>(args, rows, k, a + i * g.a_row, b, b_row, c + i * g.c_row,
                                      cols, from ? from + i * from_row : nullptr);
    }
}

template <class T>
inline void transpose_square(const T* from, Index from_row, T* to, Index to_row) {
    constexpr int W = kSquareBytes / int(sizeof(T));
    typename Vector<T, kSquareBytes>::type rows[W];
#pragma GCC unroll 8
    for (int r = 0; r < W; ++r) rows[r] = load<T, kSquareBytes>(from + r * from_row);
    transpose<W>(rows);
#pragma GCC unroll 8
    for (int r = 0; r < W; ++r) store<kSquareBytes>(to + r * to_row, rows[r]);
}

// k rows of `cols` columns of B, made contiguous and filled up with zeros to `width`, a multiple
// of 16 bytes; the panel has room for whole vectors.
template <class T>
void pack(const GemmArgs<T>& g, Index k, const T* b, Index cols, Index width, T* panel) {
    constexpr int W = Vector<T>::lanes;
    if (cols < width) {
        for (Index at = 0; at < k * width; at += W) store(panel + at, typename Vector<T>::type{});
    }
    if (g.b_row == 1) {  // B is a transposed matrix: read along its rows
        constexpr int S = kSquareBytes / int(sizeof(T));
        Index j = 0;
        for (; j + S <= cols; j += S) {
            const T* column = b + j * g.b_col;
            Index p = 0;
            for (; p + S <= k; p += S) {
                transpose_square(column + p, g.b_col, panel + p * width + j, width);
            }
            for (; p < k; ++p) {
                for (int i = 0; i < S; ++i) panel[p * width + j + i] = column[i * g.b_col + p];
            }
        }
        for (; j < cols; ++j) {
            for (Index p = 0; p < k; ++p) panel[p * width + j] = b[j * g.b_col + p];
        }
    } else {
        for (Index p = 0; p < k; ++p) {
            for (Index j = 0; j < cols; ++j) panel[p * width + j] = b[p * g.b_row + j * g.b_col];
        }
    }
}

// One row of A times J columns of B, all of them contiguous: nothing to pack.
template <class T, int J>
void dots(const GemmArgs<T>& g, const T* a, const T* b, T* c, const T* from) {
    using Vec = typename Vector<T>::type;
    constexpr int W = Vector<T>::lanes;
    T sums[J] = {};
    const Index whole = g.k / W * W;
    if (whole > 0) {
        Vec acc[J] = {};
        for (Index p = 0; p < whole; p += W) {
            const Vec left = load(a + p);
#pragma GCC unroll 8
            for (int j = 0; j < J; ++j) acc[j] = fma(left, load(b + j * g.b_col + p), acc[j]);
        }
#pragma GCC unroll 8
        for (int j = 0; j < J; ++j) sums[j] = fold<T>(acc[j], std::plus<>());
    }
    for (Index p = whole; p < g.k; ++p) {
        for (int j = 0; j < J; ++j) sums[j] += a[p] * b[j * g.b_col + p];
    }
    for (int j = 0; j < J; ++j) c[j] = from ? from[j] + g.alpha * sums[j] : g.alpha * sums[j];
}

template <class T>
void dot_products(const GemmArgs<T>& g) {
    constexpr int J = 4;
    for (Index i = 0; i < g.m; ++i) {
        const T* a = g.a + i * g.a_row;
        T* c = g.c + i * g.c_row;
        const T* from = g.from ? g.from + i * g.from_row : nullptr;
        Index j = 0;
        for (; j + J <= g.n; j += J) {
            dots<T, J>(g, a, g.b + j * g.b_col, c + j, from ? from + j : nullptr);
        }
        for (; j < g.n; ++j) {
            dots<T, 1>(g, a, g.b + j * g.b_col, c + j, from ? from + j : nullptr);
        }
    }
}

template <class T>
void product(const GemmArgs<T>& g) {
    if ((g.m <= 2 || g.n == 1) && (g.a_col == 1 || g.k == 1) && (g.b_row == 1 || g.k == 1) &&
        (g.b_col != 1 || g.n <= 2)) {
        return dot_products(g);
    }
    constexpr int W = Vector<T>::lanes, V = 2;
    constexpr int kShortest = 16 / int(sizeof(T));
    constexpr Index kPanelBytes = 32 << 10;
    constexpr Index kDepth = kPanelBytes / (V * kVectorBytes);
    alignas(64) T panel[kPanelBytes / sizeof(T)];
    for (Index k0 = 0; k0 < g.k || k0 == 0; k0 += kDepth) {
        const Index k = g.k - k0 < kDepth ? g.k - k0 : kDepth;
        const T* from = k0 > 0 ? g.c : g.from;
        const Index from_row = k0 > 0 ? g.c_row : g.from_row;
        const T* a = g.a + k0 * g.a_col;
        for (Index j = 0; j < g.n;) {
            const Index left = g.n - j;
            const Index width = left > W           ? V * W
                                : left > W / 2     ? W
                                : left > kShortest ? W / 2
                                                   : kShortest;
            const Index cols = left < width ? left : width;
            const T* b = g.b + k0 * g.b_row + j * g.b_col;
            Index b_row = g.b_row;
            if (g.b_col != 1 || cols < width) {
                pack(g, k, b, cols, width, panel);
                b = panel;
                b_row = width;
            }
            const auto run = [&]<int Bytes, int Vectors>() {
                panel_product<T, Bytes, Vectors>(g, k, a, b, b_row, g.c + j, cols, from, from_row);
            };
            if (width == V * W) {
                run.template operator()<kVectorBytes, V>();
            } else if (width == W) {
                run.template operator()<kVectorBytes, 1>();
            } else if (kVectorBytes == 64 && width == W / 2) {
                run.template operator()<kVectorBytes == 64 ? 32 : 16, 1>();
            } else {
                run.template operator()<16, 1>();
            }
            j += cols;
            if (from) from += cols;
        }
    }
}

template <class T>
void turn(const TurnArgs<T>& g) {
    constexpr Index S = kSquareBytes / int(sizeof(T));
    for (Index i = 0; i < g.m; i += S) {
        const Index rows = g.m - i < S ? g.m - i : S;
        T* to = g.to + i * g.to_row;
        const T* start = g.start ? g.start + i * g.start_row : nullptr;
        Index j = 0;
        if (rows == S) {
            for (; j + S <= g.n; j += S) {
                typename Vector<T, kSquareBytes>::type square[S];
#pragma GCC unroll 8
                for (int r = 0; r < S; ++r)
                    square[r] = load<T, kSquareBytes>(g.from + (j + r) * g.m + i);
                transpose<S>(square);
#pragma GCC unroll 8
                for (int r = 0; r < S; ++r) {
                    if (start) square[r] += load<T, kSquareBytes>(start + r * g.start_row + j);
                    store<kSquareBytes>(to + r * g.to_row + j, square[r]);
                }
            }
        }
        for (; j < g.n; ++j) {
            for (Index r = 0; r < rows; ++r) {
                const T value = g.from[j * g.m + i + r];
                to[r * g.to_row + j] = start ? start[r * g.start_row + j] + value : value;
            }
        }
    }
}

// A panel of B's columns is multiplied with four rows of A at a time, in vectors; columns that are
// none are copied side by side.
template <class T>
void integer_product(const GemmArgs<T>& g) {
    using Vec = typename Vector<T>::type;
    constexpr int kRows = 4, kVectors = 2;
    constexpr Index W = Vector<T>::lanes, kCols = kVectors * W, kDepth = 256;
    T panel[kDepth * kCols];
    for (Index j = 0; j < g.n; j += kCols) {
        const Index cols = g.n - j < kCols ? g.n - j : kCols;
        for (Index p0 = 0; p0 == 0 || p0 < g.k; p0 += kDepth) {
            const Index depth = g.k - p0 < kDepth ? g.k - p0 : kDepth;
            const T* right = g.b + p0 * g.b_row + j * g.b_col;
            Index right_row = g.b_row;
            if (g.b_col != 1 || cols < kCols) {
                for (Index p = 0; p < depth; ++p)
                    for (Index l = 0; l < kCols; ++l)
                        panel[p * kCols + l] = l < cols ? right[p * g.b_row + l * g.b_col] : T(0);
                right = panel;
                right_row = kCols;
            }
            for (Index i = 0; i < g.m; i += kRows) {
                const Index rows = g.m - i < kRows ? g.m - i : kRows;
                const T* left[kRows];
                for (Index r = 0; r < kRows; ++r)  // the last row again for those that are missing
                    left[r] = g.a + (i + (r < rows ? r : rows - 1)) * g.a_row + p0 * g.a_col;
                Vec sums[kRows][kVectors] = {};
                for (Index p = 0; p < depth; ++p)
                    for (int r = 0; r < kRows; ++r)
                        for (int v = 0; v < kVectors; ++v)
                            sums[r][v] += left[r][p * g.a_col] *
                                          load<T>(right + p * right_row + v * W);
                for (Index r = 0; r < rows; ++r) {
                    T* c = g.c + (i + r) * g.c_row + j;
                    const T* start = p0 > 0   ? c
                                     : g.from ? g.from + (i + r) * g.from_row + j
                                              : nullptr;
                    for (Index l = 0; l < cols; ++l)  // never a signed int
                        c[l] = T((start ? start[l] : T(0)) + 1u * sums[r][l / W][l % W] * g.alpha);
                }
            }
        }
    }
}

// Eight rows are added in T, their sum in double: the error does not grow with the rows.
template <class T>
void column_sums(const ColumnSumArgs<T>& g) {
    constexpr Index kBlock = 64, kRowsAtOnce = 8;
    double total[kBlock];
    T partial[kBlock];
    for (Index j0 = 0; j0 < g.cols; j0 += kBlock) {
        const Index cols = g.cols - j0 < kBlock ? g.cols - j0 : kBlock;
        for (Index j = 0; j < cols; ++j) total[j] = 0;
        for (Index i0 = 0; i0 < g.rows; i0 += kRowsAtOnce) {
            const Index rows = g.rows - i0 < kRowsAtOnce ? g.rows - i0 : kRowsAtOnce;
            const T* x = g.x + i0 * g.x_row + j0;
            for (Index j = 0; j < cols; ++j) partial[j] = x[j];
            for (Index i = 1; i < rows; ++i) {
                for (Index j = 0; j < cols; ++j) partial[j] += x[i * g.x_row + j];
            }
            for (Index j = 0; j < cols; ++j) total[j] += double(partial[j]);
        }
        for (Index j = 0; j < cols; ++j) g.sums[j0 + j] = T(total[j]);
    }
}

}  // namespace

Bf16Product bf16_product();  // gemm_bf16.isa.cpp

const GemmTable& gemm_table() {
    static const GemmTable table{product<float>,
                                 product<double>,
                                 integer_product<std::uint8_t>,
                                 integer_product<std::uint16_t>,
                                 integer_product<std::uint32_t>,
                                 integer_product<std::uint64_t>,
                                 bf16_product(),
                                 turn<float>,
                                 turn<double>,
                                 column_sums<float>,
                                 column_sums<double>,
                                 kVectorBytes == 64 ? 1e18 : 150000};
    return table;
}

}  // namespace rushlight::RUSHLIGHT_ISA
