// QR of small matrices by Householder reflections, column by column: LAPACK's unblocked routines
// (geqr2, org2r, larfg; Anderson et al., LAPACK Users' Guide) with every sum from the first row to
// the last, as the reference has them. A call of a library costs more than these few loops, and
// PyTorch's library rounds small matrices in this very order.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace rushlight::householder {

inline constexpr int kSmall = 20;  // the most rows and columns of a small matrix

// sqrt(x^2 + y^2) without overflow
template <class T>
T hypotenuse(T x, T y) {
    const T large = std::max(std::abs(x), std::abs(y)), small = std::min(std::abs(x), std::abs(y));
    if (std::isnan(x) || std::isnan(y)) return x + y;
    if (small == 0 || large > std::numeric_limits<T>::max()) return large;
    const T ratio = small / large;
    return large * std::sqrt(T(1) + ratio * ratio);
}

// sqrt(sum of x^2) without overflow
template <class T>
T length(int n, const T* x) {
    T scale = 0, sum = 1;
    for (int i = 0; i < n; ++i) {
        const T size = std::abs(x[i]);
        if (size == 0) continue;
        if (scale < size) {
            const T ratio = scale / size;
            sum = T(1) + sum * ratio * ratio;
            scale = size;
        } else {
            const T ratio = size / scale;
            sum += ratio * ratio;
        }
    }
    return scale * std::sqrt(sum);
}

// Turns x[0..n) into a reflection that maps it to (beta, 0, ...): beta and the vector without its
// leading 1 take the place of x. Returns the factor tau.
template <class T>
T reflection(int n, T* x) {
    T norm = n > 1 ? length(n - 1, x + 1) : T(0);
    if (norm == 0) return 0;
    // Numbers so small that the quotients below would be inexact are scaled up first.
    const T safe = std::numeric_limits<T>::min() / (std::numeric_limits<T>::epsilon() / 2);
    const auto target = [&] { return -std::copysign(hypotenuse(x[0], norm), x[0]); };
    T beta = target();
    int scalings = 0;
    for (; std::abs(beta) < safe && scalings < 20; ++scalings) {
        for (int i = 0; i < n; ++i) x[i] /= safe;
        norm = length(n - 1, x + 1);
        beta = target();
    }
    const T tau = (beta - x[0]) / beta, pivot = x[0] - beta;
    for (int i = 1; i < n; ++i) x[i] /= pivot;
    for (; scalings > 0; --scalings) beta *= safe;
    x[0] = beta;
    return tau;
}

// Applies the reflection of x[0..n), whose leading 1 is not stored, to columns of n numbers.
template <class T>
void reflect(int n, const T* x, T tau, T* columns, int count, int stride) {
    if (tau == 0) return;
    for (T* column = columns; count > 0; --count, column += stride) {
        T sum = column[0];
        for (int i = 1; i < n; ++i) sum += x[i] * column[i];
        const T share = tau * sum;
        column[0] -= share;
        for (int i = 1; i < n; ++i) column[i] -= share * x[i];
    }
}

// R above the diagonal of the column-major matrix `a`, the vectors below it, their factors in tau.
template <class T>
void factor(int rows, int cols, T* a, T* tau) {
    for (int c = 0; c < std::min(rows, cols); ++c) {
        T* const column = a + c * rows + c;
        tau[c] = reflection(rows - c, column);
        reflect(rows - c, column, tau[c], column + rows, cols - c - 1, rows);
    }
}

// The first `cols` columns of the product of `count` reflections, in the place of their vectors.
template <class T>
void multiply(int rows, int cols, int count, T* a, const T* tau) {
    for (int c = count; c < cols; ++c) {
        std::fill_n(a + c * rows, rows, T(0));
        a[c * rows + c] = 1;
    }
    for (int c = count - 1; c >= 0; --c) {
        T* const column = a + c * rows + c;
        reflect(rows - c, column, tau[c], column + rows, cols - c - 1, rows);
        for (int i = 1; i < rows - c; ++i) column[i] *= -tau[c];
        column[0] = T(1) - tau[c];
        std::fill_n(a + c * rows, c, T(0));
    }
}

}  // namespace rushlight::householder
