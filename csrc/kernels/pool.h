// What the kernels of pooling share: the arguments brought into one form, and how work is cut.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "array/array.h"
#include "kernels/pool_loops.h"
#include "runtime/parallel.h"

namespace rushlight {

// Regular windows over the last `rank` axes of (channels, ...) or (batch, channels, ...).
struct PoolGeometry {
    PoolPlane plane;
    Index planes = 1;
    Dims result;

    Index in_plane() const noexcept { return plane.in[0] * plane.in[1] * plane.in[2]; }
    Index out_plane() const noexcept { return plane.out[0] * plane.out[1] * plane.out[2]; }
    Index taps() const noexcept { return plane.kernel[0] * plane.kernel[1] * plane.kernel[2]; }
};

// The arguments of a pooling function. One number stands for all axes; no stride is the kernel's.
struct PoolWindows {
    int rank;
    Dims kernel;
    std::optional<Dims> stride;
    Dims padding;
    Dims dilation;
    bool ceil_mode;
};

PoolGeometry pool_geometry(std::string_view what, const Dims& shape, const PoolWindows& windows);

// Sizes of the last `rank` axes of a shape as those of a plane.
void plane_sizes(const Dims& shape, int rank, std::int64_t* sizes);
// The product of the axes before the last `rank`.
Index count_planes(const Dims& shape, int rank);
// Raises unless the input is (channels, ...) or (batch, channels, ...), and not empty but for
// the batch.
void check_pool_input(std::string_view what, const Dims& shape, int rank,
                      bool channels_may_be_none);

// Adaptive window o of `out` over `in` values: [floor(o in / out), ceil((o + 1) in / out)).
inline std::pair<Index, Index> adaptive_window(Index o, Index in, Index out) noexcept {
    using Wide = __int128;  // sizes of a table that is never made can be anything
    return {Index(Wide(o) * in / out), Index(((Wide(o) + 1) * in + out - 1) / out)};
}

// Calls f(first plane, planes), some tens of microseconds of work each.
template <class F>
void for_planes(Index planes, Index elements_each, F&& f) {
    constexpr Index kElementsPerTask = 16384;
    constexpr double kSecondsPerElement = 0.5e-9;
    const Index per_task = std::max<Index>(1, kElementsPerTask / std::max<Index>(1, elements_each));
    const Index tasks = (planes + per_task - 1) / per_task;
    const auto run = [&](Index task) {
        const Index first = task * per_task;
        f(first, std::min(per_task, planes - first));
    };
    if (tasks == 1) return run(0);
    parallel_for(tasks, 100e-9 + double(per_task * elements_each) * kSecondsPerElement, run);
}

// Calls f.operator()<T>() with the type that values of the dtype are pooled in.
template <class F>
decltype(auto) dispatch_pooled(DType dtype, F&& f) {
    if (dtype == DType::F64) return f.template operator()<double>();
    if (is_integral(dtype)) return f.template operator()<std::int64_t>();
    return f.template operator()<float>();
}

}  // namespace rushlight
