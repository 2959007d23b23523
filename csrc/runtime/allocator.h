// The caching allocator behind every Storage. Freed blocks are kept by size class and handed out
// again, so that a training loop reaches a state in which no step asks the system for memory.
// What is kept is bounded by what was in use lately, whatever shapes come by.
// All functions are called with the GIL held; tasks on worker threads never allocate here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "runtime/stream.h"

namespace rushlight {

inline constexpr std::size_t kAlignment = 64;

// Memory, and the last launched kernel that touches it.
struct Block {
    std::byte* memory = nullptr;
    stream::Ticket ticket = 0;
};

// At least `bytes` (0 is allowed), aligned to kAlignment, uninitialised.
Block allocate(std::size_t bytes);
// `bytes` is what allocate() was asked for. Kernels that were launched may still be at work there.
void deallocate(Block block, std::size_t bytes) noexcept;

struct MemoryStats {
    std::size_t live = 0;    // bytes of blocks in use, rounded up to their size class
    std::size_t cached = 0;  // bytes of blocks kept for reuse
    std::size_t peak = 0;    // the most `live` has been
    std::uint64_t system_requests = 0;  // how often memory was asked from, or given to, the system
};

MemoryStats memory_stats() noexcept;
void reset_peak_memory() noexcept;
void release_cached_memory() noexcept;  // gives every cached block back to the system

// Memory for objects of one size, kept in a list when freed: what a class that is made and
// destroyed all the time uses for its operator new and delete.
template <std::size_t kSize>
class FreeList {
public:
    void* take() {
        if (Slot* slot = head_) {
            head_ = slot->next;
            --count_;
            return slot;
        }
        return ::operator new(kSize);
    }
    void give(void* memory) noexcept {
        if (count_ == kMost) return ::operator delete(memory);
        head_ = new (memory) Slot{head_};
        ++count_;
    }

private:
    struct Slot {
        Slot* next;
    };
    static_assert(kSize >= sizeof(Slot));
    static constexpr int kMost = 4096;
    Slot* head_ = nullptr;
    int count_ = 0;
};

}  // namespace rushlight
