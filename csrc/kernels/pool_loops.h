// The inner loops of pooling over regular windows: some planes, on raw memory. Compiled once per
// instruction set (pool.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// A plane has three axes; pooling over one or two axes has leading ones of size 1.
inline constexpr int kPoolAxes = 3;

// Window o of an axis is the places o * stride - padding + k * dilation, k < kernel, that lie in
// the plane.
struct PoolPlane {
    std::int64_t in[kPoolAxes];
    std::int64_t out[kPoolAxes];
    std::int64_t kernel[kPoolAxes];
    std::int64_t stride[kPoolAxes];
    std::int64_t padding[kPoolAxes];
    std::int64_t dilation[kPoolAxes];
};

// A tap is a place of a window, counted row by row; what a maximum was found at. The number of
// taps itself stands for a window that has no place in the plane.
template <class T, class Tap>
struct MaxPoolLoops {
    // taps may be null
    void (*forward)(const PoolPlane& plane, std::int64_t planes, const T* x, T* y, Tap* taps);
    // dx = grad at the taps, added up, 0 elsewhere
    void (*backward)(const PoolPlane& plane, std::int64_t planes, const T* grad, const Tap* taps,
                     T* dx);
    // y = x at the taps
    void (*select)(const PoolPlane& plane, std::int64_t planes, const T* x, const Tap* taps, T* y);
};

// Windows [start, stop) of one axis, and what their sums are divided by.
struct AverageAxis {
    std::int64_t in;
    std::int64_t out;
    const std::int64_t* start;
    const std::int64_t* stop;
    const double* divisor;
    // Where all windows but those cut off at the ends have one width and one step; else 0.
    std::int64_t width;
    std::int64_t step;
    std::int64_t first_whole;  // windows [first_whole, last_whole) are not cut off
    std::int64_t last_whole;
    bool disjoint;  // no place is in two windows
    bool covering;  // each place is in a window
};

template <class T>
struct AveragePoolLoops {
    // `room` has space for two rows of the input.
    void (*forward)(const AverageAxis* axes, std::int64_t planes, const T* x, T* room, T* y);
    void (*backward)(const AverageAxis* axes, std::int64_t planes, const T* grad, T* room, T* dx);
};

// Integers as wide as T, so that they share its vectors.
template <class T>
using LaneIndex = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

template <class T>
struct PoolLoops {
    MaxPoolLoops<T, std::uint8_t> max_narrow;  // windows of at most 255 places
    MaxPoolLoops<T, std::int32_t> max_wide;
    AveragePoolLoops<T> average;
    // best[i] = the larger of it and row[i], and at[i] = number where that is row[i]; nan wins over
    // all, the last one over others.
    void (*take_larger)(const T* row, std::int64_t n, LaneIndex<T> number, T* best,
                        LaneIndex<T>* at);

    template <class Tap>
    const auto& max() const {
        if constexpr (std::is_same_v<Tap, std::uint8_t>) return max_narrow;
        else return max_wide;
    }
};

struct PoolTable {
    PoolLoops<float> of_float;
    PoolLoops<double> of_double;
    PoolLoops<std::int64_t> of_integer;

    template <class T>
    const PoolLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else if constexpr (std::is_same_v<T, double>) return of_double;
        else return of_integer;
    }
};

RUSHLIGHT_ISA_TABLE(PoolTable, pool_table)

}  // namespace rushlight
