// The inner loops of resampling: every element of the result is a weighted sum of a few elements of
// the input. Compiled once per instruction set (resample.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// Result o is the sum over t in [start[o], start[o + 1]) of weight[t] * input[index[t]].
template <class T>
struct TapView {
    std::int64_t in, out;
    const std::int64_t* start;
    const std::int64_t* index;
    const T* weight;
};

template <class T>
struct ResampleLoops {
    int width;  // lanes of a vector
    // Along an axis whose elements are `inner` apart, for `columns` adjacent places.
    void (*columns)(const TapView<T>& taps, const T* from, T* to, std::int64_t inner,
                    std::int64_t columns);
    // Of contiguous rows, at most `width`. Scratch: (in + out) width numbers.
    void (*rows)(const TapView<T>& taps, const T* from, T* to, std::int64_t rows, T* scratch);
    // One tap of weight 1 each.
    void (*pick)(const TapView<T>& taps, const T* from, T* to, std::int64_t rows);
};

struct ResampleTable {
    ResampleLoops<float> of_float;
    ResampleLoops<double> of_double;

    template <class T>
    const ResampleLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(ResampleTable, resample_table)

}  // namespace rushlight
