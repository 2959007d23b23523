// Writing into arrays that exist: assign, fill, and what every writer does first.
#include <array>
#include <cstdint>
#include <cstring>

#include "elementwise/pass.h"
#include "elementwise/pending.h"
#include "runtime/parallel.h"

namespace rushlight {

namespace {

constexpr Index kChunk = 256 * 1024;  // bytes of a parallel memcpy task

void copy_bytes(std::byte* dst, const std::byte* src, Index bytes) {
    if (bytes <= kChunk) {
        std::memcpy(dst, src, std::size_t(bytes));
        return;
    }
    parallel_for((bytes + kChunk - 1) / kChunk, 20e-6, [&](Index i) {
        std::memcpy(dst + i * kChunk, src + i * kChunk,
                    std::size_t(std::min(kChunk, bytes - i * kChunk)));
    });
}

void clear_bytes(std::byte* dst, Index bytes) {
    if (bytes <= kChunk) {
        std::memset(dst, 0, std::size_t(bytes));
        return;
    }
    parallel_for((bytes + kChunk - 1) / kChunk, 10e-6, [&](Index i) {
        std::memset(dst + i * kChunk, 0, std::size_t(std::min(kChunk, bytes - i * kChunk)));
    });
}

bool is_zero(const Scalar& value, DType dtype) {  // all bits: -0.0 is none
    return dispatch(dtype, [&]<class T>() {
        const T converted = value.to<T>();
        std::byte bytes[sizeof(T)], zero[sizeof(T)] = {};
        std::memcpy(bytes, &converted, sizeof(T));
        return std::memcmp(bytes, zero, sizeof(T)) == 0;
    });
}

constexpr Index kSquare = 64;  // rows and columns of a transposing task: 32 KiB of float32

// dst[r, c] = src[c, r], by squares as wide as a cache line: whole lines are read and whole lines
// written, however many of them, at strides of powers of two, want the same place in the cache.
template <class T>
void transpose(T* dst, Index dst_row, const T* src, Index src_row, Index rows, Index cols) {
    constexpr Index kWidth = 64 / Index(sizeof(T));
    T lines[kWidth][kWidth];
    for (Index r = 0; r < rows; r += kWidth)
        for (Index c = 0; c < cols; c += kWidth) {
            const T* from = src + c * src_row + r;
            T* to = dst + r * dst_row + c;
            if (rows - r >= kWidth && cols - c >= kWidth) {
                for (Index j = 0; j < kWidth; ++j)
                    for (Index i = 0; i < kWidth; ++i) lines[i][j] = from[j * src_row + i];
                for (Index i = 0; i < kWidth; ++i)
                    std::memcpy(to + i * dst_row, lines[i], sizeof lines[i]);
            } else {
                for (Index i = 0; i < std::min(kWidth, rows - r); ++i)
                    for (Index j = 0; j < std::min(kWidth, cols - c); ++j)
                        to[i * dst_row + j] = from[j * src_row + i];
            }
        }
}

template <class T>
void copy_transposed(const Array& dst, const Array& src, int axis) {
    const int last = src.ndim() - 1;
    const Index rows = src.size(axis), cols = src.size(last);
    const Index down = (rows + kSquare - 1) / kSquare, across = (cols + kSquare - 1) / kSquare;
    const auto* from = reinterpret_cast<const T*>(src.bytes());
    auto* to = reinterpret_cast<T*>(dst.bytes());
    const double seconds =
        0.7e-9 * double(std::min(rows, kSquare)) * double(std::min(cols, kSquare));
    parallel_for(src.numel() / (rows * cols) * down * across, seconds, [&](Index task) {
        const Index c = task % across * kSquare, r = task / across % down * kSquare;
        Index rest = task / (across * down), read = c * src.stride(last) + r, write = c;
        for (int d = last - 1; d >= 0; --d) {
            if (d == axis) continue;
            read += rest % src.size(d) * src.stride(d);
            write += rest % src.size(d) * dst.stride(d);
            rest /= src.size(d);
        }
        transpose(to + write + r * dst.stride(axis), dst.stride(axis), from + read,
                  src.stride(last), std::min(kSquare, rows - r), std::min(kSquare, cols - c));
    });
}

// Copies to a contiguous array of the same shape and dtype by squares.
void copy_squares(const Array& dst, const Array& src, int axis) {
    switch (src.itemsize()) {
        case 1: return copy_transposed<std::uint8_t>(dst, src, axis);
        case 2: return copy_transposed<std::uint16_t>(dst, src, axis);
        case 4: return copy_transposed<std::uint32_t>(dst, src, axis);
        case 8: return copy_transposed<std::uint64_t>(dst, src, axis);
        default: return copy_transposed<std::array<std::uint64_t, 2>>(dst, src, axis);
    }
}

}  // namespace

int transposed_axis(const Dims& shape, const Dims& strides) {
    const int last = shape.size() - 1;
    if (last < 1 || shape[last] < 16 || strides[last] < 16) return -1;
    for (int axis = 0; axis < last; ++axis) {
        if (strides[axis] == 1 && shape[axis] >= 16) return axis;
    }
    return -1;
}

void prepare_write(const Array& array) {
    Storage& storage = array.storage();
    run_readers(storage);
    if (!array.body()->unversioned) storage.bump_version();
}

void assign(const Array& dst, const Array& src) {
    const Dims shape = dst.shape() == src.shape()
                           ? dst.shape()
                           : broadcast_shapes("copy_", dst.shape(), src.shape());
    check(shape == dst.shape(), "copy_: a tensor of shape ", src.shape(),
          " does not broadcast to the destination of shape ", dst.shape());
    Storage& storage = dst.storage();
    // Straight into dst only when nobody else holds the value: it is not stored anywhere else.
    if (src.is_pending() && src.body()->ref_count() == 1 && run_into(*src.body(), dst)) {
        if (!dst.body()->unversioned) storage.bump_version();
        return;
    }
    Array source = src;
    if (source.body()->storage.get() == &storage) {
        if (source.same_geometry(dst)) return;
        source = clone(source);
    }
    prepare_write(dst);
    if (dst.numel() == 0) return;
    if (dst.dtype() == source.dtype() && dst.is_contiguous() && source.is_contiguous() &&
        dst.numel() == source.numel()) {
        copy_bytes(dst.bytes(), source.bytes(), dst.numel() * Index(dst.itemsize()));
        return;
    }
    if (dst.dtype() == source.dtype() && dst.is_contiguous() && dst.shape() == source.shape()) {
        const int axis = transposed_axis(source.shape(), source.strides());
        if (axis >= 0) return copy_squares(dst, source, axis);
    }
    Pass pass(dst.shape());
    pass.keep(pass.convert(pass.leaf(source), source.dtype(), dst.dtype()), dst);
    pass.run();
}

void fill(const Array& dst, const Scalar& value) {
    prepare_write(dst);
    if (dst.numel() == 0) return;
    if (dst.is_contiguous() && dst.numel() <= 1024) {
        dispatch(dst.dtype(), [&]<class T>() {
            std::fill_n(dst.data<T>(), dst.numel(), value.to<T>());
        });
        return;
    }
    if (dst.is_contiguous() && is_zero(value, dst.dtype())) {
        clear_bytes(dst.bytes(), dst.numel() * Index(dst.itemsize()));
        return;
    }
    Pass pass(dst.shape());
    pass.keep(pass.constant(value, dst.dtype()), dst);
    pass.run();
}

Array contiguous(const Array& array) {
    if (array.is_contiguous()) {
        array.bytes();
        return array;
    }
    return clone(array);
}

Array Array::zeros(const Dims& shape, DType dtype) {
    Array array = empty(shape, dtype);
    clear_bytes(array.bytes(), array.numel() * Index(array.itemsize()));
    return array;
}

Array Array::full(const Dims& shape, DType dtype, const Scalar& value) {
    Array out = Array::empty(shape, dtype);
    fill(out, value);
    return out;
}

}  // namespace rushlight
