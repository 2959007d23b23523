// PyRef: an owned reference to a Python object; and the state that the tape keeps per thread.
#pragma once

#include <Python.h>

#include <cstdint>
#include <utility>

#include "array/error.h"

namespace rushlight {

class PyRef {
public:
    PyRef() = default;
    static PyRef steal(PyObject* object) noexcept { return PyRef(object); }
    static PyRef borrow(PyObject* object) noexcept {
        Py_XINCREF(object);
        return PyRef(object);
    }
    // The result of a Python API call: null means that an exception is set.
    static PyRef check(PyObject* object) {
        if (!object) throw PythonError();
        return PyRef(object);
    }
    PyRef(const PyRef& other) noexcept : object_(other.object_) { Py_XINCREF(object_); }
    PyRef(PyRef&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    PyRef& operator=(PyRef other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~PyRef() { Py_XDECREF(object_); }

    PyObject* get() const noexcept { return object_; }
    PyObject* release() noexcept { return std::exchange(object_, nullptr); }
    explicit operator bool() const noexcept { return object_ != nullptr; }

private:
    explicit PyRef(PyObject* object) noexcept : object_(object) {}
    PyObject* object_ = nullptr;
};

inline void check_status(int status) {
    if (status < 0) throw PythonError();
}

// Sets the Python exception for the C++ exception in flight; returns null.
PyObject* set_python_error() noexcept;

// Runs f, turning C++ exceptions into Python ones: what every slot of a type starts with.
template <class F>
auto guarded(F&& f) noexcept -> decltype(f()) {
    try {
        return f();
    } catch (...) {
        set_python_error();
        if constexpr (std::is_pointer_v<decltype(f())>) return nullptr;
        else return -1;
    }
}

struct Modes {
    bool grad = true;
    bool inference = false;
    bool anomaly = false;
    bool check_nan = true;              // in anomaly mode
    PyObject* saved_tensor_hooks = nullptr;  // list of (pack, unpack), innermost last
    // Inside vmap each level has a tape of its own, for the tensors of that level.
    std::uint32_t levels = 0;           // calls of vmap around us
    std::uint32_t muted = 0;            // bit i: the tape of level i does not record
    bool refused = false;               // a kernel was given an item of a batch
    bool makes_meta = false;            // new tensors are on the meta device (torch.device)
};
// Read many times in each operation, so its place is fixed when the library is loaded, where the C
// library has room for that.
#if defined(__GLIBC__)
[[gnu::tls_model("initial-exec")]]
#endif
extern constinit thread_local Modes modes;

class GradModeGuard {
public:
    explicit GradModeGuard(bool on) : before_(std::exchange(modes.grad, on)) {}
    ~GradModeGuard() { modes.grad = before_; }
    GradModeGuard(const GradModeGuard&) = delete;
    GradModeGuard& operator=(const GradModeGuard&) = delete;

private:
    bool before_;
};

// One level's tape on or off, with those below as they were before.
class TapeGuard {
public:
    TapeGuard(std::uint32_t level, bool on) : grad_(modes.grad), muted_(modes.muted) {
        const std::uint32_t bit = 1u << level;
        if (!modes.grad) modes.muted |= bit - 1;  // the user's no_grad holds below
        modes.grad = true;
        modes.muted = on ? modes.muted & ~bit : modes.muted | bit;
    }
    ~TapeGuard() {
        modes.grad = grad_;
        modes.muted = muted_;
    }
    TapeGuard(const TapeGuard&) = delete;
    TapeGuard& operator=(const TapeGuard&) = delete;

private:
    bool grad_;
    std::uint32_t muted_;
};

// What the tape asks of Python, registered at import: rare paths that read better there.
struct Callbacks {
    PyRef size_class;        // rushlight.Size
    PyRef construct;         // (arguments of Tensor(...)) -> Tensor
    PyRef add, sum_to, cast; // ops, for gradients that are part of a graph themselves
    PyRef view_again;        // (base, view): the place of the view in a base changed in place
    PyRef copy_slices;       // (node of the slice, view) -> backward of the base
    PyRef run_pre_hooks;     // (node, gradients) -> gradients
    PyRef run_post_hooks;    // (node, results, gradients) -> results
    PyRef run_leaf_hooks;    // (leaf, gradient) -> gradient
    PyRef accumulated;       // (leaf): post-accumulate hooks
    PyRef accumulate_node;   // (leaf) -> AccumulateGrad, for next_functions
    PyRef anomaly_report;    // (node): prints where its forward was called
    PyRef anomaly_trace;     // () -> str: the stack, when a node is made in anomaly mode
    PyRef call_batched;      // (op, arguments, level) -> result: an op on items of a batch
    PyRef call_each;         // (function, arguments) -> result: for each item, stacked
    PyRef batched_view;      // (base, view): as view_again, where both are items of a batch
    PyRef call_sparse;       // (name, op, arguments) -> result: an op on tensors of other layouts
    PyRef call_meta;         // (name, op, arguments) -> result of an op on tensors without memory,
                             // or NotImplemented: its kernel knows
    PyRef is_meta_device;    // (device or its name) -> bool; raises for one that is not there
    PyRef add_sparse;        // (grad or None, more) -> what .grad of a leaf becomes
    PyRef other_form;        // (op, arguments, keywords) of a call that fits not -> its result, or
                             // NotImplemented: PyTorch's older forms, __torch_function__
    PyRef module_hooks;      // a list: not empty while there are hooks of all modules
    PyRef module_with_hooks; // (module, arguments, keywords) -> result
    PyRef module_failed;     // (module, exception): names the module in the exception's message
};
Callbacks& callbacks();

}  // namespace rushlight
