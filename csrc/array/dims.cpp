// Rules of shapes: strides, axes, broadcasting, sizes to be inferred.
#include "array/dims.h"

namespace rushlight {

Dims contiguous_strides(const Dims& shape) {
    Dims strides = shape;  // for its length
    Index step = 1;
    for (int i = shape.size() - 1; i >= 0; --i) {
        strides[i] = step;
        step *= std::max<Index>(shape[i], 1);
    }
    return strides;
}

int normalize_axis(std::string_view what, Index axis, int rank) {
    const Index range = std::max(rank, 1);  // a 0-dim tensor has the axes 0 and -1
    if (axis < -range || axis >= range) [[unlikely]] {
        fail(ErrorKind::Index, what.empty() ? "" : concat(what, ": "),
             "Dimension out of range (expected to be in range of [", -range, ", ", range - 1,
             "], but got ", axis, ")");
    }
    return int(axis < 0 ? axis + range : axis);
}

Dims broadcast_shapes(std::string_view what, const Dims& a, const Dims& b) {
    if (a == b) return a;
    const Dims& longer = a.size() >= b.size() ? a : b;
    const Dims& shorter = a.size() >= b.size() ? b : a;
    const int shift = longer.size() - shorter.size();
    Dims shape = longer;
    for (int i = shape.size() - 1; i >= shift; --i) {
        const Index x = longer[i], y = shorter[i - shift];
        if (x == y || y == 1) continue;
        if (x != 1) [[unlikely]] {
            const Index of_a = &longer == &a ? x : y, of_b = &longer == &a ? y : x;
            fail(ErrorKind::Runtime, what.empty() ? "" : concat(what, ": "),
                 "The size of tensor a (", of_a, ") must match the size of tensor b (", of_b,
                 ") at non-singleton dimension ", i, " (shapes ", a, " and ", b,
                 " do not broadcast)");
        }
        shape[i] = y;
    }
    return shape;
}

Index checked_numel(const Dims& shape, std::size_t itemsize) {
    Index bytes = Index(itemsize);
    bool overflow = false, empty = false;
    for (Index size : shape) {
        check(size >= 0, "Trying to create tensor with negative dimension ", size, ": ", shape);
        empty |= size == 0;
        overflow |= __builtin_mul_overflow(bytes, std::max<Index>(size, 1), &bytes);
    }
    check(!overflow, "Storage size calculation overflowed with sizes=", shape);
    return empty ? 0 : bytes / Index(itemsize);
}

Dims infer_shape(const Dims& shape, Index numel) {
    int unknown = -1;
    Index known = 1;
    bool overflow = false, empty = false;
    for (int i = 0; i < shape.size(); ++i) {
        if (shape[i] == -1) {
            check(unknown < 0, "only one dimension can be inferred, got shape ", shape);
            unknown = i;
        } else {
            check(shape[i] >= 0, "invalid shape dimension ", shape[i], " at index ", i,
                  " of shape ", shape);
            empty |= shape[i] == 0;
            overflow |= __builtin_mul_overflow(known, std::max<Index>(shape[i], 1), &known);
        }
    }
    if (empty) known = 0, overflow = false;
    Dims full = shape;
    bool fits = !overflow && known == numel;
    if (unknown >= 0) {
        check(known != 0 || numel != 0, "cannot reshape tensor of 0 elements into shape ", shape,
              " because the unspecified dimension size -1 can be any value and is ambiguous");
        fits = !overflow && known != 0 && numel % known == 0;
        if (fits) full[unknown] = numel / known;
    }
    check(fits, "shape '", shape, "' is invalid for input of size ", numel);
    return full;
}

}  // namespace rushlight
