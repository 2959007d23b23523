// Average pooling, over regular windows and adaptive: both are sums over a table of windows for
// each axis, divided by the product of the axes' divisors.
#include <string>
#include <vector>

#include "bind/casters.h"
#include "kernels/pool.h"

namespace rushlight {
namespace {

// The windows of an axis, and the memory that AverageAxis points to.
class AxisWindows {
public:
    // Regular windows. The divisor of a window is its width without what hangs over the far end of
    // the padded axis, or only what lies in the axis; 1 where another number is to divide.
    void set_regular(const PoolPlane& plane, int axis, bool count_padding, bool count) {
        const Index size = plane.in[axis], padding = plane.padding[axis];
        begin(size, plane.out[axis]);
        for (Index o = 0; o < plane.out[axis]; ++o) {
            const Index from = o * plane.stride[axis] - padding;
            const Index to = std::min(from + plane.kernel[axis], size + padding);
            start_[o] = std::max<Index>(from, 0);
            stop_[o] = std::min(to, size);
            const Index inside = stop_[o] - start_[o];
            divisor_[o] = !count ? 1.0 : double(count_padding ? to - from : inside);
        }
        finish(plane.kernel[axis], plane.stride[axis]);
    }

    void set_adaptive(Index in, Index out) {
        begin(in, out);
        for (Index o = 0; o < out; ++o) {
            const auto [start, stop] = adaptive_window(o, in, out);
            start_[o] = start;
            stop_[o] = stop;
            divisor_[o] = double(stop - start);
        }
        finish(out > 0 && in % out == 0 ? in / out : 0, out > 0 && in % out == 0 ? in / out : 0);
    }

    void divide_by(Index number) { std::fill_n(divisor_, axis_.out, double(number)); }
    const AverageAxis& axis() const noexcept { return axis_; }

private:
    void begin(Index in, Index out) {
        const MetaGuard in_memory(false);  // a table of the kernel's own
        places_ = Array::empty({2, out}, DType::I64);
        divisors_ = Array::empty({out}, DType::F64);
        start_ = places_.data<std::int64_t>();
        stop_ = start_ + out;
        divisor_ = divisors_.data<double>();
        axis_ = {in, out, start_, stop_, divisor_, 0, 0, 0, 0, true, true};
    }
    void finish(Index width, Index step) {
        axis_.width = width;
        axis_.step = step;
        Index reached = 0;
        const auto is_whole = [&](Index o) {
            return stop_[o] - start_[o] == width;
        };
        for (Index o = 0; o < axis_.out; ++o) {
            axis_.disjoint = axis_.disjoint && start_[o] >= reached;
            axis_.covering = axis_.covering && start_[o] <= reached;
            reached = std::max(reached, stop_[o]);
        }
        axis_.covering = axis_.covering && reached == axis_.in;
        while (axis_.first_whole < axis_.out && !is_whole(axis_.first_whole)) ++axis_.first_whole;
        axis_.last_whole = axis_.first_whole;
        while (axis_.last_whole < axis_.out && is_whole(axis_.last_whole)) ++axis_.last_whole;
    }

    Array places_, divisors_;  // the tables' memory: where there is none, it fails as a result does
    std::int64_t *start_ = nullptr, *stop_ = nullptr;
    double* divisor_ = nullptr;
    AverageAxis axis_ = {};
};

// The windows of all axes, and the shapes on both sides.
struct Averaging {
    AxisWindows windows[kPoolAxes];
    AverageAxis axes[kPoolAxes];
    Index planes = 1, in_plane = 1, out_plane = 1;
    Dims input, result;

    void finish() {
        for (int axis = 0; axis < kPoolAxes; ++axis) {
            axes[axis] = windows[axis].axis();
            in_plane *= axes[axis].in;
            out_plane *= axes[axis].out;
        }
    }
    // Of the loops: a row of the input, and a row of either side.
    std::size_t room() const noexcept {
        return std::size_t(axes[2].in + std::max(axes[2].in, axes[2].out));
    }
};

Averaging regular(const Dims& shape, int rank, const Dims& kernel,
                  const std::optional<Dims>& stride, const Dims& padding, bool ceil_mode,
                  bool count_padding, std::optional<Index> divisor) {
    check(rank >= 1 && rank <= kPoolAxes, "avg_pool: no pooling over ", rank, " axes");
    const std::string what = concat("avg_pool", rank, "d");
    check(divisor != 0, what, ": divisor_override must not be zero");
    const PoolGeometry geometry =
        pool_geometry(what, shape, {rank, kernel, stride, padding, Dims{1}, ceil_mode});
    Averaging result;
    result.planes = geometry.planes;
    result.input = shape;
    result.result = geometry.result;
    for (int axis = 0; axis < kPoolAxes; ++axis) {
        result.windows[axis].set_regular(geometry.plane, axis, count_padding, !divisor);
    }
    if (divisor) result.windows[kPoolAxes - 1].divide_by(*divisor);
    result.finish();
    return result;
}

Averaging adaptive(const Dims& shape, const Dims& output_size) {
    const int rank = output_size.size();
    check(rank >= 1 && rank <= kPoolAxes, "adaptive_avg_pool: no pooling over ", rank, " axes");
    const std::string what = concat("adaptive_avg_pool", rank, "d");
    check_pool_input(what, shape, rank, true);
    Averaging result;
    result.planes = count_planes(shape, rank);
    result.input = result.result = shape;
    std::int64_t sizes[kPoolAxes];
    plane_sizes(shape, rank, sizes);
    for (int axis = 0; axis < kPoolAxes; ++axis) {
        const int given = axis - kPoolAxes + rank;
        const Index out = given < 0 ? 1 : output_size[given];
        check(out >= 0, what, ": output_size must not be negative, got ", output_size);
        if (given >= 0) result.result[shape.size() - rank + given] = out;
    }
    checked_numel(result.result, sizeof(double));
    for (int axis = 0; axis < kPoolAxes; ++axis) {
        const int given = axis - kPoolAxes + rank;
        result.windows[axis].set_adaptive(sizes[axis], given < 0 ? 1 : output_size[given]);
    }
    result.finish();
    return result;
}

Array average(const Array& x, const Averaging& averaging) {
    const DType dtype = x.dtype();
    Array y;
    dispatch_pooled(dtype, [&]<class T>() {
        y = Array::empty(averaging.result, dtype_of<T>);
        if (y.nothing_to_compute()) return;
        const Array input = contiguous(cast(x, dtype_of<T>));
        const T* in = input.data<T>();
        T* out = y.data<T>();
        const auto loop = pool_table().get<T>().average.forward;
        for_planes(averaging.planes, averaging.in_plane + averaging.out_plane,
                   [&](Index first, Index count) {
                       std::vector<T> room(averaging.room());
                       loop(averaging.axes, count, in + first * averaging.in_plane, room.data(),
                            out + first * averaging.out_plane);
                   });
    });
    return cast(y, dtype);
}

Array average_backward(const Array& grad, const Averaging& averaging) {
    check(grad.shape() == averaging.result, "average pooling: a gradient of shape ", grad.shape(),
          " does not fit a result of shape ", averaging.result);
    const DType dtype = grad.dtype();
    Array dx;
    dispatch_pooled(dtype, [&]<class T>() {
        dx = Array::empty(averaging.input, dtype_of<T>);
        if (dx.nothing_to_compute()) return;
        const Array upstream = contiguous(cast(grad, dtype_of<T>));
        const T* g = upstream.data<T>();
        T* out = dx.data<T>();
        const auto loop = pool_table().get<T>().average.backward;
        for_planes(averaging.planes, averaging.in_plane + averaging.out_plane,
                   [&](Index first, Index count) {
                       std::vector<T> room(averaging.room());
                       loop(averaging.axes, count, g + first * averaging.out_plane, room.data(),
                            out + first * averaging.in_plane);
                   });
    });
    return cast(dx, dtype);
}

// ---- what Python sees

Array avg_pool(const Array& x, int rank, const Dims& kernel, const std::optional<Dims>& stride,
               const Dims& padding, bool ceil_mode, bool count_include_pad,
               std::optional<Index> divisor_override) {
    check_as(ErrorKind::NotImplemented, is_floating(x.dtype()) || x.dtype() == DType::I64,
             "avg_pool: not implemented for ", name_of(x.dtype()),
             ", expected a floating point or int64 input");
    return average(x, regular(x.shape(), rank, kernel, stride, padding, ceil_mode,
                              count_include_pad, divisor_override));
}

Array avg_pool_backward(const Array& grad, const Dims& input_shape, int rank, const Dims& kernel,
                        const std::optional<Dims>& stride, const Dims& padding, bool ceil_mode,
                        bool count_include_pad, std::optional<Index> divisor_override) {
    return average_backward(grad, regular(input_shape, rank, kernel, stride, padding, ceil_mode,
                                          count_include_pad, divisor_override));
}

Array adaptive_avg_pool(const Array& x, const Dims& output_size) {
    check_as(ErrorKind::NotImplemented, is_floating(x.dtype()), "adaptive_avg_pool: not "
             "implemented for ", name_of(x.dtype()), ", expected a floating point input");
    return average(x, adaptive(x.shape(), output_size));
}

Array adaptive_avg_pool_backward(const Array& grad, const Dims& input_shape,
                                 const Dims& output_size) {
    return average_backward(grad, adaptive(input_shape, output_size));
}

}  // namespace

void bind_average_pool(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("avg_pool", &avg_pool, "x"_a, "rank"_a, "kernel_size"_a, "stride"_a.none(), "padding"_a,
          "ceil_mode"_a, "count_include_pad"_a, "divisor_override"_a.none());
    m.def("avg_pool_backward", &avg_pool_backward, "grad"_a, "input_shape"_a, "rank"_a,
          "kernel_size"_a, "stride"_a.none(), "padding"_a, "ceil_mode"_a, "count_include_pad"_a,
          "divisor_override"_a.none());
    m.def("adaptive_avg_pool", &adaptive_avg_pool, "x"_a, "output_size"_a);
    m.def("adaptive_avg_pool_backward", &adaptive_avg_pool_backward, "grad"_a, "input_shape"_a,
          "output_size"_a);
}

}  // namespace rushlight
