// The order of the axes in memory is decided pair by pair, as PyTorch does.
#include "elementwise/layout.h"

#include <algorithm>

namespace rushlight {

namespace {

// -1: axis a is outside b in memory; 1: it is inside; 0: the operands do not tell.
int order_of(int a, int b, const Dims& shape, std::span<const Operand> operands) {
    for (const Operand& operand : operands) {
        if (!operand.array) continue;
        const int lead = shape.size() - operand.array.ndim();
        const auto stride = [&](int axis) {  // 0 where it is broadcast
            if (axis < lead || operand.array.size(axis - lead) != shape[axis]) return Index(0);
            return operand.array.stride(axis - lead);
        };
        const Index of_a = stride(a), of_b = stride(b);
        if (of_a == 0 || of_b == 0) continue;
        if (of_a != of_b) return of_a > of_b ? -1 : 1;
        if (shape[a] < shape[b]) return 1;
    }
    return 0;
}

}  // namespace

Dims layout_of(const Dims& shape, std::span<const Operand> operands) {
    const bool row_major = std::ranges::all_of(operands, [](const Operand& operand) {
        return !operand.array || operand.array.is_contiguous();
    });
    if (row_major) return contiguous_strides(shape);
    // By insertion, innermost axis first: pairs that no operand orders keep their places.
    const int rank = shape.size();
    Dims order(rank);
    for (int d = 0; d < rank; ++d) order[d] = rank - 1 - d;
    for (int next = 1; next < rank; ++next)
        for (int at = next, before = next - 1; before >= 0; --before) {
            const int decided = order_of(int(order[at]), int(order[before]), shape, operands);
            if (decided < 0) break;
            if (decided == 0) continue;
            std::swap(order[at], order[before]);
            at = before;
        }
    Dims strides(rank);
    Index step = 1;
    for (int d = 0; d < rank; ++d) {
        strides[int(order[d])] = step;
        step *= std::max<Index>(shape[int(order[d])], 1);
    }
    return strides;
}

bool is_dense(const Array& array) {
    if (array.is_contiguous()) return true;
    Dims axes;
    for (int d = 0; d < array.ndim(); ++d)
        if (array.size(d) != 1) axes.push_back(d);
    std::ranges::sort(axes, {}, [&](Index axis) { return array.stride(int(axis)); });
    Index expected = 1;
    for (Index axis : axes) {
        if (array.stride(int(axis)) != expected) return false;
        expected *= array.size(int(axis));
    }
    return true;
}

Dims dense_strides(const Array& array) {
    if (is_dense(array)) return array.strides();
    const Operand operands[1] = {{array, Scalar()}};
    return layout_of(array.shape(), operands);
}

Array empty_with_layout(const Dims& shape, const Dims& strides, DType dtype) {
    const Array memory = Array::empty(shape, dtype);
    if (strides == memory.strides()) return memory;
    return Array(memory.body()->storage, 0, shape, strides, dtype);
}

}  // namespace rushlight
