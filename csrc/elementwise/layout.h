// In which order the axes of a result lie in memory.
#pragma once

#include <span>

#include "array/array.h"

namespace rushlight {

// The strides of a pointwise result, by PyTorch's rule: the order of the axes in memory is that of
// the operands, an earlier one deciding before a later one, and row-major where none decides.
Dims layout_of(const Dims& shape, std::span<const Operand> operands);

// Fresh memory with strides that leave no gaps.
Array empty_with_layout(const Dims& shape, const Dims& strides, DType dtype);

}  // namespace rushlight
