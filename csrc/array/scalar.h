// Scalar: a Python number on its way into a kernel.
#pragma once

#include "array/dtype.h"

namespace rushlight {

class Scalar {
public:
    Scalar() : Scalar(0.0) {}
    explicit Scalar(bool value) : kind_(DType::Bool), integer_(value) {}
    explicit Scalar(std::int64_t value) : kind_(DType::I64), integer_(value) {}
    explicit Scalar(std::uint64_t value)
        : kind_(value > INT64_MAX ? DType::U64 : DType::I64), integer_(std::int64_t(value)) {}
    explicit Scalar(double value) : kind_(DType::F64), complex_(value) {}
    explicit Scalar(Complex128 value) : kind_(DType::C128), complex_(value) {}

    // Bool, I64, F64 or C128: the category the number has in promotion.
    DType kind() const noexcept { return beyond_int64() ? DType::I64 : kind_; }
    int category() const noexcept { return category_of(kind_); }
    // Whether it is an integer that uint64 holds and int64 does not.
    bool beyond_int64() const noexcept { return kind_ == DType::U64; }

    template <class T>
    T to() const {
        if (category() >= 2) return convert<T>(complex_);
        return beyond_int64() ? convert<T>(std::uint64_t(integer_)) : convert<T>(integer_);
    }

private:
    DType kind_;  // U64 for integers that int64 does not hold
    std::int64_t integer_ = 0;
    Complex128 complex_ = 0;
};

}  // namespace rushlight
