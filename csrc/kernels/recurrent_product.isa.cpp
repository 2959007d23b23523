// Register-blocked products with a packed matrix: a block of rows of C by one panel stays in
// registers over all of k. Few rows take several panels side by side, to keep enough sums in flight.
#include "kernels/recurrent_product.h"

#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

// The most rows of C of which two vectors each fit into the registers.
constexpr int kRows = kVectorBytes == 64 ? 12 : 6;
constexpr int kVectors = 2;  // of a panel's row

template <class T>
constexpr int kLanes = Vector<T>::lanes;

// R rows of C by P panels, of each the first V vectors. The last vector may be wider than C.
template <class T, int R, int P, int V>
void block(const StepProduct<T>& g, Index row, Index column) {
    using Vec = typename Vector<T>::type;
    constexpr int W = kLanes<T>, N = P * V;
    const T* __restrict__ a = g.a + row * g.a_row;
    const T* __restrict__ b = g.panels + column * g.k;
    const Index panel = g.k * kVectors * W;
    for (int r = 0; r < R; ++r) {  // what is needed last comes from farthest away
        const T* from = g.from && g.from_row > 0 ? g.from + (row + r) * g.from_row + column : nullptr;
        for (int i = 0; i < N; ++i) {
            __builtin_prefetch(g.c + (row + r) * g.c_row + column + i * W, 1);
            if (from && g.from != g.c) __builtin_prefetch(from + i * W);
        }
    }
    Vec acc[R][N] = {};
    for (Index p = 0; p < g.k; ++p) {
        Vec right[N];
#pragma GCC unroll 8
        for (int i = 0; i < N; ++i) right[i] = load(b + i / V * panel + (p * kVectors + i % V) * W);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const Vec left = spread<Vec>(a[r * g.a_row + p * g.a_col]);
#pragma GCC unroll 8
            for (int i = 0; i < N; ++i) acc[r][i] = fma(left, right[i], acc[r][i]);
        }
    }
    const Index cols = g.n - column;
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
        T* c = g.c + (row + r) * g.c_row + column;
        const T* from = g.from ? g.from + (row + r) * g.from_row + column : nullptr;
        if (cols >= N * W) {
#pragma GCC unroll 8
            for (int i = 0; i < N; ++i) {
                store(c + i * W, from ? acc[r][i] + load(from + i * W) : acc[r][i]);
            }
        } else {
            T values[N * W];
#pragma GCC unroll 8
            for (int i = 0; i < N; ++i) store(values + i * W, acc[r][i]);
            for (Index j = 0; j < cols; ++j) c[j] = from ? values[j] + from[j] : values[j];
        }
    }
}

// All columns of the R rows that C has.
template <class T, int R>
void few_rows(const StepProduct<T>& g) {
    constexpr int kPanels = R == 1 ? 4 : 2;
    constexpr Index width = kVectors * kLanes<T>;
    Index column = 0;
    for (; g.n - column > (kPanels - 1) * width + kLanes<T>; column += kPanels * width) {
        block<T, R, kPanels, kVectors>(g, 0, column);
    }
    for (; g.n - column > kLanes<T>; column += width) block<T, R, 1, kVectors>(g, 0, column);
    if (column < g.n) block<T, R, 1, 1>(g, 0, column);
}

// One panel's columns of `rows` rows, at most R.
template <class T, int R>
void panel_block(const StepProduct<T>& g, Index row, Index rows, Index column) {
    if constexpr (R > 1) {
        if (rows < R) return panel_block<T, R - 1>(g, row, rows, column);
    }
    if (g.n - column > kLanes<T>) {
        block<T, R, 1, kVectors>(g, row, column);
    } else {
        block<T, R, 1, 1>(g, row, column);
    }
}

template <class T>
void multiply(const StepProduct<T>& g) {
    if (g.m == 1) return few_rows<T, 1>(g);
    if (g.m == 2) return few_rows<T, 2>(g);
    if (g.m == 3) return few_rows<T, 3>(g);
    constexpr Index width = kVectors * kLanes<T>;
    constexpr Index kBlocks = 4;  // so many blocks of rows use a panel while it is in the cache
    const Index blocks = (g.m + kRows - 1) / kRows;
    const Index each = blocks == 0 ? 1 : (g.m + blocks - 1) / blocks;
    for (Index first = 0; first < g.m; first += kBlocks * each) {
        const Index end = g.m - first < kBlocks * each ? g.m : first + kBlocks * each;
        for (Index column = 0; column < g.n; column += width) {
            for (Index row = first; row < end; row += each) {
                panel_block<T, kRows>(g, row, end - row < each ? end - row : each, column);
            }
        }
    }
}

template <class T>
void pack(const StepMatrix<T>& matrix, Index column, T* panel) {
    constexpr Index width = kVectors * kLanes<T>;
    const Index left = matrix.n - column, cols = left < width ? left : width;
    const T* b = matrix.b + column * matrix.b_col;
    if (cols < width) {
        for (Index i = 0; i < matrix.k * width; ++i) panel[i] = 0;
    }
    if (matrix.b_col == 1) {
        for (Index p = 0; p < matrix.k; ++p) {
            for (Index j = 0; j < cols; ++j) panel[p * width + j] = b[p * matrix.b_row + j];
        }
        return;
    }
    // A transposed matrix: some of its rows at a time, lest the panel's lines leave the cache.
    constexpr Index kRun = 64;
    for (Index p0 = 0; p0 < matrix.k; p0 += kRun) {
        const Index stop = matrix.k - p0 < kRun ? matrix.k : p0 + kRun;
        for (Index j = 0; j < cols; ++j) {
            const T* from = b + j * matrix.b_col;
            for (Index p = p0; p < stop; ++p) panel[p * width + j] = from[p * matrix.b_row];
        }
    }
}

template <class T>
constexpr RecurrentProductLoops<T> loops_of() {
    return {kVectors * kLanes<T>, pack<T>, multiply<T>};
}

constexpr RecurrentProductTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const RecurrentProductTable& recurrent_product_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
