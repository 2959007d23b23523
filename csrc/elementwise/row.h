// What is known of a row of the table: name, dtype rule, and the registers it runs on.
#pragma once

#include <string_view>

#include "array/dtype.h"

namespace rushlight {

// What a block of values is computed in: bool as 0/1 bytes, integers as int64 (uint64 as itself),
// half types and float32 as float, float64 as double, both complex types as complex double.
enum class Reg : std::uint8_t { Bool, Int, Float, Double, Complex, Unsigned };
inline constexpr int kRegs = 6;

inline constexpr Reg reg_of(DType d) {
    return d == DType::Bool      ? Reg::Bool
           : d == DType::U64     ? Reg::Unsigned
           : is_integral(d)      ? Reg::Int
           : d == DType::F64     ? Reg::Double
           : is_complex(d)       ? Reg::Complex
                                 : Reg::Float;
}
inline constexpr std::size_t reg_size(Reg r) {
    constexpr std::size_t sizes[] = {1, 8, 4, 8, 16, 8};
    return sizes[int(r)];
}

// The dtype whose memory has the layout of the register.
inline constexpr DType dtype_of_reg(Reg r) {
    constexpr DType dtypes[] = {DType::Bool, DType::I64,  DType::F32,
                                DType::F64,  DType::C128, DType::U64};
    return dtypes[int(r)];
}

// How the dtype of the computation and of the result follow from the operands.
enum class Rule : std::uint8_t {
    Promote,  // the common dtype
    Float,    // the common dtype, integers become the default float
    Compare,  // computed in the common dtype, result bool
    Logical,  // operands read as bool, result bool
    Test,     // computed in the operand's dtype, result bool
};

inline constexpr unsigned kB = 1, kI = 2 | 32, kF = 4, kD = 8, kZ = 16;
inline constexpr unsigned kReal = kI | kF | kD, kFloats = kF | kD, kNumber = kReal | kZ;
inline constexpr unsigned kAll = kB | kNumber;

inline constexpr int kMostOperands = 4;  // of a row

struct RowInfo {
    std::string_view name;
    int arity;
    Rule rule;
    unsigned regs;           // on which registers it exists
    bool expensive = false;  // a transcendental: kept for backward rather than computed again
    // From this operand on, a number keeps its digits beside half types.
    int number = kMostOperands;

    // The first of the last operands: those that mostly are numbers, or the last one.
    constexpr int last() const { return number < arity ? number : arity - 1; }
};

int row_count();
// The row with this number: its place in table.h.
const RowInfo& row_info(int row);

}  // namespace rushlight
