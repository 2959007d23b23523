// The inner loops of grid sampling, on raw memory. Compiled once per instruction set
// (grid_sample.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

enum class GridMode { Linear, Nearest, Cubic };
enum class GridPadding { Zeros, Border, Reflection };

// One image or volume; axes from the slowest to the fastest.
struct GridPlan {
    GridMode mode;
    GridPadding padding;
    bool align_corners;
    int axes;  // 2 or 3
    std::int64_t size[3];
    std::int64_t channels;
    std::int64_t plane;   // elements of a channel of the input
    std::int64_t places;  // elements of a channel of the result
};

// All take one image, its grid (places, axes; the fastest axis first), and work on places
// [first, last), or channels [first, last).
template <class T>
struct GridLoops {
    void (*sample)(const GridPlan& plan, const T* input, const T* grid, T* output,
                   std::int64_t first, std::int64_t last);
    // Adds to the gradient of the input.
    void (*input_gradient)(const GridPlan& plan, const T* grad, const T* grid, T* dinput,
                           std::int64_t first, std::int64_t last);
    void (*grid_gradient)(const GridPlan& plan, const T* grad, const T* input, const T* grid,
                          T* dgrid, std::int64_t first, std::int64_t last);
};

struct GridTable {
    GridLoops<float> of_float;
    GridLoops<double> of_double;

    template <class T>
    const GridLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(GridTable, grid_table)

}  // namespace rushlight
