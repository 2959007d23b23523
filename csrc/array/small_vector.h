// SmallVector: a vector whose first N elements need no allocation, for lists that are nearly always
// short and live as long as a call.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace rushlight {

template <class T, std::size_t N>
class SmallVector {
    static_assert(std::is_nothrow_move_constructible_v<T>);

public:
    SmallVector() noexcept = default;
    explicit SmallVector(std::size_t size) { resize(size); }
    SmallVector(const SmallVector& other) {
        reserve(other.size_);
        for (const T& value : other) emplace_back(value);
    }
    SmallVector(SmallVector&& other) noexcept { take(other); }
    SmallVector& operator=(SmallVector other) noexcept {
        destroy();
        take(other);
        return *this;
    }
    ~SmallVector() { destroy(); }

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    T* begin() noexcept { return data_; }
    T* end() noexcept { return data_ + size_; }
    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + size_; }
    T& operator[](std::size_t i) noexcept { return data_[i]; }
    const T& operator[](std::size_t i) const noexcept { return data_[i]; }
    T& back() noexcept { return data_[size_ - 1]; }

    template <class... Args>
    T& emplace_back(Args&&... args) {
        if (size_ == capacity_) {
            T value(std::forward<Args>(args)...);  // an argument may lie in the old memory
            reserve(2 * capacity_);
            return *new (data_ + size_++) T(std::move(value));
        }
        return *new (data_ + size_++) T(std::forward<Args>(args)...);
    }
    void push_back(T value) { emplace_back(std::move(value)); }
    void pop_back() noexcept { data_[--size_].~T(); }
    void clear() noexcept {
        std::destroy_n(data_, size_);
        size_ = 0;
    }
    void resize(std::size_t size) {
        reserve(size);
        while (size_ < size) new (data_ + size_++) T();
        while (size_ > size) pop_back();
    }
    void reserve(std::size_t capacity) {
        if (capacity <= capacity_) return;
        T* wider = std::allocator<T>().allocate(capacity);
        std::uninitialized_move_n(data_, size_, wider);
        std::destroy_n(data_, size_);
        free_memory();
        data_ = wider;
        capacity_ = capacity;
    }

private:
    T* own() noexcept { return reinterpret_cast<T*>(memory_); }
    void free_memory() noexcept {
        if (data_ != own()) std::allocator<T>().deallocate(data_, capacity_);
    }
    void destroy() noexcept {
        std::destroy_n(data_, size_);
        free_memory();
    }
    // What `other` has, into an object that has nothing to free; `other` is empty then.
    void take(SmallVector& other) noexcept {
        size_ = std::exchange(other.size_, 0);
        if (other.data_ == other.own()) {
            data_ = own();
            capacity_ = N;
            std::uninitialized_move_n(other.data_, size_, data_);
            std::destroy_n(other.data_, size_);
        } else {
            data_ = std::exchange(other.data_, other.own());
            capacity_ = std::exchange(other.capacity_, N);
        }
    }

    alignas(T) std::byte memory_[N * sizeof(T)];
    T* data_ = own();
    std::size_t size_ = 0;
    std::size_t capacity_ = N;
};

}  // namespace rushlight
