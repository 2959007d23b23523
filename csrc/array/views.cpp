// Views: other shapes and strides over the same storage, by PyTorch's rules.
#include <utility>

#include "array/array.h"

namespace rushlight {
namespace {

Array view_of(const Array& array, Index offset, const Dims& shape, const Dims& strides) {
    return array.reinterpret(offset, shape, strides, array.dtype());
}

}  // namespace

Array Array::reinterpret(Index offset, const Dims& shape, const Dims& strides, DType dtype) const {
    storage();
    Array view(body_->storage, offset, shape, strides, dtype);
    view.body()->unversioned = body_->unversioned;
    return view;
}

Array Array::unversioned() const {
    Array same = view_of(*this, offset(), shape(), strides());
    same.body()->unversioned = true;
    return same;
}

Array Array::as_strided(const Dims& shape, const Dims& strides, Index offset) const {
    check(shape.size() == strides.size(), "as_strided: mismatch in length of strides and shape: ",
          "shape ", shape, ", strides ", strides);
    check(offset >= 0, "as_strided: invalid storage offset ", offset);
    checked_numel(shape, itemsize());
    Index last = offset;  // the element furthest into the storage
    bool overflow = false, none = false;
    for (int i = 0; i < shape.size(); ++i) {
        check(strides[i] >= 0,
              "as_strided: Negative strides are not supported at the moment, got strides: ",
              strides);
        none |= shape[i] == 0;
        Index span = 0;
        overflow |= shape[i] > 1 && __builtin_mul_overflow(shape[i] - 1, strides[i], &span);
        overflow |= __builtin_add_overflow(last, span, &last);
    }
    const Index room = Index(storage().bytes() / itemsize());
    check(none || (!overflow && last < room), "as_strided: sizes ", shape, ", strides ", strides,
          ", storage offset ", offset, ", and itemsize ", itemsize(),
          " are out of bounds for storage of size ", storage().bytes());
    return view_of(*this, offset, shape, strides);
}

Array Array::expand(const Dims& target) const {
    const int lead = target.size() - ndim();
    check(lead >= 0, "expand: the number of sizes provided (", target.size(),
          ") must be greater or equal to the number of dimensions in the tensor (", ndim(),
          "); target sizes: ", target, ", tensor sizes: ", shape());
    Dims sizes = target, steps(target.size());
    for (int i = target.size() - 1; i >= 0; --i) {
        const int axis = i - lead;
        if (target[i] == -1) {
            check(axis >= 0, "expand: The expanded size of the tensor (-1) isn't allowed in a ",
                  "leading, non-existing dimension ", i);
            sizes[i] = size(axis);
        }
        const bool kept = axis >= 0 && sizes[i] == size(axis);
        check(kept || (sizes[i] >= 0 && (axis < 0 || size(axis) == 1)),
              "expand: The expanded size of the tensor (", sizes[i],
              ") must match the existing size (", axis >= 0 ? size(axis) : 1,
              ") at non-singleton dimension ", i, ".  Target sizes: ", target,
              ".  Tensor sizes: ", shape());
        steps[i] = kept ? stride(axis) : 0;
    }
    checked_numel(sizes, itemsize());
    return view_of(*this, offset(), sizes, steps);
}

Array Array::permute(const Dims& axes) const {
    check(axes.size() == ndim(),
          "permute: number of dimensions in the tensor input does not match the length of the "
          "desired ordering of dimensions i.e. input.dim() = ",
          ndim(), " is not equal to len(dims) = ", axes.size());
    Dims sizes(ndim()), steps(ndim());
    std::uint64_t seen = 0;
    for (int i = 0; i < ndim(); ++i) {
        const int axis = normalize_axis("", axes[i], ndim());
        check(!(seen >> axis & 1), "permute(): duplicate dims are not allowed, got ", axes);
        seen |= std::uint64_t(1) << axis;
        sizes[i] = size(axis);
        steps[i] = stride(axis);
    }
    return view_of(*this, offset(), sizes, steps);
}

Array Array::transpose(int axis0, int axis1) const {
    axis0 = normalize_axis("", axis0, ndim());
    axis1 = normalize_axis("", axis1, ndim());
    Dims sizes = shape(), steps = strides();
    if (axis0 != axis1) {
        std::swap(sizes[axis0], sizes[axis1]);
        std::swap(steps[axis0], steps[axis1]);
    }
    return view_of(*this, offset(), sizes, steps);
}

Array Array::slice(int axis, Index start, Index stop, Index step) const {
    check_as(ErrorKind::Index, ndim() > 0, "slice() cannot be applied to a 0-dim tensor.");
    axis = normalize_axis("", axis, ndim());
    check(step > 0, "slice step must be positive, got ", step);
    const Index length = size(axis);
    const auto clamp = [&](Index at, Index low) {
        return std::clamp(at < 0 ? at + length : at, low, length);
    };
    start = clamp(start, 0);
    stop = clamp(stop, start);
    Dims sizes = shape(), steps = strides();
    sizes[axis] = (stop - start) / step + ((stop - start) % step != 0);
    const Index at = offset() + start * stride(axis);
    // A step longer than the axis leaves one element, whose stride nobody follows.
    if (__builtin_mul_overflow(stride(axis), step, &steps[axis])) steps[axis] = stride(axis);
    return view_of(*this, at, sizes, steps);
}

Array Array::select(int axis, Index index) const {
    check_as(ErrorKind::Index, ndim() > 0, "select() cannot be applied to a 0-dim tensor.");
    axis = normalize_axis("", axis, ndim());
    check_as(ErrorKind::Index, index >= -size(axis) && index < size(axis), "select(): index ",
             index, " out of range for tensor of size ", shape(), " at dimension ", axis);
    if (index < 0) index += size(axis);
    Dims sizes = shape(), steps = strides();
    sizes.erase(axis);
    steps.erase(axis);
    return view_of(*this, offset() + index * stride(axis), sizes, steps);
}

Array Array::unsqueeze(int axis) const {
    axis = normalize_axis("", axis, ndim() + 1);
    Dims sizes = shape(), steps = strides();
    steps.insert(axis, axis < ndim() ? size(axis) * stride(axis) : 1);
    sizes.insert(axis, 1);
    return view_of(*this, offset(), sizes, steps);
}

Array Array::squeeze(int axis) const {
    axis = normalize_axis("", axis, ndim());
    Dims sizes = shape(), steps = strides();
    if (ndim() > 0 && sizes[axis] == 1) {
        sizes.erase(axis);
        steps.erase(axis);
    }
    return view_of(*this, offset(), sizes, steps);
}

std::optional<Dims> Array::view_strides(const Dims& target) const {
    Index wanted = 1;
    for (Index size : target) wanted *= size;
    if (wanted != numel()) return std::nullopt;
    if (numel() == 0) {
        if (target == shape()) return strides();
        return contiguous_strides(target);
    }
    if (ndim() == 0) return Dims(target.size(), 1);

    // From the last axis on, runs of axes that lie in memory like one axis are matched with as
    // many axes of the target as have the same number of elements.
    Dims steps(target.size());
    int at = target.size() - 1;
    Index run_step = strides().back(), run_size = 1, target_size = 1;
    for (int axis = ndim() - 1; axis >= 0; --axis) {
        run_size *= size(axis);
        const bool ends = axis == 0 || (size(axis - 1) != 1 &&
                                        stride(axis - 1) != run_size * run_step);
        if (!ends) continue;
        while (at >= 0 && (target_size < run_size || target[at] == 1)) {
            steps[at] = target_size * run_step;
            target_size *= target[at--];
        }
        if (target_size != run_size) return std::nullopt;
        if (axis > 0) {
            run_step = stride(axis - 1);
            run_size = target_size = 1;
        }
    }
    if (at != -1) return std::nullopt;
    return steps;
}

Array Array::view(const Dims& target) const {
    Dims sizes = infer_shape(target, numel());
    auto steps = view_strides(sizes);
    check(steps.has_value(), "view size is not compatible with input tensor's size and stride ",
          "(at least one dimension spans across two contiguous subspaces): cannot view shape ",
          shape(), " with strides ", strides(), " as ", sizes, ". Use .reshape(...) instead.");
    return view_of(*this, offset(), sizes, *steps);
}

Array Array::reshape(const Dims& target) const {
    Dims sizes = infer_shape(target, numel());
    auto steps = view_strides(sizes);
    if (!steps) return clone(*this).view(sizes);
    return view_of(*this, offset(), sizes, *steps);
}

}  // namespace rushlight
