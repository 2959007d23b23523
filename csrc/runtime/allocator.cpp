// Size classes, their free lists, and the rule that bounds what they keep.
#include "runtime/allocator.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#define RUSHLIGHT_HAS_MMAP 1
#endif

#include "array/error.h"

namespace rushlight {
namespace {

// Classes: multiples of 64 bytes up to 1 KiB, then four per doubling.
constexpr std::size_t kSmall = 1024;
constexpr int kSmallClasses = int(kSmall / kAlignment);
constexpr int kClasses = kSmallClasses + 4 * 40;
constexpr std::size_t kLargest = std::size_t(1) << 49;

// From here on blocks start at changing offsets within a page: streams that all begin at a page
// boundary would fight for the same sets of the L1 cache.
constexpr std::size_t kColoured = 32 << 10;
constexpr std::size_t kPage = 4096;
// From here on blocks are mappings of their own, aligned for huge pages.
constexpr std::size_t kMapped = 1 << 20;
constexpr std::size_t kHugePage = 2 << 20;
// What may be cached beside a small working set.
constexpr std::size_t kSlack = 32 << 20;

int class_of(std::size_t bytes) {
    if (bytes <= kSmall) return bytes == 0 ? 0 : int((bytes - 1) / kAlignment);
    const int power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes <= 2^(power + 1)
    const int quarter = int((bytes - 1) >> (power - 2)) - 4;
    return kSmallClasses + 4 * (power - 10) + quarter;
}

std::size_t class_size(int index) {
    if (index < kSmallClasses) return std::size_t(index + 1) * kAlignment;
    const int power = (index - kSmallClasses) / 4 + 10, quarter = (index - kSmallClasses) % 4;
    return std::size_t(quarter + 5) << (power - 2);
}

class Cache {
public:
    Block take(std::size_t bytes) {
        if (bytes > kLargest) out_of_memory(bytes);
        const int index = class_of(bytes);
        const std::size_t size = class_size(index);
        Class& kept = classes_[index];
        if (++clock_ % kWindow == 0) close_window();
        kept.last_use = clock_;
        if (!kept.free.empty()) {
            const Block block = kept.free.back();
            kept.free.pop_back();
            cached_ -= size;
            count_live(size);
            return block;
        }
        if (++kept.blocks > kept.free.capacity()) kept.free.reserve(2 * kept.blocks);  // for give()
        std::byte* fresh = from_system(size);
        if (!fresh) {  // perhaps it is our own cache that fills the memory
            release_all();
            fresh = from_system(size);
        }
        if (!fresh) {
            --kept.blocks;
            out_of_memory(bytes);
        }
        count_live(size);
        if (live_ + cached_ > limit()) shrink();
        return {fresh, 0};
    }

    void give(Block block, std::size_t bytes) noexcept {
        const int index = class_of(bytes);
        const std::size_t size = class_size(index);
        live_ -= size;
        cached_ += size;
        classes_[index].free.push_back(block);
        if (live_ + cached_ > limit()) [[unlikely]] shrink();
    }

    void release_all() noexcept {
        for (int i = 0; i < kClasses; ++i) release_class(i, 0);
    }

    MemoryStats stats() const noexcept { return {live_, cached_, peak_, system_requests_}; }
    void reset_peak() noexcept { peak_ = live_; }

private:
    struct Class {
        std::vector<Block> free;  // a launched kernel may still write there
        std::size_t blocks = 0;   // free ones and others
        std::uint64_t last_use = 0;
    };
    // Longer than any training step that has large blocks.
    static constexpr std::uint64_t kWindow = 1 << 16;

    void count_live(std::size_t size) noexcept {
        live_ += size;
        peak_ = std::max(peak_, live_);
        recent_ = std::max(recent_, live_);
    }

    // Live and cached bytes together may exceed the recent peak of live bytes by a quarter.
    std::size_t limit() const noexcept {
        const std::size_t peak = std::max(recent_, earlier_);
        return peak + peak / 4 + kSlack;
    }

    // The peak is that of the last one or two windows of allocations.
    void close_window() noexcept {
        earlier_ = recent_;
        recent_ = live_;
        if (live_ + cached_ > limit()) shrink();
    }

    // Gives back the classes that have been idle for longest until the limit is met.
    void shrink() noexcept {
        while (cached_ > 0 && live_ + cached_ > limit()) {
            int oldest = -1;
            for (int i = 0; i < kClasses; ++i) {
                if (classes_[i].free.empty()) continue;
                if (oldest < 0 || classes_[i].last_use < classes_[oldest].last_use) oldest = i;
            }
            release_class(oldest, limit() > live_ ? limit() - live_ : 0);
        }
    }

    void release_class(int index, std::size_t until) noexcept {
        const std::size_t size = class_size(index);
        Class& kept = classes_[index];
        while (!kept.free.empty() && cached_ > until) {
            const Block block = kept.free.back();
            kept.free.pop_back();
            --kept.blocks;
            cached_ -= size;
            stream::wait(block.ticket);
            to_system(block.memory, size);
        }
    }

    std::size_t next_colour() noexcept {
        colour_ = (colour_ + 9 * kAlignment) % kPage;  // 9 and 64 are coprime: all lines in turn
        return colour_;
    }

    std::byte* from_system(std::size_t size) noexcept {
        ++system_requests_;
        if (size < kColoured) {
            return static_cast<std::byte*>(std::aligned_alloc(kAlignment, size));
        }
        const std::size_t room = size + kPage;
        void* base = size < kMapped ? std::aligned_alloc(kPage, room) : map(room);
        return base ? static_cast<std::byte*>(base) + next_colour() : nullptr;
    }

    void to_system(std::byte* block, std::size_t size) noexcept {
        ++system_requests_;
        if (size < kColoured) return std::free(block);
        const auto address = reinterpret_cast<std::uintptr_t>(block);
        auto* base = reinterpret_cast<void*>(address & ~(kPage - 1));
        if (size < kMapped) return std::free(base);
        unmap(base, size + kPage);
    }

#ifdef RUSHLIGHT_HAS_MMAP
    static void* map(std::size_t bytes) noexcept {
        const std::size_t slack = bytes >= kHugePage ? kHugePage : 0;
        void* memory = mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return nullptr;
        if (!slack) return memory;
        // Keep the part that starts on a huge page.
        const auto start = reinterpret_cast<std::uintptr_t>(memory);
        const std::uintptr_t aligned = (start + kHugePage - 1) & ~(kHugePage - 1);
        if (aligned > start) munmap(memory, aligned - start);
        const std::uintptr_t end = start + bytes + slack, keep = aligned + bytes;
        const std::uintptr_t tail = (keep + kPage - 1) & ~(kPage - 1);
        if (end > tail) munmap(reinterpret_cast<void*>(tail), end - tail);
#ifdef MADV_HUGEPAGE
        madvise(reinterpret_cast<void*>(aligned), bytes, MADV_HUGEPAGE);
#endif
        return reinterpret_cast<void*>(aligned);
    }
    static void unmap(void* base, std::size_t bytes) noexcept { munmap(base, bytes); }
#else
    static void* map(std::size_t bytes) noexcept { return std::aligned_alloc(kPage, bytes); }
    static void unmap(void* base, std::size_t) noexcept { std::free(base); }
#endif

    [[noreturn]] static void out_of_memory(std::size_t bytes) {
        // A RuntimeError with this wording is what callers that retry with less look for.
        fail(ErrorKind::Runtime,
             "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", bytes, " bytes");
    }

    Class classes_[kClasses];
    std::size_t live_ = 0, cached_ = 0, peak_ = 0;
    std::size_t recent_ = 0, earlier_ = 0;  // peaks of `live_` in this window and the last
    std::size_t colour_ = 0;
    std::uint64_t clock_ = 0;
    std::uint64_t system_requests_ = 0;
};

// Never destroyed: storages of static lifetime may outlive any order of destruction.
Cache& cache() {
    static Cache* const instance = new Cache;
    return *instance;
}

}  // namespace

Block allocate(std::size_t bytes) { return cache().take(bytes); }
void deallocate(Block block, std::size_t bytes) noexcept { cache().give(block, bytes); }
MemoryStats memory_stats() noexcept { return cache().stats(); }
void reset_peak_memory() noexcept { cache().reset_peak(); }
void release_cached_memory() noexcept { cache().release_all(); }

}  // namespace rushlight
