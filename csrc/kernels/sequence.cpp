// Numbers at equal distances: arange and linspace.
#include <cmath>

#include "bind/casters.h"
#include "kernels/axis_walk.h"
#include "kernels/sequence_loops.h"

namespace rushlight {

namespace {

constexpr Index kGrain = 1 << 15;
constexpr double kSecondsEach = 2e-10;

Array arange(const Scalar& first, const Scalar& last, const Scalar& by_each, DType dtype) {
    // For int64 the bounds are integers, whatever they were given as.
    const auto whole_number = [&](const Scalar& bound) {
        return dtype == DType::I64 ? Scalar(bound.to<std::int64_t>()) : bound;
    };
    const Scalar start = whole_number(first), end = whole_number(last);
    const Scalar step = whole_number(by_each);
    const double from = start.to<double>(), to = end.to<double>(), by = step.to<double>();
    check(by != 0, "arange: step must be nonzero");
    check(std::isfinite(from) && std::isfinite(to), "arange: unsupported range: ", from, " -> ",
          to);
    check((by > 0) == (to >= from) || to == from,
          "arange: upper bound and lower bound inconsistent with step sign");
    const bool whole = start.category() < 2 && end.category() < 2 && step.category() < 2;
    const auto integer = [&](const Scalar& x) { return whole ? x.to<std::int64_t>() : 0; };
    // Modulo 2^64, which is right for uint64 too.
    const std::uint64_t f = std::uint64_t(integer(start)), t = std::uint64_t(integer(end));
    const std::int64_t s = integer(step), span = std::int64_t(t - f);
    const Index n = !whole      ? Index(std::ceil((to - from) / by))
                    : span == 0 ? 0
                                : (span - (s > 0 ? 1 : -1)) / s + 1;
    const Array out = Array::empty(Dims{n}, dtype);
    if (out.is_meta()) return out;
    const SequenceTable& loops = sequence_table();
    std::byte* data = out.bytes();
    for_ranges(n, kGrain, kSecondsEach, [&](Index begin, Index stop) {
        std::byte* at = data + begin * Index(size_of(dtype));
        if (whole) {
            const std::uint64_t here = f + std::uint64_t(begin) * std::uint64_t(s);
            loops.whole[int(dtype)](at, stop - begin, std::int64_t(here), s);
        } else {
            loops.real[int(dtype)](at, stop - begin, begin, from, by);
        }
    });
    return out;
}

// Counted from both ends, so that the last value is exactly `end`.
Array linspace(const Scalar& start, const Scalar& end, Index steps, DType dtype) {
    check(steps >= 0, "linspace: number of steps must be non-negative, got ", steps);
    const Array out = Array::empty(Dims{steps}, dtype);
    if (out.is_meta()) return out;
    const Index half = steps == 1 ? 1 : steps / 2;
    dispatch(dtype, [&]<class T>() {
        using Wide = std::conditional_t<dtype_of<T> >= DType::C64, Complex128,
                     std::conditional_t<std::is_same_v<T, float>, float, double>>;
        // Bounds of integers are integers too; only the step is not.
        const Wide from = convert<Wide>(start.to<T>()), to = convert<Wide>(end.to<T>());
        const Wide step = steps > 1 ? (to - from) / Wide(double(steps - 1)) : Wide(0);
        T* data = out.data<T>();
        for_ranges(steps, kGrain, kSecondsEach, [&](Index begin, Index stop) {
            const Index middle = std::clamp(half, begin, stop);
            if constexpr (is_complex_type<T>) {
                for (Index i = begin; i < middle; ++i) {
                    data[i] = convert<T>(from + step * Wide(double(i)));
                }
                for (Index i = middle; i < stop; ++i) {
                    data[i] = convert<T>(to - step * Wide(double(steps - 1 - i)));
                }
            } else {
                const auto loop = sequence_table().between[int(dtype)];
                loop(data + begin, middle - begin, begin, double(from), double(step), false);
                loop(data + middle, stop - middle, steps - 1 - middle, double(to), double(step),
                     true);
            }
        });
    });
    return out;
}

}  // namespace

void bind_sequence(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("arange", &arange, "start"_a, "end"_a, "step"_a, "dtype"_a);
    m.def("linspace", &linspace, "start"_a, "end"_a, "steps"_a, "dtype"_a);
}

}  // namespace rushlight
