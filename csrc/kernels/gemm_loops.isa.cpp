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

template <class T, int Bytes = kSquareBytes>
inline void transpose_square(const T* from, Index from_row, T* to, Index to_row) {
    constexpr int W = Vector<T, Bytes>::lanes;
    typename Vector<T, Bytes>::type rows[W];
#pragma GCC unroll 8
    for (int r = 0; r < W; ++r) rows[r] = load<T, Bytes>(from + r * from_row);
    transpose<W>(rows);
#pragma GCC unroll 8
    for (int r = 0; r < W; ++r) store<Bytes>(to + r * to_row, rows[r]);
}

// As many columns of a transposed matrix as fit a vector of so many bytes become rows of a panel.
template <class T, int Bytes>
inline void pack_columns(const T* columns, Index apart, Index k, T* panel, Index width) {
    constexpr int S = Bytes / int(sizeof(T)), L = 16 / int(sizeof(T));
    Index p = 0;
    for (; p + S <= k; p += S) {
        transpose_square<T, Bytes>(columns + p, apart, panel + p * width, width);
    }
    if constexpr (S > L) {
        for (; p + L <= k; p += L) {
            for (int i = 0; i < S; i += L) {
                transpose_square<T, 16>(columns + i * apart + p, apart, panel + p * width + i,
                                        width);
            }
        }
    }
    for (; p < k; ++p) {
        for (int i = 0; i < S; ++i) panel[p * width + i] = columns[i * apart + p];
    }
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
        constexpr int S = kSquareBytes / int(sizeof(T)), L = 16 / int(sizeof(T));
        Index j = 0;
        for (; j + S <= cols; j += S) {
            pack_columns<T, kSquareBytes>(b + j * g.b_col, g.b_col, k, panel + j, width);
        }
        for (; j + L <= cols; j += L) {
            pack_columns<T, 16>(b + j * g.b_col, g.b_col, k, panel + j, width);
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

// Both halves of a vector added, until 16 bytes are left.
template <class T, class Vec, int... i>
inline auto halves_added(Vec v, std::integer_sequence<int, i...>) {
    constexpr int half = int(sizeof...(i));
    return __builtin_shufflevector(v, v, i...) + __builtin_shufflevector(v, v, (i + half)...);
}
template <class T, class Vec>
inline typename Vector<T, 16>::type narrowed(Vec v) {
    if constexpr (sizeof(Vec) == 16) {
        return v;
    } else {
        constexpr int half = int(sizeof(Vec) / sizeof(T) / 2);
        return narrowed<T>(halves_added<T>(v, std::make_integer_sequence<int, half>()));
    }
}

// I rows of A times J columns of B, along which both are contiguous: nothing to pack.
template <class T, int I, int J>
void dots(const GemmArgs<T>& g, const T* a, const T* b, T* c, const T* from) {
    constexpr int W = Vector<T>::lanes, L = Vector<T, 16>::lanes;
    constexpr int kSums = (I * J + L - 1) / L * L;
    typename Vector<T, 16>::type sums[kSums] = {};
    Index p = 0;
    if (g.k >= W) {
        typename Vector<T>::type acc[I][J] = {};
        for (; p + W <= g.k; p += W) {
#pragma GCC unroll 8
            for (int j = 0; j < J; ++j) {
                const auto right = load(b + j * g.b_col + p);
#pragma GCC unroll 8
                for (int i = 0; i < I; ++i) {
                    acc[i][j] = fma(load(a + i * g.a_row + p), right, acc[i][j]);
                }
            }
        }
#pragma GCC unroll 16
        for (int at = 0; at < I * J; ++at) sums[at] = narrowed<T>(acc[at / J][at % J]);
    }
    for (; p + L <= g.k; p += L) {
#pragma GCC unroll 16
        for (int at = 0; at < I * J; ++at) {
            sums[at] = fma(load<T, 16>(a + at / J * g.a_row + p),
                           load<T, 16>(b + at % J * g.b_col + p), sums[at]);
        }
    }
#pragma GCC unroll 8
    for (int at = 0; at < kSums; at += L) {  // the lanes of L sums, added all at once
        transpose<L>(sums + at);
        for (int l = 1; l < L; ++l) sums[at] += sums[at + l];
    }
    if constexpr (J == L) {  // which are a row of C
        for (int i = 0; i < I; ++i) {
            auto row = sums[i * L];
            for (Index q = p; q < g.k; ++q) {
                for (int j = 0; j < J; ++j) row[j] += a[i * g.a_row + q] * b[j * g.b_col + q];
            }
            row *= g.alpha;
            if (from) row += load<T, 16>(from + i * g.from_row);
            store<16>(c + i * g.c_row, row);
        }
        return;
    }
    alignas(16) T total[kSums];
#pragma GCC unroll 8
    for (int at = 0; at < kSums; at += L) store<16>(total + at, sums[at]);
    for (int i = 0; i < I; ++i) {
        for (int j = 0; j < J; ++j) {
            T value = total[i * J + j];
            for (Index q = p; q < g.k; ++q) value += a[i * g.a_row + q] * b[j * g.b_col + q];
            value *= g.alpha;
            c[i * g.c_row + j] = from ? from[i * g.from_row + j] + value : value;
        }
    }
}

template <class T, int J>
void dot_columns(const GemmArgs<T>& g, Index j) {
    const T* b = g.b + j * g.b_col;
    const auto rows = [&]<int I>(Index i) {
        dots<T, I, J>(g, g.a + i * g.a_row, b, g.c + i * g.c_row + j,
                      g.from ? g.from + i * g.from_row + j : nullptr);
    };
    constexpr int most = kVectorBytes / 4 / J, I = most < 1 ? 1 : most > 4 ? 4 : most;  // registers
    Index i = 0;
    for (; i + I <= g.m; i += I) rows.template operator()<I>(i);
    for (; i < g.m; ++i) rows.template operator()<1>(i);
}

template <class T>
void dot_products(const GemmArgs<T>& g) {
    Index j = 0;
    for (; j + 4 <= g.n; j += 4) dot_columns<T, 4>(g, j);
    if (g.n - j == 3) dot_columns<T, 3>(g, j);
    if (g.n - j == 2) dot_columns<T, 2>(g, j);
    if (g.n - j == 1) dot_columns<T, 1>(g, j);
}

// Few columns would leave most lanes of a vector of C empty: sums along k fill them, but have to be
// folded at the end, which takes as long as 64 steps of an empty loop for each column of eight.
constexpr Index kNarrow = 4;
template <class T>
bool is_narrow(const GemmArgs<T>& g) {
    return g.n <= kNarrow && g.k * (8 - g.n) > 64 * g.n;
}

template <class T>
void product(const GemmArgs<T>& g);

// A is a transposed matrix of long contiguous rows, B narrow: C's transpose is computed, of which
// whole vectors are filled.
template <class T>
void narrow_product(const GemmArgs<T>& g) {
    constexpr int V = 2, kBlock = V * Vector<T>::lanes;
    alignas(64) T columns[kNarrow * kBlock];
    GemmArgs<T> turned = g;
    turned.a_row = g.b_col, turned.a_col = g.b_row;
    turned.c_row = kBlock;
    GemmArgs<T> left = g;
    for (; left.m >= kBlock; left.m -= kBlock) {
        rows_left<T, kVectorBytes, V, kNarrow>(turned, g.n, g.k, g.b, left.a, g.a_col, columns,
                                               kBlock, nullptr);
        for (Index r = 0; r < kBlock; ++r) {
            for (Index j = 0; j < g.n; ++j) {
                const T value = columns[j * kBlock + r];
                left.c[r * g.c_row + j] = left.from ? left.from[r * g.from_row + j] + value : value;
            }
        }
        left.a += kBlock;
        left.c += kBlock * g.c_row;
        if (left.from) left.from += kBlock * g.from_row;
    }
    if (left.m > 0) product(left);
}

template <class T>
void product(const GemmArgs<T>& g) {
    constexpr int W = Vector<T>::lanes, V = 2;
    constexpr int kShortest = 16 / int(sizeof(T));
    constexpr Index kPanelBytes = 32 << 10;
    constexpr Index kDepth = kPanelBytes / (V * kVectorBytes);
    alignas(64) T panel[kPanelBytes / sizeof(T)];
    const bool few = g.m <= 2 && (g.b_col != 1 || g.n <= 2);
    if (g.a_col == 1 || g.k == 1) {
        const bool ready = g.b_row == 1 || g.k == 1;
        if (ready && (few || is_narrow(g))) return dot_products(g);
        if (is_narrow(g) && g.m >= 16 && g.n * g.k <= Index(std::size(panel))) {
            for (Index j = 0; j < g.n; ++j) {
                for (Index p = 0; p < g.k; ++p) panel[j * g.k + p] = g.b[p * g.b_row + j * g.b_col];
            }
            GemmArgs<T> turned = g;
            turned.b = panel, turned.b_row = 1, turned.b_col = g.k;
            return dot_products(turned);
        }
    } else if (g.a_row == 1 && g.n <= kNarrow && g.m >= V * W && g.k > 0) {
        return narrow_product(g);
    }
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
