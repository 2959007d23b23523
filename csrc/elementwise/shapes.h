// Undoing broadcasts, and what Python needs to see of shapes and dtypes.
#pragma once

#include <Python.h>

#include "array/array.h"

namespace rushlight {

inline std::uint64_t all_axes(int ndim) {
    return ndim >= 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << ndim) - 1;
}

// Whether `from` is what `to` could have been broadcast to.
bool can_sum_to(const Dims& from, const Dims& to);
// The sum over the axes along which an array of shape `shape` would have been broadcast.
Array sum_to(const Array& array, const Dims& shape);

}  // namespace rushlight
