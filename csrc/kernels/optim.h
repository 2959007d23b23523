// The inner loops of the optimizers: one parameter, or a stretch of one, on raw memory. Compiled
// once per instruction set (optim.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// What one SGD step does to every element, with gradient g, parameter p and momentum buffer b:
//   g = sign g + weight_decay p;  b = momentum b + fresh g;  p = p - lr (g, b, or g + momentum b)
template <class T>
struct SgdStep {
    T sign;   // -1 to maximize
    T lr;
    T momentum;
    T fresh;  // 1 - dampening
    T weight_decay;
    bool nesterov;
};

// The same for Adam, with the averages m of g and v of g g; w is v, or its maximum so far:
//   p = keep p;  g = sign g + weight_decay p
//   m = lerp(m, g, blend1);  v = beta2 v + blend2 g g
//   p = p - step_size m / (sqrt(w) / root + eps)
template <class T>
struct AdamStep {
    T sign;       // -1 to maximize
    T keep;       // 1 - lr weight_decay, if decoupled; else 1
    T weight_decay;  // the coupled one, or 0
    T blend1;     // 1 - beta1
    T beta2;
    T blend2;     // 1 - beta2
    T step_size;  // lr / (1 - beta1^t)
    T root;       // sqrt(1 - beta2^t)
    T eps;
};

template <class T>
struct OptimLoops {
    void (*sgd)(const SgdStep<T>& step, std::int64_t n, T* p, const T* g, T* b);  // b may be null
    void (*adam)(const AdamStep<T>& step, std::int64_t n, T* p, const T* g, T* m, T* v,
                 T* w);  // w, the maxima, may be null
};

struct OptimTable {
    OptimLoops<float> of_float;
    OptimLoops<double> of_double;

    template <class T>
    const OptimLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(OptimTable, optim_table)

}  // namespace rushlight
