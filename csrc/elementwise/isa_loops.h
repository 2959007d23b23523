// The parts of which one instruction set's table of loops is made, for the files that make them.
#pragma once

#include "elementwise/loops.h"

namespace rushlight {

// Loops that gain nothing by wider vectors: one build for all.
void add_plain_loops(LoopTable& table);

namespace RUSHLIGHT_ISA {

void add_float_loops(LoopTable& table);
void add_double_loops(LoopTable& table);
void add_int_loops(LoopTable& table);
void add_memory_loops(LoopTable& table);
void add_complex_loops(LoopTable& table);
void add_joined_loops(LoopTable& table);
void add_narrow_loops(LoopTable& table);
void add_reduce_loops(LoopTable& table);
void add_transpose_loops(LoopTable& table);

}  // namespace RUSHLIGHT_ISA
}  // namespace rushlight
