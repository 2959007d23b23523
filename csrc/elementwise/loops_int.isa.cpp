// The pointwise rows on blocks of bool and of integers, compiled once per instruction set.
#include "elementwise/pointwise_loops.h"

namespace rushlight::RUSHLIGHT_ISA {

void add_int_loops(LoopTable& table) {
    add_pointwise<Reg::Bool>(table);
    add_pointwise<Reg::Int>(table);
}

}  // namespace rushlight::RUSHLIGHT_ISA
