// The inner loops of layer norm and RMS norm: blocks of adjacent rows, on raw memory. Compiled once
// per instruction set (norm.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// `rows` rows of n numbers. RMS norm has neither mean nor bias: null pointers.
template <class T>
struct NormRows {
    std::int64_t rows;
    std::int64_t n;
    const T* x;
    const T* weight;  // n numbers, or null
    T* mean;          // of each row
    T* rstd;          // of each row: 1 / sqrt(variance + eps), or 1 / sqrt(mean(x^2) + eps)
};

template <class T>
struct NormLoops {
    // Fills mean and rstd, and y = (x - mean) rstd weight + bias.
    void (*layer_norm)(const NormRows<T>& rows, const T* bias, double eps, T* y);
    // Fills rstd, and y = x rstd weight.
    void (*rms_norm)(const NormRows<T>& rows, double eps, T* y);
    // Writes dx (if given) and adds to dweight and dbias (if given).
    void (*layer_norm_backward)(const NormRows<T>& rows, const T* grad, T* dx, T* dweight,
                                T* dbias);
    void (*rms_norm_backward)(const NormRows<T>& rows, const T* grad, T* dx, T* dweight);
    // parts[0] += parts[1] + parts[2] + ... in this order; `count` parts of n numbers
    void (*add_parts)(T* parts, std::int64_t count, std::int64_t n);
};

struct NormTable {
    NormLoops<float> of_float;
    NormLoops<double> of_double;

    template <class T>
    const NormLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(NormTable, norm_table)

}  // namespace rushlight
