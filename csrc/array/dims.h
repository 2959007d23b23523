// Dims: a short list of integers (a shape, strides, a list of axes), inline up to five.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "array/error.h"

namespace rushlight {

using Index = std::int64_t;

class Dims {
public:
    Dims() = default;
    explicit Dims(int size, Index value = 0) { resize(size, value); }
    Dims(std::initializer_list<Index> values) : Dims(std::span(values.begin(), values.size())) {}
    explicit Dims(std::span<const Index> values) {
        if (values.size() <= std::size_t(kInline)) {
            size_ = int(values.size());
            for (int i = 0; i < size_; ++i) inline_[std::size_t(i)] = values[std::size_t(i)];
        } else {
            resize(int(values.size()));
            std::copy(values.begin(), values.end(), begin());
        }
    }
    // A copy of fixed length is cheaper than one of the right length.
    Dims(const Dims& other) : size_(other.size_), inline_(other.inline_) {
        if (other.heap_) [[unlikely]] copy_long(other);
    }
    Dims(Dims&& other) noexcept
        : size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, kInline)),
          inline_(other.inline_),
          heap_(std::move(other.heap_)) {}
    Dims& operator=(const Dims& other) {
        if (this != &other) *this = Dims(other);
        return *this;
    }
    Dims& operator=(Dims&& other) noexcept {
        size_ = std::exchange(other.size_, 0);
        capacity_ = std::exchange(other.capacity_, kInline);
        inline_ = other.inline_;
        heap_ = std::move(other.heap_);
        return *this;
    }

    int size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    Index* begin() noexcept { return heap_ ? heap_.get() : inline_.data(); }
    Index* end() noexcept { return begin() + size_; }
    const Index* begin() const noexcept { return heap_ ? heap_.get() : inline_.data(); }
    const Index* end() const noexcept { return begin() + size_; }
    Index& operator[](int i) noexcept { return begin()[i]; }
    Index operator[](int i) const noexcept { return begin()[i]; }
    Index& back() noexcept { return begin()[size_ - 1]; }
    Index back() const noexcept { return begin()[size_ - 1]; }

    void push_back(Index value) {
        resize(size_ + 1);
        back() = value;
    }
    void erase(int at) {
        std::copy(begin() + at + 1, end(), begin() + at);
        --size_;
    }
    void insert(int at, Index value) {
        resize(size_ + 1);
        std::copy_backward(begin() + at, end() - 1, end());
        begin()[at] = value;
    }
    void resize(int size, Index value = 0) {
        check(size >= 0 && size <= 64, "tensors have at most 64 dimensions, got ", size);
        if (size > capacity_) {
            const int wider = std::max(size, 2 * capacity_);
            auto heap = std::make_unique<Index[]>(std::size_t(wider));
            std::copy(begin(), end(), heap.get());
            heap_ = std::move(heap);
            capacity_ = wider;
        }
        for (int i = size_; i < size; ++i) begin()[i] = value;
        size_ = size;
    }
    bool operator==(const Dims& other) const noexcept {
        if (size_ != other.size_) return false;
        for (int i = 0; i < size_; ++i) {
            if ((*this)[i] != other[i]) return false;
        }
        return true;
    }

    Index product() const noexcept {
        Index total = 1;
        for (Index d : *this) total *= d;
        return total;
    }
    // "[2, 3]", as error messages show shapes.
    std::string str() const {
        std::string text = "[";
        for (int i = 0; i < size_; ++i) text += (i ? ", " : "") + std::to_string((*this)[i]);
        return text + "]";
    }

private:
    [[gnu::noinline]] void copy_long(const Dims& other) {
        size_ = 0;
        resize(other.size_);
        std::copy(other.begin(), other.end(), begin());
    }

    static constexpr int kInline = 5;
    int size_ = 0;
    int capacity_ = kInline;
    std::array<Index, kInline> inline_ = {};
    std::unique_ptr<Index[]> heap_;
};

Dims contiguous_strides(const Dims& shape);

// The number of elements of a shape that came from outside: no negative size, and neither the
// elements nor their bytes overflow an Index.
Index checked_numel(const Dims& shape, std::size_t itemsize);

// A shape with at most one -1, as view() and reshape() take it, for that many elements.
Dims infer_shape(const Dims& shape, Index numel);

// An axis counted from the end brought into [0, rank); `what` opens the IndexError.
int normalize_axis(std::string_view what, Index axis, int rank);

// The shape two operands broadcast to; `what` opens the error.
Dims broadcast_shapes(std::string_view what, const Dims& a, const Dims& b);

}  // namespace rushlight
