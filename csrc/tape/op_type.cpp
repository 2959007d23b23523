// The Python type of ops: how one is made, given its formulas, and what Python asks of it.
#include "tape/op.h"

#include <structmember.h>

#include <algorithm>

#include "tape/calls.h"

namespace rushlight {

PyTypeObject* op_type = nullptr;

namespace {

constexpr int kUnknown = -2;

int argument_named(const OpSpec& spec, const std::string& name) {
    for (int i = 0; i < spec.count; ++i)
        if (text(PyTuple_GET_ITEM(spec.arguments.get(), i)) == name) return i;
    return name == "result" ? -1 : kUnknown;
}

// Op(name, kernel, arguments, defaults, variadic, python_body, view, out, backward_name, tensors,
//    one_tensor, any_layout, by_name); `out` is an OutDtype
PyObject* op_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
    return guarded([&]() -> PyObject* {
        static const char* names[] = {"name",        "kernel", "arguments", "defaults",
                                      "variadic",    "python_body", "view", "out",
                                      "backward_name", "tensors", "one_tensor", "any_layout",
                                      "by_name",     nullptr};
        PyObject *name, *kernel, *arguments, *defaults, *backward_name;
        int variadic = -1, python_body = 0, view = 0, out = 0, one_tensor = 0, any_layout = 0;
        int by_name = 0;
        unsigned tensors = 0;
        if (!PyArg_ParseTupleAndKeywords(args, keywords, "UOO!O!ippiO|Ippi",
                                         const_cast<char**>(names), &name, &kernel, &PyTuple_Type,
                                         &arguments, &PyTuple_Type, &defaults, &variadic,
                                         &python_body, &view, &out, &backward_name, &tensors,
                                         &one_tensor, &any_layout, &by_name))
            throw PythonError();
        check_as(ErrorKind::Type,
                 PyUnicode_Check(backward_name) ||
                     (PyTuple_Check(backward_name) && PyTuple_GET_SIZE(backward_name) == 2),
                 "backward_name must be a str, or a function and the names of its arguments");
        check_as(ErrorKind::Value, PyTuple_GET_SIZE(arguments) <= kMaxArguments,
                 "an op takes at most ", kMaxArguments, " arguments");
        PyRef made = PyRef::check(type->tp_alloc(type, 0));
        OpObject* op = as_op(made.get());
        op->vectorcall = op_vectorcall;
        op->spec = new OpSpec();
        op->owns_spec = true;
        OpSpec& spec = *op->spec;
        spec.name = PyRef::borrow(name);
        spec.backward_name = PyRef::borrow(backward_name);
        spec.kernel = PyRef::borrow(kernel);
        spec.arguments = PyRef::borrow(arguments);
        spec.defaults = PyRef::borrow(defaults);
        spec.count = int(PyTuple_GET_SIZE(arguments));
        spec.variadic = variadic;
        spec.python_body = python_body;
        spec.view = view;
        spec.by_name = by_name;
        spec.out = OutDtype(out);
        spec.tensors = tensors;
        spec.one_tensor = one_tensor;
        spec.any_layout = any_layout;
        if (spec.out == OutDtype::Computed) {
            spec.dtype_argument = argument_named(spec, "dtype");
            check_as(ErrorKind::Value, spec.dtype_argument >= 0, text(name), ": computes in the ",
                     "dtype of out=, but has no argument dtype");
        }
        return made.release();
    });
}

constexpr std::uint32_t kAllGradients = ~std::uint32_t(0);

// The position of what is kept in the node's list, where it is added if it is new.
int keep(OpSpec& spec, const Kept& kept, std::uint32_t used_by) {
    const auto found = std::find(spec.saves.begin(), spec.saves.end(), kept);
    const auto at = std::size_t(found - spec.saves.begin());
    if (found == spec.saves.end()) {
        spec.saves.push_back(kept);
        spec.used_by.push_back(0);
    }
    spec.used_by[at] |= used_by;
    return int(at);
}

// Where a formula's argument comes from; adds to what the node saves. `input_shape` and
// `input_dtype` keep only that of the input, not its data. `used_by`, for each argument of the
// formula: which gradients need it.
Formula make_formula(OpSpec& spec, PyObject* call, PyObject* names,
                     const std::vector<std::uint32_t>& used_by) {
    Formula formula{PyRef::borrow(call), PyRef(), {}};
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        if (PyUnicode_CompareWithASCIIString(name, "needs") == 0) {
            formula.sources.push_back({Source::Needs, 0});
            continue;
        }
        const std::string asked = text(name);
        Kept kept{argument_named(spec, asked)};
        for (auto [suffix, what] :
             {std::pair{"_shape", Kept::Shape}, {"_dtype", Kept::Type}, {"_place", Kept::Place}})
            if (kept.argument == kUnknown && asked.ends_with(suffix))
                kept = {argument_named(spec, asked.substr(0, asked.size() - 6)), what};
        if (kept.argument == kUnknown)
            fail(ErrorKind::Value, text(spec.name.get()), ": the formula asks for '", asked,
                 "', which is neither an argument of the op nor 'result'");
        formula.sources.push_back({Source::Saved, keep(spec, kept, used_by[std::size_t(i)])});
    }
    return formula;
}

// What the function that names nodes takes: `dim` is the value of a plain argument; `other_ndim` and
// `other_dtype` describe an argument that a formula keeps, and are None if it is no tensor;
// `recorded` says of each input whether it wants a gradient.
Fact make_fact(OpSpec& spec, PyObject* name) {
    const std::string asked = text(name);
    if (asked == "recorded") return {Fact::Recorded};
    Kept kept{argument_named(spec, asked)};
    Fact::What what = Fact::Value;
    if (kept.argument == kUnknown) {
        for (auto [suffix, described] : {std::pair{std::string("_ndim"), Fact::Rank},
                                         std::pair{std::string("_dtype"), Fact::Type}})
            if (asked.ends_with(suffix)) {
                kept.argument = argument_named(spec, asked.substr(0, asked.size() - suffix.size()));
                what = described;
            }
    }
    if (what == Fact::Value && kept.argument >= 0) return {what, keep(spec, kept, kAllGradients)};
    const auto found = std::find(spec.saves.begin(), spec.saves.end(), kept);
    if (found == spec.saves.end())
        fail(ErrorKind::Value, text(spec.name.get()), ": the name of the node asks for '", asked,
             "', which no formula keeps");
    return {what, int(found - spec.saves.begin())};
}

// set_formulas(positions, [(callable, names, used_by, kernel), ...], joint, list_argument): one formula
// per differentiable argument, or a single joint one; `used_by` are bits, as in OpSpec, for each name;
// `kernel` or None takes the same arguments and is called in its place where nothing records.
PyObject* op_set_formulas(PyObject* self, PyObject* args) {
    return guarded([&]() -> PyObject* {
        PyObject *positions, *formulas;
        int joint = 0, list_argument = -1;
        if (!PyArg_ParseTuple(args, "O!O!pi", &PyTuple_Type, &positions, &PyList_Type, &formulas,
                              &joint, &list_argument))
            throw PythonError();
        OpSpec& spec = *as_op(self)->spec;
        spec.differentiable.clear();
        spec.formulas.clear();
        spec.saves.clear();
        spec.used_by.clear();
        spec.list_argument = list_argument;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(positions); ++i)
            spec.differentiable.push_back(int(PyLong_AsLong(PyTuple_GET_ITEM(positions, i))));
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(formulas); ++i) {
            PyObject *call, *names, *bits, *kernel;
            if (!PyArg_ParseTuple(PyList_GET_ITEM(formulas, i), "OO!O!O", &call, &PyTuple_Type,
                                  &names, &PyTuple_Type, &bits, &kernel))
                throw PythonError();
            std::vector<std::uint32_t> used_by;
            for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(names); ++k)
                used_by.push_back(std::uint32_t(PyLong_AsUnsignedLong(PyTuple_GetItem(bits, k))));
            if (PyErr_Occurred()) throw PythonError();
            Formula formula = make_formula(spec, call, names, used_by);
            if (kernel != Py_None) formula.kernel = PyRef::borrow(kernel);
            if (joint) spec.joint = std::move(formula);
            else spec.formulas.push_back(std::move(formula));
        }
        spec.name_facts.clear();
        if (PyTuple_Check(spec.backward_name.get())) {
            PyObject* asked = PyTuple_GET_ITEM(spec.backward_name.get(), 1);
            for (Py_ssize_t i = 0; i < PyTuple_Size(asked); ++i)
                spec.name_facts.push_back(make_fact(spec, PyTuple_GET_ITEM(asked, i)));
        }
        Py_RETURN_NONE;
    });
}

PyObject* make_form(PyObject* self, bool inplace, bool is_operator) {
    return guarded([&]() -> PyObject* {
        OpObject* op = as_op(self);
        PyRef made = PyRef::check(op_type->tp_alloc(op_type, 0));
        OpObject* form = as_op(made.get());
        form->vectorcall = op_vectorcall;
        form->spec = op->spec;
        form->owns_spec = false;
        form->inplace = inplace;
        form->is_operator = is_operator;
        form->origin = Py_NewRef(self);
        return made.release();
    });
}

// What is called in place of the op. An op without a hook pays nothing.
PyObject* op_set_hook(PyObject* self, PyObject* hook) {
    const bool on = hook != Py_None;
    as_op(self)->vectorcall = on ? hooked_vectorcall : op_vectorcall;
    Py_XSETREF(as_op(self)->hook, on ? Py_NewRef(hook) : nullptr);
    Py_RETURN_NONE;
}

PyObject* op_direct(PyObject* self, PyObject* const* args, Py_ssize_t given, PyObject* keywords) {
    return op_vectorcall(self, args, std::size_t(given), keywords);
}

PyObject* op_record(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    return guarded([&]() -> PyObject* {
        OpObject* op = as_op(self);
        check_as(ErrorKind::Type,
                 count == 2 && PyTuple_Check(args[0]) &&
                     PyTuple_GET_SIZE(args[0]) == op->spec->count,
                 "record(arguments, result): all arguments of the op are needed, as a tuple");
        return record_call(op, &PyTuple_GET_ITEM(args[0], 0), PyRef::borrow(args[1])).release();
    });
}

// An op as an attribute of Tensor: x.mul(y) calls it with x first.
struct OpMethod {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject* op;
};

PyTypeObject* method_type = nullptr;

PyObject*& op_of(PyObject* method) { return reinterpret_cast<OpMethod*>(method)->op; }

PyObject* method_vectorcall(PyObject* self, PyObject* const* args, std::size_t given,
                            PyObject* keywords) {
    PyObject* op = op_of(self);
    return as_op(op)->vectorcall(op, args, given, keywords);
}

PyObject* op_inplace_form(PyObject* self, PyObject*) { return make_form(self, true, false); }
PyObject* op_operator_form(PyObject* self, PyObject*) {
    return make_form(self, as_op(self)->inplace, true);
}

int op_traverse(PyObject* self, visitproc visit, void* arg) {
    OpObject* op = as_op(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(op->dict);
    Py_VISIT(op->origin);
    Py_VISIT(op->hook);
    if (op->owns_spec && op->spec) {
        Py_VISIT(op->spec->kernel.get());
        Py_VISIT(op->spec->backward_name.get());
        for (const Formula& formula : op->spec->formulas) {
            Py_VISIT(formula.call.get());
            Py_VISIT(formula.kernel.get());
        }
        Py_VISIT(op->spec->joint.call.get());
        Py_VISIT(op->spec->joint.kernel.get());
    }
    return 0;
}

void op_dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    OpObject* op = as_op(self);
    Py_CLEAR(op->dict);
    Py_CLEAR(op->origin);
    Py_CLEAR(op->hook);
    if (op->owns_spec) delete op->spec;
    type->tp_free(self);
    Py_DECREF(type);
}

// An op does not bind: kept as an attribute of a class, as `act = torch.tanh`, it is called with what
// it is given, as PyTorch's functions are. What binds is its method, which stands in Tensor.
PyObject* op_get(PyObject* self, PyObject*, PyObject*) { return Py_NewRef(self); }

PyObject* op_method(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        PyRef made = PyRef::check(method_type->tp_alloc(method_type, 0));
        auto* method = reinterpret_cast<OpMethod*>(made.get());
        method->vectorcall = method_vectorcall;
        method->op = Py_NewRef(self);
        return made.release();
    });
}

PyObject* op_repr(PyObject* self) {
    return guarded([&] {
        return PyUnicode_FromFormat("<op %s>", name_of(as_op(self)).c_str());
    });
}

PyObject* op_is_differentiable(PyObject* self, void*) {
    return PyBool_FromLong(!as_op(self)->spec->differentiable.empty());
}
PyObject* op_takes_out(PyObject* self, void*) {
    return PyBool_FromLong(as_op(self)->spec->out != OutDtype::NoOut && !as_op(self)->inplace);
}
PyObject* op_arguments(PyObject* self, void*) {
    return Py_NewRef(as_op(self)->spec->arguments.get());
}
PyObject* op_by_name(PyObject* self, void*) {
    return PyLong_FromLong(as_op(self)->spec->by_name);
}
PyObject* op_form_of(PyObject* self, void*) {
    PyObject* origin = as_op(self)->origin;
    return Py_NewRef(origin ? origin : Py_None);
}
PyObject* op_is_inplace(PyObject* self, void*) { return PyBool_FromLong(as_op(self)->inplace); }

PyMethodDef op_methods[] = {
    {"set_formulas", op_set_formulas, METH_VARARGS, "Gives the op its derivative formulas."},
    {"inplace_form", op_inplace_form, METH_NOARGS, "The form that writes to its first argument."},
    {"operator_form", op_operator_form, METH_NOARGS, "The form behind Python's operator."},
    {"method", op_method, METH_NOARGS, "The op as an attribute of Tensor."},
    {"set_hook", op_set_hook, METH_O, "What is called in its place: hook(op, ...); or None."},
    {"record", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(op_record)),
     METH_FASTCALL, "record(arguments, result): the result with the op's history."},
    {"direct", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(op_direct)),
     METH_FASTCALL | METH_KEYWORDS, "The op itself, past its hook."},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef op_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(OpObject, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(OpObject, dict), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyGetSetDef op_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"is_differentiable", op_is_differentiable, nullptr, "Whether it has formulas.", nullptr},
    {"takes_out", op_takes_out, nullptr, "Whether it has an argument out=.", nullptr},
    {"is_inplace", op_is_inplace, nullptr, "Whether it writes to its first argument.", nullptr},
    {"form_of", op_form_of, nullptr, "The op that it is another form of, or None.", nullptr},
    {"arguments", op_arguments, nullptr, "The names of its arguments.", nullptr},
    {"by_name", op_by_name, nullptr, "How many of the last ones are given by name only.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot op_slots[] = {{Py_tp_new, reinterpret_cast<void*>(op_new)},
                          {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                          {Py_tp_traverse, reinterpret_cast<void*>(op_traverse)},
                          {Py_tp_dealloc, reinterpret_cast<void*>(op_dealloc)},
                          {Py_tp_descr_get, reinterpret_cast<void*>(op_get)},
                          {Py_tp_repr, reinterpret_cast<void*>(op_repr)},
                          {Py_tp_methods, op_methods},
                          {Py_tp_members, op_members},
                          {Py_tp_getset, op_getset},
                          {0, nullptr}};

PyType_Spec op_type_spec = {"rushlight._core.Op", sizeof(OpObject), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
                            op_slots};

PyObject* method_get(PyObject* self, PyObject* instance, PyObject*) {
    if (!instance || instance == Py_None) return Py_NewRef(self);
    return PyMethod_New(self, instance);
}

// All that Python asks of it (__name__, __doc__, arguments, ...) is what the op says.
PyObject* method_getattr(PyObject* self, PyObject* name) {
    if (PyUnicode_CompareWithASCIIString(name, "__func__") == 0) return Py_NewRef(op_of(self));
    return PyObject_GetAttr(op_of(self), name);
}
int method_setattr(PyObject* self, PyObject* name, PyObject* value) {
    return PyObject_SetAttr(op_of(self), name, value);
}
// Equal to its op, so that tables of functions find either by the other.
Py_hash_t method_hash(PyObject* self) { return PyObject_Hash(op_of(self)); }
PyObject* method_compare(PyObject* self, PyObject* other, int how) {
    if (Py_TYPE(other) == method_type) other = op_of(other);
    return PyObject_RichCompare(op_of(self), other, how);
}
PyObject* method_repr(PyObject* self) { return PyObject_Repr(op_of(self)); }

int method_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(op_of(self));
    return 0;
}

void method_dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(op_of(self));
    type->tp_free(self);
    Py_DECREF(type);
}

PyMemberDef method_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(OpMethod, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot method_slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                              {Py_tp_traverse, reinterpret_cast<void*>(method_traverse)},
                              {Py_tp_dealloc, reinterpret_cast<void*>(method_dealloc)},
                              {Py_tp_descr_get, reinterpret_cast<void*>(method_get)},
                              {Py_tp_getattro, reinterpret_cast<void*>(method_getattr)},
                              {Py_tp_setattro, reinterpret_cast<void*>(method_setattr)},
                              {Py_tp_repr, reinterpret_cast<void*>(method_repr)},
                              {Py_tp_hash, reinterpret_cast<void*>(method_hash)},
                              {Py_tp_richcompare, reinterpret_cast<void*>(method_compare)},
                              {Py_tp_members, method_members},
                              {0, nullptr}};

PyType_Spec method_type_spec = {
    "rushlight._core.OpMethod", sizeof(OpMethod), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
        Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    method_slots};

}  // namespace

void add_op_type(PyObject* module) {
    PyRef type = PyRef::check(PyType_FromSpec(&op_type_spec));
    op_type = reinterpret_cast<PyTypeObject*>(type.get());
    check_status(PyModule_AddObjectRef(module, "Op", type.get()));
    type.release();  // for the life of the process
    PyRef method = PyRef::check(PyType_FromSpec(&method_type_spec));
    method_type = reinterpret_cast<PyTypeObject*>(method.get());
    check_status(PyModule_AddObjectRef(module, "OpMethod", method.get()));
    method.release();
}

}  // namespace rushlight
