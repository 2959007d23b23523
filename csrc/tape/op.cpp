// Calling an Op: bind the arguments, run the kernel, record a node when gradients are wanted.
#include "tape/op.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "elementwise/pending.h"
#include "tape/calls.h"
#include "tape/node.h"
#include "tape/values.h"

namespace rushlight {

std::string text(PyObject* unicode) {
    const char* utf8 = PyUnicode_AsUTF8(unicode);
    if (!utf8) throw PythonError();
    return utf8;
}

std::string name_of(const OpObject* op) {
    return text(op->spec->name.get()) + (op->inplace ? "_" : "");
}

namespace {

// ---- arguments

// The call's arguments by position; `held` keeps what had to be made for it.
struct Bound {
    PyObject* values[kMaxArguments] = {};
    PyObject* out = nullptr;
    PyRef held;
    PyRef dtype;  // of `out`, where the op computes in it
};

int position_of(const OpSpec& spec, PyObject* keyword) {
    PyObject* names = spec.arguments.get();
    for (int i = 0; i < spec.count; ++i)
        if (PyTuple_GET_ITEM(names, i) == keyword) return i;
    for (int i = 0; i < spec.count; ++i)
        if (PyUnicode_Compare(PyTuple_GET_ITEM(names, i), keyword) == 0) return i;
    // PyTorch takes NumPy's names for the first arguments too.
    if (PyUnicode_CompareWithASCIIString(keyword, "axis") == 0)
        for (int i = 0; i < spec.count; ++i)
            if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), "dim") == 0) return i;
    if (PyUnicode_CompareWithASCIIString(keyword, "keepdims") == 0)
        for (int i = 0; i < spec.count; ++i)
            if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), "keepdim") == 0)
                return i;
    for (const char* first : {"x", "a", "x1", "input"})
        if (spec.count > 0 && PyUnicode_CompareWithASCIIString(keyword, first) == 0) return 0;
    if (spec.count > 1 && PyUnicode_CompareWithASCIIString(keyword, "x2") == 0) return 1;
    return -1;
}

[[noreturn]] void wrong_arguments(const OpObject* op, const std::string& what) {
    std::string signature = "(";
    for (int i = 0; i < op->spec->count; ++i)
        signature += std::string(i ? ", " : "") +
                     (op->spec->by_name && i == op->spec->count - op->spec->by_name ? "*, " : "") +
                     text(PyTuple_GET_ITEM(op->spec->arguments.get(), i));
    fail(ErrorKind::Type, name_of(op), "(): ", what, "; it takes ", signature, ")");
}

void bind(const OpObject* op, PyObject* const* args, Py_ssize_t given, PyObject* keywords,
          Bound& bound) {
    const OpSpec& spec = *op->spec;
    Py_ssize_t positional = given;
    if (spec.variadic >= 0 && given > spec.variadic &&
        (given > spec.variadic + 1 || PyLong_Check(args[spec.variadic]))) {
        // sizes given one by one: view(2, 3)
        bound.held = PyRef::check(PyTuple_New(given - spec.variadic));
        for (Py_ssize_t i = spec.variadic; i < given; ++i)
            PyTuple_SET_ITEM(bound.held.get(), i - spec.variadic, Py_NewRef(args[i]));
        positional = spec.variadic;
        bound.values[spec.variadic] = bound.held.get();
    }
    if (positional > spec.count - spec.by_name)
        wrong_arguments(op, std::to_string(given) + " positional arguments are too many");
    for (Py_ssize_t i = 0; i < positional; ++i) bound.values[i] = args[i];
    const Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
    for (Py_ssize_t k = 0; k < named; ++k) {
        PyObject* keyword = PyTuple_GET_ITEM(keywords, k);
        const int at = position_of(spec, keyword);
        if (at >= 0) {
            if (bound.values[at]) wrong_arguments(op, "argument '" + text(keyword) + "' given twice");
            bound.values[at] = args[given + k];
        } else if (spec.out != OutDtype::NoOut && !op->inplace &&
                   PyUnicode_CompareWithASCIIString(keyword, "out") == 0) {
            if (args[given + k] != Py_None) bound.out = args[given + k];
        } else {
            wrong_arguments(op, "unexpected keyword argument '" + text(keyword) + "'");
        }
    }
    const Py_ssize_t defaults = PyTuple_GET_SIZE(spec.defaults.get());
    for (int i = 0; i < spec.count; ++i) {
        if (bound.values[i]) continue;
        const Py_ssize_t d = i - (spec.count - defaults);
        if (d < 0)
            wrong_arguments(op, "missing argument '" +
                                    text(PyTuple_GET_ITEM(spec.arguments.get(), i)) + "'");
        bound.values[i] = PyTuple_GET_ITEM(spec.defaults.get(), d);
    }
    if (bound.out && spec.out == OutDtype::Computed && is_tensor(bound.out) &&
        bound.values[spec.dtype_argument] == Py_None) {
        bound.dtype = PyRef::check(dtype_to_python(as_tensor(bound.out)->array.dtype()));
        bound.values[spec.dtype_argument] = bound.dtype.get();
    }
}

[[noreturn]] void not_a_tensor(const OpObject* op, int at, PyObject* value) {
    fail(ErrorKind::Type, name_of(op), "(): argument '",
         text(PyTuple_GET_ITEM(op->spec->arguments.get(), at)), "' (position ", at + 1,
         ") must be Tensor, not ", Py_TYPE(value)->tp_name);
}

void check_tensors(const OpObject* op, PyObject* const* values) {
    for (std::uint32_t left = op->spec->tensors; left; left &= left - 1) {
        const int at = std::countr_zero(left);
        if (!is_tensor(values[at])) [[unlikely]] not_a_tensor(op, at, values[at]);
    }
    if (op->spec->one_tensor && !is_tensor(values[0]) && !is_tensor(values[1])) [[unlikely]]
        not_a_tensor(op, 0, values[0]);
}

// ---- the kernel

// nanobind's "incompatible function arguments" told in the op's terms.
void explain_type_error(const OpObject* op, PyObject* const* values) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyRef message = PyRef::steal(PyObject_Str(value));
    const char* utf8 = message ? PyUnicode_AsUTF8(message.get()) : nullptr;
    if (!utf8 || !std::strstr(utf8, "incompatible function arguments")) {
        PyErr_Restore(type, value, trace);
        return;
    }
    std::string got;
    for (int i = 0; i < op->spec->count; ++i)
        got += (i ? ", " : "") + text(PyTuple_GET_ITEM(op->spec->arguments.get(), i)) + ": " +
               Py_TYPE(values[i])->tp_name;
    const char* wanted = std::strstr(utf8, "1. ");
    std::string expected = wanted ? std::string(wanted + 3) : std::string();
    expected = expected.substr(0, expected.find('\n'));
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    PyErr_Format(PyExc_TypeError, "%s(): got (%s), expected %s", name_of(op).c_str(), got.c_str(),
                 expected.c_str());
}

bool is_meta(PyObject* value) {
    if (is_tensor(value)) return as_tensor(value)->array.is_meta();
    if (!PyTuple_Check(value) && !PyList_Check(value)) return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i)
        if (is_meta(PySequence_Fast_GET_ITEM(value, i))) return true;
    return false;
}

PyRef arguments_of(const OpSpec& spec, PyObject* const* values) {
    PyRef all = PyRef::check(PyTuple_New(spec.count));
    for (int i = 0; i < spec.count; ++i) PyTuple_SET_ITEM(all.get(), i, Py_NewRef(values[i]));
    return all;
}

// What stands in for the kernel where arguments have no memory: a rule for shapes and dtypes
// (rushlight/meta). Null: the kernel is its own rule, as views and pointwise operations are.
PyObject* apply_meta_rule(OpObject* op, PyObject* const* values) {
    const PyRef name = PyRef::check(PyUnicode_FromString(name_of(op).c_str()));
    const PyRef all = arguments_of(*op->spec, values);
    GradModeGuard guard(false);
    PyRef result = PyRef::check(PyObject_CallFunctionObjArgs(
        callbacks().call_meta.get(), name.get(), as_object(op), all.get(), nullptr));
    return result.get() == Py_NotImplemented ? nullptr : result.release();
}

// A kernel that asked for elements where there are none has no rule for shapes.
void explain_no_memory(const OpObject* op) {
    if (!PyErr_ExceptionMatches(PyExc_NotImplementedError)) return;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    const PyRef message = PyRef::steal(PyObject_Str(value));
    const char* utf8 = message ? PyUnicode_AsUTF8(message.get()) : nullptr;
    if (!utf8 || !std::strstr(utf8, "no data!")) {
        PyErr_Restore(type, value, trace);
        return;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    PyErr_Format(PyExc_NotImplementedError,
                 "%s: not available for tensors on the meta device, which have no data: there is no "
                 "rule that tells its result from shapes alone. Use tensors on the CPU",
                 name_of(op).c_str());
}

PyRef call_kernel(OpObject* op, PyObject* const* values) {
    const OpSpec& spec = *op->spec;
    PyObject* result;
    std::optional<MetaGuard> without_memory;
    if (any_special && std::any_of(values, values + spec.count, is_meta)) [[unlikely]] {
        without_memory.emplace(true);
        if (PyObject* found = apply_meta_rule(op, values)) return PyRef::steal(found);
    }
    if (spec.python_body) {
        GradModeGuard guard(false);
        result = PyObject_Vectorcall(spec.kernel.get(), values, std::size_t(spec.count), nullptr);
    } else {
        result = PyObject_Vectorcall(spec.kernel.get(), values, std::size_t(spec.count), nullptr);
    }
    if (!result) {
        explain_type_error(op, values);
        if (without_memory) explain_no_memory(op);
        throw PythonError();
    }
    return PyRef::steal(result);
}

}  // namespace

// ---- recording

bool wants_gradient(PyObject* value) {
    if (!is_tensor(value)) return false;
    TensorObject* tensor = as_tensor(value);
    if (tensor->base) refresh_view(tensor);
    return requires_grad(tensor);
}

namespace {

bool any_wants_gradient(const OpSpec& spec, PyObject* const* values) {
    for (int at : spec.differentiable) {
        if (at == spec.list_argument) {
            PyRef items = PyRef::check(PySequence_Fast(values[at], "expected a sequence of tensors"));
            for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i)
                if (wants_gradient(PySequence_Fast_GET_ITEM(items.get(), i))) return true;
        } else if (wants_gradient(values[at])) {
            return true;
        }
    }
    return false;
}

// Adds the edge to the history of the `input`-th differentiable argument, or of an item of it.
void add_edge(NodeObject* node, PyObject* value, std::uint32_t level, std::size_t input) {
    const bool followed = is_tensor(value) && as_tensor(value)->level == level;
    node->edges.push_back(followed ? edge_to(as_tensor(value)) : Edge());
    if (node->edges.back().target) node->recorded |= std::uint32_t(1) << input;
}

// What a node keeps of an argument.
Saved saved_argument(PyObject* value, Kept::What what, bool used) {
    if (!is_tensor(value)) return save_value(value);
    if (what == Kept::Value && used) return save_value(value);
    const TensorObject* tensor = as_tensor(value);
    const Array& array = tensor->array;
    Saved saved;
    if (what == Kept::Value && tensor->requires_grad && !tensor->node) {
        saved.value = PyRef::borrow(value);  // a parameter lives anyway: it stands for its shape
    } else if (what == Kept::Shape) {
        saved.value = PyRef::check(dims_to_python(array.shape()));
    } else if (what == Kept::Type) {
        saved.value = PyRef::check(dtype_to_python(array.dtype()));
    } else if (what == Kept::Place) {
        const PyRef shape = PyRef::check(dims_to_python(array.shape()));
        const PyRef strides = PyRef::check(dims_to_python(array.strides()));
        saved.value = PyRef::check(Py_BuildValue("OOn", shape.get(), strides.get(),
                                                 Py_ssize_t(array.offset())));
    } else {
        saved.output = array.is_meta() ? array : without_data(array.shape(), array.dtype());
        saved.hollow = true;
        saved.rank = std::int8_t(array.ndim());
        saved.dtype = array.dtype();
    }
    return saved;
}

}  // namespace

static bool can_have_gradient(DType dtype) { return is_floating(dtype) || is_complex(dtype); }

bool uses_first(const OpSpec& spec, PyObject* const* values) {
    const auto found = std::find(spec.saves.begin(), spec.saves.end(), Kept{0});
    if (found == spec.saves.end()) return false;
    const std::uint32_t used_by = spec.used_by[std::size_t(found - spec.saves.begin())];
    for (std::size_t input = 0; input < spec.differentiable.size(); ++input) {
        const int at = spec.differentiable[input];
        if (!(used_by >> input & 1)) continue;
        if (at == spec.list_argument || wants_gradient(values[at])) return true;
    }
    return false;
}

PyRef record(OpSpec* spec, PyObject* const* values, PyObject* before, std::uint32_t level) {
    PyRef made = new_node(spec);
    NodeObject* node = as_node(made.get());
    for (std::size_t input = 0; input < spec->differentiable.size(); ++input) {
        const int at = spec->differentiable[input];
        if (at == spec->list_argument) {
            PyRef items = PyRef::check(PySequence_Fast(values[at], "expected a sequence of tensors"));
            for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i)
                add_edge(node, PySequence_Fast_GET_ITEM(items.get(), i), level, input);
        } else {
            add_edge(node, values[at], level, input);
        }
    }
    node->saved.reserve(spec->saves.size());
    for (std::size_t i = 0; i < spec->saves.size(); ++i) {
        const Kept& kept = spec->saves[i];
        if (kept.argument < 0) {
            node->saved.emplace_back();  // filled from the result
            continue;
        }
        PyObject* value = kept.argument == 0 && before ? before : values[kept.argument];
        const bool used = (spec->used_by[i] & node->recorded) != 0;
        node->saved.push_back(saved_argument(value, kept.what, used));
    }
    return made;
}

void add_output(NodeObject* node, PyObject* value) {
    const std::uint32_t number = std::uint32_t(node->outputs.size());
    if (!is_tensor(value)) {
        node->outputs.push_back({Dims(), DType::F32});
        return;
    }
    TensorObject* tensor = as_tensor(value);
    node->outputs.push_back({tensor->array.shape(), tensor->array.dtype()});
    if (!can_have_gradient(tensor->array.dtype())) return;
    tensor->node = as_node(Py_NewRef(as_object(node)));
    tensor->output_nr = number;
}

void save_results(NodeObject* node, PyObject* result) {
    for (std::size_t i = 0; i < node->saved.size(); ++i) {
        if (node->op->saves[i].argument >= 0) continue;
        Saved& saved = node->saved[i];
        if (!(node->op->used_by[i] & node->recorded)) {
            saved.value = PyRef::borrow(Py_None);
            continue;
        }
        if (is_tensor(result)) {
            TensorObject* tensor = as_tensor(result);
            if (tensor->level || !is_strided(tensor)) {
                saved.value = PyRef::check(detach_item(tensor));
                saved.own_item = saved.is_tensor = true;
                saved.output_nr = tensor->output_nr;
                saved.version = version_of(tensor);
                continue;
            }
            if (modes.saved_tensor_hooks && PyList_GET_SIZE(modes.saved_tensor_hooks)) {
                saved = save_value(result, true);
                saved.own_item = true;  // no reference to the node from itself
                saved.history = PyRef();
                continue;
            }
            saved.output = tensor->array;
            saved.output_nr = tensor->output_nr;
            saved.version = tensor->array.is_pending() ? 0 : tensor->array.storage().version();
            saved.is_tensor = true;
        } else {  // several results: detached from the node by their arrays
            PyRef parts = PyRef::check(PyTuple_New(PySequence_Size(result)));
            for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(parts.get()); ++k) {
                PyRef item = PyRef::check(PySequence_GetItem(result, k));
                TensorObject* part = is_tensor(item.get()) ? as_tensor(item.get()) : nullptr;
                PyTuple_SET_ITEM(parts.get(), k,
                                 !part ? Py_NewRef(item.get())
                                 : part->level || !is_strided(part) ? detach_item(part)
                                                                    : wrap(part->array));
            }
            saved.value = std::move(parts);
        }
    }
}

void mark_view(PyObject* result, PyObject* source, bool several) {
    if (!is_tensor(result)) return;
    TensorObject* view = as_tensor(result);
    TensorObject* parent = as_tensor(source);
    view->base = Py_NewRef(parent->base ? parent->base : source);
    view->attached_version = version_of(view);
    view->view_kind = several        ? ViewKind::MultiOutput
                      : !modes.grad  ? ViewKind::NoGrad
                      : parent->base ? parent->view_kind
                                     : ViewKind::Plain;
}

namespace {

// A kernel in Python may return a view of what it made itself: the caller knows no base. Nor does
// it know of writes to that.
void settle_result(const OpSpec* spec, PyObject* const* values, PyObject* result) {
    if (!is_tensor(result)) return;
    for (int i = 0; i < spec->count; ++i)
        if (values[i] == result) return;
    Py_CLEAR(as_tensor(result)->base);
    forget_writes(as_tensor(result)->array);
}

PyRef call_out_of_place(OpObject* op, PyObject* const* values) {
    OpSpec* spec = op->spec;
    const bool recording = modes.grad && any_wants_gradient(*spec, values);
    PyRef result = call_kernel(op, values);
    if (spec->view && is_tensor(values[0]) && result.get() != values[0]) {
        const bool several = !is_tensor(result.get());
        for_each_result(result.get(),
                        [&](PyObject* item) { mark_view(item, values[0], several); });
    } else if (spec->python_body) {
        for_each_result(result.get(), [&](PyObject* item) { settle_result(spec, values, item); });
    }
    if (recording && result.get() != values[0]) {
        PyRef made = record(spec, values, nullptr);
        NodeObject* node = as_node(made.get());
        for_each_result(result.get(), [&](PyObject* item) { add_output(node, item); });
        save_results(node, result.get());
    }
    return result;
}

}  // namespace

// ---- in place

namespace {

bool shares_elements(const Array& array) {
    if (array.numel() == 0) return false;
    for (int d = 0; d < array.ndim(); ++d)
        if (array.stride(d) == 0 && array.size(d) > 1) return true;
    return false;
}

[[noreturn]] void refuse_shared(const std::string& name, const Array& array) {
    fail(ErrorKind::Runtime, name,
         ": unsupported operation: more than one element of the written-to tensor refers to a "
         "single memory location (shape ", array.shape(), ", strides ", array.strides(),
         "). Please clone() the tensor before performing the operation.");
}

}  // namespace

void check_inplace(const OpObject* op, TensorObject* self) {
    if (!self->level && shares_elements(self->array)) [[unlikely]]
        refuse_shared(name_of(op), self->array);
    if (!modes.grad) return;
    if (self->base) refresh_view(self);
    if (!self->node && self->requires_grad)
        fail(ErrorKind::Runtime, name_of(op),
             ": a leaf Variable that requires grad is being used in an in-place operation; use the "
             "out-of-place form, or wrap the update in torch.no_grad()");
    if (!self->base || !requires_grad(self)) return;
    TensorObject* base = as_tensor(self->base);
    if (!base->node && base->requires_grad)
        fail(ErrorKind::Runtime, name_of(op),
             ": a view of a leaf Variable that requires grad is being used in an in-place "
             "operation; use the out-of-place form, or wrap the update in torch.no_grad()");
    if (self->view_kind == ViewKind::MultiOutput)
        fail(ErrorKind::Runtime, name_of(op),
             ": this view is one of several outputs of one function (split, chunk, unbind) and is "
             "being modified in place, which autograd cannot follow; clone() it first");
}

namespace {

void set_history(TensorObject* tensor, PyRef node, std::uint32_t output_nr) {
    PyObject* old = as_object(tensor->node);
    tensor->node = as_node(node.release());
    tensor->output_nr = output_nr;
    Py_XDECREF(old);
}

}  // namespace

// After a write in place: the tensor, or the base that it is a view of, comes from `node` now.
void rebase_history(TensorObject* self, PyRef node) {
    if (!self->base) {
        set_history(self, std::move(node), 0);
        return;
    }
    TensorObject* base = as_tensor(self->base);
    PyRef result = PyRef::check(PyObject_CallFunctionObjArgs(
        callbacks().copy_slices.get(), node.get(), as_object(self), nullptr));
    NodeObject* slices = as_node(result.get());
    NodeObject* inner = as_node(node.get());
    slices->edges.push_back(edge_to(base));
    for (std::size_t i = 1; i < inner->edges.size(); ++i) slices->edges.push_back(inner->edges[i]);
    slices->outputs.push_back({base->array.shape(), base->array.dtype()});
    set_history(base, std::move(result), 0);
    self->attached_version = self->array.storage().version() - 1;  // stale on purpose
    refresh_view(self);
}

namespace {

PyRef call_inplace(OpObject* op, PyObject* const* values) {
    OpSpec* spec = op->spec;
    if (!is_tensor(values[0]))
        fail(ErrorKind::Type, name_of(op), ": the first argument must be a Tensor, not ",
             Py_TYPE(values[0])->tp_name);
    TensorObject* self = as_tensor(values[0]);
    check_inplace(op, self);
    const bool recording = modes.grad && can_have_gradient(self->array.dtype()) &&
                           any_wants_gradient(*spec, values);
    PyRef node;
    if (recording) {
        PyRef before;
        if (uses_first(*spec, values)) {  // a formula needs the value that is about to go
            before = PyRef::check(wrap(clone(self->array)));
            give_history(as_tensor(before.get()), edge_to(self));
        }
        node = record(spec, values, before.get());
    }
    PyRef result;
    {
        const ReadSoon soon(!spec->python_body);
        result = call_kernel(op, values);
    }
    if (!is_tensor(result.get()))
        fail(ErrorKind::Type, name_of(op), ": has no in-place form");
    const Array& made = as_tensor(result.get())->array;
    if (!(made.shape() == self->array.shape())) [[unlikely]]
        fail(ErrorKind::Runtime, name_of(op), ": output with shape ", self->array.shape(),
             " doesn't match the broadcast shape ", made.shape());
    if (category_of(made.dtype()) > category_of(self->array.dtype())) [[unlikely]]
        fail(ErrorKind::Runtime, name_of(op), ": result type ", rushlight::name_of(made.dtype()),
             " can't be cast to the desired output type ",
             rushlight::name_of(self->array.dtype()));
    assign(self->array, made);
    if (recording) {
        NodeObject* recorded = as_node(node.get());
        recorded->outputs.push_back({self->array.shape(), self->array.dtype()});
        save_results(recorded, as_object(self));
        for (auto& saved : recorded->saved) saved.output_nr = saved.output ? 0 : saved.output_nr;
        rebase_history(self, std::move(node));
    }
    return PyRef::borrow(values[0]);
}

}  // namespace

// The op's node for a call whose result is there already: what other layouts do, in Python.
PyRef record_call(OpObject* op, PyObject* const* values, PyRef result) {
    if (!modes.grad || !any_wants_gradient(*op->spec, values)) return result;
    PyRef made = record(op->spec, values, nullptr);
    NodeObject* node = as_node(made.get());
    for_each_result(result.get(), [&](PyObject* item) { add_output(node, item); });
    save_results(node, result.get());
    return result;
}

namespace {

// Any call of an op while vmap is active.
PyRef call_in_levels(OpObject* op, PyObject* const* values) {
    if (const std::uint32_t level = level_of(*op->spec, values))
        return call_batched(op, values, level);
    GradModeGuard guard(modes.grad && !(modes.muted & 1));
    return op->inplace ? call_inplace(op, values) : call_out_of_place(op, values);
}

bool has_sparse(PyObject* value) {
    if (is_tensor(value)) return !is_strided(as_tensor(value));
    if (!PyTuple_Check(value) && !PyList_Check(value)) return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i)
        if (has_sparse(PySequence_Fast_GET_ITEM(value, i))) return true;
    return false;
}

bool has_sparse(const OpSpec& spec, PyObject* const* values) {
    if (spec.any_layout) return false;
    for (int i = 0; i < spec.count; ++i)
        if (has_sparse(values[i])) return true;
    return false;
}

// What an op does to tensors that are not strided is said in Python (rushlight/sparse), in terms of
// ops that take any layout.
PyRef call_sparse(OpObject* op, PyObject* const* values) {
    const OpSpec& spec = *op->spec;
    check_as(ErrorKind::NotImplemented, level_of(spec, values) == 0, name_of(op),
             ": sparse tensors inside vmap; use to_dense() before");
    const PyRef name = PyRef::check(PyUnicode_FromString(name_of(op).c_str()));
    const PyRef all = arguments_of(spec, values);
    return PyRef::check(PyObject_CallFunctionObjArgs(callbacks().call_sparse.get(), name.get(),
                                                     as_object(op), all.get(), nullptr));
}

}  // namespace

// ---- out=

static void warn_of_resize(const std::string& name, const Dims& shape, const Dims& wanted) {
    const std::string message = concat(
        name, ": the tensor given as out= has shape ", shape, ", which does not match the required "
        "output shape ", wanted, ", and is resized. This behavior is deprecated: give it no "
        "elements before, with out.resize_(0)");
    if (PyErr_WarnEx(PyExc_UserWarning, message.c_str(), 1) < 0) throw PythonError();
}

// The result written to `out`, which takes its shape; several results go to a sequence of tensors.
PyRef write_out(const std::string& name, PyRef result, PyObject* out, bool exact) {
    if (PyTuple_Check(out) || PyList_Check(out)) {
        const Py_ssize_t n = PySequence_Fast_GET_SIZE(out);
        if (!PyTuple_Check(result.get()) || PyTuple_GET_SIZE(result.get()) != n)
            fail(ErrorKind::Type, name, "(): out= needs one tensor per result");
        for (Py_ssize_t i = 0; i < n; ++i)
            write_out(name, PyRef::borrow(PyTuple_GET_ITEM(result.get(), i)),
                      PySequence_Fast_GET_ITEM(out, i), exact);
        return PyRef::borrow(out);
    }
    if (is_tensor(out) && is_tensor(result.get()) &&
        (as_tensor(out)->level || as_tensor(result.get())->level))
        fail(ErrorKind::Runtime, name,
             "(): out= is not available inside vmap; use the form that returns a new tensor");
    if (!is_tensor(out) || !is_tensor(result.get()))
        fail(ErrorKind::Type, name, "(): argument 'out' must be Tensor, not ",
             Py_TYPE(out)->tp_name);
    TensorObject* target = as_tensor(out);
    const Array& made = as_tensor(result.get())->array;
    check(target->layout == as_tensor(result.get())->layout, name, ": the result and the tensor "
          "given as out= have different layouts, one of them sparse");
    check(!(modes.grad && (requires_grad(target) || requires_grad(as_tensor(result.get())))), name,
          "(): functions with out=... arguments don't support automatic differentiation, but one "
          "of the arguments requires grad");
    check(category_of(made.dtype()) <= category_of(target->array.dtype()), name, ": result type ",
          rushlight::name_of(made.dtype()), " can't be cast to the desired output type ",
          rushlight::name_of(target->array.dtype()));
    check(!exact || made.dtype() == target->array.dtype(), name, ": Expected out tensor to have ",
          "dtype ", rushlight::name_of(made.dtype()), ", but got ",
          rushlight::name_of(target->array.dtype()), " instead");
    if (!is_strided(target)) {
        check(made.dtype() == target->array.dtype(), name, ": result type ",
              rushlight::name_of(made.dtype()), ", but the sparse tensor given as out= is of ",
              rushlight::name_of(target->array.dtype()));
        target->array = made;
        Py_XSETREF(target->parts, Py_XNewRef(as_tensor(result.get())->parts));
        return PyRef::borrow(out);
    }
    if (!(target->array.shape() == made.shape())) {
        // resized like PyTorch's out=: the tensor gets memory of its own in the new shape
        if (target->array.numel() > 0) warn_of_resize(name, target->array.shape(), made.shape());
        target->array = target->array.is_meta()
                            ? Array::meta(made.shape(), target->array.dtype())
                            : Array::empty(made.shape(), target->array.dtype());
    } else if (shares_elements(target->array)) {
        refuse_shared(name, target->array);
    }
    assign(target->array, made);
    return PyRef::borrow(out);
}

namespace {

bool is_operand(PyObject* value) {
    if (is_tensor(value) || PyFloat_Check(value) || PyLong_Check(value)) return true;
    Scalar number;
    return scalar_from_python(value, number);
}

// An operator with something that is no operand: left to the other side, or to what the operator
// form has as its attribute `foreign`.
PyObject* with_foreign(OpObject* op, PyObject* const* args, Py_ssize_t given) {
    PyObject* found = op->dict ? PyDict_GetItemString(op->dict, "foreign") : nullptr;
    if (!found) return Py_NewRef(Py_NotImplemented);
    return PyObject_Vectorcall(found, args, std::size_t(given), nullptr);
}

}  // namespace

namespace {

// The call raised a TypeError: Python may know what is meant by it. The error stays if not.
PyObject* other_form(PyObject* self, PyObject* const* args, Py_ssize_t given, PyObject* keywords) {
    if (!callbacks().other_form) return nullptr;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    const PyRef error_type = PyRef::steal(type), error = PyRef::steal(value),
                error_trace = PyRef::steal(trace);
    const PyRef positional = PyRef::check(PyTuple_New(given));
    for (Py_ssize_t i = 0; i < given; ++i)
        PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(args[i]));
    const PyRef named = PyRef::check(PyDict_New());
    for (Py_ssize_t k = 0; keywords && k < PyTuple_GET_SIZE(keywords); ++k)
        if (PyDict_SetItem(named.get(), PyTuple_GET_ITEM(keywords, k), args[given + k]) < 0)
            return nullptr;
    PyRef result = PyRef::check(PyObject_CallFunctionObjArgs(
        callbacks().other_form.get(), self, positional.get(), named.get(), nullptr));
    if (result.get() != Py_NotImplemented) return result.release();
    PyErr_Restore(Py_XNewRef(error_type.get()), Py_XNewRef(error.get()),
                  Py_XNewRef(error_trace.get()));
    return nullptr;
}

}  // namespace

PyObject* op_vectorcall(PyObject* self, PyObject* const* args, std::size_t nargsf,
                        PyObject* keywords) {
    PyObject* result = guarded([&]() -> PyObject* {
        OpObject* op = as_op(self);
        const Py_ssize_t given = PyVectorcall_NARGS(nargsf);
        if (op->is_operator)
            for (Py_ssize_t i = 0; i < given; ++i)
                if (!is_operand(args[i])) return with_foreign(op, args, given);
        Bound bound;
        PyObject* const* values = args;
        if (given != op->spec->count || keywords || op->spec->variadic >= 0 || op->spec->by_name) {
            bind(op, args, given, keywords, bound);
            values = bound.values;
        }
        check_tensors(op, values);
        PyRef result = any_special && has_sparse(*op->spec, values) ? call_sparse(op, values)
                       : modes.levels                              ? call_in_levels(op, values)
                       : op->inplace ? call_inplace(op, values)
                                     : call_out_of_place(op, values);
        if (bound.out)
            result = write_out(name_of(op), std::move(result), bound.out,
                               op->spec->out != OutDtype::Castable);
        return result.release();
    });
    if (!result && PyErr_ExceptionMatches(PyExc_TypeError)) [[unlikely]]
        return guarded([&] { return other_form(self, args, PyVectorcall_NARGS(nargsf), keywords); });
    return result;
}

PyObject* hooked_vectorcall(PyObject* self, PyObject* const* args, std::size_t nargsf,
                            PyObject* keywords) {
    return guarded([&]() -> PyObject* {
        const PyRef hook = PyRef::borrow(as_op(self)->hook);  // which the call may take away
        const Py_ssize_t given = PyVectorcall_NARGS(nargsf);
        std::vector<PyObject*> passed{self};
        passed.insert(passed.end(), args, args + given + (keywords ? PyTuple_Size(keywords) : 0));
        return PyObject_Vectorcall(hook.get(), passed.data(), std::size_t(given) + 1, keywords);
    });
}

}  // namespace rushlight
