// Sliding windows of images as columns, and columns added up to images.
#include <algorithm>
#include <limits>

#include "bind/casters.h"
#include "kernels/axis_walk.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

// Of the arguments: products of two of them, and sums of such products, do not overflow.
constexpr Index kLargest = std::numeric_limits<std::int32_t>::max();

// Windows over the last two axes.
struct Windows {
    Index height, width;    // of the image
    Index kernel_y, kernel_x;
    Index step_y, step_x;   // dilation
    Index before_y, before_x;
    Index stride_y, stride_x;
    Index rows, cols;       // how many windows

    Index size() const { return kernel_y * kernel_x; }
    Index count() const { return rows * cols; }
};

Index windows_along(Index size, Index kernel, Index dilation, Index padding, Index stride) {
    const Index free = size + 2 * padding - dilation * (kernel - 1) - 1;
    return free < 0 ? 0 : free / stride + 1;
}

Windows windows_of(std::string_view what, Index height, Index width, const Dims& kernel,
                   const Dims& dilation, const Dims& padding, const Dims& stride) {
    for (const Dims* dims : {&kernel, &dilation, &padding, &stride}) {
        check(dims->size() == 2, what, ": expected two numbers for each of kernel_size, dilation, "
              "padding and stride, got ", kernel, ", ", dilation, ", ", padding, " and ", stride);
        check(std::max((*dims)[0], (*dims)[1]) <= kLargest, what, ": kernel_size, dilation, "
              "padding and stride must be at most ", kLargest, ", got ", kernel, ", ", dilation,
              ", ", padding, " and ", stride);
    }
    check(kernel[0] > 0 && kernel[1] > 0, what,
          ": kernel size should be greater than zero, but got ", kernel);
    check(dilation[0] > 0 && dilation[1] > 0, what,
          ": dilation should be greater than zero, but got ", dilation);
    check(padding[0] >= 0 && padding[1] >= 0, what, ": padding should be non-negative, but got ",
          padding);
    check(stride[0] > 0 && stride[1] > 0, what, ": stride should be greater than zero, but got ",
          stride);
    Windows w{height, width, kernel[0], kernel[1], dilation[0], dilation[1], padding[0],
              padding[1], stride[0], stride[1], 0, 0};
    w.rows = windows_along(height, kernel[0], dilation[0], padding[0], stride[0]);
    w.cols = windows_along(width, kernel[1], dilation[1], padding[1], stride[1]);
    checked_numel({w.rows, w.cols}, 1);
    return w;
}

// Calls f(column, from, count, image) for each run of windows in a row that see a pixel at the
// kernel's place (ky, kx): windows from `column` on, pixels `stride_x` apart from `image` on.
template <class F>
void for_runs(const Windows& w, Index ky, Index kx, F&& f) {
    // The windows whose pixel lies inside of the row: 0 <= x * stride + offset < width.
    const Index offset = kx * w.step_x - w.before_x;
    const Index first = offset < 0 ? (-offset + w.stride_x - 1) / w.stride_x : 0;
    const Index past = w.width - offset;
    const Index end = past <= 0 ? 0 : std::min(w.cols, (past + w.stride_x - 1) / w.stride_x);
    for (Index row = 0; row < w.rows; ++row) {
        const Index y = row * w.stride_y + ky * w.step_y - w.before_y;
        if (y < 0 || y >= w.height || first >= end) continue;
        f(row * w.cols + first, end - first, y * w.width + first * w.stride_x + offset);
    }
}

Array im2col(const Array& input, const Dims& kernel, const Dims& dilation, const Dims& padding,
             const Dims& stride) {
    check(input.ndim() == 4 && input.size(1) > 0 && input.size(2) > 0 && input.size(3) > 0,
          "unfold: expected an input (N, C, H, W), or without N, whose sizes but N are not 0, got ",
          input.shape());
    const Windows w = windows_of("unfold", input.size(2), input.size(3), kernel, dilation, padding,
                                 stride);
    check(w.rows > 0 && w.cols > 0, "unfold: no window fits: input of shape ", input.shape(),
          ", kernel_size=", kernel, ", dilation=", dilation, ", padding=", padding, ", stride=",
          stride, " make an array of ", w.rows, " x ", w.cols, " windows; it must be positive");
    const Index channels = input.size(1);
    checked_numel({std::max<Index>(input.size(0), 1), channels, w.size(), w.count()}, 1);
    const Array result =
        Array::zeros({input.size(0), channels * w.size(), w.count()}, input.dtype());
    if (result.nothing_to_compute()) return result;
    const Array dense = contiguous(input);
    dispatch_size(input.itemsize(), [&]<class T>() {
        const T* from = dense.data<T>();
        T* to = result.data<T>();
        parallel_for(input.size(0) * channels, double(w.size() * w.count()) * 0.5e-9,
                     [&](Index plane) {
            const T* image = from + plane * w.height * w.width;
            for (Index k = 0; k < w.size(); ++k) {
                T* column = to + (plane * w.size() + k) * w.count();
                for_runs(w, k / w.kernel_x, k % w.kernel_x, [&](Index at, Index n, Index pixel) {
                    for (Index i = 0; i < n; ++i) column[at + i] = image[pixel + i * w.stride_x];
                });
            }
        });
    });
    return result;
}

Array col2im(const Array& input, const Dims& output_size, const Dims& kernel, const Dims& dilation,
             const Dims& padding, const Dims& stride) {
    check(output_size.size() == 2, "fold: expected two numbers for output_size, got ", output_size);
    check(output_size[0] > 0 && output_size[1] > 0,
          "fold: expected output_size to be positive, got ", output_size);
    const Windows w = windows_of("fold", output_size[0], output_size[1], kernel, dilation, padding,
                                 stride);
    check(input.ndim() == 3 && input.size(1) > 0 && input.size(2) > 0,
          "fold: expected an input (N, C * kernel, windows), or without N, whose sizes but N are "
          "not 0, got ", input.shape());
    check(input.size(1) % w.size() == 0, "fold: expected size of input's dimension 1 to be "
          "divisible by the product of kernel_size=", kernel, ", but got input.size(1)=",
          input.size(1), " of shape ", input.shape());
    check(input.size(2) == w.count(), "fold: expected size of input's dimension 2 to match the "
          "number of windows ", w.rows, " * ", w.cols, " = ", w.count(), " of output_size=",
          output_size, ", kernel_size=", kernel, ", dilation=", dilation, ", padding=", padding,
          ", stride=", stride, ", but got input of shape ", input.shape());
    const DType dtype = input.dtype();
    const DType compute = is_half(dtype) ? DType::F32 : dtype == DType::Bool ? DType::I64 : dtype;
    const Index channels = input.size(1) / w.size();
    const Array result =
        Array::zeros({input.size(0), channels, output_size[0], output_size[1]}, compute);
    if (result.nothing_to_compute()) return cast(result, dtype);
    const Array dense = contiguous(cast(input, compute));
    dispatch_modular(compute, [&]<class T>() {
        if constexpr (requires(T a) { a += a; }) {
            const T* from = dense.data<T>();
            T* to = result.data<T>();
            parallel_for(input.size(0) * channels, double(w.size() * w.count()) * 0.5e-9,
                         [&](Index plane) {
                T* image = to + plane * w.height * w.width;
                for (Index k = 0; k < w.size(); ++k) {
                    const T* column = from + (plane * w.size() + k) * w.count();
                    for_runs(w, k / w.kernel_x, k % w.kernel_x,
                             [&](Index at, Index n, Index pixel) {
                        for (Index i = 0; i < n; ++i) {
                            image[pixel + i * w.stride_x] += column[at + i];
                        }
                    });
                }
            });
        }
    });
    return cast(result, dtype);
}

}  // namespace

// Overlapping windows, (..., windows, size), added up `step` apart to (..., length): the adjoint of
// unfold. Each part of the result adds its windows in their order.
Array overlap_add(const Array& windows, Index step, Index length) {
    const int rank = windows.ndim();
    check(rank >= 2 && step > 0 && length >= 0, "overlap_add: expected windows of at least 2 "
          "dimensions and a positive step, got shape ", windows.shape(), ", step ", step,
          " and length ", length);
    if (is_half(windows.dtype())) {
        return cast(overlap_add(cast(windows, DType::F32), step, length), windows.dtype());
    }
    const Index count = windows.size(rank - 2), size = windows.size(rank - 1);
    check(count == 0 || (count - 1) * step + size <= length, "overlap_add: ", count,
          " windows of ", size, ", ", step, " apart, do not fit ", length, " elements");
    Dims shape = windows.shape();
    shape.erase(rank - 1);
    shape[rank - 2] = length;
    const Array result = Array::empty(shape, windows.dtype());
    if (result.nothing_to_compute()) return result;
    const Array source = contiguous(windows);
    dispatch(source.dtype(), [&]<class T>() {
        if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, Complex64> ||
                      std::is_same_v<T, Complex128>) {
            constexpr Index kPart = 8192;
            const Index parts = (length + kPart - 1) / kPart;
            const T* const from = source.data<T>();
            T* const to = result.data<T>();
            const double overlap = 1.0 + double(size) / double(step);
            parallel_for(result.numel() / length * parts, 4e-10 * kPart * overlap, [&](Index task) {
                const Index row = task / parts, begin = task % parts * kPart;
                const Index end = std::min(length, begin + kPart);
                T* const out = to + row * length;
                std::fill(out + begin, out + end, T(0));
                const Index before = begin - size + 1;  // starts of windows that reach the part
                const Index first = before > 0 ? (before + step - 1) / step : 0;
                for (Index w = first; w < count && w * step < end; ++w) {
                    const T* const window = from + (row * count + w) * size - w * step;
                    const Index stop = std::min(end, w * step + size);
                    for (Index i = std::max(begin, w * step); i < stop; ++i) out[i] += window[i];
                }
            });
        } else {
            fail(ErrorKind::NotImplemented, "overlap_add: not implemented for ",
                 name_of(source.dtype()));
        }
    });
    return result;
}

void bind_fold(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("overlap_add", &overlap_add, "windows"_a, "step"_a, "length"_a);
    m.def("im2col", &im2col, "input"_a, "kernel_size"_a, "dilation"_a, "padding"_a, "stride"_a);
    m.def("col2im", &col2im, "input"_a, "output_size"_a, "kernel_size"_a, "dilation"_a,
          "padding"_a, "stride"_a);
}

}  // namespace rushlight
