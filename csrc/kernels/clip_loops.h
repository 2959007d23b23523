// The inner loops of gradient clipping: sums over and changes of a stretch of memory. Compiled once
// per instruction set (clip.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

template <class T>
struct ClipLoops {
    double (*sum_squares)(std::int64_t n, const T* x);
    double (*sum_sizes)(std::int64_t n, const T* x);  // of absolute values
    double (*largest)(std::int64_t n, const T* x);    // absolute value; a NaN if there is one
    void (*scale)(std::int64_t n, T* x, T factor);
    void (*clamp)(std::int64_t n, T* x, T limit);  // to [-limit, limit]; a NaN stays
};

struct ClipTable {
    ClipLoops<float> of_float;
    ClipLoops<double> of_double;

    template <class T>
    const ClipLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(ClipTable, clip_table)

}  // namespace rushlight
