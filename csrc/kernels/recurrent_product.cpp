// Packing for recurrent_product.h, and large products made of its blocks: with the matrix packed
// and the state's rows at hand, these loops are faster than a call of BLAS of the same size.
#include <algorithm>

#include "kernels/recurrent.h"
#include "kernels/gemm_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr double kOperationsPerSecond = 5e10;
// Fewer rows than this do not repay the packing.
constexpr Index kFewRows = 16;
// A slab of the matrix that is packed at a time: so many rows, and bytes in all.
constexpr Index kDepth = 1024;
constexpr Index kSlabBytes = 2 << 20;
// Rows and tasks that a product is cut into.
constexpr Index kRowsEach = 24;
constexpr Index kTasks = 8;

Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

template <class T>
constexpr double kWork = double(sizeof(T)) / 4;

template <class T>
void few_rows(Index m, Index n, Index k, Strided<T> a, Strided<T> b, Start<T> start, T* c,
              Index c_row) {
    constexpr Index kColumnsEach = 256;
    const double seconds = kWork<T> * 2 * double(m * k) * double(kColumnsEach) /
                           kOperationsPerSecond;
    parallel_for(divide_up(n, kColumnsEach), seconds, [&](Index task) {
        const Index column = task * kColumnsEach;
        const GemmArgs<T> args{m,
                               std::min(kColumnsEach, n - column),
                               k,
                               a.data,
                               a.row,
                               a.col,
                               b.data + column * b.col,
                               b.row,
                               b.col,
                               c + column,
                               c_row,
                               T(1),
                               start.data ? start.data + column : nullptr,
                               start.row};
        if constexpr (sizeof(T) == 4) gemm_table().f32(args);
        else gemm_table().f64(args);
    });
}

template <class T>
void slab_product(Index m, Index n, Index k, Strided<T> a, Strided<T> b, Start<T> start, T* c,
                  Index c_row) {
    const PackedMatrix<T> matrix(k, n, b);
    const Index width = recurrent_product_table().get<T>().width;
    const Index row_tasks = divide_up(m, kRowsEach), panels = divide_up(n, width);
    const Index parts = std::min(panels, divide_up(kTasks, row_tasks));
    const Index columns_each = divide_up(panels, parts) * width;
    const Index column_tasks = divide_up(n, columns_each);
    const double seconds = kWork<T> * 2 * double(kRowsEach * k) *
                           double(std::min(columns_each, n)) / kOperationsPerSecond;
    parallel_for(row_tasks * column_tasks, seconds, [&](Index task) {
        const Index row = task / column_tasks * kRowsEach;
        const Index column = task % column_tasks * columns_each;
        const Start<T> from{start.data ? start.data + row * start.row : nullptr, start.row};
        matrix.multiply_columns(column, std::min(column + columns_each, n),
                                std::min(kRowsEach, m - row),
                                {a.data + row * a.row, a.row, a.col}, from, c + row * c_row, c_row);
    });
}

}  // namespace

template <class T>
PackedMatrix<T>::PackedMatrix(Index k, Index n, Strided<T> b) : k_(k), n_(n) {
    const auto& loops = recurrent_product_table().get<T>();
    const Index panels = divide_up(n, loops.width);
    memory_ = Array::empty({panels * loops.width * k}, dtype_of<T>);
    T* to = memory_.template data<T>();
    panels_ = to;
    const StepMatrix<T> matrix{k, n, b.data, b.row, b.col};
    parallel_for(panels, double(k * loops.width) * 0.4e-9, [&](Index panel) {
        loops.pack(matrix, panel * loops.width, to + panel * loops.width * k);
    });
}

template <class T>
void PackedMatrix<T>::multiply(Index m, const T* a, Index a_row, Start<T> start, T* c,
                               Index c_row) const {
    recurrent_product_table().get<T>().multiply(
        {m, n_, k_, a, a_row, 1, panels_, start.data, start.row, c, c_row});
}

// Of the columns from `begin`, a multiple of a panel's width, to `end`.
template <class T>
void PackedMatrix<T>::multiply_columns(Index begin, Index end, Index m, Strided<T> a,
                                       Start<T> start, T* c, Index c_row) const {
    recurrent_product_table().get<T>().multiply(
        {m, end - begin, k_, a.data, a.row, a.col, panels_ + begin * k_,
         start.data ? start.data + begin : nullptr, start.row, c + begin, c_row});
}

template <class T>
void large_product(Index m, Index n, Index k, Strided<T> a, Strided<T> b, Start<T> start, T* c,
                   Index c_row) {
    if (m == 0 || n == 0) return;
    if (m < kFewRows) return few_rows(m, n, k, a, b, start, c, c_row);
    const Index width = recurrent_product_table().get<T>().width;
    const Index deep = std::min(std::max<Index>(k, 1), kDepth);
    const Index fitting = kSlabBytes / (deep * Index(sizeof(T)));
    const Index wide = std::max(fitting / width, Index(1)) * width;
    for (Index column = 0; column < n; column += wide) {
        const Index columns = std::min(wide, n - column);
        for (Index p = 0; p == 0 || p < k; p += deep) {
            Start<T> from{start.data ? start.data + column : nullptr, start.row};
            if (p > 0) from = {c + column, c_row};
            slab_product<T>(m, columns, std::min(deep, k - p), {a.data + p * a.col, a.row, a.col},
                            {b.data + p * b.row + column * b.col, b.row, b.col}, from, c + column,
                            c_row);
        }
    }
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;
template void large_product(Index, Index, Index, Strided<float>, Strided<float>, Start<float>,
                            float*, Index);
template void large_product(Index, Index, Index, Strided<double>, Strided<double>, Start<double>,
                            double*, Index);

}  // namespace rushlight
