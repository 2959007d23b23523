// Array: making one, and reaching its bytes.
#include "array/array.h"

#include "elementwise/pending.h"
#include "runtime/allocator.h"

namespace rushlight {
namespace {

constinit FreeList<sizeof(ArrayBody)> body_list;

}  // namespace

ArrayBody::ArrayBody(Dims shape_, DType dtype_)
    : shape(std::move(shape_)),
      strides(contiguous_strides(shape)),
      numel(shape.product()),
      dtype(dtype_) {}

ArrayBody::ArrayBody(Ref<Storage> storage_, Index offset_, Dims shape_, Dims strides_, DType dtype_)
    : shape(std::move(shape_)),
      strides(std::move(strides_)),
      offset(offset_),
      numel(shape.product()),
      dtype(dtype_),
      storage(std::move(storage_)) {}

ArrayBody::~ArrayBody() = default;

void* ArrayBody::operator new(std::size_t) { return body_list.take(); }
void ArrayBody::operator delete(void* memory) noexcept { body_list.give(memory); }

Array Array::empty(const Dims& shape, DType dtype) {
    const Index numel = checked_numel(shape, size_of(dtype));
    Ref<Storage> storage(new Storage(std::size_t(numel) * size_of(dtype)));
    return Array(std::move(storage), 0, shape, contiguous_strides(shape), dtype);
}

Array Array::scalar(const Scalar& value, DType dtype) {
    Array array = empty(Dims(), dtype);
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

bool Array::is_contiguous() const noexcept {
    if (body_->numel == 0) return true;
    Index expected = 1;
    for (int i = ndim() - 1; i >= 0; --i) {
        if (size(i) == 1) continue;
        if (stride(i) != expected) return false;
        expected *= size(i);
    }
    return true;
}

bool Array::same_geometry(const Array& other) const noexcept {
    if (body_ == other.body_) return true;
    return body_->storage && body_->storage == other.body_->storage &&
           offset() == other.offset() && shape() == other.shape() && strides() == other.strides();
}

Storage& Array::storage() const {
    if (body_->pending) run_pending(*body_);
    return *body_->storage;
}

std::byte* Array::bytes() const {
    return storage().data() + std::size_t(body_->offset) * itemsize();
}

}  // namespace rushlight
