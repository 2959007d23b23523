// The parts of calling an op that its type and the calls on plain tensors and on items of a batch
// share.
#pragma once

#include "tape/op.h"

namespace rushlight {

inline OpObject* as_op(PyObject* object) { return reinterpret_cast<OpObject*>(object); }
std::string text(PyObject* unicode);
std::string name_of(const OpObject* op);  // with "_" where it is an in-place form

PyObject* op_vectorcall(PyObject* op, PyObject* const* args, std::size_t given,
                        PyObject* keywords);
// The call while a hook is set: hook(op, *args, **keywords).
PyObject* hooked_vectorcall(PyObject* op, PyObject* const* args, std::size_t given,
                            PyObject* keywords);

template <class F>
void for_each_result(PyObject* result, F&& f) {
    if (is_tensor(result) || !(PyTuple_Check(result) || PyList_Check(result))) {
        f(result);
        return;
    }
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(result); ++i)
        f(PySequence_Fast_GET_ITEM(result, i));
}

// Whether a tensor is part of what is recorded; brings the history of a view up to date.
bool wants_gradient(PyObject* value);
// Whether the gradient of an argument that wants one needs the value of the first argument.
bool uses_first(const OpSpec& spec, PyObject* const* values);
// A node with its edges and saved arguments; outputs are added when they are known.
// `before`: what an in-place op's first argument was, for formulas that need it.
// Tensors of another level than `level` count as constants.
PyRef record(OpSpec* spec, PyObject* const* values, PyObject* before, std::uint32_t level = 0);
void add_output(NodeObject* node, PyObject* value);
void save_results(NodeObject* node, PyObject* result);
void mark_view(PyObject* result, PyObject* source, bool several);
void check_inplace(const OpObject* op, TensorObject* self);

// The result with the op's node, where it is recorded.
PyRef record_call(OpObject* op, PyObject* const* values, PyRef result);

// The highest level among the arguments: 0 if none is an item of a batch.
std::uint32_t level_of(const OpSpec& spec, PyObject* const* values);
// The call of an op with arguments of that level, which is not 0.
PyRef call_batched(OpObject* op, PyObject* const* values, std::uint32_t level);

}  // namespace rushlight
