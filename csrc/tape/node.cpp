// Nodes: what they keep, how their formulas are called, and how long chains of them are freed.
#include "tape/node.h"

#include <structmember.h>

#include <memory>
#include <string_view>

#include "elementwise/pending.h"
#include "tape/values.h"

namespace rushlight {

PyTypeObject* node_type = nullptr;

namespace {

std::uint64_t next_sequence = 0;

// Freeing a node drops references that may free the next: references go to a list that the
// outermost call empties, so a chain of any length is freed without recursion.
thread_local std::vector<PyObject*>* dying = nullptr;

void drop(PyObject* object) {
    if (!object) return;
    if (dying) dying->push_back(object);
    else Py_DECREF(object);
}

void clear_contents(NodeObject* node) {
    std::vector<PyObject*> list;
    const bool outermost = dying == nullptr;
    if (outermost) dying = &list;
    for (auto& edge : node->edges) drop(edge.target.release());
    for (auto& saved : node->saved) {
        drop(saved.value.release());
        drop(saved.unpack.release());
        drop(saved.history.release());
        saved.output = Array();
    }
    node->edges.clear();
    node->saved.clear();
    for (PyObject** field : {&node->function, &node->name, &node->pre_hooks, &node->post_hooks,
                             &node->metadata, &node->trace, &node->dict})
        drop(std::exchange(*field, nullptr));
    if (outermost) {
        while (!list.empty()) {
            PyObject* object = list.back();
            list.pop_back();
            Py_DECREF(object);
        }
        dying = nullptr;
    }
}

PyRef fact_of(NodeObject* node, const Fact& fact) {
    if (fact.what == Fact::Recorded) {
        PyRef all = PyRef::check(PyTuple_New(Py_ssize_t(node->edges.size())));
        for (std::size_t i = 0; i < node->edges.size(); ++i)
            PyTuple_SET_ITEM(all.get(), Py_ssize_t(i),
                             PyBool_FromLong(bool(node->edges[i].target)));
        return all;
    }
    const Saved& saved = node->saved[std::size_t(fact.index)];
    if (fact.what == Fact::Value) return saved.value ? saved.value : PyRef::borrow(Py_None);
    if (saved.rank < 0) return PyRef::borrow(Py_None);
    return fact.what == Fact::Rank ? PyRef::check(PyLong_FromLong(saved.rank))
                                   : PyRef::check(dtype_to_python(saved.dtype));
}

}  // namespace

PyRef name_of(NodeObject* node) {
    if (!node->op)
        return node->name ? PyRef::borrow(node->name)
                          : PyRef::check(PyUnicode_FromString("Node"));
    const OpSpec& spec = *node->op;
    if (!PyTuple_Check(spec.backward_name.get())) return spec.backward_name;
    PyRef arguments = PyRef::check(PyTuple_New(Py_ssize_t(spec.name_facts.size())));
    for (std::size_t i = 0; i < spec.name_facts.size(); ++i)
        PyTuple_SET_ITEM(arguments.get(), Py_ssize_t(i),
                         fact_of(node, spec.name_facts[i]).release());
    PyRef name = PyRef::check(
        PyObject_CallObject(PyTuple_GET_ITEM(spec.backward_name.get(), 0), arguments.get()));
    check_as(ErrorKind::Type, PyUnicode_Check(name.get()), "the name of a node must be a str");
    return name;
}

// PyTorch has a class for every kind of node, which programs tell them by.
static PyTypeObject* class_named(PyObject* name) {
    static PyObject* classes = PyDict_New();
    if (PyObject* known = PyDict_GetItemWithError(classes, name))
        return reinterpret_cast<PyTypeObject*>(known);
    const PyRef made = PyRef::check(PyObject_CallFunction(
        reinterpret_cast<PyObject*>(&PyType_Type), "O(O){s:(),s:s}", name, node_type, "__slots__",
        "__module__", "builtins"));
    check_status(PyDict_SetItem(classes, name, made.get()));
    return reinterpret_cast<PyTypeObject*>(made.get());
}

PyObject* show_node(NodeObject* node) {
    PyObject* object = as_object(node);
    if (Py_TYPE(object) == node_type) {
        PyTypeObject* type = class_named(name_of(node).get());
        Py_INCREF(type);
        Py_SET_TYPE(object, type);
        Py_DECREF(node_type);
    }
    return Py_NewRef(object);
}

PyRef new_node(OpSpec* op) {
    PyRef made = PyRef::check(node_type->tp_alloc(node_type, 0));
    NodeObject* node = as_node(made.get());
    new (&node->edges) decltype(node->edges)();
    new (&node->saved) decltype(node->saved)();
    new (&node->outputs) decltype(node->outputs)();
    new (&node->incoming) decltype(node->incoming)();
    node->op = op;
    node->sequence = ++next_sequence;
    if (modes.anomaly && callbacks().anomaly_trace)
        node->trace = PyRef::check(PyObject_CallNoArgs(callbacks().anomaly_trace.get())).release();
    return made;
}

static void adopt_history(TensorObject* view, PyRef fresh) {
    PyObject* old = as_object(view->node);
    view->node = as_node(Py_XNewRef(as_object(as_tensor(fresh.get())->node)));
    view->output_nr = as_tensor(fresh.get())->output_nr;
    view->attached_version = version_of(view);
    Py_XDECREF(old);
}

// A view of a base that was changed in place gets its history from the base's.
void refresh_view(TensorObject* view) {
    TensorObject* base = as_tensor(view->base);
    if (view->view_kind == ViewKind::MultiOutput || !requires_grad(base)) return;
    const std::uint32_t version = version_of(view);
    if (view->attached_version == version && (view->node || !base->node)) return;
    if (!base->node) return;  // a leaf changed under no_grad: the view keeps its own history
    const PyRef& view_again = view->level ? callbacks().batched_view : callbacks().view_again;
    GradModeGuard guard(modes.grad || !view->level);
    adopt_history(view, PyRef::check(PyObject_CallFunctionObjArgs(
                            view_again.get(), as_object(base), as_object(view), nullptr)));
}

Edge edge_to(TensorObject* tensor) {
    if (tensor->base) refresh_view(tensor);
    if (tensor->node) return {PyRef::borrow(as_object(tensor->node)), tensor->output_nr};
    if (tensor->requires_grad) return {PyRef::borrow(as_object(tensor)), 0};
    return {};
}

void give_history(TensorObject* copy, Edge edge) {
    if (!edge.target || !is_node(edge.target.get())) return;
    copy->node = as_node(edge.target.release());
    copy->output_nr = edge.output_nr;
}

Saved save_value(PyObject* value, bool own_result) {
    Saved saved;
    saved.value = PyRef::borrow(value);
    if (!is_tensor(value)) return saved;
    const Array& array = as_tensor(value)->array;
    saved.is_tensor = true;
    saved.rank = std::int8_t(array.ndim());
    saved.dtype = array.dtype();
    saved.version = version_of(as_tensor(value));
    PyObject* hooks = modes.saved_tensor_hooks;
    if (hooks && PyList_GET_SIZE(hooks)) {
        PyObject* pair = PyList_GET_ITEM(hooks, PyList_GET_SIZE(hooks) - 1);
        Edge origin = edge_to(as_tensor(value));
        saved.history = std::move(origin.target);
        saved.output_nr = origin.output_nr;
        GradModeGuard guard(false);
        const TensorObject* tensor = as_tensor(value);
        // The hook sees the tensor itself, but of a result the values alone: what a hook keeps of
        // it would otherwise hold the node that holds what the hook keeps.
        const PyRef given = tensor->level ? PyRef::check(detach_item(tensor))
                            : own_result  ? PyRef::check(wrap(array))
                                          : PyRef::borrow(value);
        saved.value = PyRef::check(PyObject_CallOneArg(PyTuple_GET_ITEM(pair, 0), given.get()));
        saved.unpack = PyRef::borrow(PyTuple_GET_ITEM(pair, 1));
        saved.is_tensor = false;
    }
    return saved;
}

// What a hook unpacked, with the history that it had when it was packed.
static PyRef with_history(const PyRef& value, NodeObject* node, const Saved& saved) {
    PyObject* origin = saved.own_item ? as_object(node) : saved.history.get();
    if (!origin) return value;
    if (is_tensor(origin) && modes.grad) return PyRef::borrow(origin);  // a leaf stands for itself
    const TensorObject* unpacked = as_tensor(value.get());
    PyRef tensor =
        PyRef::check(is_strided(unpacked) ? wrap(unpacked->array) : detach_item(unpacked));
    if (is_tensor(origin)) {
        as_tensor(tensor.get())->requires_grad = true;
        return tensor;
    }
    as_tensor(tensor.get())->node = as_node(Py_NewRef(origin));
    as_tensor(tensor.get())->output_nr = saved.output_nr;
    return tensor;
}

PyRef unpack(NodeObject* node, const Saved& saved) {
    if (saved.freed) [[unlikely]]
        fail(ErrorKind::Runtime,
             "Trying to backward through the graph a second time (or directly access saved tensors "
             "after they have already been freed): ",
             PyUnicode_AsUTF8(name_of(node).get()),
             " freed what it saved in the first backward. Pass retain_graph=True to the first call "
             "if you need a second one.");
    if (saved.unpack) {
        PyRef value = PyRef::check(PyObject_CallOneArg(saved.unpack.get(), saved.value.get()));
        if (!is_tensor(value.get()))
            fail(ErrorKind::Type, "saved_tensors_hooks: the unpack hook must return a Tensor");
        return with_history(value, node, saved);
    }
    if (saved.hollow) return PyRef::check(wrap(saved.output));
    if (!saved.is_tensor) return saved.value;
    const Array& array = saved.value ? as_tensor(saved.value.get())->array : saved.output;
    const std::uint32_t now = saved.value          ? version_of(as_tensor(saved.value.get()))
                              : array.is_pending() ? 0
                                                   : array.storage().version();
    if (now != saved.version) [[unlikely]] {
        PyRef name = name_of(node);
        std::string made_by;
        if (saved.value && as_tensor(saved.value.get())->node)
            made_by = concat(", which is output ", as_tensor(saved.value.get())->output_nr, " of ",
                             PyUnicode_AsUTF8(name_of(as_tensor(saved.value.get())->node).get()),
                             ",");
        fail(ErrorKind::Runtime,
             "one of the variables needed for gradient computation has been modified by an "
             "inplace operation: [",
             rushlight::name_of(array.dtype()), " ", array.shape(), "]", made_by,
             " is at version ", now, "; expected version ", saved.version, " instead. It was saved by ",
             PyUnicode_AsUTF8(name.get()),
             ". Hint: use the out-of-place form of the operation that changed it, or clone() it "
             "before; torch.autograd.set_detect_anomaly(True) shows where the forward was called.");
    }
    if (saved.value && !saved.own_item) return saved.value;
    PyRef tensor = PyRef::check(saved.own_item ? detach_item(as_tensor(saved.value.get()))
                                               : wrap(saved.output));
    as_tensor(tensor.get())->node = as_node(Py_NewRef(as_object(node)));
    as_tensor(tensor.get())->output_nr = saved.output_nr;
    return tensor;
}

namespace {

bool holds_tensors(PyObject* value) {
    if (!value || !(PyTuple_CheckExact(value) || PyList_CheckExact(value))) return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i)
        if (is_tensor(PySequence_Fast_GET_ITEM(value, i))) return true;
    return false;
}

}  // namespace

void release_saved(NodeObject* node) {
    node->released = true;
    // Shapes and numbers stay: a graph that saved no tensors may be walked again.
    for (Saved& saved : node->saved) {
        if (!saved.is_tensor && !saved.unpack && !holds_tensors(saved.value.get())) continue;
        saved.freed = true;
        saved.value = PyRef();
        saved.history = PyRef();
        saved.output = Array();
    }
    if (node->function && PyObject_HasAttrString(node->function, "release"))
        PyRef::check(PyObject_CallMethod(node->function, "release", nullptr));
}

// ---- calling formulas

namespace {

// The gradient argument: the tensor itself for one output, else a tuple with None for missing.
PyRef gradient_argument(NodeObject* node, const Gradients& gradients) {
    if (node->outputs.size() == 1) return gradients[0];
    PyRef all = PyRef::check(PyTuple_New(Py_ssize_t(gradients.size())));
    for (std::size_t i = 0; i < gradients.size(); ++i)
        PyTuple_SET_ITEM(all.get(), Py_ssize_t(i),
                         Py_NewRef(gradients[i] ? gradients[i].get() : Py_None));
    return all;
}

PyRef call_formula(NodeObject* node, const Formula& formula, PyObject* gradient,
                   const Flags& needed) {
    PyObject* arguments[kMaxArguments + 2];
    modes.refused = false;
    SmallVector<PyRef, 8> held;
    std::size_t count = 0;
    arguments[count++] = gradient;
    for (const Source& source : formula.sources) {
        if (source.kind == Source::Needs) {
            PyRef needs = PyRef::check(PyTuple_New(Py_ssize_t(needed.size())));
            for (std::size_t i = 0; i < needed.size(); ++i)
                PyTuple_SET_ITEM(needs.get(), Py_ssize_t(i), PyBool_FromLong(needed[i]));
            held.push_back(std::move(needs));
        } else {
            held.push_back(unpack(node, node->saved[std::size_t(source.index)]));
        }
        arguments[count++] = held.back().get();
    }
    const PyRef& call =
        formula.kernel && !modes.grad && !modes.levels ? formula.kernel : formula.call;
    PyRef result = PyRef::steal(PyObject_Vectorcall(call.get(), arguments, count, nullptr));
    if (!result && modes.levels && modes.refused && (PyErr_ExceptionMatches(PyExc_TypeError) ||
                                                  PyErr_ExceptionMatches(PyExc_RuntimeError))) {
        // A formula that calls a kernel itself, or looks at values: once for each item.
        PyErr_Clear();
        PyRef all = PyRef::check(PyTuple_New(Py_ssize_t(count)));
        for (std::size_t i = 0; i < count; ++i)
            PyTuple_SET_ITEM(all.get(), Py_ssize_t(i), Py_NewRef(arguments[i]));
        result = PyRef::steal(PyObject_CallFunctionObjArgs(
            callbacks().call_each.get(), formula.call.get(), all.get(), nullptr));
    }
    return PyRef::check(result.release());
}

void spread(NodeObject* node, const PyRef& results, Gradients& into, std::size_t from) {
    PyRef items = PyRef::check(PySequence_Fast(results.get(), "a joint formula returns a tuple"));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
        PyObject* item = PySequence_Fast_GET_ITEM(items.get(), i);
        if (from + std::size_t(i) >= into.size()) {
            if (item == Py_None) continue;
            fail(ErrorKind::Runtime, PyUnicode_AsUTF8(name_of(node).get()),
                 ": returned more gradients than it has inputs (", into.size(), ")");
        }
        if (item != Py_None) into[from + std::size_t(i)] = PyRef::borrow(item);
    }
}

}  // namespace

Gradients apply_node(NodeObject* node, Gradients gradients, const Flags& needed) {
    Gradients results(node->edges.size());
    if (node->function) {
        PyRef arguments = PyRef::check(PyTuple_New(Py_ssize_t(gradients.size())));
        for (std::size_t i = 0; i < gradients.size(); ++i)
            PyTuple_SET_ITEM(arguments.get(), Py_ssize_t(i),
                             Py_NewRef(gradients[i] ? gradients[i].get() : Py_None));
        PyRef returned = PyRef::check(PyObject_CallObject(node->function, arguments.get()));
        if (is_tensor(returned.get())) results[0] = std::move(returned);
        else if (returned.get() != Py_None) spread(node, returned, results, 0);
        return results;
    }
    bool any = false;
    for (const PyRef& gradient : gradients) any |= bool(gradient);
    if (!any) return results;
    const OpSpec& spec = *node->op;
    PyRef gradient = gradient_argument(node, gradients);
    gradients.clear();
    if (spec.joint) {
        spread(node, call_formula(node, spec.joint, gradient.get(), needed), results, 0);
        return results;
    }
    std::size_t edge = 0;
    for (std::size_t i = 0; i < spec.formulas.size(); ++i) {
        if (spec.differentiable[i] == spec.list_argument) {
            const std::size_t width = node->edges.size() - (spec.formulas.size() - 1);
            spread(node, call_formula(node, spec.formulas[i], gradient.get(), needed), results,
                   edge);
            edge += width;
            continue;
        }
        if (needed[edge]) {
            PyRef value = call_formula(node, spec.formulas[i], gradient.get(), needed);
            if (value.get() != Py_None) results[edge] = std::move(value);
        }
        ++edge;
    }
    return results;
}

// ---- the type

namespace {

int node_traverse(PyObject* self, visitproc visit, void* arg) {
    NodeObject* node = as_node(self);
    Py_VISIT(Py_TYPE(self));
    for (const auto& edge : node->edges) Py_VISIT(edge.target.get());
    for (const auto& saved : node->saved) {
        Py_VISIT(saved.value.get());
        Py_VISIT(saved.unpack.get());
        Py_VISIT(saved.history.get());
    }
    Py_VISIT(node->function);
    Py_VISIT(node->pre_hooks);
    Py_VISIT(node->post_hooks);
    Py_VISIT(node->metadata);
    Py_VISIT(node->dict);
    return 0;
}

int node_clear(PyObject* self) {
    clear_contents(as_node(self));
    return 0;
}

void node_dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    NodeObject* node = as_node(self);
    if (node->weakrefs) PyObject_ClearWeakRefs(self);
    clear_contents(node);
    std::destroy_at(&node->edges);
    std::destroy_at(&node->saved);
    std::destroy_at(&node->outputs);
    std::destroy_at(&node->incoming);
    type->tp_free(self);
    Py_DECREF(type);
}

// Node(function, name, edges, outputs): a node whose backward is a Python function. `edges` are
// tensors or None, `outputs` the tensors that it made (shape and dtype are kept).
PyObject* node_new(PyTypeObject*, PyObject* args, PyObject*) {
    return guarded([&]() -> PyObject* {
        PyObject *function, *name, *edges, *outputs;
        if (!PyArg_ParseTuple(args, "OUO!O!", &function, &name, &PyTuple_Type, &edges,
                              &PyTuple_Type, &outputs))
            throw PythonError();
        PyRef made = new_node(nullptr);
        NodeObject* node = as_node(made.get());
        node->function = Py_NewRef(function);
        node->name = Py_NewRef(name);
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(edges); ++i) {
            PyObject* item = PyTuple_GET_ITEM(edges, i);
            node->edges.push_back(is_tensor(item) ? edge_to(as_tensor(item)) : Edge());
        }
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(outputs); ++i) {
            PyObject* item = PyTuple_GET_ITEM(outputs, i);
            if (is_tensor(item))
                node->outputs.push_back({as_tensor(item)->array.shape(),
                                         as_tensor(item)->array.dtype()});
            else
                node->outputs.push_back({Dims(), DType::F32});
        }
        return made.release();
    });
}

// node(*gradients): the gradients of its inputs, as backward would compute them.
PyObject* node_call(PyObject* self, PyObject* args, PyObject*) {
    return guarded([&]() -> PyObject* {
        NodeObject* node = as_node(self);
        Gradients gradients(node->outputs.size());
        check_as(ErrorKind::Type, std::size_t(PyTuple_GET_SIZE(args)) == gradients.size(),
                 "a node takes one gradient per output");
        for (std::size_t i = 0; i < gradients.size(); ++i)
            if (PyTuple_GET_ITEM(args, Py_ssize_t(i)) != Py_None)
                gradients[i] = PyRef::borrow(PyTuple_GET_ITEM(args, Py_ssize_t(i)));
        Flags needed;
        for (const auto& edge : node->edges) needed.push_back(bool(edge.target));
        Gradients results = apply_node(node, std::move(gradients), needed);
        PyRef tuple = PyRef::check(PyTuple_New(Py_ssize_t(results.size())));
        for (std::size_t i = 0; i < results.size(); ++i)
            PyTuple_SET_ITEM(tuple.get(), Py_ssize_t(i),
                             Py_NewRef(results[i] ? results[i].get() : Py_None));
        return tuple.release();
    });
}

PyObject* node_name(PyObject* self, PyObject*) {
    return guarded([&] { return name_of(as_node(self)).release(); });
}

PyObject* node_repr(PyObject* self) {
    return guarded([&] {
        return PyUnicode_FromFormat("<%U object at %p>", name_of(as_node(self)).get(), self);
    });
}

PyObject* node_next_functions(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        NodeObject* node = as_node(self);
        PyRef all = PyRef::check(PyTuple_New(Py_ssize_t(node->edges.size())));
        for (std::size_t i = 0; i < node->edges.size(); ++i) {
            const Edge& edge = node->edges[i];
            PyRef target = edge.target ? edge.target : PyRef::borrow(Py_None);
            if (is_tensor(target.get()))
                target = PyRef::check(
                    PyObject_CallOneArg(callbacks().accumulate_node.get(), target.get()));
            else if (is_node(target.get()))
                target = PyRef::check(show_node(as_node(target.get())));
            PyTuple_SET_ITEM(all.get(), Py_ssize_t(i),
                             PyRef::check(Py_BuildValue("(OI)", target.get(), edge.output_nr))
                                 .release());
        }
        return all.release();
    });
}

PyObject* node_saved(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        NodeObject* node = as_node(self);
        PyRef all = PyRef::check(PyTuple_New(Py_ssize_t(node->saved.size())));
        for (std::size_t i = 0; i < node->saved.size(); ++i)
            PyTuple_SET_ITEM(all.get(), Py_ssize_t(i), unpack(node, node->saved[i]).release());
        return all.release();
    });
}

PyObject* node_add_edge(PyObject* self, PyObject* tensor) {
    return guarded([&]() -> PyObject* {
        as_node(self)->edges.push_back(is_tensor(tensor) ? edge_to(as_tensor(tensor)) : Edge());
        Py_RETURN_NONE;
    });
}

// node._saved_other, node._saved_result: what is kept of an argument, by its name; PyTorch calls the
// first one self. None where no gradient that is wanted needs it.
PyObject* node_getattr(PyObject* self, PyObject* name) {
    PyObject* found = PyObject_GenericGetAttr(self, name);
    if (found || !PyErr_ExceptionMatches(PyExc_AttributeError) || !as_node(self)->op) return found;
    static constexpr std::string_view kPrefix = "_saved_";
    const char* utf8 = PyUnicode_AsUTF8(name);
    if (!utf8 || !std::string_view(utf8).starts_with(kPrefix)) return nullptr;
    const std::string_view asked = std::string_view(utf8).substr(kPrefix.size());
    return guarded([&]() -> PyObject* {
        NodeObject* node = as_node(self);
        const OpSpec& spec = *node->op;
        for (std::size_t i = 0; i < node->saved.size(); ++i) {
            const Kept& kept = spec.saves[i];
            if (kept.what != Kept::Value) continue;
            const std::string known =
                kept.argument < 0 ? "result"
                                  : PyUnicode_AsUTF8(PyTuple_GET_ITEM(spec.arguments.get(),
                                                                      kept.argument));
            if (asked != known && !(asked == "self" && kept.argument == 0)) continue;
            PyErr_Clear();
            if (!(spec.used_by[i] & node->recorded)) Py_RETURN_NONE;
            return unpack(node, node->saved[i]).release();
        }
        return nullptr;  // the AttributeError stands
    });
}

PyObject* node_get_metadata(PyObject* self, void*) {
    NodeObject* node = as_node(self);
    if (!node->metadata) node->metadata = PyDict_New();
    return Py_XNewRef(node->metadata);
}
PyObject* node_get_sequence(PyObject* self, void*) {
    return PyLong_FromUnsignedLongLong(as_node(self)->sequence);
}
PyObject* node_get_outputs(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const auto& outputs = as_node(self)->outputs;
        PyRef all = PyRef::check(PyTuple_New(Py_ssize_t(outputs.size())));
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            const PyRef shape = PyRef::check(dims_to_python(outputs[i].shape));
            const PyRef dtype = PyRef::check(dtype_to_python(outputs[i].dtype));
            PyTuple_SET_ITEM(all.get(), Py_ssize_t(i),
                             PyRef::check(PyTuple_Pack(2, shape.get(), dtype.get())).release());
        }
        return all.release();
    });
}
PyObject* node_get_released(PyObject* self, void*) {
    return PyBool_FromLong(as_node(self)->released);
}

PyMethodDef node_methods[] = {
    {"name", node_name, METH_NOARGS, "The node's name, as MulBackward0."},
    {"saved_values", node_saved, METH_NOARGS, "What the formulas need, unpacked."},
    {"add_edge", node_add_edge, METH_O, "One more input, with the history of a tensor."},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef node_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(NodeObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(NodeObject, weakrefs), READONLY, nullptr},
    {"_pre_hooks", T_OBJECT, offsetof(NodeObject, pre_hooks), 0, nullptr},
    {"_post_hooks", T_OBJECT, offsetof(NodeObject, post_hooks), 0, nullptr},
    {"_trace", T_OBJECT, offsetof(NodeObject, trace), 0, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyGetSetDef node_getset[] = {
    {"next_functions", node_next_functions, nullptr, "The nodes its inputs came from.", nullptr},
    {"metadata", node_get_metadata, nullptr, "A dict for the user.", nullptr},
    {"_sequence_nr_", node_get_sequence, nullptr, "Order of creation.", nullptr},
    {"_outputs", node_get_outputs, nullptr, "(shape, dtype) of each of its results.", nullptr},
    {"_released", node_get_released, nullptr, "Whether a backward freed it.", nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot node_slots[] = {{Py_tp_new, reinterpret_cast<void*>(node_new)},
                            {Py_tp_call, reinterpret_cast<void*>(node_call)},
                            {Py_tp_traverse, reinterpret_cast<void*>(node_traverse)},
                            {Py_tp_clear, reinterpret_cast<void*>(node_clear)},
                            {Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)},
                            {Py_tp_repr, reinterpret_cast<void*>(node_repr)},
                            {Py_tp_getattro, reinterpret_cast<void*>(node_getattr)},
                            {Py_tp_methods, node_methods},
                            {Py_tp_members, node_members},
                            {Py_tp_getset, node_getset},
                            {0, nullptr}};

PyType_Spec node_spec = {"rushlight._core.Node", sizeof(NodeObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, node_slots};

}  // namespace

void add_node_type(PyObject* module) {
    PyRef type = PyRef::check(PyType_FromSpec(&node_spec));
    node_type = reinterpret_cast<PyTypeObject*>(type.get());
    check_status(PyModule_AddObjectRef(module, "Node", type.get()));
    type.release();
}

}  // namespace rushlight
