// TensorObject: the Python object of a tensor. An Array plus what autograd keeps with it. Python's
// class rushlight.Tensor derives from its type, and every result is an instance of that class.
#pragma once

#include <Python.h>

#include "array/array.h"

namespace rushlight {

struct NodeObject;

enum class ViewKind : std::uint8_t { Plain, MultiOutput, NoGrad };
// How elements are kept; the names are in rushlight/sparse.
enum class TensorLayout : std::uint8_t { Strided, SparseCoo, SparseCsr, SparseCsc };

struct TensorObject {
    PyObject_HEAD
    Array array;
    PyObject* grad;        // Tensor, or null
    NodeObject* node;      // what made this tensor (grad_fn), or null for leaves
    PyObject* base;        // the tensor that this one is a view of, or null
    PyObject* leaf_hooks;  // dict of hooks of a leaf, or null (non-leaves keep theirs in the node)
    PyObject* post_accumulate_hooks;  // dict, or null
    PyObject* dict;
    PyObject* weakrefs;
    std::uint32_t output_nr;          // which output of the node
    std::uint32_t attached_version;   // of a view: storage version for which `node` is right
    bool requires_grad;               // of a leaf; a tensor with a node always requires grad
    bool retains_grad;
    bool inference;                   // made in inference mode
    bool settled;                     // a leaf of a transform (rushlight.func) that has run
    ViewKind view_kind;
    // Inside vmap a tensor may stand for one item of a batch: `array` then has the item's shape and
    // dtype but no data, and `inner` is the tensor with all items (or one for all, if not batched).
    std::uint8_t level;               // of the vmap that it belongs to; 0 for a plain tensor
    bool batched;                     // whether dimension 0 of `inner` is the batch
    // A tensor that is not strided has an `array` of its shape and dtype without elements; what it
    // consists of is `parts`, a Python object of rushlight/sparse.
    TensorLayout layout;
    PyObject* inner;
    PyObject* parts;
};

inline bool is_strided(const TensorObject* t) { return t->layout == TensorLayout::Strided; }

extern PyTypeObject* tensor_base_type;   // _core.TensorBase
extern PyTypeObject* tensor_class;       // rushlight.Tensor, once registered

inline bool is_tensor(PyObject* object) {
    PyTypeObject* type = Py_TYPE(object);
    if (type == tensor_class) return true;
    // What is smaller is none: this spares numbers and None the walk through their classes.
    return type->tp_basicsize >= Py_ssize_t(sizeof(TensorObject)) &&
           PyType_IsSubtype(type, tensor_base_type);
}
inline TensorObject* as_tensor(PyObject* object) {
    return reinterpret_cast<TensorObject*>(object);
}
inline bool requires_grad(const TensorObject* t) { return t->node || t->requires_grad; }

// The tensor that holds the data.
inline const TensorObject* innermost(const TensorObject* t) {
    while (t->inner) t = reinterpret_cast<const TensorObject*>(t->inner);
    return t;
}
// How often the data was written to.
inline std::uint32_t version_of(const TensorObject* tensor) {
    const Array& array = innermost(tensor)->array;
    return array.is_pending() ? 0 : array.storage().version();
}
// Raises for a tensor that is not strided: `what` wants to look at its elements.
void check_strided(const char* what, const TensorObject* tensor);
// The same item of a batch, or tensor that is not strided, without history; a new reference.
PyObject* detach_item(const TensorObject* tensor);
// An array of that shape and dtype without elements of its own; to look at them gives NaN.
Array without_data(const Dims& shape, DType dtype);
// A kernel was given an item of a batch, which has no data: remembered until somebody asks.
void note_refusal() noexcept;

// A new Tensor without history; a new reference. Throws PythonError when out of memory.
PyObject* wrap(Array array);
// Of a result in fresh memory: that it was written to in several steps counts for nothing, since
// nobody else has seen it.
inline void forget_writes(const Array& array) {
    Storage* storage = array.body()->storage.get();
    if (array.body()->ref_count() == 1 && storage && storage->ref_count() == 1)
        storage->reset_version();
}
// What a kernel returned.
inline PyObject* wrap_result(const Array& array) {
    forget_writes(array);
    return wrap(array);
}

}  // namespace rushlight
