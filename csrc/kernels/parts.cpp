// Parts of arrays as views, the diagonal and the two numbers of a complex one; and complex numbers
// made of such parts.
#include "bind/casters.h"
#include "kernels/axis_walk.h"

namespace rushlight {

namespace {

Array diagonal(const Array& x, Index offset, Index dim1, Index dim2) {
    const int row = normalize_axis("diagonal", dim1, x.ndim());
    const int column = normalize_axis("diagonal", dim2, x.ndim());
    check(row != column, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
    const Index below = std::max<Index>(-offset, 0), right = std::max<Index>(offset, 0);
    const Index length =
        std::max<Index>(0, std::min(x.size(row) - below, x.size(column) - right));
    Dims shape, strides;
    for (int d = 0; d < x.ndim(); ++d)
        if (d != row && d != column) {
            shape.push_back(x.size(d));
            strides.push_back(x.stride(d));
        }
    shape.push_back(length);
    strides.push_back(x.stride(row) + x.stride(column));
    const Index first = length ? below * x.stride(row) + right * x.stride(column) : 0;
    return x.reinterpret(x.offset() + first, shape, strides, x.dtype());
}

bool is_part(DType dtype) { return dtype == DType::F32 || dtype == DType::F64; }

Array view_as_real(const Array& x) {
    check(is_complex(x.dtype()), "view_as_real is only supported for complex tensors, not ",
          name_of(x.dtype()));
    Dims shape = x.shape(), strides = x.strides();
    for (Index& stride : strides) stride *= 2;
    shape.push_back(2);
    strides.push_back(1);
    return x.reinterpret(2 * x.offset(), shape, strides, real_of(x.dtype()));
}

Array view_as_complex(const Array& x) {
    check(is_part(x.dtype()), "view_as_complex is only supported for floating point tensors, but "
          "got a tensor of scalar type: ", name_of(x.dtype()));
    check(x.ndim() > 0, "Input tensor must have one or more dimensions");
    check(x.shape().back() == 2, "Tensor must have a last dimension of size 2, got shape ",
          x.shape());
    check(x.strides().back() == 1, "Tensor must have a last dimension with stride 1, got ",
          x.strides().back(), "; use contiguous()");
    Dims shape = x.shape(), strides = x.strides();
    shape.resize(x.ndim() - 1);
    strides.resize(x.ndim() - 1);
    bool even = x.offset() % 2 == 0;
    for (Index& stride : strides) {
        even &= stride % 2 == 0;
        stride /= 2;
    }
    check(even, "Tensor must have a storage_offset and strides divisible by 2 to be viewed as "
          "complex; use contiguous()");
    return x.reinterpret(x.offset() / 2, shape, strides, complex_of(x.dtype()));
}

// to[2 i] = real[i], to[2 i + 1] = imag[i]
template <class T>
void interleave(T* __restrict to, const T* __restrict real, const T* __restrict imag, Index n) {
    constexpr Index kBlock = 64;  // a loop of known length becomes vectors
    Index i = 0;
    for (; i + kBlock <= n; i += kBlock)
        for (Index k = i; k < i + kBlock; ++k) {
            to[2 * k] = real[k];
            to[2 * k + 1] = imag[k];
        }
    for (; i < n; ++i) {
        to[2 * i] = real[i];
        to[2 * i + 1] = imag[i];
    }
}

Array make_complex(const Array& real, const Array& imag) {
    check(is_part(real.dtype()), "Expected both inputs to be Float or Double tensors but got ",
          name_of(real.dtype()), " and ", name_of(imag.dtype()));
    check(real.dtype() == imag.dtype(), "Expected object of scalar type ", name_of(real.dtype()),
          " but got scalar type ", name_of(imag.dtype()), " for second argument");
    const Dims shape = broadcast_shapes("complex", real.shape(), imag.shape());
    const Array a = contiguous(real.expand(shape)), b = contiguous(imag.expand(shape));
    const Array result = Array::empty(shape, complex_of(real.dtype()));
    if (result.is_meta()) return result;
    dispatch_real("complex", real.dtype(), [&]<class T>() {
        T* to = result.data<T>();
        const T* first = a.data<T>();
        const T* second = b.data<T>();
        for_ranges(a.numel(), 16384, 2e-10 * sizeof(T), [&](Index begin, Index end) {
            interleave(to + 2 * begin, first + begin, second + begin, end - begin);
        });
    });
    return result;
}

}  // namespace

void bind_parts(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("diagonal", &diagonal, "input"_a, "offset"_a = 0, "dim1"_a = 0, "dim2"_a = 1);
    m.def("view_as_real", &view_as_real, "input"_a);
    m.def("view_as_complex", &view_as_complex, "input"_a);
    m.def("complex", &make_complex, "real"_a, "imag"_a);
}

}  // namespace rushlight
