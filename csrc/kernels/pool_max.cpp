// Max pooling over regular windows. What the gradient needs is where in its window each maximum
// was found: a tap, one byte for windows of at most 255 places.
#include <algorithm>
#include <string>

#include "bind/casters.h"
#include "kernels/pool.h"

namespace rushlight {
namespace {

constexpr Index kNarrowTaps = 255;

std::string name_of_rank(int rank) {
    check(rank >= 1 && rank <= kPoolAxes, "max_pool: no pooling over ", rank, " axes");
    return concat("max_pool", rank, "d");
}

DType tap_dtype(const PoolGeometry& geometry) {
    return geometry.taps() <= kNarrowTaps ? DType::U8 : DType::I32;
}

// Calls f.operator()<T, Tap>().
template <class F>
void dispatch_taps(DType dtype, DType taps, F&& f) {
    dispatch_pooled(dtype, [&]<class T>() {
        if (taps == DType::U8) f.template operator()<T, std::uint8_t>();
        else f.template operator()<T, std::int32_t>();
    });
}

// A dense array of the type that is computed in.
template <class T>
Array dense(const Array& x) {
    return contiguous(cast(x, dtype_of<T>));
}

// Large planes are cut along their first axis that has more than one window: a band is a plane that
// starts so much further in.
struct Bands {
    int axis = 0;
    Index inner = 1;  // results for each window of the axis
    Index windows_each = 1, number = 1;
    double seconds_each = 0;

    explicit Bands(const PoolGeometry& geometry) {
        constexpr double kSecondsPerComparison = 0.12e-9, kSecondsPerBand = 300e-6;
        const PoolPlane& plane = geometry.plane;
        while (axis < kPoolAxes - 1 && plane.out[axis] == 1) ++axis;
        for (int i = axis + 1; i < kPoolAxes; ++i) inner *= plane.out[i];
        const double each = double(geometry.taps()) * double(inner) * kSecondsPerComparison;
        const double fitting = std::max(1.0, kSecondsPerBand / each);
        windows_each = Index(std::min(fitting, double(plane.out[axis])));
        number = (plane.out[axis] + windows_each - 1) / windows_each;
        seconds_each = each * double(windows_each);
    }

    PoolPlane at(const PoolPlane& whole, Index band) const noexcept {
        PoolPlane plane = whole;
        const Index start = band * windows_each;
        plane.out[axis] = std::min(windows_each, whole.out[axis] - start);
        plane.padding[axis] -= start * whole.stride[axis];
        return plane;
    }
};

std::pair<Array, Array> pooled(const Array& x, const PoolWindows& windows, bool keep) {
    const std::string what = name_of_rank(windows.rank);
    const DType dtype = x.dtype();
    check_as(ErrorKind::NotImplemented,  // integers are compared as int64
             is_floating(dtype) || (is_integral(dtype) && dtype != DType::U64), what,
             ": not implemented for ", name_of(dtype), ", expected a real input");
    const PoolGeometry geometry = pool_geometry(what, x.shape(), windows);
    if (x.is_meta())
        return {Array::meta(geometry.result, dtype),
                keep ? Array::meta(geometry.result, tap_dtype(geometry)) : Array()};
    const Array taps = keep ? Array::empty(geometry.result, tap_dtype(geometry)) : Array();
    Array y;
    dispatch_taps(dtype, tap_dtype(geometry), [&]<class T, class Tap>() {
        y = Array::empty(geometry.result, dtype_of<T>);
        if (y.nothing_to_compute()) return;
        const Array input = dense<T>(x);
        const T* in = input.data<T>();
        T* out = y.data<T>();
        Tap* at = keep ? taps.data<Tap>() : nullptr;
        const auto loop = pool_table().get<T>().template max<Tap>().forward;
        const Index in_plane = geometry.in_plane(), out_plane = geometry.out_plane();
        const Bands bands(geometry);
        if (bands.number > 1) {
            parallel_for(geometry.planes * bands.number, bands.seconds_each, [&](Index task) {
                const Index plane = task / bands.number, band = task % bands.number;
                const Index to = plane * out_plane + band * bands.windows_each * bands.inner;
                loop(bands.at(geometry.plane, band), 1, in + plane * in_plane, out + to,
                     at ? at + to : nullptr);
            });
            return;
        }
        for_planes(geometry.planes, in_plane + geometry.taps() * out_plane / 4,
                   [&](Index first, Index count) {
                       loop(geometry.plane, count, in + first * in_plane, out + first * out_plane,
                            at ? at + first * out_plane : nullptr);
                   });
    });
    return {cast(y, dtype), taps};
}

// The maxima and their taps.
std::pair<Array, Array> max_pool(const Array& x, int rank, const Dims& kernel,
                                 const std::optional<Dims>& stride, const Dims& padding,
                                 const Dims& dilation, bool ceil_mode) {
    return pooled(x, {rank, kernel, stride, padding, dilation, ceil_mode}, true);
}

Array max_pool_values(const Array& x, int rank, const Dims& kernel,
                      const std::optional<Dims>& stride, const Dims& padding, const Dims& dilation,
                      bool ceil_mode) {
    return pooled(x, {rank, kernel, stride, padding, dilation, ceil_mode}, false).first;
}

PoolGeometry geometry_of_taps(const Array& taps, const Dims& input_shape,
                              const PoolWindows& windows) {
    const std::string what = name_of_rank(windows.rank);
    const PoolGeometry geometry = pool_geometry(what, input_shape, windows);
    check(taps.shape() == geometry.result && taps.dtype() == tap_dtype(geometry), what,
          ": taps of shape ", taps.shape(), " do not belong to an input of shape ", input_shape);
    return geometry;
}

// The gradient of the input.
Array max_pool_backward(const Array& grad, const Array& taps, const Dims& input_shape, int rank,
                        const Dims& kernel, const std::optional<Dims>& stride, const Dims& padding,
                        const Dims& dilation, bool ceil_mode) {
    const PoolGeometry geometry = geometry_of_taps(
        taps, input_shape, {rank, kernel, stride, padding, dilation, ceil_mode});
    check(grad.shape() == geometry.result, "max_pool: a gradient of shape ", grad.shape(),
          " does not fit a result of shape ", geometry.result);
    Array dx;
    dispatch_taps(grad.dtype(), taps.dtype(), [&]<class T, class Tap>() {
        dx = Array::empty(input_shape, dtype_of<T>);
        if (dx.nothing_to_compute()) return;
        const Array upstream = dense<T>(grad), places = contiguous(taps);
        const T* g = upstream.data<T>();
        const Tap* at = places.data<Tap>();
        T* out = dx.data<T>();
        const auto loop = pool_table().get<T>().template max<Tap>().backward;
        const Index in_plane = geometry.in_plane(), out_plane = geometry.out_plane();
        for_planes(geometry.planes, in_plane + out_plane, [&](Index first, Index count) {
            loop(geometry.plane, count, g + first * out_plane, at + first * out_plane,
                 out + first * in_plane);
        });
    });
    return cast(dx, grad.dtype());
}

// The elements of x at the taps: what max_pool_backward is the adjoint of.
Array max_pool_select(const Array& x, const Array& taps, int rank, const Dims& kernel,
                      const std::optional<Dims>& stride, const Dims& padding, const Dims& dilation,
                      bool ceil_mode) {
    const PoolGeometry geometry =
        geometry_of_taps(taps, x.shape(), {rank, kernel, stride, padding, dilation, ceil_mode});
    Array y;
    dispatch_taps(x.dtype(), taps.dtype(), [&]<class T, class Tap>() {
        y = Array::empty(geometry.result, dtype_of<T>);
        if (y.nothing_to_compute()) return;
        const Array input = dense<T>(x), places = contiguous(taps);
        const T* in = input.data<T>();
        const Tap* at = places.data<Tap>();
        T* out = y.data<T>();
        const auto loop = pool_table().get<T>().template max<Tap>().select;
        const Index in_plane = geometry.in_plane(), out_plane = geometry.out_plane();
        for_planes(geometry.planes, 4 * out_plane, [&](Index first, Index count) {
            loop(geometry.plane, count, in + first * in_plane, at + first * out_plane,
                 out + first * out_plane);
        });
    });
    return cast(y, x.dtype());
}

// The positions of the taps in their planes, counted row by row: the indices that the public
// functions return. -1 for windows that lie outside the plane.
Array max_pool_indices(const Array& taps, const Dims& input_shape, int rank, const Dims& kernel,
                       const std::optional<Dims>& stride, const Dims& padding,
                       const Dims& dilation, bool ceil_mode) {
    const PoolGeometry geometry = geometry_of_taps(
        taps, input_shape, {rank, kernel, stride, padding, dilation, ceil_mode});
    const PoolPlane& p = geometry.plane;
    const Array places = contiguous(taps);
    if (taps.is_meta()) return Array::meta(geometry.result, DType::I64);
    const Array result = Array::empty(geometry.result, DType::I64);
    if (result.numel() == 0) return result;
    std::int64_t* const out = result.data<std::int64_t>();
    const Index out_plane = geometry.out_plane(), taps_each = geometry.taps();
    const auto fill = [&]<class Tap>(const Tap* at) {
        for_planes(geometry.planes, 8 * out_plane, [&](Index first, Index count) {
            Index o = first * out_plane;
            for (Index row = 0; row < count * p.out[0] * p.out[1]; ++row) {
                const Index oh = row % p.out[1], od = row / p.out[1] % p.out[0];
                for (Index ow = 0; ow < p.out[2]; ++ow, ++o) {
                    const Index tap = at[o], kw = tap % p.kernel[2];
                    const Index kh = tap / p.kernel[2] % p.kernel[1];
                    const Index kd = tap / (p.kernel[1] * p.kernel[2]);
                    const Index d = od * p.stride[0] - p.padding[0] + kd * p.dilation[0];
                    const Index h = oh * p.stride[1] - p.padding[1] + kh * p.dilation[1];
                    const Index w = ow * p.stride[2] - p.padding[2] + kw * p.dilation[2];
                    out[o] = tap < taps_each ? (d * p.in[1] + h) * p.in[2] + w : -1;
                }
            }
        });
    };
    if (taps.dtype() == DType::U8) fill(places.data<std::uint8_t>());
    else fill(places.data<std::int32_t>());
    return result;
}

}  // namespace

void bind_max_pool(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("max_pool", &max_pool, "x"_a, "rank"_a, "kernel_size"_a, "stride"_a.none(),
          "padding"_a, "dilation"_a, "ceil_mode"_a);
    m.def("max_pool_values", &max_pool_values, "x"_a, "rank"_a, "kernel_size"_a,
          "stride"_a.none(), "padding"_a, "dilation"_a, "ceil_mode"_a);
    m.def("max_pool_backward", &max_pool_backward, "grad"_a, "taps"_a, "input_shape"_a, "rank"_a,
          "kernel_size"_a, "stride"_a.none(), "padding"_a, "dilation"_a, "ceil_mode"_a);
    m.def("max_pool_select", &max_pool_select, "x"_a, "taps"_a, "rank"_a, "kernel_size"_a,
          "stride"_a.none(), "padding"_a, "dilation"_a, "ceil_mode"_a);
    m.def("max_pool_indices", &max_pool_indices, "taps"_a, "input_shape"_a, "rank"_a,
          "kernel_size"_a, "stride"_a.none(), "padding"_a, "dilation"_a, "ceil_mode"_a);
}

}  // namespace rushlight
