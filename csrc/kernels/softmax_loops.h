// The inner loops of softmax, log-softmax, log-sum-exp and cross-entropy: blocks of slices, on raw
// memory. Compiled once per instruction set (softmax.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// `count` slices of n numbers. With class_stride 1 they are adjacent rows; otherwise columns:
// number c of slice i is at x[c * class_stride + i].
struct Slices {
    std::int64_t count;
    std::int64_t n;
    std::int64_t class_stride;
};

template <class T>
struct SoftmaxLoops {
    void (*softmax)(const Slices& slices, const T* x, T* y);
    void (*log_softmax)(const Slices& slices, const T* x, T* y);
    // dx = y (grad - sum(grad y))
    void (*softmax_backward)(const Slices& slices, const T* grad, const T* y, T* dx);
    // dx = grad - exp(y) sum(grad)
    void (*log_softmax_backward)(const Slices& slices, const T* grad, const T* y, T* dx);
    // Of each slice its maximum, and log(sum(exp(x - max))). Kept apart, because their sum would
    // lose the low bits of the second where the logits are large.
    void (*statistics)(const Slices& slices, const T* x, T* max, T* log_sum);
    // out = scale p - (subtract ? out : 0) with p = exp(x - max - log_sum), the softmax of x
    void (*scaled_softmax)(const Slices& slices, const T* x, const T* max, const T* log_sum,
                           const T* scale, T* out, bool subtract);
    // out = factor (keep target + spread) weight: what each class counts in the loss of its item.
    // Without target: factor spread weight; without factor or weight: 1.
    void (*shares)(const Slices& slices, const T* target, const T* weight, T keep, T spread,
                   const T* factor, T* out);
    // sum(q) and sum(q (x - max)); q has the layout of x, or is one row for all slices if `shared`
    void (*weighted_sums)(const Slices& slices, const T* x, const T* max, const T* q, bool shared,
                          T* sum_q, T* sum_qx);
};

struct SoftmaxTable {
    SoftmaxLoops<float> of_float;
    SoftmaxLoops<double> of_double;

    template <class T>
    const SoftmaxLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(SoftmaxTable, softmax_table)

}  // namespace rushlight
