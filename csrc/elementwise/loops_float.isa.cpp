// The pointwise rows on blocks of float, compiled once per instruction set.
#include "elementwise/pointwise_loops.h"

namespace rushlight::RUSHLIGHT_ISA {

void add_float_loops(LoopTable& table) { add_pointwise<Reg::Float>(table); }

}  // namespace rushlight::RUSHLIGHT_ISA
