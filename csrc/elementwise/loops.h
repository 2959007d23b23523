// The inner loops of fused passes, as tables of function pointers. A loop runs over one block of
// contiguous values (a register). Several builds of each table exist, one per instruction set;
// loops() is the table for this machine.
#pragma once

#include "array/dims.h"
#include "array/dtype.h"
#include "elementwise/row.h"
#include "runtime/isa.h"

namespace rushlight {

enum class Reduction : std::uint8_t { Sum, Prod, Max, Min };
inline constexpr int kReductions = 4;

// The operations that pair up: add, sub, mul; and c - inner(a, b).
enum class Outer : std::uint8_t { Add, Mul, Sub, SubFrom };
enum class Inner : std::uint8_t { Add, Mul, Sub };
inline constexpr int kOuters = 4, kInners = 3;

// dst[i] = row(src[0][i], src[1][i], ...). dst may be one of the sources.
using PointwiseLoop = void (*)(void* dst, const void* const* src, Index n);
// Rows of n values side by side with one value each, `step` bytes apart.
using WithOneRowsLoop = void (*)(void* dst, const void* src, const std::byte* ones, Index step,
                                 Index rows, Index n);
// Between memory of a dtype (any stride, in bytes) and a register.
using LoadLoop = void (*)(void* dst, const std::byte* src, Index stride, Index n);
using StoreLoop = void (*)(std::byte* dst, Index stride, const void* src, Index n);
// The same for rows of n, `row` bytes apart in memory and side by side in the register.
using LoadRowsLoop = void (*)(void* dst, const std::byte* src, Index row, Index rows, Index stride,
                              Index n);
using StoreRowsLoop = void (*)(std::byte* dst, Index row, Index rows, Index stride, const void* src,
                               Index n);
// Memory full of a pattern of kPattern bytes; its end may be in the middle of one.
using FillLoop = void (*)(std::byte* dst, Index bytes, const std::byte* pattern);
inline constexpr int kPattern = 64;
// acc[i] op= src[i]
using ReduceLoop = void (*)(void* acc, const void* src, Index n);
// Rows of n side by side: the r-th with all its values into acc[r * step], or all rows into
// acc[0, n).
using ReduceRowsLoop = void (*)(void* acc, Index step, const void* src, Index rows, Index n);
// dst[r, c] = src[c, r]; the distances between rows are in elements.
using TransposeLoop = void (*)(void* dst, Index dst_row, const void* src, Index src_row, Index rows,
                               Index cols);

// dst[i] = src[n - 1 - i]
using ReverseLoop = void (*)(void* dst, const void* src, Index n);

struct LoopTable {
    static constexpr int kMaxRows = 128;
    PointwiseLoop pointwise[kMaxRows][kRegs] = {};
    // Of memory of a dtype whose register is wider, from operands to a result of that dtype or bool.
    PointwiseLoop narrow[kMaxRows][kDTypes] = {};
    PointwiseLoop narrow_one_last[kMaxRows][kDTypes] = {};  // with values of the register
    // Two arithmetic operations as one loop on floats: outer(inner(a, b), c).
    PointwiseLoop pair[kOuters][kInners] = {};
    // Of all but dear rows, with one value each for the last operands (RowInfo::last); of common
    // rows on two operands with one for the first, and with one for each row of the first or second.
    PointwiseLoop one_last[kMaxRows][kRegs] = {};
    PointwiseLoop one_first[kMaxRows][kRegs] = {};
    WithOneRowsLoop with_one_rows[kMaxRows][2][kRegs] = {};
    PointwiseLoop convert[kRegs][kRegs] = {};  // from register type, to register type
    PointwiseLoop round[kDTypes] = {}; // to what the dtype can hold; null where nothing is lost
    LoadLoop load[kDTypes] = {};
    LoadLoop load_float[kDTypes] = {};  // of bool and short integers, straight to floats
    StoreLoop store[kDTypes] = {};
    LoadRowsLoop load_rows[kDTypes] = {};
    StoreRowsLoop store_rows[kDTypes] = {};
    // Of memory of a dtype, into the accumulator of its register: a double for floats that are
    // added or multiplied.
    ReduceLoop reduce_columns[kReductions][kDTypes] = {};
    ReduceRowsLoop reduce_rows[kReductions][kDTypes] = {};
    ReduceRowsLoop reduce_rows_columns[kReductions][kDTypes] = {};
    ReduceRowsLoop add_rows[kDTypes] = {};  // all rows of floats or halves onto n floats
    FillLoop fill = nullptr;
    TransposeLoop transpose[5] = {};  // by the logarithm of the element's size
    ReverseLoop reverse[5] = {};      // by the same
};

RUSHLIGHT_ISA_TABLE(LoopTable, loops)

}  // namespace rushlight
