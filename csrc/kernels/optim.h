// The numbers of each optimizer's step, and the table of the loops that take it on raw memory: one
// parameter, or a stretch of one. The arithmetic, one rule per optimizer, is in optim.isa.cpp, which
// is compiled once per instruction set.
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// Every number of a step is a T, flags too: a step is computed in double and narrowed as a whole.

// What all rules begin with, for parameter p and gradient g:
//   p = keep p;  g = sign g + weight_decay p
template <class T>
struct CommonStep {
    T sign;          // -1 to maximize
    T keep;          // 1 - lr weight_decay, if decoupled; else 1
    T weight_decay;  // the coupled one, or 0
};

template <class T>
struct SgdStep : CommonStep<T> {
    T lr, momentum, fresh, nesterov;  // fresh = 1 - dampening
};

// Here and below, blend is 1 - beta.
template <class T>
struct AdamStep : CommonStep<T> {
    T blend1, beta2, blend2, step_size, root, eps;  // root = 1 / sqrt(1 - beta2^t)
};

template <class T>
struct AdamaxStep : CommonStep<T> {
    T blend1, beta2, step_size, eps;
};

template <class T>
struct NAdamStep : CommonStep<T> {
    T blend1, beta2, blend2, root, eps, from_grad, from_mean;
};

template <class T>
struct RAdamStep : CommonStep<T> {
    T blend1, beta2, blend2, step_size, eps, adaptive;
};

template <class T>
struct AdadeltaStep : CommonStep<T> {
    T lr, rho, fresh, eps;  // fresh = 1 - rho
};

template <class T>
struct AdagradStep : CommonStep<T> {
    T lr, eps;
};

template <class T>
struct RmspropStep : CommonStep<T> {
    T lr, alpha, fresh, eps, momentum, centered;  // fresh = 1 - alpha
};

template <class T>
struct RpropStep : CommonStep<T> {
    T eta_minus, eta_plus, least, most;
};

template <class T>
struct AsgdStep : CommonStep<T> {
    T eta, shrink, mu;  // shrink = 1 - lambd eta
};

inline constexpr int kOptimStates = 3;  // at most, beside parameter and gradient

// Takes the step for n elements of the parameter p with gradient g. `states` are what the rule
// remembers about each element; those that the options do not ask for are null.
template <class Step, class T>
struct OptimLoop {
    void (*run)(const Step& step, std::int64_t n, T* p, const T* g, T* const* states);
};

template <class T, template <class> class... Steps>
struct LoopsOf : OptimLoop<Steps<T>, T>... {};

template <class T>
using OptimLoops = LoopsOf<T, SgdStep, AdamStep, AdamaxStep, NAdamStep, RAdamStep, AdadeltaStep,
                           AdagradStep, RmspropStep, RpropStep, AsgdStep>;

struct OptimTable {
    OptimLoops<float> of_float;
    OptimLoops<double> of_double;

    template <class Step, class T>
    const OptimLoop<Step, T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(OptimTable, optim_table)

}  // namespace rushlight
