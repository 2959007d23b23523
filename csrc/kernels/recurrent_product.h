// The product of a recurrent step: the state of a few sequences times a matrix that is the same at
// every step. So the matrix is packed once for the whole sequence, where BLAS would do it at every
// call. Compiled per instruction set (recurrent_product.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// C (m, n) = A (m, k) B (k, n), plus `from` (m, n) if it is not null. A may have any strides; the
// rows of C and `from` are contiguous. C and `from` may be the same, and rows of `from` that are 0
// apart are all one.
template <class T>
struct StepProduct {
    std::int64_t m, n, k;
    const T* a;
    std::int64_t a_row, a_col;
    const T* panels;  // B, packed
    const T* from;
    std::int64_t from_row;
    T* c;
    std::int64_t c_row;
};

// B (k, n) with any strides.
template <class T>
struct StepMatrix {
    std::int64_t k, n;
    const T* b;
    std::int64_t b_row, b_col;
};

template <class T>
struct RecurrentProductLoops {
    std::int64_t width;  // a panel holds k rows of so many columns, the last one filled with zeros
    // Writes the panel of the columns from `column` on, a multiple of the width.
    void (*pack)(const StepMatrix<T>& matrix, std::int64_t column, T* panel);
    void (*multiply)(const StepProduct<T>& product);
};

struct RecurrentProductTable {
    RecurrentProductLoops<float> of_float;
    RecurrentProductLoops<double> of_double;

    template <class T>
    const RecurrentProductLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(RecurrentProductTable, recurrent_product_table)

}  // namespace rushlight
