// The dtype objects, and conversions of plain values.
#include "tape/values.h"

#include "tape/python.h"
#include "tape/tensor.h"

namespace rushlight {

namespace {

struct DTypeObject {
    PyObject_HEAD
    DType dtype;
};

PyTypeObject* dtype_type = nullptr;
PyObject* dtype_objects[kDTypes] = {};

DType code(PyObject* self) { return reinterpret_cast<DTypeObject*>(self)->dtype; }

PyObject* dtype_repr(PyObject* self) {
    return PyUnicode_FromFormat("torch.%s", std::string(name_of(code(self))).c_str());
}
PyObject* dtype_reduce(PyObject* self, PyObject*) {
    return PyUnicode_FromString(std::string(name_of(code(self))).c_str());
}
PyObject* dtype_is_floating(PyObject* self, void*) {
    return PyBool_FromLong(is_floating(code(self)));
}
PyObject* dtype_is_complex(PyObject* self, void*) {
    return PyBool_FromLong(is_complex(code(self)));
}
PyObject* dtype_is_signed(PyObject* self, void*) {
    return PyBool_FromLong(!is_unsigned(code(self)) && code(self) != DType::Bool);
}
PyObject* dtype_itemsize(PyObject* self, void*) {
    return PyLong_FromSize_t(size_of(code(self)));
}
PyObject* dtype_name(PyObject* self, void*) {
    return PyUnicode_FromString(std::string(name_of(code(self))).c_str());
}
PyObject* dtype_to_real(PyObject* self, PyObject*) { return dtype_to_python(real_of(code(self))); }
PyObject* dtype_to_complex(PyObject* self, PyObject*) {
    return dtype_to_python(is_complex(code(self)) ? code(self) : complex_of(code(self)));
}

PyMethodDef dtype_methods[] = {
    {"__reduce__", dtype_reduce, METH_NOARGS, "Pickled by name."},
    {"to_real", dtype_to_real, METH_NOARGS, "The dtype of the parts."},
    {"to_complex", dtype_to_complex, METH_NOARGS, "The complex dtype with such parts."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef dtype_getset[] = {
    {"is_floating_point", dtype_is_floating, nullptr, "Whether it is a real float.", nullptr},
    {"is_complex", dtype_is_complex, nullptr, "Whether it is complex.", nullptr},
    {"is_signed", dtype_is_signed, nullptr, "Whether it has negative values.", nullptr},
    {"itemsize", dtype_itemsize, nullptr, "Bytes of one element.", nullptr},
    {"name", dtype_name, nullptr, "The name without torch.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot dtype_slots[] = {{Py_tp_repr, reinterpret_cast<void*>(dtype_repr)},
                             {Py_tp_methods, dtype_methods},
                             {Py_tp_getset, dtype_getset},
                             {0, nullptr}};
PyType_Spec dtype_spec = {"rushlight.dtype", sizeof(DTypeObject), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, dtype_slots};

// Adopts a number-like of another library (a NumPy scalar) by its own conversion.
bool foreign_scalar(PyObject* object, Scalar& value) noexcept {
    const PyNumberMethods* number = Py_TYPE(object)->tp_as_number;
    if (!number) return false;
    if (number->nb_index) {
        PyRef whole = PyRef::steal(PyNumber_Index(object));
        if (whole) return scalar_from_python(whole.get(), value);
        PyErr_Clear();
    }
    if (std::string_view(Py_TYPE(object)->tp_name).starts_with("numpy.bool")) {
        value = Scalar(PyObject_IsTrue(object) == 1);
        return true;
    }
    if (std::string_view(Py_TYPE(object)->tp_name).starts_with("numpy.complex")) {
        const Py_complex c = PyComplex_AsCComplex(object);
        value = Scalar(Complex128(c.real, c.imag));
        return true;
    }
    if (number->nb_float && !PySequence_Check(object)) {
        const double real = PyFloat_AsDouble(object);
        if (!(real == -1.0 && PyErr_Occurred())) {
            value = Scalar(real);
            return true;
        }
        PyErr_Clear();
    }
    return false;
}

}  // namespace

bool scalar_from_python(PyObject* object, Scalar& value) noexcept {
    if (PyFloat_Check(object)) {
        value = Scalar(PyFloat_AS_DOUBLE(object));
    } else if (PyBool_Check(object)) {
        value = Scalar(object == Py_True);
    } else if (PyLong_Check(object)) {
        int overflow = 0;
        const long long whole = PyLong_AsLongLongAndOverflow(object, &overflow);
        if (overflow == 0) {
            value = Scalar(std::int64_t(whole));
        } else if (const unsigned long long big = PyLong_AsUnsignedLongLong(object);
                   overflow > 0 && !PyErr_Occurred()) {
            value = Scalar(std::uint64_t(big));
        } else {
            PyErr_Clear();
            const double real = PyLong_AsDouble(object);
            PyErr_Clear();
            value = Scalar(real);
        }
    } else if (PyComplex_Check(object)) {
        const Py_complex c = PyComplex_AsCComplex(object);
        value = Scalar(Complex128(c.real, c.imag));
    } else if (is_tensor(object)) {
        // A 0-dim tensor where a number is expected.
        const Array& array = as_tensor(object)->array;
        if (as_tensor(object)->level) {
            note_refusal();
            return false;
        }
        if (array.numel() != 1) return false;
        try {
            value = value_of(array);
        } catch (...) {
            return false;
        }
    } else {
        return foreign_scalar(object, value);
    }
    return true;
}

namespace {

bool index_from_python(PyObject* object, Index& value) noexcept {
    if (!PyLong_Check(object)) {
        if (is_tensor(object)) {
            const Array& array = as_tensor(object)->array;
            if (array.numel() != 1 || category_of(array.dtype()) > 1) return false;
        } else if (!PyIndex_Check(object)) {
            return false;
        }
        PyRef whole = PyRef::steal(PyNumber_Index(object));
        if (!whole) {
            PyErr_Clear();
            return false;
        }
        value = PyLong_AsLongLong(whole.get());
    } else {
        value = PyLong_AsLongLong(object);
    }
    if (value == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return false;
    }
    return true;
}

}  // namespace

bool dims_from_python(PyObject* object, Dims& value) noexcept {
    Index single;
    if (index_from_python(object, single)) {
        value = Dims{single};
        return true;
    }
    if (is_tensor(object) || !(PyTuple_Check(object) || PyList_Check(object))) return false;
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(object);
    if (n > 64) return false;
    value = Dims(int(n));
    for (Py_ssize_t i = 0; i < n; ++i)
        if (!index_from_python(PySequence_Fast_GET_ITEM(object, i), value[int(i)])) return false;
    return true;
}

std::optional<DType> dtype_from_python(PyObject* object) noexcept {
    if (Py_TYPE(object) == dtype_type) return code(object);
    // Python's own number types stand for the usual dtypes.
    if (object == reinterpret_cast<PyObject*>(&PyBool_Type)) return DType::Bool;
    if (object == reinterpret_cast<PyObject*>(&PyLong_Type)) return DType::I64;
    if (object == reinterpret_cast<PyObject*>(&PyFloat_Type)) return DType::F64;
    if (object == reinterpret_cast<PyObject*>(&PyComplex_Type)) return DType::C128;
    return std::nullopt;
}

PyObject* dtype_to_python(DType dtype) noexcept { return Py_NewRef(dtype_objects[int(dtype)]); }

PyObject* dims_to_python(const Dims& dims) noexcept {
    auto* type = reinterpret_cast<PyTypeObject*>(callbacks().size_class.get());
    PyObject* tuple = type ? type->tp_alloc(type, dims.size()) : PyTuple_New(dims.size());
    if (!tuple) return nullptr;
    for (int d = 0; d < dims.size(); ++d) {
        PyObject* size = PyLong_FromLongLong(dims[d]);
        if (!size) {
            Py_DECREF(tuple);
            return nullptr;
        }
        PyTuple_SET_ITEM(tuple, d, size);
    }
    return tuple;
}

PyObject* scalar_to_python(const Scalar& value) noexcept {
    switch (value.kind()) {
        case DType::Bool: return PyBool_FromLong(value.to<bool>());
        case DType::I64:
            if (value.beyond_int64()) return PyLong_FromUnsignedLongLong(value.to<std::uint64_t>());
            return PyLong_FromLongLong(value.to<std::int64_t>());
        case DType::F64: return PyFloat_FromDouble(value.to<double>());
        default: break;
    }
    const Complex128 c = value.to<Complex128>();
    return PyComplex_FromDoubles(c.real(), c.imag());
}

PyObject* item_to_python(const Array& array) {
    return scalar_to_python(value_of(array));
}

void add_dtypes(PyObject* module) {
    PyRef type = PyRef::check(PyType_FromSpec(&dtype_spec));
    dtype_type = reinterpret_cast<PyTypeObject*>(type.get());
    check_status(PyModule_AddObjectRef(module, "dtype", type.get()));
    type.release();
    for (int d = 0; d < kDTypes; ++d) {
        PyRef object = PyRef::check(dtype_type->tp_alloc(dtype_type, 0));
        reinterpret_cast<DTypeObject*>(object.get())->dtype = DType(d);
        check_status(PyModule_AddObjectRef(module, std::string(name_of(DType(d))).c_str(),
                                           object.get()));
        dtype_objects[d] = object.release();
    }
}

}  // namespace rushlight
