// The table of pointwise operations, one row each (rows/*.h): its name, its dtype rule, the
// registers it runs on and its arithmetic for one element. Everything else (numbers, loops per type
// and instruction set, bindings) is made from these rows.
#pragma once

#include <tuple>

#include "elementwise/rows/activations.h"
#include "elementwise/rows/arithmetic.h"
#include "elementwise/rows/functions.h"
#include "elementwise/rows/logic.h"

namespace rushlight {
namespace {

// The order gives each row its number; it is the same in every build.
using Rows = std::tuple<
    rows::Add, rows::Sub, rows::Mul, rows::Div, rows::FloorDivide, rows::TruncDivide,
    rows::Remainder, rows::Fmod, rows::Pow, rows::Atan2, rows::Hypot, rows::Maximum, rows::Minimum,
    rows::Clamp, rows::Fmax, rows::Fmin, rows::Copysign, rows::Nextafter, rows::Logaddexp,
    rows::Xlogy, rows::Heaviside, rows::Gcd, rows::Eq, rows::Ne, rows::Lt, rows::Le, rows::Gt,
    rows::Ge, rows::LogicalAnd, rows::LogicalOr, rows::LogicalXor, rows::LogicalNot,
    rows::BitwiseAnd, rows::BitwiseOr, rows::BitwiseXor, rows::BitwiseNot, rows::LeftShift,
    rows::RightShift, rows::Isnan, rows::Isinf, rows::Isfinite, rows::Signbit, rows::Neg, rows::Abs,
    rows::Sign, rows::Sgn, rows::Square, rows::Reciprocal, rows::Conj, rows::Imag, rows::Angle,
    rows::Relu, rows::Exp, rows::Log, rows::Log10, rows::Sqrt, rows::Sin, rows::Cos, rows::Tan,
    rows::Asin, rows::Acos, rows::Atan, rows::Sinh, rows::Cosh, rows::Tanh, rows::Asinh,
    rows::Acosh, rows::Atanh, rows::Erf, rows::Erfc, rows::Erfinv, rows::Lgamma, rows::Digamma,
    rows::Sinc, rows::I0, rows::I0e, rows::I1, rows::I1e, rows::Ndtri, rows::Exp2, rows::Expm1,
    rows::Log2, rows::Log1p, rows::Rsqrt, rows::Sigmoid, rows::Floor, rows::Ceil, rows::Trunc,
    rows::Round, rows::Silu, rows::Glu, rows::Gelu, rows::GeluTanh, rows::Hardsigmoid,
    rows::Hardswish, rows::Threshold, rows::LeakyRelu, rows::Hardshrink, rows::Softshrink,
    rows::Softplus, rows::Elu, rows::BinaryCrossEntropy, rows::ReplaceNonfinite, rows::SigmoidGrad,
    rows::TanhGrad, rows::ReluGrad, rows::SiluGrad, rows::GeluGrad, rows::GeluTanhGrad,
    rows::HardsigmoidGrad, rows::HardswishGrad, rows::LeakyReluGrad, rows::ShrinkGrad,
    rows::HardtanhGrad, rows::Where, rows::Lerp, rows::Muladd, rows::Addcmul, rows::Addcdiv>;

template <class Row, class Tuple>
struct RowIndex;
template <class Row, class... Rest>
struct RowIndex<Row, std::tuple<Row, Rest...>> : std::integral_constant<int, 0> {};
template <class Row, class First, class... Rest>
struct RowIndex<Row, std::tuple<First, Rest...>>
    : std::integral_constant<int, 1 + RowIndex<Row, std::tuple<Rest...>>::value> {};

}  // namespace

inline constexpr int kRows = int(std::tuple_size_v<Rows>);
template <class Row>
inline constexpr int row_of = RowIndex<Row, Rows>::value;

}  // namespace rushlight
