// Resampling: along each of the last axes every element of the result is a weighted sum of a few
// elements of the input. All modes differ by their taps alone, and the adjoint is the same with the
// taps transposed. The positions are PyTorch's, computed in the precision of the values.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "bind/casters.h"
#include "kernels/conv.h"
#include "kernels/resample_loops.h"
#include "runtime/parallel.h"

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

Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

// The pass along one axis, from `in` to `out` elements.
template <class T>
struct Pass {
    Index in, out;
    Index inner;  // elements behind a place
    bool picks;   // one tap of weight 1 each
    std::vector<Index> start, index;
    std::vector<T> weight;

    Pass(const Taps<T>& taps, Index in, Index out, bool adjoint) : in(in), out(out), inner(1) {
        picks = taps.width == 1 && !adjoint;
        const Index count = adjoint ? in : out;  // of the taps' own results
        start.assign(std::size_t(out) + 1, 0);
        const auto for_taps = [&](auto&& f) {
            for (Index o = 0; o < count; ++o) {
                for (Index t = o * taps.width; t < (o + 1) * taps.width; ++t) {
                    const Index at = taps.index[std::size_t(t)];
                    const T share = taps.weight[std::size_t(t)];
                    if (share != 0 || taps.width < 5) f(adjoint ? at : o, adjoint ? o : at, share);
                }
            }
        };
        for_taps([&](Index to, Index, T) { ++start[std::size_t(to) + 1]; });
        for (Index o = 0; o < out; ++o) start[std::size_t(o) + 1] += start[std::size_t(o)];
        index.resize(std::size_t(start.back()));
        weight.resize(std::size_t(start.back()));
        std::vector<Index> next(start.begin(), start.end() - 1);
        for_taps([&](Index to, Index from, T share) {
            const std::size_t at = std::size_t(next[std::size_t(to)]++);
            index[at] = from;
            weight[at] = share;
        });
    }

    TapView<T> view() const { return {in, out, start.data(), index.data(), weight.data()}; }
    Index taps_each() const { return std::max<Index>(1, start.back() / std::max<Index>(out, 1)); }
    Index scratch_size() const {
        return inner == 1 ? (in + out) * Index(resample_table().get<T>().width) : 0;
    }
};

constexpr Index kColumns = 1024;  // of a unit, where more elements stand behind a place

// A pass over an array is cut into units: some rows, or some columns of a slice.
template <class T>
struct Units {
    const Pass<T>& pass;
    Index outer, total, parts;
    static constexpr Index kRows = 4;  // vectors of rows of a unit

    Units(const Pass<T>& pass, Index outer) : pass(pass), outer(outer) {
        parts = divide_up(pass.inner, kColumns);
        total = pass.inner == 1 ? divide_up(outer, each()) : outer * parts;
    }
    static Index each() { return kRows * resample_table().get<T>().width; }

    double seconds() const {  // of all units
        return 1e-10 * double(outer * pass.inner) * double(pass.in + pass.out * pass.taps_each());
    }

    void run(const T* from, T* to, Index first, Index last, T* scratch) const {
        const ResampleLoops<T>& loops = resample_table().get<T>();
        const TapView<T> taps = pass.view();
        if (pass.inner == 1) {
            const Index end = std::min(outer, last * each());
            if (pass.picks) {
                const Index r = first * each();
                return loops.pick(taps, from + r * pass.in, to + r * pass.out, end - r);
            }
            for (Index r = first * each(); r < end; r += loops.width) {
                loops.rows(taps, from + r * pass.in, to + r * pass.out,
                           std::min<Index>(loops.width, end - r), scratch);
            }
            return;
        }
        for (Index unit = first; unit < last; ++unit) {
            const Index slice = unit / parts, column = unit % parts * kColumns;
            const Index columns = std::min(kColumns, pass.inner - column);
            const T* line = from + slice * pass.in * pass.inner + column;
            T* place = to + slice * pass.out * pass.inner + column;
            if (!pass.picks) {
                loops.columns(taps, line, place, pass.inner, columns);
                continue;
            }
            for (Index o = 0; o < pass.out; ++o) {
                std::copy_n(line + taps.index[o] * pass.inner, columns, place + o * pass.inner);
            }
        }
    }
};

// What the caller asks for along the last axes.
struct Request {
    Mode mode;
    Dims from, to;
    std::vector<double> factors;
    bool align_corners, antialias, adjoint;
};

// The passes for one slice, with the sizes in front of each. The last axis costs most, so it goes
// first if the others grow.
template <class T>
struct Passes {
    std::vector<Pass<T>> passes;
    std::vector<Index> outer;      // rows of a slice in front of the axis
    std::vector<Index> elements;  // of a slice after the pass
    Index scratch = 0, largest = 0;

    explicit Passes(const Request& request) {
        const int rank = request.from.size();
        std::vector<int> order;
        Index before = 1, after = 1;
        for (int d = 0; d + 1 < rank; ++d) {
            order.push_back(d);
            before *= request.from[d];
            after *= request.to[d];
        }
        order.insert(after > before ? order.begin() : order.end(), rank - 1);
        Dims shape = request.from;
        for (int d : order) {
            const Index in = request.from[d], out = request.to[d];
            const double factor = request.factors[std::size_t(d)];
            if (in == out && (factor == 0 || factor == 1) && !request.antialias) continue;
            const Index source = request.adjoint ? out : in, target = request.adjoint ? in : out;
            passes.emplace_back(taps_of<T>(request.mode, source, target, factor,
                                           request.align_corners, request.antialias),
                                in, out, request.adjoint);
            Index rows = 1;
            for (int i = 0; i < rank; ++i) {
                if (i < d) rows *= shape[i];
                if (i > d) passes.back().inner *= shape[i];
            }
            shape[d] = out;
            outer.push_back(rows);
            elements.push_back(shape.product());
            scratch = std::max(scratch, passes.back().scratch_size());
            largest = std::max(largest, shape.product());
        }
    }
};

constexpr Index kFewSlices = 16;  // of which, or if there is but one, each pass is cut by itself

template <class T>
void run(const Passes<T>& plan, Index slices, Index elements, const T* from, T* to) {
    const std::size_t count = plan.passes.size();
    if (slices < kFewSlices || count == 1) {
        Array previous;
        for (std::size_t p = 0; p < count; ++p) {
            const bool last = p + 1 == count;
            Array next;
            if (!last) next = Array::empty({slices * plan.elements[p]}, dtype_of<T>);
            T* const target = last ? to : next.data<T>();
            const Units<T> units(plan.passes[p], slices * plan.outer[p]);
            const double seconds = units.seconds() / double(units.total);
            const Index each = std::max<Index>(1, Index(20e-6 / seconds));
            ScratchBlocks scratch(std::size_t(plan.scratch) * sizeof(T));
            parallel_for(divide_up(units.total, each), seconds * double(each),
                         [&](Index task) {
                             const ScratchBlocks::Lease lease(scratch);
                             units.run(from, target, task * each,
                                       std::min(units.total, (task + 1) * each),
                                       reinterpret_cast<T*>(lease.data()));
                         });
            previous = next;
            from = target;
        }
        return;
    }
    double seconds = 0;
    for (std::size_t p = 0; p < count; ++p) {
        seconds += Units<T>(plan.passes[p], plan.outer[p]).seconds();
    }
    // Rows of small slices share vectors.
    const Index each = std::clamp<Index>(Index(20e-6 / seconds), 1, slices);
    const Index room = plan.largest * each;
    ScratchBlocks scratch(std::size_t(plan.scratch + 2 * room) * sizeof(T));
    parallel_for(divide_up(slices, each), seconds * double(each), [&](Index task) {
        const ScratchBlocks::Lease lease(scratch);
        T* const memory = reinterpret_cast<T*>(lease.data());
        T* const rooms[2] = {memory + plan.scratch, memory + plan.scratch + room};
        const Index first = task * each, some = std::min(each, slices - first);
        const T* source = from + first * elements;
        for (std::size_t p = 0; p < count; ++p) {
            T* const target = p + 1 == count ? to + first * plan.elements[p] : rooms[p % 2];
            const Units<T> units(plan.passes[p], some * plan.outer[p]);
            units.run(source, target, 0, units.total, memory);
            source = target;
        }
    });
}

// x with other sizes along its last axes; of the adjoint, `sizes` are those of resample's input.
Array resampled(const Array& x, const Dims& sizes, const std::string& mode,
                const std::vector<double>& factors, bool align_corners, bool antialias,
                bool adjoint) {
    const int rank = sizes.size();
    check(rank > 0 && rank <= x.ndim() && factors.size() == std::size_t(rank),
          "resample: ", rank, " sizes and ", factors.size(), " factors for an input of shape ",
          x.shape());
    if (is_half(x.dtype())) {
        return cast(resampled(cast(x, DType::F32), sizes, mode, factors, align_corners, antialias,
                              adjoint),
                    x.dtype());
    }
    Request request{mode_of(mode), Dims(rank, 0), sizes, factors, align_corners, antialias,
                    adjoint};
    Dims shape = x.shape();
    Index slices = 1;
    for (int d = 0; d < x.ndim(); ++d) {
        const int at = d - (x.ndim() - rank);
        if (at < 0) {
            slices *= shape[d];
            continue;
        }
        request.from[at] = shape[d];
        shape[d] = sizes[at];
        check(request.from[at] > 0 && sizes[at] > 0,
              "Input and output sizes should be greater than 0, but got ", request.from[at],
              " and ", sizes[at], " elements along axis ", d);
    }
    return dispatch_real("resample", x.dtype(), [&]<class T>() {
        const Passes<T> plan(request);
        if (plan.passes.empty()) return clone(x);
        const Array source = contiguous(x);
        const Array result = Array::empty(shape, x.dtype());
        if (!result.nothing_to_compute()) {
            run(plan, slices, request.from.product(), source.data<T>(), result.data<T>());
        }
        return result;
    });
}

}  // namespace

Array resample(const Array& x, const Dims& sizes, const std::string& mode,
               const std::vector<double>& factors, bool align_corners, bool antialias) {
    return resampled(x, sizes, mode, factors, align_corners, antialias, false);
}

// The adjoint of resample: from its result to the `sizes` of its input.
Array resample_adjoint(const Array& grad, const Dims& sizes, const std::string& mode,
                       const std::vector<double>& factors, bool align_corners, bool antialias) {
    return resampled(grad, sizes, mode, factors, align_corners, antialias, true);
}

void bind_resample(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("resample", &resample, "input"_a, "sizes"_a, "mode"_a, "factors"_a, "align_corners"_a,
          "antialias"_a);
    m.def("resample_adjoint", &resample_adjoint, "grad"_a, "sizes"_a, "mode"_a, "factors"_a,
          "align_corners"_a, "antialias"_a);
}

}  // namespace rushlight
