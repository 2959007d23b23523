// The inner loops of masks: counting them, and moving the elements that they pick. None branches on
// the data, which nothing could predict. Compiled once per instruction set (mask.isa.cpp).
#pragma once

#include <cstdint>

#include "runtime/isa.h"

namespace rushlight {

// Elements of one size, `step` of them apart in x; a flag is set if it is not zero.
struct MaskMoves {
    // x[i] = *value where flag[i]
    void (*fill)(std::int64_t n, const std::uint8_t* flag, void* x, std::int64_t step,
                 const void* value);
    // packed = the x[i] with flag[i], side by side; returns how many.
    std::int64_t (*pack)(std::int64_t n, const std::uint8_t* flag, const void* x, std::int64_t step,
                         void* packed);
    // x[i] = the next element of `packed` (which has `held` of them, at least as many as flags are
    // set) where flag[i], and zero elsewhere with `clear`; returns how many were taken.
    std::int64_t (*spread)(std::int64_t n, const std::uint8_t* flag, void* x, std::int64_t step,
                           const void* packed, std::int64_t held, bool clear);
};

struct MaskTable {
    std::int64_t (*count)(std::int64_t n, const std::uint8_t* flag);
    MaskMoves moves[5];  // of 1, 2, 4, 8 and 16 bytes

    const MaskMoves& of_size(std::size_t itemsize) const {
        int log2 = 0;
        while ((std::size_t(1) << log2) < itemsize) ++log2;
        return moves[log2];
    }
};

RUSHLIGHT_ISA_TABLE(MaskTable, mask_table)

}  // namespace rushlight
