// How Python values reach kernels: Array from Tensor (without its history), Scalar from numbers,
// Dims from sequences of integers, DType from its code. Results that are Arrays become Tensors.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include "array/array.h"
#include "tape/tensor.h"
#include "tape/values.h"

namespace rushlight {

// Kernels want data: an item of a batch (vmap) has none, and neither has what is not strided.
inline bool is_item(PyObject* tensor) noexcept {
    const TensorObject* object = as_tensor(tensor);
    if (object->level == 0 && is_strided(object)) [[likely]] return false;
    if (object->level) note_refusal();
    return true;
}

}  // namespace rushlight

namespace nanobind::detail {

template <>
struct type_caster<rushlight::Array> {
    NB_TYPE_CASTER(rushlight::Array, const_name("Tensor"))
    bool from_python(handle source, uint8_t, cleanup_list*) noexcept {
        if (!rushlight::is_tensor(source.ptr())) return false;
        if (rushlight::is_item(source.ptr())) [[unlikely]] return false;
        value = rushlight::as_tensor(source.ptr())->array;
        return true;
    }
    static handle from_cpp(const rushlight::Array& array, rv_policy, cleanup_list*) {
        return array ? rushlight::wrap_result(array) : none().release();
    }
};

template <>
struct type_caster<rushlight::Scalar> {
    NB_TYPE_CASTER(rushlight::Scalar, const_name("bool | int | float | complex"))
    bool from_python(handle source, uint8_t, cleanup_list*) noexcept {
        return rushlight::scalar_from_python(source.ptr(), value);
    }
};

template <>
struct type_caster<rushlight::Operand> {
    NB_TYPE_CASTER(rushlight::Operand, const_name("Tensor | bool | int | float | complex"))
    bool from_python(handle source, uint8_t, cleanup_list*) noexcept {
        if (rushlight::is_tensor(source.ptr())) {
            if (rushlight::is_item(source.ptr())) [[unlikely]] return false;
            value.array = rushlight::as_tensor(source.ptr())->array;
            return true;
        }
        return rushlight::scalar_from_python(source.ptr(), value.scalar);
    }
};

template <>
struct type_caster<rushlight::Dims> {
    NB_TYPE_CASTER(rushlight::Dims, const_name("collections.abc.Sequence[int]"))
    bool from_python(handle source, uint8_t, cleanup_list*) noexcept {
        return rushlight::dims_from_python(source.ptr(), value);
    }
    static handle from_cpp(const rushlight::Dims& dims, rv_policy, cleanup_list*) noexcept {
        return rushlight::dims_to_python(dims);
    }
};

template <>
struct type_caster<rushlight::DType> {
    NB_TYPE_CASTER(rushlight::DType, const_name("dtype"))
    bool from_python(handle source, uint8_t, cleanup_list*) noexcept {
        if (auto dtype = rushlight::dtype_from_python(source.ptr())) {
            value = *dtype;
            return true;
        }
        return false;
    }
    static handle from_cpp(rushlight::DType dtype, rv_policy, cleanup_list*) noexcept {
        return rushlight::dtype_to_python(dtype);
    }
};

}  // namespace nanobind::detail
