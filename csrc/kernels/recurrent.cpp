// The forward pass of recurrent layers: Elman networks, LSTM (Hochreiter and Schmidhuber 1997, with
// the forget gate of Gers et al. 2000 and the projection of Sak et al. 2014), GRU (Cho et al. 2014,
// with the reset after the product).
#include "kernels/recurrent.h"

#include <bit>
#include <utility>

#include "bind/casters.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr double kOperationsPerSecond = 5e10;
// Tasks of fewer sequences read the weights too often for what they do with them.
constexpr Index kSequencesEach = 6;
constexpr Index kWeights = 5;  // of one direction

std::string_view name_of(RecurrentMode mode) {
    switch (mode) {
        case RecurrentMode::Tanh: return "rnn_tanh";
        case RecurrentMode::Relu: return "rnn_relu";
        case RecurrentMode::Lstm: return "lstm";
        case RecurrentMode::Gru: break;
    }
    return "gru";
}

void check_shape(std::string_view what, std::string_view name, const Array& x, const Dims& wanted) {
    check(!x || x.shape() == wanted, what, ": expected ", name, " of shape ", wanted, ", got ",
          x ? x.shape() : Dims());
}

void check_dtype(std::string_view what, std::string_view name, const Array& x, const Array& input) {
    check(!x || x.dtype() == input.dtype(), what, ": expected one dtype for all tensors, but the ",
          "input is ", name_of(input.dtype()), " and ", name, " ",
          x ? name_of(x.dtype()) : std::string_view());
}

void find_steps(std::string_view what, const Array& input,
                const std::optional<std::vector<Index>>& batch_sizes, RecurrentSizes& sizes) {
    const int ndim = batch_sizes ? 2 : 3;
    check(input.ndim() == ndim, what, ": input must have ", ndim, " dimensions, got ",
          input.ndim());
    sizes.features = input.size(ndim - 1);
    if (batch_sizes) {
        sizes.active = *batch_sizes;
    } else {
        sizes.active.assign(std::size_t(input.size(0)), input.size(1));
    }
    sizes.steps = Index(sizes.active.size());
    check(sizes.steps > 0, what, ": expected sequence length to be larger than 0, got an input of "
          "shape ", input.shape());
    sizes.batch = sizes.active[0];
    sizes.rows = 0;
    Index before = sizes.batch;
    for (const Index active : sizes.active) {
        check(active <= before && active >= 0, what, ": batch_sizes must not grow from one step to "
              "the next, got ", active, " after ", before);
        sizes.first.push_back(sizes.rows);
        sizes.rows += active;
        before = active;
    }
    check(!batch_sizes || sizes.rows == input.size(0), what, ": batch_sizes add up to ", sizes.rows,
          ", the input has ", input.size(0), " rows");
}

// The bias of the product with the input: that with the state has the same place, but for the
// candidate of a GRU.
template <class T>
Array joined_bias(const RecurrentSizes& sizes, const RecurrentWeights& weights) {
    if (!weights.input_bias && !weights.state_bias) return Array();
    const DenseOf<T> input(weights.input_bias), state(weights.state_bias);
    const Array joined = Array::zeros({sizes.width()}, dtype_of<T>);
    const Index shared = sizes.mode == RecurrentMode::Gru ? 2 * sizes.hidden : sizes.width();
    const auto& add = gate_table().get<T>().add;
    if (input.data) add(1, sizes.width(), input.data, 0, joined.data<T>());
    if (state.data) add(1, shared, state.data, 0, joined.data<T>());
    return joined;
}

template <class T>
auto gate_loop(RecurrentMode mode) {
    const GateLoops<T>& loops = gate_table().get<T>();
    switch (mode) {
        case RecurrentMode::Tanh: return loops.tanh;
        case RecurrentMode::Relu: return loops.relu;
        case RecurrentMode::Lstm: return loops.lstm;
        case RecurrentMode::Gru: break;
    }
    return loops.gru;
}

// One direction of a layer.
template <class T>
class Forward {
public:
    // What the backward pass needs is kept where `kept_extra` and `kept_previous` point to, if they
    // do. `state` and `cell` hold the first states and come to hold the last ones.
    struct Memory {
        T *gates, *state, *cell, *output, *kept_extra, *kept_previous, *scratch;
        Index output_row;
    };

    Forward(const RecurrentSizes& sizes, Index direction, const Array& input,
            const RecurrentWeights& weights, Memory memory)
        : sizes_(sizes), direction_(direction), memory_(memory), gate_(gate_loop<T>(sizes.mode)) {
        const Index width = sizes.width(), features = sizes.features;
        const DenseOf<T> x(input), from_input(weights.input), from_state(weights.state);
        const DenseOf<T> state_bias(weights.state_bias);
        const Array bias = joined_bias<T>(sizes, weights);
        large_product<T>(sizes.rows, width, features, {x.data, features, 1},
                         {from_input.data, 1, features},
                         {bias ? bias.template data<T>() : nullptr, 0}, memory.gates, width);
        // A GRU's candidate is reset before it joins the others.
        joining_ = is_gru() ? 2 * sizes.hidden : width;
        const Strided<T> joined{from_state.data, 1, sizes.state};
        const Strided<T> candidate{from_state.data + joining_ * sizes.state, 1, sizes.state};
        if (is_gru() && state_bias.data) {
            candidate_bias_ = state_bias.array;
            candidate_start_ = {state_bias.data + joining_, 0};
        }
        if (sizes.steps > 1) {
            joined_ = PackedMatrix<T>(sizes.state, joining_, joined);
            if (is_gru()) candidate_ = PackedMatrix<T>(sizes.state, sizes.hidden, candidate);
        } else {  // nothing to pack for
            large_product<T>(sizes.batch, joining_, sizes.state, {memory.state, sizes.state, 1},
                             joined, {memory.gates, width}, memory.gates, width);
            if (is_gru()) {
                large_product<T>(sizes.batch, sizes.hidden, sizes.state,
                                 {memory.state, sizes.state, 1}, candidate, candidate_start_,
                                 kept_or_scratch(0), sizes.hidden);
            }
        }
        if (sizes.projected) {
            const DenseOf<T> projection(weights.projection);
            projection_ = PackedMatrix<T>(sizes.hidden, sizes.state,
                                          {projection.data, 1, sizes.hidden});
        }
    }

    // All steps of `count` sequences.
    void run(Index begin, Index count) const {
        for (Index s = 0; s < sizes_.steps; ++s) {
            const Index step = sizes_.step_of(direction_, s);
            const Index rows = std::clamp(sizes_.active[std::size_t(step)] - begin, Index(0),
                                          count);
            if (rows > 0) run_step(begin, sizes_.first[std::size_t(step)] + begin, rows);
        }
    }

private:
    bool is_gru() const { return sizes_.mode == RecurrentMode::Gru; }
    bool is_lstm() const { return sizes_.mode == RecurrentMode::Lstm; }
    T* kept_or_scratch(Index begin) const {
        return memory_.kept_extra ? memory_.kept_extra + begin * sizes_.hidden
                                  : memory_.scratch + begin * sizes_.hidden;
    }

    void run_step(Index begin, Index row, Index rows) const {
        const Index hidden = sizes_.hidden, state_size = sizes_.state, width = sizes_.width();
        T* state = memory_.state + begin * state_size;
        T* cell = is_lstm() ? memory_.cell + begin * hidden : nullptr;
        T* gates = memory_.gates + row * width;
        T* candidate = is_gru() ? kept_or_scratch(memory_.kept_extra ? row : begin) : nullptr;
        if (memory_.kept_previous) {
            std::copy_n(state, rows * state_size, memory_.kept_previous + row * state_size);
            if (is_lstm()) std::copy_n(cell, rows * hidden, memory_.kept_extra + row * hidden);
        }
        if (sizes_.steps > 1) {
            joined_.multiply(rows, state, state_size, {gates, width}, gates, width);
            if (is_gru()) {
                candidate_.multiply(rows, state, state_size, candidate_start_, candidate, hidden);
            }
        }
        T* fresh = sizes_.projected ? memory_.scratch + begin * hidden : state;
        gate_({rows, hidden, gates, candidate, cell, fresh});
        if (sizes_.projected) projection_.multiply(rows, fresh, hidden, {}, state, state_size);
        T* output = memory_.output + row * memory_.output_row;
        for (Index r = 0; r < rows; ++r) {
            std::copy_n(state + r * state_size, state_size, output + r * memory_.output_row);
        }
    }

    const RecurrentSizes& sizes_;
    Index direction_;
    Memory memory_;
    void (*gate_)(const GateRows<T>&);
    Index joining_ = 0;
    PackedMatrix<T> joined_, candidate_, projection_;
    Array candidate_bias_;
    Start<T> candidate_start_;
};

// The states that the sequences begin with, in memory of their own.
template <class T>
Array first_states(const Array& given, const Dims& shape) {
    if (!given) return Array::zeros(shape, dtype_of<T>);
    return clone(cast(given, dtype_of<T>));
}

template <class T>
std::vector<Array> forward(const RecurrentSizes& sizes, const Array& input, const Array& hx,
                           const Array& cx, const std::vector<RecurrentWeights>& weights,
                           bool keep) {
    const DType dtype = dtype_of<T>;
    const Index directions = sizes.directions, rows = sizes.rows, hidden = sizes.hidden;
    const bool lstm = sizes.mode == RecurrentMode::Lstm, gru = sizes.mode == RecurrentMode::Gru;
    Dims shape = input.shape();
    shape[shape.size() - 1] = directions * sizes.state;
    const Array output = Array::empty(shape, dtype);
    const Array state = first_states<T>(hx, {directions, sizes.batch, sizes.state});
    const Array cell = first_states<T>(cx, {lstm ? directions : 0, sizes.batch, hidden});
    const Array gates = Array::empty({directions, rows, sizes.width()}, dtype);
    const Array extra = Array::empty({keep && (lstm || gru) ? directions : 0, rows, hidden}, dtype);
    const Array previous = Array::empty({keep ? directions : 0, rows, sizes.state}, dtype);
    const bool scratched = sizes.projected || (gru && !keep);
    const Array scratch = Array::empty({scratched ? directions : 0, sizes.batch, hidden}, dtype);

    const auto at = [](const Array& x, Index direction) {
        const Index each = x.size(1) * x.size(2);
        return x.nothing_to_compute() ? nullptr : x.data<T>() + direction * each;
    };
    std::vector<Forward<T>> layers;
    for (Index d = 0; d < directions && !output.nothing_to_compute(); ++d) {
        layers.emplace_back(
            sizes, d, input, weights[std::size_t(d)],
            typename Forward<T>::Memory{at(gates, d), at(state, d), at(cell, d),
                                        output.data<T>() + d * sizes.state, at(extra, d),
                                        at(previous, d), at(scratch, d), directions * sizes.state});
    }
    const double operations = double(rows) * double(sizes.width()) * double(2 * sizes.state + 60);
    if (!layers.empty()) {
        for_sequences(sizes, operations, [&](Index direction, Index begin, Index count) {
            layers[std::size_t(direction)].run(begin, count);
        });
    }
    return {output, state, cell, gates, extra, previous};
}

std::vector<RecurrentWeights> gathered(const std::vector<std::optional<Array>>& weights) {
    const auto at = [&](std::size_t i) { return weights[i].value_or(Array()); };
    std::vector<RecurrentWeights> found;
    for (std::size_t i = 0; i + kWeights <= weights.size(); i += kWeights) {
        if (!at(i)) break;
        found.push_back({at(i), at(i + 1), at(i + 2), at(i + 3), at(i + 4)});
    }
    check(!found.empty(), "recurrent: no weights were given");
    return found;
}

using Weight = std::optional<Array>;
using Tuple = std::tuple<Array, Array, Array, Array, Array, Array>;

// The output of all steps; the last state and, of an LSTM, the last cell; and, if `keep`, what the
// backward pass needs.
Tuple recurrent_layer(const Array& input, const Weight& hx, const Weight& cx, const Weight& w_ih,
                      const Weight& w_hh, const Weight& b_ih, const Weight& b_hh,
                      const Weight& w_hr, const Weight& w_ih_reverse, const Weight& w_hh_reverse,
                      const Weight& b_ih_reverse, const Weight& b_hh_reverse,
                      const Weight& w_hr_reverse, int mode,
                      const std::optional<std::vector<Index>>& batch_sizes, bool keep) {
    const std::vector<RecurrentWeights> weights =
        gathered({w_ih, w_hh, b_ih, b_hh, w_hr, w_ih_reverse, w_hh_reverse, b_ih_reverse,
                  b_hh_reverse, w_hr_reverse});
    const Array h = hx.value_or(Array()), c = cx.value_or(Array());
    const RecurrentSizes sizes =
        recurrent_sizes(RecurrentMode(mode), input, h, c, weights, batch_sizes);
    const std::vector<Array> found =
        dispatch_real("recurrent", computing_dtype(input.dtype()), [&]<class T>() {
            return forward<T>(sizes, input, h, c, weights, keep);
        });
    const DType dtype = input.dtype();
    return {cast(found[0], dtype), cast(found[1], dtype), cast(found[2], dtype), found[3], found[4],
            found[5]};
}

// The gradients of the thirteen tensors that recurrent_layer takes; None where not needed.
std::vector<Array> recurrent_layer_backward(
    const Weight& grad_output, const Weight& grad_state, const Weight& grad_cell,
    const Array& input, const Weight& w_ih, const Weight& w_hh, const Weight& b_ih,
    const Weight& b_hh, const Weight& w_hr, const Weight& w_ih_reverse, const Weight& w_hh_reverse,
    const Weight& b_ih_reverse, const Weight& b_hh_reverse, const Weight& w_hr_reverse, int mode,
    const std::optional<std::vector<Index>>& batch_sizes, const Array& gates, const Array& extra,
    const Array& previous, const std::vector<bool>& needs) {
    const std::vector<RecurrentWeights> weights =
        gathered({w_ih, w_hh, b_ih, b_hh, w_hr, w_ih_reverse, w_hh_reverse, b_ih_reverse,
                  b_hh_reverse, w_hr_reverse});
    const RecurrentSizes sizes =
        recurrent_sizes(RecurrentMode(mode), input, Array(), Array(), weights, batch_sizes);
    check(previous.size(0) == sizes.directions, name_of(sizes.mode),
          ": the forward pass kept nothing for a backward pass");
    return recurrent_backward(
        {grad_output.value_or(Array()), grad_state.value_or(Array()), grad_cell.value_or(Array())},
        input, weights, sizes, gates, extra, previous, needs);
}

}  // namespace

RecurrentSizes recurrent_sizes(RecurrentMode mode, const Array& input, const Array& hx,
                               const Array& cx, const std::vector<RecurrentWeights>& weights,
                               const std::optional<std::vector<Index>>& batch_sizes) {
    const std::string_view what = name_of(mode);
    RecurrentSizes sizes;
    sizes.mode = mode;
    check_as(ErrorKind::NotImplemented, is_floating(input.dtype()), what, ": not implemented for ",
             name_of(input.dtype()), ", expected a floating point input");
    find_steps(what, input, batch_sizes, sizes);
    const RecurrentWeights& one = weights[0];
    check(one.input.ndim() == 2 && one.state && one.state.ndim() == 2, what,
          ": the weights must be matrices");
    sizes.hidden = one.input.size(0) / sizes.gates();
    sizes.projected = bool(one.projection);
    sizes.state = sizes.projected ? one.projection.size(0) : sizes.hidden;
    sizes.directions = Index(weights.size());
    check_dtype(what, "hx", hx, input);
    check_dtype(what, "cx", cx, input);
    check_shape(what, "hx", hx, {sizes.directions, sizes.batch, sizes.state});
    check_shape(what, "cx", cx, {sizes.directions, sizes.batch, sizes.hidden});
    check(!sizes.projected || mode == RecurrentMode::Lstm, what,
          ": projections are only there for LSTM");
    for (const RecurrentWeights& w : weights) {
        check_shape(what, "weight_ih", w.input, {sizes.width(), sizes.features});
        check_shape(what, "weight_hh", w.state, {sizes.width(), sizes.state});
        check_shape(what, "bias_ih", w.input_bias, {sizes.width()});
        check_shape(what, "bias_hh", w.state_bias, {sizes.width()});
        check_shape(what, "weight_hr", w.projection, {sizes.state, sizes.hidden});
        for (const Array* x : {&w.input, &w.state, &w.input_bias, &w.state_bias, &w.projection}) {
            check_dtype(what, "a weight", *x, input);
        }
    }
    return sizes;
}

void for_sequences(const RecurrentSizes& sizes, double operations,
                   FunctionView<void(Index, Index, Index)> f) {
    const Index fitting = std::max<Index>(sizes.batch / kSequencesEach, 1);
    Index parts = Index(std::bit_floor(std::uint64_t(fitting)));
    if (parts == 1 && sizes.batch >= 4) parts = 2;
    const Index each = (sizes.batch + parts - 1) / parts;
    parts = (sizes.batch + each - 1) / each;
    const double seconds = operations / double(parts) / kOperationsPerSecond;
    parallel_for(parts * sizes.directions, seconds, [&](Index task) {
        const Index begin = task % parts * each;
        f(task / parts, begin, std::min(each, sizes.batch - begin));
    });
}

void bind_recurrent(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("recurrent_layer", &recurrent_layer, "input"_a, "hx"_a.none(), "cx"_a.none(),
          "w_ih"_a.none(), "w_hh"_a.none(), "b_ih"_a.none(), "b_hh"_a.none(), "w_hr"_a.none(),
          "w_ih_reverse"_a.none(), "w_hh_reverse"_a.none(), "b_ih_reverse"_a.none(),
          "b_hh_reverse"_a.none(), "w_hr_reverse"_a.none(), "mode"_a, "batch_sizes"_a.none(),
          "keep"_a);
    m.def("recurrent_layer_backward", &recurrent_layer_backward, "grad_output"_a.none(),
          "grad_state"_a.none(), "grad_cell"_a.none(), "input"_a, "w_ih"_a.none(),
          "w_hh"_a.none(), "b_ih"_a.none(), "b_hh"_a.none(), "w_hr"_a.none(),
          "w_ih_reverse"_a.none(), "w_hh_reverse"_a.none(), "b_ih_reverse"_a.none(),
          "b_hh_reverse"_a.none(), "w_hr_reverse"_a.none(), "mode"_a, "batch_sizes"_a.none(),
          "gates"_a, "extra"_a, "previous"_a, "needs"_a);
}

}  // namespace rushlight
