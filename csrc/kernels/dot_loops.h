// The inner loop of the product of two vectors. Compiled once per instruction set (dot.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// The sum of a[i] * b[i] over n adjacent numbers, in the same order on every instruction set.
template <class T>
using DotLoop = T (*)(std::int64_t n, const T* a, const T* b);

struct DotTable {
    DotLoop<float> of_float;
    DotLoop<double> of_double;

    template <class T>
    DotLoop<T> get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(DotTable, dot_table)

}  // namespace rushlight
