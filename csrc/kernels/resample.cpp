// Resampling along one axis: every element of the result is a weighted sum of a few elements of the
// input. Interpolation over several axes is one such pass per axis; all modes differ by their taps
// alone. The positions are PyTorch's, computed in the precision of the values.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "bind/casters.h"
#include "kernels/slices.h"

namespace rushlight {
namespace {

// Element o of the result is the sum over t of weight[o * width + t] * input[index[o * width + t]].
template <class T>
struct Taps {
    Index width = 1;
    std::vector<Index> index;
    std::vector<T> weight;
};

enum class Mode { Nearest, NearestExact, Linear, Cubic, Lanczos };

Mode mode_of(const std::string& name) {
    if (name == "nearest") return Mode::Nearest;
    if (name == "nearest-exact") return Mode::NearestExact;
    if (name == "linear") return Mode::Linear;
    if (name == "cubic") return Mode::Cubic;
    if (name == "lanczos") return Mode::Lanczos;
    fail(ErrorKind::Value, "resample: unknown mode '", name, "'");
}

// Distance of two outputs, in inputs. `factor` is the scale that the caller gave, or 0.
template <class T>
T step_of(Index in, Index out, double factor, bool align_corners) {
    if (align_corners) return out > 1 ? T(in - 1) / T(out - 1) : T(0);
    return factor > 0 ? T(1.0 / factor) : T(in) / T(out);
}

// Keys' cubic convolution kernel (1981), |x| <= 2.
template <class T>
T cubic(T x, T a) {
    x = std::abs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : T(0);
}

template <class T>
T sinc(T x) {
    if (x == 0) return 1;
    x *= std::numbers::pi_v<T>;
    return std::sin(x) / x;
}

template <class T>
T lanczos(T x) {
    return std::abs(x) < 3 ? sinc(x) * sinc(x / 3) : T(0);
}

// The filter is as wide as the distance of two outputs, so that all inputs count.
template <class T>
Taps<T> antialiased_taps(Mode mode, Index in, Index out, T step) {
    const T radius = mode == Mode::Linear ? T(1) : mode == Mode::Cubic ? T(2) : T(3);
    const T support = step >= 1 ? radius * step : radius;
    const T shrink = step >= 1 ? 1 / step : T(1);
    Taps<T> taps;
    taps.width = Index(std::ceil(support)) * 2 + 1;
    taps.index.assign(std::size_t(out * taps.width), 0);
    taps.weight.assign(std::size_t(out * taps.width), T(0));
    for (Index o = 0; o < out; ++o) {
        const T center = step * (T(o) + T(0.5));
        const Index first = std::max(Index(center - support + T(0.5)), Index(0));
        const Index last = std::min(Index(center + support + T(0.5)), in);
        const Index count = std::clamp(last - first, Index(0), taps.width);
        Index* index = &taps.index[std::size_t(o * taps.width)];
        T* weight = &taps.weight[std::size_t(o * taps.width)];
        T total = 0;
        for (Index t = 0; t < count; ++t) {
            const T x = (T(t + first) - center + T(0.5)) * shrink;
            index[t] = first + t;
            weight[t] = mode == Mode::Linear  ? std::max(1 - std::abs(x), T(0))
                        : mode == Mode::Cubic ? cubic(x, T(-0.5))
                                              : lanczos(x);
            total += weight[t];
        }
        for (Index t = 0; t < count && total != 0; ++t) weight[t] /= total;
    }
    return taps;
}

template <class T>
Taps<T> taps_of(Mode mode, Index in, Index out, double factor, bool align_corners,
                bool antialias) {
    const T step = step_of<T>(in, out, factor, align_corners);
    if (antialias || mode == Mode::Lanczos) return antialiased_taps(mode, in, out, step);
    Taps<T> taps;
    const auto add = [&](Index at, T weight) {
        taps.index.push_back(std::clamp<Index>(at, 0, in - 1));
        taps.weight.push_back(weight);
    };
    for (Index o = 0; o < out; ++o) {
        if (mode == Mode::Nearest || mode == Mode::NearestExact) {
            const T at = mode == Mode::NearestExact ? T(o) + T(0.5) : T(o);
            add(Index(std::floor(at * step)), 1);
            continue;
        }
        T at = align_corners ? step * T(o) : step * (T(o) + T(0.5)) - T(0.5);
        if (mode == Mode::Linear) {
            at = std::max(at, T(0));
            const Index left = std::min(Index(at), in - 1);
            const T part = std::clamp(at - T(left), T(0), T(1));
            add(left, 1 - part);
            add(left + 1, part);
        } else {
            const Index left = Index(std::floor(at));
            const T part = at - T(left);
            for (Index t = -1; t <= 2; ++t) add(left + t, cubic(part - T(t), T(-0.75)));
        }
    }
    taps.width = mode == Mode::Linear ? 2 : mode == Mode::Cubic ? 4 : 1;
    return taps;
}

constexpr Index kColumns = 256;  // of a task, where slices are wider

// Calls f(slice, first column, columns) for all of (outer, inner).
template <class F>
void for_columns(const SliceView& view, Index work, F&& f) {
    const Index parts = (view.inner + kColumns - 1) / kColumns;
    const Index columns = std::min(view.inner, kColumns);
    const Index group = std::max<Index>(1, 16384 / std::max<Index>(work * columns, 1));
    const Index blocks = view.outer * parts, tasks = (blocks + group - 1) / group;
    parallel_for(tasks, 1e-9 * double(work) * double(columns) * double(group), [&](Index task) {
        for (Index b = task * group; b < std::min(blocks, (task + 1) * group); ++b) {
            const Index first = b % parts * kColumns;
            f(b / parts, first, std::min(kColumns, view.inner - first));
        }
    });
}

struct Request {
    Mode mode;
    Index in, out;
    double factor;
    bool align_corners, antialias;

    template <class T>
    Taps<T> taps() const {
        return taps_of<T>(mode, in, out, factor, align_corners, antialias);
    }
};

void check_sizes(int axis, Index in, Index out) {
    check(in > 0 && out > 0, "Input and output sizes should be greater than 0, but got ", in,
          " and ", out, " elements along axis ", axis);
}

// x with `size` elements along `axis`: run(taps, inner, columns, from, to) fills some columns of a
// slice, whose elements along the axis are `inner` apart.
template <class Run>
Array along_axis(const Array& x, int axis, Index size, const Request& request, Run&& run) {
    check_sizes(axis, request.in, request.out);
    if (is_half(x.dtype())) {
        return cast(along_axis(cast(x, DType::F32), axis, size, request, run), x.dtype());
    }
    const Array source = contiguous(x);
    Dims shape = source.shape();
    const Index before = shape[axis];
    shape[axis] = size;
    Array result = Array::empty(shape, source.dtype());
    dispatch_real("resample", source.dtype(), [&]<class T>() {
        const Taps<T> taps = request.taps<T>();
        const SliceView view(source.shape(), axis);
        const T* from = source.data<T>();
        T* to = result.data<T>();
        for_columns(view, request.out * taps.width, [&](Index slice, Index first, Index columns) {
            run(taps, view.inner, columns, from + slice * before * view.inner + first,
                to + slice * size * view.inner + first);
        });
    });
    return result;
}

Index size_along(const Array& x, int axis) {
    check(axis >= 0 && axis < x.ndim(), "resample: no axis ", axis, " in shape ", x.shape());
    return x.size(axis);
}

}  // namespace

// x with `out` elements along `axis`.
Array resample(const Array& x, int axis, Index out, const std::string& mode, double factor,
               bool align_corners, bool antialias) {
    const Request request{mode_of(mode), size_along(x, axis), out, factor, align_corners, antialias};
    const auto run = [&]<class T>(const Taps<T>& taps, Index inner, Index columns, const T* from,
                                  T* to) {
        for (Index o = 0; o < out; ++o, to += inner) {
            const Index* index = &taps.index[std::size_t(o * taps.width)];
            const T* weight = &taps.weight[std::size_t(o * taps.width)];
            if (taps.width == 1) {
                std::copy_n(from + index[0] * inner, columns, to);
                continue;
            }
            std::fill_n(to, columns, T(0));
            for (Index t = 0; t < taps.width; ++t) {
                const T* line = from + index[t] * inner;
                const T share = weight[t];
                for (Index c = 0; c < columns; ++c) to[c] += share * line[c];
            }
        }
    };
    return along_axis(x, axis, out, request, run);
}

// The adjoint of resample: from `grad`, with the outputs along `axis`, to `in` elements.
Array resample_adjoint(const Array& grad, int axis, Index in, const std::string& mode, double factor,
                       bool align_corners, bool antialias) {
    const Index out = size_along(grad, axis);
    const Request request{mode_of(mode), in, out, factor, align_corners, antialias};
    const auto run = [&]<class T>(const Taps<T>& taps, Index inner, Index columns, const T* from,
                                  T* to) {
        for (Index i = 0; i < in; ++i) std::fill_n(to + i * inner, columns, T(0));
        for (Index o = 0; o < out; ++o, from += inner) {
            for (Index t = 0; t < taps.width; ++t) {
                const T share = taps.weight[std::size_t(o * taps.width + t)];
                T* line = to + taps.index[std::size_t(o * taps.width + t)] * inner;
                for (Index c = 0; c < columns; ++c) line[c] += share * from[c];
            }
        }
    };
    return along_axis(grad, axis, in, request, run);
}

void bind_resample(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("resample", &resample, "input"_a, "axis"_a, "size"_a, "mode"_a, "factor"_a,
          "align_corners"_a, "antialias"_a);
    m.def("resample_adjoint", &resample_adjoint, "grad"_a, "axis"_a, "size"_a, "mode"_a,
          "factor"_a, "align_corners"_a, "antialias"_a);
}

}  // namespace rushlight
