// Writing into arrays that exist: assign, fill, and what every writer does first.
#include <cstdint>
#include <cstring>

#include "elementwise/pass.h"
#include "elementwise/pending.h"
#include "elementwise/transpose.h"
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
    if (dst.dtype() == source.dtype() && dst.shape() == source.shape() && copy_across(dst, source))
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
