// The inner loops of arange and linspace, by dtype. Compiled once per instruction set
// (sequence.isa.cpp).
#pragma once

#include "array/dtype.h"
#include "runtime/isa.h"

namespace rushlight {

struct SequenceTable {
    // out[i] = first + i * step for i in [0, n)
    void (*whole[kDTypes])(void* out, std::int64_t n, std::int64_t first, std::int64_t step);
    // out[i] = from + (begin + i) * by
    void (*real[kDTypes])(void* out, std::int64_t n, std::int64_t begin, double from, double by);
    // out[i] = from + (begin + i) * by, or (to_end) end - (begin - i) * by, in the dtype that real
    // numbers of this one are computed in; no complex dtypes.
    void (*between[kDTypes])(void* out, std::int64_t n, std::int64_t begin, double bound, double by,
                             bool to_end);
};

RUSHLIGHT_ISA_TABLE(SequenceTable, sequence_table)

}  // namespace rushlight
