// The stream: short kernels that a thread of the pool runs in order, behind the caller, who goes on
// meanwhile. In a training loop of small tensors, Python's calls and the arithmetic take turns
// otherwise; here they run beside each other. Each kernel has a ticket; memory keeps the ticket of
// the last kernel that touches it, and whoever asks for its address waits for that one
// (array/launch.h and Storage::data()).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

namespace rushlight::stream {

// Tickets grow in the order of the kernels. 0 is that of memory which no kernel has touched.
using Ticket = std::uint64_t;

// All kernels up to this ticket are known to have ended; there may be more by now.
inline std::atomic<Ticket> known_finished{0};
// Whether a thread stands by to run kernels. It goes to sleep when none has come for a while.
inline std::atomic<bool> attended{false};

// Returns when the kernel has ended. Runs it and those before it where nobody else does.
void wait(Ticket ticket) noexcept;
void wait_for_all() noexcept;

inline bool is_finished(Ticket ticket) noexcept {
    return ticket <= known_finished.load(std::memory_order_relaxed);
}

// Whether the next kernel, of so many seconds, is to be pushed. False where nobody attends (after
// many such questions in a short time a thread is asked to) and, for a while, where waiting for the
// kernels took longer than they do.
bool takes(double seconds);
// How many kernels were pushed.
std::uint64_t count() noexcept;
// Handing a kernel over takes about as long as this, in seconds: shorter ones run on the caller.
inline constexpr double kWorthHandingOver = 0.3e-6;
// For tests: hands over all that may be, whether it pays or not.
inline bool always = false;
// Turns the stream off, or on again: kernels run when they are called.
void set_off(bool off) noexcept;

// A kernel as it is kept: a function and the bytes of its argument. Kernels do not throw, allocate
// or touch Python.
using Run = void (*)(const std::byte* kernel) noexcept;
inline constexpr std::size_t kMostBytes = 1024;

// Room for the next kernel; waits until there is some. The caller has the GIL, fills the room and
// calls publish() before anything else.
std::byte* reserve(Run run, std::size_t bytes) noexcept;
Ticket publish() noexcept;

template <class Kernel>
Ticket push(const Kernel& kernel) noexcept {
    static_assert(std::is_trivially_copyable_v<Kernel> && sizeof(Kernel) <= kMostBytes &&
                  alignof(Kernel) <= 16);
    std::byte* room = reserve(
        [](const std::byte* bytes) noexcept { (*reinterpret_cast<const Kernel*>(bytes))(); },
        sizeof(Kernel));
    new (room) Kernel(kernel);
    return publish();
}

// For the pool: the thread that runs kernels.

// Runs the next kernel; false where there is none, or another thread is at it.
bool run_next() noexcept;
bool is_empty() noexcept;
// Before a fork, wait_for_all(): the child has no kernel half done.
void after_fork_in_child() noexcept;
// Whether there is one thread only.
void set_alone(bool alone) noexcept;
// How the stream asks for a thread.
void set_caller(void (*call)()) noexcept;

}  // namespace rushlight::stream
