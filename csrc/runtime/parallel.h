// One thread pool for everything. Work is cut into tasks whose number and bounds do not depend on
// how many threads there are, so results are the same bits for any thread count.
#pragma once

#include <cstdint>

#include "runtime/function_view.h"

namespace rushlight {

int num_threads() noexcept;
void set_num_threads(int threads);  // at least 1

// Runs task(i) for i in [0, tasks), on the calling thread and on workers of the pool.
// `seconds_each` is a rough cost of one task: short work stays on the caller, long work releases
// the GIL and lets Ctrl-C through. Tasks must not touch Python. An exception in a task reaches the
// caller.
void parallel_for(std::int64_t tasks, double seconds_each, FunctionView<void(std::int64_t)> task);

// While one lives, this thread shares no work and keeps the GIL, as a task does.
class TaskScope {
public:
    TaskScope() noexcept;
    ~TaskScope();
    TaskScope(const TaskScope&) = delete;
    TaskScope& operator=(const TaskScope&) = delete;

private:
    bool before_;
};

// For a task that cannot be cut and may run for long, every million steps or so: raises where
// Ctrl-C or an error in another task has ended the work.
void pass_or_stop();

}  // namespace rushlight
