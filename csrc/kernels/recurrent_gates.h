// The pointwise half of a recurrent step, forward and backward, on blocks of adjacent rows.
// Compiled per instruction set (recurrent_gates.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// Rows of `hidden` numbers each, one after the other; rows of `gates` hold the blocks of all gates,
// in the order of PyTorch's weights: i f g o of an LSTM, r z n of a GRU.
//
// Forward, `gates` comes with the sums of both products and leaves with the gates themselves.
template <class T>
struct GateRows {
    std::int64_t rows, hidden;
    T* gates;
    T* candidate;  // GRU: what the state adds to n before it is reset
    T* cell;       // LSTM: the cell, old and then new
    T* state;      // the new state; of a GRU, the old one too
};

template <class T>
struct GateGradients {
    std::int64_t rows, hidden;
    const T* gates;
    const T* candidate;
    const T* cell;         // LSTM: before the step
    const T* state;        // GRU: before the step
    T* dstate;             // of the new state; a GRU leaves what goes straight to the old one
    T* dcell;              // LSTM: of the new cell, then of the old one
    T* dgates;             // of the sums, as the product with the input sees them
    T* dgates_state;       // GRU: and as the product with the state does
    T* unprojected;        // LSTM: if given, the state before its projection, once more
};

template <class T>
struct GateLoops {
    void (*tanh)(const GateRows<T>&);
    void (*relu)(const GateRows<T>&);
    void (*lstm)(const GateRows<T>&);
    void (*gru)(const GateRows<T>&);
    void (*tanh_backward)(const GateGradients<T>&);
    void (*relu_backward)(const GateGradients<T>&);
    void (*lstm_backward)(const GateGradients<T>&);
    void (*gru_backward)(const GateGradients<T>&);
    // y += x, for rows of x `x_row` apart and rows of y one after the other
    void (*add)(std::int64_t rows, std::int64_t cols, const T* x, std::int64_t x_row, T* y);
};

struct GateTable {
    GateLoops<float> of_float;
    GateLoops<double> of_double;

    template <class T>
    const GateLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(GateTable, gate_table)

}  // namespace rushlight
