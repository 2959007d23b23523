// StorageBytes: the bytes of a storage through the buffer protocol, for saving and loading. It does
// not mark the storage as visible outside: pending readers run when it is made, and it is not meant
// to be kept.
#include "array/array.h"
#include "elementwise/pending.h"
#include "tape/python.h"
#include "tape/tensor.h"

namespace rushlight {

namespace {

struct StorageBytes {
    PyObject_HEAD
    Ref<Storage> storage;
};

PyTypeObject* storage_bytes_type = nullptr;

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    Storage& storage = *reinterpret_cast<StorageBytes*>(self)->storage;
    return PyBuffer_FillInfo(view, self, storage.data(), Py_ssize_t(storage.bytes()), 0, flags);
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    reinterpret_cast<StorageBytes*>(self)->storage.~Ref();
    type->tp_free(self);
    Py_DECREF(type);
}

PyType_Slot slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {0, nullptr}};
PyType_Spec spec = {"rushlight._core.StorageBytes", sizeof(StorageBytes), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

// storage_bytes(tensor): a writable memoryview of the whole storage.
PyObject* storage_bytes(PyObject*, PyObject* tensor) {
    return guarded([&]() -> PyObject* {
        check_as(ErrorKind::Type, is_tensor(tensor), "storage_bytes() takes a Tensor");
        check_strided("storage", as_tensor(tensor));
        const Array& array = as_tensor(tensor)->array;
        array.bytes();  // raises where there are none
        run_readers(array.storage());
        PyRef object = PyRef::check(storage_bytes_type->tp_alloc(storage_bytes_type, 0));
        new (&reinterpret_cast<StorageBytes*>(object.get())->storage)
            Ref<Storage>(array.body()->storage);
        return PyMemoryView_FromObject(object.get());
    });
}

PyMethodDef methods[] = {
    {"storage_bytes", storage_bytes, METH_O, "A writable memoryview of a tensor's storage."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_storage_bytes(PyObject* module) {
    storage_bytes_type = reinterpret_cast<PyTypeObject*>(PyRef::check(PyType_FromSpec(&spec)).release());
    check_status(PyModule_AddFunctions(module, methods));
}

}  // namespace rushlight
