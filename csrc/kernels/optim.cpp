// Optimizer steps: one pass over all parameters of a group, and the clearing of their gradients.
// The bound functions read gradients and state from the Python objects themselves, so that nothing
// is cached that a user might change. What they cannot do they leave alone and return.
#include "kernels/optim.h"

#include <algorithm>
#include <cmath>

#include "bind/casters.h"
#include "elementwise/loops.h"
#include "runtime/parallel.h"
#include "tape/python.h"

namespace rushlight {
namespace {

namespace nb = nanobind;

constexpr Index kChunk = 16384;  // elements of a task
constexpr Index kBlock = 1024;   // elements of half types converted at a time
constexpr int kStates = 3;       // at most, beside parameter and gradient

// ---- what is to be done to one parameter

template <class Numbers>
struct Row {
    Array param, grad, states[kStates];  // empty where there is none
    Numbers numbers;
};

// Raw pointers of a row, which tasks use without the GIL.
struct Span {
    std::byte* param;
    const std::byte* grad;
    std::byte* states[kStates];

    Span from(Index element, std::size_t itemsize) const {
        const std::size_t skip = std::size_t(element) * itemsize;
        Span span{param + skip, grad + skip, {}};
        for (int i = 0; i < kStates; ++i) span.states[i] = states[i] ? states[i] + skip : nullptr;
        return span;
    }
};

// Every element has a place of its own and there are no gaps, in whatever order of the axes.
bool is_dense(const Array& array) {
    if (array.is_contiguous()) return true;
    int axes[64];
    int rank = 0;
    for (int i = 0; i < array.ndim(); ++i) {
        if (array.size(i) != 1) axes[rank++] = i;
    }
    std::sort(axes, axes + rank, [&](int a, int b) { return array.stride(a) < array.stride(b); });
    Index expected = 1;
    for (int i = 0; i < rank; ++i) {
        if (array.stride(axes[i]) != expected) return false;
        expected *= array.size(axes[i]);
    }
    return true;
}

// Whether element i of one memory block corresponds to element i of the other.
bool same_layout(const Array& a, const Array& b) {
    return (a.is_contiguous() && b.is_contiguous()) || a.strides() == b.strides();
}

bool goes_with(const Array& state, const Array& param) {
    return state.dtype() == param.dtype() && state.shape() == param.shape() &&
           same_layout(state, param);
}

// Fills the parameter and the gradient of a row; false where tensor operations must do it.
bool take(PyObject* param, PyObject* grad, Array& own, Array& slope) {
    own = as_tensor(param)->array;
    slope = as_tensor(grad)->array;
    if (!is_floating(own.dtype()) || slope.dtype() != own.dtype() ||
        slope.shape() != own.shape() || !is_dense(own)) {
        return false;
    }
    if (!same_layout(slope, own)) {
        if (!own.is_contiguous()) return false;
        slope = contiguous(slope);
    }
    return true;
}

// ---- Python containers

// The parameters of a group: the list itself, or a list made of another iterable.
class Params {
public:
    explicit Params(nb::handle params)
        : list_(PyRef::check(PySequence_Fast(params.ptr(), "params must be a list of Tensors"))) {}
    Index size() const { return PySequence_Fast_GET_SIZE(list_.get()); }
    PyObject* operator[](Index i) const {
        PyObject* param = PySequence_Fast_GET_ITEM(list_.get(), i);
        check_as(ErrorKind::Type, is_tensor(param), "optimizer: params must be Tensors, got ",
                 Py_TYPE(param)->tp_name);
        return param;
    }

private:
    PyRef list_;
};

PyObject* find(PyObject* dict, PyObject* key) {
    PyObject* value = PyDict_GetItemWithError(dict, key);
    if (!value && PyErr_Occurred()) throw PythonError();
    return value;
}

// The tensor under `key` in the state of a parameter; empty if there is none.
Array find_tensor(PyObject* state, PyObject* key) {
    PyObject* value = state ? find(state, key) : nullptr;
    return value && is_tensor(value) ? as_tensor(value)->array : Array();
}

PyObject* state_of(nb::dict states, PyObject* param) {
    PyObject* state = find(states.ptr(), param);
    return state && PyDict_Check(state) ? state : nullptr;
}

// The keys of the state, interned.
struct Keys {
    static PyObject* make(const char* text) {
        return PyRef::check(PyUnicode_InternFromString(text)).release();
    }
    PyObject* momentum_buffer = make("momentum_buffer");
    PyObject* step = make("step");
    PyObject* exp_avg = make("exp_avg");
    PyObject* exp_avg_sq = make("exp_avg_sq");
    PyObject* max_exp_avg_sq = make("max_exp_avg_sq");
};

const Keys& keys() {
    static const Keys made;
    return made;
}

bool is_true(nb::handle value) {
    const int truth = PyObject_IsTrue(value.ptr());
    check_status(truth);
    return truth != 0;
}

// The parameters that were left alone, as what the bound functions return.
class Rest {
public:
    void add(PyObject* param) {
        if (!list_) list_ = PyRef::check(PyList_New(0));
        check_status(PyList_Append(list_.get(), param));
    }
    nb::object result() { return list_ ? nb::steal(list_.release()) : nb::none(); }

private:
    PyRef list_;
};

// Rows of all parameters that have a gradient and that `fill(param, row)` can take. Gradients that
// are pending run here, before anything is written: their expressions may read parameters.
template <class Numbers, class Fill>
std::vector<Row<Numbers>> gather(const Params& params, Rest& rest, Fill&& fill) {
    std::vector<Row<Numbers>> rows;
    rows.reserve(std::size_t(params.size()));
    for (Index i = 0; i < params.size(); ++i) {
        PyObject* param = params[i];
        PyObject* grad = as_tensor(param)->grad;
        if (!grad) continue;
        Row<Numbers> row;
        if (take(param, grad, row.param, row.grad) && fill(param, row)) {
            rows.push_back(std::move(row));
        } else {
            rest.add(param);
        }
    }
    for (const auto& row : rows) row.grad.storage();
    return rows;
}

// ---- running

// Parameters may share memory, a duplicate for example: such rows must be done in order.
template <class Numbers>
bool overlap(const std::vector<Row<Numbers>>& rows) {
    std::vector<std::pair<std::byte*, std::byte*>> ranges;
    ranges.reserve(rows.size());
    for (const auto& row : rows) {
        std::byte* start = row.param.bytes();
        ranges.emplace_back(start, start + row.param.itemsize() * std::size_t(row.param.numel()));
    }
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i) {
        if (ranges[i].first < ranges[i - 1].second) return true;
    }
    return false;
}

// Calls update(row index, span, elements) for stretches of all rows, on several threads where it
// pays. The versions of what is written grow.
template <class Numbers, class Update>
void run(const std::vector<Row<Numbers>>& rows, double seconds_per_element, Update&& update) {
    Index total = 0;
    std::vector<Span> spans;
    spans.reserve(rows.size());
    for (const auto& row : rows) {
        total += row.param.numel();
        prepare_write(row.param);
        for (const Array& state : row.states) {
            if (state) prepare_write(state);
        }
    }
    for (const auto& row : rows) {
        Span span{row.param.bytes(), row.grad.bytes(), {}};
        for (int i = 0; i < kStates; ++i) {
            span.states[i] = row.states[i] ? row.states[i].bytes() : nullptr;
        }
        spans.push_back(span);
    }
    if (total <= kChunk || overlap(rows)) {
        for (std::size_t i = 0; i < rows.size(); ++i) update(i, spans[i], rows[i].param.numel());
        return;
    }

    // Large parameters are cut, small ones put together.
    struct Piece {
        std::size_t row;
        Index start, count;
    };
    std::vector<Piece> pieces;
    std::vector<std::size_t> tasks{0};  // the first piece of each
    Index filled = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Index numel = rows[i].param.numel();
        for (Index start = 0; start < numel; start += kChunk) {
            const Index count = std::min(kChunk, numel - start);
            if (filled + count > kChunk) {
                tasks.push_back(pieces.size());
                filled = 0;
            }
            pieces.push_back({i, start, count});
            filled += count;
        }
    }
    tasks.push_back(pieces.size());
    parallel_for(Index(tasks.size()) - 1, seconds_per_element * double(kChunk), [&](Index task) {
        for (std::size_t k = tasks[std::size_t(task)]; k < tasks[std::size_t(task) + 1]; ++k) {
            const Piece& piece = pieces[k];
            const auto& row = rows[piece.row];
            update(piece.row, spans[piece.row].from(piece.start, row.param.itemsize()),
                   piece.count);
        }
    });
}

// Calls loop(T{}, n, pointers) with float or double memory: that of the span itself, or for half
// types blocks converted to float, which are rounded back afterwards.
template <class Loop>
void in_float(DType dtype, const Span& span, Index n, Loop&& loop) {
    if (dtype == DType::F32 || dtype == DType::F64) {
        dispatch_real("optimizer", dtype, [&]<class T>() {
            T* states[kStates];
            for (int i = 0; i < kStates; ++i) states[i] = reinterpret_cast<T*>(span.states[i]);
            loop(n, reinterpret_cast<T*>(span.param), reinterpret_cast<const T*>(span.grad),
                 states);
        });
        return;
    }
    const std::size_t itemsize = size_of(dtype);
    const LoadLoop load = loops().load[int(dtype)];
    const StoreLoop store = loops().store[int(dtype)];
    alignas(64) float buffers[2 + kStates][kBlock];
    for (Index start = 0; start < n; start += kBlock) {
        const Span here = span.from(start, itemsize);
        const Index count = std::min(kBlock, n - start);
        load(buffers[0], here.param, Index(itemsize), count);
        load(buffers[1], here.grad, Index(itemsize), count);
        float* states[kStates] = {};
        for (int i = 0; i < kStates; ++i) {
            if (!here.states[i]) continue;
            states[i] = buffers[2 + i];
            load(states[i], here.states[i], Index(itemsize), count);
        }
        loop(count, buffers[0], static_cast<const float*>(buffers[1]), states);
        store(here.param, Index(itemsize), buffers[0], count);
        for (int i = 0; i < kStates; ++i) {
            if (states[i]) store(here.states[i], Index(itemsize), states[i], count);
        }
    }
}

// ---- SGD

struct SgdNumbers {};

// One step of SGD for the parameters that have a gradient. `state` maps a parameter to a dict with
// "momentum_buffer" and is read only if there is momentum. Returns the parameters without a buffer
// or of an unusual kind, untouched, or None.
nb::object sgd_step(nb::handle params, nb::dict state, double lr, double momentum,
                    double dampening, double weight_decay, nb::handle nesterov,
                    nb::handle maximize) {
    Rest rest;
    const auto rows = gather<SgdNumbers>(Params(params), rest, [&](PyObject* param, auto& row) {
        if (momentum == 0) return true;
        row.states[0] = find_tensor(state_of(state, param), keys().momentum_buffer);
        return row.states[0] && goes_with(row.states[0], row.param);
    });
    const double sign = is_true(maximize) ? -1 : 1;
    const bool look_ahead = is_true(nesterov);
    const auto step_in = [&]<class T>(T) {
        return SgdStep<T>{T(sign),     T(lr),           T(momentum), T(1 - dampening),
                          T(weight_decay), look_ahead};
    };
    const SgdStep<float> in_single = step_in(float());
    const SgdStep<double> in_double = step_in(double());
    run(rows, 0.4e-9, [&](std::size_t i, const Span& span, Index n) {
        in_float(rows[i].param.dtype(), span, n,
                 [&]<class T>(Index count, T* p, const T* g, T* const* states) {
            const auto& loops = optim_table().get<T>();
            if constexpr (std::is_same_v<T, float>) loops.sgd(in_single, count, p, g, states[0]);
            else loops.sgd(in_double, count, p, g, states[0]);
        });
    });
    return rest.result();
}

// ---- Adam

struct AdamNumbers {
    Array counter;
    double step_size, root;
};

bool is_counter(const Array& array) {
    return array && array.numel() == 1 &&
           (array.dtype() == DType::F32 || array.dtype() == DType::F64);
}

double count_up(const Array& counter) {
    prepare_write(counter);
    return dispatch_real("step", counter.dtype(), [&]<class T>() {
        return double(*counter.data<T>() += T(1));
    });
}

// One step of Adam for the parameters that have a gradient. `state` maps a parameter to a dict with
// "step", "exp_avg", "exp_avg_sq" and with amsgrad "max_exp_avg_sq". Returns the parameters whose
// state is incomplete or that are of an unusual kind, untouched, or None.
nb::object adam_step(nb::handle params, nb::dict state, double lr, double beta1, double beta2,
                     double eps, double weight_decay, nb::handle decoupled, nb::handle amsgrad,
                     nb::handle maximize) {
    const bool with_maxima = is_true(amsgrad), apart = is_true(decoupled);
    const double sign = is_true(maximize) ? -1 : 1;
    Rest rest;
    auto rows = gather<AdamNumbers>(Params(params), rest, [&](PyObject* param, auto& row) {
        PyObject* own = state_of(state, param);
        row.numbers.counter = find_tensor(own, keys().step);
        row.states[0] = find_tensor(own, keys().exp_avg);
        row.states[1] = find_tensor(own, keys().exp_avg_sq);
        if (with_maxima) row.states[2] = find_tensor(own, keys().max_exp_avg_sq);
        for (int i = 0; i < (with_maxima ? 3 : 2); ++i) {
            if (!row.states[i] || !goes_with(row.states[i], row.param)) return false;
        }
        return is_counter(row.numbers.counter);
    });
    for (auto& row : rows) {
        const double t = count_up(row.numbers.counter);
        row.numbers.step_size = lr / (1 - std::pow(beta1, t));
        row.numbers.root = std::sqrt(1 - std::pow(beta2, t));
    }
    run(rows, 0.7e-9, [&](std::size_t i, const Span& span, Index n) {
        const AdamNumbers& numbers = rows[i].numbers;
        in_float(rows[i].param.dtype(), span, n,
                 [&]<class T>(Index count, T* p, const T* g, T* const* states) {
            const AdamStep<T> step{T(sign),
                                   T(apart ? 1 - lr * weight_decay : 1),
                                   T(apart ? 0 : weight_decay),
                                   T(1 - beta1),
                                   T(beta2),
                                   T(1 - beta2),
                                   T(numbers.step_size),
                                   T(numbers.root),
                                   T(eps)};
            optim_table().get<T>().adam(step, count, p, g, states[0], states[1], states[2]);
        });
    });
    return rest.result();
}

// ---- gradients

// Sets `grad` of all parameters to None.
void clear_grads(nb::handle params) {
    const Params list(params);
    for (Index i = 0; i < list.size(); ++i) {
        const PyRef param = PyRef::borrow(list[i]);  // a finalizer may change the list
        Py_CLEAR(as_tensor(param.get())->grad);
    }
}

}  // namespace

void bind_optim(nb::module_& m) {
    using namespace nanobind::literals;
    m.def("sgd_step", &sgd_step, "params"_a, "state"_a, "lr"_a, "momentum"_a, "dampening"_a,
          "weight_decay"_a, "nesterov"_a, "maximize"_a);
    m.def("adam_step", &adam_step, "params"_a, "state"_a, "lr"_a, "beta1"_a, "beta2"_a, "eps"_a,
          "weight_decay"_a, "decoupled"_a, "amsgrad"_a, "maximize"_a);
    m.def("clear_grads", &clear_grads, "params"_a);
}

}  // namespace rushlight
