// Calling LAPACK, of the OpenBLAS library that also multiplies matrices (runtime/blas.h): routines
// by their name without the letter of the type, and stacks of matrices as LAPACK stores them.
#pragma once

#include <algorithm>
#include <complex>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "array/array.h"
#include "runtime/blas.h"
#include "runtime/parallel.h"

namespace rushlight::lapack {

template <class T>
inline constexpr bool kComplex = std::is_same_v<T, Complex64> || std::is_same_v<T, Complex128>;

template <class T>
struct RealOf {
    using type = T;
};
template <class T>
struct RealOf<std::complex<T>> {
    using type = T;
};
template <class T>
using Real = typename RealOf<T>::type;

template <class T>
constexpr char kLetter = std::is_same_v<T, float>       ? 's'
                         : std::is_same_v<T, double>    ? 'd'
                         : std::is_same_v<T, Complex64> ? 'c'
                                                        : 'z';

// The length of a string argument of one character, which Fortran takes after the other arguments.
using Length = std::size_t;

// A routine for the type T: routine<potrf_arguments...>. Looked up by the caller once.
template <class T, class... Arguments>
auto routine(std::string_view stem) {
    load_blas();
    const std::string name = concat("scipy_", kLetter<T>, stem, "_");
    return reinterpret_cast<void (*)(Arguments...)>(blas_function(name.c_str()));
}

// dispatch over the four types that LAPACK has; `what` opens the error for others.
template <class F>
decltype(auto) dispatch(std::string_view what, DType dtype, F&& f) {
    switch (dtype) {
        case DType::F32: return f.template operator()<float>();
        case DType::F64: return f.template operator()<double>();
        case DType::C64: return f.template operator()<Complex64>();
        case DType::C128: return f.template operator()<Complex128>();
        default: break;
    }
    fail(ErrorKind::NotImplemented, what, ": expected float32, float64, complex64 or complex128, ",
         "got ", name_of(dtype));
}

// The geometry of matrices (..., rows, cols).
struct Stack {
    Dims batch;
    Index count = 1;
    int rows = 0, cols = 0;

    int least() const noexcept { return std::min(rows, cols); }
    int most() const noexcept { return std::max(rows, cols); }
    Index matrix() const noexcept { return Index(rows) * cols; }
    Dims shape(std::initializer_list<Index> last) const {
        Dims dims = batch;
        for (Index size : last) dims.push_back(size);
        return dims;
    }
};

inline Stack stack_of(std::string_view what, const Array& a) {
    check(a.ndim() >= 2, what, ": expected matrices, with at least 2 dimensions, got shape ",
          a.shape());
    Stack stack;
    for (int d = 0; d < a.ndim() - 2; ++d) stack.batch.push_back(a.size(d));
    stack.count = stack.batch.product();
    const Index rows = a.size(a.ndim() - 2), cols = a.size(a.ndim() - 1);
    check(std::max(rows, cols) < (Index(1) << 31), what, ": matrices of ", rows, " x ", cols,
          " are too large for LAPACK");
    stack.rows = int(rows);
    stack.cols = int(cols);
    return stack;
}

// Rows and columns exchanged, without moving anything.
inline Array turned(const Array& a) { return a.transpose(a.ndim() - 2, a.ndim() - 1); }

// Matrices column by column, as LAPACK has them: their transposes in row-major order. The second is
// fresh memory to write to.
inline Array columns(const Array& a) { return contiguous(turned(a)); }
inline Array copied_columns(const Array& a) { return clone(turned(a)); }

// A leading dimension: LAPACK wants at least 1.
inline int leading(int rows) { return std::max(1, rows); }

// What a workspace query answered; float32 cannot hold every integer, so a little more is taken.
template <class T>
int answered(const T& size) {
    const double wanted = double(std::real(size));
    return std::max(1, int(std::is_same_v<Real<T>, float> ? wanted * (1 + 1e-6) + 1 : wanted));
}

template <class T>
std::vector<T> workspace(int size) {
    return std::vector<T>(std::size_t(size), T(0));
}

// f(i) for each matrix; `operations` is a rough number of multiplications for one.
template <class T, class F>
void for_each(Index count, double operations, F&& f) {
    const double seconds = 300e-9 + operations * (kComplex<T> ? 1e-9 : 0.3e-9);
    parallel_for(count, seconds, f);
}

inline double cube(int m, int n, int k) { return double(m) * double(n) * double(k); }

}  // namespace rushlight::lapack
