// Convolutions whose kernel is as large as the image, forwards and back: the single position sees
// all of the image, so the image of an item is a row of a matrix. Heads of CNNs and the first layer
// of image generators are such.
#include "kernels/conv.h"
#include "kernels/gemm.h"

namespace rushlight {
namespace {

template <class T>
constexpr DType kDType = std::is_same_v<T, float>    ? DType::F32
                         : std::is_same_v<T, double> ? DType::F64
                                                     : DType::I64;

bool sees_all(const ConvShape& s) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const bool dense = s.dilation[axis] == 1 || s.kernel[axis] == 1;
        if (s.small[axis] != 1 || s.padding[axis] != 0 || s.kernel[axis] != s.big[axis] || !dense) {
            return false;
        }
    }
    return s.groups == 1;
}

template <class T>
MatrixView view(const T* data, Index row, Index col) {
    return {reinterpret_cast<const std::byte*>(data), row, col};
}

template <class T>
Product product_of(Index m, Index n, Index k, MatrixView a, MatrixView b, T* c) {
    Product p;
    p.dtype = kDType<T>;
    p.m = m, p.n = n, p.k = k;
    p.a = a, p.b = b;
    p.c = reinterpret_cast<std::byte*>(c);
    return p;
}

}  // namespace

template <class T>
bool convolve_whole(const ConvShape& s, bool transposed, const T* x, const T* w, const T* bias,
                    T* y) {
    if (!sees_all(s)) return false;
    const Index few = s.small_channels, size = volume(s.big), many = s.big_channels * size;
    if (!transposed) {
        Product p = product_of(s.items, few, many, view(x, many, 1), view(w, 1, many), y);
        if (bias) p.start = view(bias, 0, 1);
        run_product(p);
        return true;
    }
    Product p = product_of(s.items, many, few, view(x, few, 1), view(w, many, 1), y);
    Array start;
    if (bias) {
        start = Array::empty({many}, kDType<T>);
        T* to = reinterpret_cast<T*>(start.bytes());
        for (Index i = 0; i < many; ++i) to[i] = bias[i / size];
        p.start = view(to, 0, 1);
    }
    run_product(p);
    return true;
}

template <class T>
bool convolve_whole_weight(const ConvShape& s, const T* big, const T* small, T* dw, T* sums) {
    if (!sees_all(s)) return false;
    const Index few = s.small_channels, many = s.big_channels * volume(s.big);
    const Product p =
        product_of(few, many, s.items, view(small, 1, few), view(big, many, 1), dw);
    const ColumnSums side{kDType<T>, s.items, few, reinterpret_cast<const std::byte*>(small), few,
                          reinterpret_cast<std::byte*>(sums)};
    run_together(std::span(&p, 1), sums ? &side : nullptr);
    return true;
}

template bool convolve_whole(const ConvShape&, bool, const float*, const float*, const float*,
                             float*);
template bool convolve_whole(const ConvShape&, bool, const double*, const double*, const double*,
                             double*);
template bool convolve_whole(const ConvShape&, bool, const std::uint64_t*, const std::uint64_t*,
                             const std::uint64_t*, std::uint64_t*);
template bool convolve_whole_weight(const ConvShape&, const float*, const float*, float*, float*);
template bool convolve_whole_weight(const ConvShape&, const double*, const double*, double*,
                                    double*);

}  // namespace rushlight
