// How the index, join, sort and scan kernels walk an array: along one axis (a lane for each place
// of the other axes), through tables of element offsets, and in ranges that depend on the shape
// alone.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "array/array.h"
#include "runtime/parallel.h"

namespace rushlight {

// A contiguous array seen around one axis: element (o, l, i) lies at (o * length + l) * inner + i.
struct Lanes {
    Index outer = 1;
    Index length = 1;
    Index inner = 1;
};

inline Lanes lanes_of(const Dims& shape, int axis) {
    Lanes lanes;
    for (int d = 0; d < shape.size(); ++d) {
        (d < axis ? lanes.outer : d == axis ? lanes.length : lanes.inner) *= shape[d];
    }
    return lanes;
}

// The axis of a kernel that treats a 0-dim array as one element along axis 0.
inline int lane_axis(std::string_view what, Index axis, const Array& x) {
    return normalize_axis(what, axis, std::max(x.ndim(), 1));
}

inline Index lane_size(const Array& x, int axis) { return x.ndim() ? x.size(axis) : 1; }
inline Index lane_stride(const Array& x, int axis) { return x.ndim() ? x.stride(axis) : 1; }

// The shape after a reduction along one axis.
inline Dims reduced_shape(const Dims& shape, int axis, bool keepdim) {
    Dims reduced = shape;
    if (shape.empty()) return reduced;
    if (keepdim) {
        reduced[axis] = 1;
    } else {
        reduced.erase(axis);
    }
    return reduced;
}

inline std::span<const Index> span_of(const Dims& dims, int begin, int end) {
    return {dims.begin() + begin, static_cast<std::size_t>(end - begin)};
}

// Offsets, in elements, of all the places of a shape with these strides, in row-major order.
inline std::vector<Index> element_offsets(std::span<const Index> shape,
                                          std::span<const Index> strides) {
    Index total = 1;
    for (Index size : shape) total *= size;
    std::vector<Index> offsets(static_cast<std::size_t>(total), 0);
    if (total == 0) return offsets;
    Index block = 1;  // the last axes, `block` places, are filled already
    for (std::size_t d = shape.size(); d-- > 0;) {
        for (Index i = 1; i < shape[d]; ++i) {
            Index* to = offsets.data() + i * block;
            const Index* from = offsets.data();
            for (Index j = 0; j < block; ++j) to[j] = from[j] + i * strides[d];
        }
        block *= shape[d];
    }
    return offsets;
}

inline std::vector<Index> element_offsets(const Dims& shape, const Dims& strides) {
    return element_offsets(span_of(shape, 0, shape.size()), span_of(strides, 0, strides.size()));
}

// Runs body(begin, end) over [0, total) in ranges of `grain` items, the last one shorter.
template <class F>
void for_ranges(Index total, Index grain, double seconds_per_item, F&& body) {
    if (total <= 0) return;
    grain = std::clamp<Index>(grain, 1, total);
    const Index tasks = (total + grain - 1) / grain;
    parallel_for(tasks, seconds_per_item * double(grain),
                 [&](Index task) { body(task * grain, std::min(total, (task + 1) * grain)); });
}

// Items to a range so that a range holds about 32K elements.
inline Index grain_for(Index elements_per_item) {
    return std::max<Index>(1, 32768 / std::max<Index>(1, elements_per_item));
}

// Movement of elements cares for their size alone.
struct Bytes16 {
    std::uint64_t low, high;
};

template <class F>
decltype(auto) dispatch_size(std::size_t itemsize, F&& f) {
    switch (itemsize) {
        case 1: return f.template operator()<std::uint8_t>();
        case 2: return f.template operator()<std::uint16_t>();
        case 4: return f.template operator()<std::uint32_t>();
        case 8: return f.template operator()<std::uint64_t>();
        default: return f.template operator()<Bytes16>();
    }
}

// memcpy, without the call for the short rows that lookups are made of.
inline void copy_bytes(void* to, const void* from, std::size_t bytes) {
    switch (bytes) {
        case 4: std::memcpy(to, from, 4); break;
        case 8: std::memcpy(to, from, 8); break;
        case 16: std::memcpy(to, from, 16); break;
        case 32: std::memcpy(to, from, 32); break;
        case 64: std::memcpy(to, from, 64); break;
        default: std::memcpy(to, from, bytes);
    }
}

// The type in which a kernel computes on elements of type T.
template <class T>
struct ComputeType {
    using type = T;
};
template <>
struct ComputeType<Half> {
    using type = float;
};
template <>
struct ComputeType<BFloat16> {
    using type = float;
};
template <class T>
using Compute = typename ComputeType<T>::type;

template <class T>
inline constexpr bool is_complex_type =
    std::is_same_v<T, Complex64> || std::is_same_v<T, Complex128>;
template <class T>
inline constexpr bool is_half_type = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

template <class T>
bool is_nan(T value) {
    if constexpr (is_half_type<T>) {
        return float(value) != float(value);
    } else if constexpr (std::is_floating_point_v<T>) {
        return value != value;
    } else {
        return false;
    }
}

// Sums and products; integers wrap around.
template <class C>
C sum_of(C a, C b) {
    if constexpr (std::is_integral_v<C>) {
        return C(std::uint64_t(a) + std::uint64_t(b));
    } else {
        return a + b;
    }
}
template <class C>
C product_of(C a, C b) {
    if constexpr (std::is_integral_v<C>) {
        return C(std::uint64_t(a) * std::uint64_t(b));
    } else {
        return a * b;
    }
}

// An index array as contiguous int64.
inline Array as_index(const Array& index) { return contiguous(cast(index, DType::I64)); }

// Position of the first index outside [low, high), or -1.
inline Index find_outside(const Index* index, Index count, Index low, Index high) {
    // Of two differences one is negative where an index is outside: a block needs no comparisons.
    constexpr Index kBlock = 1024;
    for (Index begin = 0; begin < count; begin += kBlock) {
        const Index end = std::min(count, begin + kBlock);
        std::uint64_t signs = 0;
        for (Index i = begin; i < end; ++i) {
            const auto place = std::uint64_t(index[i]);
            signs |= (place - std::uint64_t(low)) | (std::uint64_t(high) - 1 - place);
        }
        if (signs >> 63 == 0) continue;
        for (Index i = begin;; ++i) {
            if (index[i] < low || index[i] >= high) return i;
        }
    }
    return -1;
}

// A write in place needs every element to have a place of its own.
inline void check_writable(std::string_view what, const Array& x) {
    for (int d = 0; d < x.ndim(); ++d) {
        check(x.stride(d) != 0 || x.size(d) <= 1, what,
              ": several elements of the tensor of shape ", x.shape(),
              " share one place in memory (it was expanded along dimension ", d,
              "); write to a clone() of it");
    }
}

}  // namespace rushlight
