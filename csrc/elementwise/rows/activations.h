// Activations whose composition would cost small tensors several passes, what their backward
// passes make of a gradient, and replacements.
#pragma once

#include "elementwise/rows/arithmetic.h"

namespace rushlight {
namespace {
namespace rows {

template <class T>
inline constexpr T kSqrtHalf = T(0.70710678118654752440);
template <class T>
inline constexpr T kInvSqrt2Pi = T(0.39894228040143267794);

struct Silu {
    static constexpr RowInfo info{"silu", 1, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a) { return a * math::sigmoid(a); }
};
struct Glu {
    static constexpr RowInfo info{"glu", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T gate) { return a * math::sigmoid(gate); }
};
struct Gelu {
    static constexpr RowInfo info{"gelu", 1, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a) { return T(0.5) * a * (T(1) + math::erf(a * kSqrtHalf<T>)); }
};
struct GeluTanh {
    static constexpr RowInfo info{"gelu_tanh", 1, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a) {
        const T inner = T(2) * kInvSqrt2Pi<T> * (a + T(0.044715) * a * a * a);
        return T(0.5) * a * (T(1) + math::tanh(inner));
    }
};

// From 0 for -3 to 6 for 3; nan stays.
template <class T>
T ramp(T a) {
    const T shifted = a + T(3), above = !(shifted <= 0) ? shifted : T(0);
    return !(above >= 6) ? above : T(6);
}
struct Hardsigmoid {
    static constexpr RowInfo info{"hardsigmoid", 1, Rule::Float, kFloats};
    template <class T>
    static T call(T a) { return ramp(a) / T(6); }
};
struct Hardswish {
    static constexpr RowInfo info{"hardswish", 1, Rule::Float, kFloats};
    template <class T>
    static T call(T a) { return a * ramp(a) / T(6); }
};
struct Threshold {
    static constexpr RowInfo info{"threshold", 3, Rule::Promote, kReal, false, 1};
    template <class T>
    static T call(T a, T level, T value) { return a <= level ? value : a; }
};
struct LeakyRelu {
    static constexpr RowInfo info{"leaky_relu", 2, Rule::Float, kFloats, false, 1};
    template <class T>
    static T call(T a, T slope) { return a > T(0) ? a : a * slope; }
};
struct Hardshrink {
    static constexpr RowInfo info{"hardshrink", 2, Rule::Float, kFloats, false, 1};
    template <class T>
    static T call(T a, T size) { return (a >= -size) & (a <= size) ? T(0) : a; }
};
struct Softshrink {
    static constexpr RowInfo info{"softshrink", 2, Rule::Float, kFloats, false, 1};
    template <class T>
    static T call(T a, T size) { return a > size ? a - size : a < -size ? a + size : a * T(0); }
};
struct Softplus {
    static constexpr RowInfo info{"softplus", 3, Rule::Float, kFloats, true, 1};
    template <class T>
    static T call(T a, T beta, T threshold) {
        const T scaled = a * beta;
        return scaled > threshold ? a : math::log1p(math::exp(scaled)) / beta;
    }
};
struct Elu {  // the factors of what is above 0 and of what is below, and the one inside of that
    static constexpr RowInfo info{"elu", 4, Rule::Float, kFloats, true, 1};
    template <class T>
    static T call(T a, T above, T below, T inside) {
        return a > T(0) ? a * above : math::expm1(a * inside) * below;
    }
};
struct BinaryCrossEntropy {  // of a probability and its target; logarithms from -100 on
    static constexpr RowInfo info{"binary_cross_entropy", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T target) {
        const T hit = at_least(math::log(a)), miss = at_least(math::log1p(-a));
        return (target - T(1)) * miss - target * hit;
    }
    // Keeps nan with one comparison: with those of Maximum the loop would not vectorise.
    template <class T>
    static T at_least(T logarithm) {
        return !(logarithm <= T(-100)) ? logarithm : T(-100);
    }
};
struct ReplaceNonfinite {
    static constexpr RowInfo info{"replace_nonfinite", 4, Rule::Float, kFloats, false, 1};
    template <class T>
    static T call(T a, T nan, T infinity, T negative) {
        constexpr T kInfinity = std::numeric_limits<T>::infinity();
        const T below = a == kInfinity ? infinity : a;
        const T number = a == -kInfinity ? negative : below;
        return a != a ? nan : number;
    }
};

// Products that backward passes make of a gradient (a) and a value (b).
struct SigmoidGrad {
    static constexpr RowInfo info{"sigmoid_grad", 2, Rule::Float, kFloats | kZ};
    template <class T>
    static T call(T a, T b) {
        if constexpr (std::is_floating_point_v<T>) return a * (T(1) - b) * b;
        else return Mul::call(a, std::conj(Mul::call(T(1) - b, b)));
    }
};
struct TanhGrad {
    static constexpr RowInfo info{"tanh_grad", 2, Rule::Float, kFloats | kZ};
    template <class T>
    static T call(T a, T b) {
        if constexpr (std::is_floating_point_v<T>) return a * (T(1) - b * b);
        else return Mul::call(a, std::conj(T(1) - Mul::call(b, b)));
    }
};
struct ReluGrad {
    static constexpr RowInfo info{"relu_grad", 2, Rule::Promote, kReal};
    template <class T>
    static T call(T a, T b) { return b <= T(0) ? T(0) : a; }
};
struct SiluGrad {
    static constexpr RowInfo info{"silu_grad", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T b) {
        const T s = math::sigmoid(b);
        return a * s * (T(1) + b * (T(1) - s));
    }
};
struct GeluGrad {
    static constexpr RowInfo info{"gelu_grad", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T b) {
        const T cdf = T(0.5) * (T(1) + math::erf(b * kSqrtHalf<T>));
        return a * (cdf + b * kInvSqrt2Pi<T> * math::exp(T(-0.5) * b * b));
    }
};
struct GeluTanhGrad {
    static constexpr RowInfo info{"gelu_tanh_grad", 2, Rule::Float, kFloats, true};
    template <class T>
    static T call(T a, T b) {
        const T beta = T(2) * kInvSqrt2Pi<T>;
        const T t = math::tanh(beta * (b + T(0.044715) * b * b * b));
        const T slope = beta * (T(1) + T(3 * 0.044715) * b * b);
        return a * (T(0.5) * (T(1) + t) + T(0.5) * b * (T(1) - t * t) * slope);
    }
};

struct HardsigmoidGrad {
    static constexpr RowInfo info{"hardsigmoid_grad", 2, Rule::Float, kFloats};
    template <class T>
    static T call(T a, T b) { return (b > T(-3)) & (b < T(3)) ? a / T(6) : T(0); }
};
struct HardswishGrad {
    static constexpr RowInfo info{"hardswish_grad", 2, Rule::Float, kFloats};
    template <class T>
    static T call(T a, T b) {
        const T inside = a * (b / T(3) + T(0.5));
        return b <= T(-3) ? T(0) : b < T(3) ? inside : a;
    }
};
struct LeakyReluGrad {
    static constexpr RowInfo info{"leaky_relu_grad", 3, Rule::Float, kFloats, false, 2};
    template <class T>
    static T call(T a, T b, T slope) { return b > T(0) ? a : a * slope; }
};
struct ShrinkGrad {
    static constexpr RowInfo info{"shrink_grad", 3, Rule::Float, kFloats, false, 2};
    template <class T>
    static T call(T a, T b, T size) { return (b >= -size) & (b <= size) ? T(0) : a; }
};
struct HardtanhGrad {
    static constexpr RowInfo info{"hardtanh_grad", 4, Rule::Float, kFloats, false, 2};
    template <class T>
    static T call(T a, T b, T low, T high) { return (b <= low) | (b >= high) ? T(0) : a; }
};

}  // namespace rows
}  // namespace
}  // namespace rushlight
