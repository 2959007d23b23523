// Shapes, dtypes and errors of convolutions; conv_forward.cpp and conv_weight.cpp do the
// arithmetic.
#include "kernels/conv.h"

#include "bind/casters.h"

namespace rushlight {
namespace {

using OptionalArray = std::optional<Array>;

// One number for each spatial axis.
struct Options {
    Dims stride, padding, dilation, output_padding;
    bool transposed;
    Index groups;
};

Dims for_each_axis(std::string_view name, const Dims& given, int axes) {
    check(given.size() == 1 || given.size() == axes, "convolution: expected ", name,
          " to be a single integer value or a list of ", axes,
          " values to match the convolution dimensions, but got ", name, "=", given);
    return given.size() == axes ? given : Dims(axes, given[0]);
}

bool any(const Dims& dims, bool (*is)(Index)) { return std::any_of(dims.begin(), dims.end(), is); }

constexpr auto kNegative = [](Index value) { return value < 0; };
constexpr auto kNotPositive = [](Index value) { return value <= 0; };

Options checked_options(const Array& input, const Array& weight, Options o) {
    check(input.ndim() >= 3 && input.ndim() <= 5, "convolution: expected an input (N, C, ...) of 1 "
          "to 3 spatial axes, but got an input of size ", input.shape());
    check(weight.ndim() == input.ndim(), "Expected ", input.ndim(), "-dimensional weight for ",
          input.ndim(), "-dimensional input of size ", input.shape(), ", but got weight of size ",
          weight.shape(), " instead");
    const int axes = input.ndim() - 2;
    o.stride = for_each_axis("stride", o.stride, axes);
    o.padding = for_each_axis("padding", o.padding, axes);
    o.dilation = for_each_axis("dilation", o.dilation, axes);
    o.output_padding = for_each_axis("output_padding", o.output_padding, axes);
    check(!any(o.padding, kNegative), "negative padding is not supported, got padding=", o.padding);
    check(!any(o.output_padding, kNegative), "negative output_padding is not supported, got ",
          "output_padding=", o.output_padding);
    check(!any(o.stride, kNotPositive), "non-positive stride is not supported, got stride=",
          o.stride);
    check(!any(o.dilation, kNotPositive), "dilation should be greater than zero, got dilation=",
          o.dilation);
    check(o.groups > 0, "non-positive groups is not supported, got groups=", o.groups);
    return o;
}

void check_dtypes(const Array& input, const Array& weight, const OptionalArray& bias) {
    check(input.dtype() == weight.dtype(), "Input type (", name_of(input.dtype()),
          ") and weight type (", name_of(weight.dtype()),
          ") should be the same; convert one of them, as in input.to(weight.dtype)");
    check(!bias || bias->dtype() == input.dtype(), "Input type (", name_of(input.dtype()),
          ") and bias type (", name_of(bias ? bias->dtype() : DType::F32),
          ") should be the same; convert one of them");
}

// The sizes without the spatial ones of the result.
ConvShape shape_of(const Array& input, const Array& weight, const Options& o) {
    ConvShape s;
    s.items = input.size(0);
    s.groups = o.groups;
    const int axes = input.ndim() - 2, skipped = 3 - axes;
    for (int i = 0; i < axes; ++i) {
        (o.transposed ? s.small : s.big)[std::size_t(skipped + i)] = input.size(i + 2);
        s.kernel[std::size_t(skipped + i)] = weight.size(i + 2);
        s.stride[std::size_t(skipped + i)] = o.stride[i];
        s.padding[std::size_t(skipped + i)] = o.padding[i];
        s.dilation[std::size_t(skipped + i)] = o.dilation[i];
    }
    s.small_channels = weight.size(0) / o.groups;
    s.big_channels = weight.size(1);
    return s;
}

void check_channels(const Array& input, const Array& weight, const OptionalArray& bias,
                    const Options& o) {
    const Index groups = o.groups;
    check(weight.size(0) >= groups && weight.size(0) % groups == 0, "Given groups=", groups,
          ", expected weight to be at least ", groups, " at dimension 0 and divisible by it, but "
          "got weight of size ", weight.shape(), " instead");
    if (o.transposed) {
        check(input.size(1) == weight.size(0), "Given transposed=1, weight of size ",
              weight.shape(), ", expected input", input.shape(), " to have ", weight.size(0),
              " channels, but got ", input.size(1), " channels instead");
    } else {
        check(input.size(1) == weight.size(1) * groups, "Given groups=", groups,
              ", weight of size ", weight.shape(), ", expected input", input.shape(), " to have ",
              weight.size(1) * groups, " channels, but got ", input.size(1),
              " channels instead");
    }
    const Index outputs = o.transposed ? weight.size(1) * groups : weight.size(0);
    check(!bias || bias->shape() == Dims{outputs}, "Given ", o.transposed ? "transposed=1, " : "",
          "weight of size ", weight.shape(), ", expected bias to be 1-dimensional with ", outputs,
          " elements, but got bias of size ", bias ? bias->shape() : Dims(), " instead");
}

// a * b + c for sizes that come from arguments.
Index checked_size(Index a, Index b, Index c) {
    Index size = 0;
    const bool overflow = __builtin_mul_overflow(a, b, &size) ||
                          __builtin_add_overflow(size, c, &size);
    check(!overflow, "convolution: a size calculation overflowed (", a, " * ", b, " + ", c,
          "): stride, padding, dilation or output_padding is too large");
    return size;
}

// What no position can tell from 1 becomes 1, the step between the taps of a kernel of one tap
// and between the positions where there is one; and the padded image has a size.
void settle(ConvShape& s) {
    Dims image{s.groups, std::max(s.big_channels, s.small_channels)};
    for (std::size_t axis = 0; axis < 3; ++axis) {
        if (s.kernel[axis] == 1) s.dilation[axis] = 1;
        if (s.small[axis] <= 1) s.stride[axis] = 1;
        const Index span = checked_size(s.kernel[axis], s.dilation[axis], s.big[axis]);
        const Index margins = checked_size(s.padding[axis], 2, span);
        image.push_back(checked_size(s.small[axis], s.stride[axis], margins));
    }
    checked_numel(image, sizeof(double));
}

// Sets the spatial sizes of the result and returns its shape.
Dims result_shape(const Array& input, const Array& weight, const Options& o, ConvShape& s) {
    Dims shape{input.size(0), o.transposed ? weight.size(1) * o.groups : weight.size(0)};
    for (int i = 0; i < input.ndim() - 2; ++i) {
        const std::size_t axis = std::size_t(i + 5 - input.ndim());
        check(s.kernel[axis] > 0, "kernel size should be greater than zero, but got weight of ",
              "size ", weight.shape());
        const Index kernel = checked_size(s.kernel[axis] - 1, s.dilation[axis], 1);
        if (o.transposed) {
            check(o.output_padding[i] < std::max(o.stride[i], o.dilation[i]),
                  "output padding must be smaller than either stride or dilation, but got "
                  "output_padding=", o.output_padding, ", stride=", o.stride, ", dilation=",
                  o.dilation);
            const Index margin = checked_size(s.padding[axis], -2, o.output_padding[i]);
            s.big[axis] = checked_size(s.small[axis] - 1, s.stride[axis],
                                       checked_size(kernel, 1, margin));
            check(s.big[axis] >= 0, "Given input", input.shape(), ", weight of size ",
                  weight.shape(), ", stride=", o.stride, ", padding=", o.padding, ": calculated "
                  "output size per channel at spatial axis ", i, " is ", s.big[axis],
                  ", which is negative. Output size is too small");
            shape.push_back(s.big[axis]);
        } else {
            const Index padded = checked_size(s.padding[axis], 2, s.big[axis]);
            check(padded >= kernel, "Calculated padded input size per channel: ", padded,
                  " at spatial axis ", i, ". Kernel size: ", kernel, " with its dilation. Kernel "
                  "size can't be greater than actual input size (input ", input.shape(),
                  ", weight ", weight.shape(), ", padding=", o.padding, ")");
            s.small[axis] = (padded - kernel) / s.stride[axis] + 1;
            shape.push_back(s.small[axis]);
        }
    }
    return shape;
}

// ---- complex numbers as their parts

Array part_of(const Array& x, Index which) {
    Dims strides = x.strides();
    for (Index& stride : strides) stride *= 2;
    return contiguous(
        x.reinterpret(2 * x.offset() + which, x.shape(), strides, real_of(x.dtype())));
}

// re + i im
Array complex_of_parts(const Array& re, const Array& im, DType dtype) {
    const Array result = Array::empty(re.shape(), dtype);
    dispatch_real("convolution", real_of(dtype), [&]<class T>() {
        const T *a = re.data<T>(), *b = im.data<T>();
        T* to = result.data<T>();
        for (Index i = 0; i < re.numel(); ++i) {
            to[2 * i] = a[i];
            to[2 * i + 1] = b[i];
        }
    });
    return result;
}

// y = y + factor * x, in place.
void add_to(const Array& y, const Array& x, double factor) {
    dispatch_real("convolution", y.dtype(), [&]<class T>() {
        const T* from = x.data<T>();
        T* to = y.data<T>();
        for (Index i = 0; i < y.numel(); ++i) to[i] += T(factor) * from[i];
    });
}

// product(a, b, part) is bilinear in real arrays; part: 0 for the real part, 1 for the imaginary.
template <class Product>
Array complex_product(const Array& a, const Array& b, Product&& product) {
    const Array a_re = part_of(a, 0), a_im = part_of(a, 1);
    const Array b_re = part_of(b, 0), b_im = part_of(b, 1);
    const Array re = product(a_re, b_re, 0), im = product(a_re, b_im, 1);
    add_to(re, product(a_im, b_im, 2), -1);
    add_to(im, product(a_im, b_re, 2), 1);
    return complex_of_parts(re, im, a.dtype());
}

// ---- entry points

template <class T>
Array run_convolution(const Array& input, const Array& weight, const OptionalArray& bias,
                      const ConvShape& shape, bool transposed, const Dims& result_shape,
                      DType dtype) {
    const Array x = contiguous(input), w = contiguous(weight);
    const Array b = bias ? contiguous(*bias) : Array();
    const Array result = Array::empty(result_shape, dtype);
    const auto memory = [](const Array& array) { return reinterpret_cast<T*>(array.bytes()); };
    convolve<T>(shape, transposed, memory(x), memory(w), b ? memory(b) : nullptr, memory(result));
    return result;
}

Array convolution(const Array& input, const Array& weight, const OptionalArray& bias,
                  const Dims& stride, const Dims& padding, const Dims& dilation, bool transposed,
                  const Dims& output_padding, Index groups) {
    const Options o = checked_options(input, weight, {stride, padding, dilation, output_padding,
                                                      transposed, groups});
    check_channels(input, weight, bias, o);
    ConvShape shape = shape_of(input, weight, o);
    const Dims result = result_shape(input, weight, o, shape);
    check_dtypes(input, weight, bias);
    const DType dtype = input.dtype();
    const bool integral = is_integral(dtype);
    check_as(ErrorKind::NotImplemented, dtype != DType::Bool && (!integral || !transposed ||
             dtype == DType::I64), transposed ? "conv_transpose" : "conv", ": not implemented for ",
             name_of(dtype), "; convert the input and the weight");
    if (input.is_meta()) return Array::meta(result, dtype);
    if (checked_numel(result, size_of(dtype)) == 0) return Array::empty(result, dtype);
    settle(shape);
    const auto again = [&](const Array& x, const Array& w, const OptionalArray& b) {
        return convolution(x, w, b, stride, padding, dilation, transposed, output_padding, groups);
    };
    if (is_complex(dtype)) {
        return complex_product(input, weight, [&](const Array& x, const Array& w, int part) {
            const bool biased = bias && part < 2;
            return again(x, w, biased ? OptionalArray(part_of(*bias, part)) : std::nullopt);
        });
    }
    const DType compute = is_half(dtype) ? DType::F32 : integral ? DType::I64 : dtype;
    if (compute != dtype) {
        return cast(again(cast(input, compute), cast(weight, compute),
                          bias ? OptionalArray(cast(*bias, compute)) : std::nullopt),
                    dtype);
    }
    if (dtype == DType::F32) {
        return run_convolution<float>(input, weight, bias, shape, transposed, result, dtype);
    }
    if (dtype == DType::F64) {
        return run_convolution<double>(input, weight, bias, shape, transposed, result, dtype);
    }
    return run_convolution<std::uint64_t>(input, weight, bias, shape, transposed, result, dtype);
}

// The gradient of the weight, in its shape, and if `wanted` that of the bias. `grad` is the
// gradient of the result, `input` the input.
std::pair<Array, Array> convolution_weight(const Array& grad, const Array& input,
                                           const Dims& weight_shape, const Dims& stride,
                                           const Dims& padding, const Dims& dilation,
                                           bool transposed, Index groups, bool bias) {
    const DType dtype = input.dtype();
    check_as(ErrorKind::NotImplemented, is_floating(dtype) || is_complex(dtype),
             "convolution: no gradient for ", name_of(dtype));
    check(grad.dtype() == dtype, "convolution: the gradient has dtype ", name_of(grad.dtype()),
          ", the input ", name_of(dtype));
    const auto again = [&](const Array& g, const Array& x, bool sums) {
        return convolution_weight(g, x, weight_shape, stride, padding, dilation, transposed, groups,
                                  sums);
    };
    if (is_complex(dtype)) {
        const Array dw = complex_product(grad, input, [&](const Array& g, const Array& x, int) {
            return again(g, x, false).first;
        });
        if (!bias) return {dw, Array()};
        const Array re = again(part_of(grad, 0), part_of(input, 0), true).second;
        const Array im = again(part_of(grad, 1), part_of(input, 0), true).second;
        return {dw, complex_of_parts(re, im, dtype)};
    }
    if (is_half(dtype)) {
        const auto [dw, db] = again(cast(grad, DType::F32), cast(input, DType::F32), bias);
        return {cast(dw, dtype), db ? cast(db, dtype) : db};
    }
    const Array weight = Array::zeros(weight_shape, dtype);
    const Options o = checked_options(input, weight, {stride, padding, dilation, {0}, transposed,
                                                      groups});
    check_channels(input, weight, std::nullopt, o);
    ConvShape shape = shape_of(input, weight, o);
    const int axes = input.ndim() - 2;
    check(grad.ndim() == input.ndim() && grad.size(0) == input.size(0) &&
              grad.size(1) == (transposed ? weight.size(1) * groups : weight.size(0)),
          "convolution: a gradient of shape ", grad.shape(), " does not fit input ",
          input.shape(), " and weight ", weight_shape);
    for (int i = 0; i < axes; ++i) {
        const std::size_t axis = std::size_t(3 - axes + i);
        (transposed ? shape.big : shape.small)[axis] = grad.size(i + 2);
        const Index kernel = checked_size(shape.kernel[axis] - 1, shape.dilation[axis], 1);
        const Index reach = checked_size(shape.small[axis] - 1, shape.stride[axis], kernel);
        check(reach <= checked_size(shape.padding[axis], 2, shape.big[axis]),
              "convolution: a gradient of shape ", grad.shape(), " does not fit input ",
              input.shape(), " and weight ", weight_shape);
    }
    const Array& small = transposed ? input : grad;
    const Array sums = bias ? Array::zeros({small.size(1)}, dtype) : Array();
    if (weight.nothing_to_compute() || grad.numel() == 0 || input.numel() == 0)
        return {weight, sums};
    settle(shape);
    dispatch_real("convolution", dtype, [&]<class T>() {
        const Array b = contiguous(transposed ? grad : input), s = contiguous(small);
        convolve_weight<T>(shape, b.data<T>(), s.data<T>(), weight.data<T>(),
                           bias ? sums.data<T>() : nullptr);
    });
    return {weight, sums};
}

}  // namespace

void bind_conv(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("convolution", &convolution, "input"_a, "weight"_a, "bias"_a.none(), "stride"_a,
          "padding"_a, "dilation"_a, "transposed"_a, "output_padding"_a, "groups"_a);
    m.def("convolution_weight", &convolution_weight, "grad"_a, "input"_a, "weight_shape"_a,
          "stride"_a, "padding"_a, "dilation"_a, "transposed"_a, "groups"_a, "bias"_a);
}

}  // namespace rushlight
