// The loops of grid_sample_loops.h. Places are taken in blocks: first the indices and weights of
// their neighbours, as arrays over the block, then the channels one by one.
#include "kernels/grid_sample_loops.h"

#include "elementwise/math_basic.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;
using Offset = std::int32_t;  // in a channel; -1: outside, where there are zeros

constexpr int kBlock = 64;
constexpr int kMostTaps = 16;

// The neighbours of a block of places along one axis.
template <class T>
struct AxisTaps {
    Offset offset[4][kBlock];
    T weight[4][kBlock];
    T slope[4][kBlock];  // of the weight, by the grid's number
};

// A place along an axis, and its slope by the grid's number.
template <class T>
struct Place {
    T at, slope;
};

template <class T>
[[gnu::always_inline]] inline Place<T> clamped(Place<T> p, T last) {
    const bool low = !(p.at > 0), high = p.at >= last;  // nan is low
    return {low ? T(0) : high ? last : p.at, low | high ? T(0) : p.slope};
}

template <class T>
[[gnu::always_inline]] inline Place<T> reflected(Place<T> p, T low, T span) {
    const T from = p.at - low, away = from < 0 ? -from : from;
    const T turns = math::floor(away / span), rest = away - turns * span;
    const bool odd = turns - 2 * math::floor(turns / 2) != 0;
    const bool backwards = (from < 0) != odd;
    return {odd ? span - rest + low : rest + low, backwards ? -p.slope : p.slope};
}

template <GridPadding padding, class T>
[[gnu::always_inline]] inline Place<T> inside(Place<T> p, Index size, bool align_corners) {
    const T last = T(size - 1);
    if constexpr (padding == GridPadding::Zeros) return p;
    if constexpr (padding == GridPadding::Reflection) {
        const T low = align_corners ? T(0) : T(-0.5), span = align_corners ? last : T(size);
        p = span > 0 ? reflected(p, low, span) : Place<T>{T(0), T(0)};
    }
    return clamped(p, last);
}

// Keys' kernel with a = -0.75 at the distances t + 1, t, 1 - t and 2 - t.
template <class T>
[[gnu::always_inline]] inline void cubic_weights(T t, T* weight, T* slope) {
    constexpr T a = T(-0.75);
    const auto near = [](T d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
    const auto near_slope = [](T d) { return (3 * (a + 2) * d - 2 * (a + 3)) * d; };
    const auto far = [](T d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
    const auto far_slope = [](T d) { return (3 * a * d - 10 * a) * d + 8 * a; };
    weight[0] = far(t + 1);
    weight[1] = near(t);
    weight[2] = near(1 - t);
    weight[3] = far(2 - t);
    slope[0] = far_slope(t + 1);
    slope[1] = near_slope(t);
    slope[2] = -near_slope(1 - t);
    slope[3] = -far_slope(2 - t);
}

template <class T>
[[gnu::always_inline]] inline void set_tap(AxisTaps<T>& taps, int tap, int p, T at, T weight,
                                           T slope, Index size, Offset step) {
    const bool valid = (at >= 0) & (at <= T(size - 1));
    taps.offset[tap][p] = valid ? Offset(at) * step : -1;
    taps.weight[tap][p] = valid ? weight : weight * 0;  // nan stays
    taps.slope[tap][p] = valid ? slope : slope * 0;
}

template <GridMode mode, GridPadding padding, class T>
void axis_taps(const GridPlan& plan, const T* grid, Index stride, Index size, Offset step, int count,
               AxisTaps<T>& taps) {
    const bool align = plan.align_corners;
    const T half = align ? T(size - 1) / 2 : T(size) / 2;
    for (int p = 0; p < count; ++p) {
        const T x = grid[p * stride];
        Place<T> place = {align ? (x + 1) * half : ((x + 1) * T(size) - 1) / 2, half};
        if constexpr (mode == GridMode::Cubic) {
            const T left = math::floor(place.at);
            T weight[4], slope[4];
            cubic_weights(place.at - left, weight, slope);
            for (int k = 0; k < 4; ++k) {
                const Place<T> at = inside<padding>(Place<T>{left + T(k - 1), T(0)}, size, align);
                set_tap(taps, k, p, at.at, weight[k], slope[k] * half, size, step);
            }
        } else {
            place = inside<padding>(place, size, align);
            if constexpr (mode == GridMode::Nearest) {
                set_tap(taps, 0, p, math::round(place.at), T(1), T(0), size, step);
            } else {
                const T left = math::floor(place.at), part = place.at - left;
                set_tap(taps, 0, p, left, 1 - part, -place.slope, size, step);
                set_tap(taps, 1, p, left + 1, part, place.slope, size, step);
            }
        }
    }
}

template <class T>
using AxisFunction = void (*)(const GridPlan&, const T*, Index, Index, Offset, int, AxisTaps<T>&);

template <GridMode mode, class T>
AxisFunction<T> axis_function(GridPadding padding) {
    return padding == GridPadding::Zeros    ? axis_taps<mode, GridPadding::Zeros, T>
           : padding == GridPadding::Border ? axis_taps<mode, GridPadding::Border, T>
                                            : axis_taps<mode, GridPadding::Reflection, T>;
}

// All neighbours of a block of places.
template <class T>
struct Taps {
    int count = 0;
    Offset offset[kMostTaps][kBlock];
    T weight[kMostTaps][kBlock];
    T slope[3][kMostTaps][kBlock];
};

template <bool sloped, class T>
void find_taps(const GridPlan& plan, const T* grid, int count, Taps<T>& taps) {
    const int each = plan.mode == GridMode::Nearest ? 1 : plan.mode == GridMode::Linear ? 2 : 4;
    const AxisFunction<T> function =
        plan.mode == GridMode::Nearest  ? axis_function<GridMode::Nearest, T>(plan.padding)
        : plan.mode == GridMode::Linear ? axis_function<GridMode::Linear, T>(plan.padding)
                                        : axis_function<GridMode::Cubic, T>(plan.padding);
    AxisTaps<T> along;
    taps.count = 1;
    for (int p = 0; p < count; ++p) {
        taps.offset[0][p] = 0;
        taps.weight[0][p] = 1;
    }
    Offset step = 1;
    for (int axis = plan.axes - 1; axis >= 0; --axis) {
        function(plan, grid + (plan.axes - 1 - axis), plan.axes, plan.size[axis], step, count,
                 along);
        step *= Offset(plan.size[axis]);
        // Backwards, since the taps so far are the first ones of their products.
        for (int k = each - 1; k >= 0; --k) {
            for (int t = 0; t < taps.count; ++t) {
                const int to = k * taps.count + t;
                for (int p = 0; p < count; ++p) {
                    const Offset a = taps.offset[t][p], b = along.offset[k][p];
                    const T weight = taps.weight[t][p];
                    if constexpr (sloped) {
                        for (int other = axis + 1; other < plan.axes; ++other) {
                            taps.slope[other][to][p] =
                                taps.slope[other][t][p] * along.weight[k][p];
                        }
                        taps.slope[axis][to][p] = weight * along.slope[k][p];
                    }
                    taps.offset[to][p] = (a | b) < 0 ? -1 : a + b;
                    taps.weight[to][p] = weight * along.weight[k][p];
                }
            }
        }
        taps.count *= each;
    }
}

template <class T>
[[gnu::always_inline]] inline T value_at(const T* image, Offset offset) {
    const T value = image[offset < 0 ? 0 : offset];
    return offset < 0 ? T(0) : value;
}

template <int K, class T>
void sum_taps(const Taps<T>& taps, const T* __restrict__ image, int count, T* __restrict__ out) {
    for (int p = 0; p < count; ++p) {
        T sum = 0;
        for (int k = 0; k < K; ++k) sum += taps.weight[k][p] * value_at(image, taps.offset[k][p]);
        out[p] = sum;
    }
}

template <int K, int axes, class T>
void sum_slopes(const Taps<T>& taps, const T* __restrict__ image, const T* __restrict__ grad,
                int count, T sums[][kBlock]) {
    for (int p = 0; p < count; ++p) {
        T slope[axes] = {};
        for (int k = 0; k < K; ++k) {
            const T value = value_at(image, taps.offset[k][p]);
            for (int a = 0; a < axes; ++a) slope[a] += taps.slope[a][k][p] * value;
        }
        for (int a = 0; a < axes; ++a) sums[a][p] += slope[a] * grad[p];
    }
}

template <class F>
[[gnu::always_inline]] inline void for_blocks(Index first, Index last, F f) {
    for (Index at = first; at < last; at += kBlock) {
        f(at, int(last - at < kBlock ? last - at : kBlock));
    }
}

template <class T>
void sample(const GridPlan& plan, const T* input, const T* grid, T* output, Index first,
            Index last) {
    Taps<T> taps;
    for_blocks(first, last, [&](Index at, int count) {
        find_taps<false>(plan, grid + at * plan.axes, count, taps);
        for (Index c = 0; c < plan.channels; ++c) {
            const T* image = input + c * plan.plane;
            T* out = output + c * plan.places + at;
            switch (taps.count) {
                case 1: sum_taps<1>(taps, image, count, out); break;
                case 4: sum_taps<4>(taps, image, count, out); break;
                case 8: sum_taps<8>(taps, image, count, out); break;
                default: sum_taps<16>(taps, image, count, out);
            }
        }
    });
}

template <class T>
void input_gradient(const GridPlan& plan, const T* grad, const T* grid, T* dinput, Index first,
                    Index last) {
    Taps<T> taps;
    for_blocks(0, plan.places, [&](Index at, int count) {
        find_taps<false>(plan, grid + at * plan.axes, count, taps);
        for (Index c = first; c < last; ++c) {
            const T* from = grad + c * plan.places + at;
            T* image = dinput + c * plan.plane;
            for (int p = 0; p < count; ++p) {
                for (int k = 0; k < taps.count; ++k) {
                    const Offset offset = taps.offset[k][p];
                    if (offset >= 0) image[offset] += taps.weight[k][p] * from[p];
                }
            }
        }
    });
}

template <class T>
void grid_gradient(const GridPlan& plan, const T* grad, const T* input, const T* grid, T* dgrid,
                   Index first, Index last) {
    Taps<T> taps;
    T sums[3][kBlock];
    for_blocks(first, last, [&](Index at, int count) {
        find_taps<true>(plan, grid + at * plan.axes, count, taps);
        for (auto& row : sums) {
            for (T& sum : row) sum = 0;
        }
        for (Index c = 0; c < plan.channels; ++c) {
            const T* image = input + c * plan.plane;
            const T* from = grad + c * plan.places + at;
            switch (taps.count) {
                case 1: break;  // the nearest element stays the same
                case 4: sum_slopes<4, 2>(taps, image, from, count, sums); break;
                case 8: sum_slopes<8, 3>(taps, image, from, count, sums); break;
                default: sum_slopes<16, 2>(taps, image, from, count, sums);
            }
        }
        for (int a = 0; a < plan.axes; ++a) {
            T* to = dgrid + at * plan.axes + (plan.axes - 1 - a);
            for (int p = 0; p < count; ++p) to[p * plan.axes] = sums[a][p];
        }
    });
}

template <class T>
constexpr GridLoops<T> loops_of() {
    return {sample<T>, input_gradient<T>, grid_gradient<T>};
}

constexpr GridTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const GridTable& grid_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
