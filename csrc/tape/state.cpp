// The tape's state per thread and per process, and C++ errors as Python ones.
#include <new>

#include "tape/python.h"

namespace rushlight {

constinit thread_local Modes modes;

Callbacks& callbacks() {
    static auto* all = new Callbacks();  // lives as long as the interpreter's objects may
    return *all;
}

PyObject* set_python_error() noexcept {
    try {
        throw;
    } catch (const PythonError&) {
        // already set
    } catch (const Error& error) {
        PyObject* types[] = {PyExc_RuntimeError, PyExc_TypeError,           PyExc_ValueError,
                             PyExc_IndexError,   PyExc_NotImplementedError, PyExc_MemoryError};
        PyErr_SetString(types[int(error.kind())], error.what());
    } catch (const std::bad_alloc&) {
        PyErr_SetString(PyExc_MemoryError, "rushlight: out of memory");
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (...) {
        PyErr_SetString(PyExc_SystemError, "rushlight: unknown C++ exception");
    }
    return nullptr;
}

}  // namespace rushlight
