// The arguments of pooling, checked and brought into one form.
#include "kernels/pool.h"

#include <algorithm>
#include <limits>

namespace rushlight {
namespace {

// Of the arguments, and of the values in a window: a maximum is kept as the number of one of them,
// in 32 bits.
constexpr Index kLargest = std::numeric_limits<std::int32_t>::max();

Index floor_div(Index a, Index b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

// One number for each axis; one number alone is for all.
Dims for_each_axis(std::string_view what, std::string_view name, const Dims& given, int rank) {
    if (given.size() == rank) return given;
    check(given.size() == 1, what, ": ", name, " must be one int or ", rank, " ints, got ", given);
    return Dims(rank, given[0]);
}

}  // namespace

void plane_sizes(const Dims& shape, int rank, std::int64_t* sizes) {
    for (int axis = 0; axis < kPoolAxes; ++axis) {
        const int at = axis - kPoolAxes + rank;
        sizes[axis] = at < 0 ? 1 : shape[shape.size() - rank + at];
    }
}

Index count_planes(const Dims& shape, int rank) {
    Index planes = 1;
    for (int i = 0; i < shape.size() - rank; ++i) planes *= shape[i];
    return planes;
}

void check_pool_input(std::string_view what, const Dims& shape, int rank,
                      bool channels_may_be_none) {
    const int batched = shape.size() - rank - 1;
    bool filled = batched == 0 || batched == 1;
    for (int i = batched + (channels_may_be_none ? 1 : 0); filled && i < shape.size(); ++i) {
        filled = shape[i] > 0;
    }
    check(filled, what, ": expected a ", rank + 1, "D (channels, ...) or ", rank + 2,
          "D (batch, channels, ...) input whose axes other than the batch are not empty, got one "
          "of shape ", shape);
}

PoolGeometry pool_geometry(std::string_view what, const Dims& shape, const PoolWindows& windows) {
    const int rank = windows.rank;
    const Dims kernel = for_each_axis(what, "kernel_size", windows.kernel, rank);
    const bool own_stride = windows.stride && !windows.stride->empty();
    const Dims stride = own_stride ? for_each_axis(what, "stride", *windows.stride, rank) : kernel;
    const Dims padding = for_each_axis(what, "padding", windows.padding, rank);
    const Dims dilation = for_each_axis(what, "dilation", windows.dilation, rank);
    check_pool_input(what, shape, rank, false);

    PoolGeometry geometry;
    geometry.planes = count_planes(shape, rank);
    geometry.result = shape;
    geometry.plane = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}};
    PoolPlane& plane = geometry.plane;
    plane_sizes(shape, rank, plane.in);
    Index taps = 1;
    for (int i = 0; i < rank; ++i) {
        const int axis = kPoolAxes - rank + i;
        const Index size = plane.in[axis], k = kernel[i], s = stride[i], p = padding[i];
        check(s != 0, what, ": stride should not be zero, got ", stride);
        check(k > 0 && s > 0 && dilation[i] > 0, what, ": kernel_size, stride and dilation must be "
              "greater than zero, got kernel_size ", kernel, ", stride ", stride, ", dilation ",
              dilation);
        check(std::max({k, s, p, dilation[i]}) <= kLargest, what, ": kernel_size, stride, padding "
              "and dilation must be at most ", kLargest, ", got kernel_size ", kernel, ", stride ",
              stride, ", padding ", padding, ", dilation ", dilation);
        check(k <= kLargest / taps, what, ": a window may have at most ", kLargest, " values, got "
              "kernel_size ", kernel);
        taps *= k;
        const Index span = dilation[i] * (k - 1) + 1;
        check(p >= 0, what, ": padding must be non-negative, got ", padding);
        check(p <= (rank == 1 ? span : k) / 2 && p <= span / 2, what, ": padding should be at most "
              "half of the kernel, got padding ", padding, ", kernel_size ", kernel,
              " and dilation ", dilation);
        const Index steps = size + 2 * p - span + (windows.ceil_mode ? s - 1 : 0);
        Index out = floor_div(steps, s) + 1;
        // The last window starts inside, or in the padding before.
        if (windows.ceil_mode && (out - 1) * s >= size + p) --out;
        check(out >= 1, what, ": an input of shape ", shape, " is too small for kernel_size ",
              kernel, ", padding ", padding, " and dilation ", dilation,
              ": the output would be empty");
        plane.kernel[axis] = k;
        plane.stride[axis] = s;
        plane.padding[axis] = p;
        plane.dilation[axis] = dilation[i];
        plane.out[axis] = out;
        geometry.result[shape.size() - rank + i] = out;
    }
    return geometry;
}

}  // namespace rushlight
