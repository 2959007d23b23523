// Array: storage + offset + shape + strides + dtype. A handle with reference semantics; views share
// storage. An array may be pending: its value is an expression that has not run yet
// (elementwise/pending.h). data() and storage() run it.
#pragma once

#include <optional>

#include "array/dims.h"
#include "array/dtype.h"
#include "array/scalar.h"
#include "array/storage.h"

namespace rushlight {

struct Pending;

class ArrayBody : public RefCounted {
public:
    // Row-major; storage comes later. Throws where sizes are negative or their bytes overflow.
    ArrayBody(const Dims& shape, DType dtype);
    ArrayBody(Ref<Storage> storage, Index offset, const Dims& shape, const Dims& strides,
              DType dtype);
    ~ArrayBody();

    static void* operator new(std::size_t bytes);
    static void operator delete(void* memory) noexcept;

    const Dims& shape() const noexcept { return shape_; }
    const Dims& strides() const noexcept { return strides_; }  // in elements
    Index numel() const noexcept { return numel_; }
    bool is_contiguous() const noexcept { return contiguous_; }
    // Another shape for the same number of elements, or other strides.
    void lay_out(const Dims& shape, const Dims& strides);

    Index offset = 0;
    DType dtype;
    Ref<Storage> storage;
    Ref<Pending> pending;
    bool unversioned = false;  // writes through it do not count (Tensor.data)
    std::uint32_t pending_uses = 0;  // as an operand of pending expressions

private:
    void measure() noexcept;  // the members that follow from shape and strides

    Dims shape_;
    Dims strides_;
    Index numel_ = 0;
    bool contiguous_ = true;
};

class Array {
public:
    Array() = default;
    explicit Array(Ref<ArrayBody> body) : body_(std::move(body)) {}
    // A view of existing storage. Geometry is trusted; see as_strided for checked views.
    Array(Ref<Storage> storage, Index offset, const Dims& shape, const Dims& strides, DType dtype)
        : body_(new ArrayBody(std::move(storage), offset, shape, strides, dtype)) {}

    // Fresh contiguous memory.
    static Array empty(const Dims& shape, DType dtype);
    static Array full(const Dims& shape, DType dtype, const Scalar& value);
    static Array zeros(const Dims& shape, DType dtype);
    static Array scalar(const Scalar& value, DType dtype);  // 0-dim
    // Of the meta device: geometry alone. What asks for its elements gets an error.
    static Array meta(const Dims& shape, DType dtype);
    static Array meta(const Dims& shape, const Dims& strides, DType dtype);

    explicit operator bool() const noexcept { return bool(body_); }
    ArrayBody* body() const noexcept { return body_.get(); }
    const Ref<ArrayBody>& ref() const noexcept { return body_; }

    const Dims& shape() const noexcept { return body_->shape(); }
    const Dims& strides() const noexcept { return body_->strides(); }
    Index size(int axis) const noexcept { return body_->shape()[axis]; }
    Index stride(int axis) const noexcept { return body_->strides()[axis]; }
    Index offset() const noexcept { return body_->offset; }
    int ndim() const noexcept { return body_->shape().size(); }
    Index numel() const noexcept { return body_->numel(); }
    DType dtype() const noexcept { return body_->dtype; }
    std::size_t itemsize() const noexcept { return size_of(dtype()); }
    bool is_pending() const noexcept { return bool(body_->pending); }
    bool is_contiguous() const noexcept { return body_->is_contiguous(); }
    bool is_meta() const noexcept {
        return any_special && body_->storage && body_->storage->is_meta();
    }
    // What kernels ask once shapes and dtypes are checked and the result is made.
    bool nothing_to_compute() const noexcept { return numel() == 0 || is_meta(); }
    bool same_geometry(const Array& other) const noexcept;  // storage, offset, shape, strides

    // These run a pending expression first.
    Storage& storage() const;
    std::byte* bytes() const {  // address of the first element
        if (body_->pending) [[unlikely]] run_pending();
        return body_->storage->data() + std::size_t(body_->offset) * itemsize();
    }
    template <class T>
    T* data() const {
        return reinterpret_cast<T*>(bytes());
    }
    // The same address for a kernel that is launched (array/launch.h): nobody waits for it here.
    std::byte* address() const {
        if (body_->pending) [[unlikely]] run_pending();
        return body_->storage->address() + std::size_t(body_->offset) * itemsize();
    }
    template <class T>
    T* address_of() const {
        return reinterpret_cast<T*>(address());
    }

    // Views. All force a pending array.
    Array as_strided(const Dims& shape, const Dims& strides, Index offset) const;  // checked
    // In elements of any dtype. Geometry is trusted.
    Array reinterpret(Index offset, const Dims& shape, const Dims& strides, DType dtype) const;
    Array unversioned() const;                        // the same, but writes do not count
    Array expand(const Dims& shape) const;            // -1 keeps a size
    Array permute(const Dims& axes) const;
    Array transpose(int axis0, int axis1) const;
    Array slice(int axis, Index start, Index stop, Index step) const;  // as Python's, step > 0
    Array select(int axis, Index index) const;
    Array unsqueeze(int axis) const;
    Array squeeze(int axis) const;
    // The strides a view in the new shape would have; empty when only a copy will do.
    std::optional<Dims> view_strides(const Dims& shape) const;
    Array view(const Dims& shape) const;     // throws where only a copy will do
    Array reshape(const Dims& shape) const;  // a view where possible, else a copy

private:
    void run_pending() const;

    Ref<ArrayBody> body_;
};

// An operand of a pointwise operation: an array, or a Python number.
struct Operand {
    Array array;  // empty for a number
    Scalar scalar;
};

// What most kernels start from: the array itself if it is contiguous (row-major), else a copy.
Array contiguous(const Array& array);
// A contiguous copy in fresh memory, or one with strides that leave no gaps.
Array clone(const Array& array);
Array clone(const Array& array, const Dims& strides);
// The same values in another dtype (the array itself if it has it already).
Array cast(const Array& array, DType dtype);
// dst[...] = src, broadcast and cast; bumps the version of dst.
void assign(const Array& dst, const Array& src);
void fill(const Array& dst, const Scalar& value);
// The element of an array that has one; exact.
Scalar value_of(const Array& array);
// What every kernel that writes to an existing array calls first: runs pending readers of its
// storage and bumps its version.
void prepare_write(const Array& array);

}  // namespace rushlight
