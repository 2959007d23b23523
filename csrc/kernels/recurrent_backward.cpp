// The backward pass of recurrent layers: through the steps in reverse, and after that the
// gradients of the input and the weights as products over all steps.
#include <algorithm>
#include <utility>

#include "kernels/recurrent.h"
#include "kernels/gemm_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

template <class T>
auto gate_loop(RecurrentMode mode) {
    const GateLoops<T>& loops = gate_table().get<T>();
    switch (mode) {
        case RecurrentMode::Tanh: return loops.tanh_backward;
        case RecurrentMode::Relu: return loops.relu_backward;
        case RecurrentMode::Lstm: return loops.lstm_backward;
        case RecurrentMode::Gru: break;
    }
    return loops.gru_backward;
}

// The sums of the columns from `begin` on of a matrix with `cols` columns, in the same places.
template <class T>
void add_columns(Index rows, Index begin, Index cols, const T* x, T* sums) {
    constexpr Index kColumnsEach = 128;
    parallel_for((cols - begin + kColumnsEach - 1) / kColumnsEach,
                 double(rows * std::min(cols, kColumnsEach)) * 0.1e-9, [&](Index task) {
        const Index at = begin + task * kColumnsEach;
        const ColumnSumArgs<T> args{rows, std::min(kColumnsEach, cols - at), x + at, cols,
                                    sums + at};
        if constexpr (sizeof(T) == 4) gemm_table().column_sums_f32(args);
        else gemm_table().column_sums_f64(args);
    });
}

// One direction of a layer; rows of all steps lie as in the forward pass.
template <class T>
class Backward {
public:
    struct Memory {
        const T *gates, *extra, *previous;  // kept by the forward pass
        const T* grad_output;               // null: zero
        Index output_row;
        T *dstate, *dcell;           // begin as those of the last states, end as of the first ones
        T *dgates, *dgates_state;    // the same, except for a GRU
        T *dprojected, *unprojected; // with a projection: its gradient and its input
        T* scratch;
    };

    Backward(const RecurrentSizes& sizes, Index direction, const RecurrentWeights& weights,
             Memory memory, bool needs_state)
        : sizes_(sizes),
          direction_(direction),
          memory_(memory),
          needs_state_(needs_state),
          from_state_(weights.state),
          gate_(gate_loop<T>(sizes.mode)) {
        if (sizes.steps > 1) {
            packed_ = PackedMatrix<T>(sizes.width(), sizes.state,
                                      {from_state_.data, sizes.state, 1});
        }
        if (sizes.projected) {
            const DenseOf<T> projection(weights.projection);
            projection_ = PackedMatrix<T>(sizes.state, sizes.hidden,
                                          {projection.data, sizes.hidden, 1});
        }
    }

    void run(Index begin, Index count) const {
        for (Index s = sizes_.steps - 1; s >= 0; --s) {
            const Index step = sizes_.step_of(direction_, s);
            const Index rows = std::clamp(sizes_.active[std::size_t(step)] - begin, Index(0),
                                          count);
            if (rows > 0) run_step(begin, sizes_.first[std::size_t(step)] + begin, rows, s == 0);
        }
    }

    // What a single step leaves to a product over the whole batch.
    void finish() const {
        if (sizes_.steps > 1 || !needs_state_) return;
        const Start<T> start{is_gru() ? memory_.dstate : nullptr, sizes_.state};
        large_product<T>(sizes_.batch, sizes_.state, sizes_.width(),
                         {memory_.dgates_state, sizes_.width(), 1},
                         {from_state_.data, sizes_.state, 1}, start, memory_.dstate, sizes_.state);
    }

private:
    bool is_gru() const { return sizes_.mode == RecurrentMode::Gru; }

    void run_step(Index begin, Index row, Index rows, bool last) const {
        const Index hidden = sizes_.hidden, state_size = sizes_.state, width = sizes_.width();
        const Memory& m = memory_;
        T* dstate = m.dstate + begin * state_size;
        if (m.grad_output) {
            gate_table().get<T>().add(rows, state_size, m.grad_output + row * m.output_row,
                                      m.output_row, dstate);
        }
        T* dfresh = dstate;
        if (sizes_.projected) {
            std::copy_n(dstate, rows * state_size, m.dprojected + row * state_size);
            dfresh = m.scratch + begin * hidden;
            projection_.multiply(rows, dstate, state_size, {}, dfresh, hidden);
        }
        T* dgates_state = m.dgates_state + row * width;
        const T* extra = m.extra ? m.extra + row * hidden : nullptr;
        gate_({rows, hidden, m.gates + row * width, extra, extra, m.previous + row * state_size,
               dfresh, m.dcell ? m.dcell + begin * hidden : nullptr, m.dgates + row * width,
               dgates_state, m.unprojected ? m.unprojected + row * hidden : nullptr});
        if (sizes_.steps == 1 || (last && !needs_state_)) return;
        const Start<T> start{is_gru() ? dstate : nullptr, state_size};
        packed_.multiply(rows, dgates_state, width, start, dstate, state_size);
    }

    const RecurrentSizes& sizes_;
    Index direction_;
    Memory memory_;
    bool needs_state_;
    DenseOf<T> from_state_;
    void (*gate_)(const GateGradients<T>&);
    PackedMatrix<T> packed_, projection_;
};

// The gradient of a weight (n, m) from those of its results and from what it was multiplied with,
// one row for each step of each sequence.
template <class T>
Array weight_gradient(Index rows, Index n, Index m, const T* dresult, const T* factor) {
    const Array gradient = Array::empty({n, m}, dtype_of<T>);
    large_product<T>(n, m, rows, {dresult, 1, n}, {factor, m, 1}, {}, gradient.data<T>(), m);
    return gradient;
}

template <class T>
std::vector<Array> backward(const std::vector<Array>& grads, const Array& input,
                            const std::vector<RecurrentWeights>& weights,
                            const RecurrentSizes& sizes, const Array& gates, const Array& extra,
                            const Array& previous, const std::vector<bool>& needs) {
    const DType dtype = dtype_of<T>;
    const Index directions = sizes.directions, rows = sizes.rows, hidden = sizes.hidden;
    const Index state = sizes.state, width = sizes.width();
    const bool lstm = sizes.mode == RecurrentMode::Lstm, gru = sizes.mode == RecurrentMode::Gru;
    const bool projected = sizes.projected;
    const auto begin_with = [&](const Array& given, const Dims& shape) {
        return given ? clone(cast(given, dtype)) : Array::zeros(shape, dtype);
    };
    const Array dstate = begin_with(grads[1], {directions, sizes.batch, state});
    const Array dcell = lstm ? begin_with(grads[2], {directions, sizes.batch, hidden})
                             : Array::empty({0, 0, 0}, dtype);
    const auto one_each = [&](bool wanted, Index count, Index cols) {
        return Array::empty({wanted ? directions : 0, count, cols}, dtype);
    };
    const Array dgates = one_each(true, rows, width), dgates_state = one_each(gru, rows, width);
    const Array dprojected = one_each(projected, rows, state);
    const Array unprojected = one_each(projected, rows, hidden);
    const Array scratch = one_each(projected, sizes.batch, hidden);
    const DenseOf<T> grad_output(grads[0]);

    const auto at = [](const Array& x, Index direction) -> T* {
        return x.nothing_to_compute() ? nullptr : x.data<T>() + direction * x.size(1) * x.size(2);
    };
    std::vector<Backward<T>> layers;
    for (Index d = 0; d < directions && !dgates.nothing_to_compute(); ++d) {
        T* const state_gates = gru ? at(dgates_state, d) : at(dgates, d);
        layers.emplace_back(
            sizes, d, weights[std::size_t(d)],
            typename Backward<T>::Memory{
                at(gates, d), at(extra, d), at(previous, d),
                grad_output.data ? grad_output.data + d * state : nullptr, directions * state,
                at(dstate, d), at(dcell, d), at(dgates, d), state_gates, at(dprojected, d),
                at(unprojected, d), at(scratch, d)},
            needs[1]);
    }
    if (!layers.empty()) {
        const double operations = double(rows) * double(width) * double(2 * state + 60);
        for_sequences(sizes, operations, [&](Index direction, Index begin, Index count) {
            layers[std::size_t(direction)].run(begin, count);
        });
        for (const Backward<T>& layer : layers) layer.finish();
    }

    std::vector<Array> found(needs.size());
    const DenseOf<T> x(input);
    if (needs[0]) {
        found[0] = Array::empty({rows, sizes.features}, dtype);
        for (Index d = 0; d < directions; ++d) {
            const DenseOf<T> from_input(weights[std::size_t(d)].input);
            T* to = found[0].data<T>();
            large_product<T>(rows, sizes.features, width, {at(dgates, d), width, 1},
                             {from_input.data, sizes.features, 1},
                             {d > 0 ? to : nullptr, sizes.features}, to, sizes.features);
        }
        found[0] = found[0].view(input.shape());
    }
    if (needs[1]) found[1] = dstate;
    if (needs[2] && lstm) found[2] = dcell;
    for (Index d = 0; d < directions; ++d) {
        const std::size_t i = std::size_t(3 + 5 * d);
        const T *of_input = at(dgates, d), *of_state = gru ? at(dgates_state, d) : of_input;
        if (needs[i]) {
            found[i] = weight_gradient<T>(rows, width, sizes.features, of_input, x.data);
        }
        if (needs[i + 1]) {
            found[i + 1] = weight_gradient<T>(rows, width, state, of_state, at(previous, d));
        }
        if (needs[i + 2] || needs[i + 3]) {
            found[i + 2] = Array::empty({width}, dtype);
            add_columns(rows, 0, width, of_input, found[i + 2].data<T>());
        }
        if (needs[i + 3]) {  // only the last block of a GRU's differs
            found[i + 3] = clone(found[i + 2]);
            if (gru) add_columns(rows, 2 * hidden, width, of_state, found[i + 3].data<T>());
        }
        if (!needs[i + 2]) found[i + 2] = Array();
        if (needs[i + 4] && projected) {
            found[i + 4] = weight_gradient<T>(rows, state, hidden, at(dprojected, d),
                                              at(unprojected, d));
        }
    }
    return found;
}

}  // namespace

std::vector<Array> recurrent_backward(const std::vector<Array>& grads, const Array& input,
                                      const std::vector<RecurrentWeights>& weights,
                                      const RecurrentSizes& sizes, const Array& gates,
                                      const Array& extra, const Array& previous,
                                      const std::vector<bool>& needs) {
    std::vector<Array> found =
        dispatch_real("recurrent", computing_dtype(input.dtype()), [&]<class T>() {
            return backward<T>(grads, input, weights, sizes, gates, extra, previous, needs);
        });
    for (Array& gradient : found) {
        if (gradient) gradient = cast(gradient, input.dtype());
    }
    return found;
}

}  // namespace rushlight
