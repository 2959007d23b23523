// Between Python values and those of the core: numbers, sizes, dtypes.
#pragma once

#include <Python.h>

#include <optional>

#include "array/array.h"

namespace rushlight {

bool scalar_from_python(PyObject* object, Scalar& value) noexcept;  // false: not a number
bool dims_from_python(PyObject* object, Dims& value) noexcept;      // an int, or a sequence of ints
std::optional<DType> dtype_from_python(PyObject* object) noexcept;

// New references, or null with an exception set.
PyObject* dtype_to_python(DType dtype) noexcept;
PyObject* dims_to_python(const Dims& dims) noexcept;  // rushlight.Size
PyObject* scalar_to_python(const Scalar& value) noexcept;
// The first element of an array as a Python number.
PyObject* item_to_python(const Array& array);

}  // namespace rushlight
