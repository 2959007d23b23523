// Pooling that keeps the place of each maximum in its plane (int64, counted row by row): adaptive
// and fractional max pooling; and the way back from places to planes, for their gradients and for
// unpooling.
#include <limits>
#include <string>
#include <vector>

#include "bind/casters.h"
#include "kernels/pool.h"

namespace rushlight {
namespace {

// Windows [start, stop) of each axis of a plane.
struct PlaceWindows {
    std::vector<Index> start[kPoolAxes], stop[kPoolAxes];
};

// The maximum of each window, and where it is; nan is larger than all, of several the last one
// counts, of other equal values the first one. First the rows of a row of windows are brought down
// to one, column by column, then come the columns of each window.
template <class T>
void max_of_windows(const std::int64_t* in, const PlaceWindows& windows, const T* x, T* y,
                    std::int64_t* places) {
    const auto take_larger = pool_table().get<T>().take_larger;
    const auto &deep = windows.start[0], &high = windows.start[1], &wide = windows.start[2];
    const Index width = in[2];
    std::vector<T> columns(static_cast<std::size_t>(width));
    std::vector<LaneIndex<T>> rows(columns.size());
    for (std::size_t od = 0; od < deep.size(); ++od) {
        for (std::size_t oh = 0; oh < high.size(); ++oh) {
            const Index top = deep[od] * in[1] + high[oh];
            std::fill(columns.begin(), columns.end(), -std::numeric_limits<T>::infinity());
            std::fill(rows.begin(), rows.end(), LaneIndex<T>(top));
            for (Index d = deep[od]; d < windows.stop[0][od]; ++d) {
                for (Index h = high[oh]; h < windows.stop[1][oh]; ++h) {
                    const Index row = d * in[1] + h;
                    take_larger(x + row * width, width, LaneIndex<T>(row), columns.data(),
                                rows.data());
                }
            }
            for (std::size_t ow = 0; ow < wide.size(); ++ow) {
                T best = -std::numeric_limits<T>::infinity();
                Index at = top * width + wide[ow];
                for (Index w = wide[ow]; w < windows.stop[2][ow]; ++w) {
                    const T value = columns[std::size_t(w)];
                    const Index place = rows[std::size_t(w)] * width + w;
                    const bool nan = value != value, was_nan = best != best;
                    if (nan ? !was_nan || place > at
                            : value > best || (value == best && place < at)) {
                        best = value;
                        at = place;
                    }
                }
                *y++ = best;
                *places++ = at;
            }
        }
    }
}

void check_float(std::string_view what, const Array& x) {
    check_as(ErrorKind::NotImplemented, is_floating(x.dtype()), what, ": not implemented for ",
             name_of(x.dtype()), ", expected a floating point input");
}

struct Planes {
    std::int64_t in[kPoolAxes], out[kPoolAxes];
    Index count, in_plane, out_plane;
    Dims result;

    Planes(const Dims& shape, const Dims& output_size) : result(shape) {
        const int rank = output_size.size();
        for (int i = 0; i < rank; ++i) result[shape.size() - rank + i] = output_size[i];
        checked_numel(result, sizeof(Index));
        plane_sizes(shape, rank, in);
        plane_sizes(output_size, rank, out);
        count = count_planes(shape, rank);
        in_plane = in[0] * in[1] * in[2];
        out_plane = out[0] * out[1] * out[2];
    }
};

// make_windows() returns what has the windows of a plane, windows_of(plane). It is called when
// there is memory for the result: what does not fit fails at once.
template <class F>
std::pair<Array, Array> max_and_places(const Array& x, const Planes& planes, F&& make_windows) {
    const DType dtype = is_half(x.dtype()) ? DType::F32 : x.dtype();
    const Array y = Array::empty(planes.result, dtype);
    const Array places = Array::empty(planes.result, DType::I64);
    if (!y.nothing_to_compute()) {
        dispatch_real("max pooling", dtype, [&]<class T>() {
            const Array input = contiguous(cast(x, dtype));
            const T* in = input.data<T>();
            T* out = y.data<T>();
            std::int64_t* at = places.data<std::int64_t>();
            const auto windows_of = make_windows();
            for_planes(planes.count, 4 * (planes.in_plane + planes.out_plane),
                       [&](Index first, Index count) {
                           for (Index p = first; p < first + count; ++p) {
                               const Index to = p * planes.out_plane;
                               max_of_windows(planes.in, windows_of(p), in + p * planes.in_plane,
                                              out + to, at + to);
                           }
                       });
        });
    }
    return {cast(y, x.dtype()), places};
}

std::pair<Array, Array> adaptive_max_pool(const Array& x, const Dims& output_size) {
    const int rank = output_size.size();
    check(rank >= 1 && rank <= kPoolAxes, "adaptive_max_pool: no pooling over ", rank, " axes");
    const std::string what = concat("adaptive_max_pool", rank, "d");
    check_pool_input(what, x.shape(), rank, false);
    check_float(what, x);
    for (Index size : output_size) {
        check(size >= 0, what, ": output_size must not be negative, got ", output_size);
    }
    const Planes planes(x.shape(), output_size);
    PlaceWindows windows;  // of all planes
    return max_and_places(x, planes, [&] {
        for (int axis = 0; axis < kPoolAxes; ++axis) {
            const Index in = planes.in[axis], out = planes.out[axis];
            for (Index o = 0; o < out; ++o) {
                const auto [start, stop] = adaptive_window(o, in, out);
                windows.start[axis].push_back(start);
                windows.stop[axis].push_back(stop);
            }
        }
        return [&](Index) -> const PlaceWindows& { return windows; };
    });
}

// ---- fractional

// The first places of windows of size k along an axis: steps that are larger or smaller by one,
// shifted by a sample from [0, 1) (Graham 2014).
template <class T>
void random_starts(T sample, Index in, Index out, Index k, std::vector<Index>& start,
                   std::vector<Index>& stop) {
    const T alpha = out > 1 ? T(in - k) / T(out - 1) : T(0);
    for (Index o = 0; o < out; ++o) {
        const bool last = o == out - 1;
        start.push_back(last ? in - k : Index((T(o) + sample) * alpha) - Index(sample * alpha));
        stop.push_back(start.back() + k);
    }
}

std::pair<Array, Array> fractional_max_pool(const Array& x, const Dims& kernel,
                                            const Dims& output_size, const Array& samples) {
    const int rank = kernel.size();
    check(rank == 2 || rank == 3, "fractional_max_pool: no pooling over ", rank, " axes");
    const std::string what = concat("fractional_max_pool", rank, "d");
    check_pool_input(what, x.shape(), rank, false);
    check_float(what, x);
    check(output_size.size() == rank, what, ": output_size must have ", rank, " numbers, got ",
          output_size);
    const bool batched = x.ndim() == rank + 2;
    const Index batch = batched ? x.size(0) : 1, channels = x.size(batched ? 1 : 0);
    check(samples.dtype() == x.dtype(), what, ": _random_samples must have the dtype of the "
          "input, ", name_of(x.dtype()), ", got ", name_of(samples.dtype()));
    check(samples.shape().size() == 3 && samples.size(0) >= batch && samples.size(1) == channels &&
              samples.size(2) == rank,
          what, ": _random_samples must be of shape ", Dims{batch, channels, rank}, ", got ",
          samples.shape());
    for (int i = 0; i < rank; ++i) {
        const Index in = x.size(x.ndim() - rank + i);
        check(kernel[i] > 0 && output_size[i] > 0 && kernel[i] <= in &&
                  output_size[i] <= in - kernel[i] + 1, what,
              ": kernel_size ", kernel, " and output_size ", output_size,
              " do not fit an input of shape ", x.shape());
    }
    const Planes planes(x.shape(), output_size);
    // The samples come in the order of the axes in three dimensions, from the last axis in two.
    const DType dtype = is_half(x.dtype()) ? DType::F32 : x.dtype();
    const Array numbers = contiguous(cast(samples, dtype));
    return dispatch_real("fractional_max_pool", dtype, [&]<class T>() {
        const T* sample = numbers.is_meta() ? nullptr : numbers.data<T>();
        return max_and_places(x, planes, [&] {
            return [&](Index p) {
                PlaceWindows windows;
                const T* own = sample + p * rank;
                for (int axis = 0; axis < kPoolAxes; ++axis) {
                    const int given = axis - kPoolAxes + rank;
                    if (given < 0) {
                        windows.start[axis] = {0};
                        windows.stop[axis] = {1};
                        continue;
                    }
                    random_starts(own[rank == 2 ? rank - 1 - given : given], planes.in[axis],
                                  planes.out[axis], kernel[given], windows.start[axis],
                                  windows.stop[axis]);
                }
                return windows;
            };
        });
    });
}

// ---- from places to planes and back

[[noreturn]] void fail_place(std::string_view what, Index place, const Dims& plane) {
    fail(ErrorKind::Runtime, what, ": found an invalid index: ", place, ", the planes are of size ",
         plane);
}

Dims last_axes(const Dims& shape, int rank) {
    return Dims(std::span(shape.begin() + (shape.size() - rank), std::size_t(rank)));
}

// Calls f(x index, plane index) for each place, after a check of it.
template <class F>
void for_places(std::string_view what, const Array& places, Index planes, Index each,
                const Dims& plane, F&& f) {
    const Array dense = contiguous(places);
    const std::int64_t* at = dense.data<std::int64_t>();
    const Index size = plane.product();
    for_planes(planes, 4 * each, [&](Index first, Index count) {
        for (Index p = first; p < first + count; ++p) {
            for (Index i = p * each; i < (p + 1) * each; ++i) {
                if (at[i] < 0 || at[i] >= size) fail_place(what, at[i], plane);
                f(i, p * size + at[i]);
            }
        }
    });
}

void check_places(std::string_view what, const Dims& shape, const Array& places) {
    check(places.dtype() == DType::I64, what, ": indices should be int64, got ",
          name_of(places.dtype()));
    check(places.shape() == shape, what, ": expected indices of the shape of the input, ", shape,
          ", got ", places.shape());
}

// Zeros of the given plane size with x put, or added, at the places.
template <bool adding>
Array put(std::string_view what, const Array& x, const Array& places, const Dims& output_size) {
    check_places(what, x.shape(), places);
    check_float(what, x);
    const int rank = output_size.size();
    Dims shape = x.shape();
    for (int i = 0; i < rank; ++i) shape[shape.size() - rank + i] = output_size[i];
    const DType dtype = is_half(x.dtype()) ? DType::F32 : x.dtype();
    const Array y = Array::zeros(shape, dtype);
    if (x.numel() > 0 && !y.is_meta()) {
        dispatch_real(what, dtype, [&]<class T>() {
            const Array input = contiguous(cast(x, dtype));
            const T* in = input.data<T>();
            T* out = y.data<T>();
            const Index planes = count_planes(shape, rank);
            for_places(what, places, planes, x.numel() / planes, output_size,
                       [=](Index from, Index to) {
                           if constexpr (adding) out[to] += in[from];
                           else out[to] = in[from];
                       });
        });
    }
    return cast(y, x.dtype());
}

Array max_unpool(const Array& x, const Array& places, const Dims& output_size) {
    const int rank = output_size.size();
    const std::string what = concat("max_unpool", rank, "d");
    check(x.ndim() == rank + 1 || x.ndim() == rank + 2, what, ": expected a ", rank + 1, "D or ",
          rank + 2, "D input, got one of shape ", x.shape());
    return put<false>(what, x, places, output_size);
}

Array add_at_places(const Array& grad, const Array& places, const Dims& output_size) {
    return put<true>("max pooling", grad, places, output_size);
}

// The elements of the planes of x at the places.
Array take_at_places(const Array& x, const Array& places, int rank) {
    check_float("max pooling", x);
    const Array y = Array::empty(places.shape(), x.dtype());
    if (y.nothing_to_compute()) return y;
    const Index planes = count_planes(x.shape(), rank);
    check(count_planes(places.shape(), rank) == planes, "max pooling: places of shape ",
          places.shape(), " do not fit an input of shape ", x.shape());
    const Array input = contiguous(x);
    const auto take = [&]<class Word>() {  // bits are only moved
        const Word* in = input.data<Word>();
        Word* out = y.data<Word>();
        for_places("max pooling", places, planes, y.numel() / planes, last_axes(x.shape(), rank),
                   [=](Index to, Index from) { out[to] = in[from]; });
    };
    if (x.itemsize() == 2) take.template operator()<std::uint16_t>();
    else if (x.itemsize() == 4) take.template operator()<std::uint32_t>();
    else take.template operator()<std::uint64_t>();
    return y;
}

}  // namespace

void bind_place_pool(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("adaptive_max_pool", &adaptive_max_pool, "x"_a, "output_size"_a);
    m.def("fractional_max_pool", &fractional_max_pool, "x"_a, "kernel_size"_a, "output_size"_a,
          "samples"_a);
    m.def("max_unpool", &max_unpool, "x"_a, "places"_a, "output_size"_a);
    m.def("add_at_places", &add_at_places, "grad"_a, "places"_a, "output_size"_a);
    m.def("take_at_places", &take_at_places, "x"_a, "places"_a, "rank"_a);
}

}  // namespace rushlight
