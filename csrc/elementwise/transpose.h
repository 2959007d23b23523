// Copies between arrays that lie side by side along different axes.
#pragma once

#include "array/array.h"

namespace rushlight {

// Whether a copy to memory with these strides would read the array across its lines of the cache.
bool lies_across(const Array& src, const Dims& dst_strides);

// Copies by squares, whole lines of the cache at a time, where src lies across dst; false: not
// done, since walking along dst is as good. Both have one shape and dtype, and no memory in common.
bool copy_across(const Array& dst, const Array& src);

}  // namespace rushlight
