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

// Whether `src` was walked along another axis than the contiguous `dst` is, and has been copied.
bool transposed(const Array& dst, const Array& src) {
    const int last = src.ndim() - 1;
    if (last < 1 || src.size(last) < 16 || src.stride(last) < 16) return false;
    for (int axis = 0; axis < last; ++axis) {
        if (src.stride(axis) != 1 || src.size(axis) < 16) continue;
        switch (src.itemsize()) {
            case 1: copy_transposed<std::uint8_t>(dst, src, axis); return true;
            case 2: copy_transposed<std::uint16_t>(dst, src, axis); return true;
            case 4: copy_transposed<std::uint32_t>(dst, src, axis); return true;
            case 8: copy_transposed<std::uint64_t>(dst, src, axis); return true;
            case 16: copy_transposed<std::array<std::uint64_t, 2>>(dst, src, axis); return true;
        }
    }
    return false;
}

}  // namespace

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
    if (dst.dtype() == source.dtype() && dst.is_contiguous() && dst.shape() == source.shape() &&
        transposed(dst, source))
        return;
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

Array Array::full(const Dims& shape, DType dtype, const Scalar& value) {
    Array out = Array::empty(shape, dtype);
    fill(out, value);
    return out;
}

}  // namespace rushlight
