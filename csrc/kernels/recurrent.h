// A recurrent layer over whole sequences, forward (recurrent.cpp) and backward
// (recurrent_backward.cpp): what both of them stand on.
//
// All steps' products with the input, and those that the weights' gradients are, have no order and
// run as single large products. What remains for each step is the product of the state with the
// recurrent weight, and the gates. Sequences do not depend on each other: a task takes some of them
// from the first step to the last, so no thread waits for another at a step.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "array/array.h"
#include "runtime/function_view.h"
#include "kernels/recurrent_gates.h"
#include "kernels/recurrent_product.h"

namespace rushlight {

// A matrix in memory, strides in elements.
template <class T>
struct Strided {
    const T* data;
    Index row, col;
};

// What a product starts from: rows `row` apart, which may be 0; null for zeros.
template <class T>
struct Start {
    const T* data = nullptr;
    Index row = 0;
};

// C (m, n) = start + A (m, k) B (k, n), over the thread pool; C has contiguous rows `c_row` apart.
template <class T>
void large_product(Index m, Index n, Index k, Strided<T> a, Strided<T> b, Start<T> start, T* c,
                   Index c_row);

// A matrix B (k, n) that many small products share.
template <class T>
class PackedMatrix {
public:
    PackedMatrix() = default;
    PackedMatrix(Index k, Index n, Strided<T> b);

    // C (m, n) = start + A B, on this thread.
    void multiply(Index m, const T* a, Index a_row, Start<T> start, T* c, Index c_row) const;
    void multiply_columns(Index begin, Index end, Index m, Strided<T> a, Start<T> start, T* c,
                          Index c_row) const;

private:
    Array memory_;
    Index k_ = 0, n_ = 0;
    const T* panels_ = nullptr;
};

enum class RecurrentMode : int { Tanh, Relu, Lstm, Gru };

inline Index gates_of(RecurrentMode mode) {
    return mode == RecurrentMode::Lstm ? 4 : mode == RecurrentMode::Gru ? 3 : 1;
}

// The parameters of one direction; empty where there are none.
struct RecurrentWeights {
    Array input;       // (gates * hidden, features)
    Array state;       // (gates * hidden, state)
    Array input_bias;  // (gates * hidden)
    Array state_bias;
    Array projection;  // (state, hidden)
};

// The sizes of a layer, and where the rows of each step are.
struct RecurrentSizes {
    RecurrentMode mode;
    Index steps, batch, rows;  // rows: of all steps together
    Index features, hidden, state, directions;
    // Step t has active[t] rows from first[t] on; active does not grow.
    std::vector<Index> first, active;

    Index gates() const { return gates_of(mode); }
    Index width() const { return gates() * hidden; }  // of a row of gates
    bool projected = false;

    // The step that a direction does as its s-th one.
    Index step_of(Index direction, Index s) const { return direction == 0 ? s : steps - 1 - s; }
};

// Checks everything about shapes and dtypes.
RecurrentSizes recurrent_sizes(RecurrentMode mode, const Array& input, const Array& hx,
                               const Array& cx, const std::vector<RecurrentWeights>& weights,
                               const std::optional<std::vector<Index>>& batch_sizes);

// Calls f(direction, first sequence, sequences) for all of the batch in all directions.
// `operations`: of all of it, to weigh the tasks.
void for_sequences(const RecurrentSizes& sizes, double operations,
                   FunctionView<void(Index, Index, Index)> f);

// A dense array of the computing type; null for an empty one.
template <class T>
struct DenseOf {
    Array array;
    T* data = nullptr;

    DenseOf() = default;
    explicit DenseOf(const Array& x) {
        if (!x) return;
        array = contiguous(cast(x, dtype_of<T>));
        data = array.template data<T>();
    }
};

inline DType computing_dtype(DType dtype) { return is_half(dtype) ? DType::F32 : dtype; }

// The gradients of input, hx, cx and of each direction's five weights, in this order; empty where
// `needs` says that nobody wants them.
std::vector<Array> recurrent_backward(const std::vector<Array>& grads, const Array& input,
                                      const std::vector<RecurrentWeights>& weights,
                                      const RecurrentSizes& sizes, const Array& gates,
                                      const Array& extra, const Array& previous,
                                      const std::vector<bool>& needs);

}  // namespace rushlight
