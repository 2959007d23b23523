// The loops of clip_loops.h.
#include "kernels/clip_loops.h"

#include "elementwise/math_basic.h"
#include "kernels/lanes.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

template <class T>
double sum_squares(Index n, const T* x) {
    return double(lane_sum<T>(n, [x](auto load, Index i) {
        const auto value = load(x + i);
        return value * value;
    }));
}

template <class T>
double sum_sizes(Index n, const T* x) {
    return double(lane_sum<T>(n, [x](auto load, Index i) {
        const auto value = load(x + i);
        return value < 0 ? -value : value;
    }));
}

template <class T>
double largest(Index n, const T* x) {
    // The bits of numbers that are not negative are in their order, with NaN above infinity.
    using Bits = decltype(math::bits_of(T()));
    Bits best = 0;
    for (Index i = 0; i < n; ++i) {
        const Bits size = math::bits_of(math::abs(x[i]));
        best = size > best ? size : best;
    }
    return double(math::from_bits(best));
}

template <class T>
void scale(Index n, T* x, T factor) {
    for (Index i = 0; i < n; ++i) x[i] *= factor;
}

template <class T>
void clamp(Index n, T* x, T limit) {
    for (Index i = 0; i < n; ++i) {
        const T value = x[i] > limit ? limit : x[i];
        x[i] = value < -limit ? -limit : value;
    }
}

template <class T>
constexpr ClipLoops<T> loops_of{&sum_squares<T>, &sum_sizes<T>, &largest<T>, &scale<T>, &clamp<T>};

}  // namespace

const ClipTable& clip_table() {
    static constexpr ClipTable table{loops_of<float>, loops_of<double>};
    return table;
}

}  // namespace rushlight::RUSHLIGHT_ISA
