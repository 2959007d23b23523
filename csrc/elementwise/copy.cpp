// Writing into arrays that exist: assign, fill, and what every writer does first.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "array/launch.h"
#include "elementwise/layout.h"
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

// A contiguous array full of one value.
void fill_elements(const Array& dst, const Scalar& value) {
    if (dst.is_meta()) return;
    const Index bytes = dst.numel() * Index(dst.itemsize());
    struct Fill {
        std::byte* to;
        Index bytes;
        alignas(16) std::byte pattern[kPattern];

        void part(Index at, Index most) const {
            loops().fill(to + at, std::min(most, bytes - at), pattern);
        }
        void operator()() const { part(0, bytes); }
    } fill{dst.address(), bytes, {}};
    dispatch(dst.dtype(), [&]<class T>() {
        const T element = value.to<T>();
        for (int at = 0; at < kPattern; at += int(sizeof(T)))
            std::memcpy(fill.pattern + at, &element, sizeof(T));
    });
    const Touches touches{&dst};
    if (bytes <= kChunk) return launch(double(bytes) * 0.02e-9, touches, fill);
    wait_for(touches);
    parallel_for((bytes + kChunk - 1) / kChunk, 10e-6,
                 [&](Index i) { fill.part(i * kChunk, kChunk); });
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
    if (any_special && (storage.is_meta() || src.is_meta())) [[unlikely]] {
        if (!storage.is_meta()) src.bytes();  // says that there are none
        return prepare_write(dst);
    }
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
    const auto stays = [](Index stride) { return stride == 0; };
    if (dst.dtype() == source.dtype() && dst.is_contiguous() &&
        std::ranges::all_of(source.strides(), stays))  // one value everywhere
        return fill_elements(dst, value_of(source.as_strided(Dims(), Dims(), source.offset())));
    const bool in_step = dst.is_contiguous() ? source.is_contiguous()
                                             : dst.strides() == source.strides() && is_dense(dst);
    if (dst.dtype() == source.dtype() && dst.numel() == source.numel() && in_step) {
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
    if (dst.nothing_to_compute()) return;
    if (dst.is_contiguous()) return fill_elements(dst, value);
    Pass pass(dst.shape());
    pass.keep(pass.constant(value, dst.dtype()), dst);
    pass.run();
}

Array contiguous(const Array& array) {
    if (array.is_contiguous()) {
        array.storage();
        return array;
    }
    return clone(array);
}

Array Array::zeros(const Dims& shape, DType dtype) {
    Array array = empty(shape, dtype);
    fill_elements(array, Scalar(std::int64_t(0)));
    return array;
}

Array Array::full(const Dims& shape, DType dtype, const Scalar& value) {
    Array out = Array::empty(shape, dtype);
    fill(out, value);
    return out;
}

}  // namespace rushlight
