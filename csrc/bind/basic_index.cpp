// Indexing by a slice, or a tuple of integers, slices, None and one Ellipsis: one view, however many
// items.
#include <span>

#include "array/array.h"
#include "bind/casters.h"
#include "tape/python.h"
#include "tape/tensor.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace rushlight {

namespace {

bool is_plain_bound(PyObject* bound) { return bound == Py_None || PyLong_CheckExact(bound); }

bool is_plain_slice(PyObject* item) {
    if (!PySlice_Check(item)) return false;
    const auto* slice = reinterpret_cast<PySliceObject*>(item);
    if (!is_plain_bound(slice->start) || !is_plain_bound(slice->stop)) return false;
    if (slice->step == Py_None) return true;
    int overflow = 0;
    return PyLong_CheckExact(slice->step) &&
           PyLong_AsLongLongAndOverflow(slice->step, &overflow) > 0 && !overflow;
}

// The items of a key: of a tuple, or a slice alone.
std::span<PyObject* const> items_of(PyObject* const& key) {
    if (!PyTuple_CheckExact(key)) return {&key, 1};
    return {reinterpret_cast<PyTupleObject*>(key)->ob_item, std::size_t(PyTuple_GET_SIZE(key))};
}

// How many dimensions a key takes; -1 if other rules than these are needed to read it.
int taken_by(std::span<PyObject* const> items) {
    int taken = 0, whole = 0;
    for (PyObject* item : items) {
        if (item == Py_Ellipsis) ++whole;
        else if (item == Py_None) continue;
        else if (PyLong_CheckExact(item) || is_plain_slice(item)) ++taken;
        else return -1;
    }
    return whole > 1 ? -1 : taken;
}

// Whether basic_index reads the key of a tensor; what it does not is left to Python, errors too.
bool is_basic_key(nb::handle tensor, nb::handle key) {
    PyObject* const given = key.ptr();
    const int taken = taken_by(items_of(given));
    return taken >= 0 && taken <= as_tensor(tensor.ptr())->array.ndim();
}

// The view that a basic key makes. `first`: the dimension that its first item stands for.
Array basic_index(const Array& x, nb::handle key, int first) {
    PyObject* const given = key.ptr();
    const std::span<PyObject* const> items = items_of(given);
    const int taken = taken_by(items);
    check_as(ErrorKind::Index, taken >= 0 && first + taken <= x.ndim(),
             "too many indices for tensor of dimension ", x.ndim());
    Array view = x;
    int dim = first;
    for (PyObject* item : items) {
        if (item == Py_Ellipsis) {
            dim += x.ndim() - first - taken;
        } else if (item == Py_None) {
            view = view.unsqueeze(dim++);
        } else if (PySlice_Check(item)) {
            Py_ssize_t start, stop, step;
            check_status(PySlice_Unpack(item, &start, &stop, &step));
            const bool whole = start == 0 && stop == PY_SSIZE_T_MAX && step == 1;
            if (!whole) view = view.slice(dim, start, stop, step);
            ++dim;
        } else {
            const Py_ssize_t index = PyLong_AsSsize_t(item);
            if (index == -1 && PyErr_Occurred()) throw PythonError();
            view = view.select(dim, index);
        }
    }
    return view.body() == x.body() ? view.as_strided(x.shape(), x.strides(), x.offset()) : view;
}

// Zeros of that shape, with the gradient where the view was.
Array basic_index_backward(const Array& grad, const Dims& shape, nb::handle key, int first) {
    Array result = Array::zeros(shape, grad.dtype());
    assign(basic_index(result, key, first), grad);
    return result;
}

}  // namespace

void bind_basic_index(nb::module_& m) {
    m.def("is_basic_key", &is_basic_key, "input"_a, "key"_a);
    m.def("basic_index", &basic_index, "input"_a, "key"_a, "first"_a);
    m.def("basic_index_backward", &basic_index_backward, "grad"_a, "shape"_a, "key"_a, "first"_a);
}

}  // namespace rushlight
