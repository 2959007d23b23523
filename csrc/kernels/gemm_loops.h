// The product loops that are ours: real products up to a size that the instruction set decides,
// integer products, and column sums. Compiled per instruction set.
#pragma once

#include <cstdint>

#include "runtime/isa.h"

namespace rushlight {

// C (m, n) = alpha * A (m, k) B (k, n), plus `from` (m, n) if it is not null. C and `from` have
// contiguous rows `c_row` and `from_row` apart, and may be the same; A and B may have any strides.
// All strides are in elements; R is the type of sums and results.
template <class T, class R = T>
struct GemmArgs {
    std::int64_t m, n, k;
    const T* a;
    std::int64_t a_row, a_col;
    const T* b;
    std::int64_t b_row, b_col;
    R* c;
    std::int64_t c_row;
    R alpha;
    const R* from;
    std::int64_t from_row;
};

// to (m, n) = transpose of `from` (n, m), plus `start` (m, n) if it is not null; rows are contiguous.
template <class T>
struct TurnArgs {
    std::int64_t m, n;
    const T* from;
    T* to;
    std::int64_t to_row;
    const T* start;
    std::int64_t start_row;
};

// Of bfloat16 matrices, given by their bits; k > 0.
using Bf16Product = void (*)(const GemmArgs<std::uint16_t, float>&);

// sums[j] = sum over i of x[i * x_row + j], for rows by cols values; float accumulates in double.
template <class T>
struct ColumnSumArgs {
    std::int64_t rows, cols;
    const T* x;
    std::int64_t x_row;
    T* sums;
};

struct GemmTable {
    void (*f32)(const GemmArgs<float>&);
    void (*f64)(const GemmArgs<double>&);
    // Modulo 2^bits, which is right for signed and unsigned integers alike.
    void (*u8)(const GemmArgs<std::uint8_t>&);
    void (*u16)(const GemmArgs<std::uint16_t>&);
    void (*u32)(const GemmArgs<std::uint32_t>&);
    void (*u64)(const GemmArgs<std::uint64_t>&);
    Bf16Product bf16;  // null where the machine has no instruction for it
    void (*turn_f32)(const TurnArgs<float>&);
    void (*turn_f64)(const TurnArgs<double>&);
    void (*column_sums_f32)(const ColumnSumArgs<float>&);
    void (*column_sums_f64)(const ColumnSumArgs<double>&);
    // Multiply-adds up to which f32 and f64 are as fast as BLAS, or faster.
    double most;
};

RUSHLIGHT_ISA_TABLE(GemmTable, gemm_table)

}  // namespace rushlight
