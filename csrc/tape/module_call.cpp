// ModuleCall: the base of nn.Module that makes modules callable. A call is forward and a test for
// hooks; a frame of Python for that would cost each layer as much as a small op.
#include <array>

#include "tape/python.h"

namespace rushlight {

namespace {

PyObject* hooked_name = nullptr;   // "_hooked": whether a module may have hooks to run
PyObject* forward_name = nullptr;  // "forward"

PyObject* call_forward(PyObject* self, PyObject* args, PyObject* keywords) {
    const Py_ssize_t given = PyTuple_GET_SIZE(args);
    std::array<PyObject*, 6> stack;
    if (keywords || given >= Py_ssize_t(stack.size())) {
        const PyRef forward = PyRef::check(PyObject_GetAttr(self, forward_name));
        return PyObject_Call(forward.get(), args, keywords);
    }
    stack[0] = self;
    for (Py_ssize_t i = 0; i < given; ++i) stack[std::size_t(i) + 1] = PyTuple_GET_ITEM(args, i);
    return PyObject_VectorcallMethod(forward_name, stack.data(), std::size_t(given) + 1, nullptr);
}

PyObject* call_with_hooks(PyObject* self, PyObject* args, PyObject* keywords) {
    const PyRef named = keywords ? PyRef::borrow(keywords) : PyRef::check(PyDict_New());
    return PyObject_CallFunctionObjArgs(callbacks().module_with_hooks.get(), self, args,
                                        named.get(), nullptr);
}

// The exception that is set passed the module: Python adds where that is to its message.
void locate(PyObject* self) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    const PyRef done =
        PyRef::steal(PyObject_CallFunctionObjArgs(callbacks().module_failed.get(), self, value,
                                                  nullptr));
    PyErr_Restore(type, value, trace);
}

PyObject* module_call(PyObject* self, PyObject* args, PyObject* keywords) {
    PyObject* result = guarded([&]() -> PyObject* {
        const PyRef hooked = PyRef::check(PyObject_GetAttr(self, hooked_name));
        const bool plain = hooked.get() == Py_False &&
                           PyList_GET_SIZE(callbacks().module_hooks.get()) == 0;
        return (plain ? call_forward : call_with_hooks)(self, args, keywords);
    });
    if (!result) locate(self);
    return result;
}

PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(module_call)},
                       {Py_tp_doc, const_cast<char*>("Calls `forward`, with hooks around it.")},
                       {0, nullptr}};

PyType_Spec spec = {"rushlight._core.ModuleCall", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                    slots};

}  // namespace

void add_module_call_type(PyObject* module) {
    hooked_name = PyRef::check(PyUnicode_InternFromString("_hooked")).release();
    forward_name = PyRef::check(PyUnicode_InternFromString("forward")).release();
    const PyRef type = PyRef::check(PyType_FromSpec(&spec));
    check_status(PyModule_AddObjectRef(module, "ModuleCall", type.get()));
}

}  // namespace rushlight
