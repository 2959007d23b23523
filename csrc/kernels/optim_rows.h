// How an optimizer's rule is taken to all parameters of a group: rows of parameter, gradient and
// state are gathered from the Python objects themselves, so that nothing is cached that a user might
// change, and run as one pass, cut into tasks by size alone. For optim.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <initializer_list>
#include <utility>
#include <vector>

#include "array/launch.h"
#include "bind/casters.h"
#include "elementwise/layout.h"
#include "elementwise/loops.h"
#include "kernels/optim.h"
#include "runtime/parallel.h"
#include "tape/python.h"

namespace rushlight::optim {

namespace nb = nanobind;

inline constexpr Index kChunk = 16384;  // elements of a task
inline constexpr Index kBlock = 1024;   // elements of half types converted at a time
inline constexpr int kCounters = 3;     // 1-element tensors of a state, at most

// ---- Python containers

// is_tensor for many objects: most of them have the type of the one before.
class TensorKind {
public:
    bool matches(PyObject* object) {
        if (Py_TYPE(object) == known_) return true;
        if (!is_tensor(object)) return false;
        known_ = Py_TYPE(object);
        return true;
    }

private:
    PyTypeObject* known_ = nullptr;
};

// The parameters of a group: the list itself, or a list made of another iterable.
class Params {
public:
    explicit Params(nb::handle params)
        : list_(PyRef::check(PySequence_Fast(params.ptr(), "params must be a list of Tensors"))) {}
    Index size() const { return PySequence_Fast_GET_SIZE(list_.get()); }
    PyObject* operator[](Index i) const {
        PyObject* param = PySequence_Fast_GET_ITEM(list_.get(), i);
        check_as(ErrorKind::Type, kind_.matches(param), "optimizer: params must be Tensors, got ",
                 Py_TYPE(param)->tp_name);
        return param;
    }

private:
    PyRef list_;
    mutable TensorKind kind_;
};

// An interned string: a key of a group or of a state.
struct Key {
    explicit Key(const char* text)
        : object(PyRef::check(PyUnicode_InternFromString(text)).release()) {}
    PyObject* object;
};

inline PyObject* find(PyObject* dict, PyObject* key) {
    PyObject* value = PyDict_GetItemWithError(dict, key);
    if (!value && PyErr_Occurred()) throw PythonError();
    return value;
}

// Reads the tensors of a state in the order in which they were put there: that finds each of them
// one step after the one before, without a lookup.
class StateReader {
public:
    explicit StateReader(TensorKind& kind) : kind_(kind) {}
    void open(PyObject* state) {
        state_ = state;
        place_ = 0;
    }
    // The tensor under `key`; empty if there is none.
    Array tensor(const Key& key) {
        PyObject *name, *value;
        if (!PyDict_Next(state_, &place_, &name, &value) || name != key.object) {
            value = find(state_, key.object);
        }
        const bool fits = value && kind_.matches(value) && is_strided(as_tensor(value));
        return fits ? as_tensor(value)->array : Array();
    }

private:
    TensorKind& kind_;
    PyObject* state_ = nullptr;
    Py_ssize_t place_ = 0;
};

// The options of a group, read as what a step needs.
class Options {
public:
    explicit Options(nb::dict group) : group_(group.ptr()) {}
    double number(const Key& key) const { return number_of(at(key)); }
    bool flag(const Key& key) const {
        const int truth = PyObject_IsTrue(at(key));
        check_status(truth);
        return truth != 0;
    }
    bool has_flag(const Key& key) const { return find(group_, key.object) && flag(key); }
    std::pair<double, double> pair(const Key& key) const {
        const PyRef both = PyRef::check(PySequence_Fast(at(key), "expected a pair of numbers"));
        check_as(ErrorKind::Value, PySequence_Fast_GET_SIZE(both.get()) == 2,
                 "optimizer: expected a pair of numbers in a parameter group");
        return {number_of(PySequence_Fast_GET_ITEM(both.get(), 0)),
                number_of(PySequence_Fast_GET_ITEM(both.get(), 1))};
    }
    bool is_pair_of_tensors(const Key& key) const {
        PyObject* both = at(key);
        return PyTuple_Check(both) && PyTuple_GET_SIZE(both) == 2 &&
               is_tensor(PyTuple_GET_ITEM(both, 0));
    }

private:
    static double number_of(PyObject* value) {
        const double number = PyFloat_AsDouble(value);
        if (number == -1 && PyErr_Occurred()) throw PythonError();
        return number;
    }
    PyObject* at(const Key& key) const {
        PyObject* value = find(group_, key.object);
        if (!value) {
            PyErr_SetObject(PyExc_KeyError, key.object);
            throw PythonError();
        }
        return value;
    }
    PyObject* group_;
};

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

// ---- what is to be done to one parameter

template <template <class> class Step>
struct Row {
    Array param, grad, states[kOptimStates], counters[kCounters];  // empty where there is none
    Step<double> step;

    double counter(int i) const {
        return dispatch_real("step", counters[i].dtype(),
                             [&]<class T>() { return double(*counters[i].data<T>()); });
    }
    // These change a counter in its own precision, and give its new value.
    template <class Change>
    double change_counter(int i, Change&& change) const {
        prepare_write(counters[i]);
        return dispatch_real("step", counters[i].dtype(), [&]<class T>() {
            T& value = *counters[i].data<T>();
            return double(value = change(value));
        });
    }
    double set_counter(int i, double value) const {
        return change_counter(i, [=]<class T>(T) { return T(value); });
    }
    double multiply_counter(int i, double factor) const {
        return change_counter(i, [=]<class T>(T before) { return before * T(factor); });
    }
    double count_up() const {
        return change_counter(0, []<class T>(T before) { return before + T(1); });
    }
};

// A step in float: narrowed number by number.
template <template <class> class Step>
Step<float> narrowed(const Step<double>& step) {
    constexpr std::size_t count = sizeof(Step<double>) / sizeof(double);
    static_assert(sizeof(Step<float>) == count * sizeof(float));
    const auto wide = std::bit_cast<std::array<double, count>>(step);
    std::array<float, count> narrow;
    for (std::size_t i = 0; i < count; ++i) narrow[i] = float(wide[i]);
    return std::bit_cast<Step<float>>(narrow);
}

// Whether element i of one memory block corresponds to element i of the other.
inline bool same_layout(const Array& a, const Array& b) {
    return (a.is_contiguous() && b.is_contiguous()) || a.strides() == b.strides();
}

inline bool goes_with(const Array& state, const Array& param) {
    return state && state.dtype() == param.dtype() && state.shape() == param.shape() &&
           same_layout(state, param);
}

inline bool is_counter(const Array& array) {
    return array && array.numel() == 1 &&
           (array.dtype() == DType::F32 || array.dtype() == DType::F64);
}

// Fills the parameter and the gradient of a row; false where tensor operations must do it.
inline bool take(PyObject* param, PyObject* grad, Array& own, Array& slope) {
    if (!is_strided(as_tensor(grad)) || !is_strided(as_tensor(param))) return false;
    own = as_tensor(param)->array;
    slope = as_tensor(grad)->array;
    if (own.is_meta() || slope.is_meta()) return false;
    if (!is_floating(own.dtype()) || slope.dtype() != own.dtype() ||
        slope.shape() != own.shape() || !is_dense(own)) {
        return false;
    }
    if (!same_layout(slope, own)) slope = clone(slope, own.strides());
    return true;
}

// Rows of all parameters that have a gradient and a complete state of the usual kind. Gradients
// that are pending run here, before anything is written: their expressions may read parameters.
template <template <class> class Step>
std::vector<Row<Step>> gather(const Params& params, nb::dict states,
                              std::initializer_list<const Key*> tensors,
                              std::initializer_list<const Key*> counters, Rest& rest) {
    std::vector<Row<Step>> rows;
    rows.reserve(std::size_t(params.size()));
    TensorKind kind;
    StateReader state(kind);
    for (Index i = 0; i < params.size(); ++i) {
        PyObject* param = params[i];
        PyObject* grad = as_tensor(param)->grad;
        if (!grad) continue;
        Row<Step>& row = rows.emplace_back();
        bool complete = take(param, grad, row.param, row.grad);
        if (complete && tensors.size() + counters.size() != 0) {
            PyObject* own = find(states.ptr(), param);
            complete = own && PyDict_Check(own);
            if (complete) state.open(own);
            // Counters come first in the states that PyTorch and we make.
            int k = 0;
            for (const Key* key : counters) {
                if (!complete) break;
                row.counters[k] = state.tensor(*key);
                complete = is_counter(row.counters[k++]);
            }
            k = 0;
            for (const Key* key : tensors) {
                if (!complete) break;
                if (key) {
                    row.states[k] = state.tensor(*key);
                    complete = goes_with(row.states[k], row.param);
                }
                ++k;
            }
        }
        if (complete) continue;
        rest.add(param);
        rows.pop_back();
    }
    for (const auto& row : rows) row.grad.storage();
    return rows;
}

// ---- running

// Raw pointers of a row, which tasks use without the GIL.
struct Span {
    std::byte* param;
    const std::byte* grad;
    std::byte* states[kOptimStates];

    Span from(Index element, std::size_t itemsize) const {
        const std::size_t skip = std::size_t(element) * itemsize;
        Span span{param + skip, grad + skip, {}};
        for (int i = 0; i < kOptimStates; ++i) {
            span.states[i] = states[i] ? states[i] + skip : nullptr;
        }
        return span;
    }
};

// Parameters may share memory, a duplicate for example: such rows must be done in order.
template <template <class> class Step>
bool overlap(const std::vector<Row<Step>>& rows) {
    std::vector<std::pair<std::byte*, std::byte*>> ranges;
    ranges.reserve(rows.size());
    for (const auto& row : rows) {
        std::byte* start = row.param.address();
        ranges.emplace_back(start, start + row.param.itemsize() * std::size_t(row.param.numel()));
    }
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i) {
        if (ranges[i].first < ranges[i - 1].second) return true;
    }
    return false;
}

// Takes the step of a row for n elements: in place in float and double memory, for half types by
// blocks that are converted to float and rounded back afterwards.
template <template <class> class Step>
void advance(const Step<double>& wide, DType dtype, const Span& span, Index n) {
    const auto in_place = [&]<class T>(const Step<T>& step) {
        T* states[kOptimStates];
        for (int i = 0; i < kOptimStates; ++i) states[i] = reinterpret_cast<T*>(span.states[i]);
        optim_table().get<Step<T>, T>().run(step, n, reinterpret_cast<T*>(span.param),
                                            reinterpret_cast<const T*>(span.grad), states);
    };
    if (dtype == DType::F64) return in_place(wide);
    const Step<float> step = narrowed<Step>(wide);
    if (dtype == DType::F32) return in_place(step);

    const std::size_t itemsize = size_of(dtype);
    const LoadLoop load = loops().load[int(dtype)];
    const StoreLoop store = loops().store[int(dtype)];
    alignas(64) float buffers[2 + kOptimStates][kBlock];
    for (Index start = 0; start < n; start += kBlock) {
        const Span here = span.from(start, itemsize);
        const Index count = std::min(kBlock, n - start);
        load(buffers[0], here.param, Index(itemsize), count);
        load(buffers[1], here.grad, Index(itemsize), count);
        float* states[kOptimStates] = {};
        for (int i = 0; i < kOptimStates; ++i) {
            if (!here.states[i]) continue;
            states[i] = buffers[2 + i];
            load(states[i], here.states[i], Index(itemsize), count);
        }
        optim_table().get<Step<float>, float>().run(step, count, buffers[0], buffers[1], states);
        store(here.param, Index(itemsize), buffers[0], count);
        for (int i = 0; i < kOptimStates; ++i) {
            if (states[i]) store(here.states[i], Index(itemsize), states[i], count);
        }
    }
}

template <template <class> class Step>
Touches touches_of(const Row<Step>& row) {
    Touches touches{&row.param, &row.grad};
    for (const Array& state : row.states) touches.add(state);
    return touches;
}

// One row as a kernel.
template <template <class> class Step>
void launch_row(const Row<Step>& row, const Span& span, double seconds_per_element) {
    const Index n = row.param.numel();
    launch(double(n) * seconds_per_element, touches_of(row),
           [step = row.step, dtype = row.param.dtype(), span, n] {
        advance<Step>(step, dtype, span, n);
    });
}

// Takes the steps of all rows, on several threads where it pays. The versions of what is written
// grow.
template <template <class> class Step>
void run(const std::vector<Row<Step>>& rows, double seconds_per_element) {
    Index total = 0;
    for (const auto& row : rows) {
        total += row.param.numel();
        prepare_write(row.param);
        for (const Array& state : row.states) {
            if (state) prepare_write(state);
        }
    }
    const auto span_of = [](const Row<Step>& row) {
        Span span{row.param.address(), row.grad.address(), {}};
        for (int i = 0; i < kOptimStates; ++i) {
            span.states[i] = row.states[i] ? row.states[i].address() : nullptr;
        }
        return span;
    };
    if (total <= kChunk || overlap(rows)) {
        for (const auto& row : rows) launch_row(row, span_of(row), seconds_per_element);
        return;
    }
    for (const auto& row : rows) wait_for(touches_of(row));

    // Large parameters are cut, small ones put together.
    struct Piece {
        std::size_t row;
        Index start, count;
    };
    std::vector<Span> spans;
    spans.reserve(rows.size());
    std::vector<Piece> pieces;
    std::vector<std::size_t> tasks{0};  // the first piece of each
    Index filled = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        spans.push_back(span_of(rows[i]));
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
            advance<Step>(row.step, row.param.dtype(),
                          spans[piece.row].from(piece.start, row.param.itemsize()), piece.count);
        }
    });
}

// The whole of a bound function. `tensors` are the keys of what the rule remembers about each
// element, in the order of its arguments and null where the options do without; `counters` those of
// the 1-element tensors. prepare(row) moves the counters on and gives the numbers of the step.
// Returns the parameters whose state is incomplete or that are of an unusual kind, untouched.
template <template <class> class Step, class Prepare>
nb::object step_all(nb::handle params, nb::dict states, std::initializer_list<const Key*> tensors,
                    std::initializer_list<const Key*> counters, double seconds_per_element,
                    Prepare&& prepare) {
    Rest rest;
    auto rows = gather<Step>(Params(params), states, tensors, counters, rest);
    for (auto& row : rows) row.step = prepare(row);
    run(rows, seconds_per_element);
    return rest.result();
}

}  // namespace rushlight::optim
