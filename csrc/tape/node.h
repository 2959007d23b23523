// NodeObject: one recorded operation. It keeps the edges to what its inputs came from, what its
// formulas need, and the shapes of its outputs.
#pragma once

#include <vector>

#include "array/small_vector.h"
#include "tape/op.h"
#include "tape/python.h"
#include "tape/tensor.h"

namespace rushlight {

// Where the gradient of one input goes: a node's output, a leaf tensor, or nowhere.
struct Edge {
    PyRef target;  // Node, Tensor (a leaf), or empty
    std::uint32_t output_nr = 0;
};

// A value kept for backward. Tensors remember the version they had.
struct Saved {
    PyRef value;        // any Python object; empty for an output of the node itself
    Array output;       // the output, which must not keep its node alive through a cycle
    std::uint32_t output_nr = 0;
    std::uint32_t version = 0;
    bool is_tensor = false;
    bool freed = false;  // a backward pass has let go of it
    bool own_item = false;  // `value` is an output of the node itself, an item of a batch
    bool hollow = false;    // no gradient needs its values: `output` has the shape alone
    std::int8_t rank = -1;       // of a tensor, and
    DType dtype = DType::F32;    // both stay when it is let go of: names depend on them
    PyRef unpack;       // of saved_tensors_hooks: value is what pack returned
    PyRef history;      // where that came from: a node or a leaf; empty for the node's own output
};

struct OutputInfo {
    Dims shape;
    DType dtype;
};

class BackwardRun;

// One gradient per input or output; empty where none arrived.
using Gradients = SmallVector<PyRef, 4>;
using Flags = SmallVector<bool, 8>;

struct NodeObject {
    PyObject_HEAD
    OpSpec* op;                  // null for a node with a Python backward
    PyObject* function;          // that backward: (*gradients) -> gradients; or null
    PyObject* name;              // of nodes without op
    SmallVector<Edge, 3> edges;  // one per differentiable input
    std::vector<Saved> saved;    // in the order of op->saves
    SmallVector<OutputInfo, 1> outputs;
    std::uint64_t sequence;      // order of creation
    std::uint32_t recorded;      // bit i: the i-th differentiable argument wants a gradient
    bool released;               // a backward pass freed what it saved
    PyObject* pre_hooks;         // dict, or null
    PyObject* post_hooks;        // dict, or null
    PyObject* metadata;          // dict, or null
    PyObject* trace;             // anomaly mode: where it was made
    PyObject* dict;
    PyObject* weakrefs;
    BackwardRun* run;            // the pass that holds gradients in `incoming`
    Gradients incoming;          // gradient of each output so far
};

extern PyTypeObject* node_type;

inline bool is_node(PyObject* object) { return PyObject_TypeCheck(object, node_type); }
inline NodeObject* as_node(PyObject* object) { return reinterpret_cast<NodeObject*>(object); }
template <class T>
PyObject* as_object(T* object) {
    return reinterpret_cast<PyObject*>(object);
}

PyRef new_node(OpSpec* op);
PyRef name_of(NodeObject* node);  // as MulBackward0
// The node for those who look at the graph: from then on it is of a class of its name. A new
// reference.
PyObject* show_node(NodeObject* node);

// The edge to a tensor's history; brings a view whose base was changed in place up to date.
Edge edge_to(TensorObject* tensor);
// A copy without history gets that of what it is a copy of, if it was computed.
void give_history(TensorObject* copy, Edge edge);
void refresh_view(TensorObject* tensor);

// After a write in place: the tensor, or the base that it is a view of, comes from `node` now.
void rebase_history(TensorObject* tensor, PyRef node);

// The saved value as a Python object; raises if the tensor was changed since.
PyRef unpack(NodeObject* node, const Saved& saved);
Saved save_value(PyObject* value, bool own_result = false);

// The gradients of the inputs from those of the outputs.
Gradients apply_node(NodeObject* node, Gradients gradients, const Flags& needed);
void release_saved(NodeObject* node);

}  // namespace rushlight
