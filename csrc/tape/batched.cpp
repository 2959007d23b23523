// Calls of ops on items of a batch, inside vmap: each level has a tape of its own. What an op does
// to the tensors below is said in Python (rushlight/func).
#include <algorithm>

#include "tape/calls.h"
#include "tape/node.h"

namespace rushlight {

namespace {

std::uint32_t level_of(PyObject* value) {
    if (is_tensor(value)) return as_tensor(value)->level;
    std::uint32_t level = 0;
    if (PyTuple_Check(value) || PyList_Check(value))
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i)
            level = std::max(level, level_of(PySequence_Fast_GET_ITEM(value, i)));
    return level;
}

}  // namespace

std::uint32_t level_of(const OpSpec& spec, PyObject* const* values) {
    std::uint32_t level = 0;
    for (int i = 0; i < spec.count; ++i) level = std::max(level, level_of(values[i]));
    return level;
}

namespace {

bool wants_gradient_at(const OpSpec& spec, PyObject* const* values, std::uint32_t level) {
    for (int at : spec.differentiable) {
        PyObject* value = values[at];
        if (is_tensor(value)) {
            if (as_tensor(value)->level == level && wants_gradient(value)) return true;
        } else if (PyTuple_Check(value) || PyList_Check(value)) {
            for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i) {
                PyObject* item = PySequence_Fast_GET_ITEM(value, i);
                if (is_tensor(item) && as_tensor(item)->level == level && wants_gradient(item))
                    return true;
            }
        }
    }
    return false;
}

bool same_memory(PyObject* first, PyObject* second) {
    const Array& a = innermost(as_tensor(first))->array;
    const Array& b = innermost(as_tensor(second))->array;
    return !a.is_pending() && !b.is_pending() && &a.storage() == &b.storage();
}

}  // namespace

// The tape of the highest level among the arguments records; the batching rule, in Python, calls
// the op on what lies below.
PyRef call_batched(OpObject* op, PyObject* const* values, std::uint32_t level) {
    OpSpec* spec = op->spec;
    if (op->inplace && is_tensor(values[0])) {
        if (as_tensor(values[0])->level == level) check_inplace(op, as_tensor(values[0]));
    }
    const bool recording =
        modes.grad && !(modes.muted >> level & 1) && wants_gradient_at(*spec, values, level);
    check(!recording || !op->inplace || as_tensor(values[0])->level == level,
          "vmap: a tensor that all items share cannot be written to with values that are "
          "differentiated inside of vmap; make it from one of the items, as x.new_zeros(...) does");
    PyRef node;
    if (recording && op->inplace) {
        PyRef before;
        TensorObject* self = as_tensor(values[0]);
        if (self->level == level && uses_first(*spec, values)) {
            {
                TapeGuard guard(level, false);
                before = PyRef::check(PyObject_CallMethod(values[0], "clone", nullptr));
            }
            give_history(as_tensor(before.get()), edge_to(self));
        }
        node = record(spec, values, before.get(), level);
    }
    PyRef all = PyRef::check(PyTuple_New(spec->count));
    for (int i = 0; i < spec->count; ++i) PyTuple_SET_ITEM(all.get(), i, Py_NewRef(values[i]));
    PyRef number = PyRef::check(PyLong_FromUnsignedLong(level));
    PyRef result = PyRef::check(
        PyObject_CallFunctionObjArgs(callbacks().call_batched.get(),
                                     reinterpret_cast<PyObject*>(op), all.get(), number.get(),
                                     nullptr));
    if (op->inplace) {
        if (recording) {
            TensorObject* self = as_tensor(values[0]);
            NodeObject* recorded = as_node(node.get());
            recorded->outputs.push_back({self->array.shape(), self->array.dtype()});
            save_results(recorded, values[0]);
            for (auto& saved : recorded->saved) saved.output_nr = saved.own_item ? 0 : saved.output_nr;
            rebase_history(self, std::move(node));
        }
        return PyRef::borrow(values[0]);
    }
    if (spec->view && is_tensor(values[0]) && as_tensor(values[0])->level == level &&
        result.get() != values[0]) {
        const bool several = !is_tensor(result.get());
        for_each_result(result.get(), [&](PyObject* item) {
            if (is_tensor(item) && as_tensor(item)->level == level && same_memory(item, values[0]))
                mark_view(item, values[0], several);
        });
    }
    // A rule in terms of ops on items has recorded these.
    bool recorded_already = false;
    for_each_result(result.get(), [&](PyObject* item) {
        recorded_already |= is_tensor(item) && as_tensor(item)->level == level &&
                            as_tensor(item)->node != nullptr;
    });
    if (recording && !recorded_already && result.get() != values[0]) {
        PyRef made = record(spec, values, nullptr, level);
        NodeObject* recorded = as_node(made.get());
        for_each_result(result.get(), [&](PyObject* item) { add_output(recorded, item); });
        save_results(recorded, result.get());
    }
    return result;
}

}  // namespace rushlight
