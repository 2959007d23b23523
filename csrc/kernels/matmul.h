// Matrix products with PyTorch's shapes and broadcasting: any strides, any dtype but bool.
#pragma once

#include <array>
#include <optional>
#include <tuple>

#include <nanobind/nanobind.h>

#include "array/array.h"

namespace rushlight {

// a @ b for 1-D, 2-D and batched operands, whose batches broadcast.
Array matmul(const Array& a, const Array& b);

// The same with fixed ranks.
Array mm(const Array& a, const Array& b);   // (m, k), (k, n) -> (m, n)
Array bmm(const Array& a, const Array& b);  // (batch, m, k), (batch, k, n) -> (batch, m, n)
Array mv(const Array& a, const Array& v);   // (m, k), (k) -> (m)
Array dot(const Array& a, const Array& b);  // (k), (k) -> ()

// beta * bias + alpha * (a @ b); with beta == 0 the bias is not read. `bias` broadcasts.
Array addmm(const Array& bias, const Array& a, const Array& b, const Scalar& beta,
            const Scalar& alpha);
Array addmv(const Array& bias, const Array& a, const Array& v, const Scalar& beta,
            const Scalar& alpha);
Array baddbmm(const Array& bias, const Array& a, const Array& b, const Scalar& beta,
              const Scalar& alpha);

// x (..., in) @ weight (out, in).T + bias (out) -> (..., out); a weight (in) gives (...).
Array linear(const Array& x, const Array& weight, const std::optional<Array>& bias);

// The gradients of linear() for x, weight and bias, where wanted (else empty arrays):
// grad @ weight, grad.T @ x, and the sums of grad over its rows. `grad` is (..., out).
std::tuple<Array, Array, Array> linear_backward(const Array& grad, const Array& x,
                                                const Array& weight, std::array<bool, 3> needs);

void bind_matmul(nanobind::module_& m);

}  // namespace rushlight
