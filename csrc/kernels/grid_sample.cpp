// Sampling of images and volumes at the places of a grid, and the gradients of both.
#include <algorithm>
#include <limits>

#include "bind/casters.h"
#include "kernels/grid_sample_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr double kSecondsPerTap = 5e-10;
constexpr Index kChannelsEach = 16;  // of a task that adds up the gradient of the input

GridPlan plan_of(const Array& input, const Array& grid, int mode, int padding, bool align_corners) {
    const int axes = input.ndim() - 2;
    check((axes == 2 || axes == 3) && grid.ndim() == axes + 2 && grid.size(axes + 1) == axes &&
              grid.size(0) == input.size(0) && grid.dtype() == input.dtype(),
          "grid_sampler(): expected input and grid of the same dtype, with 4 or 5 dimensions, got ",
          input.shape(), " ", name_of(input.dtype()), " and ", grid.shape(), " ",
          name_of(grid.dtype()));
    check(mode >= 0 && mode <= 2 && padding >= 0 && padding <= 2,
          "grid_sampler(): unknown interpolation mode ", mode, " or padding mode ", padding);
    GridPlan plan{GridMode(mode), GridPadding(padding), align_corners, axes, {1, 1, 1},
                  input.size(1), 1, 1};
    for (int a = 0; a < axes; ++a) {
        plan.size[a] = input.size(a + 2);
        plan.plane *= input.size(a + 2);
        plan.places *= grid.size(a + 1);
    }
    check(plan.plane <= std::numeric_limits<std::int32_t>::max(), "grid_sampler(): a channel of ",
          plan.plane, " elements is too large");
    return plan;
}

Index taps_of(const GridPlan& plan) {
    const Index each = plan.mode == GridMode::Nearest ? 1 : plan.mode == GridMode::Linear ? 2 : 4;
    return plan.axes == 2 ? each * each : each * each * each;
}

// f(image, first place, last place)
template <class F>
void for_places(const GridPlan& plan, Index images, F&& f) {
    const double each = kSecondsPerTap * double(taps_of(plan) * (plan.channels + 4));
    const Index some = std::max<Index>(1, Index(30e-6 / (64 * each))) * 64;
    const Index parts = (plan.places + some - 1) / some;
    parallel_for(images * parts, each * double(std::min(some, plan.places)), [&](Index task) {
        const Index first = task % parts * some;
        f(task / parts, first, std::min(plan.places, first + some));
    });
}

}  // namespace

Array grid_sample(const Array& input, const Array& grid, int mode, int padding,
                  bool align_corners) {
    const GridPlan plan = plan_of(input, grid, mode, padding, align_corners);
    if (is_half(input.dtype())) {
        return cast(grid_sample(cast(input, DType::F32), cast(grid, DType::F32), mode, padding,
                                align_corners),
                    input.dtype());
    }
    Dims shape = input.shape();
    for (int a = 0; a < plan.axes; ++a) shape[a + 2] = grid.size(a + 1);
    const Array result = Array::empty(shape, input.dtype());
    if (result.nothing_to_compute()) return result;
    dispatch_real("grid_sampler()", input.dtype(), [&]<class T>() {
        const Array images = contiguous(input), places = contiguous(grid);
        const T *x = images.data<T>(), *g = places.data<T>();
        T* const y = result.data<T>();
        for_places(plan, input.size(0), [&](Index image, Index first, Index last) {
            grid_table().get<T>().sample(plan, x + image * plan.channels * plan.plane,
                                         g + image * plan.places * plan.axes,
                                         y + image * plan.channels * plan.places, first, last);
        });
    });
    return result;
}

// The gradients of the input and of the grid; None for one that is not needed.
std::pair<Array, Array> grid_sample_backward(const Array& grad, const Array& input,
                                             const Array& grid, int mode, int padding,
                                             bool align_corners, bool needs_input,
                                             bool needs_grid) {
    const GridPlan plan = plan_of(input, grid, mode, padding, align_corners);
    if (is_half(input.dtype())) {
        const auto [dinput, dgrid] = grid_sample_backward(
            cast(grad, DType::F32), cast(input, DType::F32), cast(grid, DType::F32), mode, padding,
            align_corners, needs_input, needs_grid);
        return {needs_input ? cast(dinput, input.dtype()) : Array(),
                needs_grid ? cast(dgrid, input.dtype()) : Array()};
    }
    check(grad.numel() == input.size(0) * plan.channels * plan.places && grad.dtype() == input.dtype(),
          "grid_sampler(): a gradient of shape ", grad.shape(), " does not fit an input of shape ",
          input.shape(), " and a grid of shape ", grid.shape());
    const Array dinput = needs_input ? Array::zeros(input.shape(), input.dtype()) : Array();
    const Array dgrid = needs_grid ? Array::zeros(grid.shape(), input.dtype()) : Array();
    if (grad.numel() == 0 || (grad.is_meta() && on_meta)) return {dinput, dgrid};
    dispatch_real("grid_sampler()", input.dtype(), [&]<class T>() {
        const GridLoops<T>& loops = grid_table().get<T>();
        const Array upstream = contiguous(grad), images = contiguous(input),
                    places = contiguous(grid);
        const T *dy = upstream.data<T>(), *x = images.data<T>(), *g = places.data<T>();
        const Index whole = plan.channels * plan.plane, found = plan.channels * plan.places;
        const Index numbers = plan.places * plan.axes;
        if (needs_input) {
            T* const dx = dinput.data<T>();
            const Index groups = (plan.channels + kChannelsEach - 1) / kChannelsEach;
            const Index some = std::min(kChannelsEach, plan.channels);
            const double seconds = 2 * kSecondsPerTap * double(taps_of(plan) * plan.places * some);
            parallel_for(input.size(0) * groups, seconds, [&](Index task) {
                const Index image = task / groups, first = task % groups * kChannelsEach;
                loops.input_gradient(plan, dy + image * found, g + image * numbers,
                                     dx + image * whole, first,
                                     std::min(plan.channels, first + kChannelsEach));
            });
        }
        if (needs_grid && plan.mode != GridMode::Nearest) {
            T* const to = dgrid.data<T>();
            for_places(plan, input.size(0), [&](Index image, Index first, Index last) {
                loops.grid_gradient(plan, dy + image * found, x + image * whole,
                                    g + image * numbers, to + image * numbers, first, last);
            });
        }
    });
    return {dinput, dgrid};
}

void bind_grid_sample(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("grid_sample", &grid_sample, "input"_a, "grid"_a, "interpolation_mode"_a,
          "padding_mode"_a, "align_corners"_a);
    m.def("grid_sample_backward", &grid_sample_backward, "grad"_a, "input"_a, "grid"_a,
          "interpolation_mode"_a, "padding_mode"_a, "align_corners"_a, "needs_input"_a,
          "needs_grid"_a);
}

}  // namespace rushlight
