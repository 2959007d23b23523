// PyTorch's rules for the dtype that operands meet in.
#include "elementwise/pending.h"

namespace rushlight {

namespace {

DType g_default_dtype = DType::F32;

std::optional<DType> join(std::optional<DType> a, DType b) {
    return a ? promote(*a, b) : b;
}

// `lower` (0-dim tensors, then numbers) takes part only with a higher category.
std::optional<DType> combine(std::optional<DType> higher, std::optional<DType> lower) {
    if (!higher || !lower) return higher ? higher : lower;
    if (is_complex(*higher)) return higher;
    if (is_floating(*higher)) return is_complex(*lower) ? complex_of(*higher) : *higher;
    if (*higher == DType::Bool || is_floating(*lower) || is_complex(*lower))
        return promote(*higher, *lower);
    return higher;
}

}  // namespace

DType default_dtype() noexcept { return g_default_dtype; }
void set_default_dtype(DType dtype) noexcept { g_default_dtype = dtype; }

DType result_type(std::span<const Operand> operands) {
    std::optional<DType> dimensioned, zero_dim, numbers;
    for (const Operand& operand : operands) {
        if (operand.array) {
            auto& bucket = operand.array.ndim() > 0 ? dimensioned : zero_dim;
            bucket = join(bucket, operand.array.dtype());
        } else {
            DType kind = operand.scalar.kind();
            if (kind == DType::F64) kind = g_default_dtype;
            if (kind == DType::C128) kind = complex_of(g_default_dtype);
            numbers = join(numbers, kind);
        }
    }
    return combine(dimensioned, combine(zero_dim, numbers)).value_or(g_default_dtype);
}

}  // namespace rushlight
