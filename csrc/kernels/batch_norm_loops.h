// The inner loops of batch norm, on raw memory. Compiled once per instruction set
// (batch_norm.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// Some items of an input (items, channels, length), some of their channels and a part of the
// length: for each item `channels` rows of n numbers, `row` apart; the items are `item` apart.
struct NormBlock {
    std::int64_t items, channels, n;
    std::int64_t item, row;
};

// Of the numbers of a channel in one block.
struct Moments {
    double mean;
    double squares;  // the sum of the squared deviations from the mean
};

// Arrays of statistics have one number for each channel of the block.
template <class T>
struct BatchNormLoops {
    void (*moments)(const NormBlock& block, const T* x, Moments* moments);
    // y = (x - mean) scale + shift
    void (*normalize)(const NormBlock& block, const T* x, const T* mean, const T* scale,
                      const T* shift, T* y);
    // the sums of grad and of grad (x - mean)
    void (*sums)(const NormBlock& block, const T* grad, const T* x, const T* mean, double* grads,
                 double* products);
    // dx = grad scale - level - (x - mean) slope
    void (*gradient)(const NormBlock& block, const T* grad, const T* x, const T* mean,
                     const T* level, const T* slope, const T* scale, T* dx);
};

struct BatchNormTable {
    BatchNormLoops<float> of_float;
    BatchNormLoops<double> of_double;

    template <class T>
    const BatchNormLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(BatchNormTable, batch_norm_table)

}  // namespace rushlight
