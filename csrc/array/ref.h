// Intrusive reference counting. Counts are plain integers: they change only while the GIL is held;
// worker threads see raw pointers alone.
#pragma once

#include <cstdint>
#include <utility>

namespace rushlight {

class RefCounted {
public:
    RefCounted() = default;
    RefCounted(const RefCounted&) = delete;
    RefCounted& operator=(const RefCounted&) = delete;
    std::uint32_t ref_count() const noexcept { return count_; }

private:
    template <class T>
    friend class Ref;
    std::uint32_t count_ = 0;
};

template <class T>
class Ref {
public:
    Ref() = default;
    explicit Ref(T* object) noexcept : object_(object) { retain(); }
    Ref(const Ref& other) noexcept : object_(other.object_) { retain(); }
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_ && --object_->count_ == 0) delete object_;
    }
    T* get() const noexcept { return object_; }
    T* operator->() const noexcept { return object_; }
    T& operator*() const noexcept { return *object_; }
    explicit operator bool() const noexcept { return object_ != nullptr; }
    bool operator==(const Ref& other) const = default;

private:
    void retain() noexcept {
        if (object_) ++object_->count_;
    }
    T* object_ = nullptr;
};

}  // namespace rushlight
