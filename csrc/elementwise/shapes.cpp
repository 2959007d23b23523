#include "elementwise/shapes.h"

#include "elementwise/pending.h"

namespace rushlight {

bool can_sum_to(const Dims& from, const Dims& to) {
    if (to.size() > from.size()) return false;
    const int lead = from.size() - to.size();
    for (int d = 0; d < to.size(); ++d)
        if (to[d] != from[lead + d] && to[d] != 1) return false;
    return true;
}

Array sum_to(const Array& array, const Dims& shape) {
    const bool total = shape.empty() && category_of(array.dtype()) < 2;  // a sum, so int64
    if (array.shape() == shape && !total) return array;
    check(can_sum_to(array.shape(), shape), "sum_to_size: a tensor of shape ", array.shape(),
          " cannot be summed to shape ", shape);
    const int lead = array.ndim() - shape.size();
    std::uint64_t axes = 0;
    for (int d = 0; d < array.ndim(); ++d)
        if (d < lead || (shape[d - lead] == 1 && array.size(d) != 1)) axes |= std::uint64_t(1) << d;
    // Kept axes of size 1 and dropped leading ones have the same bytes: set the shape directly.
    const DType dtype = category_of(array.dtype()) < 2 ? DType::I64 : array.dtype();
    Array sum = reduce(Reduction::Sum, array, axes, false, false, dtype);
    if (sum.shape() == shape) return sum;
    if (sum.is_pending()) {
        sum.body()->lay_out(shape, contiguous_strides(shape));
        return sum;
    }
    return sum.view(shape);
}

}  // namespace rushlight
