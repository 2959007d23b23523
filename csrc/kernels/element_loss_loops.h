// The inner loops of losses that compare input and target element by element. Compiled once per
// instruction set (element_loss.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// d = input - target; `width` is where the parabolas end.
enum class ElementLoss : std::uint8_t {
    Squared,      // d^2
    Absolute,     // |d|
    SmoothL1,     // d^2 / (2 width) inside, |d| - width / 2 outside
    Huber,        // d^2 / 2 inside, width (|d| - width / 2) outside
    LogitsCross,  // binary cross-entropy of sigmoid(input)
};
inline constexpr int kElementLosses = 5;

template <class T>
struct ElementLossLoops {
    // out[i] = loss(input[i], target[i])
    void (*forward[kElementLosses])(const T* input, const T* target, T width, std::int64_t n,
                                    T* out);
    // the sum of the losses
    double (*total[kElementLosses])(const T* input, const T* target, T width, std::int64_t n);
    // out[i] = the derivative by the input, times scale, and times grad[i] if given
    void (*backward[kElementLosses])(const T* input, const T* target, T width, const T* grad,
                                     T scale, std::int64_t n, T* out);
};

struct ElementLossTable {
    ElementLossLoops<float> of_float;
    ElementLossLoops<double> of_double;

    template <class T>
    const ElementLossLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(ElementLossTable, element_loss_table)

}  // namespace rushlight
