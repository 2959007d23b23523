// Array: making one, and reaching its bytes.
#include "array/array.h"

#include "elementwise/pending.h"
#include "runtime/allocator.h"

namespace rushlight {
namespace {

constinit FreeList<sizeof(ArrayBody)> body_list;

}  // namespace

ArrayBody::ArrayBody(const Dims& shape, DType dtype_)
    : dtype(dtype_), shape_(shape), strides_(shape) {
    Index step = 1;
    bool overflow = false, empty = false;
    Index* strides = strides_.begin();
    for (int i = shape.size() - 1; i >= 0; --i) {
        Index size = strides[i];
        strides[i] = step;
        if (size <= 0) [[unlikely]] {
            empty = true;
            overflow |= size < 0;
            size = 1;
        }
        overflow |= __builtin_mul_overflow(step, size, &step);
    }
    numel_ = empty ? 0 : step;
    Index bytes;
    overflow |= __builtin_mul_overflow(step, Index(size_of(dtype)), &bytes);
    if (overflow) [[unlikely]] checked_numel(shape, size_of(dtype));  // says which
}

ArrayBody::ArrayBody(Ref<Storage> storage_, Index offset_, const Dims& shape, const Dims& strides,
                     DType dtype_)
    : offset(offset_),
      dtype(dtype_),
      storage(std::move(storage_)),
      shape_(shape),
      strides_(strides) {
    measure();
}

void ArrayBody::lay_out(const Dims& shape, const Dims& strides) {
    shape_ = shape;
    strides_ = strides;
    measure();
}

void ArrayBody::measure() noexcept {
    const Index *sizes = shape_.begin(), *strides = strides_.begin();
    Index count = 1;
    bool dense = true;
    for (int i = shape_.size() - 1; i >= 0; --i) {
        dense &= sizes[i] == 1 || strides[i] == count;
        count *= sizes[i];
    }
    numel_ = count;
    contiguous_ = dense || count == 0;
}

ArrayBody::~ArrayBody() = default;

void* ArrayBody::operator new(std::size_t) { return body_list.take(); }
void ArrayBody::operator delete(void* memory) noexcept { body_list.give(memory); }

Array Array::empty(const Dims& shape, DType dtype) {
    if (any_special && on_meta) [[unlikely]] return meta(shape, dtype);
    Ref<ArrayBody> body(new ArrayBody(shape, dtype));
    body->storage = Ref<Storage>(new Storage(std::size_t(body->numel()) * size_of(dtype)));
    return Array(std::move(body));
}

Array Array::meta(const Dims& shape, DType dtype) {
    Ref<ArrayBody> body(new ArrayBody(shape, dtype));
    body->storage = Storage::meta(std::size_t(body->numel()) * size_of(dtype));
    return Array(std::move(body));
}

Array Array::meta(const Dims& shape, const Dims& strides, DType dtype) {
    const Array plain = meta(shape, dtype);
    if (strides == plain.strides()) return plain;
    return Array(plain.body()->storage, 0, shape, strides, dtype);
}

Array Array::scalar(const Scalar& value, DType dtype) {
    Array array = empty(Dims(), dtype);
    if (array.is_meta()) return array;
    dispatch(dtype, [&]<class T>() { *array.data<T>() = value.to<T>(); });
    return array;
}

void fail_promotion(DType a, DType b) {
    fail(ErrorKind::Runtime, "Promotion for uint16, uint32, uint64 types is not supported: ",
         name_of(a), " and ", name_of(b), " have no common dtype; convert one with .to(dtype)");
}

Scalar value_of(const Array& array) {
    return dispatch(array.dtype(), [&]<class T>() {
        const T element = *array.data<T>();
        if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::uint64_t>)
            return Scalar(element);
        else if constexpr (std::is_integral_v<T>) return Scalar(std::int64_t(element));
        else if constexpr (dtype_of<T> >= DType::C64) return Scalar(convert<Complex128>(element));
        else return Scalar(convert<double>(element));
    });
}

bool Array::same_geometry(const Array& other) const noexcept {
    if (body_ == other.body_) return true;
    return body_->storage && body_->storage == other.body_->storage &&
           offset() == other.offset() && shape() == other.shape() && strides() == other.strides();
}

Storage& Array::storage() const {
    if (body_->pending) run_pending();
    return *body_->storage;
}

void Array::run_pending() const {
    const MetaGuard in_memory(false);
    rushlight::run_pending(*body_);
}

}  // namespace rushlight
