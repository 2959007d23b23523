// Threads, instruction set, BLAS and memory, as `rushlight info` and set_num_threads see them.
#include "bind/casters.h"
#include "runtime/allocator.h"
#include "runtime/blas.h"
#include "runtime/isa.h"
#include "runtime/parallel.h"
#include "runtime/stream.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace rushlight {

void bind_runtime(nb::module_& m) {
    m.def("get_num_threads", &num_threads,
          "How many threads an operation may use: RUSHLIGHT_NUM_THREADS, or one per core.");
    m.def("set_num_threads", &set_num_threads, "threads"_a,
          "How many threads an operation may use, at least 1. Results do not depend on it.");
    m.def("isa_name", [] { return std::string(name_of(isa())); });
    m.def("synchronize", &stream::wait_for_all,
          "Waits for the kernels that run behind the caller.");
    m.def("kernels_behind", &stream::count,
          "How many kernels this process has run behind their caller.");
    m.def("hand_over_always", [](bool on) { stream::always = on; }, "on"_a,
          "For tests: runs kernels behind the caller whether it pays or not.");
    m.def("load_blas", &load_blas);
    m.def("memory_stats", [] {
        const MemoryStats stats = memory_stats();
        nb::dict result;
        result["live"] = stats.live;
        result["cached"] = stats.cached;
        result["peak"] = stats.peak;
        result["system_requests"] = stats.system_requests;
        return result;
    });
}

}  // namespace rushlight
