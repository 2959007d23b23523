// Factors of matrices and what is solved with them, by LAPACK: LU, Cholesky, LDL and triangular.
#include <cmath>

#include "bind/casters.h"
#include "kernels/lapack.h"
#include "kernels/small_factor.h"

namespace rushlight {
namespace {

using namespace lapack;

// ---- LU

template <class T>
auto getrf() {
    static const auto f =
        routine<T, const int*, const int*, T*, const int*, int*, int*>("getrf");
    return f;
}

template <class T>
auto getrs() {
    static const auto f = routine<T, const char*, const int*, const int*, const T*, const int*,
                                  const int*, T*, const int*, int*, Length>("getrs");
    return f;
}

// The factors in one matrix, the row exchanges (from 1), and the first pivot that is 0 (or 0).
std::tuple<Array, Array, Array> lu_factor(const Array& a) {
    const Stack stack = stack_of("lu_factor", a);
    const Array stored = copied_columns(a);
    const Array pivots = Array::empty(stack.shape({stack.least()}), DType::I32);
    const Array info = Array::zeros(stack.batch, DType::I32);
    if (stored.nothing_to_compute()) return {turned(stored), pivots, info};
    dispatch("lu_factor", a.dtype(), [&]<class T>() {
        const auto factor = getrf<T>();
        T* at = stored.data<T>();
        int *pivot = pivots.data<int>(), *failed = info.data<int>();
        const int lda = leading(stack.rows);
        const bool small = stack.most() <= kSmallMatrix;
        for_each<T>(stack.count, cube(stack.rows, stack.cols, stack.least()) / 2, [&](Index i) {
            if (small) {
                failed[i] = small_lu(at + i * stack.matrix(), stack.rows, stack.cols,
                                     pivot + i * stack.least());
                return;
            }
            factor(&stack.rows, &stack.cols, at + i * stack.matrix(), &lda,
                   pivot + i * stack.least(), failed + i);
        });
    });
    return {turned(stored), pivots, info};
}

// x with A x = b from the factors of A. `form`: 'N', or 'T', 'C' for the transposes of A.
Array lu_solve(const Array& lu, const Array& pivots, const Array& b, const std::string& form) {
    const Stack stack = stack_of("lu_solve", lu), right = stack_of("lu_solve", b);
    check(stack.rows == stack.cols && right.rows == stack.rows && right.count == stack.count &&
              pivots.numel() == stack.count * stack.rows,
          "lu_solve: factors ", lu.shape(), ", pivots ", pivots.shape(), " and right hand sides ",
          b.shape(), " do not fit");
    const Array stored = copied_columns(b);
    if (stored.nothing_to_compute()) return turned(stored);
    const Array factors = columns(lu), places = contiguous(cast(pivots, DType::I32));
    dispatch("lu_solve", b.dtype(), [&]<class T>() {
        const auto solve = getrs<T>();
        const T* from = factors.data<T>();
        const int* pivot = places.data<int>();
        T* at = stored.data<T>();
        const int n = stack.rows, lda = leading(n);
        for_each<T>(stack.count, cube(n, n, right.cols), [&](Index i) {
            int info = 0;
            solve(form.c_str(), &n, &right.cols, from + i * stack.matrix(), &lda, pivot + i * n,
                  at + i * right.matrix(), &lda, &info, 1);
        });
    });
    return turned(stored);
}

// x with A x = b, the factors of A, the row exchanges, and the first pivot that is 0 (or 0).
// Without b: the inverse.
std::tuple<Array, Array, Array, Array> lu_factor_solve(const Array& a,
                                                       const std::optional<Array>& b) {
    const Stack stack = stack_of("solve", a), right = b ? stack_of("solve", *b) : stack;
    check(stack.rows == stack.cols && right.rows == stack.rows && right.count == stack.count,
          "solve: matrices ", a.shape(), " and right hand sides ", (b ? *b : a).shape(),
          " do not fit");
    const Array factors = copied_columns(a);
    const Array stored =
        b ? copied_columns(*b) : Array::zeros(stack.shape({stack.rows, stack.rows}), a.dtype());
    const Array pivots = Array::empty(stack.shape({stack.rows}), DType::I32);
    const Array info = Array::zeros(stack.batch, DType::I32);
    if (factors.nothing_to_compute()) return {turned(stored), turned(factors), pivots, info};
    dispatch("solve", a.dtype(), [&]<class T>() {
        const auto factor = getrf<T>();
        const auto solve = getrs<T>();
        T *from = factors.data<T>(), *at = stored.data<T>();
        int *pivot = pivots.data<int>(), *failed = info.data<int>();
        const int n = stack.rows, lda = leading(n);
        const bool small = n <= kSmallMatrix;
        for_each<T>(stack.count, cube(n, n, n) / 3 + cube(n, n, right.cols), [&](Index i) {
            T *left = from + i * stack.matrix(), *x = at + i * right.matrix();
            if (small) failed[i] = small_lu(left, n, n, pivot + i * n);
            else factor(&n, &n, left, &lda, pivot + i * n, failed + i);
            if (!b) {
                for (int d = 0; d < n; ++d) x[Index(d) * n + d] = T(1);
            }
            int info = 0;
            if (small)
                small_lu_solve(left, n, pivot + i * n, x, right.cols);
            else if (right.cols)
                solve("N", &n, &right.cols, left, &lda, pivot + i * n, x, &lda, &info, 1);
        });
    });
    return {turned(stored), turned(factors), pivots, info};
}

// Which row of P L U each row of L U is: P has its ones there.
Array pivots_to_rows(const Array& pivots, Index rows) {
    Dims shape = pivots.shape();
    const Index exchanges = shape.back();
    shape.back() = rows;
    if (pivots.is_meta()) return Array::meta(shape, DType::I64);
    const Array order = Array::empty(shape, DType::I64);
    const Array places = contiguous(cast(pivots, DType::I32));
    const Index count = rows ? order.numel() / rows : 0;
    const int* from = places.data<int>();
    Index* to = order.data<Index>();
    for (Index i = 0; i < count; ++i, to += rows, from += exchanges) {
        for (Index r = 0; r < rows; ++r) to[r] = r;
        for (Index r = 0; r < exchanges; ++r) {
            check(from[r] >= 1 && from[r] <= rows, "lu_unpack: pivots must lie between 1 and ",
                  rows, ", got ", from[r], ": they are what lu_factor returned?");
            std::swap(to[r], to[from[r] - 1]);
        }
    }
    return order;
}

// The determinant as (sign, logarithm of the absolute value), or as itself and nothing.
template <class T, bool Logarithm>
void determinant(const T* factors, const int* pivots, Index n, Index count, T* product,
                 Real<T>* size) {
    for (Index i = 0; i < count; ++i, factors += n * n, pivots += n) {
        T total(1);
        Real<T> log_size(0);
        for (Index d = 0; d < n; ++d) {
            const T factor = factors[d * n + d];
            if (pivots[d] != d + 1) total = -total;
            if constexpr (Logarithm) {
                const Real<T> length = std::abs(factor);
                total *= length == Real<T>(0) ? T(0) : factor / length;
                log_size += std::log(length);
            } else {
                total *= factor;
            }
        }
        product[i] = total;
        if constexpr (Logarithm) size[i] = log_size;
    }
}

Array lu_determinant(const Array& lu, const Array& pivots) {
    const Stack stack = stack_of("det", lu);
    const Array result = Array::empty(stack.batch, lu.dtype());
    if (result.is_meta()) return result;
    const Array factors = columns(lu), places = contiguous(pivots);
    dispatch("det", lu.dtype(), [&]<class T>() {
        determinant<T, false>(factors.data<T>(), places.data<int>(), stack.rows, stack.count,
                              result.data<T>(), nullptr);
    });
    return result;
}

std::pair<Array, Array> lu_log_determinant(const Array& lu, const Array& pivots) {
    const Stack stack = stack_of("slogdet", lu);
    const Array sign = Array::empty(stack.batch, lu.dtype());
    const Array size = Array::empty(stack.batch, real_of(lu.dtype()));
    if (size.is_meta()) return {sign, size};
    const Array factors = columns(lu), places = contiguous(pivots);
    dispatch("slogdet", lu.dtype(), [&]<class T>() {
        determinant<T, true>(factors.data<T>(), places.data<int>(), stack.rows, stack.count,
                             sign.data<T>(), size.data<Real<T>>());
    });
    return {sign, size};
}

// ---- Cholesky

// L (or its conjugate transpose), 0 beside the triangle, and the first leading minor that is not
// positive (or 0).
std::pair<Array, Array> cholesky(const Array& a, bool upper) {
    const Stack stack = stack_of("cholesky", a);
    const Array stored = copied_columns(a);
    const Array info = Array::zeros(stack.batch, DType::I32);
    if (stored.nothing_to_compute()) return {turned(stored), info};
    dispatch("cholesky", a.dtype(), [&]<class T>() {
        static const auto factor =
            routine<T, const char*, const int*, T*, const int*, int*, Length>("potrf");
        T* at = stored.data<T>();
        int* failed = info.data<int>();
        const int n = stack.rows, lda = leading(n);
        const bool small = n <= kSmallMatrix;
        for_each<T>(stack.count, cube(n, n, n) / 6, [&](Index i) {
            T* matrix = at + i * stack.matrix();
            if (small) failed[i] = small_cholesky(matrix, n, upper);
            else factor(upper ? "U" : "L", &n, matrix, &lda, failed + i, 1);
            for (Index c = 0; c < n; ++c) {
                T* column = matrix + c * n;
                if (upper) std::fill(column + c + 1, column + n, T(0));
                else std::fill(column, column + c, T(0));
            }
        });
    });
    return {turned(stored), info};
}

Array cholesky_solve(const Array& b, const Array& l, bool upper) {
    const Stack stack = stack_of("cholesky_solve", l), right = stack_of("cholesky_solve", b);
    check(stack.rows == stack.cols && right.rows == stack.rows && right.count == stack.count,
          "cholesky_solve: factors ", l.shape(), " and right hand sides ", b.shape(),
          " do not fit");
    const Array stored = copied_columns(b);
    if (stored.nothing_to_compute()) return turned(stored);
    const Array factors = columns(l);
    dispatch("cholesky_solve", b.dtype(), [&]<class T>() {
        static const auto solve = routine<T, const char*, const int*, const int*, const T*,
                                          const int*, T*, const int*, int*, Length>("potrs");
        const T* from = factors.data<T>();
        T* at = stored.data<T>();
        const int n = stack.rows, lda = leading(n);
        for_each<T>(stack.count, cube(n, n, right.cols), [&](Index i) {
            int info = 0;
            solve(upper ? "U" : "L", &n, &right.cols, from + i * stack.matrix(), &lda,
                  at + i * right.matrix(), &lda, &info, 1);
        });
    });
    return turned(stored);
}

// ---- LDL

std::tuple<Array, Array, Array> ldl_factor(const Array& a, bool hermitian) {
    const Stack stack = stack_of("ldl_factor", a);
    const Array stored = copied_columns(a);
    const Array pivots = Array::empty(stack.shape({stack.rows}), DType::I32);
    const Array info = Array::zeros(stack.batch, DType::I32);
    if (stored.nothing_to_compute()) return {turned(stored), pivots, info};
    dispatch("ldl_factor", a.dtype(), [&]<class T>() {
        const auto factor = routine<T, const char*, const int*, T*, const int*, int*, T*,
                                    const int*, int*, Length>(
            kComplex<T> && hermitian ? "hetrf" : "sytrf");
        T* at = stored.data<T>();
        int *pivot = pivots.data<int>(), *failed = info.data<int>();
        const int n = stack.rows, lda = leading(n);
        const int room = 64 * n;  // a block of columns
        for_each<T>(stack.count, cube(n, n, n) / 6, [&](Index i) {
            T* matrix = at + i * stack.matrix();
            std::vector<T> work = workspace<T>(room);
            factor("L", &n, matrix, &lda, pivot + i * n, work.data(), &room, failed + i, 1);
            for (Index c = 1; c < n; ++c) std::fill(matrix + c * n, matrix + c * n + c, T(0));
        });
    });
    return {turned(stored), pivots, info};
}

Array ldl_solve(const Array& ld, const Array& pivots, const Array& b, bool hermitian) {
    const Stack stack = stack_of("ldl_solve", ld), right = stack_of("ldl_solve", b);
    check(stack.rows == stack.cols && right.rows == stack.rows && right.count == stack.count &&
              pivots.numel() == stack.count * stack.rows,
          "ldl_solve: factors ", ld.shape(), ", pivots ", pivots.shape(),
          " and right hand sides ", b.shape(), " do not fit");
    const Array stored = copied_columns(b);
    if (stored.nothing_to_compute()) return turned(stored);
    const Array factors = columns(ld), places = contiguous(cast(pivots, DType::I32));
    dispatch("ldl_solve", b.dtype(), [&]<class T>() {
        const auto solve = routine<T, const char*, const int*, const int*, const T*, const int*,
                                   const int*, T*, const int*, int*, Length>(
            kComplex<T> && hermitian ? "hetrs" : "sytrs");
        const T* from = factors.data<T>();
        const int* pivot = places.data<int>();
        T* at = stored.data<T>();
        const int n = stack.rows, lda = leading(n);
        for_each<T>(stack.count, cube(n, n, right.cols), [&](Index i) {
            int info = 0;
            solve("L", &n, &right.cols, from + i * stack.matrix(), &lda, pivot + i * n,
                  at + i * right.matrix(), &lda, &info, 1);
        });
    });
    return turned(stored);
}

// ---- triangular

// x with A x = b (x A = b where not `left`), reading one triangle of A alone.
Array solve_triangular(const Array& a, const Array& b, bool upper, bool left, bool unit) {
    const Stack stack = stack_of("solve_triangular", a), right = stack_of("solve_triangular", b);
    check(stack.rows == stack.cols && (left ? right.rows : right.cols) == stack.rows &&
              right.count == stack.count,
          "solve_triangular: matrices ", a.shape(), " and right hand sides ", b.shape(),
          " do not fit");
    const Array stored = copied_columns(b);
    if (stored.nothing_to_compute()) return turned(stored);
    const bool rows = a.is_contiguous();  // then LAPACK sees the transpose
    const Array factors = rows ? a : columns(a);
    dispatch("solve_triangular", b.dtype(), [&]<class T>() {
        static const auto solve =
            routine<T, const char*, const char*, const char*, const char*, const int*, const int*,
                    const T*, const T*, const int*, T*, const int*, Length, Length, Length,
                    Length>("trsm");
        const T *from = factors.data<T>(), one(1);
        T* at = stored.data<T>();
        const int lda = leading(stack.rows), ldb = leading(right.rows);
        const double operations = cube(right.rows, right.cols, stack.rows) / 2;
        for_each<T>(stack.count, operations, [&](Index i) {
            solve(left ? "L" : "R", upper != rows ? "U" : "L", rows ? "T" : "N", unit ? "U" : "N",
                  &right.rows, &right.cols, &one, from + i * stack.matrix(), &lda,
                  at + i * right.matrix(), &ldb, 1, 1, 1, 1);
        });
    });
    return turned(stored);
}

}  // namespace

void bind_decompositions(nanobind::module_& m);

void bind_lapack(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("lu_factor", &lu_factor, "a"_a);
    m.def("lu_solve", &lu_solve, "lu"_a, "pivots"_a, "b"_a, "form"_a);
    m.def("lu_factor_solve", &lu_factor_solve, "a"_a, "b"_a.none());
    m.def("pivots_to_rows", &pivots_to_rows, "pivots"_a, "rows"_a);
    m.def("lu_determinant", &lu_determinant, "lu"_a, "pivots"_a);
    m.def("lu_log_determinant", &lu_log_determinant, "lu"_a, "pivots"_a);
    m.def("cholesky", &cholesky, "a"_a, "upper"_a);
    m.def("cholesky_solve", &cholesky_solve, "b"_a, "l"_a, "upper"_a);
    m.def("ldl_factor", &ldl_factor, "a"_a, "hermitian"_a);
    m.def("ldl_solve", &ldl_solve, "ld"_a, "pivots"_a, "b"_a, "hermitian"_a);
    m.def("solve_triangular", &solve_triangular, "a"_a, "b"_a, "upper"_a, "left"_a, "unit"_a);
    bind_decompositions(m);
}

}  // namespace rushlight
