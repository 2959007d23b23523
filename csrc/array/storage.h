// Storage: a reference-counted block of bytes with a version counter.
#pragma once

#include <cstddef>
#include <functional>

#include "array/ref.h"

namespace rushlight {

class Storage : public RefCounted {
public:
    // A fresh, aligned, uninitialised block from the caching allocator.
    explicit Storage(std::size_t bytes);
    // Memory owned by somebody else (NumPy, a mapped file); `release` runs when we let go of it.
    Storage(std::byte* data, std::size_t bytes, std::function<void()> release);
    ~Storage();

    static void* operator new(std::size_t bytes);
    static void operator delete(void* memory) noexcept;

    std::byte* data() const noexcept { return data_; }
    std::size_t bytes() const noexcept { return bytes_; }

    // Grows when a write in place happens; saved tensors compare it.
    std::uint32_t version() const noexcept { return version_; }
    void bump_version() noexcept { ++version_; }
    void reset_version() noexcept { version_ = 0; }  // before anybody else can have seen it

    // Once the bytes are visible outside, nothing may be read late.
    bool exported() const noexcept { return exported_; }
    void mark_exported() noexcept { exported_ = true; }

private:
    std::byte* data_ = nullptr;
    std::size_t bytes_ = 0;
    std::uint32_t version_ = 0;
    bool exported_ = false;
    bool foreign_ = false;
    std::function<void()> release_;
};

}  // namespace rushlight
