// The inner loops of ctc_loss: one step of all states of an item. Compiled once per instruction set
// (ctc.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

template <class T>
struct CtcLoops {
    // now[s] = log(e^stay[s] + e^step[s] + e^(skip[s] + allowed[s])) + log_prob[s]; any may be -inf
    void (*advance)(std::int64_t states, const T* stay, const T* step, const T* skip,
                    const T* allowed, const T* log_prob, T* now);
    // The share of the alignments that are in a state: e^(alpha + beta - log_prob + loss), where
    // alpha and beta both count the step itself.
    void (*shares)(std::int64_t states, const T* alpha, const T* beta, const T* log_prob, T loss,
                   T* share);
    // out[c] = (e^log_prob[c] - out[c]) * grad; NaN where the loss or the log_prob is infinite.
    void (*gradient)(std::int64_t classes, const T* log_prob, T loss, T grad, T* out);
};

struct CtcTable {
    CtcLoops<float> of_float;
    CtcLoops<double> of_double;

    template <class T>
    const CtcLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(CtcTable, ctc_table)

}  // namespace rushlight
