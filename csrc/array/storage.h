// Storage: a reference-counted block of bytes with a version counter.
#pragma once

#include <cstddef>
#include <functional>

#include "array/ref.h"
#include "runtime/stream.h"

namespace rushlight {

// Whether this process has ever had a tensor whose elements are not in memory of its own: one on
// the meta device, or one that is not strided. Ops look for them from then on.
inline bool any_special = false;
// Whether what this thread makes now is on the meta device: while an op runs on such tensors.
#if defined(__GLIBC__)
[[gnu::tls_model("initial-exec")]]
#endif
extern constinit thread_local bool on_meta;

// While one lives, what this thread makes is on the meta device, or in memory.
class MetaGuard {
public:
    explicit MetaGuard(bool on) noexcept : before_(on_meta) { on_meta = on; }
    ~MetaGuard() { on_meta = before_; }
    MetaGuard(const MetaGuard&) = delete;
    MetaGuard& operator=(const MetaGuard&) = delete;

private:
    bool before_;
};

class Storage : public RefCounted {
public:
    // A fresh, aligned, uninitialised block from the caching allocator.
    explicit Storage(std::size_t bytes);
    // Memory owned by somebody else (NumPy, a mapped file); `release` runs when we let go of it.
    Storage(std::byte* data, std::size_t bytes, std::function<void()> release);
    // So many bytes that are only spoken of, as on the meta device: there is no memory.
    static Ref<Storage> meta(std::size_t bytes);
    ~Storage();

    static void* operator new(std::size_t bytes);
    static void operator delete(void* memory) noexcept;

    // To read and write at once: waits for the kernels that touch it. Throws where there is no memory.
    std::byte* data() const {
        if (!data_ || !stream::is_finished(ticket_)) [[unlikely]] make_ready();
        return data_;
    }
    // For kernels that are launched: where its memory is. Throws where there is none.
    std::byte* address() const {
        if (!data_) [[unlikely]] check_memory();
        return data_;
    }
    // The last launched kernel that touches it.
    stream::Ticket ticket() const noexcept { return ticket_; }
    void set_ticket(stream::Ticket ticket) noexcept { ticket_ = ticket; }
    std::size_t bytes() const noexcept { return bytes_; }
    bool is_meta() const noexcept { return meta_; }

    // Grows when a write in place happens; saved tensors compare it.
    std::uint32_t version() const noexcept { return version_; }
    void bump_version() noexcept { ++version_; }
    void reset_version() noexcept { version_ = 0; }  // before anybody else can have seen it

    // Once the bytes are visible outside, nothing may be read late.
    bool exported() const noexcept { return exported_; }
    void mark_exported() noexcept { exported_ = true; }

private:
    Storage() = default;
    void check_memory() const;
    void make_ready() const;

    std::byte* data_ = nullptr;
    std::size_t bytes_ = 0;
    stream::Ticket ticket_ = 0;
    std::uint32_t version_ = 0;
    bool exported_ = false;
    bool foreign_ = false;
    bool meta_ = false;
    std::function<void()> release_;
};

}  // namespace rushlight
