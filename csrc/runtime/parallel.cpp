// The thread pool: tasks are claimed from an atomic counter; workers spin for a moment after their
// last task, so that kernels that follow each other start at once, and sleep after that.
#include <Python.h>

#include "runtime/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>
#include <sched.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "array/error.h"
#include "runtime/cpus.h"
#include "runtime/pause.h"
#include "runtime/stream.h"

namespace rushlight {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// Work below this stays on the caller: waking a thread costs as much.
constexpr double kWorthThreads = 20e-6;
// Each further thread needs this much work.
constexpr double kWorthOneThread = 10e-6;
// Work above this releases the GIL.
constexpr double kLong = 200e-6;
constexpr auto kSpin = microseconds(80);
constexpr auto kSpinWithoutYield = microseconds(10);
constexpr auto kSignalPeriod = milliseconds(50);
// Between two looks at the workers that the caller waits for, where the work is that long.
constexpr auto kLookUp = microseconds(100);
constexpr double kWorthLookUp = 50e-3;

std::atomic<int> wanted_threads{0};  // 0: not decided yet
thread_local bool inside_task = false;

// Spins until done() or for kSpin at most. Gives its time slice away after a while, and gives up
// when somebody else took it: on a machine with more to do than CPUs, spinning harms.
template <class Done>
bool spin_until(Done&& done) noexcept {
    const auto start = Clock::now();
    for (auto last = start;;) {
        for (int i = 0; i < 16; ++i) {
            if (done()) return true;
            pause();
        }
        const auto now = Clock::now();
        if (now - start > kSpin || now - last > microseconds(30)) return done();
        last = now;
        if (now - start > kSpinWithoutYield) sched_yield();
    }
}

// One call of parallel_for. Lives on the caller's stack; workers hold it only while they are
// counted as inside (see Pool).
struct Job {
    FunctionView<void(std::int64_t)> task;
    std::int64_t tasks;
    alignas(64) std::atomic<std::int64_t> next{0};
    std::atomic<bool> cancelled{false};
    std::atomic_flag failed = {};
    std::exception_ptr error = nullptr;

    // A task that was running when the work ended.
    struct Stopped {};

    bool run_one() noexcept {
        const std::int64_t i = next.fetch_add(1, std::memory_order_relaxed);
        if (i >= tasks) return false;
        try {
            task(i);
        } catch (const Stopped&) {
        } catch (...) {
            if (!failed.test_and_set()) error = std::current_exception();
            cancel();
        }
        return true;
    }
    void cancel() noexcept {
        cancelled.store(true, std::memory_order_relaxed);
        next.store(tasks, std::memory_order_relaxed);
    }
};

class GilPause;
// What the tasks of this thread belong to; the GilPause is the caller's alone.
thread_local Job* job_here = nullptr;
thread_local GilPause* pause_here = nullptr;

class Pool {
public:
    explicit Pool(int workers) {
        // Signals are for the main thread.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            for (int i = 0; i < workers; ++i) threads_.emplace_back([this, i] { work(i == 0); });
        } catch (const std::system_error&) {
            // The system gives no more threads: go on with those there are.
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    ~Pool() {
        stopping_ = true;
        wake_.fetch_add(1);
        wake_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

    int workers() const noexcept { return int(threads_.size()); }

    // Invites up to `helpers` workers to the job.
    void open(Job& job, int helpers) noexcept {
        job_ = &job;
        helpers = std::min(helpers, workers());
        gate_.store(std::uint32_t(helpers) << kSeatShift);
        const int asleep = asleep_.load();
        const int missing = helpers - (workers() - asleep);
        if (missing <= 0) return;
        wake_.fetch_add(1);
        if (missing == 1) {
            wake_.notify_one();
        } else {
            wake_.notify_all();
        }
    }

    // Wakes a worker that sleeps, for the stream.
    void call() noexcept {
        if (asleep_.load() == 0) return;
        wake_.fetch_add(1);
        wake_.notify_all();
    }

    // Lets nobody in any more and waits until all have left. Long work: looks up at times.
    template <class LookUp>
    void close(bool is_long, LookUp&& look_up) noexcept {
        const auto empty = [this] { return (gate_.load() & kInsideMask) == 0; };
        gate_.fetch_and(kInsideMask);
        if (spin_until(empty)) return;
        for (; is_long && !empty(); std::this_thread::sleep_for(kLookUp)) look_up();
        caller_waits_ = true;
        for (;;) {
            const int seen = left_.load();
            if (empty()) break;
            left_.wait(seen);
        }
        caller_waits_ = false;
    }

private:
    // gate_: how many more may join (upper half), how many are inside (lower half).
    static constexpr int kSeatShift = 16;
    static constexpr std::uint32_t kInsideMask = 0xffff;

    bool join() noexcept {
        std::uint32_t gate = gate_.load();
        while (gate >> kSeatShift) {
            if (gate_.compare_exchange_weak(gate, gate - (1u << kSeatShift) + 1)) return true;
        }
        return false;
    }

    void leave() noexcept {
        gate_.fetch_sub(1);
        if (caller_waits_) {
            left_.fetch_add(1);
            left_.notify_one();
        }
    }

    // One of the workers attends to the stream, too.
    void work(bool attends) noexcept {
        inside_task = true;  // what a task calls runs inline
        const auto stand_by = [attends](bool on) {
            if (attends) stream::attended = on;
        };
        const auto ready = [this, attends] {
            return (gate_.load() >> kSeatShift) != 0 || (attends && !stream::is_empty()) ||
                   stopping_;
        };
        stand_by(true);
        while (!stopping_) {
            while (attends && stream::run_next()) {
            }
            if (join()) {
                stand_by(false);  // who waits runs the kernels itself
                Job& job = *job_;
                job_here = &job;
                while (job.run_one()) {
                }
                job_here = nullptr;
                gate_.fetch_and(kInsideMask);  // no task is left for those who have not joined
                leave();
                stand_by(true);
            }
            if (spin_until(ready)) continue;
            // The order of these lines against open() makes sure that no invitation is missed.
            stand_by(false);
            asleep_.fetch_add(1);
            const int seen = wake_.load();
            if (!ready()) wake_.wait(seen);
            asleep_.fetch_sub(1);
            stand_by(true);
        }
        stand_by(false);
    }

    std::vector<std::thread> threads_;
    Job* job_ = nullptr;
    alignas(64) std::atomic<std::uint32_t> gate_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<bool> caller_waits_{false};
    alignas(64) std::atomic<int> wake_{0};
    std::atomic<int> asleep_{0};
    std::atomic<int> left_{0};
};

// The pool and who uses it. A second Python thread that comes while the pool is busy runs its
// tasks by itself.
struct PoolHolder {
    std::mutex busy;
    std::unique_ptr<Pool> pool;
    int threads = 0;  // that the pool was made for

    Pool& pool_of(int wanted) {
        if (!pool || threads != wanted) {
            pool.reset();
            pool = std::make_unique<Pool>(wanted - 1);
            threads = wanted;
        }
        return *pool;
    }
};

std::atomic<PoolHolder*> holder{nullptr};

// A thread of the pool for the stream.
void attend_stream() {
    const int threads = num_threads();
    PoolHolder& held = *holder.load();
    std::unique_lock lock(held.busy, std::try_to_lock);
    if (threads > 1 && lock) held.pool_of(threads).call();
}

// The child of a fork has none of the threads: it starts afresh and lets the old pool be.
void after_fork_in_child() {
    holder = new PoolHolder;
    inside_task = false;
    stream::after_fork_in_child();
}

struct Lifetime {
    Lifetime() {
        holder = new PoolHolder;
        pthread_atfork(stream::wait_for_all, nullptr, after_fork_in_child);
        stream::set_caller(attend_stream);
    }
    ~Lifetime() {
        stream::set_caller(nullptr);
        PoolHolder& held = *holder.load();
        std::unique_lock lock(held.busy, std::try_to_lock);
        if (lock) held.pool.reset();
    }
};
Lifetime lifetime;

bool on_main_thread() noexcept {
#ifdef __linux__
    return syscall(SYS_gettid) == getpid();
#else
    return true;
#endif
}

// The GIL, given up for the length of long work if the caller has it.
class GilPause {
public:
    void begin() {
        if (!Py_IsInitialized() || !PyGILState_Check()) return;
        check_signals_ = on_main_thread();
        next_check_ = Clock::now() + kSignalPeriod;
        state_ = PyEval_SaveThread();
    }
    // Runs Python's signal handlers when it is time. False: one of them raised.
    bool signals_pass() {
        if (raised_) return false;
        if (!state_ || !check_signals_ || Clock::now() < next_check_) return true;
        PyEval_RestoreThread(std::exchange(state_, nullptr));
        raised_ = PyErr_CheckSignals() != 0;
        state_ = PyEval_SaveThread();
        next_check_ = Clock::now() + kSignalPeriod;
        return !raised_;
    }
    // Not in a destructor: an interpreter that has shut down ends the thread in here.
    void end() {
        if (state_) PyEval_RestoreThread(std::exchange(state_, nullptr));
    }
    bool raised() const noexcept { return raised_; }
    bool polls() const noexcept { return state_ && check_signals_; }

private:
    PyThreadState* state_ = nullptr;
    Clock::time_point next_check_;
    bool check_signals_ = false;
    bool raised_ = false;
};

void run_here(std::int64_t tasks, FunctionView<void(std::int64_t)> task) {
    for (std::int64_t i = 0; i < tasks; ++i) task(i);
}

}  // namespace

TaskScope::TaskScope() noexcept : before_(std::exchange(inside_task, true)) {}
TaskScope::~TaskScope() { inside_task = before_; }

void pass_or_stop() {
    if (pause_here && !pause_here->signals_pass()) job_here->cancel();
    if (job_here && job_here->cancelled.load(std::memory_order_relaxed)) throw Job::Stopped();
    if (job_here && !pause_here) return;  // a worker
    // Work that was taken for short still has the GIL.
    if (Py_IsInitialized() && PyGILState_Check() && PyErr_CheckSignals() != 0) throw PythonError();
}

int num_threads() noexcept {
    int threads = wanted_threads.load(std::memory_order_relaxed);
    if (threads == 0) {
        threads = default_threads();
        wanted_threads = threads;
    }
    return threads;
}

void set_num_threads(int threads) {
    check(threads >= 1, "set_num_threads expects a positive integer, got ", threads);
    wanted_threads = std::min(threads, 1024);  // the pool follows at its next use
    stream::set_alone(threads == 1);
}

void parallel_for(std::int64_t tasks, double seconds_each, FunctionView<void(std::int64_t)> task) {
    const double seconds = double(tasks) * seconds_each;
    if (inside_task || (seconds < kLong && (tasks <= 1 || seconds < kWorthThreads))) {
        return run_here(tasks, task);
    }
    const int threads = num_threads();
    int helpers = int(std::min<std::int64_t>(threads, tasks)) - 1;
    helpers = std::min(helpers, int(std::min(seconds / kWorthOneThread, 1e6)) - 1);

    Job job{.task = task, .tasks = tasks};
    GilPause gil;
    if (seconds >= kLong) gil.begin();

    std::unique_lock<std::mutex> lock;
    PoolHolder& held = *holder.load();
    Pool* pool = nullptr;
    if (helpers > 0) {
        lock = std::unique_lock(held.busy, std::try_to_lock);
        if (lock) {
            pool = &held.pool_of(threads);
            pool->open(job, helpers);
        }
    }

    inside_task = true;
    job_here = &job;
    pause_here = &gil;
    const auto look_up = [&] {
        if (!gil.signals_pass()) job.cancel();
    };
    while (job.run_one()) look_up();
    inside_task = false;
    job_here = nullptr;
    pause_here = nullptr;
    if (pool) pool->close(seconds >= kWorthLookUp && gil.polls(), look_up);
    if (lock) lock.unlock();
    gil.end();
    if (gil.raised()) throw PythonError();
    if (job.error) std::rethrow_exception(job.error);
}

}  // namespace rushlight
