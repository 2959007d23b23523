// Scalar: a Python number on its way into a kernel.
#pragma once

#include "array/dtype.h"

namespace rushlight {

class Scalar {
public:
    Scalar() : Scalar(0.0) {}
    explicit Scalar(bool value) : kind_(DType::Bool), integer_(value) {}
    explicit Scalar(std::int64_t value) : kind_(DType::I64), integer_(value) {}
    explicit Scalar(double value) : kind_(DType::F64), complex_(value) {}
    explicit Scalar(Complex128 value) : kind_(DType::C128), complex_(value) {}

    // Bool, I64, F64 or C128: the category the number has in promotion.
    DType kind() const noexcept { return kind_; }
    int category() const noexcept { return category_of(kind_); }

    template <class T>
    T to() const {
        return category() < 2 ? convert<T>(integer_) : convert<T>(complex_);
    }

private:
    DType kind_;
    std::int64_t integer_ = 0;
    Complex128 complex_ = 0;
};

}  // namespace rushlight
