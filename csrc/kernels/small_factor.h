// LU and Cholesky factors of matrices of a few rows, where calling LAPACK costs more than computing:
// the same algorithms and the same choice of pivots, column by column.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <utility>

#include "array/dims.h"
#include "array/dtype.h"

namespace rushlight {

inline constexpr int kSmallMatrix = 8;  // rows and columns up to which these are faster

namespace detail {

template <class T>
T size_of_pivot(T value) {
    return std::abs(value);
}
template <class T>
T size_of_pivot(std::complex<T> value) {  // as LAPACK's pivots are compared
    return std::abs(value.real()) + std::abs(value.imag());
}

template <class T>
T conjugate(T value) {
    return value;
}
template <class T>
std::complex<T> conjugate(std::complex<T> value) {
    return std::conj(value);
}

}  // namespace detail

// A = P L U in place; pivots from 1. Returns the first pivot that is 0, from 1, or 0.
template <class T>
int small_lu(T* a, Index rows, Index cols, int* pivots) {
    int failed = 0;
    const Index steps = std::min(rows, cols);
    for (Index k = 0; k < steps; ++k) {
        T* column = a + k * rows;
        Index best = k;
        auto largest = detail::size_of_pivot(column[k]);
        for (Index r = k + 1; r < rows; ++r) {
            const auto size = detail::size_of_pivot(column[r]);
            if (size > largest) {
                largest = size;
                best = r;
            }
        }
        pivots[k] = int(best) + 1;
        if (column[best] == T(0)) {
            if (!failed) failed = int(k) + 1;
            continue;
        }
        if (best != k) {
            for (Index c = 0; c < cols; ++c) std::swap(a[c * rows + k], a[c * rows + best]);
        }
        const T pivot = column[k];
        for (Index r = k + 1; r < rows; ++r) column[r] /= pivot;
        for (Index c = k + 1; c < cols; ++c) {
            T* other = a + c * rows;
            const T factor = other[k];
            for (Index r = k + 1; r < rows; ++r) other[r] -= column[r] * factor;
        }
    }
    return failed;
}

// x = A^-1 x for each of `count` columns, from the factors of A (n, n).
template <class T>
void small_lu_solve(const T* lu, Index n, const int* pivots, T* x, Index count) {
    for (Index c = 0; c < count; ++c, x += n) {
        for (Index r = 0; r < n; ++r) {
            if (pivots[r] != r + 1) std::swap(x[r], x[pivots[r] - 1]);
        }
        for (Index k = 0; k < n; ++k) {
            const T* column = lu + k * n;
            for (Index r = k + 1; r < n; ++r) x[r] -= column[r] * x[k];
        }
        for (Index k = n - 1; k >= 0; --k) {
            const T* column = lu + k * n;
            x[k] /= column[k];
            for (Index r = 0; r < k; ++r) x[r] -= column[r] * x[k];
        }
    }
}

// A = L L^H in place, reading and writing the lower triangle; or the upper one, A = U^H U. Returns
// the order of the first leading minor that is not positive, or 0.
template <class T>
int small_cholesky(T* a, Index n, bool upper) {
    // (r, c) with r >= c: where the element of L, or the conjugate of that of U, lies
    const auto at = [&](Index r, Index c) -> T& { return upper ? a[r * n + c] : a[c * n + r]; };
    for (Index k = 0; k < n; ++k) {
        auto square = std::real(at(k, k));
        for (Index c = 0; c < k; ++c) square -= std::norm(at(k, c));
        if (!(square > 0)) {
            at(k, k) = square;
            return int(k) + 1;
        }
        const auto root = std::sqrt(square);
        at(k, k) = root;
        for (Index r = k + 1; r < n; ++r) {
            T sum = at(r, k);
            for (Index c = 0; c < k; ++c) {
                sum -= upper ? detail::conjugate(at(k, c)) * at(r, c)
                             : at(r, c) * detail::conjugate(at(k, c));
            }
            at(r, k) = sum / root;
        }
    }
    return 0;
}

}  // namespace rushlight
