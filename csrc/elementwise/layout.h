// In which order the axes of a result lie in memory.
#pragma once

#include <span>

#include "array/array.h"

namespace rushlight {

// The strides of a pointwise result, by PyTorch's rule: the order of the axes in memory is that of
// the operands, an earlier one deciding before a later one, and row-major where none decides.
Dims layout_of(const Dims& shape, std::span<const Operand> operands);

// Whether every element has a place of its own and there are no gaps, in whatever order of the axes.
bool is_dense(const Array& array);

// The strides of a copy that keeps the order of the axes in memory: of what is dense its own.
Dims dense_strides(const Array& array);

// Fresh memory with strides that leave no gaps.
Array empty_with_layout(const Dims& shape, const Dims& strides, DType dtype);

}  // namespace rushlight
