// A ring of kernels: one thread at a time adds (it has the GIL), one at a time runs (it has a lock).
#include "runtime/stream.h"

#include <algorithm>
#include <chrono>

#include "runtime/parallel.h"
#include "runtime/pause.h"

namespace rushlight::stream {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLine = 64;
constexpr std::size_t kLines = 512;  // 32 KiB, some hundred kernels
// How long who waits leaves the next kernel to the other thread, in pauses of some 20 ns. It may
// have lost its processor.
constexpr int kPausesBeforeHelping = 64;
// So many kernels in that time are worth a thread that stands by.
constexpr int kManyKernels = 32;
constexpr auto kShortTime = std::chrono::microseconds(1000);
// Whether handing over pays: what a kernel would take here is added to the credit, what somebody
// waits is taken from it. Without credit, because values are looked at all the time or because the
// machine is busy with other things, so many kernels run on the caller; each time twice as many,
// until things went well for a while.
constexpr double kMostCredit = 100e-6;
constexpr int kLeastRest = 4'000, kLongestRest = 500'000;
constexpr std::uint64_t kWentWell = 20'000;

// What stands in the first line of a kernel.
struct Header {
    Run run;
    std::size_t lines;
};
constexpr std::size_t kHeader = 16;
static_assert(sizeof(Header) <= kHeader);

// Positions count lines from the start of the process; a ticket is the position after its kernel.
struct Ring {
    alignas(kLine) std::byte room[kLines * kLine];
    alignas(kLine) std::atomic<Ticket> added{0};
    alignas(kLine) std::atomic<Ticket> ended{0};
    alignas(kLine) std::atomic_flag running = {};
    // Of the thread that adds.
    alignas(kLine) Ticket next = 0;    // where the kernel that is being added begins
    std::size_t lines = 0;             // its length
    Ticket free_until = kLines;        // positions before this one may be written
    std::uint64_t count = 0;
};
constinit Ring ring{};

std::byte* at(Ticket position) { return ring.room + position % kLines * kLine; }

void skip(const std::byte*) noexcept {}

void note_finished(Ticket ended) noexcept {
    // Later kernels may have ended meanwhile; an older number only costs another look.
    known_finished.store(ended, std::memory_order_relaxed);
}

// Waits until positions up to `end` may be written.
void wait_for_room(Ticket end) noexcept {
    if (end <= ring.free_until) return;
    ring.free_until = ring.ended.load(std::memory_order_acquire) + kLines;
    if (end <= ring.free_until) return;
    wait(end - kLines);
    ring.free_until = ring.ended.load(std::memory_order_acquire) + kLines;
}

std::atomic<void (*)()> call_thread{nullptr};
bool is_off = false, is_alone = false;
std::atomic<double> credit{kMostCredit};  // seconds
std::atomic<int> rest{0};                 // kernels that run on the caller from here

void take_rest() noexcept {
    static std::atomic<int> length{kLeastRest};
    static std::atomic<std::uint64_t> before{0};
    const std::uint64_t since = ring.count - before.exchange(ring.count);
    length = since > kWentWell ? kLeastRest : std::min(2 * length.load(), kLongestRest);
    rest = length.load();
    credit = kMostCredit;
}

void pay_for(Clock::duration waited) noexcept {
    const double left = credit.load(std::memory_order_relaxed) -
                        std::chrono::duration<double>(waited).count();
    credit.store(left, std::memory_order_relaxed);
    if (left < 0) take_rest();
}

}  // namespace

bool is_empty() noexcept {
    return ring.added.load(std::memory_order_acquire) ==
           ring.ended.load(std::memory_order_relaxed);
}

bool run_next() noexcept {
    if (is_empty() || ring.running.test_and_set(std::memory_order_acquire)) return false;
    const Ticket position = ring.ended.load(std::memory_order_relaxed);
    const bool any = position != ring.added.load(std::memory_order_acquire);
    if (any) {
        const std::byte* kernel = at(position);
        const Header header = *reinterpret_cast<const Header*>(kernel);
        {
            const TaskScope scope;
            header.run(kernel + kHeader);
        }
        ring.ended.store(position + header.lines, std::memory_order_release);
    }
    ring.running.clear(std::memory_order_release);
    return any;
}

void wait(Ticket ticket) noexcept {
    Ticket ended = ring.ended.load(std::memory_order_acquire);
    if (ended < ticket) {
        const auto start = Clock::now();
        int pauses = 0;
        do {
            if (++pauses > kPausesBeforeHelping || !attended.load(std::memory_order_relaxed))
                run_next();
            pause();
            const Ticket before = ended;
            ended = ring.ended.load(std::memory_order_acquire);
            if (ended != before) pauses = 0;  // it goes on
        } while (ended < ticket);
        pay_for(Clock::now() - start);
    }
    note_finished(ended);
}

void wait_for_all() noexcept { wait(ring.added.load(std::memory_order_relaxed)); }

std::byte* reserve(Run run, std::size_t bytes) noexcept {
    ring.lines = (kHeader + bytes + kLine - 1) / kLine;
    if (const std::size_t left = kLines - ring.next % kLines; left < ring.lines) {
        wait_for_room(ring.next + left);
        new (at(ring.next)) Header{&skip, left};
        ring.next += left;
    }
    wait_for_room(ring.next + ring.lines);
    std::byte* room = at(ring.next);
    new (room) Header{run, ring.lines};
    return room + kHeader;
}

Ticket publish() noexcept {
    ring.next += ring.lines;
    ++ring.count;
    ring.added.store(ring.next, std::memory_order_release);
    return ring.next;
}

bool takes(double seconds) {
    static int asked = 0;
    static Clock::time_point since;
    if (is_off || is_alone) return false;
    if (const int left = rest.load(std::memory_order_relaxed); left > 0 && !always) {
        rest.store(left - 1, std::memory_order_relaxed);
        return false;
    }
    if (attended.load(std::memory_order_relaxed)) {
        const double have = credit.load(std::memory_order_relaxed);
        credit.store(std::min(have + seconds, kMostCredit), std::memory_order_relaxed);
        return true;
    }
    if (++asked % kManyKernels != 0 && !always) return false;
    const auto now = Clock::now();
    const bool often = now - since < kShortTime;
    since = now;
    const auto call = call_thread.load(std::memory_order_relaxed);
    if ((often || always) && call) call();
    return false;
}

std::uint64_t count() noexcept { return ring.count; }

void set_off(bool off) noexcept {
    wait_for_all();
    is_off = off;
}

void set_alone(bool alone) noexcept { is_alone = alone; }

void after_fork_in_child() noexcept {
    attended = false;
    ring.running.clear();  // the thread may have been about to look
}

void set_caller(void (*call)()) noexcept { call_thread = call; }

}  // namespace rushlight::stream
